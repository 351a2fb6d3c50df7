// SPDX-License-Identifier: GPL-2.0-or-later
/* A bridge's port that sends with one MAC address only. CNI_SPEC.md "bridge". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/fw/spoof.h"
#include "netlib/txn/verbs.h"
#include "plugins/bridge/bridge.h"

#define NAMES 11 /* the port's if it is known, and those that can be derived */

bool bridge_has_guard(const struct cni_op *op)
{
	return ((const struct bridge_conf *)op->conf)->mac_check;
}

/* The address that the container's interface has by a result; NULL when it has none. */
static const struct mac *mac_in(const struct cni_op *op, const struct cni_result *res)
{
	for (size_t i = 0; i < res->nifaces; i++) {
		const struct cni_iface *f = &res->ifaces[i];

		if (f->sandbox && *f->sandbox && f->mac.set && !strcmp(f->name, op->env->ifname))
			return &f->mac;
	}
	return NULL;
}

int bridge_guard_add(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	const struct mac *mac = mac_in(op, &op->res);
	struct fw_spoof s = { .owner = common_owner(op), .port = c->port_name };

	if (mac)
		s.mac = *mac;
	return txn_spoof_add(op->txn, &s, e);
}

/* The port is gone by now, and perhaps long since. */
int bridge_guard_del(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	struct fw_owner owner = common_owner(op);
	char names[NAMES][IFNAME_MAX];
	size_t n = 0;

	if (*c->port_name)
		(void)str_copyf(names[n++], IFNAME_MAX, "%s", c->port_name);
	for (unsigned salt = 0; salt < NAMES - 1; salt++)
		common_veth_name(op, salt, names[n++]);
	return fw_spoof_del(&owner, (const char(*)[IFNAME_MAX])names, n,
			    op->has_prev ? mac_in(op, &op->prev) : NULL, e);
}

int bridge_guard_check(struct cni_op *op, struct err *e)
{
	const struct bridge_conf *c = op->conf;
	const struct mac *mac = mac_in(op, &op->prev);
	struct fw_spoof s = { .owner = common_owner(op), .port = c->port_name };
	int r;

	if (!mac)
		return cni_check_fail(
			e, "prevResult has no MAC address of interface %s to compare with",
			op->env->ifname);
	s.mac = *mac;
	r = fw_spoof_check(&s, e);
	if (r < 0 && e && !e->code)
		e->code = CNI_E_CHECK;
	return r;
}

int bridge_guard_gc(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_owner *valid = common_valid_owners(op);

	return valid ? fw_spoof_gc(op->cc->name, valid, op->cc->nvalid, e) :
		       err_set(e, -ENOMEM, "collect guarded ports");
}

int bridge_guard_status(struct cni_op *op, struct err *e)
{
	int r = bridge_has_guard(op) ? fw_spoof_ready(e) : 0;

	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r;
}
