/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_H
#define TESTS_TOOLS_STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PLAN_ACTS_MAX 8
#define PLAN_ONLY_MAX 16

enum act_kind {
	ACT_KILL,	/* SIGKILL the whole tree before the point executes */
	ACT_KILL_ONE,	/* SIGKILL only the process at the point */
	ACT_SIGNAL,	/* deliver a signal before the call, then let it happen */
	ACT_ERRNO,	/* the call fails without being executed */
	ACT_ERRNO_FROM, /* so do all later ones */
	ACT_PAUSE,	/* hold the tree while a file exists */
};

struct act {
	enum act_kind kind;
	unsigned at;	  /* number of the point, from 1 */
	int value;	  /* errno or signal */
	const char *file; /* ACT_PAUSE */
	bool fired;
};

/* What to run and what to do to it; strings borrow from the command line. */
struct plan {
	struct act act[PLAN_ACTS_MAX];
	unsigned nact;
	const char *only[PLAN_ONLY_MAX]; /* count only in these programs; none: everywhere */
	unsigned nonly;
	bool faults;	 /* fault points are numbered too */
	bool whole_tree; /* count until the last process is gone, not the first */
	FILE *list;	 /* one line per point, or NULL */
	int timeout_s;	 /* for the command */
	int pause_s;	 /* for each pause */
	int linger_s;	 /* for processes that outlive the command */
	char **argv;
};

/* How the run went. exit and signal are -1 when not known, or not the case. */
struct outcome {
	unsigned points;
	unsigned survivors; /* threads of the tree that were alive when the run ended */
	int exit;
	int signal;
	int error;   /* errno of the failed start of the command, or 0 */
	bool killed; /* by ACT_KILL */
	bool timeout;
};

#endif
