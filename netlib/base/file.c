// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/base/vec.h"

#define TREE_FDS 64 /* levels that are held open while a tree is removed */

int file_read_at(int dir, const char *name, size_t max, char **out, size_t *len, struct err *e)
{
	cleanup_fd int fd =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set(e, -errno, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return err_say(e, -EINVAL, "read %s: expected a regular file", name);
	int r = fd_read_all(fd, max, -1, out, len);
	if (r < 0)
		return err_set(e, r, "read %s", name);
	return 0;
}

/* An unnamed file with its content on stable storage. */
static int tmp_written(int dir, mode_t mode, const void *buf, size_t len)
{
	cleanup_fd int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	if ((r = fd_write_all(fd, buf, len)) < 0)
		return r;
	/* fchmod: the mode must not depend on the caller's umask */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return take_fd(fd);
}

static int tmp_link(int tmp, int dir, const char *name)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", tmp);
	return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int dir_sync(int dir)
{
	if (dir != AT_FDCWD)
		return fsync(dir) < 0 ? -errno : 0;
	cleanup_fd int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

bool file_noted(const char *act, const char *name)
{
	if (plan_on())
		plan_note("file", "host", "%s %s", act, name);
	return plan_on();
}

int file_create_at(int dir, const char *name, mode_t mode, const void *buf, size_t len,
		   struct err *e)
{
	if (file_noted("create", name))
		return 0;
	cleanup_fd int fd = tmp_written(dir, mode, buf, len);
	int r;

	if (fd < 0)
		return err_set(e, fd, "write %s", name);
	if ((r = tmp_link(fd, dir, name)) < 0)
		return err_set(e, r, "create %s", name);
	if ((r = dir_sync(dir)) < 0) {
		(void)unlinkat(dir, name, 0);
		return err_set(e, r, "sync the directory of %s", name);
	}
	return 0;
}

int file_replace_at(int dir, const char *name, mode_t mode, const void *buf, size_t len,
		    struct err *e)
{
	char tmp[300];
	int r;

	if (file_noted("write", name))
		return 0;
	if ((r = str_copyf(tmp, sizeof tmp, ".%s.new", name)) < 0)
		return err_set(e, r, "replace %s", name);
	cleanup_fd int fd =
		openat(dir, tmp, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_set(e, -errno, "create %s", tmp);
	if ((r = fd_write_all(fd, buf, len)) == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, tmp, 0);
		return err_set(e, r, "write %s", name);
	}
	if ((r = dir_sync(dir)) < 0)
		return err_set(e, r, "sync the directory of %s", name);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char buf[4096];
	int r;

	if (access(path, F_OK) < 0 && file_noted("create directory", path))
		return 0;
	if ((r = str_copyf(buf, sizeof buf, "%s", path)) < 0)
		return err_set(e, r, "create directory %s", path);
	/* from the end backward to what exists, then forward again: no call for what is there */
	char *end = buf + strlen(buf), *p = end;
	while (mkdir(buf, mode) < 0) {
		if (errno == EEXIST)
			break;
		if (errno != ENOENT || !(p = strrchr(buf + 1, '/')))
			return err_set(e, -errno, "create directory %s", buf);
		*p = 0;
	}
	while ((p = memchr(buf, 0, (size_t)(end - buf)))) {
		*p = '/';
		if (mkdir(buf, mode) < 0 && errno != EEXIST)
			return err_set(e, -errno, "create directory %s", buf);
	}
	return 0;
}

int file_open_dir(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_set(e, -errno, "open directory %s", name) : fd;
}

/*
 * /proc/locks names the holder by device and inode: "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0
 * EOF". Inode numbers alone meet across file systems; but some file systems give stat(2) a device
 * of another number, and there the inode has to do. 0 when unknown.
 */
static int lock_holder(int fd)
{
	cleanup_stream FILE *f = fopen("/proc/locks", "re");
	struct stat st;
	char line[256];
	int other = 0;

	if (!f || fstat(fd, &st) < 0)
		return 0;
	while (fgets(line, sizeof line, f)) {
		unsigned maj, min;
		unsigned long ino;
		int pid;

		if (strstr(line, "->") ||
		    sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &maj, &min, &ino) != 4)
			continue;
		if (ino != (unsigned long)st.st_ino)
			continue;
		if (maj == major(st.st_dev) && min == minor(st.st_dev))
			return pid;
		other = pid;
	}
	return other;
}

/* " (iptables-restor)", or nothing when it cannot be told. */
static const char *command_of(int pid, char buf[24])
{
	char path[32], comm[17] = "";

	*buf = 0;
	(void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
	cleanup_fd int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && read(fd, comm, sizeof comm - 1) > 0) {
		comm[strcspn(comm, "\n")] = 0;
		(void)snprintf(buf, 24, " (%s)", comm);
	}
	return buf;
}

int file_lock(int fd, int timeout_ms, const char *what, struct err *e)
{
	int64_t start_us = clock_us();

	for (;;) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(e, -errno, "lock %s", what);
		int64_t waited_us = clock_us() - start_us;
		if (waited_us >= timeout_ms * INT64_C(1000))
			break;
		/* flock has no wait with a deadline: short naps, longer as it goes on */
		int nap_us = waited_us < 10000 ? 200 : waited_us < 100000 ? 1000 : 10000;
		(void)nanosleep(&(struct timespec){ .tv_nsec = nap_us * 1000L }, NULL);
	}
	int pid = lock_holder(fd);
	char command[24];
	return err_code(e, -EAGAIN, 11,
			"lock %s: still held by process %d%s after %d ms; try again later", what,
			pid, command_of(pid, command), timeout_ms);
}

/*
 * A directory below dir that is no mount point. A device number does not tell: a volume bound into
 * a tree comes from the same file system as often as not, and what is in it is not ours. Kernels
 * before 5.6, and filters that do not know openat2, leave that number.
 */
static int open_level(int dir, const char *name)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(dir, name, (int)how.flags);
	return fd;
}

/* 0: the name is gone. 1: it is a directory of the same tree, and *out is open on it. */
static int remove_or_open(int dir, const char *name, dev_t dev, int *out, struct err *e)
{
	struct stat st;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM && errno != EBUSY)
		return err_set(e, -errno, "remove %s", name);
	cleanup_fd int fd = open_level(dir, name);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if ((fd < 0 && errno != EXDEV) || (fd >= 0 && fstat(fd, &st) < 0))
		return err_set(e, -errno, "open %s", name);
	if (fd < 0 || st.st_dev != dev)
		return err_say(e, -EXDEV, "remove %s: something is still mounted there", name);
	*out = take_fd(fd);
	return 1;
}

static struct dirent *next_entry(DIR *d)
{
	struct dirent *ent;

	while ((ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			break;
	return ent;
}

/* Takes away what goes at once. 1: *out is a directory in it that has to be emptied first. */
static int thin_out(int dir, dev_t dev, int *out, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return err_set(e, -errno, "read a directory");
	for (struct dirent *ent; r == 0 && (ent = next_entry(d));)
		if (unlinkat(dir, ent->d_name, AT_REMOVEDIR) < 0)
			r = remove_or_open(dir, ent->d_name, dev, out, e);
	return r;
}

/* Back to the parent, which must be the directory that was left for this one. */
static int climb(int *at, ino_t parent, dev_t dev, struct err *e)
{
	cleanup_fd int up = openat(*at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (up < 0 || fstat(up, &st) < 0)
		return err_set(e, -errno, "open the parent of a directory");
	if (st.st_ino != parent || st.st_dev != dev)
		return err_say(
			e, -EBUSY,
			"remove a tree: somebody moves its directories meanwhile; try again");
	(void)close(*at);
	*at = take_fd(up);
	return 0;
}

/*
 * Empties a directory of any depth with three descriptors: down into the first directory that is
 * not empty, up by ".." when nothing is left. The way is remembered as inode numbers.
 */
static int remove_deep(int top, dev_t dev, struct err *e)
{
	cleanup_free ino_t *way = NULL;
	cleanup_fd int at = fcntl(top, F_DUPFD_CLOEXEC, 0);
	size_t n = 0;

	if (at < 0)
		return err_set(e, -errno, "open a directory again");
	for (;;) {
		cleanup_fd int down = -1;
		struct stat st;
		int r = thin_out(at, dev, &down, e);

		if (r < 0 || (r == 0 && n == 0))
			return r;
		if (r == 0) {
			if ((r = climb(&at, way[--n], dev, e)) < 0)
				return r;
			continue;
		}
		if (fstat(at, &st) < 0)
			return err_set(e, -errno, "stat a directory");
		ino_t *slot = vec_add(&way, &n);
		if (!slot)
			return err_set(e, -ENOMEM, "remove a tree");
		*slot = st.st_ino;
		(void)close(at);
		at = take_fd(down);
	}
}

static int remove_level(int dir, const char *name, dev_t dev, int depth, struct err *e)
{
	cleanup_fd int fd = -1;
	int r = remove_or_open(dir, name, dev, &fd, e);

	if (r <= 0)
		return r;
	if (depth >= TREE_FDS && (r = remove_deep(fd, dev, e)) < 0)
		return r;
	cleanup_dir DIR *d = fdopendir(fd);
	if (!d)
		return err_set(e, -errno, "read %s", name);
	(void)take_fd(fd);
	for (struct dirent *ent; (ent = next_entry(d));)
		if ((r = remove_level(dirfd(d), ent->d_name, dev, depth + 1, e)) < 0)
			return r;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove %s", name);
	return 0;
}

int file_remove_at(int dir, const char *name)
{
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	if (file_noted("remove", name) || unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

int file_remove_tree(int dir, const char *name, struct err *e)
{
	const char *base = strrchr(name, '/');
	cleanup_fd int parent = -1;
	struct stat st;

	if (file_noted("remove", name))
		return 0;
	if (base) { /* on the way to the tree there may be mount points */
		cleanup_free char *path = strndup(name, base == name ? 1 : (size_t)(base - name));

		if (!path)
			return err_set(e, -ENOMEM, "remove %s", name);
		parent = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0)
			return errno == ENOENT ? 0 : err_set(e, -errno, "open %s", path);
		dir = parent;
		name = base + 1;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, -errno, "stat %s", name);
	return remove_level(dir, name, st.st_dev, 0, e);
}

int file_poke_at(int dir, const char *name, const char *value)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);

	if (fd < 0)
		return -errno;
	ssize_t w = write(fd, value, n);
	if (w < 0)
		return -errno;
	return (size_t)w == n ? 0 : -EIO;
}
