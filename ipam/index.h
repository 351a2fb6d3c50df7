/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_INDEX_H
#define NARU_IPAM_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/lease.h"

struct err;

/*
 * Who owns which addresses, without reading every reservation: <dataDir>/.naru/<network>/ has one
 * symbolic link for each owner, named by a hash of container and interface, whose target is text:
 * "10.1.0.2,fd00::2 boot=1f3a88c0". A link is made and read by one call each, and appears whole or
 * not at all.
 *
 * The index is only a hint. Whoever acts on an entry looks into the reservation first. Whether it
 * is complete shows in the time stamp of the network directory: after each change of ours it is set
 * to a value that only we would set (index_seal), and every other change to the directory, by the
 * reference or by hand, or a change of ours that did not come to its end, sets another one. Then
 * the index is rebuilt by one look at everything.
 */
#define INDEX_KEY_MAX 33
#define INDEX_BOOT_MAX 9

struct index {
	int net;		   /* the network directory */
	int dir;		   /* the index directory */
	char boot[INDEX_BOOT_MAX]; /* of this boot: start of the kernel's boot id */
};

struct index_entry {
	struct ip_addr *v; /* malloc'd */
	size_t n;
	bool many; /* more addresses than an entry holds: only a look at everything tells */
	char boot[INDEX_BOOT_MAX]; /* "" when not known: a reservation of the reference */
};

#define cleanup_entry __attribute__((cleanup(index_entry_clear)))
void index_entry_clear(struct index_entry *en);

/*
 * Names the entry of an owner; an owner with interface "" is the whole container, as in the oldest
 * reservations.
 */
void index_key(const struct lease_owner *o, char key[INDEX_KEY_MAX]);

/* 1 found, 0 not, -errno. */
int index_get(const struct index *ix, const char *key, struct index_entry *out);
/* Replaces the entry; boot "" = not known. */
int index_put(const struct index *ix, const char *key, const struct ip_addr *v, size_t n,
	      const char *boot, struct err *e);
void index_drop(const struct index *ix, const char *key);

/* True when nothing has changed the network directory since index_seal, in this boot. */
bool index_sealed(const struct index *ix);
void index_seal(const struct index *ix);

/* Calls fn for each entry; stops at the first non-zero and returns it. */
int index_each(const struct index *ix, int (*fn)(const char *key, void *arg), void *arg,
	       struct err *e);

/*
 * Makes the index complete: reads all reservations, and writes, corrects and removes entries. Empty
 * reservations are removed, since the caller holds the lock. The boot of an entry that still holds
 * is kept.
 */
int index_rebuild(const struct index *ix, struct err *e);

/* First eight hex digits of the kernel's boot id. */
int boot_id(char out[INDEX_BOOT_MAX], struct err *e);

#endif
