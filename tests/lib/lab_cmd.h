/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LAB_CMD_H
#define TESTS_LIB_LAB_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A program to run. Only path and argv are required. */
struct lab_cmd {
	const char *path;
	char *const *argv;
	char *const *env; /* all of it; NULL: only PATH. Sanitizer options are added. */
	const void *in;	  /* stdin; NULL: /dev/null */
	size_t in_len;
	const char *netns;	 /* name or path; NULL: the caller's */
	int timeout_ms;		 /* 0: 30 s; then the process group gets SIGKILL */
	bool no_sanitizer_check; /* do not fail the test when stderr holds a sanitizer's report */
};

struct lab_result {
	int status; /* exit status; -1 when a signal ended it */
	int signal; /* 0, or the signal that ended it */
	bool timed_out;
	bool held_open;	 /* it is gone, but something it started still holds its stdout or stderr */
	char *out, *err; /* never NULL, NUL-terminated; what exceeds 16 MiB is dropped */
	size_t out_len, err_len;
	long wall_us; /* from before fork to after wait */
	long rss_kib; /* peak; not below lab_rss_floor() */
};

/*
 * Runs a command to its end. Fails the test only when it cannot be started or a sanitizer reports.
 */
void lab_run(const struct lab_cmd *c, struct lab_result *out);
void lab_result_clear(struct lab_result *r);

/*
 * Peak memory of a child of this program that executes an almost empty program: below this rss_kib
 * says nothing.
 */
long lab_rss_floor(void);

/*
 * True when text holds a report of AddressSanitizer, LeakSanitizer or UndefinedBehaviorSanitizer.
 */
bool lab_sanitizer_report(const char *text);

#endif
