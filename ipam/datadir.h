/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DATADIR_H
#define NARU_IPAM_DATADIR_H

#include <stdbool.h>

struct err;

/*
 * The directory that holds the reservations, opened so that nobody but root (or the caller) can
 * have put anything in our way: every directory down to it must belong to root or the caller and
 * must not be writable by others, sticky ones like /tmp excepted where they are only passed
 * through. Symbolic links on the way are followed only when root or the caller made them.
 *
 * Returns a descriptor that can be read and fsynced. create: missing directories are made with mode
 * 0755; otherwise a missing one is -ENOENT. An untrusted one is -EPERM, CNI code 7.
 */
int datadir_open(const char *path, bool create, struct err *e);

/*
 * The same for one directory below an opened one; never follows a link. mode is for its creation, 0
 * = do not create.
 */
int datadir_sub(int dir, const char *name, unsigned mode, struct err *e);

#endif
