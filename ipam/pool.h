/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_POOL_H
#define NARU_IPAM_POOL_H

#include <stddef.h>

#include "ipam/range.h"

struct err;
struct json_object;
struct store;

/*
 * How full the sets are, for an operator: an array of {"range","size","reserved"} to *out, which
 * the caller owns. Only looks. A set of more than POOL_MAX addresses has no "size".
 */
#define POOL_MAX (1 << 20)
int pool_report(const struct store *s, const struct range_set *sets, size_t n,
		struct json_object **out, struct err *e);

#endif
