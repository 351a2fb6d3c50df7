/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_TREE_H
#define TESTS_TOOLS_STEPPER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/tools/stepper.h"
#include "tests/tools/stepper_regs.h"

/* A thread of the tree. What belongs to the process is the same in all its threads. */
struct tracee {
	pid_t tid, tgid;
	unsigned ordinal; /* of the process, in order of appearance, from 1 */
	bool counted;	  /* its program is one of those asked for */
	bool replaying;	  /* the call below comes again and is the same point */
	struct regs_call replay;
	char program[16];
};

struct tree {
	struct tracee *item;
	size_t count, room;
	unsigned ordinals;
};

struct tracee *tree_find(struct tree *t, pid_t tid);

/*
 * The thread, made known when it is new: its process, or the parent of that, says what it inherits.
 */
struct tracee *tree_add(struct tree *t, pid_t tid);
void tree_remove(struct tree *t, pid_t tid);

/* After a successful exec: another program, counted or not. old is the thread that called it. */
void tree_exec(struct tree *t, pid_t tid, pid_t old, const struct plan *p);

void tree_kill(const struct tree *t);

#endif
