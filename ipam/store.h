/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_STORE_H
#define NARU_IPAM_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/alloc.h"
#include "ipam/index.h"
#include "ipam/lease.h"

struct err;

/*
 * The reservations of one network: <dataDir>/<network>/, in the reference's format, so that both
 * can work on the same directory, even at the same time. What is ours lies beside it, in
 * <dataDir>/.naru/<network>/ (see index.h).
 *
 *         <address>              <container>\r\n<ifname>, 0600    last_reserved_ip.<n>   the
 * address set n gave last, 0600        lock                   flock, as the reference takes it; we
 * lock the directory as well, in case the file gets deleted
 *
 * A reservation appears whole: it is written and synced as an unnamed file and then linked to its
 * name. No step of a change leaves anything that release by owner would not find.
 */
#define STORE_DATA_DIR "/var/lib/cni/networks"
#define STORE_LOCK_MS 10000

struct store {
	char *path; /* <dataDir>/<network>, for errors */
	int lock;
	int draft;	 /* a reservation written beforehand, or -1 */
	struct index ix; /* its directories are ours; dir is -1 until locked */
	bool complete;	 /* locked, and the index tells everything */
};

#define STORE_INIT { .lock = -1, .draft = -1, .ix = { .net = -1, .dir = -1 } }
#define cleanup_store __attribute__((cleanup(store_close)))

/*
 * Opens the directory for looking only, nothing is written: 0, or 1 when the network has no
 * reservations yet. data_dir is absolute; NULL or "" is STORE_DATA_DIR.
 */
int store_look(struct store *s, const char *data_dir, const char *network, struct err *e);

/* Opens it for changes: 0; create makes directories, otherwise 1 when there are none. */
int store_open(struct store *s, const char *data_dir, const char *network, bool create,
	       struct err *e);
void store_close(struct store *s); /* unlocks */

/*
 * Waits for the lock for at most STORE_LOCK_MS; then -EAGAIN, CNI code 11, naming the holder. The
 * index is brought up to date when somebody else has changed the directory.
 */
int store_lock(struct store *s, struct err *e);
void store_unlock(struct store *s);

/* ---- looking; with or without lock ---- */

/* Who has an address. */
int store_lease(const struct store *s, const struct ip_addr *a, struct lease *out, struct err *e);
/* True when nobody has it; under the lock, an empty reservation is removed and counts as free. */
bool store_is_free(const struct store *s, const struct ip_addr *a);
/*
 * What an owner has (malloc'd), as the reservations themselves say. Locked and indexed: no
 * directory is read.
 */
int store_owned(const struct store *s, const struct lease_owner *o, struct ip_addr **v, size_t *n,
		struct err *e);
/* The last address of set number n; unset when there is none or the file holds something else. */
struct ip_addr store_last(const struct store *s, size_t n);
/*
 * The next free address of a set in the order of alloc.h: 1 found, 0 exhausted. First some
 * candidates are looked at one by one; when all are taken the directory is listed once. Under the
 * lock, empty reservations on the way are removed.
 */
int store_find_free(const struct store *s, const struct range_set *set, const struct ip_addr *last,
		    struct ip_addr *out, struct err *e);
/* ---- changing; locked ---- */

/*
 * Before the lock: writes and syncs what store_claim will link, so that nobody waits for the disk.
 * May be left out.
 */
int store_draft(struct store *s, const struct lease_owner *o, struct err *e);
/* After the lock: claims are on stable storage. */
int store_sync(struct store *s, struct err *e);

/*
 * Reserves n free addresses for o, which had some already (nhad, mostly 0). The index entry comes
 * first, so that after a kill at any point release by owner finds everything.
 */
int store_claim(struct store *s, const struct lease_owner *o, const struct ip_addr *v, size_t n,
		const struct ip_addr *had, size_t nhad, struct err *e);
/* Notes the last address of set number n. */
int store_mark(struct store *s, size_t n, const struct ip_addr *a, struct err *e);
/* Removes the note. Absence is success. */
int store_unmark(struct store *s, size_t n, struct err *e);
/*
 * Ends a change: the index counts as complete again. Without it the next store_open looks at
 * everything.
 */
void store_seal(struct store *s);

/* Gives back everything o has, and the index entry. Absence is success. */
int store_release(struct store *s, const struct lease_owner *o, struct err *e);
/* Gives back those of the addresses that o has. */
int store_release_some(struct store *s, const struct lease_owner *o, const struct ip_addr *v,
		       size_t n, struct err *e);

#endif
