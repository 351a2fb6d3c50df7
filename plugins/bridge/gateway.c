// SPDX-License-Identifier: GPL-2.0-or-later
/* Gateways of bridge: addresses on the bridge, or on a port for a VLAN. CNI_SPEC.md "bridge". */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/cni/furniture.h"
#include "netlib/net/addr.h"
#include "netlib/txn/verbs.h"
#include "plugins/bridge/bridge.h"

#define NODAD 0x02    /* IFA_F_NODAD */
#define NAME_SALTS 10 /* port names tried when a derived one belongs to somebody else */

bool bridge_has_gateway(const struct cni_op *op)
{
	return ((const struct bridge_conf *)op->conf)->is_gateway && common_has_ipam(op);
}

int bridge_plan(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	static const struct ip_prefix defaults[] = { { .addr = { .family = AF_INET } },
						     { .addr = { .family = AF_INET6 } } };

	for (size_t i = 0; i < op->res.nips; i++) {
		struct cni_ip *ip = &op->res.ips[i];

		ip->interface = 2; /* bridge, host end, container end */
		if (c->is_gateway && !ip_is_set(&ip->gateway)) {
			struct ip_addr net = ip_network(&ip->address);

			ip->gateway = ip_next(&net);
		}
	}
	for (size_t f = 0; c->is_default_gateway && f < 2; f++) {
		const struct cni_ip *via = NULL;
		bool found = false;

		for (size_t i = 0; i < op->res.nips && !via; i++)
			if (op->res.ips[i].address.addr.family == defaults[f].addr.family)
				via = &op->res.ips[i];
		for (size_t i = 0; i < op->res.nroutes; i++)
			found |= ip_prefix_is_default(&op->res.routes[i].dst) &&
				 op->res.routes[i].dst.addr.family == defaults[f].addr.family;
		if (via && !found && !cni_result_add_route(&op->res, &defaults[f], &via->gateway))
			return err_set(e, -ENOMEM, "plan the default route");
	}
	return 0;
}

/* ---- who else uses what */

struct crowd {
	const struct cni_op *op;
	bool network, any; /* further attachments of ours on the bridge: of this network, at all */
};

static int is_neighbour(const struct link *l, void *arg)
{
	struct crowd *x = arg;
	const struct bridge_conf *c = x->op->conf;

	if (l->master != c->br.index || l->index == c->port)
		return 0;
	x->any |= common_alias_is_attachment(l->alias);
	x->network |= common_alias_in_network(l->alias, x->op->cc->name);
	return x->network;
}

/* Of two that begin at once one makes the gateway's address, and the other relies on it. */
static int undo_address(const struct undo *u, struct txn *t, struct err *e)
{
	struct crowd x = { .op = t->ctx };
	struct ip_prefix p;
	int r = link_each(t->host, is_neighbour, &x, e);

	if (r < 0 || x.network || ip_prefix_parse(u->a, &p) < 0)
		return r;
	return addr_del(t->host, u->index, &p, e);
}

static const struct undo_op op_address = { "gateway address del", undo_address, UNDO_A };

/* ---- the port of a VLAN's gateway */

static int undo_port(const struct undo *u, struct txn *t, struct err *e)
{
	struct crowd x = { .op = t->ctx };
	struct err gone = ERR_INIT;
	struct link l;
	int r = link_each(t->host, is_neighbour, &x, e);

	if (r < 0 || x.any)
		return r;
	r = link_get(t->host, u->name, &l, &gone);
	if (r == -ENODEV || (r == 0 && strcmp(l.alias, u->a)))
		return 0;
	if (r < 0) {
		*e = gone;
		return r;
	}
	return link_del(t->host, l.index, e);
}

static const struct undo_op op_port = { "gateway port del", undo_port, UNDO_A };

/* Both ends, the bridge's up and the other one down. LINK_EXISTS: a name is taken. */
static int make_pair(struct cni_op *op, struct veth_spec *v, struct err *e)
{
	if (!txn_reserve(op->txn, &op_port, UNDO_HOST, v->name, v->alias, NULL, e))
		return -EIO;
	int r = link_add_veth(op->host, v, e);
	if (r)
		txn_drop(op->txn);
	return r;
}

static int make_port(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	char alias[LINK_ALIAS_MAX];
	struct veth_spec v = { .peer = c->gateway,
			       .peer_netns = -1,
			       .master = c->br.index,
			       .mtu = c->br.mtu,
			       .alias = alias };
	int r;

	furniture_gateway_alias(op->cc->name, alias, sizeof alias);
	for (unsigned salt = 0; salt < NAME_SALTS; salt++) {
		struct link l;

		ifname_derive(v.name, "veth", op->cc->name, "", c->gateway, salt);
		if ((r = make_pair(op, &v, e)) <= 0)
			return r;
		if (link_get(op->host, c->gateway, &l, NULL) == 0)
			return 0; /* somebody made it at the same moment */
	}
	return err_code(e, -EEXIST, CNI_E_IN_USE,
			"no free name for the bridge's end of %s after %d attempts", c->gateway,
			NAME_SALTS);
}

static struct vlan_port gateway_vlans(const struct bridge_conf *c)
{
	static const struct vlan_set none;

	return vlan_port_plan((uint16_t)c->vlan, &none, c->keep_vlan, &c->vlans);
}

/* Is the interface the other end of a port that we made? */
static bool is_ours(const struct cni_op *op, const struct bridge_conf *c)
{
	struct link port;

	return !strcmp(c->gw.kind, "veth") && c->gw.peer_nsid < 0 &&
	       link_get_index(op->host, c->gw.peer, &port, NULL) == 0 &&
	       port.master == c->br.index && furniture_is_gateway(port.alias);
}

/*
 * The port belongs to its VLAN before its other end goes up: what is up is complete. So who finds
 * it down finishes what another one has not, or not yet.
 */
static int finish_port(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	struct vlan_port want = gateway_vlans(c);
	int r;

	if ((r = txn_point(op->txn, "VLAN of the gateway", e)) < 0)
		return r;
	if (is_ours(op, c)) {
		if ((r = vlan_port_set(op->host, c->gw.peer, &want, &c->vlans, e)) < 0 ||
		    (r = bridge_quiet(op, c->gateway, e)) < 0)
			return r;
		c->gw_port = c->gw.peer;
	}
	return link_up(op->host, c->gw.index, e);
}

/* As the reference names it; one that is there and up is used as it is. */
static int find_gateway(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	struct err none = ERR_INIT;
	int r;

	if (!c->vlan) {
		c->gw = c->br;
		c->gw_new = c->br_new;
		return 0;
	}
	r = link_get(op->host, c->gateway, &c->gw, &none);
	if (r < 0 && r != -ENODEV) {
		*e = none;
		return r;
	}
	c->gw_new = r == -ENODEV;
	if (c->gw_new &&
	    ((r = make_port(op, c, e)) < 0 || (r = link_get(op->host, c->gateway, &c->gw, e)) < 0))
		return r;
	if (!(c->gw.flags & IFF_UP) && (r = finish_port(op, c, e)) < 0)
		return r;
	if (!cni_result_add_iface(&op->res, c->gateway, NULL, &c->gw.mac))
		return err_set(e, -ENOMEM, "report the gateway's interface");
	return 0;
}

/* ---- its addresses */

struct others {
	const struct ip_prefix *want;
	struct addr found[16];
	size_t n;
};

/*
 * Addresses of the bridge that stand in the way: any other of IPv4, an overlapping one of IPv6
 * (link-local never).
 */
static int in_the_way(const struct addr *a, void *arg)
{
	struct others *o = arg;
	bool v6 = a->prefix.addr.family == AF_INET6;

	if (ip_prefix_eq(&a->prefix, o->want) || (v6 && !ip_prefix_overlaps(&a->prefix, o->want)))
		return 0;
	if (v6 && a->prefix.addr.b[0] == 0xfe && (a->prefix.addr.b[1] & 0xc0) == 0x80)
		return 0;
	if (o->n < sizeof o->found / sizeof o->found[0])
		o->found[o->n++] = *a;
	return 0;
}

/* An address on a bridge that existed: the others are looked at, and, with forceAddress, go. */
static int settle_others(struct cni_op *op, const struct bridge_conf *c,
			 const struct ip_prefix *want, const struct ip_prefix *mine, size_t nmine,
			 struct err *e)
{
	struct others o = { .want = want };
	char a[IP_TEXT_MAX], b[IP_TEXT_MAX];
	int r = addr_each(op->host, want->addr.family, c->gw.index, in_the_way, &o, e);

	for (size_t i = 0; r >= 0 && i < o.n; i++) {
		bool ours = false;

		for (size_t k = 0; k < nmine; k++)
			ours |= ip_prefix_eq(&mine[k], &o.found[i].prefix);
		if (ours)
			/* several subnets on one bridge: set by this very attachment */
			continue;
		if (!c->force_address)
			return err_code(
				e, -EEXIST, CNI_E_IN_USE,
				"\"%s\" already has an IP address different from %s: found %s; "
				"set forceAddress to replace it",
				c->gateway, ip_prefix_text(want, a),
				ip_prefix_text(&o.found[i].prefix, b));
		r = txn_addr_del(op->txn, UNDO_HOST, &o.found[i], e);
	}
	return r < 0 ? r : 0;
}

static int put_address(struct cni_op *op, const struct bridge_conf *c, const struct ip_prefix *p,
		       struct err *e)
{
	char text[IP_TEXT_MAX];

	if (!txn_reserve_at(op->txn, &op_address, UNDO_HOST, c->gw.index, NULL,
			    ip_prefix_text(p, text), NULL, e))
		return -EIO;
	int r = addr_add(op->host, c->gw.index, p, p->addr.family == AF_INET6 ? NODAD : 0, e);
	if (r)
		txn_drop(op->txn);
	return r;
}

int bridge_gateway_add(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	struct ip_prefix mine[16];
	size_t n = 0;
	int r = find_gateway(op, c, e);

	for (size_t i = 0; i < op->res.nips && i < 16; i++)
		mine[n++] =
			(struct ip_prefix){ op->res.ips[i].gateway, op->res.ips[i].address.len };
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = put_address(op, c, &mine[i], e);
		if (r == 0 && !c->gw_new)
			r = settle_others(op, c, &mine[i], mine, n, e);
	}
	return r < 0 ? r : common_forwarding(op, e);
}

struct find {
	const struct ip_prefix *p;
	bool found;
};

static int same(const struct addr *a, void *arg)
{
	struct find *f = arg;

	f->found |= ip_prefix_eq(&a->prefix, f->p);
	return 0;
}

static int check_port(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	const struct vlan_port want = gateway_vlans(c);
	struct link port;
	int r = link_get(op->host, c->gateway, &c->gw, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "gateway %s of VLAN %u: expected on the host, found none",
				      c->gateway, (unsigned)c->vlan);
	if (r < 0)
		return r;
	if (!(c->gw.flags & IFF_UP))
		return cni_check_fail(e, "gateway %s of VLAN %u: expected up, found down",
				      c->gateway, (unsigned)c->vlan);
	if (strcmp(c->gw.kind, "veth"))
		return 0; /* made by somebody in another way */
	if (c->gw.peer_nsid >= 0 || link_get_index(op->host, c->gw.peer, &port, NULL) < 0 ||
	    port.master != c->br.index)
		return cni_check_fail(
			e, "gateway %s: expected its other end on bridge %s, found it elsewhere",
			c->gateway, c->bridge);
	return bridge_check_vlans(op, &port, &want, e);
}

int bridge_gateway_check(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	char text[IP_TEXT_MAX];
	int r = 0;

	c->gw = c->br;
	if (c->vlan && (r = check_port(op, c, e)) < 0)
		return r;
	for (size_t i = 0; i < op->prev.nips; i++) {
		struct ip_prefix gw = { op->prev.ips[i].gateway, op->prev.ips[i].address.len };
		struct find f = { .p = &gw };

		if (!ip_is_set(&gw.addr) || !common_ip_is_mine(op, &op->prev, &op->prev.ips[i]))
			continue;
		if ((r = addr_each(op->host, gw.addr.family, c->gw.index, same, &f, e)) < 0)
			return r;
		if (!f.found)
			return cni_check_fail(
				e, "%s %s: expected the gateway address %s, found it missing",
				c->vlan ? "gateway" : "bridge", c->gateway,
				ip_prefix_text(&gw, text));
	}
	return common_forwarding_check(op, e);
}
