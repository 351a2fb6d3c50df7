// SPDX-License-Identifier: GPL-2.0-or-later
/* vlan: an interface for one 802.1Q VLAN of one of the host's. CNI_SPEC.md "vlan". */
#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_child.h"

#define VLAN_MAX 4094

struct vlan_conf {
	struct child child;
	int32_t id;
};

static const struct field vlan_fields[] = {
	FIELD_STR("master", struct vlan_conf, child.master),
	FIELD_INT("vlanId", struct vlan_conf, id, INT32_MIN, INT32_MAX),
	FIELD_INT("mtu", struct vlan_conf, child.mtu, INT32_MIN, INT32_MAX),
	FIELD_BOOL("linkInContainer", struct vlan_conf, child.in_container),
	FIELD_END,
};

static void vlan_conf_init(void *conf)
{
	((struct vlan_conf *)conf)->child.kind = "vlan";
}

static int vlan_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct vlan_conf *c = conf;
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (!c->child.master || !*c->child.master)
		return err_conf(
			e, "/master",
			"\"master\" field is required. It specifies the host interface name "
			"to create the VLAN for.");
	if (c->id < 0 || c->id > VLAN_MAX)
		return err_conf(e, "/vlanId",
				"invalid VLAN ID %d (must be between 0 and 4094 inclusive)", c->id);
	c->child.value = (uint32_t)c->id;
	r = child_needs_ipam(op, "expected an IPAM plugin; a vlan needs addresses", e);
	return r < 0 ? r : common_ipam_find(op, e);
}

static const struct cni_step vlan_steps[] = { CHILD_ROWS("vlan", child_add), { 0 } };

const struct cni_plugin cni_plugin_vlan = {
	.name = "vlan",
	.about = "gives a container an interface for one VLAN of a host interface",
	.fields = vlan_fields,
	.conf_size = sizeof(struct vlan_conf),
	.conf_init = vlan_conf_init,
	.conf_check = vlan_conf_check,
	.steps = vlan_steps,
};
