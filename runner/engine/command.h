/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_COMMAND_H
#define NARU_ENGINE_COMMAND_H

#include <stdbool.h>

struct err;

#define COMMAND_NOT_FOUND 127 /* in err.code: what a shell answers */
#define COMMAND_NOT_EXECUTABLE 126

/*
 * Makes stdio the descriptors 0, 1 and 2, whatever numbers they have. 0 or -errno. For the child.
 */
int command_stdio(const int stdio[3]);

/* All signals as a new program expects them: default actions, nothing blocked. */
void command_signals(void);

struct command {
	const char *const *args, *const *env;
	bool alone; /* nobody else is in the container who could exchange files meanwhile */
};

/*
 * Executes args[0], looked up in the PATH of env when it has no slash, after marking every
 * descriptor above 2 to be closed. What the look-up finds wrong is returned: a negative errno, with
 * err.code saying what a shell would exit with. What the kernel finds wrong then reaches the parent
 * through sync.
 */
int command_exec(const struct command *c, int sync, struct err *e);

/* The sentence and err.code for an exec of name that failed with errno no; returns -no. */
int command_refused(int no, const char *name, bool exists, struct err *e);

#endif
