// SPDX-License-Identifier: GPL-2.0-or-later
/* bridge: a veth pair with its host end on a Linux bridge. CNI_SPEC.md "bridge". */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/net/addr.h"
#include "netlib/net/port.h"
#include "netlib/net/sysctl.h"
#include "netlib/txn/verbs.h"

#define CARRIER_TIMEOUT_MS 5000
#define NODAD 0x02 /* IFA_F_NODAD */

struct bridge_conf {
	const char *bridge, *masq_backend;
	bool is_gateway, is_default_gateway, force_address, ip_masq, hairpin, promisc, dad,
		defer_del;
	uint32_t mtu;
	struct mac mac; /* of the container end, from its three sources */
	struct link br; /* once it is there */
	bool br_new;
	uint32_t port; /* host end */
};

static const struct field bridge_fields[] = {
	FIELD_STR("bridge", struct bridge_conf, bridge),
	FIELD_BOOL("isGateway", struct bridge_conf, is_gateway),
	FIELD_BOOL("isDefaultGateway", struct bridge_conf, is_default_gateway),
	FIELD_BOOL("forceAddress", struct bridge_conf, force_address),
	FIELD_BOOL("ipMasq", struct bridge_conf, ip_masq),
	FIELD_STR("ipMasqBackend", struct bridge_conf, masq_backend),
	FIELD_U32("mtu", struct bridge_conf, mtu, 0, 65535),
	FIELD_BOOL("hairpinMode", struct bridge_conf, hairpin),
	FIELD_BOOL("promiscMode", struct bridge_conf, promisc),
	FIELD_BOOL("enabledad", struct bridge_conf, dad),
	FIELD_BOOL("deferDel", struct bridge_conf, defer_del),
	FIELD_END,
};

static void bridge_conf_init(void *conf)
{
	((struct bridge_conf *)conf)->bridge = "cni0";
}

static const char *const not_yet[] = {
	"vlan", "vlanTrunk", "macspoofchk", "portIsolation", "disableContainerInterface", NULL,
};

static int bridge_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = conf;
	const char *problem;
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if ((r = common_refuse(op, not_yet, e)) < 0)
		return r;
	if (!*c->bridge)
		c->bridge = "cni0";
	if ((problem = ifname_problem(c->bridge)))
		return err_conf(e, "/bridge", "interface name \"%.40s\" %s", c->bridge, problem);
	if (c->hairpin && c->promisc)
		return err_conf(e, "/hairpinMode",
				"cannot set hairpin mode and promiscuous mode at the same time; "
				"leave out hairpinMode or promiscMode");
	c->is_gateway |= c->is_default_gateway;
	if ((r = common_masq_backend(c->masq_backend, e)) < 0 ||
	    (r = common_mac(op, &c->mac, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}

/* Removal does not ask the configuration of today: it may have changed since ADD. */
static bool has_masq(const struct cni_op *op)
{
	return common_is_removal(op) ||
	       (((const struct bridge_conf *)op->conf)->ip_masq && common_has_ipam(op));
}

static bool has_gateway(const struct cni_op *op)
{
	return ((const struct bridge_conf *)op->conf)->is_gateway && common_has_ipam(op);
}

/* ---- the bridge itself */

static struct mac random_mac(void)
{
	struct mac m = { .set = true };

	if (getrandom(m.b, sizeof m.b, 0) != sizeof m.b)
		return (struct mac){ 0 }; /* the kernel picks one, which then is not pinned */
	m.b[0] = (uint8_t)((m.b[0] & 0xfe) | 0x02);
	return m;
}

/* Somebody's bridge, perhaps an older one of ours: used as it is, repaired where it cannot work. */
static int bridge_adopt(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	int r;

	if (strcmp(c->br.kind, "bridge"))
		return err_code(
			e, -EEXIST, CNI_E_IN_USE,
			"\"%s\" already exists but is not a bridge; expected a bridge, found %s",
			c->bridge, *c->br.kind ? c->br.kind : "another kind of interface");
	/* left by a first attachment that never finished: it could not even carry an address */
	if (mac_is_zero(&c->br.mac)) {
		struct mac m = random_mac();

		if ((r = txn_point(op->txn, "bridge MAC", e)) < 0 ||
		    (r = link_set_mac(op->host, c->br.index, &m, e)) < 0)
			return r;
		c->br.mac = m;
	}
	return txn_link_up(op->txn, UNDO_HOST, &c->br, e);
}

static int bridge_create(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	static const char *const zeros[] = { "accept_ra", "accept_dad" };
	char alias[LINK_ALIAS_MAX], sysctl[96];
	struct err no_ipv6 = ERR_INIT;
	const struct bridge_spec spec = {
		.name = c->bridge, .mac = random_mac(), .mtu = c->mtu, .alias = alias
	};
	int r;

	(void)str_copyf(alias, sizeof alias, "naru:%.200s", op->cc->name);
	r = txn_bridge_add(op->txn, &spec, e);
	if (r < 0)
		return r;
	c->br_new = r == 0;
	if (!c->br_new)
		return 0;
	/*
	 * a container must not give the host routes, and the bridge's own link-local address need
	 * not hold up what it forwards; what has no IPv6 needs neither. Both go with the bridge, or
	 * stay with it when others came.
	 */
	for (size_t i = 0; i < ARRAY_LEN(zeros); i++) {
		(void)str_copyf(sysctl, sizeof sysctl, "net/ipv6/conf/%s/%s", c->bridge, zeros[i]);
		if ((r = txn_point(op->txn, sysctl, e)) < 0)
			return r;
		r = sysctl_write(sysctl, "0", &no_ipv6);
		if (r == 0 || r == -ENOENT)
			continue;
		*e = no_ipv6;
		return r;
	}
	return 0;
}

static int bridge_add(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	int r = link_get(op->host, c->bridge, &c->br, e);

	if (r == -ENODEV && ((r = bridge_create(op, c, e)) < 0 ||
			     (r = link_get(op->host, c->bridge, &c->br, e)) < 0))
		return r;
	if (r < 0)
		return r;
	if (!c->br_new && (r = bridge_adopt(op, c, e)) < 0)
		return r;
	if (c->promisc && !(c->br.flags & IFF_PROMISC)) {
		if ((r = txn_point(op->txn, "promiscuous mode", e)) < 0)
			return r;
		return link_set_flags(op->host, c->br.index, IFF_PROMISC, IFF_PROMISC, e);
	}
	return 0;
}

static int bridge_check(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	int r = link_get(op->host, c->bridge, &c->br, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "bridge %s: expected on the host, found none", c->bridge);
	if (r < 0)
		return r;
	if (strcmp(c->br.kind, "bridge"))
		return cni_check_fail(e, "interface %s: expected kind bridge, found %s", c->bridge,
				      *c->br.kind ? c->br.kind : "none");
	if (!(c->br.flags & IFF_UP))
		return cni_check_fail(e, "bridge %s: expected up, found down", c->bridge);
	if (mac_is_zero(&c->br.mac))
		return cni_check_fail(e,
				      "bridge %s: expected a MAC address, found 00:00:00:00:00:00",
				      c->bridge);
	if (c->promisc && !c->br.promiscuity)
		return cni_check_fail(e, "bridge %s: expected promiscuous mode, found it off",
				      c->bridge);
	return 0;
}

/* ---- the veth pair */

static int veth_add(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	struct veth_spec v = {
		.master = c->br.index, .mtu = c->mtu, .peer_mac = c->mac, .hairpin = c->hairpin
	};
	struct link host, cont;
	int r;

	if ((r = common_veth_add(op, &v, e)) < 0 ||
	    (r = link_get(op->host, v.name, &host, e)) < 0 ||
	    (r = link_get(op->cont, v.peer, &cont, e)) < 0)
		return r;
	c->port = host.index;
	op->cont_index = cont.index;
	if (!cni_result_add_iface(&op->res, c->bridge, NULL, &c->br.mac) ||
	    !cni_result_add_iface(&op->res, v.name, NULL, &host.mac) ||
	    !cni_result_add_iface(&op->res, v.peer, op->env->netns, &cont.mac))
		return err_set(e, -ENOMEM, "report the interfaces");
	return 0;
}

static int veth_del(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;

	return c->defer_del ? common_veth_del_deferred(op, e) : common_veth_del(op, e);
}

static int veth_check(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	struct port_state port;
	struct link l;
	int r = common_host_veth(op, &l, e);

	if (r == -ENODEV)
		return cni_check_fail(
			e, "host interface of %s: expected a veth on bridge %s, found none",
			op->env->ifname, c->bridge);
	if (r < 0)
		return r;
	if (l.master != c->br.index)
		return cni_check_fail(
			e, "host interface %s: expected on bridge %s, found it elsewhere", l.name,
			c->bridge);
	if (!(l.flags & IFF_UP))
		return cni_check_fail(e, "host interface %s: expected up, found down", l.name);
	if (c->mtu && l.mtu != c->mtu)
		return cni_check_fail(e, "host interface %s: expected MTU %u, found %u", l.name,
				      c->mtu, l.mtu);
	if ((r = port_get(op->host, l.index, &port, e)) < 0)
		return r;
	if (port.hairpin != c->hairpin)
		return cni_check_fail(e, "host interface %s: expected hairpin mode %s, found %s",
				      l.name, c->hairpin ? "on" : "off",
				      port.hairpin ? "on" : "off");
	return 0;
}

/* ---- layer 3 */

/* Gateways and default routes that the bridge stands for. Pure but for memory. */
static int plan_gateways(struct cni_op *op, const struct bridge_conf *c, struct err *e)
{
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

static int address_add(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	int r;

	if ((r = plan_gateways(op, c, e)) < 0 || (r = common_dns(op, false, e)) < 0)
		return r;
	return common_address_add(op, op->cont_index, c->dad, e);
}

static int address_check(struct cni_op *op, struct err *e)
{
	return common_address_check(op, "veth", ((const struct bridge_conf *)op->conf)->mtu, e);
}

struct others {
	const struct ip_prefix *want;
	struct ip_prefix found[16];
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
		o->found[o->n++] = a->prefix;
	return 0;
}

/* An address on a bridge that existed: the others are looked at, and, with forceAddress, go. */
static int settle_others(struct cni_op *op, const struct bridge_conf *c,
			 const struct ip_prefix *want, const struct ip_prefix *mine, size_t nmine,
			 struct err *e)
{
	struct others o = { .want = want };
	char a[IP_TEXT_MAX], b[IP_TEXT_MAX];
	int r = addr_each(op->host, want->addr.family, c->br.index, in_the_way, &o, e);

	for (size_t i = 0; r >= 0 && i < o.n; i++) {
		bool ours = false;

		for (size_t k = 0; k < nmine; k++)
			ours |= ip_prefix_eq(&mine[k], &o.found[i]);
		if (ours)
			/* several subnets on one bridge: set by this very attachment */
			continue;
		if (!c->force_address)
			return err_code(
				e, -EEXIST, CNI_E_IN_USE,
				"\"%s\" already has an IP address different from %s: found %s; "
				"set forceAddress to replace it",
				c->bridge, ip_prefix_text(want, a), ip_prefix_text(&o.found[i], b));
		r = txn_addr_del(op->txn, UNDO_HOST, c->br.index, &o.found[i], e);
	}
	return r < 0 ? r : 0;
}

struct crowd {
	const struct cni_op *op;
	uint32_t bridge;
	bool others;
};

static int is_neighbour(const struct link *l, void *arg)
{
	struct crowd *x = arg;

	x->others |= l->master == x->bridge &&
		     l->index != ((const struct bridge_conf *)x->op->conf)->port &&
		     common_alias_in_network(l->alias, x->op->cc->name);
	return x->others;
}

/* Of two that begin at once one makes the gateway's address, and the other relies on it. */
static int undo_gateway(const struct undo *u, struct txn *t, struct err *e)
{
	struct crowd x = { .op = t->ctx, .bridge = u->index };
	struct ip_prefix p;
	int r = link_each(t->host, is_neighbour, &x, e);

	if (r < 0 || x.others || ip_prefix_parse(u->a, &p) < 0)
		return r;
	return addr_del(t->host, u->index, &p, e);
}

static const struct undo_op op_gateway = { "gateway address del", undo_gateway, UNDO_A };

static int gateway_put(struct cni_op *op, const struct bridge_conf *c, const struct ip_prefix *p,
		       struct err *e)
{
	char text[IP_TEXT_MAX];

	if (!txn_reserve_at(op->txn, &op_gateway, UNDO_HOST, c->br.index, NULL,
			    ip_prefix_text(p, text), NULL, e))
		return -EIO;
	int r = addr_add(op->host, c->br.index, p, p->addr.family == AF_INET6 ? NODAD : 0, e);
	if (r)
		txn_drop(op->txn);
	return r;
}

static int gateway_add(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	struct ip_prefix mine[16];
	size_t n = 0;

	for (size_t i = 0; i < op->res.nips && i < 16; i++)
		mine[n++] =
			(struct ip_prefix){ op->res.ips[i].gateway, op->res.ips[i].address.len };
	for (size_t i = 0; i < n; i++) {
		int r = gateway_put(op, c, &mine[i], e);

		if (r < 0)
			return r;
		if (r == 0 && !c->br_new && (r = settle_others(op, c, &mine[i], mine, n, e)) < 0)
			return r;
	}
	return common_forwarding(op, e);
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

static int gateway_check(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < op->prev.nips; i++) {
		struct ip_prefix gw = { op->prev.ips[i].gateway, op->prev.ips[i].address.len };
		struct find f = { .p = &gw };
		int r;

		if (!ip_is_set(&gw.addr) || !common_ip_is_mine(op, &op->prev, &op->prev.ips[i]))
			continue;
		if ((r = addr_each(op->host, gw.addr.family, c->br.index, same, &f, e)) < 0)
			return r;
		if (!f.found)
			return cni_check_fail(
				e, "bridge %s: expected the gateway address %s, found it missing",
				c->bridge, ip_prefix_text(&gw, text));
	}
	return common_forwarding_check(op, e);
}

static int carrier_await(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;

	return port_await(op->host, -1, c->port, CARRIER_TIMEOUT_MS, e);
}

/*
 * An address that turns out to be somebody else's must not be reported as the container's, and who
 * starts in it binds at once. On a bridge of others there may be addresses that take their time.
 */
static int addresses_await(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	int r = c->br_new ? addr_await(op->host, -1, c->br.index, COMMON_SETTLE_MS, e) : 0;

	return r < 0 ? r : common_addresses_await(op, e);
}

static const struct cni_step bridge_steps[] = {
	{ "ipam", common_ipam_early, common_ipam_add, common_ipam_del, common_ipam_check,
	  common_ipam_gc, common_ipam_status },
	{ "bridge", NULL, bridge_add, NULL, bridge_check, NULL, NULL },
	{ "veth", NULL, veth_add, veth_del, veth_check, common_veth_gc, NULL },
	{ "ipam", common_ipam_late, common_ipam_add, common_ipam_del, common_ipam_check,
	  common_ipam_gc, common_ipam_status },
	{ "address", NULL, address_add, NULL, address_check, NULL, NULL },
	{ "gateway", has_gateway, gateway_add, NULL, gateway_check, NULL, NULL },
	{ "masq", has_masq, common_masq_add, common_masq_del, common_masq_check, common_masq_gc,
	  common_masq_status },
	{ "carrier", NULL, carrier_await, NULL, NULL, NULL, NULL },
	{ "settle", common_has_v6, addresses_await, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_bridge = {
	.name = "bridge",
	.about = "attaches a container to a Linux bridge with a veth pair",
	.fields = bridge_fields,
	.conf_size = sizeof(struct bridge_conf),
	.conf_init = bridge_conf_init,
	.conf_check = bridge_conf_check,
	.steps = bridge_steps,
	.refused = not_yet,
};
