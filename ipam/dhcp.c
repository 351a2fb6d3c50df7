// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dhcp: addresses from a server on the container's network. The plugin only asks; the lease is kept
 * by a daemon, `dhcp daemon`, which is in the same program. CNI_SPEC.md "dhcp".
 */
#include <errno.h>
#include <string.h>

#include "ipam/dhcp/daemon.h"
#include "ipam/dhcp/options.h"
#include "ipam/dhcp/record.h"
#include "ipam/dhcp/rpc.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"
#include "netlib/txn/txn.h"

extern const struct cni_plugin cni_plugin_dhcp;

static int dhcp_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	cleanup_choice struct dhcp_choice unused = { 0 };
	struct dhcp_conf *c = conf;

	if (!c->given)
		return err_conf(e, "/ipam", "IPAM config missing 'ipam' key");
	if (!c->socket || !*c->socket)
		c->socket = DHCP_SOCKET;
	if (!c->data_dir || !*c->data_dir)
		c->data_dir = DHCP_DATA_DIR;
	if (op->env->verb == CNI_DEL || op->env->verb == CNI_GC)
		return 0;
	return dhcp_choose(c, op->env->args, "", &unused, e);
}

/* ---- ADD */

static int undo_lease(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_doc struct doc answer = DOC_INIT;

	return t->ctx ? rpc_ask(u->a, RPC_RELEASE, t->ctx, &answer, e) : 0;
}

static const struct undo_op lease_release = { "dhcp release", undo_lease, UNDO_A };

static int lease_add(struct cni_op *op, struct err *e)
{
	const struct dhcp_conf *c = op->conf;
	cleanup_doc struct doc answer = DOC_INIT;
	int r;

	if (!op->env->netns)
		return err_code(e, -EINVAL, CNI_E_ENV, "CNI_NETNS: expected the container's");
	if (plan_on()) {
		plan_note("address", "container", "ask a DHCP server for %s", op->env->ifname);
		return err_code(e, -EOPNOTSUPP, CNI_E_UNSUPPORTED,
				"a dry run asks no DHCP server; which address it would give, and "
				"what follows from it, is not known before");
	}
	struct undo *u = txn_reserve(op->txn, &lease_release, UNDO_HOST, NULL, c->socket, NULL, e);
	if (!u)
		return -EIO;
	if ((r = rpc_ask(c->socket, RPC_ALLOCATE, op, &answer, e)) < 0)
		return r;
	r = cni_result_decode(json_get(answer.root, "result"), CNI_V_LATEST, &op->res, "/result",
			      e);
	if (r < 0)
		return err_wrap(e, "answer of the DHCP daemon");
	for (size_t i = 0; i < op->res.nroutes && c->priority; i++)
		op->res.routes[i].priority = c->priority;
	return 0;
}

/* ---- the other verbs */

/*
 * For what gives back: no daemon, and no record of such a lease, are success. With a record the
 * daemon has to come first.
 */
static int ask_or_nothing(struct cni_op *op, enum rpc_verb verb, const struct dhcp_record *r,
			  struct err *e)
{
	const struct dhcp_conf *c = op->conf;
	cleanup_doc struct doc answer = DOC_INIT;
	struct err one = ERR_INIT;

	if (rpc_ask(c->socket, verb, op, &answer, &one) == 0)
		return 0;
	if (one.no != EREMOTEIO && record_exists(c->data_dir, r) == 0)
		return 0;
	*e = one;
	return -one.no;
}

static int lease_del(struct cni_op *op, struct err *e)
{
	const struct dhcp_record r = { .container = op->env->container,
				       .network = op->cc->name,
				       .ifname = op->env->ifname };

	if (plan_on()) {
		plan_note("address", "container", "give the lease of %s back", r.ifname);
		return 0;
	}
	return ask_or_nothing(op, RPC_RELEASE, &r, e);
}

static int lease_gc(struct cni_op *op, struct err *e)
{
	return ask_or_nothing(op, RPC_COLLECT, NULL, e);
}

static int lease_check(struct cni_op *op, struct err *e)
{
	const struct dhcp_conf *c = op->conf;
	cleanup_doc struct doc answer = DOC_INIT;

	return rpc_ask(c->socket, RPC_CHECK, op, &answer, e);
}

static int lease_status(struct cni_op *op, struct err *e)
{
	const struct dhcp_conf *c = op->conf;
	cleanup_doc struct doc answer = DOC_INIT;
	int r = rpc_ask(c->socket, RPC_STATUS, op, &answer, e);

	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r;
}

static const struct cni_step dhcp_steps[] = {
	{ .name = "lease",
	  .add = lease_add,
	  .del = lease_del,
	  .check = lease_check,
	  .gc = lease_gc,
	  .status = lease_status },
	{ 0 },
};

const struct cni_plugin cni_plugin_dhcp = {
	.name = "dhcp",
	.about = "leases addresses from a DHCP server on the container's network",
	.flags = CNI_IPAM | CNI_LATE,
	.min = CNI_V_0_1_0,
	.fields = dhcp_fields,
	.conf_size = sizeof(struct dhcp_conf),
	.conf_init = dhcp_conf_init,
	.conf_check = dhcp_conf_check,
	.steps = dhcp_steps,
	.daemon = dhcp_daemon,
};
