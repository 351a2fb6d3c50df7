// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/common_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/net/addr.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/verbs.h"

bool common_has_family(const struct cni_result *res, uint8_t family)
{
	for (size_t i = 0; i < res->nips; i++)
		if (res->ips[i].address.addr.family == family)
			return true;
	return false;
}

static int cont_sysctl(struct cni_op *op, const char *ifname, const char *leaf, const char *value,
		       struct err *e)
{
	char name[128];

	(void)snprintf(name, sizeof name, "net/ipv6/conf/%s/%s", ifname, leaf);
	return txn_sysctl(op->txn, UNDO_CONT, name, value, e);
}

/* What an interface needs before it goes up with IPv6 addresses. */
static int prepare_v6(struct cni_op *op, bool dad, struct err *e)
{
	int r;

	if ((r = cont_sysctl(op, "lo", "disable_ipv6", "0", e)) < 0 ||
	    (r = cont_sysctl(op, op->env->ifname, "disable_ipv6", "0", e)) < 0 ||
	    (r = cont_sysctl(op, op->env->ifname, "keep_addr_on_down", "1", e)) < 0)
		return r;
	if (dad && (r = cont_sysctl(op, op->env->ifname, "enhanced_dad", "1", e)) < 0)
		return r;
	return cont_sysctl(op, op->env->ifname, "accept_dad", dad ? "1" : "0", e);
}

/*
 * gw of a route without one: the first gateway of its family, as the reference fills it in; none
 * for a destination that is said to be on the link. Pure.
 */
static struct ip_addr gateway_for(const struct cni_result *res, const struct cni_route *r)
{
	if (ip_is_set(&r->gw) || (r->has_scope && r->scope >= RT_SCOPE_LINK))
		return r->gw;
	for (size_t i = 0; i < res->nips; i++)
		if (res->ips[i].address.addr.family == r->dst.addr.family &&
		    ip_is_set(&res->ips[i].gateway))
			return res->ips[i].gateway;
	return (struct ip_addr){ 0 };
}

static struct route route_for(const struct cni_result *res, const struct cni_route *r,
			      uint32_t index)
{
	return (struct route){
		.dst = r->dst,
		.gw = gateway_for(res, r),
		.oif = index,
		.table = r->has_table ? r->table : 0,
		.priority = r->priority,
		.mtu = r->mtu,
		.advmss = r->advmss,
		.scope = r->scope,
		.has_scope = r->has_scope,
	};
}

/*
 * Without the connected route the kernel accepts only the gateways that have a route of their own.
 * The reference takes the connected route away after it added the others, so that they may name any
 * neighbour; here the same is said outright. Pure.
 */
static bool is_neighbour(const struct cni_result *res, const struct ip_addr *gw)
{
	bool inside = false;

	for (size_t i = 0; i < res->nips; i++) {
		if (ip_eq(&res->ips[i].gateway, gw))
			return false;
		inside |= ip_prefix_contains(&res->ips[i].address, gw);
	}
	return inside;
}

enum likeness { APART, SHARING, SAME };

/* Two routes to one destination through different gateways share it. Pure. */
static enum likeness compare(const struct cni_result *res, size_t i, size_t k)
{
	const struct route a = route_for(res, &res->routes[i], 0),
			   b = route_for(res, &res->routes[k], 0);

	if (!ip_prefix_eq(&a.dst, &b.dst) || a.table != b.table || a.priority != b.priority)
		return APART;
	if (ip_eq(&a.gw, &b.gw))
		return SAME;
	return ip_is_set(&a.gw) && ip_is_set(&b.gw) ? SHARING : APART;
}

/* Is the route told with an earlier one? One said twice is not: the kernel refuses it. Pure. */
static bool is_told(const struct cni_result *res, size_t i)
{
	bool told = false;

	for (size_t k = 0; k < i; k++) {
		enum likeness like = compare(res, i, k);

		if (like == SAME)
			return false;
		told |= like == SHARING;
	}
	return told;
}

/* The route that the n-th message about routes begins with. Pure. */
static size_t route_of_message(const struct cni_result *res, size_t n)
{
	size_t i = 0;

	for (; i + 1 < res->nroutes; i++)
		if (!is_told(res, i) && n-- == 0)
			break;
	return i;
}

/*
 * Which message of the batch failed, in words: two for the interface, the addresses, the extra
 * routes, the routes.
 */
static int batch_failed(struct cni_op *op, unsigned failed, const struct route *extra,
			size_t nextra, int r, struct err *e)
{
	size_t at = failed < 2 ? 0 : failed - 2;
	char text[ROUTE_TEXT_MAX];
	struct route rt;

	if (failed < 2) {
		err_wrap(e, "set up %s in the container", op->env->ifname);
		return r;
	}
	if (at < op->res.nips) {
		err_wrap(e, "add IP addr %s to %s", ip_prefix_text(&op->res.ips[at].address, text),
			 op->env->ifname);
		return r;
	}
	at -= op->res.nips;
	rt = at < nextra ?
		     extra[at] :
		     route_for(&op->res, &op->res.routes[route_of_message(&op->res, at - nextra)],
			       op->cont_index);
	err_wrap(e, "add route %s to %s", route_text(&rt, text), op->env->ifname);
	return r;
}

static uint32_t addr_flags(const struct ip_prefix *p, bool dad)
{
	return p->addr.family == AF_INET6 && !dad ? IFA_F_NODAD : 0;
}

int common_address_add(struct cni_op *op, uint32_t index, bool dad, struct err *e)
{
	return common_address_add_with(op, index, dad, 0, NULL, 0, e);
}

/* Messages to the container, sent as often as the buffer is full. */
struct setup {
	struct nl *nl;
	struct nlmsg m;
	unsigned sent, failed; /* messages before m; the number of the one that was refused */
};

#define MESSAGE_MAX 256 /* an address or a route takes less */
#define HOPS_MAX 64

static int setup_send(struct setup *s, struct err *e)
{
	unsigned at = 0;
	int r = s->m.count || s->m.bad ? nl_talk_at(s->nl, &s->m, &at, e) : 0;

	s->failed = s->sent + at;
	s->sent += s->m.count;
	nlmsg_init(&s->m);
	return r;
}

static int setup_room(struct setup *s, struct err *e)
{
	return NLMSG_SIZE - s->m.len < MESSAGE_MAX ? setup_send(s, e) : 0;
}

/* The gateways of the i-th route and of those told with it; -E2BIG. Pure. */
static int gather(const struct cni_result *res, size_t i, struct route_hop hops[HOPS_MAX])
{
	int n = 0;

	for (size_t k = i; k < res->nroutes; k++) {
		if (k > i && (compare(res, i, k) != SHARING || !is_told(res, k)))
			continue;
		if (n == HOPS_MAX)
			return -E2BIG;
		hops[n++].gw = gateway_for(res, &res->routes[k]);
	}
	return n;
}

/* bare: no route says which gateways are neighbours. */
static int put_route(struct setup *s, const struct cni_op *op, size_t i, bool bare, struct err *e)
{
	const struct cni_result *res = &op->res;
	struct route rt = route_for(res, &res->routes[i], op->cont_index);
	struct route_hop hops[HOPS_MAX] = { 0 };
	int n = gather(res, i, hops), r = 0;

	if (n < 0)
		return err_say(e, n, "more than %d gateways to one destination", HOPS_MAX);
	for (int k = 0; k < n; k++)
		hops[k].onlink = bare && ip_is_set(&hops[k].gw) && is_neighbour(res, &hops[k].gw);
	if (n > 4 && (r = setup_send(s, e)) < 0)
		return r; /* it may need all the room there is */
	rt.onlink = hops[0].onlink;
	if (n == 1)
		route_put(&s->m, &rt, false);
	else
		route_put_shared(&s->m, &rt, hops, (size_t)n);
	return 0;
}

static int put_all(struct setup *s, const struct cni_op *op, bool dad, uint32_t flags,
		   const struct route *extra, size_t nextra, struct err *e)
{
	const struct cni_result *res = &op->res;
	int r = 0;

	for (size_t i = 0; i < res->nips && (r = setup_room(s, e)) == 0; i++)
		addr_put(&s->m, op->cont_index, &res->ips[i].address,
			 flags | addr_flags(&res->ips[i].address, dad));
	for (size_t i = 0; i < nextra && r == 0 && (r = setup_room(s, e)) == 0; i++)
		route_put(&s->m, &extra[i], false);
	for (size_t i = 0; i < res->nroutes && r == 0 && (r = setup_room(s, e)) == 0; i++)
		if (!is_told(res, i))
			r = put_route(s, op, i, flags & IFA_F_NOPREFIXROUTE, e);
	return r;
}

int common_address_add_with(struct cni_op *op, uint32_t index, bool dad, uint32_t flags,
			    const struct route *extra, size_t nextra, struct err *e)
{
	struct setup s = { .nl = op->cont };
	int r;

	op->cont_index = index;
	if (common_has_family(&op->res, AF_INET6) && (r = prepare_v6(op, dad, e)) < 0)
		return r;
	/* addresses and routes go with the interface, which the veth's undo removes */
	if ((r = txn_point(op->txn, "addresses and routes", e)) < 0)
		return r;
	nlmsg_init(&s.m);
	/* neighbours learn a reused address at once */
	link_put_inet_conf(&s.m, index, IPV4_DEVCONF_ARP_NOTIFY, 1);
	link_put_up(&s.m, index);
	if ((r = put_all(&s, op, dad, flags, extra, nextra, e)) == 0)
		r = setup_send(&s, e);
	return r < 0 ? batch_failed(op, s.failed, extra, nextra, r, e) : 0;
}

struct find_addr {
	const struct ip_prefix *p;
	bool found;
};

static int match_addr(const struct addr *a, void *arg)
{
	struct find_addr *f = arg;

	f->found |= ip_prefix_eq(&a->prefix, f->p);
	return f->found;
}

#define MOVED_MAX 8 /* tables that a route is looked for in beside its own */

struct find_route {
	const struct cni_op *op;
	const struct route *want;
	bool found;
	uint32_t moved[MOVED_MAX]; /* other tables that have it */
	size_t nmoved;
};

/* Default routes are compared without the gateway, as the reference does. */
static int match_route(const struct route *r, void *arg)
{
	struct find_route *f = arg;
	const struct route *w = f->want;

	if (r->oif != w->oif || !ip_prefix_eq(&r->dst, &w->dst) ||
	    (w->priority && r->priority != w->priority) ||
	    (!ip_prefix_is_default(&w->dst) && ip_is_set(&w->gw) && !ip_eq(&r->gw, &w->gw)))
		return 0;
	if (r->table == (w->table ? w->table : RT_TABLE_MAIN))
		f->found = true;
	else if (!w->table && f->nmoved < MOVED_MAX)
		f->moved[f->nmoved++] = r->table;
	return f->found;
}

/* Does the rule lead from one of the attachment's addresses to a table that has the route? */
static int leads_there(const struct rule *r, void *arg)
{
	struct find_route *f = arg;
	bool ours = false, there = false;

	for (size_t i = 0; i < f->op->prev.nips; i++)
		ours |= ip_eq(&f->op->prev.ips[i].address.addr, &r->src.addr) &&
			r->src.len == ip_bits(&r->src.addr);
	for (size_t i = 0; i < f->nmoved; i++)
		there |= f->moved[i] == r->table;
	f->found |= ours && there;
	return f->found;
}

/* A route may have been moved by sbr, later in the chain. */
static int find_route(struct cni_op *op, const struct route *want, bool *found, struct err *e)
{
	struct find_route f = { .op = op, .want = want };
	uint8_t family = want->dst.addr.family;
	int r = route_each(op->cont, family, match_route, &f, e);

	if (r == 0 && !f.found && f.nmoved)
		r = rule_each(op->cont, family, leads_there, &f, e);
	*found = f.found;
	return r;
}

int common_container_check(struct cni_op *op, const char *kind, uint32_t mtu,
			   enum common_state state, struct link *l, struct err *e)
{
	const struct cni_iface *want = NULL;
	char a[MAC_TEXT_MAX], b[MAC_TEXT_MAX];
	int r;

	for (size_t i = 0; i < op->prev.nifaces; i++)
		if (op->prev.ifaces[i].sandbox && !strcmp(op->prev.ifaces[i].name, op->env->ifname))
			want = &op->prev.ifaces[i];
	if (!want)
		return cni_check_fail(e, "prevResult has no container interface %s",
				      op->env->ifname);
	if (strcmp(want->sandbox, op->env->netns))
		return cni_check_fail(
			e, "interface %s: expected in sandbox %.150s, CNI_NETNS is %.150s",
			want->name, want->sandbox, op->env->netns);
	if ((r = link_get(op->cont, op->env->ifname, l, e)) < 0)
		return r == -ENODEV ?
			       cni_check_fail(e,
					      "interface %s: expected in the container, found none",
					      want->name) :
			       r;
	if (*kind && strcmp(l->kind, kind))
		return cni_check_fail(e, "interface %s: expected kind %s, found %s", want->name,
				      kind, *l->kind ? l->kind : "none");
	if (state == COMMON_UP && !(l->flags & IFF_UP))
		return cni_check_fail(e, "interface %s in the container: expected up, found down",
				      want->name);
	if (want->mac.set && !mac_eq(&want->mac, &l->mac))
		return cni_check_fail(e, "interface %s: expected MAC %s, found %s", want->name,
				      mac_text(&want->mac, a), mac_text(&l->mac, b));
	if (mtu && l->mtu != mtu)
		return cni_check_fail(e, "interface %s in the container: expected MTU %u, found %u",
				      l->name, mtu, l->mtu);
	return 0;
}

static int check_addr(struct cni_op *op, uint32_t index, const struct ip_prefix *p, struct err *e)
{
	const struct route connected = { .dst = { ip_network(p), p->len }, .oif = index };
	struct find_addr f = { .p = p };
	bool reached = p->len == ip_bits(&p->addr);
	char text[IP_TEXT_MAX];
	int r = addr_each(op->cont, p->addr.family, index, match_addr, &f, e);

	if (r < 0)
		return r;
	if (!f.found)
		return cni_check_fail(e, "interface %s: expected address %s, found it missing",
				      op->env->ifname, ip_prefix_text(p, text));
	if (!reached && (r = find_route(op, &connected, &reached, e)) < 0)
		return r;
	if (!reached)
		return cni_check_fail(
			e, "interface %s: expected a route to its own subnet %s, found it missing",
			op->env->ifname, ip_prefix_text(&connected.dst, text));
	return 0;
}

int common_address_check(struct cni_op *op, const char *kind, uint32_t mtu, struct err *e)
{
	char text[ROUTE_TEXT_MAX];
	struct link l;
	int r = common_container_check(op, kind, mtu, COMMON_UP, &l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < op->prev.nips; i++)
		if (common_ip_is_mine(op, &op->prev, &op->prev.ips[i]) &&
		    (r = check_addr(op, l.index, &op->prev.ips[i].address, e)) < 0)
			return r;
	for (size_t i = 0; i < op->prev.nroutes; i++) {
		struct route want = route_for(&op->prev, &op->prev.routes[i], l.index);
		bool found;

		if ((r = find_route(op, &want, &found, e)) < 0)
			return r;
		if (!found)
			return cni_check_fail(e,
					      "interface %s: expected route %s, found it missing",
					      op->env->ifname, route_text(&want, text));
	}
	return 0;
}

bool common_has_v6(const struct cni_op *op)
{
	return common_has_family(&op->res, AF_INET6);
}

int common_addresses_await(struct cni_op *op, struct err *e)
{
	return addr_await(op->cont, op->netns, op->cont_index, COMMON_SETTLE_MS, e);
}
