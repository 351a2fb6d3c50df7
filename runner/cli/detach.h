/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CLI_DETACH_H
#define NARU_CLI_DETACH_H

#include "netlib/base/err.h"
#include "runner/record.h"

/* What a process in the background tells its caller, once. */
struct detach_report {
	int code; /* 0: started; else what to exit with, and err says why */
	char id[ID_LEN + 1];
	struct err err;
};

/*
 * Runs fn in a child that has left our session, its standard streams on /dev/null. Returns when fn
 * has called detach_tell, with its report, or has ended without: 0 and *rep, or negative.
 */
int detach_run(void (*fn)(void *arg, int tell), void *arg, struct detach_report *rep,
	       struct err *e);
void detach_tell(int tell, const struct detach_report *rep);

#endif
