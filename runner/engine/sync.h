/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SYNC_H
#define NARU_ENGINE_SYNC_H

struct err;
struct notes;

/*
 * The pair of sockets between the process that starts a container and the container's first
 * process. The child reports once that it is ready (or why it is not), waits for the word to go,
 * and after a failed exec reports again; a successful exec closes its end.
 */
int sync_pair(int *parent, int *child, struct err *e);

/* Child. */
void sync_report(int fd, int r, const struct err *e, const struct notes *n); /* r 0: ready */
void sync_executing(int fd, const char *path); /* names what a later errno speaks of */
int sync_await_go(int fd);		       /* 0; -ECANCELED when the parent is gone */

/*
 * Parent: 0 (notes filled) or the child's error. When the child is gone without a word, "exec
 * succeeded" is 1.
 */
int sync_await(int fd, struct notes *n, struct err *e);
int sync_go(int fd, struct err *e);

#endif
