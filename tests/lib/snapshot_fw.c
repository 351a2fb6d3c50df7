// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/snapshot_part.h"

#include "tests/lib/rtnl.h"
#include "tests/lib/snapshot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sysctls of the namespace; those of links come with the links ---- */

void snap_sysctl(struct snap *s)
{
	static const char *const names[] = {
		"net/ipv4/ip_forward",
		"net/ipv4/conf/all/route_localnet",
		"net/ipv4/conf/default/route_localnet",
		"net/ipv4/conf/all/rp_filter",
		"net/ipv4/conf/default/rp_filter",
		"net/ipv4/conf/all/arp_notify",
		"net/ipv4/conf/default/arp_notify",
		"net/ipv4/conf/all/accept_local",
		"net/ipv4/conf/default/forwarding",
		"net/ipv4/ip_unprivileged_port_start",
		"net/ipv4/ping_group_range",
		"net/ipv6/conf/all/forwarding",
		"net/ipv6/conf/default/forwarding",
		"net/ipv6/conf/all/accept_ra",
		"net/ipv6/conf/default/accept_ra",
		"net/ipv6/conf/all/disable_ipv6",
		"net/ipv6/conf/default/disable_ipv6",
		"net/ipv6/conf/default/accept_dad",
		"net/ipv6/conf/default/addr_gen_mode",
		"net/bridge/bridge-nf-call-iptables",
		"net/bridge/bridge-nf-call-ip6tables",
		"net/netfilter/nf_conntrack_max",
	};
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "/proc/sys/%s", names[i]);

		char *text = snap_file(path);

		if (text)
			snap_line(s, "sysctl %s=%s", names[i], text);
		free(text);
	}
}

/* ---- nft ---- */

static void note_any(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	*(bool *)arg = true;
}

/* Running nft costs more than all the rest of a snapshot, so only when there is a table. */
static bool nft_has_tables(void)
{
	const struct nfgenmsg any = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 };
	bool found = false;
	int fd = rtnl_open(NETLINK_NETFILTER);

	if (fd < 0)
		return false;
	if (rtnl_dump(fd, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, &any, sizeof any, note_any,
		      &found) == -EINTR)
		found = true;
	close(fd);
	return found;
}

/* "counter packets 3 bytes 180" -> "counter", "... expires 29s" without it */
static void drop_moving(char *line)
{
	char *p;

	while ((p = strstr(line, "counter packets "))) {
		char *from = p + strlen("counter"), *end = from + strlen(" packets ");

		end += strspn(end, "0123456789");
		if (!strncmp(end, " bytes ", 7)) {
			end += 7;
			end += strspn(end, "0123456789");
		}
		memmove(from, end, strlen(end) + 1);
	}
	while ((p = strstr(line, " expires "))) {
		char *end = p + strlen(" expires ");

		end += strcspn(end, " ,}");
		memmove(p, end, strlen(end) + 1);
	}
}

/* Where the listing is: "ip naru", "ip naru chain nat", ... */
struct nft_place {
	char table[256], part[256];
	bool in_elements;
	int depth;
};

/* Elements of a set or map, one line each; commas inside braces or quotes do not part them. */
static void nft_elements(struct snap *s, struct nft_place *at, char *p)
{
	bool quoted = false;
	int depth = 0;
	char *start = p;

	for (;; p++) {
		bool end = *p == '\0' || (*p == '}' && !quoted && depth == 0);

		quoted ^= *p == '"';
		depth += !quoted && *p == '{';
		depth -= !quoted && *p == '}' && depth > 0;
		if (!end && !(*p == ',' && !quoted && depth == 0))
			continue;
		at->in_elements = *p != '}' || depth;
		bool last = *p == '\0' || *p == '}';

		*p = '\0';
		start += strspn(start, " \t");
		if (*start)
			snap_line(s, "nft %s %s element %s", at->table, at->part, start);
		if (last)
			return;
		start = p + 1;
	}
}

static void nft_line(struct snap *s, struct nft_place *at, char *line)
{
	size_t len;

	line += strspn(line, " \t");
	len = strlen(line);
	if (!len || *line == '#')
		return;
	drop_moving(line);
	len = strlen(line);
	if (at->in_elements) {
		nft_elements(s, at, line);
	} else if (!strncmp(line, "elements = {", 12)) {
		nft_elements(s, at, line + 12);
	} else if (line[len - 1] == '{') {
		line[len - 1] = '\0';
		while (len > 1 && line[len - 2] == ' ')
			line[--len - 1] = '\0';
		at->depth++;
		snprintf(at->depth == 1 ? at->table : at->part, sizeof at->table, "%s",
			 !strncmp(line, "table ", 6) ? line + 6 : line);
		snap_line(s, "nft %s%s%s", at->table, at->depth == 1 ? "" : " ",
			  at->depth == 1 ? "" : at->part);
	} else if (!strcmp(line, "}")) {
		at->depth--;
	} else {
		snap_line(s, "nft %s%s%s: %s", at->table, at->depth == 1 ? "" : " ",
			  at->depth == 1 ? "" : at->part, line);
	}
}

static void snap_nft(struct snap *s)
{
	static char nft[] = "/usr/sbin/nft", terse[] = "-sn", list[] = "list",
		    ruleset[] = "ruleset";
	char *const argv[] = { nft, terse, list, ruleset, NULL };
	struct nft_place at = { .depth = 0 };

	if (!nft_has_tables())
		return;

	char *text = snap_program(argv), *rest = text, *line;

	if (!text)
		snap_line(s, "nft unreadable: %s: %s", nft, strerror(errno));
	while ((line = strsep(&rest, "\n")))
		nft_line(s, &at, line);
	free(text);
}

/* ---- legacy iptables ---- */

/*
 * Its tables are made by first use and looking at one makes it, so only those the kernel names are
 * looked at.
 */
static void snap_legacy(struct snap *s, const char *family, const char *names_path,
			const char *program)
{
	char *names = snap_file(names_path), *rest = names, *name;
	char prog[64], opt[] = "-t", table[64];
	char *const argv[] = { prog, opt, table, NULL };

	snprintf(prog, sizeof prog, "%s", program);
	while ((name = strsep(&rest, "\n"))) {
		if (!*name)
			continue;
		snprintf(table, sizeof table, "%s", name);
		snap_line(s, "%s table %s", family, table);

		char *text = snap_program(argv), *lines = text, *line;

		if (!text)
			snap_line(s, "%s %s unreadable: %s: %s", family, table, prog,
				  strerror(errno));
		while ((line = strsep(&lines, "\n"))) {
			if (*line == ':')
				line[strcspn(line, "[")] = '\0'; /* :CHAIN POLICY [packets:bytes] */
			if (*line == ':' || *line == '-')
				snap_line(s, "%s %s %s", family, table, line);
		}
		free(text);
	}
	free(names);
}

void snap_firewall(struct snap *s)
{
	snap_nft(s);
	snap_legacy(s, "iptables", "/proc/net/ip_tables_names", "/usr/sbin/iptables-legacy-save");
	snap_legacy(s, "ip6tables", "/proc/net/ip6_tables_names",
		    "/usr/sbin/ip6tables-legacy-save");
}

/* ---- conntrack ---- */

struct tuple {
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	unsigned proto, sport, dport;
};

static unsigned port_of(const struct rtattr *a)
{
	uint16_t v = 0;

	if (a)
		memcpy(&v, RTA_DATA(a), sizeof v);
	return ntohs(v);
}

static void tuple_get(const struct rtattr *a, struct tuple *t)
{
	struct rtattr *tb[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1] = { 0 },
							       *pr[CTA_PROTO_MAX + 1] = { 0 };

	*t = (struct tuple){ .src = "?", .dst = "?" };
	if (!a)
		return;
	rtnl_attrs(tb, CTA_TUPLE_MAX, RTA_DATA(a), RTA_PAYLOAD(a));
	if (tb[CTA_TUPLE_IP])
		rtnl_attrs(ip, CTA_IP_MAX, RTA_DATA(tb[CTA_TUPLE_IP]),
			   RTA_PAYLOAD(tb[CTA_TUPLE_IP]));
	if (tb[CTA_TUPLE_PROTO])
		rtnl_attrs(pr, CTA_PROTO_MAX, RTA_DATA(tb[CTA_TUPLE_PROTO]),
			   RTA_PAYLOAD(tb[CTA_TUPLE_PROTO]));

	bool v4 = ip[CTA_IP_V4_SRC] && ip[CTA_IP_V4_DST];

	if (v4 || (ip[CTA_IP_V6_SRC] && ip[CTA_IP_V6_DST])) {
		inet_ntop(v4 ? AF_INET : AF_INET6, RTA_DATA(ip[v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC]),
			  t->src, sizeof t->src);
		inet_ntop(v4 ? AF_INET : AF_INET6, RTA_DATA(ip[v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST]),
			  t->dst, sizeof t->dst);
	}
	t->proto = pr[CTA_PROTO_NUM] ? *(uint8_t *)RTA_DATA(pr[CTA_PROTO_NUM]) : 0;
	t->sport = port_of(pr[CTA_PROTO_SRC_PORT]);
	t->dport = port_of(pr[CTA_PROTO_DST_PORT]);
}

static void ct_line(const struct nlmsghdr *h, void *arg)
{
	struct snap *s = arg;
	struct rtattr *tb[CTA_STATUS + 1];
	struct tuple out, back;
	unsigned status;

	rtnl_attrs(tb, CTA_STATUS, (char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct nfgenmsg)),
		   NLMSG_PAYLOAD(h, sizeof(struct nfgenmsg)));
	status = ntohl(rtnl_u32(tb[CTA_STATUS], 0));
	tuple_get(tb[CTA_TUPLE_ORIG], &out);
	tuple_get(tb[CTA_TUPLE_REPLY], &back);
	if (out.proto != IPPROTO_UDP && out.proto != IPPROTO_SCTP)
		return;
	if (status & IPS_DST_NAT || s->flags & SNAPSHOT_CT_ALL)
		snap_line(s, "conntrack %s %s:%u -> %s:%u, back %s:%u -> %s:%u",
			  out.proto == IPPROTO_UDP ? "udp" : "sctp", out.src, out.sport, out.dst,
			  out.dport, back.src, back.sport, back.dst, back.dport);
}

void snap_conntrack(struct snap *s)
{
	const struct nfgenmsg any = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	char *held = snap_file("/proc/sys/net/netfilter/nf_conntrack_count");
	bool none = held && !strcmp(held, "0\n");
	int fd = none ? -1 : rtnl_open(NETLINK_NETFILTER);

	/*
	 * a dump walks the one table that all namespaces share: milliseconds, also when nothing of
	 * it is ours
	 */
	free(held);
	if (fd < 0)
		return;
	(void)rtnl_dump(fd, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, &any, sizeof any,
			ct_line, s);
	close(fd);
}
