// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/inroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"

#define RACES_MAX 32 /* a rename elsewhere makes the kernel ask for another try */

int inroot_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACES_MAX; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

int inroot_find(int root, const char *path)
{
	return inroot_open(root, path, O_PATH);
}

/* Makes the last component of path, whose parent is there, and opens it. */
static int make_last(int root, char *path, bool directory)
{
	char *name = strrchr(path, '/') + 1, first = *name;
	int fd;

	*name = '\0';
	cleanup_fd int dir = inroot_find(root, path);
	*name = first;
	if (dir < 0)
		return dir;
	if (directory)
		fd = mkdirat(dir, name, 0755);
	else
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) /* there after all: a link that leads nowhere, or made by somebody else */
		return errno == EEXIST ? inroot_find(root, path) : -errno;
	if (!directory)
		(void)close(fd);
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int inroot_make(int root, const char *path, bool directory)
{
	char buf[PATH_MAX];
	int fd = inroot_find(root, path);

	if (fd != -ENOENT)
		return fd;
	if (*path != '/' || strlen(path) >= sizeof buf)
		return *path != '/' ? -EINVAL : -ENAMETOOLONG;
	strcpy(buf, path);
	for (char *p = buf + strlen(buf); p > buf + 1 && p[-1] == '/';)
		*--p = '\0';
	fd = make_last(root, buf, directory);
	for (char *p = buf + 1; fd == -ENOENT && (p = strchr(p, '/')); p++) { /* from the top */
		*p = '\0';
		int dir = inroot_find(root, buf);

		if (dir == -ENOENT)
			dir = make_last(root, buf, true);
		*p = '/';
		if (dir < 0)
			return dir;
		(void)close(dir);
	}
	return fd == -ENOENT ? make_last(root, buf, directory) : fd;
}
