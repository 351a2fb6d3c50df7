// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/common_veth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"
#include "netlib/fw/owner.h"
#include "netlib/txn/verbs.h"

#define NAME_SALTS 10 /* host names tried when a derived one belongs to somebody else */

static void alias_of(const char *network, const char *container, const char *ifname, char *buf,
		     size_t size)
{
	uint64_t h =
		hash_end(hash_part(hash_part(hash_part(HASH_INIT, network), container), ifname));
	char mark[FW_OWNER_NETWORK_MAX];

	(void)str_copyf(buf, size, "naru:%016llx %s/%.80s/%.15s", (unsigned long long)h,
			fw_owner_network(network, mark), container, ifname);
}

void common_alias(const struct cni_op *op, char *buf, size_t size)
{
	alias_of(op->cc->name, op->env->container, op->env->ifname, buf, size);
}

bool common_alias_in_network(const char *alias, const char *network)
{
	return str_starts(alias, "naru:") && fw_owner_in_network(alias + strlen("naru:"), network);
}

bool common_alias_is_attachment(const char *alias)
{
	const char *owner = alias + strlen("naru:");

	return str_starts(alias, "naru:") && fw_owner_names(owner) != owner;
}

void common_veth_name(const struct cni_op *op, unsigned salt, char out[IFNAME_MAX])
{
	ifname_derive(out, "veth", op->cc->name, op->env->container, op->env->ifname, salt);
}

int common_host_veth(struct cni_op *op, struct link *out, struct err *e)
{
	char alias[LINK_ALIAS_MAX], name[IFNAME_MAX];
	struct link l;

	common_alias(op, alias, sizeof alias);
	for (unsigned salt = 0; salt < NAME_SALTS; salt++) {
		common_veth_name(op, salt, name);
		int r = link_get(op->host, name, &l, e);

		if (r == -ENODEV)
			/* a later name may still be ours: the first was somebody else's then */
			continue;
		if (r < 0)
			return r;
		/* no alias yet: its creation was cut off between two messages */
		if (!strcmp(l.kind, "veth") &&
		    (!strcmp(l.alias, alias) || (!*l.alias && salt == 0))) {
			*out = l;
			return 0;
		}
	}
	return err_say(e, -ENODEV, "no host interface of container %.64s, interface %s",
		       op->env->container, op->env->ifname);
}

int common_veth_add(struct cni_op *op, struct veth_spec *v, struct err *e)
{
	char alias[LINK_ALIAS_MAX];
	struct link l;

	common_alias(op, alias, sizeof alias);
	v->peer = op->env->ifname;
	v->peer_netns = op->netns;
	v->alias = alias;
	for (unsigned salt = 0; salt < NAME_SALTS; salt++) {
		common_veth_name(op, salt, v->name);
		int r = txn_veth_add(op->txn, v, e);

		if (r <= 0)
			return r;
		if (link_get(op->cont, op->env->ifname, &l, NULL) == 0)
			return err_code(e, -EEXIST, CNI_E_IN_USE,
					"container veth name (\"%s\") already exists in %.150s",
					op->env->ifname, op->env->netns);
		if (link_get(op->host, v->name, &l, NULL) == 0 && !strcmp(l.alias, alias))
			return err_code(e, -EEXIST, CNI_E_IN_USE,
					"container %.64s is already attached to network %s as %s "
					"(host interface %s)",
					op->env->container, op->cc->name, op->env->ifname, v->name);
	}
	return err_code(e, -EEXIST, CNI_E_IN_USE,
			"no free name for the host interface after %d attempts", NAME_SALTS);
}

int common_veth_del(struct cni_op *op, struct err *e)
{
	struct err quiet = ERR_INIT;
	struct link l;
	int r = common_host_veth(op, &l, &quiet);

	if (r == -ENODEV)
		return common_container_del(op, e);
	if (r < 0) {
		*e = quiet;
		return r;
	}
	return link_del(op->host, l.index, e);
}

int common_veth_del_deferred(struct cni_op *op, struct err *e)
{
	struct link l;
	int r = common_host_veth(op, &l, e);

	if (r < 0)
		return r == -ENODEV ? common_container_del(op, e) : r;
	/*
	 * off the bridge at once, so that the address can be given out again; the slow part is the
	 * kernel's grace period
	 */
	if ((r = link_down(op->host, l.index, e)) < 0)
		return r == -ENODEV ? 0 : r;
	return link_del_aside(op->host, l.index, e);
}

bool common_is_anothers(const struct cni_op *op, const struct link *l)
{
	char alias[LINK_ALIAS_MAX];
	struct link peer;

	for (size_t i = 0; op->has_prev && i < op->prev.nifaces; i++) {
		const struct cni_iface *f = &op->prev.ifaces[i];

		if (f->sandbox && *f->sandbox && !strcmp(f->name, op->env->ifname) && f->mac.set &&
		    !mac_eq(&f->mac, &l->mac))
			return true;
	}
	common_alias(op, alias, sizeof alias);
	return l->peer && link_get_index(op->host, l->peer, &peer, NULL) == 0 &&
	       str_starts(peer.alias, "naru:") && strcmp(peer.alias, alias);
}

/*
 * Links of other makers (the Go plugins, before an upgrade) have random host names: take the
 * container's end, if it is a veth.
 */
int common_container_del(struct cni_op *op, struct err *e)
{
	struct link l;

	if (!op->cont || link_get(op->cont, op->env->ifname, &l, NULL) < 0 ||
	    strcmp(l.kind, "veth") || common_is_anothers(op, &l))
		return 0;
	return link_del(op->cont, l.index, e);
}

int common_host_veth_any(struct cni_op *op, struct link *out, struct err *e)
{
	struct err quiet = ERR_INIT;
	struct link cont, host;
	int r = common_host_veth(op, out, &quiet);

	if (r == 0)
		return 0;
	if (r == -ENODEV && link_get(op->cont, op->env->ifname, &cont, NULL) == 0 &&
	    !strcmp(cont.kind, "veth") && cont.peer && !common_is_anothers(op, &cont) &&
	    link_get_index(op->host, cont.peer, &host, NULL) == 0 && !strcmp(host.kind, "veth") &&
	    host.peer == cont.index && !*host.alias) {
		*out = host;
		return 0;
	}
	*e = quiet;
	return r;
}

struct collect {
	struct cni_op *op;
	const char *kind;
	uint32_t *index;
	size_t n;
	bool oom;
};

/* Of this network, and of no valid attachment? The alias says so. */
static int collect_link(const struct link *l, void *arg)
{
	struct collect *c = arg;
	const struct cni_conf *cc = c->op->cc;
	char alias[LINK_ALIAS_MAX];

	if (strcmp(l->kind, c->kind) || !common_alias_in_network(l->alias, cc->name))
		return 0;
	for (size_t i = 0; i < cc->nvalid; i++) {
		alias_of(cc->name, cc->valid[i].container ?: "", cc->valid[i].ifname ?: "", alias,
			 sizeof alias);
		if (!strcmp(alias, l->alias))
			return 0;
	}
	uint32_t *slot = vec_add(&c->index, &c->n);
	if (slot)
		*slot = l->index;
	c->oom |= !slot;
	return 0;
}

int common_link_gc(struct cni_op *op, const char *kind, struct err *e)
{
	struct collect c = { .op = op, .kind = kind };
	struct err first = ERR_INIT;
	int r = link_each(op->host, collect_link, &c, e);

	for (size_t i = 0; r == 0 && i < c.n; i++) {
		struct err one = ERR_INIT;

		if (link_del(op->host, c.index[i], &one) < 0)
			err_keep_first(&first, &one);
	}
	free(c.index);
	if (r == 0 && c.oom)
		r = err_set(e, -ENOMEM, "collect interfaces");
	if (r == 0 && first.no) {
		*e = first;
		r = -first.no;
	}
	return r;
}

int common_veth_gc(struct cni_op *op, struct err *e)
{
	return common_link_gc(op, "veth", e);
}
