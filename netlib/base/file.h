/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_FILE_H
#define NARU_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/*
 * Whole small files and directories, crash-safe. `dir` is a directory descriptor or AT_FDCWD; names
 * never follow a symbolic link in their last component, and FIFOs or devices are never waited for:
 * what is read must be a regular file.
 */

/*
 * Reads a regular file of at most max bytes: *out malloc'd, NUL-terminated. -EFBIG above max,
 * -EFTYPE-like -EINVAL when not regular.
 */
int file_read_at(int dir, const char *name, size_t max, char **out, size_t *len, struct err *e);

/*
 * Replaces name atomically: unnamed or temporary file, write, fsync, rename, fsync of the
 * directory. Readers see old or new.
 */
int file_replace_at(int dir, const char *name, mode_t mode, const void *buf, size_t len,
		    struct err *e);

/*
 * Creates name with its full content or not at all: O_TMPFILE, write, fsync, linkat, fsync of the
 * directory. Returns 0, -EEXIST, -errno.
 */
int file_create_at(int dir, const char *name, mode_t mode, const void *buf, size_t len,
		   struct err *e);

/* mkdir -p below dir; components are created with mode; existing ones are left alone. */
int file_mkdirs(const char *path, mode_t mode, struct err *e);

/*
 * Opens a directory (O_PATH is not used: the descriptor can be fsynced and read). No symbolic link
 * as last component.
 */
int file_open_dir(int dir, const char *name, struct err *e);

/*
 * Exclusive flock on fd, waiting at most timeout_ms. -EAGAIN with the pid and the command of
 * the holder in the sentence when time runs out (CNI code 11, try again later). what names the
 * thing locked.
 */
int file_lock(int fd, int timeout_ms, const char *what, struct err *e);

/*
 * Removes a whole tree below dir, however deep, never following links or crossing to another file
 * system. Absence is success.
 */
int file_remove_tree(int dir, const char *name, struct err *e);

/* Removes one name: 0 also when it is not there, or -errno. */
int file_remove_at(int dir, const char *name);

/*
 * For a change that is made without these functions: true in a dry run, in which it is noted and
 * must not be made.
 */
bool file_noted(const char *act, const char *name);

/* Writes a short value to a kernel file (/proc/sys, cgroup): one write(2). */
int file_poke_at(int dir, const char *name, const char *value);

#endif
