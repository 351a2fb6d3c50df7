// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/names.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"

#define BYTES_SHOWN 32
#define NEST_MAX 16

/* ---- numbers with names */

struct name {
	uint32_t value;
	const char *name;
};

/* Of other buses only what is asked; changes of the rule set are traced by fw/nftmsg. */
#define NFT(msg) (NFNL_SUBSYS_NFTABLES << 8 | (msg))

static const struct name types[] = {
	{ NLMSG_NOOP, "NLMSG_NOOP" },
	{ NLMSG_ERROR, "NLMSG_ERROR" },
	{ NLMSG_DONE, "NLMSG_DONE" },
	{ RTM_NEWLINK, "RTM_NEWLINK" },
	{ RTM_DELLINK, "RTM_DELLINK" },
	{ RTM_GETLINK, "RTM_GETLINK" },
	{ RTM_SETLINK, "RTM_SETLINK" },
	{ RTM_NEWADDR, "RTM_NEWADDR" },
	{ RTM_DELADDR, "RTM_DELADDR" },
	{ RTM_GETADDR, "RTM_GETADDR" },
	{ RTM_NEWROUTE, "RTM_NEWROUTE" },
	{ RTM_DELROUTE, "RTM_DELROUTE" },
	{ RTM_GETROUTE, "RTM_GETROUTE" },
	{ NFT(NFT_MSG_GETTABLE), "NFT_MSG_GETTABLE" },
	{ NFT(NFT_MSG_GETCHAIN), "NFT_MSG_GETCHAIN" },
	{ NFT(NFT_MSG_GETRULE), "NFT_MSG_GETRULE" },
	{ NFT(NFT_MSG_GETSET), "NFT_MSG_GETSET" },
	{ NFT(NFT_MSG_GETSETELEM), "NFT_MSG_GETSETELEM" },
	{ NFT(NFT_MSG_GETGEN), "NFT_MSG_GETGEN" },
};
static const struct name families[] = {
	{ AF_UNSPEC, "unspec" }, { AF_INET, "inet" },	  { AF_INET6, "inet6" },
	{ AF_BRIDGE, "bridge" }, { AF_PACKET, "packet" },
};
static const struct name request_flags[] = {
	{ NLM_F_REQUEST, "request" },
	{ NLM_F_MULTI, "multi" },
	{ NLM_F_ACK, "ack" },
	{ NLM_F_ECHO, "echo" },
	{ NLM_F_DUMP_INTR, "dump-interrupted" },
	{ NLM_F_DUMP_FILTERED, "filtered" },
};
/* the same bits mean one thing in a NEW and another in a GET */
static const struct name new_flags[] = {
	{ NLM_F_REPLACE, "replace" },
	{ NLM_F_EXCL, "excl" },
	{ NLM_F_CREATE, "create" },
	{ NLM_F_APPEND, "append" },
};
static const struct name get_flags[] = {
	{ NLM_F_ROOT, "root" },
	{ NLM_F_MATCH, "match" },
	{ NLM_F_ATOMIC, "atomic" },
};
static const struct name link_flags[] = {
	{ IFF_UP, "up" },
	{ IFF_BROADCAST, "broadcast" },
	{ IFF_LOOPBACK, "loopback" },
	{ IFF_POINTOPOINT, "pointopoint" },
	{ IFF_RUNNING, "running" },
	{ IFF_NOARP, "noarp" },
	{ IFF_PROMISC, "promisc" },
	{ IFF_ALLMULTI, "allmulti" },
	{ IFF_MULTICAST, "multicast" },
	{ IFF_LOWER_UP, "lower-up" },
};
static const struct name addr_flags[] = {
	{ IFA_F_SECONDARY, "secondary" },   { IFA_F_NODAD, "nodad" },
	{ IFA_F_OPTIMISTIC, "optimistic" }, { IFA_F_DADFAILED, "dadfailed" },
	{ IFA_F_DEPRECATED, "deprecated" }, { IFA_F_TENTATIVE, "tentative" },
	{ IFA_F_PERMANENT, "permanent" },   { IFA_F_NOPREFIXROUTE, "noprefixroute" },
};
static const struct name scopes[] = {
	{ RT_SCOPE_UNIVERSE, "universe" }, { RT_SCOPE_SITE, "site" },
	{ RT_SCOPE_LINK, "link" },	   { RT_SCOPE_HOST, "host" },
	{ RT_SCOPE_NOWHERE, "nowhere" },
};
static const struct name tables[] = {
	{ RT_TABLE_UNSPEC, "unspec" },	 { RT_TABLE_COMPAT, "compat" },
	{ RT_TABLE_DEFAULT, "default" }, { RT_TABLE_MAIN, "main" },
	{ RT_TABLE_LOCAL, "local" },
};
static const struct name protocols[] = {
	{ RTPROT_UNSPEC, "unspec" }, { RTPROT_KERNEL, "kernel" }, { RTPROT_BOOT, "boot" },
	{ RTPROT_STATIC, "static" }, { RTPROT_RA, "ra" },
};
static const struct name route_types[] = {
	{ RTN_UNSPEC, "unspec" },	{ RTN_UNICAST, "unicast" },
	{ RTN_LOCAL, "local" },		{ RTN_BROADCAST, "broadcast" },
	{ RTN_ANYCAST, "anycast" },	{ RTN_MULTICAST, "multicast" },
	{ RTN_BLACKHOLE, "blackhole" }, { RTN_UNREACHABLE, "unreachable" },
};

static const char *find(const struct name *v, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].value == value)
			return v[i].name;
	return NULL;
}
#define FIND(table, value) find(table, ARRAY_LEN(table), value)

const char *nl_type_name(uint16_t type)
{
	return FIND(types, type);
}

static void add_name(struct str *s, const char *what, const char *name, uint32_t value)
{
	if (name)
		str_addf(s, " %s %s", what, name);
	else
		str_addf(s, " %s %u", what, value);
}
#define ADD_NAME(s, what, table, value) add_name(s, what, FIND(table, value), value)

/* Returns the bits that had no name. */
static uint32_t add_bits(struct str *s, const struct name *v, size_t n, uint32_t bits)
{
	for (size_t i = 0; i < n; i++)
		if (bits & v[i].value) {
			str_addf(s, " %s", v[i].name);
			bits &= ~v[i].value;
		}
	return bits;
}

static void add_flags(struct str *s, const struct name *v, size_t n, uint32_t bits)
{
	bits = add_bits(s, v, n, bits);
	if (bits)
		str_addf(s, " 0x%x", bits);
}
#define ADD_FLAGS(s, table, bits) add_flags(s, table, ARRAY_LEN(table), bits)

/* ---- attributes with names */

enum form {
	AS_BYTES,
	AS_TEXT,
	AS_NUMBER,
	AS_IP,
	AS_MAC,
	AS_ADDR_FLAGS,
	AS_NEST,
	AS_LINK,
	AS_KIND_DATA
};

struct attr_table;
struct attr_name {
	const char *name;
	enum form form;
	const struct attr_table *sub;
};
struct attr_table {
	const struct attr_name *v;
	size_t n;
};

#define BYTES(a) [a] = { #a, AS_BYTES, NULL }
#define TEXT(a) [a] = { #a, AS_TEXT, NULL }
#define NUMBER(a) [a] = { #a, AS_NUMBER, NULL }
#define IP(a) [a] = { #a, AS_IP, NULL }
#define MAC(a) [a] = { #a, AS_MAC, NULL }
#define NEST(a, t) [a] = { #a, AS_NEST, &(t) }
#define TABLE(t) static const struct attr_table t##_table = { t, ARRAY_LEN(t) }

static const struct attr_name inet6_attrs[] = { BYTES(IFLA_INET6_FLAGS), BYTES(IFLA_INET6_CONF),
						NUMBER(IFLA_INET6_ADDR_GEN_MODE),
						BYTES(IFLA_INET6_TOKEN) };
TABLE(inet6_attrs);
/* the number is linux/ip.h's, which cannot stand beside netinet/in.h */
static const struct attr_name devconf[] = { [22] = { "IPV4_DEVCONF_ARP_NOTIFY", AS_NUMBER, NULL } };
TABLE(devconf);
static const struct attr_name inet_attrs[] = { NEST(IFLA_INET_CONF, devconf_table) };
TABLE(inet_attrs);
static const struct attr_name af_spec[] = { NEST(AF_INET, inet_attrs_table),
					    NEST(AF_INET6, inet6_attrs_table) };
TABLE(af_spec);
static const struct attr_name brport[] = {
	NUMBER(IFLA_BRPORT_STATE),	   NUMBER(IFLA_BRPORT_PRIORITY),
	NUMBER(IFLA_BRPORT_COST),	   NUMBER(IFLA_BRPORT_MODE),
	NUMBER(IFLA_BRPORT_GUARD),	   NUMBER(IFLA_BRPORT_PROTECT),
	NUMBER(IFLA_BRPORT_FAST_LEAVE),	   NUMBER(IFLA_BRPORT_LEARNING),
	NUMBER(IFLA_BRPORT_UNICAST_FLOOD), NUMBER(IFLA_BRPORT_ISOLATED)
};
TABLE(brport);
static const struct attr_name bridge[] = {
	NUMBER(IFLA_BR_FORWARD_DELAY),	  NUMBER(IFLA_BR_HELLO_TIME),
	NUMBER(IFLA_BR_MAX_AGE),	  NUMBER(IFLA_BR_AGEING_TIME),
	NUMBER(IFLA_BR_STP_STATE),	  NUMBER(IFLA_BR_PRIORITY),
	NUMBER(IFLA_BR_VLAN_FILTERING),	  NUMBER(IFLA_BR_MCAST_SNOOPING),
	NUMBER(IFLA_BR_VLAN_DEFAULT_PVID)
};
TABLE(bridge);
static const struct attr_name veth[] = { [VETH_INFO_PEER] = { "VETH_INFO_PEER", AS_LINK, NULL } };
TABLE(veth);
static const struct attr_name link_info[] = {
	TEXT(IFLA_INFO_KIND),
	[IFLA_INFO_DATA] = { "IFLA_INFO_DATA", AS_KIND_DATA, NULL },
	BYTES(IFLA_INFO_XSTATS),
	TEXT(IFLA_INFO_SLAVE_KIND),
	NEST(IFLA_INFO_SLAVE_DATA, brport_table),
};
TABLE(link_info);
static const struct attr_name link_attrs[] = { MAC(IFLA_ADDRESS),
					       MAC(IFLA_BROADCAST),
					       TEXT(IFLA_IFNAME),
					       NUMBER(IFLA_MTU),
					       NUMBER(IFLA_LINK),
					       TEXT(IFLA_QDISC),
					       NUMBER(IFLA_MASTER),
					       NUMBER(IFLA_TXQLEN),
					       NUMBER(IFLA_OPERSTATE),
					       NUMBER(IFLA_LINKMODE),
					       NEST(IFLA_LINKINFO, link_info_table),
					       NUMBER(IFLA_NET_NS_PID),
					       TEXT(IFLA_IFALIAS),
					       NEST(IFLA_AF_SPEC, af_spec_table),
					       NUMBER(IFLA_GROUP),
					       NUMBER(IFLA_NET_NS_FD),
					       NUMBER(IFLA_EXT_MASK),
					       NUMBER(IFLA_PROMISCUITY),
					       NUMBER(IFLA_NUM_TX_QUEUES),
					       NUMBER(IFLA_NUM_RX_QUEUES),
					       NUMBER(IFLA_CARRIER),
					       NUMBER(IFLA_LINK_NETNSID),
					       NUMBER(IFLA_TARGET_NETNSID),
					       NUMBER(IFLA_MIN_MTU),
					       NUMBER(IFLA_MAX_MTU),
					       TEXT(IFLA_ALT_IFNAME),
					       BYTES(IFLA_STATS64) };
TABLE(link_attrs);
static const struct attr_name addr_attrs[] = {
	IP(IFA_ADDRESS),
	IP(IFA_LOCAL),
	TEXT(IFA_LABEL),
	IP(IFA_BROADCAST),
	IP(IFA_ANYCAST),
	BYTES(IFA_CACHEINFO),
	[IFA_FLAGS] = { "IFA_FLAGS", AS_ADDR_FLAGS, NULL },
	NUMBER(IFA_RT_PRIORITY),
};
TABLE(addr_attrs);
static const struct attr_name metrics[] = { NUMBER(RTAX_MTU), NUMBER(RTAX_ADVMSS),
					    NUMBER(RTAX_HOPLIMIT), NUMBER(RTAX_INITCWND) };
TABLE(metrics);
static const struct attr_name route_attrs[] = {
	IP(RTA_DST),	      IP(RTA_SRC),
	NUMBER(RTA_IIF),      NUMBER(RTA_OIF),
	IP(RTA_GATEWAY),      NUMBER(RTA_PRIORITY),
	IP(RTA_PREFSRC),      NEST(RTA_METRICS, metrics_table),
	BYTES(RTA_MULTIPATH), BYTES(RTA_CACHEINFO),
	NUMBER(RTA_TABLE),    NUMBER(RTA_PREF)
};
TABLE(route_attrs);

static const struct {
	const char *kind;
	const struct attr_table *data;
} kinds[] = {
	{ "veth", &veth_table },
	{ "bridge", &bridge_table },
};

/* ---- printing */

struct printer {
	struct str *s;
	bool lines;
	int depth;
	char kind[16]; /* of the link whose data comes next */
};

static void open_line(struct printer *p)
{
	for (int i = 0; p->lines && i < p->depth; i++)
		str_add(p->s, "  ");
	if (!p->lines)
		str_addc(p->s, ' ');
}

static void close_line(struct printer *p)
{
	if (p->lines)
		str_addc(p->s, '\n');
}

static void add_bytes(struct str *s, const void *data, size_t len)
{
	const uint8_t *b = data;

	str_addc(s, ' ');
	for (size_t i = 0; i < len && i < BYTES_SHOWN; i++)
		str_addf(s, "%02x", b[i]);
	if (len > BYTES_SHOWN)
		str_addf(s, "... (%zu bytes)", len);
	else if (!len)
		str_add(s, "(empty)");
}

static bool add_number(struct str *s, const void *data, size_t len)
{
	uint8_t b;
	uint16_t h;
	uint32_t w;

	if (len == sizeof b)
		str_addf(s, " %u", *(const uint8_t *)data);
	else if (len == sizeof h)
		memcpy(&h, data, sizeof h), str_addf(s, " %u", h);
	else if (len == sizeof w)
		memcpy(&w, data, sizeof w), str_addf(s, " %u", w);
	else
		return false;
	return true;
}

static void add_text(struct str *s, const char *t, size_t len)
{
	str_add(s, " \"");
	for (size_t i = 0; i < len && t[i]; i++) {
		if ((unsigned char)t[i] < ' ' || t[i] == '"' || t[i] == '\\')
			str_addf(s, "\\x%02x", (unsigned char)t[i]);
		else
			str_addc(s, t[i]);
	}
	str_addc(s, '"');
}

static void add_ip(struct str *s, const void *data, size_t len)
{
	struct ip_addr a = { .family = len == 4 ? AF_INET : AF_INET6 };
	char text[IP_TEXT_MAX];

	memcpy(a.b, data, len);
	str_addf(s, " %s", ip_text(&a, text));
}

static void add_mac(struct str *s, const void *data)
{
	struct mac m = { .set = true };
	char text[MAC_TEXT_MAX];

	memcpy(m.b, data, sizeof m.b);
	str_addf(s, " %s", mac_text(&m, text));
}

static void link_header(struct str *s, const void *data)
{
	struct ifinfomsg i;

	memcpy(&i, data, sizeof i);
	ADD_NAME(s, "family", families, i.ifi_family);
	str_addf(s, " index %d", i.ifi_index);
	if (i.ifi_type)
		str_addf(s, " type %u", i.ifi_type);
	if (i.ifi_flags) {
		str_add(s, " flags");
		ADD_FLAGS(s, link_flags, i.ifi_flags);
	}
	if (i.ifi_change) {
		str_add(s, " change");
		ADD_FLAGS(s, link_flags, i.ifi_change);
	}
}

static void print_attrs(struct printer *p, const char *data, size_t len,
			const struct attr_table *t);

static void print_nest(struct printer *p, const char *data, size_t len, const struct attr_table *t)
{
	if (!p->lines)
		str_add(p->s, " {");
	close_line(p);
	if (++p->depth <= NEST_MAX)
		print_attrs(p, data, len, t);
	p->depth--;
	if (!p->lines)
		str_add(p->s, " }");
}

static const struct attr_table *data_of_kind(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].data;
	return NULL;
}

/* The attributes that hold others; false when this one does not. */
static bool print_holder(struct printer *p, const struct attr_name *n, const char *data, size_t len)
{
	const struct attr_table *t = n->form == AS_KIND_DATA ? data_of_kind(p->kind) : n->sub;
	const size_t head = sizeof(struct ifinfomsg);

	if (n->form == AS_LINK && len >= head) {
		link_header(p->s, data);
		print_nest(p, data + head, len - head, &link_attrs_table);
		return true;
	}
	if (n->form == AS_LINK || !t)
		return false;
	print_nest(p, data, len, t);
	return true;
}

static bool add_value(struct str *s, enum form form, const void *data, size_t len)
{
	uint32_t flags;

	switch (form) {
	case AS_TEXT:
		add_text(s, data, len);
		return true;
	case AS_NUMBER:
		return add_number(s, data, len);
	case AS_IP:
		if (len != 4 && len != 16)
			return false;
		add_ip(s, data, len);
		return true;
	case AS_MAC:
		if (len != 6)
			return false;
		add_mac(s, data);
		return true;
	case AS_ADDR_FLAGS:
		if (len != sizeof flags)
			return false;
		memcpy(&flags, data, sizeof flags);
		ADD_FLAGS(s, addr_flags, flags);
		return true;
	default:
		return false;
	}
}

static void print_attr(struct printer *p, unsigned type, const char *data, size_t len,
		       const struct attr_table *t)
{
	static const struct attr_name unknown = { NULL, AS_BYTES, NULL };
	const struct attr_name *n = t && type < t->n && t->v[type].name ? &t->v[type] : &unknown;

	open_line(p);
	if (n->name)
		str_add(p->s, n->name);
	else
		str_addf(p->s, "attribute %u", type);
	if (t == &link_info_table && type == IFLA_INFO_KIND)
		(void)str_copyf(p->kind, sizeof p->kind, "%.*s", (int)strnlen(data, len), data);
	if (n->form >= AS_NEST && print_holder(p, n, data, len))
		return;
	if (!add_value(p->s, n->form, data, len))
		add_bytes(p->s, data, len);
	close_line(p);
}

static void print_attrs(struct printer *p, const char *data, size_t len, const struct attr_table *t)
{
	while (len) {
		struct nlattr a = { 0 };

		if (len >= NLA_HDRLEN)
			memcpy(&a, data, sizeof a);
		if (a.nla_len < NLA_HDRLEN || a.nla_len > len) {
			open_line(p);
			str_addf(p->s, "malformed: %zu bytes left", len);
			close_line(p);
			return;
		}
		print_attr(p, a.nla_type & NLA_TYPE_MASK, data + NLA_HDRLEN,
			   a.nla_len - (size_t)NLA_HDRLEN, t);
		size_t step = NLA_ALIGN((size_t)a.nla_len);
		data += step < len ? step : len;
		len -= step < len ? step : len;
	}
}

/* ---- the three kinds of objects */

static void addr_header(struct str *s, const void *data)
{
	struct ifaddrmsg i;

	memcpy(&i, data, sizeof i);
	ADD_NAME(s, "family", families, i.ifa_family);
	str_addf(s, " prefixlen %u", i.ifa_prefixlen);
	ADD_NAME(s, "scope", scopes, i.ifa_scope);
	str_addf(s, " index %u", i.ifa_index);
	if (i.ifa_flags) {
		str_add(s, " flags");
		ADD_FLAGS(s, addr_flags, i.ifa_flags);
	}
}

static void route_header(struct str *s, const void *data)
{
	struct rtmsg r;

	memcpy(&r, data, sizeof r);
	ADD_NAME(s, "family", families, r.rtm_family);
	str_addf(s, " dst-len %u", r.rtm_dst_len);
	if (r.rtm_src_len)
		str_addf(s, " src-len %u", r.rtm_src_len);
	ADD_NAME(s, "table", tables, r.rtm_table);
	ADD_NAME(s, "protocol", protocols, r.rtm_protocol);
	ADD_NAME(s, "scope", scopes, r.rtm_scope);
	ADD_NAME(s, "type", route_types, r.rtm_type);
	if (r.rtm_flags)
		str_addf(s, " flags 0x%x", r.rtm_flags);
}

static const struct object {
	uint16_t first; /* RTM_NEWx; DEL, GET and SET follow */
	size_t size;
	void (*header)(struct str *s, const void *data);
	const struct attr_table *attrs;
} objects[] = {
	{ RTM_NEWLINK, sizeof(struct ifinfomsg), link_header, &link_attrs_table },
	{ RTM_NEWADDR, sizeof(struct ifaddrmsg), addr_header, &addr_attrs_table },
	{ RTM_NEWROUTE, sizeof(struct rtmsg), route_header, &route_attrs_table },
};

static const struct object *object_of(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (objects[i].first == (type & ~3))
			return &objects[i];
	return NULL;
}

static void print_head(struct str *s, const struct nlmsghdr *h)
{
	const char *name = nl_type_name(h->nlmsg_type);
	bool get = h->nlmsg_type >= RTM_BASE && (h->nlmsg_type & 3) == 2;
	uint32_t rest;

	if (name)
		str_add(s, name);
	else if (h->nlmsg_type >= 0x100)
		str_addf(s, "netfilter subsystem %u message %u", h->nlmsg_type >> 8,
			 h->nlmsg_type & 0xff);
	else
		str_addf(s, "message %u", h->nlmsg_type);
	rest = add_bits(s, request_flags, ARRAY_LEN(request_flags), h->nlmsg_flags);
	if (get)
		ADD_FLAGS(s, get_flags, rest);
	else
		ADD_FLAGS(s, new_flags, rest);
}

void nl_print(struct str *s, const struct nlmsghdr *h, bool lines)
{
	struct printer p = { .s = s, .lines = lines, .depth = 1 };
	const struct object *o = object_of(h->nlmsg_type);
	const char *data = (const char *)h + NLMSG_HDRLEN;
	size_t len = h->nlmsg_len < NLMSG_HDRLEN ? 0 : h->nlmsg_len - (size_t)NLMSG_HDRLEN;

	print_head(s, h);
	close_line(&p);
	if (!len)
		return;
	if (lines)
		str_addc(s, ' '); /* what follows begins with a blank of its own */
	if (!o || len < o->size) {
		add_bytes(s, data, len);
		close_line(&p);
		return;
	}
	o->header(s, data);
	close_line(&p);
	print_attrs(&p, data + o->size, len - o->size, o->attrs);
}

void nl_print_all(struct str *s, const void *buf, size_t len)
{
	for (const char *p = buf; len;) {
		struct nlmsghdr h = { 0 };

		if (len >= NLMSG_HDRLEN)
			memcpy(&h, p, sizeof h);
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len) {
			str_addf(s, "malformed: %zu bytes left\n", len);
			return;
		}
		nl_print(s, (const struct nlmsghdr *)(const void *)p, true);
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		p += step < len ? step : len;
		len -= step < len ? step : len;
	}
}
