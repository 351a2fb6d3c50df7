/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NOTE_H
#define NARU_FW_NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/fw/owner.h"
#include "netlib/ip/addr.h"

/*
 * Whose an address is, for backends whose rules cannot say: a file DIR/ADDRESS, "OWNER\nEXTRA\n",
 * below /run, where it lives as long as the rules do. It is written before the rules are made and
 * goes after them, so that whoever cleans up after a crash finds them. An address has one owner.
 */
struct err;
struct fw_owner;
struct fw_plan;

#define FW_NOTE_EXTRA_MAX 32
struct fw_note {
	char address[IP_TEXT_MAX], owner[FW_OWNER_MAX];
	char extra[FW_NOTE_EXTRA_MAX]; /* what the backend has to say, a word or nothing */
};

struct fw_notes {
	struct fw_note *note;
	size_t n;
};
#define cleanup_notes __attribute__((cleanup(fw_notes_clear)))
void fw_notes_clear(struct fw_notes *l);

/* The note for an accepted address of a plan. */
int fw_note_of(const struct fw_plan *p, size_t i, const char *extra, struct fw_note *out,
	       struct err *e);
/* Replaces one of another owner. */
int fw_note_write(const char *dir, const struct fw_note *n, struct err *e);
/* 0, or negative when there is none that reads as ours. */
int fw_note_read(const char *dir, const char *address, struct fw_note *out);
/* The directory goes with its last note. */
void fw_note_drop(const char *dir, const char *address);

/*
 * Appends what an owner has; what the owners of a network have who are not in valid[]; everything.
 */
int fw_notes_owned(const char *dir, const struct fw_owner *o, struct fw_notes *out, struct err *e);
int fw_notes_stale(const char *dir, const char *network, const struct fw_owner *valid,
		   size_t nvalid, struct fw_notes *out, struct err *e);
int fw_notes_all(const char *dir, struct fw_notes *out, struct err *e);
/*
 * Appends the plan's accepted addresses that nobody noted: another suite's firewall plugin may have
 * made their rules. p may be NULL.
 */
int fw_notes_unnoted(const char *dir, const struct fw_plan *p, const char *extra,
		     struct fw_notes *out, struct err *e);

#endif
