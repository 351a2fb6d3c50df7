// SPDX-License-Identifier: GPL-2.0-or-later
/* vrf: puts a container's interface into a VRF with a table of its own. CNI_SPEC.md "vrf". */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/ip/ifname.h"
#include "netlib/net/addr.h"
#include "netlib/net/link_kinds.h"
#include "netlib/net/route.h"
#include "netlib/net/rule.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/txn.h"

/* What an interface loses when it joins or leaves: the kernel sets it down and up again. */
struct belongings {
	struct addr *addrs;
	size_t naddrs;
	struct route *routes;
	size_t nroutes;
	uint32_t index, table; /* whose, and of which table */
	bool oom;
};

struct vrf_conf {
	const char *name;
	uint32_t table; /* 0 = a free one */
	struct link vrf;
	struct belongings had; /* ADD: before it joined */
};

static const struct field vrf_fields[] = {
	FIELD_STR("vrfname", struct vrf_conf, name),
	FIELD_U32("table", struct vrf_conf, table, 0, UINT32_MAX),
	FIELD_END,
};

static void belongings_clear(struct belongings *b)
{
	free(b->addrs);
	free(b->routes);
	*b = (struct belongings){ 0 };
}

static void vrf_conf_clear(void *conf)
{
	belongings_clear(&((struct vrf_conf *)conf)->had);
}

static int vrf_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct vrf_conf *c = conf;

	if (common_is_removal(op))
		return 0;
	if (!c->name || !*c->name)
		return err_conf(e, "/vrfname",
				"configuration is expected to have a valid vrf name");
	const char *problem = ifname_problem(c->name);

	return problem ? err_conf(e, "/vrfname", "interface name \"%.40s\" %s", c->name, problem) :
			 0;
}

/* ---- what goes with the interface */

static int keep_addr(const struct addr *a, void *arg)
{
	struct belongings *b = arg;

	/* link-local ones come back by themselves */
	if (a->scope != RT_SCOPE_UNIVERSE)
		return 0;
	struct addr *slot = vec_add(&b->addrs, &b->naddrs);
	if (slot)
		*slot = *a;
	b->oom |= !slot;
	return 0;
}

/* The kernel's own routes follow the addresses. */
static int keep_route(const struct route *r, void *arg)
{
	struct belongings *b = arg;

	if (r->oif != b->index || r->table != b->table || r->protocol == RTPROT_KERNEL ||
	    r->type != RTN_UNICAST)
		return 0;
	struct route *slot = vec_add(&b->routes, &b->nroutes);
	if (slot)
		*slot = *r;
	b->oom |= !slot;
	return 0;
}

static int collect(struct nl *nl, uint32_t index, uint32_t table, struct belongings *b,
		   struct err *e)
{
	int r;

	b->index = index;
	b->table = table;
	if ((r = addr_each(nl, AF_INET6, index, keep_addr, b, e)) < 0 ||
	    (r = route_each(nl, AF_INET, keep_route, b, e)) < 0 ||
	    (r = route_each(nl, AF_INET6, keep_route, b, e)) < 0)
		return r;
	return b->oom ? err_set(e, -ENOMEM, "note addresses and routes") : 0;
}

static int put_routes(struct nl *nl, const struct belongings *b, uint32_t table, bool gateways,
		      struct err *e)
{
	char text[ROUTE_TEXT_MAX];
	struct nlmsg m;

	for (size_t i = 0; i < b->nroutes; i++) {
		struct route rt = b->routes[i];

		if (ip_is_set(&rt.gw) != gateways)
			continue;
		rt.table = table;
		nlmsg_init(&m);
		route_put(&m, &rt, true);
		int r = nl_talk_but(nl, &m, -EEXIST, 0, e);
		if (r < 0 && r != -EEXIST)
			return err_wrap(e, "put route %s into table %u", route_text(&rt, text),
					table),
			       r;
	}
	return 0;
}

/* Addresses that went, and the routes in their new table: those on the link before the others. */
static int give_back(struct nl *nl, const struct belongings *b, uint32_t table, struct err *e)
{
	int r;

	for (size_t i = 0; i < b->naddrs; i++)
		if ((r = addr_add(nl, b->index, &b->addrs[i].prefix,
				  (b->addrs[i].flags & IFA_F_NOPREFIXROUTE) | IFA_F_NODAD, e)) < 0)
			return r;
	if ((r = put_routes(nl, b, table, false, e)) < 0)
		return r;
	return put_routes(nl, b, table, true, e);
}

/* ---- the VRF */

static int find_vrf(struct cni_op *op, struct link *out, struct err *e)
{
	const struct vrf_conf *c = op->conf;
	int r = link_get(op->cont, c->name, out, e);

	if (r == 0 && strcmp(out->kind, "vrf") != 0)
		return err_code(e, -EEXIST, CNI_E_IN_USE, "Netlink %s is not a VRF", c->name);
	return r;
}

struct members {
	uint32_t vrf;
	size_t n;
};

static int count_member(const struct link *l, void *arg)
{
	struct members *m = arg;

	m->n += l->master == m->vrf;
	return 0;
}

/* Deletes it when nobody is in it any more. */
static int vrf_del_empty(struct nl *nl, const char *name, struct err *e)
{
	struct members m = { 0 };
	struct err one = ERR_INIT;
	struct link l;
	int r = link_get(nl, name, &l, &one);

	if (r == -ENODEV || (r == 0 && strcmp(l.kind, "vrf") != 0))
		return 0;
	if (r < 0) {
		*e = one;
		return r;
	}
	m.vrf = l.index;
	if ((r = link_each(nl, count_member, &m, e)) < 0)
		return r;
	return m.n ? 0 : link_del(nl, l.index, e);
}

static int undo_vrf(const struct undo *u, struct txn *t, struct err *e)
{
	return t->cont ? vrf_del_empty(t->cont, u->name, e) : 0;
}

static const struct undo_op op_vrf_del = { "vrf del", undo_vrf };

struct taken {
	uint32_t table;
	bool yes;
};

static int takes_link(const struct link *l, void *arg)
{
	struct taken *t = arg;

	t->yes |= !strcmp(l->kind, "vrf") && l->value == t->table;
	return t->yes;
}

static int takes_rule(const struct rule *r, void *arg)
{
	struct taken *t = arg;

	t->yes |= r->table == t->table;
	return t->yes;
}

static int takes_route(const struct route *r, void *arg)
{
	struct taken *t = arg;

	t->yes |= r->table == t->table;
	return t->yes;
}

/*
 * The first table from 1 that no VRF uses, as the reference counts, and that is nobody else's: no
 * route stands in it, no rule leads to it.
 */
static int free_table(struct nl *nl, uint32_t *out, struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct taken t = { .yes = true };
	int r;

	while (t.yes && ++t.table < RT_TABLE_DEFAULT) {
		t.yes = false;
		if ((r = link_each(nl, takes_link, &t, e)) < 0)
			return r;
		for (size_t i = 0; i < ARRAY_LEN(families); i++)
			if ((r = route_each(nl, families[i], takes_route, &t, e)) < 0 ||
			    (r = rule_each(nl, families[i], takes_rule, &t, e)) < 0)
				return r;
	}
	if (t.yes)
		return err_code(
			e, -ENOSPC, CNI_E_EXHAUSTED,
			"no free routing table from 1 to %d; choose one with the key \"table\"",
			RT_TABLE_DEFAULT - 1);
	*out = t.table;
	return 0;
}

static int create_vrf(struct cni_op *op, struct err *e)
{
	struct vrf_conf *c = op->conf;
	struct link_child l = { .name = c->name, .kind = "vrf", .netns = -1, .value = c->table };
	int r;

	if (!l.value && (r = free_table(op->cont, &l.value, e)) < 0)
		return r;
	if (!txn_reserve(op->txn, &op_vrf_del, UNDO_CONT, c->name, NULL, NULL, e))
		return -EIO;
	r = link_add_child(op->cont, op->cont, &l, e);
	if (r < 0)
		txn_drop(op->txn);
	/* LINK_EXISTS: another attachment made it just now; the undo spares it while it is used */
	return r < 0 ? r : find_vrf(op, &c->vrf, e);
}

static int vrf_add(struct cni_op *op, struct err *e)
{
	struct vrf_conf *c = op->conf;
	struct err one = ERR_INIT;
	int r = find_vrf(op, &c->vrf, &one);

	if (r == -ENODEV)
		r = create_vrf(op, e);
	else if (r < 0)
		*e = one;
	if (r < 0)
		return r;
	if (c->table && c->vrf.value != c->table)
		return err_code(e, -EEXIST, CNI_E_IN_USE,
				"VRF %s already exist with different routing table %u; expected %u",
				c->name, c->vrf.value, c->table);
	/* shared with the other members; goes with the VRF */
	if ((r = txn_point(op->txn, "set the VRF up", e)) < 0)
		return r;
	return link_up(op->cont, c->vrf.index, e);
}

/* ---- the member */

static int undo_membership(const struct undo *u, struct txn *t, struct err *e)
{
	const struct cni_op *op = t->ctx;
	const struct belongings *had = &((const struct vrf_conf *)op->conf)->had;
	int r = t->cont ? link_set_master(t->cont, u->index, 0, e) : -ENODEV;

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return give_back(t->cont, had, RT_TABLE_MAIN, e);
}

static const struct undo_op op_vrf_leave = { "vrf leave", undo_membership };

static int join_add(struct cni_op *op, struct err *e)
{
	struct vrf_conf *c = op->conf;
	struct link l, master;
	int r = link_get(op->cont, op->env->ifname, &l, e);

	if (r < 0)
		return r == -ENODEV ? err_code(e, r, CNI_E_CONFIG, "could not get link by name %s",
					       op->env->ifname) :
				      r;
	if (l.master) {
		bool known = link_get_index(op->cont, l.master, &master, NULL) == 0;

		return err_code(e, -EBUSY, CNI_E_IN_USE,
				"interface %s has already a master set: %s", l.name,
				known ? master.name : "?");
	}
	op->cont_index = l.index;
	if ((r = collect(op->cont, l.index, RT_TABLE_MAIN, &c->had, e)) < 0)
		return r;
	if (!txn_reserve_at(op->txn, &op_vrf_leave, UNDO_CONT, l.index, l.name, NULL, NULL, e))
		return -EIO;
	if ((r = link_set_master(op->cont, l.index, c->vrf.index, e)) < 0) {
		txn_drop(op->txn);
		return err_wrap(e, "could not set vrf %s as master of %s", c->name, l.name), r;
	}
	if ((r = txn_point(op->txn, "addresses and routes", e)) < 0)
		return r;
	return give_back(op->cont, &c->had, c->vrf.value, e);
}

/* Leaves the VRF with what it has there; the last one takes the VRF away. */
static int join_del(struct cni_op *op, struct err *e)
{
	const struct vrf_conf *c = op->conf;
	struct belongings has = { 0 };
	struct link vrf, l;
	int r;

	if (!op->cont || !c->name || !*c->name || link_get(op->cont, c->name, &vrf, NULL) < 0 ||
	    strcmp(vrf.kind, "vrf") != 0)
		return 0;
	if (link_get(op->cont, op->env->ifname, &l, NULL) == 0 && l.master == vrf.index) {
		r = collect(op->cont, l.index, vrf.value, &has, e);
		if (r == 0 && (r = link_set_master(op->cont, l.index, 0, e)) == 0)
			r = give_back(op->cont, &has, RT_TABLE_MAIN, e);
		belongings_clear(&has);
		if (r < 0 && r != -ENODEV)
			return r;
	}
	return vrf_del_empty(op->cont, c->name, e);
}

/* ---- CHECK, STATUS */

struct find {
	struct route want;
	bool found;
};

static int same_route(const struct route *r, void *arg)
{
	struct find *f = arg;

	f->found |= r->oif == f->want.oif && r->table == f->want.table &&
		    ip_prefix_eq(&r->dst, &f->want.dst);
	return f->found;
}

static int check_routes(struct cni_op *op, const struct link *l, const struct link *vrf,
			struct err *e)
{
	char text[ROUTE_TEXT_MAX];
	int r;

	for (size_t i = 0; i < op->prev.nroutes; i++) {
		const struct cni_route *want = &op->prev.routes[i];
		struct find f = {
			.want = { .dst = want->dst, .oif = l->index, .table = vrf->value },
		};

		if (want->has_table) /* it stands in a table of its own */
			continue;
		if ((r = route_each(op->cont, want->dst.addr.family, same_route, &f, e)) < 0)
			return r;
		if (!f.found)
			return cni_check_fail(e,
					      "VRF %s: expected route %s in its table %u, found it "
					      "missing",
					      vrf->name, route_text(&f.want, text), vrf->value);
	}
	return 0;
}

static int vrf_check(struct cni_op *op, struct err *e)
{
	const struct vrf_conf *c = op->conf;
	struct link vrf, l;
	int r = find_vrf(op, &vrf, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "VRF %s: expected in the container, found none", c->name);
	if (r < 0)
		return r;
	if (c->table && vrf.value != c->table)
		return cni_check_fail(e, "VRF %s: expected table %u, found %u", c->name, c->table,
				      vrf.value);
	r = link_get(op->cont, op->env->ifname, &l, e);
	if (r < 0 && r != -ENODEV)
		return r;
	if (r == -ENODEV || l.master != vrf.index)
		return cni_check_fail(e, "Failed to find %s associated to vrf %s", op->env->ifname,
				      c->name);
	return check_routes(op, &l, &vrf, e);
}

static int vrf_status(struct cni_op *op, struct err *e)
{
	int r = link_kind_ready(op->host, "vrf", e);

	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r;
}

static const struct cni_step vrf_steps[] = {
	{ "vrf", NULL, vrf_add, NULL, NULL, NULL, vrf_status },
	{ "join", NULL, join_add, join_del, vrf_check, NULL, NULL },
	{ "settle", common_has_v6, common_addresses_await, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_vrf = {
	.name = "vrf",
	.about = "puts a container's interface into a VRF with a routing table of its own",
	.flags = CNI_CHAINED,
	.min = CNI_V_0_3_0,
	.fields = vrf_fields,
	.conf_size = sizeof(struct vrf_conf),
	.conf_check = vrf_conf_check,
	.conf_clear = vrf_conf_clear,
	.steps = vrf_steps,
};
