// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/alloc.h"

#include <errno.h>
#include <stdlib.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

static const struct ip_range *leg_range(const struct alloc_iter *it)
{
	return &it->set->v[(it->first + it->leg - 1) % it->set->n];
}

void alloc_begin(struct alloc_iter *it, const struct range_set *set, const struct ip_addr *last)
{
	const struct ip_range *r = last && ip_is_set(last) ? range_set_find(set, last) : NULL;

	*it = (struct alloc_iter){ .set = set };
	if (r) {
		it->last = *last;
		it->first = (size_t)(r - set->v);
	}
}

/*
 * Legs 1..n are the ranges beginning with the first, less what comes before last in it; leg n + 1
 * is exactly that.
 */
static bool next_leg(struct alloc_iter *it)
{
	bool resumed = ip_is_set(&it->last);

	if (it->leg >= it->set->n + resumed)
		return false;
	it->leg++;
	const struct ip_range *r = leg_range(it);
	it->pos = r->start;
	it->end = r->end;
	it->open = true;
	if (resumed && it->leg == 1) {
		it->open = !ip_eq(&it->last, &r->end);
		it->pos = ip_next(&it->last);
	} else if (it->leg == it->set->n + 1) {
		it->end = it->last;
	}
	return true;
}

/* Goes on behind a, which is not before pos. */
static void advance(struct alloc_iter *it, const struct ip_addr *a)
{
	if (ip_cmp(a, &it->end) >= 0)
		it->open = false;
	else
		it->pos = ip_next(a);
}

bool alloc_next(struct alloc_iter *it, struct ip_addr *out, const struct ip_range **range)
{
	for (;;) {
		if (!it->open) {
			if (!next_leg(it))
				return false;
			continue;
		}
		const struct ip_range *r = leg_range(it);
		const struct ip_span *skip = spans_find(&r->exclude, &it->pos);
		struct ip_addr a = it->pos;

		if (!skip && it->set->exclude)
			skip = spans_find(it->set->exclude, &it->pos);
		advance(it, skip ? &skip->hi : &a);
		if (skip || ip_eq(&a, &r->gateway))
			continue;
		*out = a;
		if (range)
			*range = r;
		return true;
	}
}

static int cmp_addr(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

bool alloc_next_free(struct alloc_iter *it, const struct ip_addr *taken, size_t ntaken,
		     struct ip_addr *out, const struct ip_range **range)
{
	struct ip_addr a;
	const struct ip_range *r;

	while (alloc_next(it, &a, &r)) {
		if (ntaken && bsearch(&a, taken, ntaken, sizeof a, cmp_addr))
			continue;
		*out = a;
		if (range)
			*range = r;
		return true;
	}
	return false;
}

static int refuse(const struct range_set *s, size_t i, const struct ip_addr *a, struct err *e)
{
	const struct ip_range *r = range_set_find(s, a);
	cleanup_str struct str set = STR_INIT;
	char text[IP_TEXT_MAX];

	if (!range_set_excludes(s, r, a))
		return 0;
	if (ip_eq(a, &r->gateway))
		return err_code(
			e, -EINVAL, CNI_E_CONFIG,
			"failed to allocate for range %zu: requested ip %s is subnet's gateway", i,
			ip_text(a, text));
	range_set_text(s, &set);
	return err_code(
		e, -EINVAL, CNI_E_CONFIG,
		"failed to allocate for range %zu: requested IP address %s is excluded from range set %s",
		i, ip_text(a, text), set.p);
}

static bool seen(const struct ip_addr *v, size_t n, const struct ip_addr *a)
{
	while (n--)
		if (ip_eq(&v[n], a))
			return true;
	return false;
}

int alloc_assign(const struct range_set *sets, size_t nsets, const struct ip_addr *wanted,
		 size_t nwanted, struct ip_addr *out, struct err *e)
{
	cleanup_str struct str left = STR_INIT;
	char text[IP_TEXT_MAX];
	int r;

	for (size_t i = 0; i < nsets; i++)
		out[i] = (struct ip_addr){ 0 };
	for (size_t w = 0; w < nwanted; w++) {
		size_t i = 0;

		if (seen(wanted, w, &wanted[w])) /* the same address from two sources is one wish */
			continue;
		while (i < nsets && (ip_is_set(&out[i]) || !range_set_find(&sets[i], &wanted[w])))
			i++;
		if (i == nsets) {
			str_addf(&left, " %s", ip_text(&wanted[w], text));
			continue;
		}
		if ((r = refuse(&sets[i], i, &wanted[w], e)) < 0)
			return r;
		out[i] = wanted[w];
	}
	if (left.len)
		return err_code(e, -EINVAL, CNI_E_CONFIG, "failed to allocate all requested IPs:%s",
				left.p);
	return 0;
}
