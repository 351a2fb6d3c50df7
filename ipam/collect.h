/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_COLLECT_H
#define NARU_IPAM_COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/lease.h"

struct err;
struct range_set;
struct store;

/*
 * Reservations whose owner is gone. No clock is asked: a reservation is of an earlier boot when its
 * index entry says so. Those of the reference have no entry of that kind and are collected only by
 * name.
 */

/* True when what the owner has is of an earlier boot. Locked. */
bool collect_is_stale(const struct store *s, const char *container, const char *ifname);
/* True when there are reservations of earlier boots. */
bool collect_has_stale(const struct store *s);
/* Gives back the reservations of earlier boots; *n is their number. Locked. */
int collect_reclaim(struct store *s, size_t *n, struct err *e);
/*
 * Gives back all whose owner keep does not accept, goes on after errors and reports the first.
 * ifname may be "". Locked.
 */
int collect_dead(struct store *s,
		 bool (*keep)(const char *container, const char *ifname, const void *arg),
		 const void *arg, struct err *e);

/*
 * The up to max reservations in a set that were made first: who to ask about when it is exhausted.
 * Only for the message.
 */
struct old_lease {
	struct ip_addr addr;
	struct lease lease;
	long long made;
};
int collect_oldest(const struct store *s, const struct range_set *set, struct old_lease *v,
		   size_t max, size_t *n, struct err *e);

#endif
