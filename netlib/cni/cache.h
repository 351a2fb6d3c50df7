/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_CACHE_H
#define NARU_CNI_CACHE_H

#include <stddef.h>

#include "netlib/base/decode.h"
#include "netlib/cni/netlist.h"

struct err;
struct json_object;

/*
 * libcni's result cache: DIR/results/NETWORK-CONTAINER-IFNAME, one JSON object of kind "cniCacheV1"
 * for each attachment. The format is libcni's to the byte, so either can end what the other began;
 * unlike libcni's, a file appears whole and synced or not at all.
 */
#define CACHE_KIND "cniCacheV1"

struct cache_entry { /* borrows from doc */
	struct doc doc;
	const char *network, *container, *ifname;
	const char *netns;	  /* "" when not told */
	struct netlist_arg *args; /* owned by doc */
	size_t nargs;
	struct json_object *caps;   /* object or NULL */
	struct json_object *result; /* object or NULL */
};

#define cleanup_cache __attribute__((cleanup(cache_entry_clear)))
void cache_entry_clear(struct cache_entry *c);

/*
 * Writes the entry of rt. result is the last plugin's, in the list's version. The directories are
 * made with mode 0700.
 */
int cache_write(const struct netlist *n, const struct netlist_rt *rt, struct json_object *result,
		struct err *e);

enum cache_state { CACHE_NONE, CACHE_FOUND, CACHE_BROKEN };

/*
 * Reads the entry of rt. CACHE_NONE: no such file. CACHE_BROKEN: there is one, but it is empty (a
 * crash of libcni) or not an entry; *e says so. A bare result, as libcni wrote it before 0.8, is an
 * entry with nothing but the result.
 */
int cache_read(const char *network, const struct netlist_rt *rt, struct cache_entry *out,
	       struct err *e);

/* Absence is success. */
int cache_remove(const char *network, const struct netlist_rt *rt, struct err *e);

/*
 * Calls fn for each entry of the network, by file name; stops at the first negative. Files that
 * hold nothing readable and whose name begins with "NETWORK-" come with entry NULL and their file
 * name.
 */
int cache_each(const char *cache_dir, const char *network,
	       int (*fn)(const char *file, const struct cache_entry *entry, void *arg), void *arg,
	       struct err *e);
/* Removes a file of that kind; file as given to fn. */
int cache_remove_file(const char *cache_dir, const char *file, struct err *e);

/* The file name of an attachment; -ENAMETOOLONG when the file system could not hold it. */
int cache_file_name(const char *network, const char *container, const char *ifname, char out[256],
		    struct err *e);

#endif
