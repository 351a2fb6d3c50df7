// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/common_child.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/net/link_kinds.h"
#include "netlib/net/route.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/verbs.h"

int child_needs_ipam(const struct cni_op *op, const char *sentence, struct err *e)
{
	return op->env->verb == CNI_ADD && !common_has_ipam(op) ?
		       err_conf(e, "/ipam/type", "%s", sentence) :
		       0;
}

/* ---- the master */

static int first_default(const struct route *r, void *arg)
{
	uint32_t *oif = arg;

	if (ip_prefix_is_default(&r->dst) && r->table == RT_TABLE_MAIN && r->oif)
		*oif = r->oif;
	return *oif != 0;
}

/* The interface that the first default route leads through, of IPv4 before IPv6. */
static int default_master(struct nl *nl, struct link *out, struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	uint32_t oif = 0;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(families) && !oif; i++)
		if ((r = route_each(nl, families[i], first_default, &oif, e)) < 0)
			return r;
	if (!oif)
		return err_say(e, -ENODEV,
			       "no default route interface found in the %s namespace; name the "
			       "interface to use with the key \"master\"",
			       nl->name);
	return link_get_index(nl, oif, out, e);
}

static struct nl *master_socket(const struct cni_op *op)
{
	const struct child *c = op->conf;

	return c->in_container ? op->cont : op->host;
}

static int find_master(struct cni_op *op, struct err *e)
{
	struct child *c = op->conf;
	struct nl *nl = master_socket(op);
	int r;

	if (c->stands_alone)
		return 0;
	if (!c->master || !*c->master)
		return default_master(nl, &c->lower, e);
	r = link_get(nl, c->master, &c->lower, e);
	return r == -ENODEV ? err_code(e, r, CNI_E_CONFIG,
				       "failed to lookup master \"%.40s\": no such interface in "
				       "the %s namespace",
				       c->master, nl->name) :
			      r;
}

static int check_mtu(const struct child *c, struct err *e)
{
	if (c->mtu >= 0 && (c->stands_alone || (uint32_t)c->mtu <= c->lower.mtu))
		return 0;
	return err_conf(e, "/mtu", "invalid MTU %d, must be [0, master MTU(%u)]", c->mtu,
			c->lower.mtu);
}

/* ---- the link */

static int in_use(const struct cni_op *op, int r, struct err *e)
{
	const struct child *c = op->conf;

	if (r == LINK_EXISTS)
		return err_code(e, -EEXIST, CNI_E_IN_USE,
				"container interface name (\"%s\") already exists in %.150s",
				op->env->ifname, op->env->netns);
	if (r == -EEXIST && !strcmp(c->kind, "vlan"))
		return err_code(
			e, r, CNI_E_IN_USE,
			"VLAN %u of master %s is in use: file exists; the kernel allows one "
			"interface for each VLAN of a master",
			c->value, c->lower.name);
	return r;
}

/* Whose it is, for who finds the interface in a namespace whose path was recycled. */
static int mark(struct cni_op *op, struct err *e)
{
	char alias[LINK_ALIAS_MAX];
	struct nlmsg m;
	int r = txn_point(op->txn, "alias", e); /* goes with the link */

	if (r < 0)
		return r;
	common_alias(op, alias, sizeof alias);
	nlmsg_init(&m);
	link_put_alias(&m, op->cont_index, alias);
	r = nl_talk(op->cont, &m, e);
	return r < 0 ? err_wrap(e, "mark %s as ours", op->env->ifname), r : 0;
}

int child_add(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;
	struct link_child l = {
		.name = op->env->ifname,
		.kind = c->kind,
		.netns = -1,
		.mac = c->mac,
		.value = c->value,
		.bcqueuelen = c->bcqueuelen,
	};
	struct link made;
	int r;

	if ((r = find_master(op, e)) < 0 || (r = check_mtu(c, e)) < 0)
		return r;
	l.mtu = (uint32_t)c->mtu;
	l.lower = c->lower.index;
	if (!c->in_container && !c->stands_alone)
		l.netns = op->netns;
	r = txn_child_add(op->txn, l.netns >= 0 ? UNDO_HOST : UNDO_CONT, &l, e);
	if (r)
		return in_use(op, r, e);
	if ((r = link_get(op->cont, l.name, &made, e)) < 0)
		return r;
	op->cont_index = made.index;
	if (!cni_result_add_iface(&op->res, l.name, op->env->netns, &made.mac))
		return err_set(e, -ENOMEM, "report the interface");
	return mark(op, e);
}

/* Its name and kind say that it is ours, unless its alias or, before it has one, its MAC do not. */
static bool is_anothers(const struct cni_op *op, const struct link *l)
{
	char alias[LINK_ALIAS_MAX];

	common_alias(op, alias, sizeof alias);
	if (str_starts(l->alias, "naru:"))
		return strcmp(l->alias, alias) != 0;
	for (size_t i = 0; op->has_prev && i < op->prev.nifaces; i++) {
		const struct cni_iface *f = &op->prev.ifaces[i];

		if (f->sandbox && *f->sandbox && !strcmp(f->name, op->env->ifname) && f->mac.set &&
		    !mac_eq(&f->mac, &l->mac))
			return true;
	}
	return false;
}

int child_del(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;
	struct err one = ERR_INIT;
	struct link l;
	int r = op->cont ? link_get(op->cont, op->env->ifname, &l, &one) : -ENODEV;

	if (r == -ENODEV || (r == 0 && (strcmp(l.kind, c->kind) != 0 || is_anothers(op, &l))))
		return 0;
	if (r == 0)
		return link_del(op->cont, l.index, e);
	*e = one;
	return r;
}

static int check_master(struct cni_op *op, const struct link *l, struct err *e)
{
	const struct child *c = op->conf;
	int r = c->any_master || c->stands_alone ? 0 : find_master(op, e);

	if (r == -ENODEV && e)
		e->code = CNI_E_CHECK;
	if (r < 0 || c->any_master || c->stands_alone)
		return r;
	if (l->peer != c->lower.index || (l->peer_nsid < 0) != c->in_container)
		return cni_check_fail(e,
				      "interface %s: expected on master %s (index %u) of the %s "
				      "namespace, found on index %u of %s",
				      l->name, c->lower.name, c->lower.index,
				      c->in_container ? "container" : "host", l->peer,
				      l->peer_nsid < 0 ? "its own" : "another");
	return 0;
}

int child_check(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;
	const char *want = link_mode_text(c->kind, c->value);
	struct link l;
	int r = link_get(op->cont, op->env->ifname, &l, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "interface %s: expected in the container, found none",
				      op->env->ifname);
	if (r < 0)
		return r;
	if (strcmp(l.kind, c->kind) != 0)
		return cni_check_fail(e, "interface %s: expected kind %s, found %s", l.name,
				      c->kind, *l.kind ? l.kind : "none");
	if (l.value != c->value && want)
		return cni_check_fail(e, "interface %s: expected mode %s, found %s", l.name, want,
				      link_mode_text(c->kind, l.value) ?: "another");
	if (l.value != c->value)
		return cni_check_fail(e, "interface %s: expected VLAN %u, found %u", l.name,
				      c->value, l.value);
	if (c->bcqueuelen && l.bcqueuelen != c->bcqueuelen)
		return cni_check_fail(e, "interface %s: expected a broadcast queue of %u, found %u",
				      l.name, c->bcqueuelen, l.bcqueuelen);
	return check_master(op, &l, e);
}

int child_status(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;
	int r = link_kind_ready(op->host, c->kind, e);

	if (r == 0 && !c->in_container && !c->any_master)
		r = find_master(op, e);
	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r;
}

/* ---- addresses */

int child_address_add(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;
	struct link l;
	int r;

	if (!op->res.nips) {
		r = link_get(op->cont, op->env->ifname, &l, e);
		return r < 0 ? r : txn_link_up(op->txn, UNDO_CONT, &l, e);
	}
	for (size_t i = 0; i < op->res.nips; i++)
		op->res.ips[i].interface = 0;
	if (!c->keeps_dns && (r = common_dns(op, true, e)) < 0)
		return r;
	return common_address_add(op, op->cont_index, true, e);
}

int child_address_check(struct cni_op *op, struct err *e)
{
	const struct child *c = op->conf;

	return common_address_check(op, c->kind, (uint32_t)c->mtu, e);
}

int child_settle(struct cni_op *op, struct err *e)
{
	struct link l;
	int r = link_get(op->cont, op->env->ifname, &l, e);

	return r < 0 || !(l.flags & IFF_LOWER_UP) ? r : common_addresses_await(op, e);
}
