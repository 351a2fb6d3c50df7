// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/hier.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "netlib/base/str.h"

static bool is_fs(const char *path, long magic)
{
	struct statfs s;

	return statfs(path, &s) == 0 && (long)s.f_type == magic;
}

struct hier hier_detect(bool v1_too)
{
	struct hier h = { 0 };
	char path[HIER_ROOT_MAX];

	if (is_fs(HIER_MOUNT, CGROUP2_SUPER_MAGIC)) {
		h.v2 = HIER_MOUNT;
		return h;
	}
	if (is_fs(HIER_MOUNT "/unified", CGROUP2_SUPER_MAGIC))
		h.v2 = HIER_MOUNT "/unified";
	for (unsigned c = 0; c < CGROUP_CONTROLLERS && (v1_too || !h.v2); c++) {
		(void)snprintf(path, sizeof path, HIER_MOUNT "/%s", cgroup_controller_name(c));
		if (is_fs(path, CGROUP_SUPER_MAGIC))
			h.v1 |= 1u << c;
	}
	return h;
}

struct hier hier_all(void)
{
	struct hier h = hier_detect(false);

	if (!h.v2 || strcmp(h.v2, HIER_MOUNT) != 0)
		h.v1 = (1u << CGROUP_CONTROLLERS) - 1;
	return h;
}

const char *hier_root(const struct hier *h, unsigned i, char buf[HIER_ROOT_MAX])
{
	if (i == CGROUP_CONTROLLERS)
		return h->v2;
	if (!(h->v1 & 1u << i))
		return NULL;
	(void)snprintf(buf, HIER_ROOT_MAX, HIER_MOUNT "/%s", cgroup_controller_name(i));
	return buf;
}

const char *hier_members(const struct hier *h, char buf[HIER_ROOT_MAX])
{
	static const enum cgroup_controller order[] = { CGROUP_FREEZER, CGROUP_PIDS,
							CGROUP_DEVICES };

	if (h->v2)
		return h->v2;
	for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
		if (h->v1 & 1u << order[i])
			return hier_root(h, order[i], buf);
	return NULL;
}

int hier_dir(const char *root, const char *path)
{
	char full[400];

	if (str_copyf(full, sizeof full, "%s/%s", root, path) < 0)
		return -ENAMETOOLONG;
	int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
