// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * masquerade: source NAT as a plugin of its own in a chain; what ipMasq of bridge and veth does.
 * CNI_SPEC.md "masquerade".
 */
#include "netlib/cni/common.h"

struct masquerade_conf {
	const char *backend;
};

static const struct field masquerade_fields[] = {
	FIELD_STR("ipMasqBackend", struct masquerade_conf, backend),
	FIELD_END,
};

static int masquerade_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	const struct masquerade_conf *c = conf;

	return common_masq_backend(op, c->backend, e);
}

static const struct cni_step steps[] = { { .name = "masq",
					   .add = common_masq_add,
					   .del = common_masq_del,
					   .check = common_masq_check,
					   .gc = common_masq_gc,
					   .status = common_masq_status,
					   .reload = common_masq_add },
					 { 0 } };

const struct cni_plugin cni_plugin_masquerade = {
	.name = "masquerade",
	.about = "gives connections out of the container's subnet the host's address",
	.flags = CNI_CHAINED | CNI_NO_NETNS,
	.min = CNI_V_0_3_0,
	.fields = masquerade_fields,
	.conf_size = sizeof(struct masquerade_conf),
	.conf_check = masquerade_conf_check,
	.steps = steps,
};
