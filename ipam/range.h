/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_RANGE_H
#define NARU_IPAM_RANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/ip/addr.h"

struct err;
struct str;

/*
 * What host-local hands out addresses from: ranges, and sets of ranges. Pure: no files, no JSON.
 */

/* Addresses lo to hi, both included, of one family. */
struct ip_span {
	struct ip_addr lo, hi;
};

/* Spans in ascending order that neither touch nor overlap; see spans_tidy. */
struct ip_spans {
	struct ip_span *v;
	size_t n;
};

struct ip_range {
	struct ip_prefix subnet;
	struct ip_addr start, end,
		gateway; /* unset until range_fill, unless given; start and end are included */
	struct ip_spans exclude; /* never handed out */
};

/* One address is given out of each set. */
struct range_set {
	struct ip_range *v;
	size_t n;
	const struct ip_spans *exclude; /* of the whole configuration; may be NULL */
};

/* "10.0.0.7", or "10.0.0.0/28": all addresses of the prefix. 0 or -EINVAL. */
int span_parse(const char *s, struct ip_span *out);
/* Sorts and joins, in place. */
void spans_tidy(struct ip_spans *s);
/* The span that holds a, or NULL. O(log n). */
const struct ip_span *spans_find(const struct ip_spans *s, const struct ip_addr *a);

/*
 * Checks a range and fills in what was left out: the first address for gateway and start, the last
 * for end (not the broadcast address of IPv4). A gateway outside of the subnet is accepted, as the
 * reference accepts it. -EINVAL with the reference's words.
 */
int range_fill(struct ip_range *r, struct err *e);
bool range_contains(const struct ip_range *r, const struct ip_addr *a);

/* range_fill on every range; one family; no two ranges overlap. O(n log n). */
int range_set_fill(struct range_set *s, struct err *e);
/* The range that holds a, or NULL. */
const struct ip_range *range_set_find(const struct range_set *s, const struct ip_addr *a);
/*
 * True when the configuration keeps a from being handed out of r, a range of s: excluded, or the
 * gateway.
 */
bool range_set_excludes(const struct range_set *s, const struct ip_range *r,
			const struct ip_addr *a);
/* "10.0.0.1-10.0.0.254,10.0.1.1-10.0.1.254" */
void range_set_text(const struct range_set *s, struct str *out);

/*
 * No address is in two sets. -EINVAL "range set 0 overlaps with 1". O(n log n) in the number of
 * ranges.
 */
int range_sets_check(const struct range_set *sets, size_t n, struct err *e);

#endif
