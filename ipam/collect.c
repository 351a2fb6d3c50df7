// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipam/scan.h"
#include "ipam/store.h"
#include "netlib/base/err.h"

struct reclaim {
	struct store *s;
	size_t n;
};

static bool is_stale(const struct index *ix, const struct index_entry *en)
{
	return en->boot[0] && strcmp(en->boot, ix->boot) != 0;
}

static int reclaim_entry(const char *key, void *arg)
{
	struct reclaim *rc = arg;
	cleanup_entry struct index_entry en = { 0 };
	char name[IP_TEXT_MAX], owner[INDEX_KEY_MAX];
	struct lease l;

	if (index_get(&rc->s->ix, key, &en) != 1 || !is_stale(&rc->s->ix, &en) || en.many)
		return 0;
	for (size_t i = 0; i < en.n; i++) {
		if (lease_read(rc->s->ix.net, ip_text(&en.v[i], name), &l) < 0 ||
		    l.state != LEASE_OWNED)
			continue;
		index_key(&(struct lease_owner){ l.container, l.ifname }, owner);
		if (!strcmp(owner, key) && unlinkat(rc->s->ix.net, name, 0) == 0)
			rc->n++;
	}
	index_drop(&rc->s->ix, key);
	return 0;
}

int collect_reclaim(struct store *s, size_t *n, struct err *e)
{
	struct reclaim rc = { .s = s };
	int r = index_each(&s->ix, reclaim_entry, &rc, e);

	*n = rc.n;
	return r;
}

bool collect_is_stale(const struct store *s, const char *container, const char *ifname)
{
	cleanup_entry struct index_entry en = { 0 };
	char key[INDEX_KEY_MAX];

	index_key(&(struct lease_owner){ container, ifname }, key);
	return s->complete && index_get(&s->ix, key, &en) == 1 && is_stale(&s->ix, &en);
}

static int stale_entry(const char *key, void *arg)
{
	const struct index *ix = arg;
	cleanup_entry struct index_entry en = { 0 };

	return index_get(ix, key, &en) == 1 && is_stale(ix, &en);
}

bool collect_has_stale(const struct store *s)
{
	struct index ix = s->ix;

	return ix.dir >= 0 && index_each(&ix, stale_entry, &ix, NULL) > 0;
}

struct sweep {
	const struct store *s;
	bool (*keep)(const char *container, const char *ifname, const void *arg);
	const void *arg;
	struct err first;
};

static int sweep_lease(int dir, const char *name, void *arg)
{
	struct sweep *c = arg;
	struct err e = ERR_INIT;
	struct ip_addr a;
	struct lease l;
	int r;

	if (lease_name_parse(name, &a) < 0)
		return 0;
	if ((r = lease_read(dir, name, &l)) < 0)
		(void)err_set(&e, r, "read %s/%s", c->s->path, name);
	else if (l.state == LEASE_EMPTY ||
		 (l.state == LEASE_OWNED && !c->keep(l.container, l.ifname, c->arg)))
		if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			(void)err_set(&e, -errno, "release %s in %s", name, c->s->path);
	if (e.no)
		err_keep_first(&c->first, &e);
	return 0;
}

int collect_dead(struct store *s,
		 bool (*keep)(const char *container, const char *ifname, const void *arg),
		 const void *arg, struct err *e)
{
	struct sweep c = { .s = s, .keep = keep, .arg = arg };
	struct err again = ERR_INIT;

	if (scan_dir(s->ix.net, sweep_lease, &c, &again) < 0 || index_rebuild(&s->ix, &again) < 0)
		err_keep_first(&c.first, &again);
	if (!c.first.no)
		return 0;
	err_keep_first(e, &c.first);
	return -c.first.no;
}

struct oldest {
	const struct range_set *set;
	struct old_lease *v;
	size_t n, max;
};

static int rank_age(int dir, const char *name, void *arg)
{
	struct oldest *o = arg;
	struct old_lease x;
	struct stat st;
	size_t i;

	if (lease_name_parse(name, &x.addr) < 0 || !range_set_find(o->set, &x.addr) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	x.made = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	if (o->n == o->max && x.made >= o->v[o->n - 1].made)
		return 0;
	if (lease_read(dir, name, &x.lease) < 0 || x.lease.state != LEASE_OWNED)
		return 0;
	for (i = o->n < o->max ? o->n++ : o->n - 1; i && o->v[i - 1].made > x.made; i--)
		o->v[i] = o->v[i - 1];
	o->v[i] = x;
	return 0;
}

int collect_oldest(const struct store *s, const struct range_set *set, struct old_lease *v,
		   size_t max, size_t *n, struct err *e)
{
	struct oldest o = { .set = set, .v = v, .max = max };
	int r = scan_dir(s->ix.net, rank_age, &o, e);

	*n = o.n;
	return r;
}
