// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/error.h"
#include "netlib/cni/exec.h"
#include "netlib/ip/mac.h"
#include "netlib/txn/verbs.h"

/* ---- IPAM: CNI 1.1.0 section "Delegated plugins" */

bool common_has_ipam(const struct cni_op *op)
{
	return op->cc->ipam_type != NULL;
}

/* Finds the delegate once per operation. */
static int resolve(struct cni_op *op, struct err *e)
{
	if (op->ipam)
		return 0;
	struct cni_target *t = malloc(sizeof *t);
	if (!t)
		return err_set(e, -ENOMEM, "find IPAM plugin %s", op->cc->ipam_type);
	int r = cni_resolve(op->cc->ipam_type, op->env->path, t, e);
	if (r < 0) {
		free(t);
		return r;
	}
	op->ipam = t;
	return 0;
}

bool common_is_removal(const struct cni_op *op)
{
	return op->env->verb == CNI_DEL || op->env->verb == CNI_GC;
}

int common_ipam_find(struct cni_op *op, struct err *e)
{
	struct err quiet = ERR_INIT;
	int r = common_has_ipam(op) ? resolve(op, &quiet) : 0;

	if (r == 0 || op->env->verb != CNI_ADD)
		return 0;
	*e = quiet;
	return r;
}

bool common_ipam_early(const struct cni_op *op)
{
	return common_has_ipam(op) && op->ipam && op->ipam->builtin;
}

bool common_ipam_late(const struct cni_op *op)
{
	return common_has_ipam(op) && !common_ipam_early(op);
}

static int delegate(struct cni_op *op, enum cni_verb verb, struct cni_result *out, struct err *e)
{
	int r = resolve(op, e);

	return r < 0 ? r :
		       cni_delegate(op->ipam, verb, op->env, op->cc->text, op->cc->len,
				    op->cc->version, NULL, out, e);
}

static int undo_ipam(const struct undo *u, struct txn *t, struct err *e)
{
	(void)u;
	return t->ctx ? delegate(t->ctx, CNI_DEL, NULL, e) : 0;
}

static const struct undo_op op_ipam_del = { "ipam del", undo_ipam };

int common_ipam_add(struct cni_op *op, struct err *e)
{
	struct cni_result got = { 0 };
	int r;

	if ((r = resolve(op, e)) < 0)
		return r;
	/*
	 * in process its own records are ours; an executed one is undone by its DEL, also when it
	 * failed (it may have got half-way)
	 */
	if (!op->ipam->builtin &&
	    !txn_reserve(op->txn, &op_ipam_del, UNDO_HOST, NULL, op->cc->ipam_type, NULL, e))
		return -EIO;
	r = cni_delegate(op->ipam, CNI_ADD, op->env, op->cc->text, op->cc->len, op->cc->version,
			 op->txn, &got, e);
	if (r < 0)
		return r;
	/* IPAM results have none; whatever came is not ours to report */
	for (size_t i = 0; i < got.nifaces; i++)
		free(got.ifaces[i].name), free(got.ifaces[i].sandbox),
			free(got.ifaces[i].socket_path), free(got.ifaces[i].pci_id);
	free(got.ifaces);
	op->res.ips = got.ips;
	op->res.nips = got.nips;
	op->res.routes = got.routes;
	op->res.nroutes = got.nroutes;
	op->res.dns = got.dns;
	if (!got.nips)
		return err_say(e, -EINVAL,
			       "IPAM plugin returned missing IP config: %s gave no address",
			       op->cc->ipam_type);
	return 0;
}

int common_ipam_del(struct cni_op *op, struct err *e)
{
	return delegate(op, CNI_DEL, NULL, e);
}

int common_ipam_check(struct cni_op *op, struct err *e)
{
	return delegate(op, CNI_CHECK, NULL, e);
}

int common_ipam_gc(struct cni_op *op, struct err *e)
{
	return delegate(op, CNI_GC, NULL, e);
}

int common_ipam_status(struct cni_op *op, struct err *e)
{
	return delegate(op, CNI_STATUS, NULL, e);
}

/* ---- DNS and MAC */

int common_dns(struct cni_op *op, bool replace_always, struct err *e)
{
	struct json_object *dns = op->cc->dns;
	bool any = json_get(dns, "nameservers") || json_get(dns, "domain") ||
		   json_get(dns, "search") || json_get(dns, "options");

	if (!replace_always && !any)
		return 0;
	return cni_dns_copy(&op->cc->dns_conf, &op->res.dns) < 0 ? err_set(e, -ENOMEM, "copy dns") :
								   0;
}

static int take_mac(const char *text, const char *where, struct mac *out, struct err *e)
{
	if (!text || !*text)
		return 0;
	if (mac_parse(text, out) < 0)
		return err_conf(e, where,
				"expected a MAC address like 02:11:22:33:44:55, got \"%.40s\"",
				text);
	return 0;
}

int common_mac(const struct cni_op *op, struct mac *out, struct err *e)
{
	char from_args[64] = "";
	struct json_object *v;
	int r = cni_arg(op->env->args, "MAC", from_args, sizeof from_args, e);

	if (r < 0 || (r = take_mac(from_args, "CNI_ARGS/MAC", out, e)) < 0)
		return r;
	v = json_get(op->cc->args_cni, "mac");
	if (v && !json_text(v))
		return err_conf(e, "/args/cni/mac", "expected string");
	if ((r = take_mac(json_text(v), "/args/cni/mac", out, e)) < 0)
		return r;
	v = json_get(op->cc->runtime, "mac");
	if (v && !json_text(v))
		return err_conf(e, "/runtimeConfig/mac", "expected string");
	return take_mac(json_text(v), "/runtimeConfig/mac", out, e);
}

/* ---- masquerade */

struct fw_owner common_owner(const struct cni_op *op)
{
	return (struct fw_owner){ .network = op->cc->name,
				  .container = op->env->container,
				  .ifname = op->env->ifname };
}

struct fw_owner *common_valid_owners(const struct cni_op *op)
{
	struct fw_owner *v = calloc(op->cc->nvalid + 1, sizeof *v);

	for (size_t i = 0; v && i < op->cc->nvalid; i++)
		v[i] = (struct fw_owner){
			.network = op->cc->name,
			.container = op->cc->valid[i].container ?: "",
			.ifname = op->cc->valid[i].ifname ?: "",
		};
	return v;
}

/*
 * The addresses of a result as masquerade intents; malloc'd. A chained plugin takes those of its
 * own interface.
 */
static struct fw_masq *masq_of(const struct cni_op *op, const struct cni_result *res, size_t *n)
{
	struct fw_masq *m = calloc(res->nips + 1, sizeof *m);

	*n = 0;
	for (size_t i = 0; m && i < res->nips; i++)
		if (common_ip_is_mine(op, res, &res->ips[i]))
			m[(*n)++].addr = res->ips[i].address;
	return m;
}

bool common_ip_is_mine(const struct cni_op *op, const struct cni_result *res,
		       const struct cni_ip *ip)
{
	if (ip->interface < 0)
		return true;
	if ((size_t)ip->interface >= res->nifaces)
		return false;
	const struct cni_iface *i = &res->ifaces[ip->interface];
	return i->sandbox && *i->sandbox && !strcmp(i->name, op->env->ifname);
}

static int masq_plan(const struct cni_op *op, const struct cni_result *res, struct fw_plan *p,
		     struct fw_masq **owned, struct err *e)
{
	*owned = masq_of(op, res, &p->nmasq);
	if (!*owned)
		return err_set(e, -ENOMEM, "plan masquerade");
	p->owner = common_owner(op);
	p->masq = *owned;
	return 0;
}

int common_masq_add(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_masq *owned = NULL;
	cleanup_fw struct fw *fw = NULL;
	struct fw_plan p = { 0 };
	int r = masq_plan(op, &op->res, &p, &owned, e);

	if (r < 0 || !p.nmasq)
		return r;
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r;
	return txn_fw_add(op->txn, fw, &p, e);
}

int common_masq_del(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_masq *owned = NULL;
	cleanup_fw struct fw *fw = NULL;
	struct fw_owner owner = common_owner(op);
	struct fw_plan hint = { 0 };
	int r;

	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		/* a kernel without nf_tables holds nothing of ours */
		return r == -EOPNOTSUPP ? 0 : r;
	if (op->has_prev && (r = masq_plan(op, &op->prev, &hint, &owned, e)) < 0)
		return r;
	return fw_del(fw, &owner, FW_MASQ, hint.nmasq ? &hint : NULL, e);
}

int common_masq_check(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_masq *owned = NULL;
	cleanup_fw struct fw *fw = NULL;
	struct fw_plan p = { 0 };
	int r = masq_plan(op, &op->prev, &p, &owned, e);

	if (r < 0 || (r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r;
	r = fw_check(fw, &p, e);
	if (r < 0 && e && !e->code)
		e->code = CNI_E_CHECK;
	return r;
}

int common_masq_gc(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_owner *valid = common_valid_owners(op);
	cleanup_fw struct fw *fw = NULL;
	int r;

	if (!valid)
		return err_set(e, -ENOMEM, "collect masquerade elements");
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	return fw_gc(fw, op->cc->name, valid, op->cc->nvalid, FW_MASQ, e);
}

int common_fw_status(const struct cni_op *op, struct fw *fw, struct err *e)
{
	int r = fw_ready(fw, e);

	if (r < 0) {
		if (e)
			e->code = CNI_E_UNAVAILABLE;
		return r;
	}
	if ((r = fw_intact(fw, e)) == -ENOENT && e) {
		e->code = CNI_E_LIMITED;
		err_details(e, "the next ADD puts the rules back, and so does: naru cni reload %s",
			    op->cc->name);
	}
	return r;
}

static int is_of_network(const char *owner, const char *what, const char *text, void *arg)
{
	size_t n = strlen(arg);

	(void)text;
	return !strncmp(owner, arg, n) && owner[n] == '/' && !strcmp(what, "masquerade");
}

struct any_link {
	char *network;
	bool found;
};

static int note_attached(const struct link *l, void *arg)
{
	struct any_link *x = arg;

	x->found |= common_alias_in_network(l->alias, x->network);
	return x->found;
}

/* Containers are attached, and the firewall has nothing of their network: somebody flushed it. */
static int masq_lost(struct cni_op *op, struct fw *fw, struct err *e)
{
	struct any_link x = { .network = (char *)op->cc->name };
	int r = op->host ? link_each(op->host, note_attached, &x, e) : 0;

	if (r < 0 || !x.found)
		return r;
	r = fw_each(fw, is_of_network, x.network, e);
	if (r != 0)
		return r < 0 ? r : 0;
	(void)err_code(e, -ENOENT, CNI_E_LIMITED,
		       "containers of network %s are attached, but the firewall has no masquerade "
		       "of theirs; somebody has flushed it",
		       op->cc->name);
	if (e)
		err_details(e, "naru cni reload %s puts it back", op->cc->name);
	return -ENOENT;
}

int common_masq_status(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	int r = fw_open(&fw, op->fw_backend, e);

	if (r < 0) {
		if (e)
			e->code = CNI_E_UNAVAILABLE;
		return r;
	}
	if ((r = common_fw_status(op, fw, e)) < 0)
		return r;
	return masq_lost(op, fw, e);
}

int common_fw_backend(const char *path, const char *text, enum fw_backend *out, struct err *e)
{
	if (!text || !*text || fw_backend_parse(text, out) == 0)
		return 0;
	return err_conf(e, path, "expected \"nftables\" or \"iptables\", got \"%.40s\"", text);
}

int common_masq_backend(struct cni_op *op, const char *text, struct err *e)
{
	return common_fw_backend("/ipMasqBackend", text, &op->fw_backend, e);
}

/* Does a value ask for anything? Numbers do unless 0. */
static bool asks(struct json_object *v)
{
	int64_t n;

	if (json_text(v))
		return *json_text(v) != 0;
	if (json_int(v, &n) == 0)
		return n != 0;
	if (json_is_array(v))
		return json_len(v) > 0;
	return json_true(v) || json_is_object(v);
}

int common_refuse(const struct cni_op *op, const char *const *keys, struct err *e)
{
	for (; *keys; keys++)
		if (asks(json_get(op->cc->doc.root, *keys)))
			return err_code(e, -EOPNOTSUPP, CNI_E_FIELD,
					"/%s: %s does not support this key yet; leave it out",
					*keys, op->plugin->name);
	return 0;
}
