/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_CALLS_H
#define TESTS_TOOLS_STEPPER_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tests/tools/stepper_peek.h"

struct call;
struct sock_filter;

enum call_class {
	CALL_NONE,  /* changes nothing and is not worth failing */
	CALL_FAULT, /* changes nothing itself, but may fail: open, fork, exec, lock ... */
	CALL_CRASH, /* changes something outside the process */
};

/* One system call a thread is about to make. */
struct stop {
	pid_t tid, tgid;
	bool delivers;		      /* its standard output is the result of the command */
	bool is_root;		      /* it is the command itself */
	bool faults;		      /* fault points are wanted */
	const struct stat *out, *err; /* standard output and error as the command got them */
	const struct call *call;
	uint64_t arg[6];
	struct text detail; /* filled by call_classify */
};

/* The table's row for a system call number, or NULL. */
const struct call *call_find(long nr);
const char *call_name(const struct call *c);
long call_number(const struct call *c);

/*
 * Decides what the call is and describes it. Reads the thread's memory and descriptors, changes
 * nothing.
 */
enum call_class call_classify(struct stop *s);

/*
 * The seccomp program that stops the listed calls, and only those. Returns the number of
 * instructions; prog holds CALL_FILTER_MAX of them.
 */
#define CALL_FILTER_MAX 400
unsigned short call_filter(struct sock_filter *prog, bool faults);

#endif
