// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/txn/txn.h"
#include "runner/engine/devices.h"
#include "runner/engine/hier.h"
#include "runner/engine/limits.h"
#include "runner/spec.h"

#define PARENT_DEFAULT "naru"
#define VALUE_MAX 65536

#define BIT(c) (1u << (c))

/* ---------------------------------------------------------------- creating */

const char *cgroup_parent(void)
{
	const char *parent = getenv("NARU_CGROUP_PARENT");

	return parent && *parent ? parent : PARENT_DEFAULT;
}

static int choose_path(const char *id, const char *asked, const struct spec_resources *res,
		       char *out, size_t size, struct err *e)
{
	/* those have another parent: the filter of the usual one would overrule theirs */
	bool own_devices = !devices_are_default(res->devices, res->ndevices);
	const char *parent = cgroup_parent();
	int r;

	if (asked && *asked == '/')
		r = str_copyf(out, size, "%s", asked + strspn(asked, "/"));
	else
		r = str_copyf(out, size, "%s%s/%s", parent, own_devices ? "-devices" : "",
			      asked && *asked ? asked : id);
	if (r < 0)
		return err_set(e, r, "name the control group of %s", id);
	if (!*out || strstr(out, "..") || *out == '/')
		return err_say(e, -EINVAL,
			       "control group path \"%s\": expected a path without \"..\"",
			       asked ? asked : parent);
	return 0;
}

/* The directories on the way are shared and may be there; the last one must not. */
static int make_dirs(const char *root, const char *path, struct err *e)
{
	char full[400];
	size_t skip = strlen(root) + 1;

	if (str_copyf(full, sizeof full, "%s/%s", root, path) < 0)
		return err_set(e, -ENAMETOOLONG, "make control group %s", path);
	for (char *p = strchr(full + skip, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			return err_set(e, -errno, "make control group %s", full);
		*p = '/';
	}
	if (mkdir(full, 0755) == 0)
		return 0;
	if (errno == EEXIST && rmdir(full) == 0 && mkdir(full, 0755) == 0) /* an empty leftover */
		return 0;
	return err_set(e, -errno, "make control group %s", full);
}

static unsigned v2_controllers(const char *root)
{
	cleanup_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = dir < 0 ? -1 : openat(dir, "cgroup.controllers", O_RDONLY | O_CLOEXEC);
	char buf[512] = " ", word[32];
	unsigned set = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, buf + 1, sizeof buf - 3);

	if (n <= 0)
		return 0;
	buf[n] = ' '; /* instead of the newline */
	for (unsigned c = 0; c < CGROUP_CONTROLLERS; c++) {
		(void)snprintf(word, sizeof word, " %s ", cgroup_controller_name(c));
		if (strstr(buf, word))
			set |= BIT(c);
	}
	return set;
}

/* Hands a controller down to the group: every directory above it has to. */
static int enable(const char *root, const char *path, unsigned controllers, struct err *e)
{
	char full[400], words[128] = "";
	size_t len = 0;

	for (unsigned c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers & BIT(c))
			len += (size_t)snprintf(words + len, sizeof words - len, "%s+%s",
						len ? " " : "", cgroup_controller_name(c));
	if (!len)
		return 0;
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		(void)snprintf(full, sizeof full, "%s/%.*s%scgroup.subtree_control", root,
			       (int)(p - path), path, p == path ? "" : "/");
		int r = file_poke_at(AT_FDCWD, full, words);
		if (r < 0)
			return err_set(e, r, "write \"%s\" to %s", words, full);
	}
	return 0;
}

/*
 * A version 1 cpuset is born empty, and nothing can enter it before it has the CPUs of its parent.
 */
static int inherit_cpuset(const char *root, const char *path, struct err *e)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char from[400], to[400];

	for (const char *p = path + strcspn(path, "/"); p;
	     p = *p ? p + strcspn(p + 1, "/") + 1 : NULL) {
		const char *up = memrchr(path, '/', (size_t)(p - path));

		for (size_t i = 0; i < ARRAY_LEN(files); i++) {
			cleanup_free char *value = NULL;

			(void)snprintf(from, sizeof from, "%s/%.*s/%s", root,
				       up ? (int)(up - path) : 0, path, files[i]);
			(void)snprintf(to, sizeof to, "%s/%.*s/%s", root, (int)(p - path), path,
				       files[i]);
			int fd = open(from, O_RDONLY | O_CLOEXEC);
			int r = fd < 0 ? -errno : fd_read_all(fd, VALUE_MAX, -1, &value, NULL);
			if (fd >= 0)
				(void)close(fd);
			if (r < 0 || (r = file_poke_at(AT_FDCWD, to, value)) < 0)
				return err_set(e, r, "copy %s to %s", from, to);
		}
	}
	return 0;
}

static int write_limits(const struct hier *l, const char *path, const struct cgroup_write *w, int n,
			struct err *e)
{
	char full[400], buf[64];

	for (int i = 0; i < n; i++) {
		const char *root = w[i].v2 ? l->v2 : hier_root(l, w[i].controller, buf);
		const char *value = w[i].text ? w[i].text : w[i].value;

		if (str_copyf(full, sizeof full, "%s/%s/%s", root, path, w[i].file) < 0)
			return err_set(e, -ENAMETOOLONG, "write %s", w[i].file);
		int r = file_poke_at(AT_FDCWD, full, value);
		if (r < 0 && !(w[i].optional && (r == -ENOENT || r == -ENOTSUP)))
			return err_set(e, r, "write \"%s\" to %s", value, full);
	}
	return 0;
}

/* The usual rules sit on the parent, once for all containers; other rules on the group itself. */
static int restrict_devices(const struct hier *l, const struct cgroup *c,
			    const struct spec_resources *res, struct err *e)
{
	bool usual = devices_are_default(res->devices, res->ndevices) && strchr(c->path, '/');
	char where[sizeof c->path], buf[64];
	int r = 0;

	(void)snprintf(where, sizeof where, "%.*s",
		       usual ? (int)strcspn(c->path, "/") : (int)strlen(c->path), c->path);
	if (l->v2) {
		cleanup_fd int dir = hier_dir(l->v2, where);

		return dir < 0 ? err_set(e, dir, "open control group %s", where) :
		       usual && devices_restricted(dir) ?
				 0 :
				 devices_restrict(dir, usual ? NULL : res->devices,
						  usual ? 0 : res->ndevices, e);
	}
	if (!(c->v1 & BIT(CGROUP_DEVICES)))
		return err_say(e, -ENOTSUP, "this machine has no device control");
	cleanup_fd int dir = hier_dir(hier_root(l, CGROUP_DEVICES, buf), where);
	if (dir < 0)
		r = err_set(e, dir, "open control group %s", where);
	else if (!usual || !devices_restricted_v1(dir))
		r = devices_restrict_v1(dir, usual ? NULL : res->devices, usual ? 0 : res->ndevices,
					e);
	return r;
}

/*
 * Makes what the plan needs. The membership group comes first: it is the one whose failure may be
 * borne with.
 */
static int make_all(const struct hier *l, struct cgroup *c, const struct cgroup_write *w, int n,
		    struct err *e)
{
	unsigned v2 = 0;
	char buf[64];
	int r;

	for (int i = 0; i < n; i++)
		*(w[i].v2 ? &v2 : &c->v1) |= BIT(w[i].controller);
	if (!l->v2)
		c->v1 |= l->v1 &
			 (BIT(CGROUP_DEVICES) |
			  (l->v1 & BIT(CGROUP_FREEZER) ? BIT(CGROUP_FREEZER) : BIT(CGROUP_PIDS)));
	if (l->v2 &&
	    ((r = make_dirs(l->v2, c->path, e)) < 0 || (r = enable(l->v2, c->path, v2, e)) < 0))
		return r;
	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
		if (!(c->v1 & BIT(i)))
			continue;
		const char *root = hier_root(l, i, buf);

		if ((r = make_dirs(root, c->path, e)) < 0 ||
		    (i == CGROUP_CPUSET && (r = inherit_cpuset(root, c->path, e)) < 0))
			return r;
	}
	return write_limits(l, c->path, w, n, e);
}

/* Version 1 and the controllers of version 2 are looked at only when a limit needs them. */
static int plan(const struct spec_resources *res, struct hier *l, struct cgroup_write *w,
		struct err *e)
{
	bool limits = limits_plan(res, 0, 0, w, NULL) != 0;

	*l = hier_detect(limits);
	return limits ? limits_plan(res, l->v1, l->v2 ? v2_controllers(l->v2) : 0, w, e) : 0;
}

int cgroup_create(struct txn *t, const char *id, const char *path, const struct spec_resources *res,
		  struct cgroup *out, struct err *e)
{
	cleanup_cgroup struct cgroup c = CGROUP_INIT;
	struct cgroup_write w[CGROUP_WRITES_MAX];
	struct err why = ERR_INIT;
	struct hier l;
	char buf[HIER_ROOT_MAX];
	int r = choose_path(id, path, res, c.path, sizeof c.path, e), n;

	if (r < 0 || (r = n = plan(res, &l, w, e)) < 0)
		return r;
	if (!hier_members(&l, buf)) {
		*out = (struct cgroup)CGROUP_INIT;
		return CGROUP_NO_DEVICES;
	}
	if (!txn_reserve(t, &cgroup_undo_remove, UNDO_HOST, NULL, c.path, NULL, e))
		return -(e && e->no ? e->no : EIO);
	r = make_all(&l, &c, w, n, &why);
	/* not ours to use, and no limit needs it */
	if (n == 0 && (r == -EROFS || r == -EACCES || r == -EPERM)) {
		(void)cgroup_remove(c.path, NULL);
		*out = (struct cgroup)CGROUP_INIT;
		return CGROUP_NO_DEVICES;
	}
	if (r == 0 && l.v2 && (c.dir = hier_dir(l.v2, c.path)) < 0)
		r = err_set(&why, c.dir, "open control group %s", c.path);
	if (r < 0) {
		err_keep_first(e, &why);
		return r;
	}
	r = restrict_devices(&l, &c, res, &why);
	*out = c;
	c.dir = -1;
	return r < 0 ? CGROUP_NO_DEVICES : 0;
}

void cgroup_clear(struct cgroup *c)
{
	if (c->dir >= 0)
		(void)close(c->dir);
	*c = (struct cgroup)CGROUP_INIT;
}

int cgroup_open(const char *path, struct cgroup *out, struct err *e)
{
	struct cgroup c = CGROUP_INIT;
	struct hier l = hier_all();
	const char *root;

	if (str_copyf(c.path, sizeof c.path, "%s", path) < 0)
		return err_set(e, -ENAMETOOLONG, "open control group %s", path);
	for_each_hier(i, &l, root) {
		int fd = *path ? hier_dir(root, path) : -ENOENT;

		if (fd == -ENOENT)
			continue;
		if (fd < 0) {
			cgroup_clear(&c);
			return err_set(e, fd, "open control group %s/%s", root, path);
		}
		if (i == CGROUP_CONTROLLERS)
			c.dir = fd;
		else {
			c.v1 |= BIT(i);
			(void)close(fd);
		}
	}
	*out = c;
	return 0;
}

int cgroup_attach(const struct cgroup *c, pid_t pid, bool into_v2, struct err *e)
{
	struct hier l = { .v1 = c->v1 };
	char full[400], text[16], buf[64];
	int r = 0;

	(void)snprintf(text, sizeof text, "%d", (int)pid);
	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
		const char *root = hier_root(&l, i, buf);

		if (!root)
			continue;
		(void)snprintf(full, sizeof full, "%s/%s/cgroup.procs", root, c->path);
		if ((r = file_poke_at(AT_FDCWD, full, text)) < 0)
			return err_set(e, r, "enter control group %s", full);
	}
	if (into_v2 && c->dir >= 0 && (r = file_poke_at(c->dir, "cgroup.procs", text)) < 0)
		return err_set(e, r, "enter control group %s", c->path);
	return 0;
}

void cgroup_view(const struct cgroup *c, struct cgroup_view *out)
{
	size_t n = 0;

	*out = (struct cgroup_view){ .v2_only = c->dir >= 0 && !c->v1 };
	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++)
		if (c->v1 & BIT(i))
			out->names[n++] = cgroup_controller_name(i);
}
