/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_NETNS_H
#define TESTS_BENCH_LIB_NETNS_H

/*
 * Makes a network namespace, pinned on path unless that is NULL; the caller stays where it was.
 * Returns its descriptor.
 */
int netns_make(const char *path);

/* Lets go of the pin; the kernel removes the namespace in its own time. */
void netns_drop(const char *path);

/* Moves the caller into the namespace of fd. */
void netns_enter(int fd);

/* Sets the loopback of the caller's namespace up. */
void netns_lo_up(void);

#endif
