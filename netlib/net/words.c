// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/words.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/str.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"
#include "netlib/nl/names.h"

#define ATTRS_MAX 128

struct message {
	struct str *s;
	const struct nlmsghdr *h;
	const struct nlattr *a[ATTRS_MAX]; /* by type */
	words_name_fn *name;
	void *arg;
};

static void take(const void *data, size_t len, const struct nlattr **out)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload(data, len)
	{
		if (mnl_attr_get_type(attr) < ATTRS_MAX)
			out[mnl_attr_get_type(attr)] = attr;
	}
}

static void take_nest(const struct nlattr *nest, size_t skip, const struct nlattr **out)
{
	if (nest && mnl_attr_get_payload_len(nest) >= skip)
		take((const char *)mnl_attr_get_payload(nest) + skip,
		     mnl_attr_get_payload_len(nest) - skip, out);
}

static void say_name(struct message *m, const char *before, uint32_t index)
{
	const char *name = index ? m->name(index, m->arg) : NULL;

	if (name)
		str_addf(m->s, "%s%s", before, name);
	else
		str_addf(m->s, "%sinterface %u", before, index);
}

static const char *text_of(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(a) : NULL;
}

static void say_ip(struct message *m, const char *before, const struct nlattr *a, int len)
{
	struct ip_addr ip = { .family = mnl_attr_get_payload_len(a) == 4 ? AF_INET : AF_INET6 };
	char text[IP_TEXT_MAX];

	if (mnl_attr_get_payload_len(a) > sizeof ip.b)
		return;
	memcpy(ip.b, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	str_addf(m->s, "%s%s", before, ip_text(&ip, text));
	if (len >= 0)
		str_addf(m->s, "/%d", len);
}

static void say_mac(struct message *m, const struct nlattr *a)
{
	struct mac mac = { .set = true };
	char text[MAC_TEXT_MAX];

	if (!a || mnl_attr_get_payload_len(a) != sizeof mac.b)
		return;
	memcpy(mac.b, mnl_attr_get_payload(a), sizeof mac.b);
	str_addf(m->s, " address %s", mac_text(&mac, text));
}

/* ---- links */

/* What both kinds of message about a link can set. */
static void say_settings(struct message *m)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m->h);
	const struct nlattr *const *a = m->a;

	if (a[IFLA_MASTER])
		say_name(m, " master ", mnl_attr_get_u32(a[IFLA_MASTER]));
	if (a[IFLA_MTU])
		str_addf(m->s, " mtu %u", mnl_attr_get_u32(a[IFLA_MTU]));
	say_mac(m, a[IFLA_ADDRESS]);
	if (a[IFLA_NET_NS_FD] || a[IFLA_NET_NS_PID])
		str_add(m->s, " into the other namespace");
	if (text_of(a[IFLA_IFALIAS]))
		str_addf(m->s, " alias \"%s\"", text_of(a[IFLA_IFALIAS]));
	if (i->ifi_change & IFF_PROMISC)
		str_addf(m->s, " promisc %s", i->ifi_flags & IFF_PROMISC ? "on" : "off");
	if (i->ifi_change & IFF_ALLMULTI)
		str_addf(m->s, " allmulticast %s", i->ifi_flags & IFF_ALLMULTI ? "on" : "off");
	if (i->ifi_change & IFF_UP)
		str_add(m->s, i->ifi_flags & IFF_UP ? " up" : " down");
}

static void say_made(struct message *m)
{
	const struct nlattr *info[ATTRS_MAX] = { 0 }, *data[ATTRS_MAX] = { 0 },
			    *peer[ATTRS_MAX] = { 0 };

	take_nest(m->a[IFLA_LINKINFO], 0, info);
	const char *kind = text_of(info[IFLA_INFO_KIND]), *name = text_of(m->a[IFLA_IFNAME]);
	str_addf(m->s, "link add %s type %s", name ? name : "?", kind ? kind : "?");
	if (kind && !strcmp(kind, "veth")) {
		take_nest(info[IFLA_INFO_DATA], 0, data);
		take_nest(data[VETH_INFO_PEER], MNL_ALIGN(sizeof(struct ifinfomsg)), peer);
		if (text_of(peer[IFLA_IFNAME]))
			str_addf(m->s, " peer %s", text_of(peer[IFLA_IFNAME]));
		if (peer[IFLA_NET_NS_FD])
			str_add(m->s, " in the other namespace");
	}
	if (m->a[IFLA_LINK])
		say_name(m, " link ", mnl_attr_get_u32(m->a[IFLA_LINK]));
	say_settings(m);
}

static void say_link(struct message *m)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m->h);
	const char *name = text_of(m->a[IFLA_IFNAME]);

	if (i->ifi_family == AF_BRIDGE) { /* about its VLANs, not about the link */
		say_name(m, "bridge port ", (uint32_t)i->ifi_index);
		str_add(m->s, ": ");
		nl_print(m->s, m->h, false);
		return;
	}
	if (m->h->nlmsg_type == RTM_NEWLINK && m->h->nlmsg_flags & NLM_F_CREATE) {
		say_made(m);
		return;
	}
	str_add(m->s, m->h->nlmsg_type == RTM_DELLINK ? "link del " : "link set ");
	if (i->ifi_index)
		say_name(m, "", (uint32_t)i->ifi_index);
	else
		str_add(m->s, name ? name : "?");
	if (i->ifi_index && name)
		str_addf(m->s, " name %s", name);
	size_t before = m->s->len;
	if (m->h->nlmsg_type != RTM_DELLINK)
		say_settings(m);
	if (m->s->len != before || name || m->h->nlmsg_type == RTM_DELLINK)
		return;
	str_add(m->s, ": ");
	nl_print(m->s, m->h, false);
}

/* ---- addresses and routes */

static void say_addr(struct message *m)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(m->h);
	const struct nlattr *a = m->a[IFA_LOCAL] ? m->a[IFA_LOCAL] : m->a[IFA_ADDRESS];

	str_addf(m->s, "addr %s", m->h->nlmsg_type == RTM_NEWADDR ? "add" : "del");
	if (a)
		say_ip(m, " ", a, i->ifa_prefixlen);
	say_name(m, " dev ", i->ifa_index);
}

static void say_route(struct message *m)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(m->h);

	str_addf(m->s, "route %s", m->h->nlmsg_type == RTM_NEWROUTE ? "add" : "del");
	if (m->a[RTA_DST])
		say_ip(m, " ", m->a[RTA_DST], rt->rtm_dst_len);
	else
		str_add(m->s, rt->rtm_family == AF_INET6 ? " default6" : " default");
	if (m->a[RTA_GATEWAY])
		say_ip(m, " via ", m->a[RTA_GATEWAY], -1);
	if (m->a[RTA_OIF])
		say_name(m, " dev ", mnl_attr_get_u32(m->a[RTA_OIF]));
	if (m->a[RTA_PREFSRC])
		say_ip(m, " src ", m->a[RTA_PREFSRC], -1);
	if (m->a[RTA_PRIORITY])
		str_addf(m->s, " metric %u", mnl_attr_get_u32(m->a[RTA_PRIORITY]));
	if (m->a[RTA_TABLE])
		str_addf(m->s, " table %u", mnl_attr_get_u32(m->a[RTA_TABLE]));
}

/* ---- rules and queues */

static void say_rule(struct message *m)
{
	const struct fib_rule_hdr *f = mnl_nlmsg_get_payload(m->h);

	str_addf(m->s, "rule %s", m->h->nlmsg_type == RTM_NEWRULE ? "add" : "del");
	if (m->a[FRA_PRIORITY])
		str_addf(m->s, " priority %u", mnl_attr_get_u32(m->a[FRA_PRIORITY]));
	if (m->a[FRA_SRC])
		say_ip(m, " from ", m->a[FRA_SRC], f->src_len);
	if (m->a[FRA_DST])
		say_ip(m, " to ", m->a[FRA_DST], f->dst_len);
	if (text_of(m->a[FRA_IIFNAME]))
		str_addf(m->s, " iif %s", text_of(m->a[FRA_IIFNAME]));
	if (text_of(m->a[FRA_OIFNAME]))
		str_addf(m->s, " oif %s", text_of(m->a[FRA_OIFNAME]));
	str_addf(m->s, " table %u", m->a[FRA_TABLE] ? mnl_attr_get_u32(m->a[FRA_TABLE]) : f->table);
}

static void say_queue(struct message *m)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(m->h);
	uint16_t type = m->h->nlmsg_type;
	const char *kind = text_of(m->a[TCA_KIND]);

	str_addf(m->s, "%s %s",
		 type == RTM_NEWTFILTER || type == RTM_DELTFILTER ? "filter" : "qdisc",
		 type == RTM_NEWQDISC || type == RTM_NEWTFILTER ? "add" : "del");
	say_name(m, " dev ", (uint32_t)t->tcm_ifindex);
	if (t->tcm_parent == TC_H_ROOT)
		str_add(m->s, " root");
	if (kind)
		str_addf(m->s, " %s", kind);
}

static const struct {
	uint16_t type;
	size_t header;
	void (*say)(struct message *m);
} sayings[] = {
	{ RTM_NEWLINK, sizeof(struct ifinfomsg), say_link },
	{ RTM_SETLINK, sizeof(struct ifinfomsg), say_link },
	{ RTM_DELLINK, sizeof(struct ifinfomsg), say_link },
	{ RTM_NEWADDR, sizeof(struct ifaddrmsg), say_addr },
	{ RTM_DELADDR, sizeof(struct ifaddrmsg), say_addr },
	{ RTM_NEWROUTE, sizeof(struct rtmsg), say_route },
	{ RTM_DELROUTE, sizeof(struct rtmsg), say_route },
	{ RTM_NEWRULE, sizeof(struct fib_rule_hdr), say_rule },
	{ RTM_DELRULE, sizeof(struct fib_rule_hdr), say_rule },
	{ RTM_NEWQDISC, sizeof(struct tcmsg), say_queue },
	{ RTM_DELQDISC, sizeof(struct tcmsg), say_queue },
	{ RTM_NEWTFILTER, sizeof(struct tcmsg), say_queue },
	{ RTM_DELTFILTER, sizeof(struct tcmsg), say_queue },
};

void words_print(struct str *s, const struct nlmsghdr *h, words_name_fn *name, void *arg)
{
	struct message m = { .s = s, .h = h, .name = name, .arg = arg };

	for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++) {
		size_t skip = MNL_NLMSG_HDRLEN + MNL_ALIGN(sayings[i].header);

		if (h->nlmsg_type != sayings[i].type || h->nlmsg_len < skip)
			continue;
		take((const char *)h + skip, h->nlmsg_len - skip, m.a);
		sayings[i].say(&m);
		return;
	}
	nl_print(s, h, false);
}
