/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_INROOT_H
#define NARU_ENGINE_INROOT_H

#include <stdbool.h>

/*
 * Paths inside a container's root, which is the container's to arrange: symbolic links are followed
 * as if the root were "/", never out of it, and magic links of /proc never at all (openat2(2),
 * RESOLVE_IN_ROOT). For the child: nothing is allocated.
 */

/* Opens path with O_PATH: a descriptor or a negative errno. */
int inroot_find(int root, const char *path);
/* Opens it with other flags (O_CLOEXEC is added). */
int inroot_open(int root, const char *path, int flags);
/*
 * As inroot_find, making the directories on the way and, when missing, the last component: a
 * directory or an empty file.
 */
int inroot_make(int root, const char *path, bool directory);

#endif
