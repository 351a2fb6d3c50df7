// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host-local: addresses out of ranges, remembered in files on this host (CNI 1.1.0 section 4,
 * "IPAM"). What it may hand out is decided in host-local-conf.c, which address comes next in
 * alloc.c; store.c keeps the reservations.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipam/collect.h"
#include "ipam/host-local-conf.h"
#include "ipam/pool.h"
#include "ipam/resolv.h"
#include "ipam/store.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"

#define OLDEST_SHOWN 3

extern const struct cni_plugin cni_plugin_host_local;

static struct lease_owner owner_of(const struct cni_op *op)
{
	return (struct lease_owner){ op->env->container, op->env->ifname };
}

/* ---- dns */

static bool has_resolv(const struct cni_op *op)
{
	const struct host_local_conf *c = op->conf;

	return c->ipam.resolv_conf && *c->ipam.resolv_conf;
}

static int resolv_add(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;

	return resolv_read(c->ipam.resolv_conf, &op->res.dns, e);
}

/*
 * ---- the undo of ADD: "<container>/<ifname> <set>=<address>=<marker before>..." on the network
 * directory
 */

struct undo_lease {
	size_t set;
	struct ip_addr addr, before; /* before unset: there was no marker */
};

static char *undo_text(const struct lease_owner *o, const struct undo_lease *v, size_t n)
{
	cleanup_str struct str s = STR_INIT;
	char addr[IP_TEXT_MAX], before[IP_TEXT_MAX];

	str_addf(&s, "%s/%s", o->container, o->ifname);
	for (size_t i = 0; i < n; i++)
		str_addf(&s, " %zu=%s=%s", v[i].set, ip_text(&v[i].addr, addr),
			 ip_is_set(&v[i].before) ? ip_text(&v[i].before, before) : "");
	return str_take(&s);
}

/* word is changed */
static int undo_word(char *word, struct undo_lease *out)
{
	char *addr = strchr(word, '='), *before = addr ? strchr(addr + 1, '=') : NULL;
	uint64_t set;

	if (!before)
		return -EINVAL;
	*addr++ = 0;
	*before++ = 0;
	*out = (struct undo_lease){ 0 };
	if (str_u64(word, SIZE_MAX, &set) < 0 || ip_parse(addr, &out->addr) < 0)
		return -EINVAL;
	out->set = (size_t)set;
	return *before ? ip_parse(before, &out->before) : 0;
}

static int undo_one(struct store *s, const struct lease_owner *o, char *word, struct err *e)
{
	struct undo_lease l;

	if (undo_word(word, &l) < 0)
		return err_say(e, -EINVAL, "release \"%s\": expected set=address=marker", word);
	struct ip_addr now = store_last(s, l.set);
	if (ip_eq(&now, &l.addr)) { /* nobody has gone on from there */
		int r = ip_is_set(&l.before) ? store_mark(s, l.set, &l.before, e) :
					       store_unmark(s, l.set, e);

		if (r < 0)
			return r;
	}
	return store_release_some(s, o, &l.addr, 1, e);
}

static int undo_leases(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_free char *dir = strdup(u->a);
	cleanup_free char *text = strdup(u->b);
	cleanup_store struct store s = STORE_INIT;
	char *network = dir ? strrchr(dir, '/') : NULL, *save = NULL;
	int r;

	(void)t;
	if (!network || !text)
		return err_set(e, -ENOMEM, "release %s in %s", u->b, u->a);
	*network++ = 0;
	char *container = strtok_r(text, "/", &save), *ifname = strtok_r(NULL, " ", &save);
	if (!container || !ifname)
		return err_say(e, -EINVAL, "release \"%s\": expected container/ifname", u->b);
	const struct lease_owner o = { container, ifname };
	if ((r = store_open(&s, dir, network, false, e)) || (r = store_lock(&s, e)) < 0)
		return r < 0 ? r : 0;
	for (char *word; r == 0 && (word = strtok_r(NULL, " ", &save));)
		r = undo_one(&s, &o, word, e);
	store_seal(&s);
	return r;
}

static const struct undo_op lease_release = { "lease release", undo_leases };

/* ---- ADD */

struct pick {
	struct store *s;
	const struct host_local_conf *c;
	struct lease_owner owner;
	struct ip_addr *had; /* what the owner has already; owned */
	size_t nhad;
};

/* A set can give nothing: how large it is, and who has been there longest. */
static int say_exhausted(struct pick *p, size_t i, struct err *e)
{
	const struct range_set *set = &p->c->sets.v[i];
	struct old_lease old[OLDEST_SHOWN];
	cleanup_str struct str text = STR_INIT, who = STR_INIT;
	char addr[IP_TEXT_MAX];
	struct alloc_iter it;
	struct ip_addr a;
	size_t n = 0, all = 0;

	for (alloc_begin(&it, set, NULL); alloc_next(&it, &a, NULL);)
		all++;
	(void)collect_oldest(p->s, set, old, OLDEST_SHOWN, &n, NULL);
	for (size_t k = 0; k < n; k++)
		str_addf(&who, "%s %s (%.64s%s%s)", k ? "," : "", ip_text(&old[k].addr, addr),
			 old[k].lease.container, *old[k].lease.ifname ? " " : "",
			 old[k].lease.ifname);
	range_set_text(set, &text);
	int r = err_code(
		e, -ENOSPC, CNI_E_EXHAUSTED,
		"failed to allocate for range %zu: no IP addresses available in range set: %s", i,
		text.p);
	err_details(
		e,
		"all %zu addresses are reserved, 0 are free in %s; reserved longest:%s; those whose container is gone are "
		"given back by DEL or GC",
		all, p->s->path, who.len ? who.p : " unknown");
	return r;
}

static int choose_next(struct pick *p, size_t i, const struct ip_addr *last, struct ip_addr *out,
		       struct err *e)
{
	const struct range_set *set = &p->c->sets.v[i];
	size_t freed = 0;
	int r = store_find_free(p->s, set, last, out, e);

	if (r == 0 && (r = collect_reclaim(p->s, &freed, e)) == 0 && freed)
		r = store_find_free(p->s, set, last, out, e);
	if (r)
		return r < 0 ? r : 0;
	return say_exhausted(p, i, e);
}

/* An address asked for; one held by an owner of an earlier boot is taken over. */
static int choose_wanted(struct pick *p, size_t i, const struct ip_addr *a, struct ip_addr *out,
			 struct err *e)
{
	cleanup_str struct str set = STR_INIT;
	char text[IP_TEXT_MAX];
	struct lease l;
	int r = store_lease(p->s, a, &l, e);

	if (r < 0)
		return r;
	if (l.state == LEASE_OWNED && collect_is_stale(p->s, l.container, l.ifname) &&
	    (r = store_release(p->s, &(struct lease_owner){ l.container, l.ifname }, e)) < 0)
		return r;
	if (store_is_free(p->s, a)) {
		*out = *a;
		return 0;
	}
	range_set_text(&p->c->sets.v[i], &set);
	r = err_code(
		e, -EADDRINUSE, CNI_E_IN_USE,
		"failed to allocate for range %zu: requested IP address %s is not available in range set %s",
		i, ip_text(a, text), set.p);
	if (l.state == LEASE_OWNED)
		err_details(e, "it is reserved for container %.100s%s%s in %s", l.container,
			    *l.ifname ? ", interface " : "", l.ifname, p->s->path);
	else
		err_details(e, "%s/%s is in the way", p->s->path, text);
	return r;
}

static int check_duplicate(const struct pick *p, size_t i, struct err *e)
{
	char text[IP_TEXT_MAX];

	for (size_t k = 0; k < p->nhad; k++)
		if (range_set_find(&p->c->sets.v[i], &p->had[k]))
			return err_code(
				e, -EEXIST, CNI_E_IN_USE,
				"failed to allocate for range %zu: %s has been allocated to %s, "
				"duplicate allocation is not allowed",
				i, ip_text(&p->had[k], text), p->owner.container);
	return 0;
}

/* Decides on an address for each set; nothing is reserved yet. */
static int choose_all(struct pick *p, struct ip_addr *out, struct undo_lease *undo, struct err *e)
{
	const struct host_local_conf *c = p->c;
	int r = store_owned(p->s, &p->owner, &p->had, &p->nhad, e);

	if (r < 0)
		return r;
	if (p->nhad && collect_is_stale(p->s, p->owner.container,
					p->owner.ifname)) { /* the same container, rebooted */
		p->nhad = 0;
		if ((r = store_release(p->s, &p->owner, e)) < 0)
			return r;
	}
	for (size_t i = 0; i < c->sets.n; i++) {
		undo[i].set = i;
		undo[i].before = store_last(p->s, i);
		if ((r = check_duplicate(p, i, e)) < 0)
			return r;
		r = ip_is_set(&c->want[i]) ? choose_wanted(p, i, &c->want[i], &out[i], e) :
					     choose_next(p, i, &undo[i].before, &out[i], e);
		if (r < 0)
			return r;
		undo[i].addr = out[i];
	}
	return 0;
}

static int reserve(struct cni_op *op, struct pick *p, const struct ip_addr *v,
		   const struct undo_lease *undo, struct err *e)
{
	size_t n = p->c->sets.n;
	cleanup_free char *text = undo_text(&p->owner, undo, n);
	int r;

	if (!text)
		return err_set(e, -ENOMEM, "record an undo");
	if (!txn_reserve(op->txn, &lease_release, UNDO_HOST, NULL, p->s->path, text, e))
		return e ? -e->no : -EIO;
	/* from here on a failure is undone by the record, also what was done in part */
	if ((r = store_claim(p->s, &p->owner, v, n, p->had, p->nhad, e)) < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if ((r = store_mark(p->s, i, &v[i], e)) < 0)
			return r;
	store_seal(p->s);
	return 0;
}

static int fill_result(struct cni_op *op, const struct host_local_conf *c, const struct ip_addr *v,
		       struct err *e)
{
	for (size_t i = 0; i < c->sets.n; i++) {
		const struct ip_range *r = range_set_find(&c->sets.v[i], &v[i]);
		const struct ip_prefix address = { v[i], r->subnet.len };

		if (!cni_result_add_ip(&op->res, &address, &r->gateway, -1))
			return err_set(e, -ENOMEM, "build the result");
	}
	return lists_add_routes(&c->ipam.routes, &op->res, e);
}

/* Which address a set would give, by looking only: what is stale is not reclaimed. */
static int preview(struct pick *p, size_t i, struct ip_addr *out, struct err *e)
{
	const struct range_set *set = &p->c->sets.v[i];
	const struct ip_addr *want = &p->c->want[i];
	struct ip_addr last;
	struct alloc_iter it;
	int r;

	if (ip_is_set(want) && p->s->ix.net >= 0)
		return choose_wanted(p, i, want, out, e);
	if (ip_is_set(want)) {
		*out = *want;
		return 0;
	}
	if (p->s->ix.net < 0) { /* no reservation yet */
		alloc_begin(&it, set, NULL);
		return alloc_next(&it, out, NULL) ? 0 : say_exhausted(p, i, e);
	}
	last = store_last(p->s, i);
	r = store_find_free(p->s, set, &last, out, e);
	return r < 0 ? r : r ? 0 : say_exhausted(p, i, e);
}

/* What would be given now; another may be faster. */
static int lease_plan(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	struct pick p = { .s = &s, .c = c, .owner = owner_of(op) };
	cleanup_free struct ip_addr *v = calloc(c->sets.n, sizeof *v);
	char text[IP_TEXT_MAX];
	int r;

	if (!v)
		return err_set(e, -ENOMEM, "choose addresses");
	if ((r = store_look(&s, c->ipam.data_dir, op->cc->name, e)) == 0)
		r = store_owned(&s, &p.owner, &p.had, &p.nhad, e);
	for (size_t i = 0; r >= 0 && i < c->sets.n; i++)
		r = preview(&p, i, &v[i], e) ?: check_duplicate(&p, i, e);
	free(p.had);
	for (size_t i = 0; r == 0 && i < c->sets.n; i++)
		plan_note("address", "host", "reserve %s in %s", ip_text(&v[i], text), s.path);
	return r < 0 ? r : fill_result(op, c, v, e);
}

static int lease_add(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	struct pick p = { .s = &s, .c = c, .owner = owner_of(op) };
	cleanup_free struct ip_addr *v = calloc(c->sets.n, sizeof *v);
	cleanup_free struct undo_lease *undo = calloc(c->sets.n, sizeof *undo);
	int r;

	if (plan_on())
		return lease_plan(op, e);
	if (!v || !undo)
		return err_set(e, -ENOMEM, "choose addresses");
	if ((r = store_open(&s, c->ipam.data_dir, op->cc->name, true, e)) < 0 ||
	    (r = store_draft(&s, &p.owner, e)) < 0 || (r = store_lock(&s, e)) < 0)
		return r;
	r = choose_all(&p, v, undo, e);
	if (r == 0)
		r = reserve(op, &p, v, undo, e);
	free(p.had);
	store_unlock(&s);
	if (r < 0 || (r = store_sync(&s, e)) < 0)
		return r;
	return fill_result(op, c, v, e);
}

/* ---- DEL, CHECK, GC, STATUS */

static int lease_del_plan(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = owner_of(op);
	cleanup_free struct ip_addr *had = NULL;
	char text[IP_TEXT_MAX];
	size_t n = 0;
	int r = store_look(&s, c->ipam.data_dir, op->cc->name, e);

	if (r == 0)
		r = store_owned(&s, &o, &had, &n, e);
	for (size_t i = 0; i < n; i++)
		plan_note("address", "host", "release %s in %s", ip_text(&had[i], text), s.path);
	return r < 0 ? r : 0;
}

static int lease_del(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = owner_of(op);
	if (plan_on())
		return lease_del_plan(op, e);
	int r = store_open(&s, c->ipam.data_dir, op->cc->name, false, e);

	if (r || (r = store_lock(&s, e)) < 0)
		return r < 0 ? r : 0;
	if ((r = store_release(&s, &o, e)) == 0)
		store_seal(&s);
	return r;
}

/* CNI code 102 in the reference's words, and what is wrong. */
__attribute__((format(printf, 3, 4))) static int
not_found(struct err *e, const struct lease_owner *o, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return cni_check_fail(e, "host-local: Failed to find address added by container %.100s: %s",
			      o->container, why);
}

static int check_one(const struct store *s, const struct lease_owner *o, const struct ip_addr *a,
		     struct err *e)
{
	char text[IP_TEXT_MAX];
	struct lease l;
	int r = store_lease(s, a, &l, e);

	if (r < 0 || lease_is_of(&l, o))
		return r;
	ip_text(a, text);
	if (l.state == LEASE_OWNED)
		return not_found(
			e, o, "expected %s reserved for it in %s, found it reserved for %.64s %s",
			text, s->path, l.container, l.ifname);
	return not_found(e, o, "expected %s reserved for it in %s, found %s", text, s->path,
			 l.state == LEASE_ABSENT ? "no reservation" : "a file that names no owner");
}

static int check_any(const struct store *s, const struct lease_owner *o, struct err *e)
{
	struct ip_addr *had = NULL;
	size_t n = 0;
	int r = store_owned(s, o, &had, &n, e);

	free(had);
	if (r < 0 || n)
		return r;
	return not_found(e, o, "expected a reservation in %s, found none", s->path);
}

/* Only looks: neither directory nor lock are made. */
static int lease_check(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = owner_of(op);
	int r = store_look(&s, c->ipam.data_dir, op->cc->name, e);

	if (r < 0)
		return r;
	if (r > 0)
		return not_found(e, &o, "expected a reservation in %s, found none", s.path);
	if (!op->has_prev || !op->prev.nips)
		return check_any(&s, &o, e);
	for (size_t i = 0; i < op->prev.nips; i++)
		if ((r = check_one(&s, &o, &op->prev.ips[i].address.addr, e)) < 0)
			return r;
	return 0;
}

/* Valid attachments in order, so that each reservation is looked up in them. */
struct valid {
	struct cni_attachment *v;
	size_t n;
};

static int by_owner(const void *a, const void *b)
{
	const struct cni_attachment *x = a, *y = b;
	int r = strcmp(x->container, y->container);

	if (r || !*x->ifname || !*y->ifname) /* "": any interface */
		return r;
	return strcmp(x->ifname, y->ifname);
}

static bool is_valid(const char *container, const char *ifname, const void *arg)
{
	const struct cni_attachment key = { container, ifname };
	const struct valid *valid = arg;

	return valid->n && bsearch(&key, valid->v, valid->n, sizeof key, by_owner);
}

static int lease_gc(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	size_t n = op->cc->nvalid;
	cleanup_store struct store s = STORE_INIT;
	cleanup_free struct cni_attachment *v = calloc(n + 1, sizeof *v);
	int r;

	if (!v)
		return err_set(e, -ENOMEM, "collect reservations");
	if ((r = store_open(&s, c->ipam.data_dir, op->cc->name, false, e)) ||
	    (r = store_lock(&s, e)) < 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct cni_attachment){ op->cc->valid[i].container ?: "",
						op->cc->valid[i].ifname ?: "" };
	qsort(v, n, sizeof *v, by_owner);
	r = collect_dead(&s, is_valid, &(struct valid){ v, n }, e);
	if (r == 0)
		store_seal(&s);
	return r;
}

static int lease_status(struct cni_op *op, struct err *e)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	struct pick p = { .s = &s, .c = c };
	int r = store_look(&s, c->ipam.data_dir, op->cc->name, e);

	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < c->sets.n; i++) {
		struct ip_addr last = store_last(&s, i), a;

		if ((r = store_find_free(&s, &c->sets.v[i], &last, &a, e)) < 0)
			return r;
		if (r == 0 && !collect_has_stale(&s)) {
			(void)say_exhausted(&p, i, e);
			if (e)
				e->code = CNI_E_UNAVAILABLE;
			return -ENOSPC;
		}
	}
	return 0;
}

static void tell_pools(struct cni_op *op, struct json_object *out)
{
	const struct host_local_conf *c = op->conf;
	cleanup_store struct store s = STORE_INIT;
	struct json_object *pools = NULL;

	if (store_look(&s, c->ipam.data_dir, op->cc->name, NULL) >= 0 &&
	    pool_report(&s, c->sets.v, c->sets.n, &pools, NULL) == 0)
		json_set(out, "pools", pools);
}

static const struct cni_step host_local_steps[] = {
	{ "resolvConf", has_resolv, resolv_add, NULL, NULL, NULL, NULL },
	{ "lease", NULL, lease_add, lease_del, lease_check, lease_gc, lease_status },
	{ 0 }
};

const struct cni_plugin cni_plugin_host_local = {
	.name = "host-local",
	.about = "hands out addresses from ranges and remembers them on this host",
	.flags = CNI_IPAM,
	.min = CNI_V_0_1_0,
	.fields = host_local_fields,
	.conf_size = sizeof(struct host_local_conf),
	.conf_check = host_local_conf_check,
	.tell = tell_pools,
	.steps = host_local_steps,
};
