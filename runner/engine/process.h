/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_PROCESS_H
#define NARU_ENGINE_PROCESS_H

#include <stdint.h>
#include <sched.h>
#include <linux/sched.h>
#include <sys/types.h>

struct err;
struct txn;
struct undo_op;

/*
 * clone3(2) without a stack of its own: like fork. *pidfd is filled; into_cgroup is a descriptor or
 * -1. pid, 0 or -errno.
 */
pid_t process_clone(uint64_t flags, int into_cgroup, int *pidfd);

/*
 * Records in t how to end the process: by pid and start time, so that never another process is
 * killed.
 */
int process_record(struct txn *t, pid_t pid, uint64_t start_time, struct err *e);

extern const struct undo_op process_undo_kill;

#endif
