// SPDX-License-Identifier: GPL-2.0-or-later
/* macvlan: an interface with an address of its own on one of the host's. CNI_SPEC.md "macvlan". */
#include <errno.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_child.h"
#include "netlib/net/link_kinds.h"
#include "netlib/txn/verbs.h"

struct macvlan_conf {
	struct child child;
	const char *mode;
};

static const struct field macvlan_fields[] = {
	FIELD_STR("master", struct macvlan_conf, child.master),
	FIELD_STR("mode", struct macvlan_conf, mode),
	FIELD_INT("mtu", struct macvlan_conf, child.mtu, INT32_MIN, INT32_MAX),
	FIELD_TEXT("mac", struct macvlan_conf, child.mac, mac_parse_field,
		   "a MAC address like 02:11:22:33:44:55"),
	FIELD_BOOL("linkInContainer", struct macvlan_conf, child.in_container),
	FIELD_U32("bcqueuelen", struct macvlan_conf, child.bcqueuelen, 0, UINT32_MAX),
	FIELD_END,
};

static void macvlan_conf_init(void *conf)
{
	struct macvlan_conf *c = conf;

	c->child.kind = "macvlan";
	c->mode = "bridge";
}

static int macvlan_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct macvlan_conf *c = conf;
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (link_mode_parse("macvlan", *c->mode ? c->mode : "bridge", &c->child.value) < 0)
		return err_conf(
			e, "/mode",
			"unknown macvlan mode: \"%.40s\"; expected bridge, private, vepa or "
			"passthru",
			c->mode);
	if ((r = common_mac(op, &c->child.mac, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}

/* Neighbours learn at once that an address has moved here. */
static int macvlan_add(struct cni_op *op, struct err *e)
{
	char name[96];
	int r = child_add(op, e);

	if (r < 0 || !common_has_ipam(op))
		return r;
	(void)str_copyf(name, sizeof name, "net/ipv6/conf/%s/ndisc_notify", op->env->ifname);
	r = txn_sysctl(op->txn, UNDO_CONT, name, "1", e);
	return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

static const struct cni_step macvlan_steps[] = { CHILD_ROWS("macvlan", macvlan_add), { 0 } };

const struct cni_plugin cni_plugin_macvlan = {
	.name = "macvlan",
	.about = "gives a container an interface with a MAC address of its own on a host interface",
	.fields = macvlan_fields,
	.conf_size = sizeof(struct macvlan_conf),
	.conf_init = macvlan_conf_init,
	.conf_check = macvlan_conf_check,
	.steps = macvlan_steps,
};
