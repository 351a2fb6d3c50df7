// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipam/alloc.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

#define RANGES_MAX 4

static struct ip_addr addr(const char *s)
{
	struct ip_addr a = { 0 };

	if (s)
		assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

/*
 * A set out of texts like "10.1.0.0/24 10.1.0.5 10.1.0.9 10.1.0.1"; start, end and gateway may be
 * left out.
 */
static void set_make(struct range_set *s, struct ip_range *v, const char *const *texts)
{
	*s = (struct range_set){ .v = v };
	for (; *texts; texts++) {
		char subnet[64] = "", start[64] = "", end[64] = "", gw[64] = "";

		assert_true(sscanf(*texts, "%63s %63s %63s %63s", subnet, start, end, gw) >= 1);
		v[s->n] = (struct ip_range){ .start = addr(*start ? start : NULL),
					     .end = addr(*end ? end : NULL),
					     .gateway = addr(*gw ? gw : NULL) };
		assert_int_equal(ip_prefix_parse(subnet, &v[s->n++].subnet), 0);
	}
	assert_int_equal(range_set_fill(s, NULL), 0);
}

static char *order(const struct range_set *s, const char *last, int max)
{
	struct ip_addr l = addr(last), a;
	struct str text = STR_INIT;
	struct alloc_iter it;
	char one[IP_TEXT_MAX];

	alloc_begin(&it, s, &l);
	while (max-- && alloc_next(&it, &a, NULL))
		str_addf(&text, "%s%s", text.len ? " " : "", ip_text(&a, one));
	return str_take(&text);
}

static void addresses_come_in_the_order_of_the_reference(void **state)
{
	static const struct {
		const char *ranges[RANGES_MAX], *last, *want;
	} cases[] = {
		{ { "10.1.0.0/29" }, NULL, "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ { "10.1.0.0/29" }, "10.1.0.3", "10.1.0.4 10.1.0.5 10.1.0.6 10.1.0.2 10.1.0.3" },
		{ { "10.1.0.0/29" }, "10.1.0.6", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ { "10.1.0.0/29" }, "10.1.0.1", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ { "10.1.0.0/29" }, "10.9.0.3", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ { "10.1.0.0/29" }, "fd00::1", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ { "10.1.0.0/30", "10.2.0.0/30 10.2.0.1 10.2.0.2 10.2.0.2",
		    "10.3.0.0/29 10.3.0.3 10.3.0.4" },
		  NULL,
		  "10.1.0.2 10.2.0.1 10.3.0.3 10.3.0.4" },
		{ { "10.1.0.0/30", "10.2.0.0/30 10.2.0.1 10.2.0.2 10.2.0.2",
		    "10.3.0.0/29 10.3.0.3 10.3.0.4" },
		  "10.3.0.3",
		  "10.3.0.4 10.1.0.2 10.2.0.1 10.3.0.3" },
		{ { "10.1.0.0/29 10.1.0.3 10.1.0.3" }, NULL, "10.1.0.3" },
		{ { "10.1.0.0/29 10.1.0.3 10.1.0.3" }, "10.1.0.3", "10.1.0.3" },
		{ { "10.1.0.0/29 10.1.0.3 10.1.0.3 10.1.0.3" }, NULL, "" },
		{ { "10.1.0.0/29 10.1.0.3 10.1.0.3 10.1.0.3" }, "10.1.0.3", "" },
		{ { "255.255.255.248/29 255.255.255.254 255.255.255.255" },
		  "255.255.255.254",
		  "255.255.255.255 255.255.255.254" },
		{ { "fd00::/126" }, "fd00::2", "fd00::3 fd00::2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_range v[RANGES_MAX];
		struct range_set s;

		set_make(&s, v, cases[i].ranges);
		cleanup_free char *got = order(&s, cases[i].last, 100);
		assert_string_equal(got, cases[i].want);
	}
}

static void excluded_addresses_are_left_out_in_one_step_however_many_they_are(void **state)
{
	static const char *const ranges[] = { "10.1.0.0/29", NULL }, *const wide[] = { "fd00::/64",
										       NULL };
	struct ip_span own[1], all[1];
	struct ip_spans shared = { all, 1 };
	struct ip_range v[1];
	struct range_set s;

	(void)state;
	assert_int_equal(span_parse("10.1.0.4/31", &own[0]), 0);
	assert_int_equal(span_parse("10.1.0.2", &all[0]), 0);
	set_make(&s, v, ranges);
	v[0].exclude = (struct ip_spans){ own, 1 };
	s.exclude = &shared;
	cleanup_free char *got = order(&s, "10.1.0.5", 100);
	assert_string_equal(got, "10.1.0.6 10.1.0.3");

	assert_int_equal(span_parse("fd00::/65", &all[0]), 0);
	set_make(&s, v, wide);
	s.exclude = &shared;
	cleanup_free char *first = order(&s, NULL, 1);
	assert_string_equal(first, "fd00::8000:0:0:0");
	assert_int_equal(span_parse("fd00::/32", &all[0]), 0); /* more than everything */
	cleanup_free char *none = order(&s, "fd00::7", 100);
	assert_string_equal(none, "");
}

static int cmp(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

static void what_is_taken_is_passed_over(void **state)
{
	static const char *const ranges[] = { "10.1.0.0/16", NULL };
	enum { N = 65533 };
	cleanup_free struct ip_addr *taken = calloc(N, sizeof *taken);
	struct ip_addr a = addr("10.1.0.2"), got, last = addr("10.1.77.7"),
		       hole = addr("10.1.77.6");
	const struct ip_range *r;
	struct alloc_iter it;
	struct ip_range v[1];
	struct range_set s;
	size_t n = 0;

	(void)state;
	assert_non_null(taken);
	set_make(&s, v, ranges);
	for (; n < N - 1; a = ip_next(&a))
		if (!ip_eq(&a, &hole))
			taken[n++] = a;
	qsort(taken, n, sizeof *taken, cmp);
	alloc_begin(&it, &s, &last);
	assert_true(alloc_next_free(&it, taken, n, &got, &r));
	assert_true(ip_eq(&got, &hole));
	assert_ptr_equal(r, &v[0]);
	assert_false(alloc_next_free(&it, taken, n, &got, &r));
}

static void requested_addresses_are_spread_over_the_sets(void **state)
{
	static const char *const four[] = { "10.1.0.0/24", NULL }, *const six[] = { "fd00::/64",
										    NULL };
	static const struct {
		const char *want[4], *given[2], *error;
	} cases[] = {
		{ { NULL }, { NULL }, NULL },
		{ { "10.1.0.9" }, { "10.1.0.9" }, NULL },
		{ { "fd00::9", "10.1.0.9" }, { "10.1.0.9", "fd00::9" }, NULL },
		{ { "10.1.0.9", "10.1.0.9" }, { "10.1.0.9" }, NULL },
		{ { "10.1.0.9", "10.1.0.10" },
		  { NULL },
		  "failed to allocate all requested IPs: 10.1.0.10" },
		{ { "10.2.0.9", "fd00::9", "fd01::1" },
		  { NULL },
		  "failed to allocate all requested IPs: 10.2.0.9 fd01::1" },
		{ { "10.1.0.1" },
		  { NULL },
		  "failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway" },
		{ { "fd00::7" },
		  { NULL },
		  "failed to allocate for range 1: requested IP address fd00::7 is excluded from range set "
		  "fd00::1-fd00::ffff:ffff:ffff:ffff" },
	};
	struct ip_range v4[1], v6[1];
	struct range_set sets[2];
	struct ip_span span;
	struct ip_spans exclude = { &span, 1 };

	(void)state;
	set_make(&sets[0], v4, four);
	set_make(&sets[1], v6, six);
	assert_int_equal(span_parse("fd00::7", &span), 0);
	sets[1].exclude = &exclude;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr want[4], out[2];
		struct err e = ERR_INIT;
		size_t n = 0;

		for (; n < 4 && cases[i].want[n]; n++)
			want[n] = addr(cases[i].want[n]);
		int r = alloc_assign(sets, 2, want, n, out, &e);
		assert_string_equal(r < 0 ? e.text : "", cases[i].error ? cases[i].error : "");
		if (r < 0) {
			assert_int_equal(e.code, CNI_E_CONFIG);
			continue;
		}
		for (size_t k = 0; k < 2; k++) {
			struct ip_addr expect = addr(cases[i].given[k]);

			assert_int_equal(out[k].family, expect.family);
			if (ip_is_set(&expect))
				assert_true(ip_eq(&out[k], &expect));
		}
	}
}

/*
 * The order against a plain model: all addresses of the set in a row, begun behind the last one.
 */
static void random_sets_agree_with_a_plain_model(void **state)
{
	unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)getpid();

	(void)state;
	print_message("# seed %u\n", seed);
	for (int round = 0; round < 20000; round++) {
		struct ip_range v[3];
		struct ip_span skip[3];
		struct ip_spans exclude = { skip, 0 };
		struct range_set s = { v, 1 + rand_r(&seed) % 3, &exclude };
		struct ip_addr row[96], last = { 0 }, a;
		size_t n = 0, begin = 0, seen = 0;

		for (size_t i = 0; i < s.n; i++) {
			unsigned lo = (unsigned)rand_r(&seed) % 32,
				 len = (unsigned)rand_r(&seed) % (32 - lo);
			struct ip_addr base = { .family = 2, .b = { 10, 0, (uint8_t)i, 0 } };

			v[i] = (struct ip_range){ .subnet = { base, 27 },
						  .start = ip_add(&base, lo),
						  .end = ip_add(&base, lo + len),
						  .gateway = ip_add(&base,
								    (unsigned)rand_r(&seed) % 32) };
			for (unsigned k = lo; k <= lo + len; k++)
				row[n++] = ip_add(&base, k);
		}
		for (; exclude.n < 3 && rand_r(&seed) % 2; exclude.n++) {
			struct ip_addr lo = { .family = 2,
					      .b = { 10, 0, (uint8_t)(rand_r(&seed) % 3),
						     (uint8_t)(rand_r(&seed) % 32) } };

			skip[exclude.n] =
				(struct ip_span){ lo, ip_add(&lo, (unsigned)rand_r(&seed) % 9) };
		}
		spans_tidy(&exclude);
		if (rand_r(&seed) % 4) {
			begin = (size_t)rand_r(&seed) % n;
			last = row[begin++];
		}
		struct alloc_iter it;

		alloc_begin(&it, &s, &last);
		for (size_t k = 0; k < n; k++) {
			const struct ip_addr *x = &row[(begin + k) % n];

			if (range_set_excludes(&s, range_set_find(&s, x), x))
				continue;
			assert_true(alloc_next(&it, &a, NULL));
			assert_true(ip_eq(&a, x));
			seen++;
		}
		assert_false(alloc_next(&it, &a, NULL));
		assert_true(seen <= n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_in_the_order_of_the_reference),
		cmocka_unit_test(excluded_addresses_are_left_out_in_one_step_however_many_they_are),
		cmocka_unit_test(what_is_taken_is_passed_over),
		cmocka_unit_test(requested_addresses_are_spread_over_the_sets),
		cmocka_unit_test(random_sets_agree_with_a_plain_model),
	};

	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
