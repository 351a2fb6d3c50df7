/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_CLEANUP_H
#define NARU_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Whoever declares a resource frees it: `cleanup_fd int fd = open(...)`. take_ptr and take_fd hand
 * it over. The cleaners keep errno, so that `return -errno` in front of them means what it says.
 */
static inline void cleanup_free_p(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd_p(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void cleanup_dir_p(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static inline void cleanup_stream_p(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_p)))
#define cleanup_fd __attribute__((cleanup(cleanup_fd_p)))
#define cleanup_dir __attribute__((cleanup(cleanup_dir_p)))
#define cleanup_stream __attribute__((cleanup(cleanup_stream_p)))

#define take_ptr(p) \
	({ \
		__typeof__(p) taken_ = (p); \
		(p) = NULL; \
		taken_; \
	})
#define take_fd(fd) \
	({ \
		int taken_ = (fd); \
		(fd) = -1; \
		taken_; \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
