// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_tree.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/stepper_peek.h"

struct tracee *tree_find(struct tree *t, pid_t tid)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->item[i].tid == tid)
			return &t->item[i];
	return NULL;
}

static const struct tracee *process_of(const struct tree *t, pid_t tgid)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->item[i].tgid == tgid)
			return &t->item[i];
	return NULL;
}

struct tracee *tree_add(struct tree *t, pid_t tid)
{
	struct tracee *known = tree_find(t, tid), new = { .tid = tid, .counted = true };

	if (known)
		return known;
	long tgid = peek_status(tid, "Tgid:");

	new.tgid = tgid > 0 ? (pid_t)tgid : tid;
	const struct tracee *sibling = process_of(t, new.tgid);
	const struct tracee *from = sibling;

	if (!from)
		from = process_of(t, (pid_t)peek_status(tid, "PPid:"));
	if (from) {
		new.counted = from->counted;
		memcpy(new.program, from->program, sizeof new.program);
	}
	new.ordinal = sibling ? sibling->ordinal : ++t->ordinals;
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->item = realloc(t->item, t->room * sizeof *t->item);
		if (!t->item) {
			perror("stepper: list of threads");
			abort(); /* the tree dies with its tracer */
		}
	}
	t->item[t->count] = new;
	return &t->item[t->count++];
}

void tree_remove(struct tree *t, pid_t tid)
{
	struct tracee *gone = tree_find(t, tid);

	if (gone)
		*gone = t->item[--t->count];
}

static bool is_wanted(const struct plan *p, const char *comm, const char *exe)
{
	if (!p->nonly)
		return true;
	for (unsigned i = 0; i < p->nonly; i++)
		if (!strncmp(comm, p->only[i], 15) || !strcmp(exe, p->only[i]))
			return true;
	return false;
}

void tree_exec(struct tree *t, pid_t tid, pid_t old, const struct plan *p)
{
	char exe[NAME_MAX + 1];

	if (old && old != tid)
		tree_remove(t, old);
	struct tracee *leader = tree_add(t, tid);

	leader->replaying = false;
	peek_program(tid, leader->program, exe, sizeof exe);
	leader->counted = is_wanted(p, leader->program, exe);
}

void tree_kill(const struct tree *t)
{
	for (size_t i = 0; i < t->count; i++)
		(void)kill(t->item[i].tgid, SIGKILL);
}
