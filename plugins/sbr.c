// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sbr: source based routing. Packets that a program sends from one of the interface's addresses
 * take the interface's routes. CNI_SPEC.md "sbr".
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/vec.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_veth.h"
#include "netlib/cni/error.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/route.h"
#include "netlib/net/rule.h"
#include "netlib/txn/verbs.h"

#define TABLE_FIRST 100 /* tables below belong to others, as in the reference */
#define LOCK_MS 10000

static const uint8_t families[] = { AF_INET, AF_INET6 };

struct sbr_conf {
	uint32_t table;
	bool has_table, hints;
	const char **gateways;
	size_t ngateways;
	struct ip_addr gateway[ARRAY_LEN(families)];
};

static const struct field sbr_fields[] = {
	FIELD_U32("table", struct sbr_conf, table, 0, UINT32_MAX),
	FIELD_GIVEN("table", struct sbr_conf, has_table),
	FIELD_STRS("gateways", struct sbr_conf, gateways, ngateways),
	FIELD_BOOL("addSourceHints", struct sbr_conf, hints),
	FIELD_END,
};

static int sbr_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct sbr_conf *c = conf;
	struct ip_addr a;

	if (common_is_removal(op))
		return 0;
	if (c->has_table && !c->table)
		return err_conf(e, "/table", "expected a routing table, 1 or above, got 0");
	if (c->has_table && (c->ngateways || c->hints))
		return err_conf(e, "/table",
				"with a table of its own sbr adds rules only; expected it without "
				"gateways and addSourceHints");
	for (size_t i = 0; i < c->ngateways; i++) {
		if (ip_parse(c->gateways[i], &a) < 0)
			return err_conf(e, "/gateways", "expected IP addresses, got \"%.60s\"",
					c->gateways[i]);
		struct ip_addr *slot = &c->gateway[a.family == AF_INET6];
		if (ip_is_set(slot))
			return err_conf(e, "/gateways",
					"expected at most one of each family, got \"%.60s\" too",
					c->gateways[i]);
		*slot = a;
	}
	return 0;
}

/* ---- deciding */

/* What is known of the container before anything is changed. */
struct view {
	struct cni_op *op;
	uint32_t index;	      /* of the interface */
	struct route *routes; /* its own, in the main table */
	size_t nroutes;
	uint32_t *tables; /* that have a route, or a rule that leads there */
	size_t ntables;
	bool oom;
};

#define cleanup_view __attribute__((cleanup(view_clear)))

static void view_clear(struct view *v)
{
	free(v->routes);
	free(v->tables);
}

static void note_table(struct view *v, uint32_t table)
{
	for (size_t i = 0; i < v->ntables; i++)
		if (v->tables[i] == table)
			return;
	uint32_t *t = vec_add(&v->tables, &v->ntables);
	if (t)
		*t = table;
	v->oom |= !t;
}

static uint32_t next_table(struct view *v)
{
	uint32_t table = TABLE_FIRST;

	for (size_t i = 0; i < v->ntables; i++)
		if (v->tables[i] == table) {
			table++;
			i = (size_t)-1;
		}
	note_table(v, table);
	return table;
}

static bool is_link_local(const struct ip_addr *a)
{
	return a->family == AF_INET6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Addresses of a result that are the interface's: calls fn for each. */
static const struct cni_ip *next_ip(const struct cni_op *op, const struct cni_result *res,
				    size_t *i)
{
	while (*i < res->nips) {
		const struct cni_ip *ip = &res->ips[(*i)++];

		if (common_ip_is_mine(op, res, ip))
			return ip;
	}
	return NULL;
}

static bool is_inside(const struct cni_ip *ip, const struct ip_addr *a)
{
	return ip_is_set(a) && ip_prefix_contains(&ip->address, a);
}

/* Does another address of the interface claim the route by its source or gateway? */
static bool is_claimed(const struct cni_op *op, const struct route *r)
{
	const struct cni_ip *ip;

	for (size_t i = 0; (ip = next_ip(op, &op->res, &i));)
		if (is_inside(ip, &r->src) || is_inside(ip, &r->gw))
			return true;
	return false;
}

/*
 * A route belongs to the address whose subnet its source or its gateway is in, and to all when it
 * is in none: no route gets lost.
 */
static bool belongs(const struct cni_op *op, const struct route *r, const struct cni_ip *ip)
{
	if (r->dst.addr.family != ip->address.addr.family)
		return false;
	return is_inside(ip, &r->src) || is_inside(ip, &r->gw) || !is_claimed(op, r);
}

static struct rule rule_for(const struct ip_addr *from, uint32_t table)
{
	return (struct rule){ .src = { *from, (uint8_t)ip_bits(from) }, .table = table };
}

static struct route default_route(const struct sbr_conf *c, const struct cni_ip *ip, uint32_t oif,
				  uint32_t table)
{
	const struct ip_addr *given = &c->gateway[ip->address.addr.family == AF_INET6];

	return (struct route){
		.dst = { .addr = { .family = ip->address.addr.family } },
		.gw = ip_is_set(given) ? *given : ip->gateway,
		.oif = oif,
		.table = table,
	};
}

/* ---- looking */

static int see_route(const struct route *r, void *arg)
{
	struct view *v = arg;

	note_table(v, r->table);
	if (r->table != RT_TABLE_MAIN || r->oif != v->index || r->type != RTN_UNICAST)
		return 0;
	struct route *slot = vec_add(&v->routes, &v->nroutes);
	if (slot)
		*slot = *r;
	v->oom |= !slot;
	return 0;
}

static int see_rule(const struct rule *r, void *arg)
{
	note_table(arg, r->table);
	return 0;
}

static int look(struct view *v, struct err *e)
{
	struct nl *nl = v->op->cont;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++)
		if ((r = rule_each(nl, families[i], see_rule, v, e)) == 0)
			r = route_each(nl, families[i], see_route, v, e);
	return r == 0 && v->oom ? err_set(e, -ENOMEM, "look at the routes") : r;
}

/* ---- ADD */

static int put(struct cni_op *op, const struct route *r, struct err *e)
{
	int rc = txn_route_add(op->txn, UNDO_CONT, r, e);

	return rc < 0 ? rc : 0; /* the gateway's default route may be there already */
}

/* Copies the interface's routes that belong to an address: with a gateway, or without one. */
static int copy_routes(struct view *v, const struct cni_ip *ip, uint32_t table, bool via,
		       struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < v->nroutes && r == 0; i++) {
		struct route copy = v->routes[i];

		if (ip_is_set(&copy.gw) != via || !belongs(v->op, &copy, ip))
			continue;
		copy.table = table;
		r = put(v->op, &copy, e);
	}
	return r;
}

static int route_address(struct view *v, const struct cni_ip *ip, struct err *e)
{
	uint32_t table = next_table(v);
	struct rule rule = rule_for(&ip->address.addr, table);
	struct route def = default_route(v->op->conf, ip, v->index, table);
	int r = txn_rule_add(v->op->txn, UNDO_CONT, &rule, e);

	/* gateways have to be neighbours when they are named: what needs none comes first */
	if (r < 0 || (r = copy_routes(v, ip, table, false, e)) < 0)
		return r;
	if (ip_is_set(&def.gw) && (r = put(v->op, &def, e)) < 0)
		return r;
	return copy_routes(v, ip, table, true, e);
}

/* The address that packets by this route are to have when the program names none. */
static const struct cni_ip *hint_for(const struct cni_op *op, const struct route *r)
{
	const struct cni_ip *ip, *first = NULL;

	for (size_t i = 0; (ip = next_ip(op, &op->res, &i));) {
		if (ip->address.addr.family != r->dst.addr.family)
			continue;
		if (is_inside(ip, &r->gw))
			return ip;
		first = first ?: ip;
	}
	return first;
}

/*
 * The main table is rid of the interface's routes or, with hints, they tell the source. Link-local
 * ones stay: whoever speaks to a neighbour names the interface. So do those of a family of which
 * prevResult has no address: no rule leads to another table.
 */
static int leave_main(struct view *v, bool via, struct err *e)
{
	const struct sbr_conf *c = v->op->conf;
	int r = 0;

	for (size_t i = 0; i < v->nroutes && r == 0; i++) {
		struct route hinted = v->routes[i];
		const struct cni_ip *ip = hint_for(v->op, &hinted);

		if (!ip || ip_is_set(&hinted.gw) != via || is_link_local(&hinted.dst.addr) ||
		    (c->hints && ip_is_set(&hinted.src)))
			continue;
		if ((r = txn_route_del(v->op->txn, UNDO_CONT, &v->routes[i], e)) < 0 || !c->hints)
			continue;
		hinted.src = ip->address.addr;
		r = put(v->op, &hinted, e);
	}
	return r;
}

static int add_rules_only(struct cni_op *op, struct err *e)
{
	const struct sbr_conf *c = op->conf;
	const struct cni_ip *ip;
	int r = 0;

	for (size_t i = 0; r >= 0 && (ip = next_ip(op, &op->res, &i));) {
		struct rule rule = rule_for(&ip->address.addr, c->table);

		r = txn_rule_add(op->txn, UNDO_CONT, &rule, e);
	}
	return r < 0 ? r : 0;
}

/* The reference takes the same lock, on the namespace's file. */
static int lock(const struct cni_op *op, struct err *e)
{
	return file_lock(op->netns, LOCK_MS, op->env->netns, e);
}

static int sbr_add(struct cni_op *op, struct err *e)
{
	const struct sbr_conf *c = op->conf;
	cleanup_view struct view v = { .op = op };
	const struct cni_ip *ip;
	struct link l;
	size_t first = 0;
	int r;

	if (!next_ip(op, &op->res, &first))
		return err_say(e, -EINVAL, "No IP addresses supplied on interface: %s",
			       op->env->ifname);
	if ((r = link_get(op->cont, op->env->ifname, &l, e)) < 0)
		return err_wrap(e, "Cannot find network interface %s", op->env->ifname), r;
	if ((r = lock(op, e)) < 0)
		return r;
	if (c->has_table)
		return add_rules_only(op, e);
	v.index = l.index;
	if ((r = look(&v, e)) < 0)
		return r;
	for (size_t i = 0; r == 0 && (ip = next_ip(op, &op->res, &i));)
		r = route_address(&v, ip, e);
	if (r < 0 || (r = leave_main(&v, true, e)) < 0)
		return r;
	return leave_main(&v, false, e);
}

/* ---- DEL */

struct address_list {
	struct ip_addr *v;
	size_t n;
	bool oom;
};

static void take(struct address_list *l, const struct ip_addr *a)
{
	struct ip_addr *slot = vec_add(&l->v, &l->n);

	if (slot)
		*slot = *a;
	l->oom |= !slot;
}

static int take_addr(const struct addr *a, void *arg)
{
	take(arg, &a->prefix.addr);
	return 0;
}

static bool has(const struct address_list *l, const struct ip_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (ip_eq(&l->v[i], a))
			return true;
	return false;
}

struct sweep {
	struct address_list mine, all; /* the interface's; everybody's here */
	struct rule *rules;
	size_t nrules;
	struct route *routes; /* those that go with the rules */
	size_t nroutes;
	uint32_t *tables; /* that have a route */
	size_t ntables;
	uint32_t index, keep_table;
	bool orphans; /* the interface is gone, and no prevResult tells its addresses */
	bool oom;
};

static int see_any_route(const struct route *r, void *arg)
{
	struct sweep *s = arg;
	uint32_t *t = vec_add(&s->tables, &s->ntables);

	s->oom |= !t;
	if (t)
		*t = r->table;
	if (r->table < TABLE_FIRST || r->table == RT_TABLE_MAIN || r->table == RT_TABLE_LOCAL ||
	    r->table == s->keep_table || !s->index || r->oif != s->index)
		return 0;
	struct route *slot = vec_add(&s->routes, &s->nroutes);
	if (slot)
		*slot = *r;
	s->oom |= !slot;
	return 0;
}

static bool has_routes(const struct sweep *s, uint32_t table)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (s->tables[i] == table)
			return true;
	return false;
}

/*
 * Rules from the interface's addresses. When the interface is gone, so are its addresses: then
 * those from an address that nobody has here, into a table that leads nowhere.
 */
static int see_old_rule(const struct rule *r, void *arg)
{
	struct sweep *s = arg;
	const struct ip_addr *from = &r->src.addr;
	bool orphan = s->orphans && r->table >= TABLE_FIRST && r->table < RT_TABLE_DEFAULT &&
		      !has(&s->all, from) && !has_routes(s, r->table);

	if (r->src.len != ip_bits(from) || !(has(&s->mine, from) || orphan))
		return 0;
	struct rule *slot = vec_add(&s->rules, &s->nrules);
	if (slot)
		*slot = *r;
	s->oom |= !slot;
	return 0;
}

static int survey(struct cni_op *op, struct sweep *s, struct err *e)
{
	const struct cni_ip *ip;
	struct link l = { 0 };
	int r = link_get(op->cont, op->env->ifname, &l, NULL);

	s->orphans = r == -ENODEV && !op->has_prev;
	if (r == 0 && !common_is_anothers(op, &l)) {
		s->index = l.index;
		if ((r = addr_each(op->cont, 0, l.index, take_addr, &s->mine, e)) < 0)
			return r;
	}
	if ((r = addr_each(op->cont, 0, 0, take_addr, &s->all, e)) < 0)
		return r;
	for (size_t i = 0; op->has_prev && (ip = next_ip(op, &op->prev, &i));)
		/* unless another interface has it by now */
		if (!has(&s->all, &ip->address.addr))
			take(&s->mine, &ip->address.addr);
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if ((r = route_each(op->cont, families[i], see_any_route, s, e)) < 0 ||
		    (r = rule_each(op->cont, families[i], see_old_rule, s, e)) < 0)
			return r;
	return s->oom || s->mine.oom || s->all.oom ? err_set(e, -ENOMEM, "look for rules") : 0;
}

/* The interface's routes in the rules' tables come first: by the rules they are found. */
static int clear(struct cni_op *op, const struct sweep *s, struct err *e)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < s->nrules; i++) {
		struct err one = ERR_INIT;

		for (size_t k = 0; k < s->nroutes; k++)
			if (s->routes[k].table == s->rules[i].table)
				(void)route_del(op->cont, &s->routes[k], NULL);
		if (rule_del(op->cont, &s->rules[i], &one) < 0)
			err_keep_first(&first, &one);
	}
	if (first.no)
		*e = first;
	return -first.no;
}

static int sbr_del(struct cni_op *op, struct err *e)
{
	const struct sbr_conf *c = op->conf;
	struct sweep s = { .keep_table = c->table };
	int r;

	if (!op->cont) /* rules go with their namespace */
		return 0;
	if ((r = lock(op, e)) == 0 && (r = survey(op, &s, e)) == 0)
		r = clear(op, &s, e);
	free(s.mine.v);
	free(s.all.v);
	free(s.rules);
	free(s.routes);
	free(s.tables);
	return r;
}

/* ---- CHECK */

struct find_rule {
	const struct ip_addr *from;
	uint32_t want, found; /* table; want 0 = any */
};

static int is_rule(const struct rule *r, void *arg)
{
	struct find_rule *f = arg;

	if (r->src.len == ip_bits(f->from) && ip_eq(&r->src.addr, f->from) &&
	    (!f->want || f->want == r->table))
		f->found = r->table;
	return f->found != 0;
}

struct find_route {
	const struct route *want;
	bool found, in_main;
};

static int is_route(const struct route *r, void *arg)
{
	struct find_route *f = arg;
	const struct route *w = f->want;

	if (r->oif != w->oif)
		return 0;
	f->found |= r->table == w->table && ip_prefix_eq(&r->dst, &w->dst) && ip_eq(&r->gw, &w->gw);
	f->in_main |=
		r->table == RT_TABLE_MAIN && r->type == RTN_UNICAST && !is_link_local(&r->dst.addr);
	return 0;
}

static int check_address(struct cni_op *op, uint32_t index, const struct cni_ip *ip, struct err *e)
{
	const struct sbr_conf *c = op->conf;
	struct find_rule rule = { .from = &ip->address.addr, .want = c->table };
	char text[IP_TEXT_MAX], gw[IP_TEXT_MAX];
	uint8_t family = ip->address.addr.family;
	int r = rule_each(op->cont, family, is_rule, &rule, e);

	if (r < 0)
		return r;
	if (!rule.found)
		return cni_check_fail(e, "rule from %s: expected one, found none",
				      ip_text(&ip->address.addr, text));
	if (c->has_table)
		return 0;
	struct route want = default_route(c, ip, index, rule.found);
	struct find_route f = { .want = &want };
	if ((r = route_each(op->cont, family, is_route, &f, e)) < 0)
		return r;
	if (ip_is_set(&want.gw) && !f.found)
		return cni_check_fail(e, "table %u: expected a default route by %s, found none",
				      rule.found, ip_text(&want.gw, gw));
	if (f.in_main && !c->hints)
		return cni_check_fail(e,
				      "main table: expected no routes of %s, which sbr moves to "
				      "table %u, found some",
				      op->env->ifname, rule.found);
	return 0;
}

static int sbr_check(struct cni_op *op, struct err *e)
{
	const struct cni_ip *ip;
	struct link l;
	int r = link_get(op->cont, op->env->ifname, &l, e);

	if (r < 0)
		return r == -ENODEV ? cni_check_fail(e, "Cannot find network interface %s",
						     op->env->ifname) :
				      r;
	for (size_t i = 0; r == 0 && (ip = next_ip(op, &op->prev, &i));)
		r = check_address(op, l.index, ip, e);
	return r;
}

static const struct cni_step sbr_steps[] = {
	{ "rules", NULL, sbr_add, sbr_del, sbr_check, NULL, NULL }, { 0 }
};

const struct cni_plugin cni_plugin_sbr = {
	.name = "sbr",
	.about = "routes by source: each address of an interface has its own table",
	.flags = CNI_CHAINED,
	.fields = sbr_fields,
	.conf_size = sizeof(struct sbr_conf),
	.conf_check = sbr_conf_check,
	.steps = sbr_steps,
};
