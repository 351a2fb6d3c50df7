/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_REGS_H
#define TESTS_TOOLS_STEPPER_REGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a thread in a seccomp stop is about to do, independent of the architecture. */
struct regs_call {
	long nr;
	uint64_t arg[6];
	uint64_t ip, sp;
};

/* Returns false when the thread is gone. */
bool regs_call(pid_t tid, struct regs_call *c);

/* The error a thread in a system call exit stop is about to see, as a positive number; 0: none. */
long regs_error(pid_t tid);

/* The call is not made; the thread sees -error (or nothing, when it is about to die). */
void regs_skip(pid_t tid, int error);

/*
 * The call is not made now: the thread goes back to the instruction before it and makes it again.
 */
void regs_replay(pid_t tid);

#endif
