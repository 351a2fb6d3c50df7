// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/txn/txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/base/vec.h"
#include "netlib/txn/verbs.h"

#define JOURNAL_MAX (4 * 1024 * 1024)

static const char drop_name[] = "drop";
static const char *const ns_names[] = { "host", "cont" };

void txn_init(struct txn *t, struct nl *host, struct nl *cont, int netns_fd)
{
	const char *fail = getenv("NARU_FAIL_AT");
	uint64_t n = 0;

	*t = (struct txn)TXN_INIT;
	t->host = host;
	t->cont = cont;
	t->netns_fd = netns_fd;
	if (fail && str_u64(fail, UINT32_MAX, &n) == 0)
		t->fail_at = (unsigned)n;
}

void undo_clear(struct undo *u)
{
	free(u->a);
	free(u->b);
	*u = (struct undo){ 0 };
}

int txn_point(struct txn *t, const char *what, struct err *e)
{
	if (++t->step != t->fail_at)
		return 0;
	return err_say(e, -EIO, "fault injected at step %u (%s)", t->step, what);
}

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

/* A line that was written in part is cut off again: the next one must not be glued to it. */
static int journal_line(struct txn *t, struct json_object *o, struct err *e)
{
	cleanup_str struct str s = STR_INIT;
	off_t end = lseek(t->journal, 0, SEEK_END);

	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (!o || s.bad)
		return err_set(e, -ENOMEM, "write the journal");
	int r = fd_write_all(t->journal, s.p, s.len);
	if (r == 0 && fdatasync(t->journal) < 0)
		r = -errno;
	if (r < 0 && end >= 0)
		(void)!ftruncate(t->journal, end);
	return r < 0 ? err_set(e, r, "write the journal") : 0;
}

static void forget_last(struct txn *t)
{
	undo_clear(&t->v[--t->n]);
}

struct undo *txn_reserve(struct txn *t, const struct undo_op *op, enum undo_ns ns, const char *name,
			 const char *a, const char *b, struct err *e)
{
	return txn_reserve_at(t, op, ns, 0, name, a, b, e);
}

struct undo *txn_reserve_at(struct txn *t, const struct undo_op *op, enum undo_ns ns,
			    uint32_t index, const char *name, const char *a, const char *b,
			    struct err *e)
{
	if (txn_point(t, op->name, e) < 0)
		return NULL;
	struct undo *u = vec_add(&t->v, &t->n);
	if (!u) {
		(void)err_set(e, -ENOMEM, "record an undo");
		return NULL;
	}
	u->op = op;
	u->ns = ns;
	u->index = index;
	if (name)
		(void)str_copyf(u->name, sizeof u->name, "%s", name);
	if (copy(&u->a, a) < 0 || copy(&u->b, b) < 0) {
		(void)err_set(e, -ENOMEM, "record an undo");
		forget_last(t);
		return NULL;
	}
	if (trace_on())
		trace_event("record", op->name, -1, "%s%s%s", u->name, *u->name && a ? " " : "",
			    a ? a : "");
	cleanup_json struct json_object *o = t->journal >= 0 ? undo_encode(u) : NULL;
	if (t->journal >= 0 && journal_line(t, o, e) < 0) {
		forget_last(t);
		return NULL;
	}
	return u;
}

void txn_drop(struct txn *t)
{
	forget_last(t);
	if (t->journal < 0)
		return;
	cleanup_json struct json_object *o = json_obj();
	json_set_str(o, "op", drop_name);
	(void)journal_line(t, o, NULL);
}

static void forget(struct txn *t)
{
	while (t->n)
		forget_last(t);
	free(t->v);
	t->v = NULL;
}

void txn_commit(struct txn *t)
{
	t->committed = true;
	forget(t);
}

int txn_rollback(struct txn *t, struct err *e)
{
	struct err first = ERR_INIT;

	if (plan_on()) /* nothing has happened */
		forget(t);
	while (t->n) {
		const struct undo *u = &t->v[t->n - 1];
		struct err one = ERR_INIT;
		int64_t start = trace_on() ? clock_us() : 0;

		if (u->op->run(u, t, &one) < 0)
			err_keep_first(&first, &one);
		if (trace_on())
			trace_event("undo", u->op->name, clock_us() - start, "%s %s%s%s", u->name,
				    u->a ? u->a : "", one.no ? ": " : "", one.text);
		forget_last(t);
	}
	if (!first.no)
		return 0;
	if (e)
		*e = first;
	return -first.no;
}

void txn_end(struct txn *t)
{
	if (!t->committed)
		(void)txn_rollback(t, NULL);
	forget(t);
}

struct json_object *undo_encode(const struct undo *u)
{
	struct json_object *o = json_obj();

	json_set_str(o, "op", u->op->name);
	json_set_str(o, "ns", ns_names[u->ns]);
	if (*u->name)
		json_set_str(o, "name", u->name);
	if (u->index)
		json_set_int(o, "index", u->index);
	json_set_str(o, "a", u->a);
	json_set_str(o, "b", u->b);
	return o;
}

static const struct undo_op *find(const struct undo_op *const *ops, const char *name)
{
	for (; name && ops && *ops; ops++)
		if (!strcmp((*ops)->name, name))
			return *ops;
	return NULL;
}

int undo_decode(const struct undo_op *const *ops, struct json_object *o, struct undo *out,
		struct err *e)
{
	const char *name = json_text(json_get(o, "op")), *ns = json_text(json_get(o, "ns"));
	const char *ifname = json_text(json_get(o, "name")), *a = json_text(json_get(o, "a")),
		   *b = json_text(json_get(o, "b"));
	int64_t index = 0;
	struct undo u = { .op = find(ops, name) };

	if (!u.op)
		u.op = find(txn_undo_ops, name);
	if (!u.op)
		return err_say(e, -EINVAL, "journal: unknown kind of undo \"%.60s\"",
			       name ? name : "");
	if ((u.op->needs & UNDO_A && !a) || (u.op->needs & UNDO_B && !b))
		return err_say(e, -EINVAL, "journal: \"%s\" without its operand \"%s\"", u.op->name,
			       u.op->needs & UNDO_A && !a ? "a" : "b");
	if (ns && !strcmp(ns, ns_names[UNDO_CONT]))
		u.ns = UNDO_CONT;
	if (ifname)
		(void)str_copyf(u.name, sizeof u.name, "%s", ifname);
	if (json_int(json_get(o, "index"), &index) == 0)
		u.index = (uint32_t)index;
	if (copy(&u.a, a) < 0 || copy(&u.b, b) < 0) {
		undo_clear(&u);
		return err_set(e, -ENOMEM, "read the journal");
	}
	*out = u;
	return 0;
}

/*
 * Adds the record of one line. A line that is no JSON is the torn end of a write that was cut off:
 * its act never began.
 */
static int replay_line(struct txn *t, const char *line, size_t len, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;

	if (doc_parse(&d, line, len, NULL) < 0)
		return 0;
	const char *op = json_text(json_get(d.root, "op"));
	if (op && !strcmp(op, drop_name)) {
		if (t->n)
			forget_last(t);
		return 0;
	}
	struct undo *u = vec_add(&t->v, &t->n);
	if (!u)
		return err_set(e, -ENOMEM, "read the journal");
	int r = undo_decode(t->ops, d.root, u, e);
	if (r < 0)
		t->n--;
	return r;
}

int txn_replay(struct txn *t, int dir, const char *file, struct err *e)
{
	cleanup_free char *text = NULL;
	struct err first = ERR_INIT, one;
	size_t len;
	int r = file_read_at(dir, file, JOURNAL_MAX, &text, &len, e);

	if (r < 0)
		return r;
	for (char *p = text, *end = text + len, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		one = (struct err)ERR_INIT;
		if (replay_line(t, p, (size_t)(nl - p), &one) < 0)
			err_keep_first(&first, &one);
	}
	one = (struct err)ERR_INIT;
	if (txn_rollback(t, &one) < 0)
		err_keep_first(&first, &one);
	if (!first.no)
		return 0;
	if (e)
		*e = first;
	return -first.no;
}
