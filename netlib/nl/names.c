// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/names.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"
#include "netlib/nl/names_attr.h"

#define BYTES_SHOWN 32
#define NEST_MAX 16

/* ---- numbers with names */

static const char *find(const struct names *t, uint32_t value)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].value == value)
			return t->v[i].name;
	return NULL;
}

const char *nl_type_name(uint16_t type)
{
	return find(&nl_types, type);
}

static void add_name(struct str *s, const char *what, const struct names *t, uint32_t value)
{
	const char *name = find(t, value);

	if (name)
		str_addf(s, " %s %s", what, name);
	else
		str_addf(s, " %s %u", what, value);
}

/* Returns the bits that had no name. */
static uint32_t add_bits(struct str *s, const struct names *t, uint32_t bits)
{
	for (size_t i = 0; i < t->n; i++)
		if (bits & t->v[i].value) {
			str_addf(s, " %s", t->v[i].name);
			bits &= ~t->v[i].value;
		}
	return bits;
}

static void add_flags(struct str *s, const struct names *t, uint32_t bits)
{
	bits = add_bits(s, t, bits);
	if (bits)
		str_addf(s, " 0x%x", bits);
}

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
	add_name(s, "family", &nl_families, i.ifi_family);
	str_addf(s, " index %d", i.ifi_index);
	if (i.ifi_type)
		str_addf(s, " type %u", i.ifi_type);
	if (i.ifi_flags) {
		str_add(s, " flags");
		add_flags(s, &nl_link_flags, i.ifi_flags);
	}
	if (i.ifi_change) {
		str_add(s, " change");
		add_flags(s, &nl_link_flags, i.ifi_change);
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

/* The next hops of a route; false when they are malformed. */
static bool print_hops(struct printer *p, const char *data, size_t len)
{
	struct rtnexthop hop;

	for (const char *at = data; at < data + len; at += RTNH_ALIGN(hop.rtnh_len)) {
		size_t left = len - (size_t)(at - data);

		if (left < sizeof hop)
			return false;
		memcpy(&hop, at, sizeof hop);
		if (hop.rtnh_len < sizeof hop || RTNH_ALIGN((size_t)hop.rtnh_len) > left)
			return false;
	}
	for (const char *at = data; at < data + len; at += RTNH_ALIGN(hop.rtnh_len)) {
		memcpy(&hop, at, sizeof hop);
		str_addf(p->s, " index %d weight %u%s", hop.rtnh_ifindex, hop.rtnh_hops + 1,
			 hop.rtnh_flags & RTNH_F_ONLINK ? " onlink" : "");
		print_nest(p, at + sizeof hop, hop.rtnh_len - sizeof hop, &nl_route_attrs);
		if (at + RTNH_ALIGN(hop.rtnh_len) < data + len) {
			open_line(p);
			str_add(p->s, "and");
		}
	}
	return true;
}

/* The attributes that hold others; false when this one does not. */
static bool print_holder(struct printer *p, const struct attr_name *n, const char *data, size_t len)
{
	const struct attr_table *t = n->form == AS_KIND_DATA ? nl_kind_data(p->kind) : n->sub;
	const size_t head = sizeof(struct ifinfomsg);

	if (n->form == AS_LINK && len >= head) {
		link_header(p->s, data);
		print_nest(p, data + head, len - head, &nl_link_attrs);
		return true;
	}
	if (n->form == AS_HOPS)
		return print_hops(p, data, len);
	if (n->form == AS_LINK || !t)
		return false;
	print_nest(p, data, len, t);
	return true;
}

static bool add_value(struct str *s, enum form form, const void *data, size_t len)
{
	struct bridge_vlan_info vlan;
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
		add_flags(s, &nl_addr_flags, flags);
		return true;
	case AS_VLAN:
		if (len != sizeof vlan)
			return false;
		memcpy(&vlan, data, sizeof vlan);
		str_addf(s, " %u", vlan.vid);
		add_flags(s, &nl_vlan_flags, vlan.flags);
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
	if (t == &nl_link_info && type == IFLA_INFO_KIND)
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
	add_name(s, "family", &nl_families, i.ifa_family);
	str_addf(s, " prefixlen %u", i.ifa_prefixlen);
	add_name(s, "scope", &nl_scopes, i.ifa_scope);
	str_addf(s, " index %u", i.ifa_index);
	if (i.ifa_flags) {
		str_add(s, " flags");
		add_flags(s, &nl_addr_flags, i.ifa_flags);
	}
}

static void route_header(struct str *s, const void *data)
{
	struct rtmsg r;

	memcpy(&r, data, sizeof r);
	add_name(s, "family", &nl_families, r.rtm_family);
	str_addf(s, " dst-len %u", r.rtm_dst_len);
	if (r.rtm_src_len)
		str_addf(s, " src-len %u", r.rtm_src_len);
	add_name(s, "table", &nl_tables, r.rtm_table);
	add_name(s, "protocol", &nl_protocols, r.rtm_protocol);
	add_name(s, "scope", &nl_scopes, r.rtm_scope);
	add_name(s, "type", &nl_route_types, r.rtm_type);
	if (r.rtm_flags)
		str_addf(s, " flags 0x%x", r.rtm_flags);
}

static const struct object {
	uint16_t first; /* RTM_NEWx; DEL, GET and SET follow */
	size_t size;
	void (*header)(struct str *s, const void *data);
	const struct attr_table *attrs;
} objects[] = {
	{ RTM_NEWLINK, sizeof(struct ifinfomsg), link_header, &nl_link_attrs },
	{ RTM_NEWADDR, sizeof(struct ifaddrmsg), addr_header, &nl_addr_attrs },
	{ RTM_NEWROUTE, sizeof(struct rtmsg), route_header, &nl_route_attrs },
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
	rest = add_bits(s, &nl_request_flags, h->nlmsg_flags);
	if (get)
		add_flags(s, &nl_get_flags, rest);
	else
		add_flags(s, &nl_new_flags, rest);
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
	/* ports of bridges are links too, with attributes of their own */
	print_attrs(&p, data + o->size, len - o->size,
		    o->attrs == &nl_link_attrs && *data == AF_BRIDGE ? &nl_port_attrs : o->attrs);
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
