// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/journal.h"

#include <errno.h>
#include <stddef.h>

#include "netlib/base/err.h"
#include "runner/ctr_dir.h"
#include "runner/engine/engine.h"
#include "runner/network.h"

#define KINDS_MAX 16

const struct undo_op *const *journal_ops(void)
{
	static const struct undo_op *ops[KINDS_MAX + 1];
	size_t n = 0;

	if (ops[0])
		return ops;
	for (const struct undo_op *const *o = engine_undo_ops; *o && n < KINDS_MAX; o++)
		ops[n++] = *o;
	for (const struct undo_op *const *o = network_undo_ops; *o && n < KINDS_MAX; o++)
		ops[n++] = *o;
	return ops;
}

void journal_begin(struct txn *t, const struct ctr_dir *d)
{
	txn_init(t, NULL, NULL, -1);
	t->journal = d->journal;
	t->ops = journal_ops();
}

int journal_replay(const struct ctr_dir *d, struct err *e)
{
	struct txn t = TXN_INIT;
	struct err one = ERR_INIT;
	int r;

	t.ops = journal_ops();
	r = txn_replay(&t, d->run, "journal", &one);
	txn_end(&t);
	if (r == -ENOENT && one.no == ENOENT && d->run >= 0)
		return 0; /* the container had nothing in the kernel yet */
	if (r < 0 && e)
		*e = one;
	return r;
}
