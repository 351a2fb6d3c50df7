/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_MONITOR_H
#define NARU_ENGINE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct engine_proc;
struct err;

/*
 * Stands beside a running container: takes what it prints, writes it to a log in docker's json-file
 * form, optionally shows it, and waits for its end. Runs in the process that created the container:
 * `run` in the foreground, a daemonised child for `run -d`.
 *
 * The log never holds the container up: lines that the file does not take within a moment (slow or
 * dead disk, no space) are dropped and counted, and the count is logged as soon as the file takes
 * lines again. What is shown on tee does hold it up, as a pipe does.
 */
struct monitor {
	struct engine_proc *proc; /* after engine_begin */
	/* read ends of the container's stdout and stderr pipes; -1: not ours. Closed */
	int out, err;
	int log;	      /* log file, O_APPEND; -1: no log */
	int tee_out, tee_err; /* where to show it; -1: nowhere */
	/*
	 * TERM INT HUP QUIT USR1 USR2 CONT WINCH sent to us go to the container; a third INT or
	 * TERM kills it
	 */
	bool forward_signals;

	/*
	 * Called once, when the process has ended and its output is written: code is 0..255 (128 +
	 * signal). Records it (the caller replaces its state document atomically). May be NULL.
	 */
	int (*ended)(void *arg, int code, struct err *e);
	void *arg;
	uint64_t dropped; /* out: lines that did not reach the log */
};

/*
 * To the end of the container: its exit code (0..255) or a negative errno. Output that other
 * processes of the container still hold open is awaited for at most a second after the first
 * process ended (its pid namespace is gone by then).
 */
int monitor_run(struct monitor *m, struct err *e);

/*
 * Leaves the caller's session: for the child that becomes the monitor of `run -d`. New session,
 * directory /, SIGHUP ignored, descriptors 0..2 on /dev/null; all others stay as they are.
 */
int monitor_detach(struct err *e);

#endif
