/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_JOURNAL_H
#define NARU_JOURNAL_H

#include "netlib/txn/txn.h"

struct ctr_dir;
struct err;

/*
 * RUN/containers/ID/journal: what a container has in the kernel and how to take it back, each line
 * on stable storage before its act. A failed run undoes it from memory, so does the runner that
 * sees its container end; rm and gc replay the file of a container whose runner is gone. All three
 * run the same records.
 */

/* Every kind of undo that a container's journal may hold, for txn.ops. */
const struct undo_op *const *journal_ops(void);

/* A transaction that writes d's journal; d must stay open. */
void journal_begin(struct txn *t, const struct ctr_dir *d);

/*
 * Undoes what d's journal holds, newest first; the first error is returned, the rest is still
 * tried. d is locked by the caller.
 */
int journal_replay(const struct ctr_dir *d, struct err *e);

#endif
