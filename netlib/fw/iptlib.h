/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTLIB_H
#define NARU_FW_IPTLIB_H

#include <stdbool.h>
#include <stdint.h>

/*
 * libiptc, which knows the layout of a whole legacy table. It is loaded when a table is opened and
 * not before: as a dependency of every plugin it would cost each call 140 us, and hosts without it
 * need it for nothing else.
 */
struct err;
struct xtc_handle;

/* The library's functions under the names they share; an entry is ipt_entry or ip6t_entry. */
struct ipt_lib {
	struct xtc_handle *(*init)(const char *table);
	void (*free)(struct xtc_handle *h);
	int (*is_chain)(const char *chain, struct xtc_handle *h);
	int (*builtin)(const char *chain, struct xtc_handle *h);
	const char *(*first_chain)(struct xtc_handle *h);
	const char *(*next_chain)(struct xtc_handle *h);
	const void *(*first_rule)(const char *chain, struct xtc_handle *h);
	const void *(*next_rule)(const void *before, struct xtc_handle *h);
	const char *(*get_target)(const void *entry, struct xtc_handle *h);
	int (*insert_entry)(const char *chain, const void *entry, unsigned at,
			    struct xtc_handle *h);
	int (*append_entry)(const char *chain, const void *entry, struct xtc_handle *h);
	int (*delete_num_entry)(const char *chain, unsigned at, struct xtc_handle *h);
	int (*flush_entries)(const char *chain, struct xtc_handle *h);
	int (*create_chain)(const char *chain, struct xtc_handle *h);
	int (*delete_chain)(const char *chain, struct xtc_handle *h);
	int (*get_references)(unsigned *n, const char *chain, struct xtc_handle *h);
	int (*commit)(struct xtc_handle *h);
};

/* The functions for AF_INET or AF_INET6. -EOPNOTSUPP naming the package that has them. */
int ipt_lib_load(const struct ipt_lib **out, uint8_t family, struct err *e);

/* Has a table any rule? Asks the kernel alone: no reading of it, no library. */
bool ipt_lib_has_rules(uint8_t family, const char *table);

/*
 * Does a text stand anywhere in a table's bytes, in the name of a chain for instance? For hosts
 * without the library. True when that cannot be found out.
 */
bool ipt_lib_mentions(uint8_t family, const char *table, const char *text);

#endif
