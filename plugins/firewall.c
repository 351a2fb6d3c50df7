// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * firewall: lets a container's packets through the host's firewall, and keeps bridges apart.
 * CNI_SPEC.md "firewall"; the kernel side is doc/KERNEL.md.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/fw/firewalld.h"
#include "netlib/ip/ifname.h"
#include "netlib/net/link.h"
#include "netlib/net/port.h"
#include "netlib/txn/verbs.h"

enum policy { POLICY_OPEN, POLICY_SAME_BRIDGE, POLICY_ISOLATED };

#define ADMIN_CHAIN "CNI-ADMIN"
#define FORWARD_CHAIN "CNI-FORWARD"
#define CHAIN_NAME_MAX 29 /* of iptables, with terminator */

struct firewall_conf {
	const char *backend_text, *policy_text, *admin_chain, *zone;
	enum fw_backend backend; /* FW_AUTO: what the host uses, see choose() */
	enum policy policy;
	/* the plan; owned */
	struct ip_addr *accept;
	struct fw_isolate *isolate;
};

/* A key whose values are words. */
struct word {
	const char *text;
	int value;
};

static const struct word backends[] = {
	{ "", FW_AUTO },
	{ "nftables", FW_NFTABLES },
	{ "iptables", FW_IPTABLES },
	{ "firewalld", FW_FIREWALLD },
	{ NULL },
};
static const struct word policies[] = {
	{ "", POLICY_OPEN },
	{ "open", POLICY_OPEN },
	{ "same-bridge", POLICY_SAME_BRIDGE },
	{ "isolated", POLICY_ISOLATED },
	{ NULL },
};

static int find_word(const struct word *w, const char *text)
{
	for (; w->text; w++)
		if (!strcmp(w->text, text))
			return w->value;
	return -EINVAL;
}

static const struct field firewall_fields[] = {
	FIELD_STR("backend", struct firewall_conf, backend_text),
	FIELD_STR("iptablesAdminChainName", struct firewall_conf, admin_chain),
	FIELD_STR("firewalldZone", struct firewall_conf, zone),
	FIELD_STR("ingressPolicy", struct firewall_conf, policy_text),
	FIELD_END,
};

static void firewall_conf_clear(void *conf)
{
	free(((struct firewall_conf *)conf)->accept);
	free(((struct firewall_conf *)conf)->isolate);
}

static bool own_admin_chain(const struct firewall_conf *c)
{
	return c->admin_chain && *c->admin_chain && strcmp(c->admin_chain, ADMIN_CHAIN) != 0;
}

static int admin_chain_check(const struct firewall_conf *c, struct err *e)
{
	const char *name = c->admin_chain;

	if (!own_admin_chain(c))
		return 0;
	if (c->backend == FW_NFTABLES)
		return err_code(e, -EOPNOTSUPP, CNI_E_FIELD,
				"/iptablesAdminChainName: is for the iptables backend; with "
				"nftables your own rules go to chain admin of table inet naru");
	if (strlen(name) >= CHAIN_NAME_MAX || strpbrk(name, " \t\n\"'") || *name == '-' ||
	    *name == '!' || !strcmp(name, FORWARD_CHAIN))
		return err_conf(e, "/iptablesAdminChainName",
				"expected the name of a chain of your own, at most %d characters, "
				"got \"%.40s\"",
				CHAIN_NAME_MAX - 1, name);
	return 0;
}

static int conf_words(struct firewall_conf *c, struct err *e)
{
	int backend = find_word(backends, c->backend_text ?: ""),
	    policy = find_word(policies, c->policy_text ?: "");

	if (backend < 0)
		return err_conf(e, "/backend",
				"expected \"nftables\", \"iptables\" or \"firewalld\", got "
				"\"%.40s\"",
				c->backend_text);
	c->backend = (enum fw_backend)backend;
	if (policy < 0)
		return err_conf(e, "/ingressPolicy",
				"expected \"open\", \"same-bridge\" or \"isolated\", got "
				"\"%.40s\"",
				c->policy_text);
	c->policy = (enum policy)policy;
	if (c->zone && *c->zone && !firewalld_zone_valid(c->zone))
		return err_conf(e, "/firewalldZone",
				"expected the name of a zone of firewalld, got \"%.40s\"", c->zone);
	return 0;
}

/*
 * Who says nothing gets firewalld where it runs, as with the reference; else what NARU_FW_BACKEND
 * and the host say. A chain with a name of its own is a chain of iptables.
 */
static void choose(struct firewall_conf *c)
{
	const char *forced = getenv("NARU_FW_BACKEND");

	if (c->backend != FW_AUTO || (forced && *forced))
		return;
	if (firewalld_running())
		c->backend = FW_FIREWALLD;
	else if (own_admin_chain(c))
		c->backend = FW_IPTABLES;
}

static int firewall_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct firewall_conf *c = conf;
	int r = conf_words(c, e);

	if (r == 0)
		r = admin_chain_check(c, e);
	if (r < 0)
		return common_is_removal(op) ? 0 : r;
	choose(c);
	return 0;
}

/* ---- deciding: what this attachment needs */

/*
 * The bridge is the first interface of the result, as the reference has it: what a plugin that
 * makes bridges puts there.
 */
static int find_bridge(const struct cni_op *op, const struct cni_result *res, const char **name,
		       struct err *e)
{
	const char *policy = ((const struct firewall_conf *)op->conf)->policy_text;
	const struct cni_iface *i = res->nifaces ? &res->ifaces[0] : NULL;

	if (!i || (i->sandbox && *i->sandbox))
		return err_code(e, -EINVAL, CNI_E_CONFIG,
				"interface needs to be set for ingress policy \"%s\", make sure to "
				"chain \"firewall\" plugin with \"bridge\"",
				policy);
	if (!i->name || ifname_problem(i->name))
		return err_conf(e, "/prevResult/interfaces/0/name",
				"expected the name of the bridge for ingress policy \"%s\", got "
				"\"%.40s\"",
				policy, i->name ?: "");
	*name = i->name;
	return 0;
}

static int make_plan(struct cni_op *op, const struct cni_result *res, struct fw_plan *p,
		     struct err *e)
{
	struct firewall_conf *c = op->conf;
	const char *bridge = NULL;
	int r = c->policy == POLICY_OPEN ? 0 : find_bridge(op, res, &bridge, e);

	if (r < 0)
		return r;
	firewall_conf_clear(c);
	c->accept = calloc(res->nips + 1, sizeof *c->accept);
	c->isolate = calloc(res->nips + 1, sizeof *c->isolate);
	if (!c->accept || !c->isolate)
		return err_set(e, -ENOMEM, "plan the firewall");
	for (size_t i = 0; i < res->nips; i++) {
		c->accept[i] = res->ips[i].address.addr;
		c->isolate[i] =
			(struct fw_isolate){ c->accept[i], bridge, c->policy == POLICY_ISOLATED };
	}
	*p = (struct fw_plan){ .owner = common_owner(op),
			       .accept = c->accept,
			       .naccept = res->nips,
			       .isolate = c->isolate,
			       .nisolate = bridge ? res->nips : 0,
			       .zone = c->zone,
			       .admin_chain = c->admin_chain };
	return 0;
}

/*
 * firewalld accepts and leaves isolation to the packet filter; the others do both in one go. Calls
 * fn for each backend with its share of the plan.
 */
typedef int share_fn(struct cni_op *op, struct fw *fw, const struct fw_plan *p, struct err *e);

static int with(struct cni_op *op, enum fw_backend backend, const struct fw_plan *p, share_fn *fn,
		struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	int r = fw_plan_parts(p) ? fw_open(&fw, backend, e) : 0;

	return r < 0 || !fw ? r : fn(op, fw, p, e);
}

static int share(struct cni_op *op, const struct fw_plan *p, share_fn *fn, struct err *e)
{
	enum fw_backend backend = ((const struct firewall_conf *)op->conf)->backend;
	struct fw_plan accept = *p, isolate = *p;

	if (backend != FW_FIREWALLD)
		return with(op, backend, p, fn, e);
	accept.nisolate = 0;
	isolate.naccept = 0;
	int r = with(op, FW_AUTO, &isolate, fn, e);
	return r < 0 ? r : with(op, FW_FIREWALLD, &accept, fn, e);
}

/* ---- doing */

static int add_share(struct cni_op *op, struct fw *fw, const struct fw_plan *p, struct err *e)
{
	return txn_fw_add(op->txn, fw, p, e);
}

static int check_share(struct cni_op *op, struct fw *fw, const struct fw_plan *p, struct err *e)
{
	(void)op;
	return fw_check(fw, p, e);
}

static int forward_add(struct cni_op *op, struct err *e)
{
	struct fw_plan p;
	int r = make_plan(op, &op->res, &p, e);

	return r < 0 ? r : share(op, &p, add_share, e);
}

static int forward_check(struct cni_op *op, struct err *e)
{
	struct fw_plan p;
	int r = make_plan(op, &op->prev, &p, e);

	if (r == 0)
		r = share(op, &p, check_share, e);
	if (r < 0 && e && !e->code)
		e->code = CNI_E_CHECK;
	return r;
}

/*
 * Whatever the configuration says today, an attachment may have been made with another backend: all
 * are cleaned.
 */
typedef int backend_fn(struct cni_op *op, struct fw *fw, const void *arg, struct err *e);

static int everywhere(struct cni_op *op, backend_fn *fn, const void *arg, struct err *e)
{
	static const enum fw_backend all[] = { FW_NFTABLES, FW_IPTABLES, FW_FIREWALLD };
	struct err first = ERR_INIT;
	bool filters = false; /* one packet filter looks into the other */

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		cleanup_fw struct fw *fw = NULL;
		struct err one = ERR_INIT;
		int r = all[i] == FW_IPTABLES && filters ? 0 : fw_open(&fw, all[i], &one);

		if (fw)
			r = fn(op, fw, arg, &one);
		filters |= fw != NULL;
		if (r < 0 && r != -EOPNOTSUPP) /* what is not there holds nothing */
			err_keep_first(&first, &one);
	}
	if (first.no && e)
		*e = first;
	return -first.no;
}

static int del_one(struct cni_op *op, struct fw *fw, const void *arg, struct err *e)
{
	const struct firewall_conf *c = op->conf;
	const struct fw_plan *hint = arg;
	struct fw_owner owner = common_owner(op);
	/* firewalld has no owners: only who uses it may take the addresses of a result from it */
	bool known = fw_backend_of(fw) != FW_FIREWALLD || c->backend == FW_FIREWALLD;
	struct err one = ERR_INIT;
	/* apart, so that a hint for one is not taken for all there is */
	int r = fw_del(fw, &owner, FW_ACCEPT, hint->naccept && known ? hint : NULL, e),
	    r2 = fw_del(fw, &owner, FW_ISOLATE, hint->nisolate ? hint : NULL, &one);

	if (r == 0 && r2 < 0 && e)
		*e = one;
	return r < 0 ? r : r2;
}

static int forward_del(struct cni_op *op, struct err *e)
{
	struct fw_plan hint = { 0 };

	/* a result without a bridge is no hint */
	if (op->has_prev && make_plan(op, &op->prev, &hint, NULL) < 0)
		hint = (struct fw_plan){ 0 };
	return everywhere(op, del_one, &hint, e);
}

static int gc_one(struct cni_op *op, struct fw *fw, const void *valid, struct err *e)
{
	return fw_gc(fw, op->cc->name, valid, op->cc->nvalid, FW_ACCEPT | FW_ISOLATE, e);
}

static int forward_gc(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_owner *valid = common_valid_owners(op);

	return valid ? everywhere(op, gc_one, valid, e) :
		       err_set(e, -ENOMEM, "collect what the firewall has of a network");
}

static int forward_status(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	int r = fw_open(&fw, ((const struct firewall_conf *)op->conf)->backend, e);

	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r < 0 ? r : common_fw_status(op, fw, e);
}

/* ---- isolated: neighbours on the bridge never get as far as the packet filter */

static bool wants_ports(const struct cni_op *op)
{
	return ((const struct firewall_conf *)op->conf)->policy == POLICY_ISOLATED &&
	       (op->env->verb == CNI_ADD || op->has_prev);
}

typedef int port_fn(struct cni_op *op, const struct link *port, bool isolated, struct err *e);

/* Each interface of the result that is a port of the bridge. */
static int each_port(struct cni_op *op, const struct cni_result *res, port_fn *fn, struct err *e)
{
	struct link bridge, port;
	struct port_state state;
	const char *name;
	size_t n = 0;
	int r = find_bridge(op, res, &name, e);

	if (r < 0 || (r = link_get(op->host, name, &bridge, e)) < 0)
		return r;
	for (size_t i = 1; i < res->nifaces && r == 0; i++) {
		const struct cni_iface *f = &res->ifaces[i];

		if ((f->sandbox && *f->sandbox) || link_get(op->host, f->name, &port, NULL) < 0 ||
		    port.master != bridge.index)
			continue;
		n++;
		if ((r = port_get(op->host, port.index, &state, e)) == 0)
			r = fn(op, &port, state.isolated, e);
	}
	if (r == 0 && !n && !strcmp(bridge.kind, "bridge"))
		return err_conf(e, "/prevResult/interfaces",
				"expected the container's port of bridge %s, which ingress policy "
				"\"isolated\" is about",
				name);
	return r;
}

static int undo_isolate(const struct undo *u, struct txn *t, struct err *e)
{
	int r = port_isolate(t->host, u->index, false, e);

	return r == -ENODEV ? 0 : r;
}

static const struct undo_op op_isolate = { "port isolation off", undo_isolate };

static int port_on(struct cni_op *op, const struct link *port, bool isolated, struct err *e)
{
	struct undo *u =
		isolated ? NULL :
			   txn_reserve(op->txn, &op_isolate, UNDO_HOST, port->name, NULL, NULL, e);

	if (isolated)
		return 0;
	if (!u)
		return -EIO;
	u->index = port->index;
	int r = port_isolate(op->host, port->index, true, e);
	if (r < 0)
		txn_drop(op->txn);
	return r;
}

static int port_off(struct cni_op *op, const struct link *port, bool isolated, struct err *e)
{
	return isolated ? port_isolate(op->host, port->index, false, e) : 0;
}

static int port_check(struct cni_op *op, const struct link *port, bool isolated, struct err *e)
{
	(void)op;
	return isolated ? 0 :
			  cni_check_fail(e,
					 "host interface %s: expected an isolated port of its "
					 "bridge, found one that is not",
					 port->name);
}

static int ports_add(struct cni_op *op, struct err *e)
{
	return each_port(op, &op->res, port_on, e);
}

/* What is gone, or was never there, needs nothing. */
static int ports_del(struct cni_op *op, struct err *e)
{
	struct err one = ERR_INIT;
	int r = each_port(op, &op->prev, port_off, &one);

	if (r == 0 || r == -ENODEV || r == -EINVAL)
		return 0;
	*e = one;
	return r;
}

static int ports_check(struct cni_op *op, struct err *e)
{
	return each_port(op, &op->prev, port_check, e);
}

static const struct cni_step firewall_steps[] = { { .name = "ports",
						    .when = wants_ports,
						    .add = ports_add,
						    .del = ports_del,
						    .check = ports_check,
						    .reload = ports_add },
						  { .name = "forward",
						    .add = forward_add,
						    .del = forward_del,
						    .check = forward_check,
						    .gc = forward_gc,
						    .status = forward_status,
						    .reload = forward_add },
						  { 0 } };

const struct cni_plugin cni_plugin_firewall = {
	.name = "firewall",
	.about = "lets the container's packets through the host's firewall, keeps bridges apart",
	.flags = CNI_CHAINED | CNI_NO_NETNS,
	.min = CNI_V_0_4_0,
	.fields = firewall_fields,
	.conf_size = sizeof(struct firewall_conf),
	.conf_check = firewall_conf_check,
	.conf_clear = firewall_conf_clear,
	.steps = firewall_steps,
};
