// SPDX-License-Identifier: GPL-2.0-or-later
/* veth (installed as ptp too): a veth pair routed by the host, no bridge. CNI_SPEC.md "veth". */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/net/addr.h"
#include "netlib/net/port.h"
#include "netlib/net/route.h"
#include "netlib/txn/verbs.h"

#define CARRIER_TIMEOUT_MS 5000

struct veth_conf {
	const char *masq_backend;
	bool ip_masq, defer_del;
	uint32_t mtu;
	struct mac mac;
	struct link host; /* once it is there */
};

static const struct field veth_fields[] = {
	FIELD_BOOL("ipMasq", struct veth_conf, ip_masq),
	FIELD_STR("ipMasqBackend", struct veth_conf, masq_backend),
	FIELD_U32("mtu", struct veth_conf, mtu, 0, 65535),
	FIELD_TEXT("mac", struct veth_conf, mac, mac_parse_field,
		   "a MAC address like 02:11:22:33:44:55"),
	FIELD_BOOL("deferDel", struct veth_conf, defer_del),
	FIELD_END,
};

static int veth_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct veth_conf *c = conf;
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (!common_has_ipam(op) && op->env->verb == CNI_ADD)
		return err_conf(e, "/ipam/type",
				"expected an IPAM plugin; a routed veth needs addresses");
	if ((r = common_masq_backend(op, c->masq_backend, e)) < 0 ||
	    (r = common_mac(op, &c->mac, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}

/* Removal does not ask the configuration of today: it may have changed since ADD. */
static bool has_masq(const struct cni_op *op)
{
	return common_is_removal(op) || ((const struct veth_conf *)op->conf)->ip_masq;
}

static int pair_add(struct cni_op *op, struct err *e)
{
	struct veth_conf *c = op->conf;
	static const char *const zeros[] = { "accept_ra", "accept_dad" };
	struct veth_spec v = { .mtu = c->mtu, .peer_mac = c->mac };
	char sysctl[96];
	struct link cont;
	int r;

	if ((r = common_veth_add(op, &v, e)) < 0 ||
	    (r = link_get(op->host, v.name, &c->host, e)) < 0 ||
	    (r = link_get(op->cont, v.peer, &cont, e)) < 0)
		return r;
	/*
	 * the container's end is still down: no advertisement can have come through, and duplicate
	 * address detection, which would hold up what is forwarded, has not begun
	 */
	for (size_t i = 0; i < ARRAY_LEN(zeros); i++) {
		(void)str_copyf(sysctl, sizeof sysctl, "net/ipv6/conf/%s/%s", v.name, zeros[i]);
		if ((r = txn_sysctl(op->txn, UNDO_HOST, sysctl, "0", e)) < 0 && r != -ENOENT)
			return r;
	}
	op->cont_index = cont.index;
	if (!cni_result_add_iface(&op->res, v.name, NULL, &c->host.mac) ||
	    !cni_result_add_iface(&op->res, v.peer, op->env->netns, &cont.mac))
		return err_set(e, -ENOMEM, "report the interfaces");
	return 0;
}

static int pair_del(struct cni_op *op, struct err *e)
{
	return ((const struct veth_conf *)op->conf)->defer_del ? common_veth_del_deferred(op, e) :
								 common_veth_del(op, e);
}

static int pair_check(struct cni_op *op, struct err *e)
{
	struct veth_conf *c = op->conf;
	int r = common_host_veth_any(op, &c->host, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "host interface of %s: expected a veth, found none",
				      op->env->ifname);
	if (r < 0)
		return r;
	if (!(c->host.flags & IFF_UP))
		return cni_check_fail(e, "host interface %s: expected up, found down",
				      c->host.name);
	if (c->mtu && c->host.mtu != c->mtu)
		return cni_check_fail(e, "host interface %s: expected MTU %u, found %u",
				      c->host.name, c->mtu, c->host.mtu);
	return 0;
}

static struct ip_prefix whole(const struct ip_addr *a)
{
	return (struct ip_prefix){ .addr = *a, .len = (uint8_t)ip_bits(a) };
}

/*
 * Two routes for each address: the gateway on the link, the subnet through it; they replace the
 * connected route. Pure.
 */
static struct route *plan_routes(const struct cni_op *op, size_t *n)
{
	struct route *v = calloc(2 * op->res.nips + 1, sizeof *v);

	*n = 0;
	for (size_t i = 0; v && i < op->res.nips; i++) {
		const struct cni_ip *ip = &op->res.ips[i];

		v[(*n)++] = (struct route){
			.dst = whole(&ip->gateway),
			.oif = op->cont_index,
			.src = ip->address.addr,
			.scope = RT_SCOPE_LINK,
			.has_scope = true,
		};
		v[(*n)++] = (struct route){
			.dst = { ip_network(&ip->address), ip->address.len },
			.gw = ip->gateway,
			.oif = op->cont_index,
			.src = ip->address.addr,
		};
	}
	return v;
}

static int address_add(struct cni_op *op, struct err *e)
{
	char text[IP_TEXT_MAX];
	size_t n;
	int r;

	for (size_t i = 0; i < op->res.nips; i++) {
		op->res.ips[i].interface = 1; /* host end, container end */
		if (!ip_is_set(&op->res.ips[i].gateway))
			return err_say(
				e, -EINVAL,
				"IPAM plugin %s gave %s without a gateway; a routed veth needs one",
				op->cc->ipam_type, ip_prefix_text(&op->res.ips[i].address, text));
	}
	if ((r = common_dns(op, false, e)) < 0)
		return r;
	cleanup_free struct route *extra = plan_routes(op, &n);
	if (!extra)
		return err_set(e, -ENOMEM, "plan routes");
	return common_address_add_with(op, op->cont_index, false, IFA_F_NOPREFIXROUTE, extra, n, e);
}

/* The way back: the gateway's address on the host end, and a host route to the container. */
static struct route host_route(const struct ip_addr *container, uint32_t oif)
{
	return (struct route){
		.dst = whole(container), .oif = oif, .scope = RT_SCOPE_HOST, .has_scope = true
	};
}

static int host_add(struct cni_op *op, struct err *e)
{
	const struct veth_conf *c = op->conf;
	int r;

	for (size_t i = 0; i < op->res.nips; i++) {
		const struct cni_ip *ip = &op->res.ips[i];
		struct ip_prefix gw = whole(&ip->gateway);
		struct route rt = host_route(&ip->address.addr, c->host.index);

		if ((r = txn_addr_add(op->txn, UNDO_HOST, c->host.index, &gw,
				      gw.addr.family == AF_INET6 ? IFA_F_NODAD : 0, e)) < 0 ||
		    (r = txn_route_add(op->txn, UNDO_HOST, &rt, e)) < 0)
			return r;
		if (r == ROUTE_EXISTS) {
			char text[IP_TEXT_MAX];

			return err_code(
				e, -EEXIST, CNI_E_IN_USE,
				"add route to %s on the host: file exists; another interface "
				"already leads there",
				ip_text(&ip->address.addr, text));
		}
	}
	return common_forwarding(op, e);
}

/* What a flush of the host's routes or settings takes; what is there already is as it should be. */
static int host_reload(struct cni_op *op, struct err *e)
{
	const struct veth_conf *c = op->conf;
	int r;

	for (size_t i = 0; i < op->res.nips; i++) {
		struct route rt = host_route(&op->res.ips[i].address.addr, c->host.index);

		if (common_ip_is_mine(op, &op->res, &op->res.ips[i]) &&
		    (r = txn_route_add(op->txn, UNDO_HOST, &rt, e)) < 0)
			return r;
	}
	return common_forwarding(op, e);
}

struct find {
	const struct route *want;
	bool found;
};

static int same(const struct route *r, void *arg)
{
	struct find *f = arg;

	f->found |= r->oif == f->want->oif && ip_prefix_eq(&r->dst, &f->want->dst);
	return f->found;
}

static int address_check(struct cni_op *op, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct link l;
	int r;

	if ((r = common_address_check(op, "veth", ((const struct veth_conf *)op->conf)->mtu, e)) <
		    0 ||
	    (r = link_get(op->cont, op->env->ifname, &l, e)) < 0)
		return r;
	for (size_t i = 0; i < op->prev.nips; i++) {
		struct route want = { .dst = whole(&op->prev.ips[i].gateway), .oif = l.index };
		struct find f = { .want = &want };

		if (!ip_is_set(&want.dst.addr) ||
		    !common_ip_is_mine(op, &op->prev, &op->prev.ips[i]))
			continue;
		if ((r = route_each(op->cont, want.dst.addr.family, same, &f, e)) < 0)
			return r;
		if (!f.found)
			return cni_check_fail(
				e,
				"interface %s: expected a route to its gateway %s, found it missing",
				l.name, ip_text(&want.dst.addr, text));
	}
	return 0;
}

static int host_check(struct cni_op *op, struct err *e)
{
	const struct veth_conf *c = op->conf;
	char text[IP_TEXT_MAX];
	int r;

	for (size_t i = 0; i < op->prev.nips; i++) {
		struct route want = host_route(&op->prev.ips[i].address.addr, c->host.index);
		struct find f = { .want = &want };

		if (!common_ip_is_mine(op, &op->prev, &op->prev.ips[i]))
			continue;
		if ((r = route_each(op->host, want.dst.addr.family, same, &f, e)) < 0)
			return r;
		if (!f.found)
			return cni_check_fail(
				e, "host interface %s: expected a route to %s, found it missing",
				c->host.name, ip_text(&want.dst.addr, text));
	}
	return common_forwarding_check(op, e);
}

/*
 * The host end carries packets a moment after the container's end went up; what is sent before is
 * lost.
 */
static int carrier_await(struct cni_op *op, struct err *e)
{
	const struct veth_conf *c = op->conf;

	return port_await(op->host, -1, c->host.index, CARRIER_TIMEOUT_MS, e);
}

static const struct cni_step veth_steps[] = {
	COMMON_IPAM_ROW(common_ipam_early),
	{ "veth", NULL, pair_add, pair_del, pair_check, common_veth_gc, NULL },
	COMMON_IPAM_ROW(common_ipam_late),
	{ "address", NULL, address_add, NULL, address_check, NULL, NULL },
	{ "host", NULL, host_add, NULL, host_check, NULL, NULL, host_reload },
	{ "masq", has_masq, common_masq_add, common_masq_del, common_masq_check, common_masq_gc,
	  common_masq_status, common_masq_add },
	{ "carrier", NULL, carrier_await, NULL, NULL, NULL, NULL },
	{ "settle", common_has_v6, common_addresses_await, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_veth = {
	.name = "veth",
	.about = "connects a container to the host by a routed veth pair (the reference's ptp)",
	.fields = veth_fields,
	.conf_size = sizeof(struct veth_conf),
	.conf_check = veth_conf_check,
	.steps = veth_steps,
};
