// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/stepper_peek.h"

#define NAME_MAX_LEN 40
#define NAMED_MAX 8 /* messages named in one line; the rest is counted */

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* rtnetlink numbers its messages in fours: new, delete, get, set. */
static const char *const rt_verbs[] = { "NEW", "DEL", "GET", "SET" };
static const char *const rt_objects[] = {
	"LINK",	     "ADDR",	"ROUTE",    "NEIGH",	 "RULE",	  "QDISC",    "TCLASS",
	"TFILTER",   "ACTION",	"PREFIX",   "MULTICAST", "ANYCAST",	  "NEIGHTBL", "NDUSEROPT",
	"ADDRLABEL", "DCB",	"NETCONF",  "MDB",	 "NSID",	  "STATS",    "CACHEREPORT",
	"CHAIN",     "NEXTHOP", "LINKPROP", "VLAN",	 "NEXTHOPBUCKET", "TUNNEL",
};

static const char *const nft_names[] = {
	"NEWTABLE",	    "GETTABLE",	     "DELTABLE",
	"NEWCHAIN",	    "GETCHAIN",	     "DELCHAIN",
	"NEWRULE",	    "GETRULE",	     "DELRULE",
	"NEWSET",	    "GETSET",	     "DELSET",
	"NEWSETELEM",	    "GETSETELEM",    "DELSETELEM",
	"NEWGEN",	    "GETGEN",	     "TRACE",
	"NEWOBJ",	    "GETOBJ",	     "DELOBJ",
	"GETOBJ_RESET",	    "NEWFLOWTABLE",  "GETFLOWTABLE",
	"DELFLOWTABLE",	    "GETRULE_RESET", "DESTROYTABLE",
	"DESTROYCHAIN",	    "DESTROYRULE",   "DESTROYSET",
	"DESTROYSETELEM",   "DESTROYOBJ",    "DESTROYFLOWTABLE",
	"GETSETELEM_RESET",
};
static const char *const ct_names[] = {
	"CT_NEW",	    "CT_GET",	    "CT_DELETE",    "CT_GET_CTRZERO",
	"CT_GET_STATS_CPU", "CT_GET_STATS", "CT_GET_DYING", "CT_GET_UNCONFIRMED",
};
static const char *const exp_names[] = { "EXP_NEW", "EXP_GET", "EXP_DELETE", "EXP_GET_STATS_CPU" };
static const char *const ipset_names[] = {
	"IPSET_NONE",	    "IPSET_GET_PROTOCOL", "IPSET_CREATE",     "IPSET_DESTROY",
	"IPSET_FLUSH",	    "IPSET_RENAME",	  "IPSET_SWAP",	      "IPSET_GET_LIST",
	"IPSET_GET_SAVE",   "IPSET_ADD",	  "IPSET_DEL",	      "IPSET_GET_TEST",
	"IPSET_GET_HEADER", "IPSET_GET_TYPE",	  "IPSET_GET_BYNAME", "IPSET_GET_BYINDEX",
};
static const char *const compat_names[] = { "COMPAT_GET" };

static const struct {
	const char *const *names;
	size_t count;
} nf_subsystems[] = {
	[NFNL_SUBSYS_CTNETLINK] = { ct_names, COUNT(ct_names) },
	[NFNL_SUBSYS_CTNETLINK_EXP] = { exp_names, COUNT(exp_names) },
	[NFNL_SUBSYS_IPSET] = { ipset_names, COUNT(ipset_names) },
	[NFNL_SUBSYS_NFTABLES] = { nft_names, COUNT(nft_names) },
	[NFNL_SUBSYS_NFT_COMPAT] = { compat_names, COUNT(compat_names) },
};

static const struct nlattr *attr_find(const void *from, size_t len, int type)
{
	const char *p = from;

	while (len >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < sizeof *a || a->nla_len > len)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return NULL;
}

static const void *attr_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static int attr_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

/* Attributes behind a fixed family header of size hdr. */
static const struct nlattr *msg_attr(const struct nlmsghdr *h, size_t hdr, int type)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(hdr);

	if (h->nlmsg_len < skip)
		return NULL;
	return attr_find((const char *)h + skip, h->nlmsg_len - skip, type);
}

static void show_link(const struct nlmsghdr *h, struct text *t)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	const struct nlattr *name = msg_attr(h, sizeof *i, IFLA_IFNAME);
	const struct nlattr *info = msg_attr(h, sizeof *i, IFLA_LINKINFO);
	const struct nlattr *kind = NULL;

	if (name)
		text_add(t, " %.*s", attr_len(name), (const char *)attr_data(name));
	else if (h->nlmsg_len >= NLMSG_LENGTH(sizeof *i))
		text_add(t, " #%d", i->ifi_index);
	if (info)
		kind = attr_find(attr_data(info), (size_t)attr_len(info), IFLA_INFO_KIND);
	if (kind)
		text_add(t, " (%.*s)", attr_len(kind), (const char *)attr_data(kind));
}

static void show_prefix(const struct nlattr *a, int family, unsigned bits, struct text *t)
{
	char addr[INET6_ADDRSTRLEN] = "?";
	int need = family == AF_INET ? 4 : 16;

	if (a && attr_len(a) >= need)
		inet_ntop(family, attr_data(a), addr, sizeof addr);
	text_add(t, " %s/%u", a ? addr : "default", bits);
}

static void show_addr(const struct nlmsghdr *h, struct text *t)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof *i))
		return;
	const struct nlattr *a = msg_attr(h, sizeof *i, IFA_LOCAL);

	if (!a)
		a = msg_attr(h, sizeof *i, IFA_ADDRESS);
	show_prefix(a, i->ifa_family, i->ifa_prefixlen, t);
}

static void show_route(const struct nlmsghdr *h, struct text *t)
{
	const struct rtmsg *i = NLMSG_DATA(h);

	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof *i))
		show_prefix(msg_attr(h, sizeof *i, RTA_DST), i->rtm_family, i->rtm_dst_len, t);
}

static void (*const rt_show[])(const struct nlmsghdr *h, struct text *t) = { show_link, show_addr,
									     show_route };

static bool rt_message(const struct nlmsghdr *h, char name[NAME_MAX_LEN])
{
	unsigned type = h->nlmsg_type - RTM_BASE;

	if (h->nlmsg_type < RTM_BASE || type / 4 >= COUNT(rt_objects)) {
		snprintf(name, NAME_MAX_LEN, "RTM_%u", h->nlmsg_type);
		return h->nlmsg_type >= RTM_BASE;
	}
	snprintf(name, NAME_MAX_LEN, "RTM_%s%s", rt_verbs[type % 4], rt_objects[type / 4]);
	return type % 4 != 2;
}

static bool nf_message(const struct nlmsghdr *h, char name[NAME_MAX_LEN])
{
	unsigned subsys = NFNL_SUBSYS_ID(h->nlmsg_type), type = NFNL_MSG_TYPE(h->nlmsg_type);

	if (h->nlmsg_type == NFNL_MSG_BATCH_BEGIN || h->nlmsg_type == NFNL_MSG_BATCH_END) {
		snprintf(name, NAME_MAX_LEN, "BATCH_%s",
			 h->nlmsg_type == NFNL_MSG_BATCH_BEGIN ? "BEGIN" : "END");
		return false;
	}
	if (subsys >= COUNT(nf_subsystems) || type >= nf_subsystems[subsys].count) {
		snprintf(name, NAME_MAX_LEN, "NFNL_%u_%u", subsys, type);
		return true;
	}
	snprintf(name, NAME_MAX_LEN, "%s%s", subsys == NFNL_SUBSYS_NFTABLES ? "NFT_" : "",
		 nf_subsystems[subsys].names[type]);
	return !strstr(name, "GET");
}

/* Whether h changes something; its name always. */
static bool message(int protocol, const struct nlmsghdr *h, char name[NAME_MAX_LEN])
{
	if (h->nlmsg_type < NLMSG_MIN_TYPE) {
		snprintf(name, NAME_MAX_LEN, "NLMSG_%u", h->nlmsg_type);
		return false;
	}
	switch (protocol) {
	case NETLINK_ROUTE:
		return rt_message(h, name);
	case NETLINK_NETFILTER:
		return nf_message(h, name);
	case NETLINK_SOCK_DIAG:
		snprintf(name, NAME_MAX_LEN, "DIAG_%u", h->nlmsg_type);
		return h->nlmsg_type == 21; /* SOCK_DESTROY */
	case NETLINK_GENERIC:
		snprintf(name, NAME_MAX_LEN, "GENL_%u", h->nlmsg_type);
		return h->nlmsg_type != NLMSG_MIN_TYPE && /* the family directory */
		       (h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP;
	case NETLINK_AUDIT:
	case NETLINK_KOBJECT_UEVENT:
		snprintf(name, NAME_MAX_LEN, "NL%d_%u", protocol, h->nlmsg_type);
		return false;
	default:
		snprintf(name, NAME_MAX_LEN, "NL%d_%u", protocol, h->nlmsg_type);
		return (h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP;
	}
}

bool netlink_changes(int protocol, const void *buf, size_t len, struct text *t)
{
	char name[NAME_MAX_LEN], last[NAME_MAX_LEN] = "";
	unsigned shown = 0, more = 0;
	const char *p = buf;
	bool changes = false;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)p;

		if (h->nlmsg_len < sizeof *h || h->nlmsg_len > len)
			break;
		changes |= message(protocol, h, name);
		size_t object = (size_t)(h->nlmsg_type - RTM_BASE) / 4;

		if (shown >= NAMED_MAX || (protocol == NETLINK_NETFILTER && !strcmp(name, last))) {
			more++;
		} else {
			text_add(t, "%s%s", shown++ ? ", " : "", name);
			if (protocol == NETLINK_ROUTE && object < COUNT(rt_show))
				rt_show[object](h, t);
		}
		strcpy(last, name);
		if (NLMSG_ALIGN(h->nlmsg_len) >= len)
			break;
		p += NLMSG_ALIGN(h->nlmsg_len);
		len -= NLMSG_ALIGN(h->nlmsg_len);
	}
	if (more)
		text_add(t, " (and %u more)", more);
	return changes;
}
