// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices, masked paths, read-only paths. */
#include "runner/engine/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/inroot.h"
#include "runner/engine/mnt.h"
#include "runner/engine/mountopt.h"
#include "runner/spec.h"

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *to;
} links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },		 { "core", "/proc/kcore" },
};

/* What an image brings along may stay when it is that very device. */
static int make_node(int dir, const char *name, mode_t type, dev_t dev)
{
	struct stat st;

	if (mknodat(dir, name, type, dev) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return (st.st_mode & S_IFMT) == (type & S_IFMT) && st.st_rdev == dev ? 0 : -EEXIST;
}

static int make_device(struct rootfs *f, const struct spec_device *d, struct err *e)
{
	mode_t type = *d->type == 'b' ? S_IFBLK : *d->type == 'p' ? S_IFIFO : S_IFCHR;
	const char *name = strrchr(d->path, '/') + 1;
	char parent[4096];
	int r;

	if (name - d->path >= (int)sizeof parent || !*name)
		return err_set(e, -EINVAL, "make device %s", d->path);
	(void)snprintf(parent, sizeof parent, "%.*s", (int)(name - d->path), d->path);
	cleanup_fd int dir = inroot_make(f->root, parent, true);
	r = dir < 0 ? dir :
		      make_node(dir, name, type | d->mode,
				makedev((unsigned)d->major, (unsigned)d->minor));
	if (r == 0 && (d->uid || d->gid) &&
	    fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "make device %s", d->path) : 0;
}

int rootfs_devices(struct rootfs *f, struct err *e)
{
	cleanup_fd int dev = inroot_make(f->root, "/dev", true);
	int r;

	if (dev < 0)
		return err_set(e, dev, "open /dev inside the root");
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		if ((r = make_node(dev, nodes[i].name, S_IFCHR | 0666,
				   makedev(nodes[i].major, nodes[i].minor))) < 0)
			return err_set(e, r, "make device /dev/%s", nodes[i].name);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlinkat(links[i].to, dev, links[i].name) < 0 && errno != EEXIST)
			return err_set(e, -errno, "make link /dev/%s", links[i].name);
	for (size_t i = 0; i < f->spec->ndevices; i++)
		if ((r = make_device(f, &f->spec->devices[i], e)) < 0)
			return r;
	return 0;
}

/* ---------------------------------------------------------------- masks */

struct masks {
	int null;  /* our /dev/null */
	int empty; /* an empty read-only directory, once one was needed */
};

static int open_null(struct rootfs *f, struct err *e)
{
	cleanup_fd int dev = inroot_find(f->root, "/dev");
	cleanup_fd int fd = dev < 0 ? -1 : openat(dev, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "open the container's /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_say(
			e, -EINVAL,
			"the container's /dev/null is not the null device; it cannot mask anything");
	return take_fd(fd);
}

/* The first masked directory gets a file system of its own, the next ones copies of it. */
static int mask_directory(struct masks *m, int target, struct err *e)
{
	const struct mountopt o = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					   MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
				    .data = { "size=4k", "mode=755" },
				    .ndata = 2 };
	int r;

	if (m->empty < 0) {
		m->empty = mnt_new("tmpfs", "tmpfs", &o, e);
		return m->empty < 0 ? m->empty : mnt_attach(m->empty, target);
	}
	cleanup_fd int copy = mnt_copy(m->empty, "", false);
	r = copy < 0 ? copy : mnt_attach(copy, target);
	return r;
}

static int mask(struct rootfs *f, struct masks *m, const char *path, struct err *e)
{
	cleanup_fd int target = inroot_find(f->root, path);
	struct stat st;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return err_set(e, target < 0 ? target : -errno, "mask %s", path);
	if (S_ISDIR(st.st_mode)) {
		r = mask_directory(m, target, e);
	} else {
		cleanup_fd int copy = mnt_copy(m->null, "", false);

		r = copy < 0 ? copy : mnt_attach(copy, target);
	}
	return r < 0 ? err_set(e, r, "mask %s", path) : 0;
}

static int protect(struct rootfs *f, const char *path, struct err *e)
{
	cleanup_fd int target = inroot_find(f->root, path);
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	cleanup_fd int copy = target < 0 ? target : mnt_copy(target, "", true);
	r = copy < 0 ? copy : mnt_set(copy, MOUNT_ATTR_RDONLY, 0, 0, true);
	if (r == 0)
		r = mnt_attach(copy, target);
	return r < 0 ? err_set(e, r, "make %s read-only", path) : 0;
}

int rootfs_hide(struct rootfs *f, struct err *e)
{
	struct masks m = { -1, -1 };
	int r = 0;

	if (f->spec->nmasked && (m.null = open_null(f, e)) < 0)
		return m.null;
	for (size_t i = 0; i < f->spec->nreadonly && r == 0; i++)
		r = protect(f, f->spec->readonly[i], e);
	for (size_t i = 0; i < f->spec->nmasked && r == 0; i++)
		r = mask(f, &m, f->spec->masked[i], e);
	if (m.null >= 0)
		(void)close(m.null);
	if (m.empty >= 0)
		(void)close(m.empty);
	return r;
}
