// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/port.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/net/link.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

struct port_view {
	uint32_t index;
	uint32_t master;
	uint8_t operstate;
	char kind[16], slave_kind[16];
	struct port_state port;
	bool found;
};

static const struct attr_spec brport[] = {
	[IFLA_BRPORT_STATE] = ATTR_U8(struct port_view, port.state),
	[IFLA_BRPORT_MODE] = ATTR_U8(struct port_view, port.hairpin),
	[IFLA_BRPORT_ISOLATED] = ATTR_U8(struct port_view, port.isolated),
};
static const struct attr_spec info[] = {
	[IFLA_INFO_SLAVE_KIND] = ATTR_STR(struct port_view, slave_kind),
	[IFLA_INFO_SLAVE_DATA] = ATTR_NEST(brport),
};
static const struct attr_spec attrs[] = {
	[IFLA_OPERSTATE] = ATTR_U8(struct port_view, operstate),
	[IFLA_MASTER] = ATTR_U32(struct port_view, master),
	[IFLA_LINKINFO] = ATTR_NEST(info),
};

static int take_view(const struct nlmsghdr *h, void *arg)
{
	struct port_view *v = arg;
	const struct ifinfomsg *i = NLMSG_DATA(h);

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *i) ||
	    (uint32_t)i->ifi_index != v->index || i->ifi_family == AF_BRIDGE)
		return 0;
	v->found = true;
	return attr_decode_msg(h, sizeof *i, attrs, v);
}

static int look(struct nl *nl, struct port_view *v, struct err *e)
{
	const struct ifinfomsg one = { .ifi_index = (int)v->index };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &one, sizeof one);
	nlmsg_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int r = nl_get(nl, &m, take_view, v, e);
	return r < 0 ? err_wrap(e, "bridge port %u", v->index), r : 0;
}

int port_get(struct nl *nl, uint32_t index, struct port_state *out, struct err *e)
{
	struct port_view v = { .index = index };
	int r = look(nl, &v, e);

	if (r < 0)
		return r;
	if (!v.master)
		return err_say(e, -ENOENT, "interface %u is not a bridge port", index);
	*out = v.port;
	return 0;
}

int port_isolate(struct nl *nl, uint32_t index, bool isolated, struct err *e)
{
	const struct ifinfomsg one = { .ifi_index = (int)index };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, 0, &one, sizeof one);
	nlmsg_nest(&m, IFLA_LINKINFO) {
		nlmsg_str(&m, IFLA_INFO_SLAVE_KIND, "bridge");
		nlmsg_nest(&m, IFLA_INFO_SLAVE_DATA)
			nlmsg_u8(&m, IFLA_BRPORT_ISOLATED, isolated);
	}
	int r = nl_talk(nl, &m, e);
	return r < 0 ? err_wrap(e, "isolate bridge port %u", index), r : 0;
}

static bool ready(const struct port_view *v)
{
	return v->operstate == IF_OPER_UP && (!v->master || v->port.state == BR_STATE_FORWARDING);
}

/* A port that leaves its bridge is reported as deleted too, in the bridge's family. */
static bool is_gone(const struct nlmsghdr *h, const struct port_view *v)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);

	return h->nlmsg_type == RTM_DELLINK && h->nlmsg_len >= NLMSG_LENGTH(sizeof *i) &&
	       (uint32_t)i->ifi_index == v->index && i->ifi_family != AF_BRIDGE;
}

static int event(const struct nlmsghdr *h, void *arg)
{
	struct port_view *v = arg;

	if (is_gone(h, v))
		return -ENODEV;
	int r = take_view(h, v);

	return r < 0 ? r : ready(v);
}

static int not_up(const struct port_view *v, int timeout_ms, struct err *e)
{
	return err_say(e, -ETIMEDOUT,
		       "%s: interface %u is not up after %d ms "
		       "(operational state %u, port state %u)",
		       v->master ? "bridge port in error state" : "host interface in error state",
		       v->index, timeout_ms, v->operstate, v->port.state);
}

int port_await(struct nl *nl, int netns_fd, uint32_t index, int timeout_ms, struct err *e)
{
	struct port_view v = { .index = index };
	int64_t until = clock_ms() + timeout_ms;
	cleanup_nl struct nl ev = NL_INIT;
	int r = plan_on() ? 0 : look(nl, &v, e);

	if (r < 0 || plan_on() || ready(&v))
		return r;
	if ((r = nl_open(&ev, NETLINK_ROUTE, netns_fd, nl->name, e)) < 0 ||
	    (r = nl_subscribe(&ev, RTNLGRP_LINK, e)) < 0)
		return r;
	/*
	 * between the first look and the subscription it may have become ready, and after events
	 * were lost too: look again, then listen
	 */
	while ((r = look(nl, &v, e)) == 0 && !ready(&v)) {
		int64_t left = until - clock_ms();

		if (left <= 0)
			return not_up(&v, timeout_ms, e);
		r = nl_wait(&ev, (int)left, event, &v, e);
		if (r == -ENODEV)
			return err_say(e, r, "interface %u went away while it was waited for",
				       index);
		if (r != -ETIMEDOUT && r != -ENOBUFS)
			return r;
	}
	return r;
}
