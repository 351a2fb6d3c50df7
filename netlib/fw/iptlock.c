// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"

#define LOCK_FILE "/run/xtables.lock"
#define PATIENCE_MS 5000

int ipt_lock(struct err *e)
{
	const char *env = getenv("XTABLES_LOCKFILE");
	const char *path = env && *env ? env : LOCK_FILE;
	/* without O_NOFOLLOW: the path is the administrator's, and iptables follows it too */
	cleanup_fd int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return err_set(e, -errno,
			       "open the lock of iptables, %s (XTABLES_LOCKFILE names another)",
			       path);
	int r = file_lock(fd, PATIENCE_MS, path, e);
	return r < 0 ? r : take_fd(fd);
}
