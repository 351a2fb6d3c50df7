// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

void place_init(struct place *p, int root)
{
	*p = (struct place){ .root = root, .dir = -1 };
}

static void forget_dir(struct place *p)
{
	if (p->dir >= 0)
		(void)close(p->dir);
	p->dir = -1;
}

void place_clear(struct place *p)
{
	forget_dir(p);
	for (size_t i = 0; i < p->nlate; i++)
		free(p->late[i].path);
	free(p->late);
	p->late = NULL;
	p->nlate = 0;
}

int place_open(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

int place_clean(const char *name, unsigned depth, char out[PLACE_PATH_MAX], struct err *e)
{
	unsigned parts = 0;
	size_t len = 0;

	if (*name == '/')
		return err_say(
			e, -EINVAL,
			"the path is absolute; make the archive with relative names (tar -C DIR .)");
	if (!*name)
		return err_say(e, -EINVAL, "the path is empty");
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && !memcmp(name, "..", 2))
			return err_say(e, -EINVAL, "the path has a \"..\" in it");
		if (n > NAME_MAX)
			return err_say(e, -EINVAL, "a part of the path is longer than %d bytes",
				       NAME_MAX);
		if (n && !(n == 1 && *name == '.')) {
			if (++parts > depth)
				return err_say(e, -EINVAL,
					       "the path is more than %u directories deep", depth);
			if (len + n + 2 > PLACE_PATH_MAX)
				return err_say(e, -EINVAL, "the path is longer than %d bytes",
					       PLACE_PATH_MAX - 1);
			if (len)
				out[len++] = '/';
			memcpy(out + len, name, n);
			len += n;
		}
		name += n;
		name += strspn(name, "/");
	}
	out[len] = 0;
	return 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int place_opaque(int dir, const char *name, struct err *e)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_set(e, -errno, "open %s to make it opaque", name);
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0)
		return 0;
	/* in a user namespace */
	if (errno == EPERM && fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) == 0)
		return 0;
	return err_set(e, -errno, "make directory %s opaque", name);
}

/* Makes a parent directory that the archive did not mention (yet). */
static int make_parent(struct place *p, int dir, const char *name, const char *path, bool opaque,
		       struct err *e)
{
	if (mkdirat(dir, name, 0700) < 0)
		return err_set(e, -errno, "create its parent %s", path);
	if (opaque && place_opaque(dir, name, e) < 0)
		return err_wrap(e, "its parent");
	return place_later(p, path, 0755, NULL, e);
}

/* Why is this component no directory? Mends what can be. */
static int mend_parent(struct place *p, int dir, const char *name, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_parent(p, dir, name, path, false, e) :
					 err_set(e, -errno, "stat its parent %s", path);
	if (S_ISLNK(st.st_mode))
		return err_say(e, -ELOOP,
			       "the path leads through the symbolic link \"%s\" of the same layer",
			       path);
	if (!is_whiteout(&st))
		return err_say(e, -ENOTDIR, "its parent \"%s\" is no directory", path);
	if (unlinkat(dir, name, 0) < 0)
		return err_set(e, -errno, "replace the whiteout %s", path);
	return make_parent(p, dir, name, path, true, e);
}

static int walk(struct place *p, const char *path, struct err *e)
{
	char so_far[PLACE_PATH_MAX];
	cleanup_fd int dir = place_open(p->root, "", O_PATH | O_DIRECTORY);

	if (dir < 0)
		return err_set(e, dir, "open the layer");
	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");
		char name[NAME_MAX + 1];
		int next;

		memcpy(name, at, n);
		name[n] = 0;
		(void)snprintf(so_far, sizeof so_far, "%.*s", (int)(at - path + (ptrdiff_t)n),
			       path);
		next = place_open(dir, name, O_PATH | O_DIRECTORY);
		if (next < 0) {
			int r = mend_parent(p, dir, name, so_far, e);

			if (r < 0)
				return r;
			next = place_open(dir, name, O_PATH | O_DIRECTORY);
		}
		if (next < 0)
			return err_set(e, next, "open its parent %s", so_far);
		(void)close(dir);
		dir = next;
		at += n + (at[n] == '/');
	}
	return take_fd(dir);
}

int place_go(struct place *p, const char *path, struct err *e)
{
	const char *slash;
	size_t n;

	if (path != p->path)
		(void)snprintf(p->path, sizeof p->path, "%s", path);
	slash = strrchr(p->path, '/');
	n = slash ? (size_t)(slash - p->path) : 0;
	p->base = slash ? slash + 1 : p->path;
	if (p->dir >= 0 && strlen(p->parent) == n && !memcmp(p->parent, p->path, n))
		return 0;
	forget_dir(p);
	memcpy(p->parent, p->path, n);
	p->parent[n] = 0;
	p->dir = place_open(p->root, p->parent, O_PATH | O_DIRECTORY);
	if (p->dir == -ENOSYS)
		return err_say(e, -ENOSYS,
			       "this kernel has no openat2; Linux 5.6 or newer is needed");
	if (p->dir < 0)
		p->dir = walk(p, p->parent, e);
	if (p->dir >= 0)
		return 0;
	int r = p->dir;
	p->dir = -1;
	return r;
}

int place_empty(struct place *p, bool keep_dir, struct err *e)
{
	struct stat st;

	if (fstatat(p->dir, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, -errno, "stat");
	if (S_ISDIR(st.st_mode)) {
		if (keep_dir)
			return PLACE_DIR;
		int dir = p->dir;
		int r = file_remove_tree(dir, p->base, e);
		return r < 0 ? err_wrap(e, "replace the directory") : 0;
	}
	if (unlinkat(p->dir, p->base, 0) < 0)
		return err_set(e, -errno, "replace what is there");
	return is_whiteout(&st) ? PLACE_WHITEOUT : 0;
}

int place_whiteout(struct place *p, const char *name, struct err *e)
{
	struct stat st;

	/* this layer has something there: it hides, if need be all */
	if (fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? place_opaque(p->dir, name, e) : 0;
	if (mknodat(p->dir, name, S_IFCHR, makedev(0, 0)) < 0)
		return err_set(e, -errno, "make the whiteout of %s", name);
	return 0;
}

int place_later(struct place *p, const char *path, mode_t mode, const struct timespec *mtime,
		struct err *e)
{
	struct place_dir *d = vec_add(&p->late, &p->nlate);
	char *copy = strdup(path);

	if (!d || !copy) {
		free(copy);
		p->nlate -= d != NULL;
		return err_set(e, -ENOMEM, "remember directory %s", path);
	}
	*d = (struct place_dir){
		.path = copy, .mode = mode, .has_time = mtime != NULL, .order = p->nlate
	};
	if (mtime)
		d->mtime = *mtime;
	return 0;
}

/*
 * Descending paths put children before their parents; of two words on one directory the later comes
 * first.
 */
static int last_word_first(const void *a, const void *b)
{
	const struct place_dir *x = a, *y = b;
	int c = strcmp(y->path, x->path);

	return c ?: (y->order > x->order) - (y->order < x->order);
}

int place_finish(struct place *p, struct err *e)
{
	if (p->nlate)
		qsort(p->late, p->nlate, sizeof *p->late, last_word_first);
	for (size_t i = 0; i < p->nlate; i++) {
		const struct place_dir *d = &p->late[i];
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, d->mtime };

		if (i && !strcmp(d->path, p->late[i - 1].path))
			continue;
		cleanup_fd int fd = place_open(p->root, d->path, O_RDONLY | O_DIRECTORY);
		/* replaced by something else later on */
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		if (fd < 0)
			return err_set(e, fd, "open directory %s", d->path);
		if (fchmod(fd, d->mode) < 0 || (d->has_time && futimens(fd, times) < 0))
			return err_set(e, -errno, "set mode and time of directory %s", d->path);
	}
	return 0;
}
