/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_MNT_H
#define NARU_ENGINE_MNT_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct mountopt;

/*
 * Mounts by descriptor (fsopen(2), open_tree(2), move_mount(2)): nothing is looked up twice. For
 * the child: no allocation.
 */

/*
 * A new file system, not attached: a descriptor or a negative errno with the kernel's own words.
 * source may be NULL.
 */
int mnt_new(const char *type, const char *source, const struct mountopt *o, struct err *e);
/*
 * A copy of what is at path (below dir; "" = dir itself), not attached. A descriptor or a negative
 * errno.
 */
int mnt_copy(int dir, const char *path, bool recursive);
/* Attaches the mount on the file or directory target stands for. 0 or -errno. */
int mnt_attach(int mount, int target);
/* MOUNT_ATTR_ bits and propagation. 0 or -errno. */
int mnt_set(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);

#endif
