/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_ASIDE_H
#define NARU_BASE_ASIDE_H

#include <stddef.h>

#define ASIDE_ARG_MAX 64

/* fn must not return errors and must not use anything but system calls; see below. */
typedef void aside_fn(int fd, const void *arg);

/*
 * Lets a process of its own do something slow while the caller goes on, and ends: fn(fd, arg), with
 * a copy of the size bytes at arg. It is made without copying memory, which would cost the caller
 * more than most of what it does: so fn runs on a stack of its own in memory that is the caller's
 * too, and may rely on nothing in it but its own copy.
 *
 * The process holds fd and no other descriptor (runtimes read a plugin's streams to their end), is
 * called name, and no SIGCHLD handler or plain wait() hears of it; until the caller ends, it may
 * stay a zombie. Returns 0, or -errno: then nothing was started.
 */
int aside_run(const char *name, int fd, aside_fn *fn, const void *arg, size_t size);

#endif
