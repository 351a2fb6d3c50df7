/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_NETNS_H
#define NARU_NET_NETNS_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define NETNS_GONE 1 /* a positive outcome: there is no namespace at that path any more */

struct netns_id {
	uint64_t dev, ino;
};

/*
 * Opens the network namespace at path: *fd is a descriptor for setns and netlink. NETNS_GONE (no
 * *fd) when the path does not exist or is an unmounted leftover file of a pinned namespace; -EINVAL
 * when it is there and is something else. Never blocks on a FIFO.
 */
int netns_open(const char *path, int *fd, struct err *e);
int netns_self(int *fd, struct err *e);
int netns_identify(int fd, struct netns_id *out, struct err *e);
bool netns_same(int fd_a, int fd_b);

/* Creates a namespace and pins it with a bind mount on path (whose directory must exist). */
int netns_create(const char *path, struct err *e);
/* Unmounts and removes the pin; absence is success. */
int netns_unpin(const char *path, struct err *e);

/* Runs fn(arg) inside the namespace on this thread and comes back; returns what fn returned. */
int netns_run(int fd, int (*fn)(void *arg), void *arg, struct err *e);

#endif
