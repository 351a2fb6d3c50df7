/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTTABLE_H
#define NARU_FW_IPTTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/fw/iptrule.h"

/*
 * Editing a legacy table (iptables, ip6tables) of the calling thread's network namespace. The
 * kernel takes a table as a whole or not at all, so an edit is: lock, read all, change a copy,
 * write all. An edit function may be run several times, each time on a fresh copy.
 *
 *	static int add(struct ipt_table *t, void *arg, struct err *e)
 *	{
 *		struct ipt_rule r;
 *		int rc = ipt_rule_line(&r, t->family, e, "-s %s -j ACCEPT", (char *)arg);
 *
 *		if (rc == 0)
 *			rc = ipt_chain_add(t, "MINE", e);
 *		return rc < 0 ? rc : ipt_ensure(t, "MINE", &r, IPT_LAST, e);
 *	}
 *	r = ipt_edit(AF_INET, "filter", add, address, e);
 */
struct err;
struct ipt_lib;
struct xtc_handle;

struct ipt_table {
	uint8_t family;
	const char *name;
	bool changed;
	const struct ipt_lib *lib;
	struct xtc_handle *h;
};

/*
 * Runs fn on a copy of the table and writes the copy when fn returned 0 and changed something;
 * another outcome of fn is returned and nothing is written. In a dry run (base/plan.h) the changes
 * are noted, and neither lock nor table is touched. -EOPNOTSUPP when the library or the
 * kernel's part of it is missing; -EAGAIN, code 11, when the lock is held too long or the table
 * kept changing.
 */
typedef int ipt_edit_fn(struct ipt_table *t, void *arg, struct err *e);
int ipt_edit(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e);

/* The same without lock, and nothing is written. */
int ipt_read(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e);

/*
 * The same for what may be there or not: 0 without a library or a reading when the table is
 * missing or empty, and also when there is no library but nothing in the table is called as ours.
 */
int ipt_look(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e);

/*
 * Edits the tables of both families where look says (1) that there is something to do: reading
 * needs no lock, and whoever deletes nothing does not wait for it. The second is done whatever the
 * first says; the first error is returned.
 */
int ipt_edit_both(const char *name, ipt_edit_fn *look, ipt_edit_fn *edit, void *arg, struct err *e);

/*
 * Does the namespace have the table? Merely opening one that is not there makes it. Reads one file
 * of /proc; no library is loaded.
 */
bool ipt_table_exists(uint8_t family, const char *name);

/* ---- within an edit. Outcomes: 0 done, 1 there was nothing to do. */

bool ipt_has_chain(const struct ipt_table *t, const char *chain);
int ipt_chain_add(struct ipt_table *t, const char *chain, struct err *e);
int ipt_chain_flush(struct ipt_table *t, const char *chain, struct err *e);
/* The chain and what is in it. Rules that lead to it must have gone: -EBUSY. */
int ipt_chain_del(struct ipt_table *t, const char *chain, struct err *e);

#define IPT_FIRST 0
#define IPT_LAST UINT32_MAX
/* Adds a rule before the one at position at (from 0), or at the end. The chain must exist. */
int ipt_insert(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
	       struct err *e);
/* The same unless the chain has the rule anywhere: 1. */
int ipt_ensure(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
	       struct err *e);
/* Position of the first rule that is r in all it says; -ENOENT, also without the chain. */
int ipt_find(const struct ipt_table *t, const char *chain, const struct ipt_rule *r);
int ipt_delete(struct ipt_table *t, const char *chain, const struct ipt_rule *r, struct err *e);

/* Rules of a chain in order; a value other than 0 from fn ends it and is returned. */
typedef int ipt_rule_fn(const struct ipt_rule *r, void *arg);
int ipt_each(const struct ipt_table *t, const char *chain, ipt_rule_fn *fn, void *arg);

/*
 * A chain's rules as they are now, for comparing one after the other; valid until the next change.
 */
struct ipt_entries {
	const void **v;
	size_t n;
};
void ipt_entries_clear(struct ipt_entries *l);
#define cleanup_ipt_entries __attribute__((cleanup(ipt_entries_clear)))
int ipt_entries_of(const struct ipt_table *t, const char *chain, struct ipt_entries *out);
bool ipt_entry_is(const struct ipt_table *t, const void *entry, const struct ipt_rule *r);

/* Deletes the rules of a chain for which fn says 1; returns how many, or negative. */
int ipt_delete_if(struct ipt_table *t, const char *chain, ipt_rule_fn *fn, void *arg,
		  struct err *e);
/* Names of chains, the kernel's own among them; no chain may be made or removed
 * meanwhile. */
int ipt_each_chain(const struct ipt_table *t, int (*fn)(const char *chain, void *arg), void *arg);
/* Does any rule lead to the chain? */
bool ipt_is_used(const struct ipt_table *t, const char *chain);

#endif
