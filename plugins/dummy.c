// SPDX-License-Identifier: GPL-2.0-or-later
/* dummy: an interface that leads nowhere, to hold addresses. CNI_SPEC.md "dummy". */
#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_child.h"

static void dummy_conf_init(void *conf)
{
	*(struct child *)conf =
		(struct child){ .kind = "dummy", .stands_alone = true, .keeps_dns = true };
}

static int dummy_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	int r = child_needs_ipam(op, "dummy interface requires an IPAM configuration", e);

	(void)conf;
	return r < 0 ? r : common_ipam_find(op, e);
}

static const struct cni_step dummy_steps[] = { CHILD_ROWS("dummy", child_add), { 0 } };

const struct cni_plugin cni_plugin_dummy = {
	.name = "dummy",
	.about = "gives a container an interface that leads nowhere, to hold addresses",
	.conf_size = sizeof(struct child),
	.conf_init = dummy_conf_init,
	.conf_check = dummy_conf_check,
	.steps = dummy_steps,
};
