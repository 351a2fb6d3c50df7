/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_CRASH_H
#define TESTS_LIB_CRASH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Crash points of plugins: each is killed just before each of its state-changing system calls in
 * turn, then cleaned up in the ways that a runtime has, and the machine must be exactly as before.
 * No exception list.
 */

/* A plugin under test, and what must have run before it for its ADD to make sense. */
struct crash_subject {
	const char *plugin, *conf, *ifname;
	const struct crash_subject *before;
	/* its DEL gives back the container and the host as they were before its ADD, all of it */
	bool restores;
	const char *gives_back; /* or only what this shell command in the container prints */
	bool alone; /* what it takes there is only one of: no second container beside it */
	/*
	 * shell commands in the host: what has to be there before each round; what is checked and
	 * taken away after it
	 */
	const char *furnish, *clear;
};

/* The laboratory and the snapshot that every point is compared with: a cmocka group set-up. */
int crash_setup(void **state);

enum crash_aftermath { CRASH_DEL, CRASH_GONE, CRASH_GC };

/* Each for all subjects. */
void crash_in_add(const struct crash_subject *const *s, size_t n, enum crash_aftermath what);
void crash_in_del(const struct crash_subject *const *s, size_t n);
/* A call of ADD that fails: ADD fails without a trace, or does without the call. */
void crash_failed_calls(const struct crash_subject *const *s, size_t n);
/* The k-th verb of the transaction fails, for every k. */
void crash_failed_verbs(const struct crash_subject *const *s, size_t n);

/*
 * State-changing calls of an ADD of the subject for a container "two" next to one that is attached
 * already, and so finds the furniture made.
 */
unsigned crash_count_second(const struct crash_subject *s);

/* A whole program of the six: exit status. Its subjects must stay. */
int crash_suite(const struct crash_subject *const *s, size_t n);

#endif
