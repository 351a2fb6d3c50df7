/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_TXN_TXN_H
#define NARU_TXN_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/ifname.h"

struct err;
struct json_object;
struct nl;
struct txn;

/*
 * The undo log. A change to the kernel, the disk or another process goes through a verb
 * (txn_link_add, ...; verbs.h, or a program's own), which reserves a slot, acts, and fills the
 * slot: recording cannot fail after the act. A transaction that is not committed rolls back, newest
 * first, when it goes out of scope. With a journal each record is on stable storage before the act.
 *
 * A record is plain data, so it can be printed, tested and written to a journal. Undoing what never
 * happened or is gone is success.
 */
/* in which namespace; UNDO_CONT uses the transaction's container socket */
enum undo_ns { UNDO_HOST, UNDO_CONT };

struct undo {
	const struct undo_op *op;
	enum undo_ns ns;
	uint32_t index;	       /* ifindex or another number */
	char name[IFNAME_MAX]; /* interface name */
	char *a, *b;	       /* further operands (path, value, address); owned */
};

/*
 * One kind of undo. Static data next to its verb; programs add kinds of their own by putting them
 * into txn.ops.
 */
struct undo_op {
	const char *name; /* in journals and traces: "link del", "file unlink" */
	int (*run)(const struct undo *u, struct txn *t, struct err *e);
	/* operands without which a line of a journal is damaged: UNDO_A, UNDO_B */
	unsigned needs;
};
enum { UNDO_A = 1, UNDO_B = 2 };

struct txn {
	struct undo *v;
	size_t n;
	struct nl *host, *cont; /* borrowed; either may be NULL when no verb needs it */
	int netns_fd;		/* of the container, for sysctls; -1 = none. Borrowed. */
	int journal;		/* descriptor opened O_APPEND, or -1. Borrowed. */
	/* for kinds of a program's own: what they work on. Borrowed. */
	void *ctx;
	/* further kinds known when reading a journal; NULL-terminated, may be NULL */
	const struct undo_op *const *ops;
	unsigned step; /* verbs so far */
	/* tests: the verb with this number fails with -EIO instead of acting; 0 = none */
	unsigned fail_at;
	bool committed;
};

#define TXN_INIT { .netns_fd = -1, .journal = -1 }
#define cleanup_txn __attribute__((cleanup(txn_end)))

/* Reads NARU_FAIL_AT (fault tests) from the environment. */
void txn_init(struct txn *t, struct nl *host, struct nl *cont, int netns_fd);

/*
 * For writing verbs: reserve a slot with its operands copied (a, b may be NULL), and, with a
 * journal, write and sync it. Returns the record to act under, or NULL with *e set (out of memory,
 * journal full, fault point). After a failed act call txn_drop; after a successful one fill in what
 * only the act told (index).
 */
struct undo *txn_reserve(struct txn *t, const struct undo_op *op, enum undo_ns ns, const char *name,
			 const char *a, const char *b, struct err *e);
/*
 * The same for an act on an interface whose index is known before: it belongs into the journal too.
 */
struct undo *txn_reserve_at(struct txn *t, const struct undo_op *op, enum undo_ns ns,
			    uint32_t index, const char *name, const char *a, const char *b,
			    struct err *e);
/*
 * The last record: its act did not happen. A journal gets a line that takes the record back: what
 * was there before is not ours to undo.
 */
void txn_drop(struct txn *t);

/* A fault point without an undo: for acts that the undo of an earlier record covers. */
int txn_point(struct txn *t, const char *what, struct err *e);

/* keep everything; the records are forgotten (the journal, if any, stays) */
void txn_commit(struct txn *t);
/* undo newest first, remember the first error, go on */
int txn_rollback(struct txn *t, struct err *e);
void txn_end(struct txn *t); /* rolls back unless committed; frees */

/*
 * Journal lines. {"op":"link del","ns":"host","name":"veth1","index":7,"a":"..","b":".."};
 * {"op":"drop"} takes the one before back.
 */
struct json_object *undo_encode(const struct undo *u);
int undo_decode(const struct undo_op *const *ops, struct json_object *o, struct undo *out,
		struct err *e);
void undo_clear(struct undo *u);

/*
 * Replays a journal: reads every line of the file (a torn last line is ignored: its act never
 * began), undoes newest first, goes on after errors and returns the first. The same code serves rm,
 * a failed start and gc after a crash.
 */
int txn_replay(struct txn *t, int dir, const char *file, struct err *e);

#endif
