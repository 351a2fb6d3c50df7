/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_LIFE_H
#define NARU_LIFE_H

#include <stdbool.h>

#include "netlib/cni/result.h"
#include "netlib/txn/txn.h"
#include "runner/ctr_dir.h"
#include "runner/engine/engine.h"
#include "runner/record.h"
#include "runner/request.h"
#include "runner/state.h"

struct err;

/*
 * A container's life as its runner sees it: made, watched, ended. The runner holds its lock and its
 * undo records all the time; what it does not get to do, the container's journal tells gc.
 */
struct life {
	const struct state *state;
	struct ctr_record rec;
	struct ctr_dir dir;
	struct txn txn;
	struct engine_proc proc;
	struct cni_result result;
	char created[TIME_TEXT_MAX], started[TIME_TEXT_MAX], shown[ID_SHOWN + 1];
	char hostname[65];
	bool named, running;
};

#define LIFE_INIT { .dir = CTR_DIR_INIT, .txn = TXN_INIT, .proc = ENGINE_PROC_INIT }
#define cleanup_life __attribute__((cleanup(life_clear)))

/*
 * Makes the container and lets its command run. On failure nothing is left of it, and *code says
 * what `run` exits with: 125, or 126 and 127 for a command that cannot be executed or is not there.
 */
int life_start(struct life *l, const struct state *s, const struct request *rq, const int stdio[3],
	       int *code, struct err *e);

/*
 * After the command has ended with code: takes back what the container has in the kernel, and with
 * --rm everything; else what became of it is written down. Goes on after errors and returns the
 * first.
 */
int life_end(struct life *l, int code, struct err *e);
void life_clear(struct life *l); /* closes; a container still running goes on */

/*
 * For somebody else's container, its runner gone: the same from its journal. d is locked by the
 * caller, who has made sure that no process of it is alive. The container stays, stopped, unless it
 * is to be removed.
 */
int life_reclaim(const struct state *s, struct ctr_dir *d, const struct ctr *c, bool remove,
		 struct err *e);

#endif
