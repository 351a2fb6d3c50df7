// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipam/scan.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define TARGET_MAX 4095 /* of a symbolic link */
#define BOOT_MARK " boot="
#define MANY "*"

void index_entry_clear(struct index_entry *en)
{
	free(en->v);
	*en = (struct index_entry){ 0 };
}

void index_key(const struct lease_owner *o, char key[INDEX_KEY_MAX])
{
	uint64_t a = hash_end(hash_part(hash_part(HASH_INIT, o->container), o->ifname));
	uint64_t b = hash_end(
		hash_part(hash_part(hash_part(HASH_INIT, "naru"), o->ifname), o->container));

	(void)snprintf(key, INDEX_KEY_MAX, "%016" PRIx64 "%016" PRIx64, a, b);
}

static int entry_parse(char *text, struct index_entry *out)
{
	char *mark = strchr(text, ' '); /* no address has one */

	if (mark && str_starts(mark, BOOT_MARK)) {
		*mark = 0;
		(void)snprintf(out->boot, sizeof out->boot, "%s", mark + strlen(BOOT_MARK));
	}
	out->many = !strcmp(text, MANY);
	for (char *p = text, *next; p; p = next) {
		struct ip_addr *a = vec_add(&out->v, &out->n);

		if ((next = strchr(p, ',')))
			*next++ = 0;
		if (!a)
			return -ENOMEM;
		if (ip_parse(p, a) < 0)
			out->n--; /* not ours; the reservations themselves will tell */
	}
	return 1;
}

int index_get(const struct index *ix, const char *key, struct index_entry *out)
{
	char text[TARGET_MAX + 1];
	ssize_t n = readlinkat(ix->dir, key, text, sizeof text - 1);

	*out = (struct index_entry){ 0 };
	if (n < 0)
		return errno == ENOENT ? 0 :
		       errno == EINVAL ? 1 :
					 -errno; /* EINVAL: something else lies there */
	text[n] = 0;
	int r = entry_parse(text, out);
	if (r < 0)
		index_entry_clear(out);
	return r;
}

static void target_text(const struct ip_addr *v, size_t n, const char *boot,
			char text[TARGET_MAX + 1])
{
	size_t at = 0, room = TARGET_MAX - strlen(BOOT_MARK) - INDEX_BOOT_MAX - IP_TEXT_MAX - 1;
	char one[IP_TEXT_MAX];

	text[0] = 0;
	for (size_t i = 0; i < n && at < room; i++)
		at += (size_t)sprintf(text + at, "%s%s", i ? "," : "", ip_text(&v[i], one));
	if (at >= room)
		at = (size_t)sprintf(text, MANY);
	if (*boot)
		(void)sprintf(text + at, BOOT_MARK "%s", boot);
}

int index_put(const struct index *ix, const char *key, const struct ip_addr *v, size_t n,
	      const char *boot, struct err *e)
{
	char text[TARGET_MAX + 1];

	target_text(v, n, boot, text);
	if (symlinkat(text, ix->dir, key) == 0)
		return 0;
	if (errno == EEXIST) {
		(void)unlinkat(ix->dir, key, 0);
		if (symlinkat(text, ix->dir, key) == 0)
			return 0;
	}
	return err_set(e, -errno, "write the index entry %s", key);
}

/* Looks first: what changes nothing should not look like a change, to who counts them. */
void index_drop(const struct index *ix, const char *key)
{
	struct stat st;

	if (fstatat(ix->dir, key, &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)unlinkat(ix->dir, key, 0);
}

/*
 * The nanoseconds that only we would set, made from what would have to be the same for the index to
 * be complete.
 */
static long seal_ns(const struct index *ix, const struct stat *net, const struct stat *dir)
{
	char text[160];

	(void)snprintf(text, sizeof text, "%s %ju %jd %ju %jd.%09ld", ix->boot,
		       (uintmax_t)net->st_ino, (intmax_t)net->st_mtim.tv_sec,
		       (uintmax_t)dir->st_ino, (intmax_t)dir->st_mtim.tv_sec, dir->st_mtim.tv_nsec);
	return (long)(hash_end(hash_part(HASH_INIT, text)) % 1000000000u);
}

bool index_sealed(const struct index *ix)
{
	struct stat net, dir;

	return fstat(ix->net, &net) == 0 && fstat(ix->dir, &dir) == 0 &&
	       net.st_mtim.tv_nsec == seal_ns(ix, &net, &dir);
}

void index_seal(const struct index *ix)
{
	struct stat net, dir;

	if (fstat(ix->net, &net) < 0 || fstat(ix->dir, &dir) < 0 ||
	    net.st_mtim.tv_nsec == seal_ns(ix, &net, &dir))
		return;
	const struct timespec t[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = net.st_mtim.tv_sec, .tv_nsec = seal_ns(ix, &net, &dir) },
	};
	/* a failure is no harm: without a seal the next one looks at everything */
	(void)futimens(ix->net, t);
}

struct each {
	int (*fn)(const char *key, void *arg);
	void *arg;
};

static int each_entry(int dir, const char *name, void *arg)
{
	const struct each *each = arg;

	(void)dir;
	return strlen(name) == INDEX_KEY_MAX - 1 ? each->fn(name, each->arg) : 0;
}

int index_each(const struct index *ix, int (*fn)(const char *key, void *arg), void *arg,
	       struct err *e)
{
	struct each each = { fn, arg };

	return scan_dir(ix->dir, each_entry, &each, e);
}

/* ---- rebuilding ---- */

struct found {
	char key[INDEX_KEY_MAX];
	struct ip_addr addr;
};

struct rebuild {
	const struct index *ix;
	struct found *v; /* sorted once everything was read */
	size_t n;
	struct err *e;
};

static int collect(int dir, const char *name, void *arg)
{
	struct rebuild *rb = arg;
	struct ip_addr a;
	struct lease l;

	if (lease_name_parse(name, &a) < 0)
		return 0;
	int r = lease_read(dir, name, &l);
	if (r < 0)
		return err_set(rb->e, r, "read reservation %s", name);
	if (l.state == LEASE_EMPTY)
		(void)unlinkat(dir, name, 0);
	if (l.state != LEASE_OWNED)
		return 0;
	struct found *f = vec_add(&rb->v, &rb->n);
	if (!f)
		return err_set(rb->e, -ENOMEM, "read reservations");
	index_key(&(struct lease_owner){ l.container, l.ifname }, f->key);
	f->addr = a;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof x->key);

	return r ? r : ip_cmp(&x->addr, &y->addr);
}

static bool entry_has(const struct index_entry *en, const struct ip_addr *a)
{
	for (size_t i = 0; i < en->n; i++)
		if (ip_eq(&en->v[i], a))
			return true;
	return false;
}

/*
 * The entry of the n reservations at f, which have one owner: kept when right, else written anew.
 */
static int refresh(struct rebuild *rb, const struct found *f, size_t n)
{
	cleanup_entry struct index_entry en = { 0 };
	cleanup_free struct ip_addr *v = calloc(n, sizeof *v);
	int r = index_get(rb->ix, f->key, &en);
	bool covered = true;

	if (r < 0 || !v)
		return err_set(rb->e, r < 0 ? r : -ENOMEM, "rebuild the index of reservations");
	for (size_t i = 0; i < n; i++) {
		v[i] = f[i].addr;
		covered = covered && entry_has(&en, &v[i]);
	}
	if (covered && en.n == n && !en.many)
		return 0;
	/*
	 * one more, made by the reference, makes the owner as young as that one: not to be
	 * collected by boot
	 */
	return index_put(rb->ix, f->key, v, n, covered ? en.boot : "", rb->e);
}

static int key_cmp(const void *key, const void *elem)
{
	return strcmp(key, ((const struct found *)elem)->key);
}

static int drop_stale(int dir, const char *name, void *arg)
{
	const struct rebuild *rb = arg;

	if (!rb->n || !bsearch(name, rb->v, rb->n, sizeof *rb->v, key_cmp))
		(void)unlinkat(dir, name, 0); /* fails on directories, which nobody makes here */
	return 0;
}

int index_rebuild(const struct index *ix, struct err *e)
{
	struct rebuild rb = { .ix = ix, .e = e };
	int r = scan_dir(ix->net, collect, &rb, e);

	cleanup_free struct found *v = rb.v;
	if (r < 0)
		return r;
	if (rb.n)
		qsort(rb.v, rb.n, sizeof *rb.v, by_key);
	for (size_t i = 0, end; i < rb.n; i = end) {
		for (end = i + 1; end < rb.n && !strcmp(v[end].key, v[i].key);)
			end++;
		if ((r = refresh(&rb, &v[i], end - i)) < 0)
			return r;
	}
	return scan_dir(ix->dir, drop_stale, &rb, e);
}

int boot_id(char out[INDEX_BOOT_MAX], struct err *e)
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, out, INDEX_BOOT_MAX - 1) != INDEX_BOOT_MAX - 1)
		return err_set(e, fd < 0 || errno ? -errno : -EIO,
			       "read /proc/sys/kernel/random/boot_id");
	out[INDEX_BOOT_MAX - 1] = 0;
	return 0;
}
