// SPDX-License-Identifier: GPL-2.0-or-later
/* The mounts that config.json lists. */
#include "runner/engine/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/inroot.h"
#include "runner/engine/mnt.h"
#include "runner/engine/mountopt.h"
#include "runner/spec.h"

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int rootfs_detached(const char *type, struct err *e)
{
	const struct mountopt o = { .set = SAFE };

	return mnt_new(type, type, &o, e);
}

/* Attributes beyond those a new file system is born with, and propagation. */
static int set_attributes(int m, const struct mountopt *o, bool born)
{
	int r = 0;

	if (!born && (o->set || o->clear))
		r = mnt_set(m, o->set, o->clear, 0, false);
	if (r == 0 && (o->rset || o->rclear))
		r = mnt_set(m, o->rset, o->rclear, 0, true);
	if (r == 0 && o->propagation)
		r = mnt_set(m, 0, 0, o->propagation, o->propagation_recursive);
	return r;
}

/*
 * Files that a bind may replace in /proc, as lxcfs does; anything else there would fool us and the
 * container's tools.
 */
static bool may_cover_proc(const char *path)
{
	static const char *const ok[] = {
		"/proc/cpuinfo", "/proc/diskstats",
		"/proc/meminfo", "/proc/stat",
		"/proc/swaps",	 "/proc/uptime",
		"/proc/loadavg", "/proc/slabinfo",
		"/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
	};

	for (size_t i = 0; i < ARRAY_LEN(ok); i++)
		if (!strcmp(ok[i], path))
			return true;
	return false;
}

static int find_target(struct rootfs *f, const char *path, bool directory, bool is_proc,
		       struct err *e)
{
	struct statfs s;
	int fd = inroot_make(f->root, path, directory);

	if (fd < 0)
		return err_set(e, fd, "find or make the target %s inside the root", path);
	if (is_proc || fstatfs(fd, &s) < 0 || s.f_type != PROC_SUPER_MAGIC || may_cover_proc(path))
		return fd;
	(void)close(fd);
	return err_say(
		e, -EPERM,
		"mount target %s: lies in the container's /proc, where nothing may be mounted",
		path);
}

static int mount_bind(struct rootfs *f, const struct spec_mount *m, const struct mountopt *o,
		      struct err *e)
{
	char source[4096];
	struct stat st, at;
	int r = 0;

	if (!m->source || !*m->source)
		return err_say(e, -EINVAL, "mount %s: a bind mount needs a source", m->destination);
	if (snprintf(source, sizeof source, "%s%s%s", *m->source == '/' ? "" : f->bundle,
		     *m->source == '/' ? "" : "/", m->source) >= (int)sizeof source)
		return err_set(e, -ENAMETOOLONG, "mount %s", m->source);
	cleanup_fd int tree = mnt_copy(AT_FDCWD, source, o->recursive);
	if (tree < 0)
		return err_set(e, tree, "mount %s on %s: open the source", source, m->destination);
	if (fstat(tree, &st) < 0)
		return err_set(e, -errno, "mount %s on %s", source, m->destination);
	cleanup_fd int target = find_target(f, m->destination, S_ISDIR(st.st_mode), false, e);
	if (target < 0)
		return target;
	if (fstat(target, &at) == 0 && S_ISDIR(st.st_mode) != S_ISDIR(at.st_mode))
		return err_say(
			e, -ENOTDIR,
			"mount %s on %s: the first is a %s, but in the container the second is a %s",
			source, m->destination, S_ISDIR(st.st_mode) ? "directory" : "file",
			S_ISDIR(at.st_mode) ? "directory" : "file");
	if ((r = set_attributes(tree, o, false)) < 0 || (r = mnt_attach(tree, target)) < 0)
		return err_set(e, r, "mount %s on %s", source, m->destination);
	return 0;
}

/* ---------------------------------------------------------------- control groups */

static int attach_v1(int tmpfs_root, const char *name, const struct mountopt *o, struct err *e)
{
	bool v2 = !strcmp(name, "unified");
	struct mountopt mine = { .set = o->set, .data = { name }, .ndata = v2 ? 0 : 1 };
	cleanup_fd int m = mnt_new(v2 ? "cgroup2" : "cgroup", "cgroup", &mine, e);
	int r;

	if (m < 0)
		return m;
	if (mkdirat(tmpfs_root, name, 0755) < 0)
		return err_set(e, -errno, "make /sys/fs/cgroup/%s", name);
	cleanup_fd int target =
		openat(tmpfs_root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = target < 0 ? -errno : mnt_attach(m, target);
	return r < 0 ? err_set(e, r, "mount the %s control groups", name) : 0;
}

/*
 * What the container sees: the version 2 tree, or, when it has groups in version 1 hierarchies,
 * those. Hierarchies in which it has no group of its own are not shown: they would begin at the
 * host's root.
 */
static int mount_cgroup(struct rootfs *f, const struct spec_mount *m, const struct mountopt *o,
			struct err *e)
{
	const struct mountopt tmpfs = { .set = o->set & ~(uint64_t)MOUNT_ATTR_RDONLY,
					.data = { "mode=755", "size=64k" },
					.ndata = 2 };
	struct cgroup_view view;
	int r;

	if (!*f->cgroup->path)
		return 0;
	cgroup_view(f->cgroup, &view);
	cleanup_fd int target = find_target(f, m->destination, true, false, e);
	if (target < 0)
		return target;
	struct mountopt plain = { .set = o->set };
	cleanup_fd int mount = view.v2_only ? mnt_new("cgroup2", "cgroup", &plain, e) :
					      mnt_new("tmpfs", "cgroup", &tmpfs, e);
	if (mount < 0)
		return mount;
	if ((r = mnt_attach(mount, target)) < 0)
		return err_set(e, r, "mount cgroup on %s", m->destination);
	if (view.v2_only)
		return 0;
	for (const char **n = view.names; *n; n++)
		if ((r = attach_v1(mount, *n, o, e)) < 0)
			return r;
	if (f->cgroup->dir >= 0 && (r = attach_v1(mount, "unified", o, e)) < 0)
		return r;
	r = mnt_set(mount, o->set, 0, 0, false);
	return r < 0 ? err_set(e, r, "make %s read-only", m->destination) : 0;
}

/* ---------------------------------------------------------------- all of them */

static int mount_new(struct rootfs *f, const struct spec_mount *m, const struct mountopt *o,
		     struct err *e)
{
	bool is_proc = !strcmp(m->type, "proc");
	int r;

	cleanup_fd int mount = mnt_new(m->type, m->source, o, e);
	if (mount < 0)
		return err_wrap(e, "mount %s on %s", m->type, m->destination);
	cleanup_fd int target = find_target(f, m->destination, true, is_proc, e);
	if (target < 0)
		return target;
	if ((r = set_attributes(mount, o, true)) < 0 || (r = mnt_attach(mount, target)) < 0)
		return err_set(e, r, "mount %s on %s", m->type, m->destination);
	if (is_proc && f->proc < 0)
		f->proc = take_fd(mount);
	return 0;
}

int rootfs_mounts(struct rootfs *f, struct err *e)
{
	for (size_t i = 0; i < f->spec->nmounts; i++) {
		const struct spec_mount *m = &f->spec->mounts[i];
		struct mountopt o;
		int r = mountopt_parse(m->options, m->noptions, &o, e);

		if (r < 0)
			return err_wrap(e, "mount %s", m->destination);
		if (o.bind || (m->type && !strcmp(m->type, "bind")))
			r = mount_bind(f, m, &o, e);
		else if (!m->type || !*m->type)
			r = err_say(e, -EINVAL, "mount %s: expected a type or a bind option",
				    m->destination);
		else if (!strcmp(m->type, "cgroup") || !strcmp(m->type, "cgroup2"))
			r = mount_cgroup(f, m, &o, e);
		else
			r = mount_new(f, m, &o, e);
		if (r < 0)
			return r;
	}
	return 0;
}
