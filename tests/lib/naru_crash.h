/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_NARU_CRASH_H
#define TESTS_LIB_NARU_CRASH_H

#include <stdbool.h>

/*
 * Crash points of the runner: a command line is killed just before each of its state-changing
 * system calls in turn, then `naru gc`, and the machine must be exactly as before. No exception
 * list.
 */
struct naru_crash {
	const char *line;   /* without "naru" */
	const char *before; /* what makes the situation; NULL: nothing */
	bool may_stay; /* a container may rightly be there after gc; it is removed the usual way */
};

/* The laboratory, the image, and as state the snapshot that every point is compared with. */
int naru_crash_setup(void **state);
int naru_crash_teardown(void **state);

/*
 * how: "--kill=" for the whole process tree, "--kill-one=" for the process that is about to make
 * the call. before: the snapshot.
 */
void naru_crash_at_every_point(const struct naru_crash *s, const char *how, const char *before);

#define NARU_CRASH(name, subject, how) \
	static void name(void **state) \
	{ \
		naru_crash_at_every_point(&(subject), how, *state); \
	}

#endif
