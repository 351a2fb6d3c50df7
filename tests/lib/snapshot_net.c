// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/snapshot_part.h"

#include "tests/lib/rtnl.h"
#include "tests/lib/snapshot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TORN_MAX 10

/* names by index, for the time of one namespace */
struct names {
	struct name {
		int index;
		char name[IF_NAMESIZE];
	} *v;
	size_t n, cap;
};

struct net {
	struct snap *s;
	struct names names;
};

static const char *name_of(const struct net *n, unsigned index)
{
	for (size_t i = 0; i < n->names.n; i++)
		if (n->names.v[i].index == (int)index)
			return n->names.v[i].name;
	return "?";
}

static const char *addr_text(int family, const struct rtattr *a, char buf[INET6_ADDRSTRLEN])
{
	size_t want = family == AF_INET6 ? 16 : 4;

	if (!a)
		return "-";
	if (RTA_PAYLOAD(a) < want ||
	    !inet_ntop(family == AF_INET6 ? AF_INET6 : AF_INET, RTA_DATA(a), buf, INET6_ADDRSTRLEN))
		return "?";
	return buf;
}

static bool link_local6(const void *addr)
{
	const unsigned char *b = addr;

	return b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

/* ---- links ---- */

static void note_name(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct rtattr *tb[IFLA_IFNAME + 1];
	struct names *n = &((struct net *)arg)->names;

	if (n->n == n->cap) {
		n->cap = n->cap ? n->cap * 2 : 64;
		n->v = realloc(n->v, n->cap * sizeof *n->v);
		if (!n->v)
			abort();
	}
	rtnl_attrs(tb, IFLA_IFNAME, IFLA_RTA(i), IFLA_PAYLOAD(h));
	n->v[n->n].index = i->ifi_index;
	snprintf(n->v[n->n++].name, IF_NAMESIZE, "%s", rtnl_str(tb[IFLA_IFNAME], "?"));
}

static const char *flags_text(unsigned flags, char buf[128])
{
	static const struct {
		unsigned bit;
		const char *name;
	} known[] = {
		{ IFF_UP, "up" },
		{ IFF_NOARP, "noarp" },
		{ IFF_PROMISC, "promisc" },
		{ IFF_ALLMULTI, "allmulti" },
		{ IFF_MULTICAST, "multicast" },
		{ IFF_LOOPBACK, "loopback" },
		{ IFF_POINTOPOINT, "pointopoint" },
	};
	char *p = buf;

	*p = '\0';
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (flags & known[i].bit)
			p += sprintf(p, "%s%s", p == buf ? "" : ",", known[i].name);
	return *buf ? buf : "-";
}

/* Settings of a kind of link, or of a port of it, that one byte or one short word holds. */
struct setting {
	unsigned attr;
	const char *name;
	unsigned usual; /* left out when it reads so */
};

static const struct setting bridge_settings[] = {
	{ IFLA_BR_STP_STATE, "stp", 0 },
	{ IFLA_BR_VLAN_FILTERING, "vlan_filtering", 0 },
	{ IFLA_BR_VLAN_DEFAULT_PVID, "default_pvid", 1 },
	{ IFLA_BR_MCAST_SNOOPING, "mcast_snooping", 1 },
	{ IFLA_BR_NF_CALL_IPTABLES, "nf_call_iptables", 0 },
	{ 0 },
};
static const struct setting port_settings[] = {
	{ IFLA_BRPORT_MODE, "hairpin", 0 },	 { IFLA_BRPORT_GUARD, "guard", 0 },
	{ IFLA_BRPORT_LEARNING, "learning", 1 }, { IFLA_BRPORT_UNICAST_FLOOD, "flood", 1 },
	{ IFLA_BRPORT_ISOLATED, "isolated", 0 }, { 0 },
};

static void settings_text(const struct setting *set, const struct rtattr *data, char *buf,
			  size_t size)
{
	struct rtattr *tb[64];
	size_t len = 0;

	*buf = '\0';
	if (!data)
		return;
	rtnl_attrs(tb, 63, RTA_DATA(data), RTA_PAYLOAD(data));
	for (; set->name; set++) {
		uint16_t v = 0;

		if (!tb[set->attr])
			continue;
		memcpy(&v, RTA_DATA(tb[set->attr]), RTA_PAYLOAD(tb[set->attr]) >= 2 ? 2 : 1);
		if (v != set->usual && len < size)
			len += (size_t)snprintf(buf + len, size - len, " %s=%u", set->name, v);
	}
}

/*
 * Per-link sysctls travel with the link as arrays; what differs from the usual is a fact worth a
 * line.
 */
static const struct setting conf4[] = {
	{ IPV4_DEVCONF_FORWARDING, "forwarding", UINT32_MAX },
	{ IPV4_DEVCONF_RP_FILTER, "rp_filter", 0 },
	{ IPV4_DEVCONF_ROUTE_LOCALNET, "route_localnet", 0 },
	{ IPV4_DEVCONF_ARP_NOTIFY, "arp_notify", 0 },
	{ IPV4_DEVCONF_ARP_IGNORE, "arp_ignore", 0 },
	{ IPV4_DEVCONF_ARP_ANNOUNCE, "arp_announce", 0 },
	{ IPV4_DEVCONF_PROXY_ARP, "proxy_arp", 0 },
	{ IPV4_DEVCONF_ACCEPT_LOCAL, "accept_local", 0 },
	{ IPV4_DEVCONF_ACCEPT_REDIRECTS, "accept_redirects", 1 },
	{ IPV4_DEVCONF_SEND_REDIRECTS, "send_redirects", 1 },
	{ IPV4_DEVCONF_PROMOTE_SECONDARIES, "promote_secondaries", 0 },
	{ 0 },
};
static const struct setting conf6[] = {
	{ DEVCONF_FORWARDING, "forwarding", UINT32_MAX },
	{ DEVCONF_ACCEPT_RA, "accept_ra", 1 },
	{ DEVCONF_AUTOCONF, "autoconf", 1 },
	{ DEVCONF_ACCEPT_DAD, "accept_dad", 1 },
	{ DEVCONF_DAD_TRANSMITS, "dad_transmits", 1 },
	{ DEVCONF_DISABLE_IPV6, "disable_ipv6", 0 },
	{ DEVCONF_PROXY_NDP, "proxy_ndp", 0 },
	{ DEVCONF_KEEP_ADDR_ON_DOWN, "keep_addr_on_down", 0 },
	{ DEVCONF_NDISC_NOTIFY, "ndisc_notify", 0 },
	{ 0 },
};

static void conf_line(struct snap *s, const char *name, const char *family,
		      const struct setting *set, const struct rtattr *array, unsigned first)
{
	char buf[512];
	size_t len = 0;

	for (; array && set->name; set++) {
		unsigned at = (set->attr - first) * 4, v;

		if (at + 4 > RTA_PAYLOAD(array))
			continue;
		memcpy(&v, (char *)RTA_DATA(array) + at, 4);
		if (v != set->usual && len < sizeof buf)
			len += (size_t)snprintf(buf + len, sizeof buf - len, " %s=%d", set->name,
						(int)v);
	}
	if (len)
		snap_line(s, "sysctl %s %s%s", family, name, buf);
}

static void conf_lines(struct snap *s, const char *name, const struct rtattr *spec)
{
	struct rtattr *af[AF_INET6 + 1], *tb[IFLA_INET6_MAX + 1];

	if (!spec)
		return;
	rtnl_attrs(af, AF_INET6, RTA_DATA(spec), RTA_PAYLOAD(spec));
	if (af[AF_INET]) {
		rtnl_attrs(tb, IFLA_INET_MAX, RTA_DATA(af[AF_INET]), RTA_PAYLOAD(af[AF_INET]));
		conf_line(s, name, "ipv4", conf4, tb[IFLA_INET_CONF], 1);
	}
	if (af[AF_INET6]) {
		rtnl_attrs(tb, IFLA_INET6_MAX, RTA_DATA(af[AF_INET6]), RTA_PAYLOAD(af[AF_INET6]));
		conf_line(s, name, "ipv6", conf6, tb[IFLA_INET6_CONF], 0);
		if (tb[IFLA_INET6_ADDR_GEN_MODE] &&
		    *(uint8_t *)RTA_DATA(tb[IFLA_INET6_ADDR_GEN_MODE]) != 0)
			snap_line(s, "sysctl ipv6 %s addr_gen_mode=%u", name,
				  *(uint8_t *)RTA_DATA(tb[IFLA_INET6_ADDR_GEN_MODE]));
	}
}

static void mac_text(const struct rtattr *a, char buf[32])
{
	const unsigned char *m = a ? RTA_DATA(a) : NULL;

	if (m && RTA_PAYLOAD(a) == 6)
		snprintf(buf, 32, " mac=%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
			 m[4], m[5]);
}

static void link_line(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct rtattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1] = { 0 };
	char flags[128], kind_set[256], port_set[256], mac[32] = "", parent[64] = "";
	struct net *n = arg;

	rtnl_attrs(tb, IFLA_MAX, IFLA_RTA(i), IFLA_PAYLOAD(h));
	if (tb[IFLA_LINKINFO])
		rtnl_attrs(info, IFLA_INFO_MAX, RTA_DATA(tb[IFLA_LINKINFO]),
			   RTA_PAYLOAD(tb[IFLA_LINKINFO]));

	const char *name = rtnl_str(tb[IFLA_IFNAME], "?"),
		   *kind = rtnl_str(info[IFLA_INFO_KIND], "-");

	if (n->s->flags & SNAPSHOT_SYSCTL)
		conf_lines(n->s, name, tb[IFLA_AF_SPEC]);
	if (!(n->s->flags & SNAPSHOT_NET))
		return;
	settings_text(bridge_settings, strcmp(kind, "bridge") ? NULL : info[IFLA_INFO_DATA],
		      kind_set, sizeof kind_set);
	settings_text(port_settings,
		      strcmp(rtnl_str(info[IFLA_INFO_SLAVE_KIND], ""), "bridge") ?
			      NULL :
			      info[IFLA_INFO_SLAVE_DATA],
		      port_set, sizeof port_set);
	if (n->s->flags & SNAPSHOT_MAC)
		mac_text(tb[IFLA_ADDRESS], mac);
	if (tb[IFLA_LINK_NETNSID])
		snprintf(parent, sizeof parent, " peer=elsewhere");
	else if (tb[IFLA_LINK] && rtnl_u32(tb[IFLA_LINK], 0))
		snprintf(parent, sizeof parent, " peer=%s", name_of(n, rtnl_u32(tb[IFLA_LINK], 0)));
	snap_line(n->s,
		  "link %s kind=%s master=%s mtu=%u qlen=%u flags=%s qdisc=%s group=%u%s%s%s%s%s%s",
		  name, kind, tb[IFLA_MASTER] ? name_of(n, rtnl_u32(tb[IFLA_MASTER], 0)) : "-",
		  rtnl_u32(tb[IFLA_MTU], 0), rtnl_u32(tb[IFLA_TXQLEN], 0),
		  flags_text(i->ifi_flags, flags), rtnl_str(tb[IFLA_QDISC], "-"),
		  rtnl_u32(tb[IFLA_GROUP], 0), parent, kind_set, port_set, mac,
		  tb[IFLA_IFALIAS] ? " alias=" : "", rtnl_str(tb[IFLA_IFALIAS], ""));
}

/* ---- addresses ---- */

/* Made by the kernel itself for an interface that came up. */
static bool kernel_link_local(int family, const struct rtattr *addr, const struct rtattr *proto)
{
	const unsigned char *b = addr && family == AF_INET6 ? RTA_DATA(addr) : NULL;

	if (!b || !link_local6(b))
		return false;
	return (b[11] == 0xff && b[12] == 0xfe) ||
	       (proto && *(uint8_t *)RTA_DATA(proto) == 2 /* IFAPROT_KERNEL_LL */);
}

static void addr_line(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);
	struct rtattr *tb[16];
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN], cast[INET6_ADDRSTRLEN];
	struct net *n = arg;

	rtnl_attrs(tb, 15, IFA_RTA(i), IFA_PAYLOAD(h));

	const struct rtattr *mine = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	unsigned flags = rtnl_u32(tb[IFA_FLAGS], i->ifa_flags);
	bool pair = tb[IFA_LOCAL] && tb[IFA_ADDRESS] &&
		    memcmp(RTA_DATA(tb[IFA_LOCAL]), RTA_DATA(tb[IFA_ADDRESS]),
			   RTA_PAYLOAD(tb[IFA_LOCAL])) != 0;

	if (kernel_link_local(i->ifa_family, mine, tb[11 /* IFA_PROTO */]))
		return;
	snap_line(n->s, "addr %s %s/%u%s%s brd=%s scope=%u%s%s%s", name_of(n, i->ifa_index),
		  addr_text(i->ifa_family, mine, local), i->ifa_prefixlen, pair ? " peer=" : "",
		  pair ? addr_text(i->ifa_family, tb[IFA_ADDRESS], peer) : "",
		  addr_text(i->ifa_family, tb[IFA_BROADCAST], cast), i->ifa_scope,
		  flags & IFA_F_PERMANENT ? "" : " dynamic",
		  flags & IFA_F_NOPREFIXROUTE ? " noprefixroute" : "",
		  flags & IFA_F_DADFAILED ? " dadfailed" : "");
}

/* ---- routes and rules ---- */

/* Comes and goes with link-local addresses and multicast. */
static bool noise_route(const struct rtmsg *r, const struct rtattr *dst)
{
	const unsigned char *b = dst ? RTA_DATA(dst) : NULL;

	if (r->rtm_flags & RTM_F_CLONED)
		return true;
	if (r->rtm_family != AF_INET6 || !b || RTA_PAYLOAD(dst) < 16)
		return false;
	return b[0] == 0xff || (link_local6(b) && r->rtm_protocol == RTPROT_KERNEL);
}

static size_t metrics_text(const struct rtattr *metrics, char *buf, size_t size)
{
	static const struct setting known[] = {
		{ RTAX_MTU, "mtu", 0 },
		{ RTAX_ADVMSS, "advmss", 0 },
		{ RTAX_WINDOW, "window", 0 },
		{ RTAX_QUICKACK, "quickack", 0 },
		{ 0 },
	};
	struct rtattr *tb[RTAX_MAX + 1];
	size_t len = 0;

	*buf = '\0';
	if (!metrics)
		return 0;
	rtnl_attrs(tb, RTAX_MAX, RTA_DATA(metrics), RTA_PAYLOAD(metrics));
	for (const struct setting *k = known; k->name; k++)
		if (tb[k->attr] && len < size)
			len += (size_t)snprintf(buf + len, size - len, " %s=%u", k->name,
						rtnl_u32(tb[k->attr], 0));
	return len;
}

static void hops_text(const struct net *n, int family, const struct rtattr *multi, char *buf,
		      size_t size)
{
	const struct rtnexthop *hop = multi ? RTA_DATA(multi) : NULL;
	int left = multi ? (int)RTA_PAYLOAD(multi) : 0;
	char gw[INET6_ADDRSTRLEN];
	struct rtattr *tb[RTA_GATEWAY + 1];
	size_t len = 0;

	*buf = '\0';
	for (; hop && RTNH_OK(hop, left) && len < size;
	     left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		rtnl_attrs(tb, RTA_GATEWAY, RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0));
		len += (size_t)snprintf(buf + len, size - len, " hop=%s,%s,%u",
					addr_text(family, tb[RTA_GATEWAY], gw),
					name_of(n, (unsigned)hop->rtnh_ifindex),
					hop->rtnh_hops + 1u);
	}
}

static void route_line(const struct nlmsghdr *h, void *arg)
{
	static const char *const types[] = { "unspec",	 "unicast",   "local",	   "broadcast",
					     "anycast",	 "multicast", "blackhole", "unreachable",
					     "prohibit", "throw",     "nat" };
	const struct rtmsg *r = NLMSG_DATA(h);
	struct rtattr *tb[RTA_MAX + 1];
	char dst[INET6_ADDRSTRLEN], gw[INET6_ADDRSTRLEN], src[INET6_ADDRSTRLEN],
		from[INET6_ADDRSTRLEN];
	char metrics[128], hops[512];
	struct net *n = arg;

	rtnl_attrs(tb, RTA_MAX, RTM_RTA(r), RTM_PAYLOAD(h));
	if ((r->rtm_family != AF_INET && r->rtm_family != AF_INET6) || noise_route(r, tb[RTA_DST]))
		return;
	metrics_text(tb[RTA_METRICS], metrics, sizeof metrics);
	hops_text(n, r->rtm_family, tb[RTA_MULTIPATH], hops, sizeof hops);
	snap_line(n->s,
		  "route %s table=%u %s %s/%u from=%s/%u via=%s dev=%s src=%s prio=%u proto=%u "
		  "scope=%u tos=%u%s%s%s",
		  r->rtm_family == AF_INET ? "ipv4" : "ipv6", rtnl_u32(tb[RTA_TABLE], r->rtm_table),
		  r->rtm_type < sizeof types / sizeof *types ? types[r->rtm_type] : "?",
		  tb[RTA_DST] ? addr_text(r->rtm_family, tb[RTA_DST], dst) : "default",
		  r->rtm_dst_len, addr_text(r->rtm_family, tb[RTA_SRC], from), r->rtm_src_len,
		  addr_text(r->rtm_family, tb[RTA_GATEWAY], gw),
		  tb[RTA_OIF] ? name_of(n, rtnl_u32(tb[RTA_OIF], 0)) : "-",
		  addr_text(r->rtm_family, tb[RTA_PREFSRC], src), rtnl_u32(tb[RTA_PRIORITY], 0),
		  r->rtm_protocol, r->rtm_scope, r->rtm_tos,
		  r->rtm_flags & RTNH_F_ONLINK ? " onlink" : "", metrics, hops);
}

static void rule_line(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *r = NLMSG_DATA(h);
	struct rtattr *tb[FRA_MAX + 1];
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	struct net *n = arg;

	rtnl_attrs(tb, FRA_MAX, (char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof *r),
		   NLMSG_PAYLOAD(h, sizeof *r));
	if (r->family != AF_INET && r->family != AF_INET6)
		return;
	snap_line(n->s,
		  "rule %s prio=%u from=%s/%u to=%s/%u iif=%s oif=%s mark=%#x/%#x action=%u "
		  "table=%u goto=%u invert=%d",
		  r->family == AF_INET ? "ipv4" : "ipv6", rtnl_u32(tb[FRA_PRIORITY], 0),
		  addr_text(r->family, tb[FRA_SRC], src), r->src_len,
		  addr_text(r->family, tb[FRA_DST], dst), r->dst_len,
		  rtnl_str(tb[FRA_IIFNAME], "-"), rtnl_str(tb[FRA_OIFNAME], "-"),
		  rtnl_u32(tb[FRA_FWMARK], 0), rtnl_u32(tb[FRA_FWMASK], 0), r->action,
		  rtnl_u32(tb[FRA_TABLE], r->table), rtnl_u32(tb[FRA_GOTO], 0),
		  !!(r->flags & FIB_RULE_INVERT));
}

/* ---- neighbours and queueing ---- */

static void neigh_line(const struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *d = NLMSG_DATA(h);
	struct rtattr *tb[NDA_MAX + 1];
	char addr[INET6_ADDRSTRLEN];
	struct net *n = arg;
	bool proxy = d->ndm_flags & NTF_PROXY;

	if (!proxy && !(d->ndm_state & NUD_PERMANENT))
		return;
	rtnl_attrs(tb, NDA_MAX, (char *)d + NLMSG_ALIGN(sizeof *d), NLMSG_PAYLOAD(h, sizeof *d));
	if (tb[NDA_DST])
		snap_line(n->s, "neigh %s %s%s", name_of(n, (unsigned)d->ndm_ifindex),
			  addr_text(RTA_PAYLOAD(tb[NDA_DST]) == 16 ? AF_INET6 : AF_INET,
				    tb[NDA_DST], addr),
			  proxy ? " proxy" : " permanent");
}

static void qdisc_line(const struct nlmsghdr *h, void *arg)
{
	const struct tcmsg *t = NLMSG_DATA(h);
	struct rtattr *tb[TCA_KIND + 1];
	struct net *n = arg;

	rtnl_attrs(tb, TCA_KIND, TCA_RTA(t), TCA_PAYLOAD(h));
	if (t->tcm_handle) /* the kernel's own have none */
		snap_line(n->s, "qdisc %s %s handle=%x: parent=%x",
			  name_of(n, (unsigned)t->tcm_ifindex), rtnl_str(tb[TCA_KIND], "?"),
			  t->tcm_handle >> 16, t->tcm_parent);
}

/* ---- all of it ---- */

/* Dumps are repeated while the kernel says that they were torn. */
static void dump(struct net *n, int fd, int type, const void *hdr, size_t len,
		 void (*each)(const struct nlmsghdr *, void *), const char *what)
{
	size_t lines = n->s->n, names = n->names.n;
	int r = -EINTR;

	for (int i = 0; i < TORN_MAX && r == -EINTR; i++) {
		snap_cut(n->s, lines);
		n->names.n = names;
		r = rtnl_dump(fd, type, hdr, len, each, n);
	}
	if (r < 0 && r != -EOPNOTSUPP)
		snap_line(n->s, "%s unreadable: %s", what, strerror(-r));
}

void snap_net(struct snap *s)
{
	struct {
		struct ifinfomsg i;
		struct rtattr a;
		unsigned mask;
	} link = { .a = { RTA_LENGTH(4), IFLA_EXT_MASK }, .mask = RTEXT_FILTER_SKIP_STATS };
	const struct ifaddrmsg addr = { 0 };
	const struct rtmsg v4 = { .rtm_family = AF_INET }, v6 = { .rtm_family = AF_INET6 };
	const struct fib_rule_hdr r4 = { .family = AF_INET }, r6 = { .family = AF_INET6 };
	const struct ndmsg neigh = { 0 }, proxy = { .ndm_flags = NTF_PROXY };
	const struct tcmsg tc = { 0 };
	struct net n = { .s = s };
	int fd = rtnl_open(NETLINK_ROUTE);

	if (fd < 0) {
		snap_line(s, "links unreadable: %s", strerror(-fd));
		return;
	}
	dump(&n, fd, RTM_GETLINK, &link, sizeof link, note_name, "links");
	dump(&n, fd, RTM_GETLINK, &link, sizeof link, link_line, "links");
	if (s->flags & SNAPSHOT_NET) {
		dump(&n, fd, RTM_GETADDR, &addr, sizeof addr, addr_line, "addresses");
		dump(&n, fd, RTM_GETROUTE, &v4, sizeof v4, route_line, "ipv4 routes");
		dump(&n, fd, RTM_GETROUTE, &v6, sizeof v6, route_line, "ipv6 routes");
		dump(&n, fd, RTM_GETRULE, &r4, sizeof r4, rule_line, "ipv4 rules");
		dump(&n, fd, RTM_GETRULE, &r6, sizeof r6, rule_line, "ipv6 rules");
		dump(&n, fd, RTM_GETNEIGH, &neigh, sizeof neigh, neigh_line, "neighbours");
		dump(&n, fd, RTM_GETNEIGH, &proxy, sizeof proxy, neigh_line, "proxy neighbours");
		dump(&n, fd, RTM_GETQDISC, &tc, sizeof tc, qdisc_line, "qdiscs");
	}
	close(fd);
	free(n.names.v);
}
