/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_PLAN_H
#define NARU_BASE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct json_object;

/*
 * The dry run (CNI_SPEC.md "naru cni plan"). The file that NARU_PLAN names, if any, takes one JSON
 * line for each change that would be made; whoever makes a change asks plan_on first, notes it, and
 * takes it for done. Later processes of the chain see in the file what earlier ones "made".
 *
 * 	{"plugin":"bridge","row":"veth","kind":"netlink","where":"host","text":"...","raw":"<hex>"}
 */
#define PLAN_VAR "NARU_PLAN"
#define PLAN_MAX (4 * 1024 * 1024)

/* With a file that cannot be opened nothing may go on: -errno. NULL or "": off. */
int plan_open(const char *file, const char *plugin, struct err *e);
bool plan_on(void);

/*
 * From here on, and in what is executed, no file can be changed and no device made by system calls
 * that were not asked about: they fail with EPERM. Does nothing when off.
 */
int plan_seal(struct err *e);

/* The row that changes belong to from here on; borrowed. */
void plan_row(const char *row);

/* Notes a change. kind: "netlink", "nft", "sysctl", "file", "address" or a word of the caller's. */
void plan_note(const char *kind, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with the bytes of a message. */
void plan_note_raw(const char *kind, const char *where, const char *text, const void *raw,
		   size_t len);

/*
 * Calls fn for each change so far, those of other processes too, in order; non-zero ends it and is
 * returned.
 */
int plan_each(int (*fn)(struct json_object *change, void *arg), void *arg, struct err *e);
/* The bytes of a noted message: malloc'd, or NULL. */
void *plan_raw(struct json_object *change, size_t *len);

#endif
