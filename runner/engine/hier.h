/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_HIER_H
#define NARU_ENGINE_HIER_H

#include <stdbool.h>

#include "runner/engine/limits.h"

#define HIER_MOUNT "/sys/fs/cgroup"
#define HIER_ROOT_MAX 64

/* The control group hierarchies of this machine, at their customary places. */
struct hier {
	const char *v2; /* root of the version 2 tree, or NULL */
	unsigned v1;	/* 1 << controller: there is a version 1 hierarchy HIER_MOUNT/NAME */
};

/*
 * Looks. Version 1 is asked for when limits are to be set; without a version 2 tree it is looked at
 * in any case.
 */
struct hier hier_detect(bool v1_too);

/* Every hierarchy there could be, without looking: for those to whom absence is fine. */
struct hier hier_all(void);

/*
 * Root of hierarchy i: a controller's of version 1, or with CGROUP_CONTROLLERS the version 2 tree.
 * NULL: there is none.
 */
const char *hier_root(const struct hier *h, unsigned i, char buf[HIER_ROOT_MAX]);

#define for_each_hier(i, h, root) \
	for (unsigned i = 0; i <= CGROUP_CONTROLLERS; i++) \
		if ((root = hier_root((h), i, (char[HIER_ROOT_MAX]){ "" })))

/* The hierarchy that tells who belongs to a container; NULL: there is none. */
const char *hier_members(const struct hier *h, char buf[HIER_ROOT_MAX]);

/* Opens root/path: a descriptor or a negative errno. */
int hier_dir(const char *root, const char *path);

#endif
