// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/engine/mnt.h"
#include "runner/engine/mountopt.h"
#include "runner/spec.h"

#define OPTIONS_MAX 4096 /* mount(2) takes one page */
#define LAYERS_MAX 500	 /* of one overlay, by the kernel */

/*
 * What upper directories are kept free of: files in them stay plain files that commit and diff can
 * read.
 */
#define OVERLAY_PLAIN "index=off,metacopy=off,redirect_dir=off,xino=off"

/* ---------------------------------------------------------------- overlay */

struct text {
	char buf[OPTIONS_MAX];
	size_t len;
	bool full;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->len + n >= sizeof t->buf) {
		t->full = true;
		return;
	}
	memcpy(t->buf + t->len, s, n + 1);
	t->len += n;
}

/* Separators inside of a path are escaped as overlayfs reads them. */
static void put_path(struct text *t, const char *path)
{
	for (char one[3]; *path; path++) {
		bool special = strchr("\\:,", *path);

		(void)snprintf(one, sizeof one, "%s%c", special ? "\\" : "", *path);
		put(t, one);
	}
}

static void put_rest(struct text *t, const struct engine_rootfs *l)
{
	if (l->upper) {
		put(t, ",upperdir=");
		put_path(t, l->upper);
		put(t, ",workdir=");
		put_path(t, l->work);
	}
	put(t, "," OVERLAY_PLAIN);
	if (l->upper && l->scratch)
		put(t, ",volatile");
}

static bool compose_options(const struct engine_rootfs *l, struct text *t)
{
	put(t, "lowerdir=");
	for (size_t i = 0; i < l->nlowers; i++) {
		put(t, i ? ":" : "");
		put_path(t, l->lowers[i]);
	}
	put_rest(t, l);
	return !t->full;
}

/* Too long for a page: every lower is opened, and named by its descriptor. */
static int compose_by_fd(const struct engine_rootfs *l, struct text *t, struct err *e)
{
	char name[32];

	*t = (struct text){ .len = 0 };
	put(t, "lowerdir=");
	for (size_t i = 0; i < l->nlowers; i++) {
		int fd = open(l->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC); /* until exec */

		if (fd < 0)
			return err_set(e, -errno, "open layer %s", l->lowers[i]);
		(void)snprintf(name, sizeof name, "%s/proc/self/fd/%d", i ? ":" : "", fd);
		put(t, name);
	}
	put_rest(t, l);
	return t->full ? -E2BIG : 0;
}

/*
 * Kernels from 6.5 on take lowers one by one, without a page to fit into. t has been composed by
 * descriptor, maybe incompletely.
 */
static int overlay_by_steps(const struct engine_rootfs *l, const char *target, struct err *e)
{
	cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char name[32];
	int r = fs < 0 ? -errno : 0;

	for (size_t i = 0; i < l->nlowers && r == 0; i++) {
		int fd = open(l->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return err_set(e, -errno, "open layer %s", l->lowers[i]);
		(void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", name, 0) < 0)
			r = -errno;
		(void)close(fd);
	}
	if (r == 0 && l->upper &&
	    (fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", l->upper, 0) < 0 ||
	     fsconfig(fs, FSCONFIG_SET_STRING, "workdir", l->work, 0) < 0 ||
	     (l->scratch && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)))
		r = -errno;
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = -errno;
	cleanup_fd int m = r < 0 ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, 0);
	cleanup_fd int to = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = m < 0 || to < 0 ? -errno : mnt_attach(m, to);
	return r < 0 ? err_set(e, r, "mount the overlay of %zu layers on %s", l->nlowers, target) :
		       0;
}

static int mount_overlay(const struct engine_rootfs *l, const char *target, struct err *e)
{
	struct text t = { .len = 0 };
	int r;

	if (l->nlowers > LAYERS_MAX)
		return err_say(e, -E2BIG, "the image has %zu layers; the kernel stacks at most %d",
			       l->nlowers, LAYERS_MAX);
	if (!compose_options(l, &t)) {
		if (overlay_by_steps(l, target, NULL) == 0)
			return 0;
		if ((r = compose_by_fd(l, &t, e)) < 0)
			return r == -E2BIG ?
				       err_say(e, r,
					       "the %zu layers of the image are too many for this kernel",
					       l->nlowers) :
				       r;
	}
	if (mount("overlay", target, "overlay", 0, t.buf) == 0)
		return 0;
	return err_set(e, -errno, "mount the overlay of %s%s and %zu layers (first %s) on %s",
		       l->upper ? "upper directory " : "",
		       l->upper ? l->upper : "no upper directory", l->nlowers, l->lowers[0],
		       target);
}

/* ---------------------------------------------------------------- the root */

static int bind_directory(const char *from, const char *target, bool read_only, struct err *e)
{
	cleanup_fd int m = mnt_copy(AT_FDCWD, from, true);
	cleanup_fd int to = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = m < 0 ? m : to < 0 ? -errno : 0;

	if (r == 0 && read_only)
		r = mnt_set(m, MOUNT_ATTR_RDONLY, 0, 0, true);
	if (r == 0)
		r = mnt_attach(m, to);
	return r < 0 ? err_set(e, r, "mount %s on %s", from, target) : 0;
}

int rootfs_open(struct rootfs *f, struct err *e)
{
	const char *propagation = f->spec->propagation, *path = f->spec->root.path;
	unsigned long how = propagation && strstr(propagation, "slave") ? MS_SLAVE : MS_PRIVATE;
	const struct engine_rootfs *l = f->layers;
	char target[PATH_MAX];
	int r;

	if (str_copyf(target, sizeof target, "%s%s%s", *path == '/' ? "" : f->bundle,
		      *path == '/' ? "" : "/", path) < 0)
		return err_set(e, -ENAMETOOLONG, "root %s", path);
	if (mount(NULL, "/", NULL, MS_REC | how, NULL) < 0)
		return err_set(e, -errno, "keep the container's mounts from the host");
	if (l->nlowers && mkdir(target, 0755) < 0 && errno != EEXIST)
		return err_set(e, -errno, "make %s", target);
	if (l->nlowers > 1 || l->upper)
		r = mount_overlay(l, target, e);
	else
		r = bind_directory(l->nlowers ? l->lowers[0] : target, target, l->nlowers, e);
	if (r < 0)
		return r;
	f->root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->root < 0 ? err_set(e, -errno, "open %s", target) : 0;
}

/* The old root ends up on top of the new one ("." on "."), and is taken off it. */
int rootfs_enter(struct rootfs *f, struct err *e)
{
	if (f->spec->root.read_only) {
		int r = mnt_set(f->root, MOUNT_ATTR_RDONLY, 0, 0, false);

		if (r < 0)
			return err_set(e, r, "make the root read-only");
	}
	if (fchdir(f->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(e, -errno, "make the container's root the root (pivot_root)");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, -errno, "leave the host's root");
	return 0;
}
