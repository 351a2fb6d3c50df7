/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_FD_H
#define NARU_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads to the end of file, at most max bytes and, when timeout_ms >= 0, at most that long. *out is
 * malloc'd and NUL-terminated, *len (may be NULL) excludes the terminator. -EFBIG above max,
 * -ETIMEDOUT, or -errno.
 */
int fd_read_all(int fd, size_t max, int timeout_ms, char **out, size_t *len);

/* Writes everything, and waits for as long as that takes, O_NONBLOCK or not: 0 or -errno. */
int fd_write_all(int fd, const void *buf, size_t len);

/*
 * Makes descriptors 0, 1 and 2 exist (on /dev/null) so that no file we open lands there; closes 3
 * and above.
 */
int fd_sanitize(void);

int fd_set_cloexec(int fd, bool on);

#endif
