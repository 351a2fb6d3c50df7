// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

#define LINKS_MAX 8
#define DIR_MODE 0755
#define OVERFLOW_UID 65534
#define INIT_USER_NS_INO 0xEFFFFFFDu /* fixed by the kernel (PROC_USER_INIT_INO) */

/* Inside a user namespace the real root is not mapped and shows as the overflow id. */
static bool in_user_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != INIT_USER_NS_INO;
}

static const char *behind_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

static bool owner_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid() || (uid == OVERFLOW_UID && in_user_namespace());
}

static bool others_write(const struct stat *st)
{
	return st->st_mode & S_IWOTH ||
	       (st->st_mode & S_IWGRP && st->st_gid != 0 && st->st_gid != getegid());
}

static int check_trust(const struct stat *st, const char *path, bool passing, struct err *e)
{
	if (!owner_trusted(st->st_uid))
		return err_code(
			e, -EPERM, CNI_E_CONFIG,
			"%s belongs to user %u; reservations are kept only where nobody but "
			"root can write: give it to root or choose another \"dataDir\"",
			path, st->st_uid);
	if (S_ISLNK(st->st_mode) || (passing && st->st_mode & S_ISVTX) || !others_write(st))
		return 0;
	return err_code(
		e, -EPERM, CNI_E_CONFIG,
		"%s has mode %04o; reservations are kept only where nobody but root can write: "
		"run \"chmod go-w\" on it or choose another \"dataDir\"",
		path, st->st_mode & 07777);
}

/* A walk down from the root: what is still ahead, and how many links were followed. */
struct walk {
	char rest[PATH_MAX];
	unsigned links;
};

static int open_entry(int at, const char *name, bool create, const char *path, struct err *e)
{
	int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && create) {
		if (mkdirat(at, name, DIR_MODE) < 0 && errno != EEXIST)
			return err_set(e, -errno, "create directory %s: %s", path, name);
		fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd < 0 ? err_set(e, -errno, "open %s: %s", path, name) : fd;
}

/* Puts the target of a link before what is ahead. */
static int follow_link(struct walk *w, int link, const char *after, const char *path, struct err *e)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof target - 1);

	if (n < 0)
		return err_set(e, -errno, "read a link in %s", path);
	target[n] = 0;
	if (++w->links > LINKS_MAX)
		return err_set(e, -ELOOP, "open %s", path);
	if (str_copyf(rest, sizeof rest, "%s/%s", target, after) < 0)
		return err_set(e, -ENAMETOOLONG, "open %s", path);
	memcpy(w->rest, rest, strlen(rest) + 1);
	return 0;
}

static int open_root(struct err *e)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(e, -errno, "open /") : fd;
}

/*
 * One component. Returns 1 when there is more to do, 0 at the end, negative on failure; *at is
 * replaced by the directory entered.
 */
static int walk_step(struct walk *w, int *at, const char *path, bool create, struct err *e)
{
	char name[NAME_MAX + 1];
	const char *p = behind_slashes(w->rest);
	size_t n = (size_t)(strchrnul(p, '/') - p);
	struct stat st;
	int r;

	if (!n)
		return 0;
	if (n > NAME_MAX)
		return err_set(e, -ENAMETOOLONG, "open %s", path);
	memcpy(name, p, n);
	name[n] = 0;
	const char *after = behind_slashes(p + n);
	cleanup_fd int fd = open_entry(*at, name, create, path, e);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "stat %s", path);
	if ((r = check_trust(&st, path, *after != 0, e)) < 0)
		return r;
	if (S_ISLNK(st.st_mode)) {
		if ((r = follow_link(w, fd, after, path, e)) < 0 || w->rest[0] != '/')
			return r < 0 ? r : 1;
		(void)close(take_fd(*at));
		return (*at = open_root(e)) < 0 ? *at : 1;
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "open %s: %s", path, name);
	memmove(w->rest, after, strlen(after) + 1);
	(void)close(take_fd(*at));
	*at = take_fd(fd);
	return 1;
}

int datadir_open(const char *path, bool create, struct err *e)
{
	struct walk w = { .links = 0 };
	int r;

	if (*path != '/')
		return err_code(e, -EINVAL, CNI_E_CONFIG,
				"dataDir \"%s\": expected an absolute path", path);
	if (str_copyf(w.rest, sizeof w.rest, "%s", path) < 0)
		return err_set(e, -ENAMETOOLONG, "open %.80s", path);
	cleanup_fd int at = open_root(e);
	if (at < 0)
		return at;
	while ((r = walk_step(&w, &at, path, create, e)) > 0)
		;
	if (r < 0)
		return r;
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "open %s", path) : fd;
}

int datadir_sub(int dir, const char *name, unsigned mode, struct err *e)
{
	struct stat st;
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && mode) {
		if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
			return err_set(e, -errno, "create directory %s", name);
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, -errno, "open directory %s", name);
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "stat %s", name);
	int r = check_trust(&st, name, false, e);
	return r < 0 ? r : take_fd(fd);
}
