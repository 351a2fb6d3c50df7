// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/net/overlay.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

const char *route_text(const struct route *r, char *buf)
{
	char dst[IP_TEXT_MAX], gw[IP_TEXT_MAX];

	if (ip_is_set(&r->gw))
		(void)snprintf(buf, ROUTE_TEXT_MAX, "%s via %s", ip_prefix_text(&r->dst, dst),
			       ip_text(&r->gw, gw));
	else
		(void)snprintf(buf, ROUTE_TEXT_MAX, "%s", ip_prefix_text(&r->dst, dst));
	return buf;
}

static void put_route(struct nlmsg *m, uint16_t type, uint16_t flags, const struct route *r)
{
	uint8_t scope = r->has_scope	  ? r->scope :
			ip_is_set(&r->gw) ? RT_SCOPE_UNIVERSE :
					    RT_SCOPE_LINK;
	const struct rtmsg rt = {
		.rtm_family = r->dst.addr.family,
		.rtm_dst_len = r->dst.len,
		.rtm_table = r->table && r->table < 256 ? (uint8_t)r->table :
			     r->table			? RT_TABLE_COMPAT :
							  RT_TABLE_MAIN,
		/* deleting: any, also the kernel's own */
		.rtm_protocol = r->protocol	     ? r->protocol :
				type == RTM_DELROUTE ? RTPROT_UNSPEC :
						       RTPROT_BOOT,
		.rtm_scope = type == RTM_DELROUTE && !r->has_scope ? RT_SCOPE_NOWHERE : scope,
		.rtm_type = r->type ? r->type : RTN_UNICAST,
		.rtm_flags = r->onlink ? RTNH_F_ONLINK : 0,
	};
	struct ip_addr net = ip_network(&r->dst);

	nlmsg_begin(m, type, flags, &rt, sizeof rt);
	if (r->dst.len)
		nlmsg_ip(m, RTA_DST, &net);
	if (ip_is_set(&r->gw))
		nlmsg_ip(m, RTA_GATEWAY, &r->gw);
	if (ip_is_set(&r->src))
		nlmsg_ip(m, RTA_PREFSRC, &r->src);
	if (r->oif)
		nlmsg_u32(m, RTA_OIF, r->oif);
	if (r->table >= 256)
		nlmsg_u32(m, RTA_TABLE, r->table);
	if (r->priority)
		nlmsg_u32(m, RTA_PRIORITY, r->priority);
	if (r->mtu || r->advmss)
		nlmsg_nest(m, RTA_METRICS) {
			if (r->mtu)
				nlmsg_u32(m, RTAX_MTU, r->mtu);
			if (r->advmss)
				nlmsg_u32(m, RTAX_ADVMSS, r->advmss);
		}
}

void route_put(struct nlmsg *m, const struct route *r, bool append)
{
	put_route(m, RTM_NEWROUTE, NLM_F_CREATE | (append ? NLM_F_APPEND : NLM_F_EXCL), r);
}

/* As the kernel's header has it, without a gateway of the message's own. */
void route_put_shared(struct nlmsg *m, const struct route *r, const struct route_hop *hops,
		      size_t n)
{
	struct route whole = *r;

	whole.gw = (struct ip_addr){ 0 };
	whole.oif = 0;
	whole.onlink = false;
	if (!whole.has_scope) { /* what a route with a gateway has */
		whole.scope = RT_SCOPE_UNIVERSE;
		whole.has_scope = true;
	}
	put_route(m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &whole);
	nlmsg_nest(m, RTA_MULTIPATH)
		for (size_t i = 0; i < n; i++) {
			struct rtnexthop hop = { .rtnh_ifindex = (int)r->oif,
						 .rtnh_flags = hops[i].onlink ? RTNH_F_ONLINK : 0 };

			hop.rtnh_len = (uint16_t)(sizeof hop +
						  NLA_ALIGN(NLA_HDRLEN + ip_bytes(&hops[i].gw)));
			nlmsg_raw(m, &hop, sizeof hop);
			nlmsg_ip(m, RTA_GATEWAY, &hops[i].gw);
		}
}

int route_add(struct nl *nl, const struct route *r, struct err *e)
{
	char text[ROUTE_TEXT_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	route_put(&m, r, false);
	int rc = nl_talk_but(nl, &m, -EEXIST, 0, e);
	if (rc == -EEXIST)
		return ROUTE_EXISTS;
	return rc < 0 ?
	       err_wrap(e, "add route %s in the %s namespace", route_text(r, text), nl->name),
	       rc : 0;
}

int route_del(struct nl *nl, const struct route *r, struct err *e)
{
	char text[ROUTE_TEXT_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	put_route(&m, RTM_DELROUTE, 0, r);
	int rc = nl_talk_but(nl, &m, -ESRCH, -ENODEV, e);
	if (rc == -ESRCH || rc == -ENODEV)
		return 0;
	return rc < 0 ?
	       err_wrap(e, "delete route %s in the %s namespace", route_text(r, text), nl->name),
	       rc : 0;
}

struct each {
	int (*fn)(const struct route *r, void *arg);
	void *arg;
};

/*
 * All address attributes have the family's length; the table macros need fixed sizes, so they share
 * this.
 */
static int take_ip(const void *data, size_t len, struct ip_addr *a)
{
	if (len != 4 && len != sizeof a->b)
		return -EBADMSG;
	memcpy(a->b, data, len);
	a->family = len == 4 ? AF_INET : AF_INET6;
	return 0;
}

static int take_dst(const void *data, size_t len, void *obj)
{
	return take_ip(data, len, &((struct route *)obj)->dst.addr);
}

static int take_gw(const void *data, size_t len, void *obj)
{
	return take_ip(data, len, &((struct route *)obj)->gw);
}

static int take_src(const void *data, size_t len, void *obj)
{
	return take_ip(data, len, &((struct route *)obj)->src);
}

static const struct attr_spec metrics[] = {
	[RTAX_MTU] = ATTR_U32(struct route, mtu),
	[RTAX_ADVMSS] = ATTR_U32(struct route, advmss),
};
/* A route as it is being read: next hops, where it has several, are looked at when it is whole. */
struct view {
	struct route r;
	const char *hops;
	size_t len;
};

static int take_hops(const void *data, size_t len, void *obj)
{
	struct view *v = obj;

	v->hops = data;
	v->len = len;
	return 0;
}

static const struct attr_spec attrs[] = {
	[RTA_DST] = ATTR_FN(take_dst),
	[RTA_GATEWAY] = ATTR_FN(take_gw),
	[RTA_PREFSRC] = ATTR_FN(take_src),
	[RTA_OIF] = ATTR_U32(struct route, oif),
	[RTA_TABLE] = ATTR_U32(struct route, table),
	[RTA_PRIORITY] = ATTR_U32(struct route, priority),
	[RTA_METRICS] = ATTR_NEST(metrics),
	[RTA_MULTIPATH] = ATTR_FN(take_hops),
};

/* A route that is shared counts as one for each next hop. */
static int each_hop(const struct view *v, struct each *x)
{
	static const struct attr_spec gateway[] = { [RTA_GATEWAY] = ATTR_FN(take_gw) };
	struct rtnexthop hop;
	int rc = 0;

	for (size_t at = 0; rc == 0 && v->len - at >= sizeof hop;) {
		struct route r = v->r;

		memcpy(&hop, v->hops + at, sizeof hop);
		if (hop.rtnh_len < sizeof hop || hop.rtnh_len > v->len - at)
			return -EBADMSG;
		r.oif = (uint32_t)hop.rtnh_ifindex;
		r.onlink = hop.rtnh_flags & RTNH_F_ONLINK;
		rc = attr_decode_raw(v->hops + at + sizeof hop, hop.rtnh_len - sizeof hop, gateway,
				     sizeof gateway / sizeof *gateway, &r);
		rc = rc < 0 ? rc : x->fn(&r, x->arg);
		size_t step = RTNH_ALIGN((size_t)hop.rtnh_len);
		at += step < v->len - at ? step : v->len - at;
	}
	return rc;
}

static int each_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rt = NLMSG_DATA(h);
	struct each *x = arg;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof *rt))
		return 0;
	struct view v = { .r = {
				  .dst = { .addr = { .family = rt->rtm_family },
					   .len = rt->rtm_dst_len },
				  .table = rt->rtm_table,
				  .scope = rt->rtm_scope,
				  .has_scope = true,
				  .protocol = rt->rtm_protocol,
				  .type = rt->rtm_type,
				  .onlink = rt->rtm_flags & RTNH_F_ONLINK,
			  } };
	int rc = attr_decode_msg(h, sizeof *rt, attrs, &v);
	return rc < 0 ? rc : v.hops ? each_hop(&v, x) : x->fn(&v.r, x->arg);
}

int route_each(struct nl *nl, uint8_t family, int (*fn)(const struct route *r, void *arg),
	       void *arg, struct err *e)
{
	const struct rtmsg rt = { .rtm_family = family };
	struct each x = { fn, arg };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETROUTE, 0, &rt, sizeof rt);
	return nl_dump(nl, &m, each_route, NULL, &x, e);
}

static int keep(const struct route *r, void *arg)
{
	*(struct route *)arg = *r;
	return 0;
}

int route_towards(struct nl *nl, const struct ip_addr *to, uint32_t *oif, struct err *e)
{
	const struct rtmsg rt = { .rtm_family = to->family, .rtm_dst_len = (uint8_t)ip_bits(to) };
	struct route found = { 0 };
	struct each x = { keep, &found };
	struct err why = ERR_INIT;
	char text[IP_TEXT_MAX];
	struct nlmsg m;

	if (plan_on() && (*oif = overlay_towards(nl, to)))
		return 0;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETROUTE, 0, &rt, sizeof rt);
	nlmsg_ip(&m, RTA_DST, to);
	int r = nl_get(nl, &m, each_route, &x, &why);
	/* unreachable, prohibit, blackhole: routes that lead nowhere */
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL)
		return ROUTE_NONE;
	if (r < 0) {
		if (e)
			*e = why;
		return err_wrap(e, "look for the way to %s in the %s namespace", ip_text(to, text),
				nl->name),
		       r;
	}
	if (found.type != RTN_UNICAST || !found.oif)
		return ROUTE_NONE;
	*oif = found.oif;
	return 0;
}
