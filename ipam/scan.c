// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"

int scan_dir(int dir, int (*fn)(int dir, const char *name, void *arg), void *arg, struct err *e)
{
	cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, -errno, "open directory");
	cleanup_dir DIR *d = fdopendir(fd);
	if (!d)
		return err_set(e, -errno, "read directory");
	(void)take_fd(fd); /* closed with d */
	for (;;) {
		errno = 0;
		struct dirent *ent = readdir(d);
		if (!ent)
			return errno ? err_set(e, -errno, "read directory") : 0;
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		int r = fn(dir, ent->d_name, arg);
		if (r)
			return r;
	}
}
