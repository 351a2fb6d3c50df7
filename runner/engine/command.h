/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_COMMAND_H
#define NARU_ENGINE_COMMAND_H

struct err;

#define COMMAND_NOT_FOUND 127 /* in err.code: what a shell answers */
#define COMMAND_NOT_EXECUTABLE 126

/*
 * Makes stdio the descriptors 0, 1 and 2, whatever numbers they have. 0 or -errno. For the child.
 */
int command_stdio(const int stdio[3]);

/* All signals as a new program expects them: default actions, nothing blocked. */
void command_signals(void);

/*
 * Executes args[0], looked up in the PATH of env when it has no slash, after marking every
 * descriptor above 2 to be closed. Returns only when that failed: a negative errno, with err.code
 * saying what a shell would exit with.
 */
int command_exec(const char *const *args, const char *const *env, struct err *e);

#endif
