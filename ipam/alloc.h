/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_ALLOC_H
#define NARU_IPAM_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/range.h"

/*
 * Which address comes next. Pure: what is taken is the caller's business.
 *
 * The order is the reference's: the address after the last one handed out, to the end of its range,
 * through the other ranges of the set, round to the last one itself. Gateways and excluded
 * addresses are left out, excluded spans in one step.
 */
struct alloc_iter {
	const struct range_set *set;
	struct ip_addr last;	 /* where the round ends; unset: it began at the very beginning */
	struct ip_addr pos, end; /* what is left of the current leg */
	size_t first;		 /* range the round began in */
	size_t leg;		 /* legs begun: one for each range, one more to come back */
	bool open;		 /* pos..end holds something */
};

/*
 * last: the address handed out last; one outside of the set (or unset, or NULL) is ignored. set is
 * borrowed.
 */
void alloc_begin(struct alloc_iter *it, const struct range_set *set, const struct ip_addr *last);
/* The next candidate and the range it is from; false after the last. range may be NULL. */
bool alloc_next(struct alloc_iter *it, struct ip_addr *out, const struct ip_range **range);

/* The next candidate that is not in taken, which is sorted by ip_cmp. */
bool alloc_next_free(struct alloc_iter *it, const struct ip_addr *taken, size_t ntaken,
		     struct ip_addr *out, const struct ip_range **range);

/*
 * Spreads the addresses asked for over the sets: out[i] is what set i has to give, unset when it
 * may choose. An address that is in no set, or a second one in the same set, is an error with all
 * left-overs: "failed to allocate all requested IPs: a b"; so is one that is a gateway or excluded.
 * -EINVAL, CNI code 7.
 */
int alloc_assign(const struct range_set *sets, size_t nsets, const struct ip_addr *wanted,
		 size_t nwanted, struct ip_addr *out, struct err *e);

#endif
