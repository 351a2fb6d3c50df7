// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipam/datadir.h"
#include "ipam/scan.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define INDEX_ROOT ".naru"
#define LOCK_NAME "lock"
#define LOCK_TRIES 100 /* each time somebody deletes the file we waited for */
#define PROBES_MAX 64  /* candidates looked at one by one before the directory is listed */
#define LEASE_MODE 0600
#define LOCK_MODE 0750 /* the reference's */
#define DRAFT_NAME ".new"

void store_close(struct store *s)
{
	const int fds[] = { s->draft, s->lock, s->ix.dir, s->ix.net };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(s->path);
	*s = (struct store)STORE_INIT;
}

/*
 * The network directory and, with lock wanted, the index directory: 0, 1 when create is false and
 * there is none.
 */
static int open_dirs(struct store *s, const char *data_dir, const char *network, bool create,
		     bool index, struct err *e)
{
	const char *root = data_dir && *data_dir ? data_dir : STORE_DATA_DIR;
	struct err mine = ERR_INIT;

	if (!(s->path = str_fmt("%s/%s", root, network)))
		return err_set(e, -ENOMEM, "open %s/%s", root, network);
	cleanup_fd int fd = datadir_open(root, create, &mine);
	if (fd >= 0)
		s->ix.net = datadir_sub(fd, network, create ? 0755 : 0, &mine);
	if (fd == -ENOENT || (fd >= 0 && s->ix.net == -ENOENT))
		return create ? (err_keep_first(e, &mine), -ENOENT) : 1;
	if (fd >= 0 && s->ix.net >= 0) {
		cleanup_fd int naru = datadir_sub(fd, INDEX_ROOT, index ? 0700 : 0, &mine);

		s->ix.dir = naru < 0 ? naru : datadir_sub(naru, network, index ? 0700 : 0, &mine);
		if (!index && s->ix.dir == -ENOENT)
			mine = (struct err)ERR_INIT;
	}
	if (!mine.no)
		return 0;
	err_keep_first(e, &mine);
	return err_wrap(e, "reservations in %s", s->path);
}

int store_look(struct store *s, const char *data_dir, const char *network, struct err *e)
{
	int r = open_dirs(s, data_dir, network, false, false, e);

	return r ? r : boot_id(s->ix.boot, e);
}

/* Creates only what is not there: opening an existing file is not a change. */
static int open_or_create(int dir, const char *name, int flags, mode_t mode)
{
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = openat(dir, name,
			    flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
	return fd;
}

/*
 * The file, as the reference locks it. Whoever deleted it while we waited may have let another one
 * in: begin again.
 */
static int lock_file(struct store *s, int64_t deadline_us, struct err *e)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		cleanup_fd int fd = open_or_create(s->ix.net, LOCK_NAME, O_RDWR, LOCK_MODE);
		struct stat mine, now;

		if (fd < 0)
			return err_set(e, -errno, "open %s/" LOCK_NAME, s->path);
		int64_t left_us = deadline_us - clock_us();
		int r = file_lock(fd, left_us > 0 ? (int)(left_us / 1000) : 0, s->path, e);
		if (r < 0)
			return r;
		if (fstat(fd, &mine) == 0 &&
		    fstatat(s->ix.net, LOCK_NAME, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    mine.st_ino == now.st_ino) {
			s->lock = take_fd(fd);
			return 0;
		}
	}
	return err_say(e, -EAGAIN, "lock %s: the file \"" LOCK_NAME "\" is deleted again and again",
		       s->path);
}

int store_open(struct store *s, const char *data_dir, const char *network, bool create,
	       struct err *e)
{
	int r = open_dirs(s, data_dir, network, create, true, e);

	return r ? r : boot_id(s->ix.boot, e);
}

int store_lock(struct store *s, struct err *e)
{
	int64_t deadline_us = clock_us() + STORE_LOCK_MS * INT64_C(1000);
	int r = lock_file(s, deadline_us, e);

	if (r < 0)
		return r;
	int64_t left_us = deadline_us - clock_us();
	if ((r = file_lock(s->ix.net, left_us > 0 ? (int)(left_us / 1000) : 0, s->path, e)) < 0)
		return r;
	if (!index_sealed(&s->ix)) {
		if (index_rebuild(&s->ix, e) < 0)
			return err_wrap(e, "reservations in %s", s->path);
		index_seal(&s->ix);
	}
	s->complete = true;
	return 0;
}

void store_unlock(struct store *s)
{
	(void)flock(s->ix.net, LOCK_UN);
	(void)close(take_fd(s->lock));
	s->complete = false;
}

void store_seal(struct store *s)
{
	index_seal(&s->ix);
}

/* ---- looking ---- */

int store_lease(const struct store *s, const struct ip_addr *a, struct lease *out, struct err *e)
{
	char name[IP_TEXT_MAX];
	int r = lease_read(s->ix.net, ip_text(a, name), out);

	return r < 0 ? err_set(e, r, "read %s/%s", s->path, name) : 0;
}

struct owned {
	const struct lease_owner *owner;
	struct ip_addr *v;
	size_t n;
};

static int add_if_owned(int dir, const char *name, void *arg)
{
	struct owned *o = arg;
	struct ip_addr a;
	struct lease l;

	if (lease_name_parse(name, &a) < 0 || lease_read(dir, name, &l) < 0 ||
	    !lease_is_of(&l, o->owner))
		return 0;
	struct ip_addr *p = vec_add(&o->v, &o->n);
	if (!p)
		return -ENOMEM;
	*p = a;
	return 0;
}

/*
 * What the index tells, each looked up: 0; 1 when it does not tell and everything has to be looked
 * at.
 */
static int owned_by_index(const struct store *s, struct owned *o)
{
	const struct lease_owner whole = { o->owner->container, "" };
	const struct lease_owner *const keys[] = { o->owner, &whole };
	char key[INDEX_KEY_MAX], name[IP_TEXT_MAX];
	int r = 0;

	if (!s->complete)
		return 1;
	for (size_t k = 0; k < ARRAY_LEN(keys) && r == 0; k++) {
		cleanup_entry struct index_entry en = { 0 };

		index_key(keys[k], key);
		int got = index_get(&s->ix, key, &en);
		if (got < 0 || en.many)
			return 1;
		for (size_t i = 0; i < en.n && r == 0; i++)
			r = add_if_owned(s->ix.net, ip_text(&en.v[i], name), o);
	}
	return r;
}

int store_owned(const struct store *s, const struct lease_owner *owner, struct ip_addr **v,
		size_t *n, struct err *e)
{
	struct owned o = { .owner = owner };
	int r = owned_by_index(s, &o);

	if (r > 0) {
		o.n = 0;
		free(take_ptr(o.v));
		r = scan_dir(s->ix.net, add_if_owned, &o, NULL);
	}
	if (r < 0) {
		free(o.v);
		return err_set(e, r, "read the reservations in %s", s->path);
	}
	*v = o.v;
	*n = o.n;
	return 0;
}

static void marker_name(size_t n, char *buf, size_t size)
{
	(void)snprintf(buf, size, "last_reserved_ip.%zu", n);
}

struct ip_addr store_last(const struct store *s, size_t n)
{
	struct ip_addr a = { 0 };
	char name[64];

	marker_name(n, name, sizeof name);
	cleanup_free char *text = NULL;
	if (file_read_at(s->ix.net, name, IP_TEXT_MAX, &text, NULL, NULL) == 0 &&
	    ip_parse(text, &a) < 0)
		a = (struct ip_addr){ 0 };
	return a;
}

/* Under the lock nobody is writing, so an empty reservation is a left-over. */
bool store_is_free(const struct store *s, const struct ip_addr *a)
{
	char name[IP_TEXT_MAX];
	struct stat st;

	if (fstatat(s->ix.net, ip_text(a, name), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (!S_ISREG(st.st_mode) || st.st_size)
		return false;
	return s->lock < 0 || unlinkat(s->ix.net, name, 0) == 0;
}

struct addrs {
	struct ip_addr *v;
	size_t n;
};

static int add_name(int dir, const char *name, void *arg)
{
	struct addrs *l = arg;
	struct ip_addr a;

	(void)dir;
	if (lease_name_parse(name, &a) < 0)
		return 0;
	struct ip_addr *p = vec_add(&l->v, &l->n);
	if (!p)
		return -ENOMEM;
	*p = a;
	return 0;
}

static int cmp_addr(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

int store_find_free(const struct store *s, const struct range_set *set, const struct ip_addr *last,
		    struct ip_addr *out, struct err *e)
{
	struct alloc_iter it;
	struct ip_addr a;

	alloc_begin(&it, set, last);
	for (int i = 0; i < PROBES_MAX; i++) {
		if (!alloc_next(&it, &a, NULL))
			return 0;
		if (store_is_free(s, &a)) {
			*out = a;
			return 1;
		}
	}
	struct addrs l = { 0 };
	int r = scan_dir(s->ix.net, add_name, &l, NULL);
	cleanup_free struct ip_addr *taken = l.v;
	if (r < 0)
		return err_set(e, r, "read the reservations in %s", s->path);
	if (l.n)
		qsort(taken, l.n, sizeof *taken, cmp_addr);
	if (!alloc_next_free(&it, taken, l.n, &a, NULL))
		return 0;
	*out = a;
	return 1;
}

/* ---- changing ---- */

static int write_draft(int fd, const struct lease_owner *o)
{
	char text[LEASE_TEXT_MAX];
	size_t len = lease_text(o, text);
	int r = fd_write_all(fd, text, len);

	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int store_draft(struct store *s, const struct lease_owner *o, struct err *e)
{
	cleanup_fd int fd = openat(s->ix.net, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, LEASE_MODE);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return 0; /* a file system without unnamed files: see link_named */
	int r = fd < 0 ? -errno : write_draft(fd, o);
	if (r < 0)
		return err_set(e, r, "write a reservation in %s", s->path);
	s->draft = take_fd(fd);
	return 0;
}

typedef int link_fn(const struct store *s, const char *name);

static int link_unnamed(const struct store *s, const char *name)
{
	char path[40];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", s->draft);
	return linkat(AT_FDCWD, path, s->ix.net, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int link_named(const struct store *s, const char *name)
{
	return linkat(s->ix.dir, DRAFT_NAME, s->ix.net, name, 0) < 0 ? -errno : 0;
}

static int link_all(const struct store *s, link_fn *give_name, const struct ip_addr *v, size_t n,
		    struct err *e)
{
	char name[IP_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		int r = give_name(s, ip_text(&v[i], name));

		if (r < 0)
			return err_set(e, r, "reserve %s in %s", name, s->path);
	}
	return 0;
}

/* Where there are no unnamed files: one in the index directory, under the lock. */
static int claim_named(const struct store *s, const struct lease_owner *o, const struct ip_addr *v,
		       size_t n, struct err *e)
{
	cleanup_fd int fd =
		openat(s->ix.dir, DRAFT_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		       LEASE_MODE);
	int r = fd < 0 ? -errno : write_draft(fd, o);

	if (r < 0)
		r = err_set(e, r, "write a reservation in %s", s->path);
	else
		r = link_all(s, link_named, v, n, e);
	(void)unlinkat(s->ix.dir, DRAFT_NAME, 0);
	return r;
}

static int put_entry(struct store *s, const struct lease_owner *o, const struct ip_addr *v,
		     size_t n, const struct ip_addr *had, size_t nhad, struct err *e)
{
	cleanup_free struct ip_addr *all = calloc(n + nhad, sizeof *all);
	char key[INDEX_KEY_MAX];

	if (!all)
		return err_set(e, -ENOMEM, "reserve %zu addresses", n);
	memcpy(all, v, n * sizeof *v);
	if (nhad)
		memcpy(all + n, had, nhad * sizeof *had);
	index_key(o, key);
	return index_put(&s->ix, key, all, n + nhad, s->ix.boot, e);
}

/*
 * All addresses of an owner hold the same text: one file with several names, written and synced
 * once.
 */
int store_claim(struct store *s, const struct lease_owner *o, const struct ip_addr *v, size_t n,
		const struct ip_addr *had, size_t nhad, struct err *e)
{
	if (put_entry(s, o, v, n, had, nhad, e) < 0)
		return err_wrap(e, "reservations in %s", s->path);
	return s->draft >= 0 ? link_all(s, link_unnamed, v, n, e) : claim_named(s, o, v, n, e);
}

int store_sync(struct store *s, struct err *e)
{
	return fsync(s->ix.net) < 0 ? err_set(e, -errno, "sync %s", s->path) : 0;
}

/* A marker that can be written: what is no regular file there (a link, a pipe) is replaced. */
static int open_marker(const struct store *s, const char *name, off_t *size)
{
	int fd = -1;

	for (int i = 0; i < 2; i++) {
		struct stat st;

		fd = open_or_create(s->ix.net, name, O_WRONLY, LEASE_MODE);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
			*size = st.st_size;
			return fd;
		}
		if (fd >= 0)
			(void)close(fd);
		else if (errno != ELOOP && errno != ENXIO)
			return -errno;
		if (unlinkat(s->ix.net, name, 0) < 0)
			return -errno;
	}
	return -ELOOP;
}

/*
 * Written in place and not synced: whatever a kill or a power cut makes of it, a marker only says
 * where to begin looking, and one that makes no sense is ignored by everybody.
 */
int store_mark(struct store *s, size_t n, const struct ip_addr *a, struct err *e)
{
	char name[64], text[IP_TEXT_MAX];
	size_t len = strlen(ip_text(a, text));
	off_t size = 0;

	marker_name(n, name, sizeof name);
	cleanup_fd int fd = open_marker(s, name, &size);
	if (fd < 0)
		return err_set(e, fd, "open %s/%s", s->path, name);
	int r = fd_write_all(fd, text, len);
	if (r == 0 && size > (off_t)len && ftruncate(fd, (off_t)len) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "write %s/%s", s->path, name) : 0;
}

int store_unmark(struct store *s, size_t n, struct err *e)
{
	char name[64];

	marker_name(n, name, sizeof name);
	if (unlinkat(s->ix.net, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_set(e, -errno, "remove %s/%s", s->path, name);
}

static bool listed(const struct ip_addr *v, size_t n, const struct ip_addr *a)
{
	while (n--)
		if (ip_eq(&v[n], a))
			return true;
	return false;
}

/*
 * Removes what o has among v (some: only those in it). Files of the oldest form, which name no
 * interface, go when there is none that does, as the reference has it. What stays in v is what o
 * keeps.
 */
static int remove_owned(struct store *s, const struct lease_owner *o, struct ip_addr *v, size_t *n,
			const struct ip_addr *some, size_t nsome, struct err *e)
{
	char name[IP_TEXT_MAX];
	struct lease l;
	size_t kept = 0, exact = 0;
	int r = 0;

	for (size_t i = 0; i < *n; i++)
		if (lease_read(s->ix.net, ip_text(&v[i], name), &l) == 0 && lease_is_of(&l, o) &&
		    l.ifname[0])
			exact++;
	for (size_t i = 0; i < *n; i++) {
		bool named = lease_read(s->ix.net, ip_text(&v[i], name), &l) == 0 && l.ifname[0];

		if ((!named && exact) || (some && !listed(some, nsome, &v[i]))) {
			v[kept++] = v[i];
			continue;
		}
		if (unlinkat(s->ix.net, name, 0) == 0 || errno == ENOENT)
			continue;
		v[kept++] = v[i];
		r = err_set(e, -errno, "release %s in %s", name, s->path);
	}
	*n = kept;
	return r;
}

static int release(struct store *s, const struct lease_owner *o, const struct ip_addr *some,
		   size_t nsome, struct err *e)
{
	const struct lease_owner whole = { o->container, "" };
	char key[INDEX_KEY_MAX];
	struct ip_addr *v = NULL;
	size_t n = 0;
	int r = store_owned(s, o, &v, &n, e);

	if (r < 0)
		return r;
	cleanup_free struct ip_addr *mine = v;
	bool had = n > 0;
	r = remove_owned(s, o, mine, &n, some, nsome, e);
	index_key(o, key);
	if (n)
		return r < 0 ? r : index_put(&s->ix, key, mine, n, s->ix.boot, e);
	index_drop(&s->ix, key);
	if (had) {
		index_key(&whole, key);
		index_drop(&s->ix, key);
	}
	return r;
}

/*
 * Not synced: a reservation that a power cut brings back is of an earlier boot then, and collected
 * as such.
 */
int store_release(struct store *s, const struct lease_owner *o, struct err *e)
{
	return release(s, o, NULL, 0, e);
}

int store_release_some(struct store *s, const struct lease_owner *o, const struct ip_addr *v,
		       size_t n, struct err *e)
{
	return release(s, o, v, n, e);
}
