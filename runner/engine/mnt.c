// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/mountopt.h"

/* What the file system said about its refusal: messages begin with "e " (error), "w " or "i ". */
static int refused(int fs, int r, const char *type, struct err *e)
{
	char said[256];
	ssize_t n;

	while ((n = read(fs, said, sizeof said - 1)) > 2)
		if (*said == 'e') {
			said[n] = '\0';
			said[strcspn(said, "\n")] = '\0';
			return err_set(e, r, "make a %s file system (%s)", type, said + 2);
		}
	return err_set(e, r, "make a %s file system", type);
}

static int configure(int fs, const char *source, const struct mountopt *o)
{
	char key[256];

	if (source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return -errno;
	for (size_t i = 0; i < o->ndata; i++) {
		const char *eq = strchr(o->data[i], '=');
		size_t len = eq ? (size_t)(eq - o->data[i]) : strlen(o->data[i]);

		if (len >= sizeof key)
			return -EINVAL;
		memcpy(key, o->data[i], len);
		key[len] = '\0';
		if (fsconfig(fs, eq ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
			     eq ? eq + 1 : NULL, 0) < 0)
			return -errno;
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

int mnt_new(const char *type, const char *source, const struct mountopt *o, struct err *e)
{
	cleanup_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return err_set(e, -errno, "make a %s file system", type);
	if ((r = configure(fs, source, o)) < 0)
		return refused(fs, r, type, e);
	r = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)o->set);
	return r < 0 ? refused(fs, -errno, type, e) : r;
}

int mnt_copy(int dir, const char *path, bool recursive)
{
	int fd = open_tree(dir, path,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0u : AT_EMPTY_PATH) |
				   (recursive ? AT_RECURSIVE : 0u));

	return fd < 0 ? -errno : fd;
}

int mnt_attach(int mount, int target)
{
	return move_mount(mount, "", target, "",
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ?
		       -errno :
		       0;
}

int mnt_set(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	return mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u), &a,
			     sizeof a) < 0 ?
		       -errno :
		       0;
}
