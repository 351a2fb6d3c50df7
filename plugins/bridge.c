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
#include "plugins/bridge/bridge.h"

#define CARRIER_TIMEOUT_MS 5000

/* Removal does not ask the configuration of today: it may have changed since ADD. */
static bool has_masq(const struct cni_op *op)
{
	return common_is_removal(op) ||
	       (((const struct bridge_conf *)op->conf)->ip_masq && common_has_ipam(op));
}

static bool has_vlans(const struct cni_op *op)
{
	return ((const struct bridge_conf *)op->conf)->has_vlans;
}

static bool has_container(const struct cni_op *op)
{
	return !((const struct bridge_conf *)op->conf)->no_container;
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
	return txn_bridge_up(op->txn, &c->br, e);
}

/*
 * A container must not give the host routes, and an own link-local address need not hold up what is
 * forwarded; what has no IPv6 needs neither. Both go with the interface, or stay with it when
 * others came.
 */
int bridge_quiet(struct cni_op *op, const char *name, struct err *e)
{
	static const char *const zeros[] = { "accept_ra", "accept_dad" };
	struct err no_ipv6 = ERR_INIT;
	char sysctl[96];

	for (size_t i = 0; i < ARRAY_LEN(zeros); i++) {
		(void)str_copyf(sysctl, sizeof sysctl, "net/ipv6/conf/%s/%s", name, zeros[i]);
		int r = txn_point(op->txn, sysctl, e);
		if (r < 0)
			return r;
		r = sysctl_write(sysctl, "0", &no_ipv6);
		if (r == 0 || r == -ENOENT)
			continue;
		*e = no_ipv6;
		return r;
	}
	return 0;
}

static int bridge_create(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	char alias[LINK_ALIAS_MAX];
	const struct bridge_spec spec = { .name = c->bridge,
					  .mac = random_mac(),
					  .mtu = c->mtu,
					  .alias = alias,
					  .vlan_filtering = c->has_vlans };
	int r;

	(void)str_copyf(alias, sizeof alias, "naru:%.200s", op->cc->name);
	if ((r = txn_bridge_add(op->txn, &spec, e)) < 0)
		return r;
	c->br_new = r == 0;
	return c->br_new ? bridge_quiet(op, c->bridge, e) : 0;
}

/*
 * A bridge that does not filter hands every frame to everybody, whatever VLANs its ports have. One
 * of ours begins to, which nobody notices: all its ports have the default VLAN so far.
 */
static int bridge_filter(struct cni_op *op, struct bridge_conf *c, struct err *e)
{
	int r = vlan_bridge_get(op->host, c->br.index, &c->vlans, e);

	if (r < 0 || c->vlans.filtering)
		return r;
	if (!c->vlans.known)
		return err_say(
			e, -EOPNOTSUPP,
			"this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
	if (!str_starts(c->br.alias, "naru:"))
		return err_code(e, -EINVAL, CNI_E_IN_USE,
				"bridge %s does not filter VLANs, so that nothing would be apart: "
				"let it (ip link set %s type bridge vlan_filtering 1), or name a "
				"bridge that is not there yet",
				c->bridge, c->bridge);
	if ((r = txn_point(op->txn, "VLAN filtering", e)) < 0)
		return r;
	return vlan_bridge_filter(op->host, c->br.index, e);
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
	if ((!c->br_new && (r = bridge_adopt(op, c, e)) < 0) ||
	    (c->has_vlans && (r = bridge_filter(op, c, e)) < 0))
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
	if (c->has_vlans && (r = vlan_bridge_get(op->host, c->br.index, &c->vlans, e)) < 0)
		return r;
	if (c->has_vlans && !c->vlans.filtering)
		return cni_check_fail(e, "bridge %s: expected VLAN filtering on, found off",
				      c->bridge);
	return 0;
}

/* Could an ADD work? A bridge that is not there yet is made. */
static int bridge_status(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	struct vlan_bridge vlans;
	struct err none = ERR_INIT;
	struct link l;
	int r = link_get(op->host, c->bridge, &l, &none);

	if (r == -ENODEV)
		return 0;
	if (r < 0) {
		*e = none;
		return r;
	}
	if (strcmp(l.kind, "bridge"))
		return err_code(e, -EEXIST, CNI_E_UNAVAILABLE,
				"\"%s\" is not a bridge; expected a bridge, found %s", c->bridge,
				*l.kind ? l.kind : "another kind of interface");
	if (!c->has_vlans || (r = vlan_bridge_get(op->host, l.index, &vlans, e)) < 0)
		return r;
	if (!vlans.known || (!vlans.filtering && !str_starts(l.alias, "naru:")))
		return err_code(e, -EOPNOTSUPP, CNI_E_UNAVAILABLE,
				"bridge %s: expected VLAN filtering on, found %s", c->bridge,
				vlans.known ? "off" : "a kernel without");
	return 0;
}

/* ---- the veth pair */

static int veth_add(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;

	if (c->mac_check && !c->mac.set)
		c->mac = random_mac(); /* a dry run knows it too */
	struct veth_spec v = {
		.master = c->br.index,
		.mtu = c->mtu,
		.peer_mac = c->mac,
		.hairpin = c->hairpin,
		.isolated = c->isolated,
	};
	struct link host, cont;
	int r;

	if ((r = common_veth_add(op, &v, e)) < 0 ||
	    (r = link_get(op->host, v.name, &host, e)) < 0 ||
	    (r = link_get(op->cont, v.peer, &cont, e)) < 0)
		return r;
	c->port = host.index;
	(void)str_copyf(c->port_name, sizeof c->port_name, "%s", host.name);
	op->cont_index = cont.index;
	if (!cni_result_add_iface(&op->res, c->bridge, NULL, &c->br.mac) ||
	    !cni_result_add_iface(&op->res, v.name, NULL, &host.mac) ||
	    !cni_result_add_iface(&op->res, v.peer, op->env->netns, &cont.mac))
		return err_set(e, -ENOMEM, "report the interfaces");
	return 0;
}

static int veth_del(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	struct link l;

	/* what is known of it under this name goes after it */
	if (common_host_veth(op, &l, NULL) == 0)
		(void)str_copyf(c->port_name, sizeof c->port_name, "%s", l.name);
	return c->defer_del ? common_veth_del_deferred(op, e) : common_veth_del(op, e);
}

static int veth_check(struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = op->conf;
	struct port_state port;
	struct link l;
	int r = common_host_veth_any(op, &l, e);

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
	if (c->isolated && !port.isolated) /* firewall's ingressPolicy may isolate it, too */
		return cni_check_fail(e, "host interface %s: expected isolation on, found off",
				      l.name);
	c->port = l.index;
	(void)str_copyf(c->port_name, sizeof c->port_name, "%s", l.name);
	return 0;
}

/* ---- VLANs */

static struct vlan_port vlans_of(const struct bridge_conf *c)
{
	return vlan_port_plan((uint16_t)c->vlan, &c->ids, c->keep_vlan, &c->vlans);
}

/* The container's end is still down: nothing has passed with the VLAN that the bridge gave. */
static int vlan_add(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	const struct vlan_port want = vlans_of(c);
	int r = txn_point(op->txn, "VLANs", e); /* they go with the port */

	return r < 0 ? r : vlan_port_set(op->host, c->port, &want, &c->vlans, e);
}

int bridge_check_vlans(struct cni_op *op, const struct link *port, const struct vlan_port *want,
		       struct err *e)
{
	cleanup_str struct str a = STR_INIT, b = STR_INIT;
	struct vlan_port have;
	int r = vlan_port_get(op->host, port->index, &have, e);

	if (r < 0 || vlan_port_eq(want, &have))
		return r;
	vlan_port_text(&a, want);
	vlan_port_text(&b, &have);
	return cni_check_fail(e, "bridge port %s: expected VLANs %.120s; found %.120s", port->name,
			      a.p ?: "", b.p ?: "");
}

static int vlan_check(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	const struct vlan_port want = vlans_of(c);
	struct link port = { .index = c->port };

	(void)str_copyf(port.name, sizeof port.name, "%s", c->port_name);
	return bridge_check_vlans(op, &port, &want, e);
}

/* ---- layer 3 */

static int address_add(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	int r;

	if ((r = bridge_plan(op, e)) < 0 || (r = common_dns(op, false, e)) < 0 || c->no_container)
		return r;
	return common_address_add(op, op->cont_index, c->dad, e);
}

static int address_check(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	struct link l;

	return c->no_container ?
		       common_container_check(op, "veth", c->mtu, COMMON_UP_OR_DOWN, &l, e) :
		       common_address_check(op, "veth", c->mtu, e);
}

static int carrier_await(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;

	int r = port_await(op->host, -1, c->port, CARRIER_TIMEOUT_MS, e);

	return r < 0 || !c->gw_port ? r :
				      port_await(op->host, -1, c->gw_port, CARRIER_TIMEOUT_MS, e);
}

/*
 * An address that turns out to be somebody else's must not be reported as the container's, and who
 * starts in it binds at once. On a bridge of others there may be addresses that take their time.
 */
static int addresses_await(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	int r = c->gw_new ? addr_await(op->host, -1, c->gw.index, COMMON_SETTLE_MS, e) : 0;

	return r < 0 ? r : common_addresses_await(op, e);
}

static const struct cni_step bridge_steps[] = {
	COMMON_IPAM_ROW(common_ipam_early),
	{ "bridge", NULL, bridge_add, NULL, bridge_check, NULL, bridge_status },
	/* here, so that DEL takes the port away before; ADD's turn is below */
	{ "guard", NULL, NULL, bridge_guard_del, NULL, bridge_guard_gc, bridge_guard_status },
	{ "veth", NULL, veth_add, veth_del, veth_check, common_veth_gc, NULL },
	{ "guard", bridge_has_guard, bridge_guard_add, NULL, bridge_guard_check, NULL, NULL },
	{ "vlan", has_vlans, vlan_add, NULL, vlan_check, NULL, NULL },
	COMMON_IPAM_ROW(common_ipam_late),
	{ "address", NULL, address_add, NULL, address_check, NULL, NULL },
	{ "gateway", bridge_has_gateway, bridge_gateway_add, NULL, bridge_gateway_check, NULL, NULL,
	  bridge_gateway_add },
	{ "masq", has_masq, common_masq_add, common_masq_del, common_masq_check, common_masq_gc,
	  common_masq_status, common_masq_add },
	{ "carrier", has_container, carrier_await, NULL, NULL, NULL, NULL },
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
};
