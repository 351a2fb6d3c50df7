// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

int netns_open(const char *path, int *fd, struct err *e)
{
	/* O_PATH first: looking at what is there must not wait for a FIFO or wake a device */
	cleanup_fd int look = open(path, O_PATH | O_CLOEXEC);
	struct statfs fs;
	char self[32];

	if (look < 0 && (errno == ENOENT || errno == ENOTDIR))
		return NETNS_GONE;
	if (look < 0)
		return err_set(e, -errno, "open network namespace %s", path);
	if (fstatfs(look, &fs) < 0)
		return err_set(e, -errno, "look at %s", path);
	if ((unsigned long)fs.f_type != NSFS_MAGIC) {
		struct stat st;

		/*
		 * what `ip netns add` leaves when only the mount went away: an empty plain file
		 * (all of /proc looks empty)
		 */
		if ((unsigned long)fs.f_type != PROC_SUPER_MAGIC && fstat(look, &st) == 0 &&
		    S_ISREG(st.st_mode) && st.st_size == 0)
			return NETNS_GONE;
		return err_code(e, -EINVAL, 7,
				"%s is not a network namespace: expected a file of nsfs "
				"(/proc/PID/ns/net or a bind mount of one)",
				path);
	}
	(void)str_copyf(self, sizeof self, "/proc/self/fd/%d", look);
	cleanup_fd int ns = open(self, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_set(e, -errno, "open network namespace %s", path);
	if (ioctl(ns, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_code(e, -EINVAL, 7,
				"%s is a namespace of another kind: expected a network namespace",
				path);
	*fd = take_fd(ns);
	return 0;
}

int netns_self(int *fd, struct err *e)
{
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (self < 0)
		return err_set(e, -errno, "open my own network namespace");
	*fd = self;
	return 0;
}

int netns_identify(int fd, struct netns_id *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "identify a network namespace");
	*out = (struct netns_id){ st.st_dev, st.st_ino };
	return 0;
}

bool netns_same(int fd_a, int fd_b)
{
	struct netns_id a = { 0 }, b = { 0 };

	return netns_identify(fd_a, &a, NULL) == 0 && netns_identify(fd_b, &b, NULL) == 0 &&
	       a.dev == b.dev && a.ino == b.ino;
}

/* The caller's thread unshares, pins and comes back. */
static int create_here(const char *path)
{
	cleanup_fd int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (self < 0)
		return -errno;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (setns(self, CLONE_NEWNET) < 0)
		/* going on in the wrong namespace would change somebody else's network */
		abort();
	return r;
}

int netns_create(const char *path, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	int r;

	if (fd < 0)
		return err_set(e, -errno, "create network namespace %s", path);
	if ((r = create_here(path)) < 0) {
		(void)unlink(path);
		return err_set(e, r, "create network namespace %s", path);
	}
	return 0;
}

int netns_unpin(const char *path, struct err *e)
{
	/* a pin may be covered twice when a creation was repeated after a crash */
	for (int i = 0; i < 8 && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
		;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove the pin of network namespace %s", path);
	return 0;
}

int netns_run(int fd, int (*fn)(void *arg), void *arg, struct err *e)
{
	cleanup_fd int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (self < 0 || setns(fd, CLONE_NEWNET) < 0)
		return err_set(e, -errno, "enter a network namespace");
	int r = fn(arg);
	if (setns(self, CLONE_NEWNET) < 0)
		abort();
	return r;
}
