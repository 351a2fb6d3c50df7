// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/common_forward.h"

#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/cni/common_address.h"
#include "netlib/cni/furniture.h"
#include "netlib/cni/plugin.h"
#include "netlib/net/sysctl.h"

static const struct {
	uint8_t family;
	const char *sysctl;
} forwarding[] = {
	{ AF_INET, "net/ipv4/ip_forward" },
	{ AF_INET6, "net/ipv6/conf/all/forwarding" },
};

int common_shared_sysctl(struct cni_op *op, const char *name, const char *value, struct err *e)
{
	int r = txn_point(op->txn, name, e);

	return r < 0 ? r : furniture_sysctl(name, value, e);
}

int common_forwarding(struct cni_op *op, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(forwarding) && r >= 0; i++)
		if (common_has_family(&op->res, forwarding[i].family))
			r = common_shared_sysctl(op, forwarding[i].sysctl, "1", e);
	return r;
}

int common_forwarding_check(struct cni_op *op, struct err *e)
{
	char value[SYSCTL_VALUE_MAX];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(forwarding); i++) {
		if (!common_has_family(&op->prev, forwarding[i].family))
			continue;
		if ((r = sysctl_read(forwarding[i].sysctl, value, e)) < 0)
			return r;
		if (!strcmp(value, "0"))
			return cni_check_fail(e, "sysctl %s: expected 1, found 0",
					      forwarding[i].sysctl);
	}
	return 0;
}
