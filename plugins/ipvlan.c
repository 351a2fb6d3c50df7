// SPDX-License-Identifier: GPL-2.0-or-later
/* ipvlan: an interface that shares the MAC address of one of the host's. CNI_SPEC.md "ipvlan". */
#include <errno.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_child.h"
#include "netlib/cni/error.h"
#include "netlib/net/link_kinds.h"

struct ipvlan_conf {
	struct child child;
	const char *mode;
};

static const struct field ipvlan_fields[] = {
	FIELD_STR("master", struct ipvlan_conf, child.master),
	FIELD_STR("mode", struct ipvlan_conf, mode),
	FIELD_INT("mtu", struct ipvlan_conf, child.mtu, INT32_MIN, INT32_MAX),
	FIELD_BOOL("linkInContainer", struct ipvlan_conf, child.in_container),
	FIELD_END,
};

static void ipvlan_conf_init(void *conf)
{
	struct ipvlan_conf *c = conf;

	c->child.kind = "ipvlan";
	c->mode = "l2";
}

static int ipvlan_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct ipvlan_conf *c = conf;
	bool named = c->child.master && *c->child.master;
	int r = 0;

	c->child.any_master = !named && (op->env->verb == CNI_CHECK || !common_has_ipam(op));
	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (link_mode_parse("ipvlan", *c->mode ? c->mode : "l2", &c->child.value) < 0)
		return err_conf(e, "/mode",
				"unknown ipvlan mode: \"%.40s\"; expected l2, l3 or l3s", c->mode);
	if (!op->cc->prev)
		r = child_needs_ipam(op, "expected an IPAM plugin; an ipvlan needs addresses", e);
	return r < 0 ? r : common_ipam_find(op, e);
}

/* In a chain the only interface of the plugin before is the master, unless another is named. */
static int chained_master(struct cni_op *op, struct err *e)
{
	struct ipvlan_conf *c = op->conf;

	if (!op->has_prev || (c->child.master && *c->child.master))
		return 0;
	if (op->prev.nifaces != 1 || !op->prev.ifaces[0].name || !*op->prev.ifaces[0].name)
		return err_code(
			e, -EINVAL, CNI_E_CONFIG,
			"chained master failure. PrevResult lacks a single named interface; "
			"name the interface to use with the key \"master\"");
	c->child.master = op->prev.ifaces[0].name;
	return 0;
}

/* In a chain without IPAM the addresses are those of the plugin before, the interfaces are not. */
static int take_addresses(struct cni_op *op, struct err *e)
{
	if (common_has_ipam(op))
		return 0;
	if (!op->prev.nips)
		return err_code(
			e, -EINVAL, CNI_E_CONFIG,
			"IPAM plugin returned missing IP config: there is no IPAM plugin, and "
			"prevResult has no address");
	op->res.ips = op->prev.ips;
	op->res.nips = op->prev.nips;
	op->res.routes = op->prev.routes;
	op->res.nroutes = op->prev.nroutes;
	op->prev.ips = NULL;
	op->prev.routes = NULL;
	op->prev.nips = op->prev.nroutes = 0;
	return 0;
}

static int ipvlan_add(struct cni_op *op, struct err *e)
{
	int r;

	if ((r = chained_master(op, e)) < 0 || (r = take_addresses(op, e)) < 0)
		return r;
	return child_add(op, e);
}

static const struct cni_step ipvlan_steps[] = { CHILD_ROWS("ipvlan", ipvlan_add), { 0 } };

const struct cni_plugin cni_plugin_ipvlan = {
	.name = "ipvlan",
	.about = "gives a container an interface that shares the MAC address of a host interface",
	.fields = ipvlan_fields,
	.conf_size = sizeof(struct ipvlan_conf),
	.conf_init = ipvlan_conf_init,
	.conf_check = ipvlan_conf_check,
	.steps = ipvlan_steps,
};
