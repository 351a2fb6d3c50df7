/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_STEP_H
#define NARU_CNI_STEP_H

#include "netlib/cni/env.h"

struct cni_op;
struct err;
struct str;

/*
 * The engine of rows. ADD runs them forward and stops at the first error (the caller's transaction
 * then rolls back); CHECK and STATUS run forward and stop at the first difference; DEL runs
 * backward and GC forward, both to the end, and report the first error with the others in the
 * details. Each row is a trace event; a signal that asked us to end is honoured between rows of
 * ADD.
 */
int steps_run(struct cni_op *op, enum cni_verb verb, struct err *e);

/*
 * CHECK that repairs: a row that misses something and knows how to put it back does so, and checks
 * again. Names of such rows are added to repaired, separated by blanks.
 */
int steps_reload(struct cni_op *op, struct str *repaired, struct err *e);

/*
 * SIGTERM, SIGINT and SIGHUP set a flag that ADD looks at between rows: an end on request is a
 * clean one.
 */
void steps_catch_signals(void);

#endif
