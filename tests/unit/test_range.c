// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ipam/range.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

static struct ip_addr addr(const char *s)
{
	struct ip_addr a = { 0 };

	if (s)
		assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static struct ip_range range(const char *subnet, const char *start, const char *end,
			     const char *gateway)
{
	struct ip_range r = { .start = addr(start), .end = addr(end), .gateway = addr(gateway) };

	if (subnet)
		assert_int_equal(ip_prefix_parse(subnet, &r.subnet), 0);
	return r;
}

static void a_range_is_filled_in_or_refused_in_the_words_of_the_reference(void **state)
{
	static const struct {
		const char *subnet, *start, *end, *gateway, *want;
	} cases[] = {
		{ "10.1.2.0/24", NULL, NULL, NULL, "10.1.2.1-10.1.2.254 gw 10.1.2.1" },
		{ "10.1.2.0/30", NULL, NULL, NULL, "10.1.2.1-10.1.2.2 gw 10.1.2.1" },
		{ "10.1.2.0/24", "10.1.2.7", "10.1.2.9", "10.1.2.254",
		  "10.1.2.7-10.1.2.9 gw 10.1.2.254" },
		{ "10.1.2.0/24", "10.1.2.7", "10.1.2.7", NULL, "10.1.2.7-10.1.2.7 gw 10.1.2.1" },
		{ "10.1.2.0/24", NULL, NULL, "10.9.9.9", "10.1.2.1-10.1.2.254 gw 10.9.9.9" },
		{ "10.1.2.0/24", "10.1.2.0", "10.1.2.255", NULL,
		  "10.1.2.0-10.1.2.255 gw 10.1.2.1" },
		{ "0.0.0.0/0", NULL, NULL, NULL, "0.0.0.1-255.255.255.254 gw 0.0.0.1" },
		{ "fd00::/64", NULL, NULL, NULL, "fd00::1-fd00::ffff:ffff:ffff:ffff gw fd00::1" },
		{ "fd00::/126", NULL, NULL, NULL, "fd00::1-fd00::3 gw fd00::1" },
		{ NULL, "10.1.2.7", NULL, NULL, "\"subnet\" is missing" },
		{ "10.1.2.0/31", NULL, NULL, NULL,
		  "Network 10.1.2.0/31 too small to allocate from" },
		{ "10.1.2.0/32", NULL, NULL, NULL,
		  "Network 10.1.2.0/32 too small to allocate from" },
		{ "fd00::/127", NULL, NULL, NULL, "Network fd00::/127 too small to allocate from" },
		{ "10.1.2.3/24", NULL, NULL, NULL,
		  "Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0" },
		{ "fd00::1/64", NULL, NULL, NULL,
		  "Network has host bits set. For a subnet mask of length 64 the network address is fd00::" },
		{ "10.1.2.0/24", "10.1.3.1", NULL, NULL,
		  "RangeStart 10.1.3.1 not in network 10.1.2.0/24" },
		{ "10.1.2.0/24", "fd00::5", NULL, NULL,
		  "RangeStart fd00::5 not in network 10.1.2.0/24" },
		{ "10.1.2.0/24", NULL, "10.1.1.255", NULL,
		  "RangeEnd 10.1.1.255 not in network 10.1.2.0/24" },
		{ "10.1.2.0/24", "10.1.2.9", "10.1.2.5", NULL,
		  "RangeStart 10.1.2.9 is after RangeEnd 10.1.2.5" },
		{ "10.1.2.0/24", NULL, NULL, "fd00::1",
		  "gateway fd00::1 is not of the family of network 10.1.2.0/24" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_range r =
			range(cases[i].subnet, cases[i].start, cases[i].end, cases[i].gateway);
		char got[640], a[IP_TEXT_MAX], b[IP_TEXT_MAX], c[IP_TEXT_MAX];
		struct err e = ERR_INIT;

		if (range_fill(&r, &e) < 0)
			snprintf(got, sizeof got, "%s", e.text);
		else
			snprintf(got, sizeof got, "%s-%s gw %s", ip_text(&r.start, a),
				 ip_text(&r.end, b), ip_text(&r.gateway, c));
		assert_string_equal(got, cases[i].want);
	}
}

static void a_set_has_one_family_and_no_overlap(void **state)
{
	static const struct {
		const char *subnet[3], *start[3], *end[3], *want;
	} cases[] = {
		{ { NULL }, { NULL }, { NULL }, "empty range set" },
		{ { "10.1.0.0/24", "10.2.0.0/24" },
		  { NULL },
		  { NULL },
		  "10.1.0.1-10.1.0.254,10.2.0.1-10.2.0.254" },
		{ { "10.1.0.0/24", "fd00::/64" }, { NULL }, { NULL }, "mixed address families" },
		{ { "10.1.2.0/24", "10.1.2.0/25" },
		  { NULL },
		  { NULL },
		  "subnets 10.1.2.1-10.1.2.254 and 10.1.2.1-10.1.2.126 overlap" },
		{ { "10.1.0.0/24", "10.1.0.0/24" },
		  { "10.1.0.5", "10.1.0.10" },
		  { "10.1.0.9", "10.1.0.20" },
		  "10.1.0.5-10.1.0.9,10.1.0.10-10.1.0.20" },
		{ { "10.1.0.0/24", "10.1.0.0/24" },
		  { "10.1.0.5", "10.1.0.9" },
		  { "10.1.0.9", "10.1.0.20" },
		  "subnets 10.1.0.5-10.1.0.9 and 10.1.0.9-10.1.0.20 overlap" },
		/* one range around two others that do not meet */
		{ { "10.1.0.0/24", "10.1.0.0/24", "10.1.0.0/24" },
		  { "10.1.0.2", "10.1.0.90", "10.1.0.1" },
		  { "10.1.0.3", "10.1.0.99", "10.1.0.200" },
		  "subnets 10.1.0.2-10.1.0.3 and 10.1.0.1-10.1.0.200 overlap" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_range v[3];
		struct range_set s = { .v = v };
		struct err e = ERR_INIT;
		cleanup_str struct str text = STR_INIT;

		while (s.n < 3 && cases[i].subnet[s.n]) {
			v[s.n] = range(cases[i].subnet[s.n], cases[i].start[s.n], cases[i].end[s.n],
				       NULL);
			s.n++;
		}
		if (range_set_fill(&s, &e) < 0)
			str_add(&text, e.text);
		else
			range_set_text(&s, &text);
		assert_string_equal(text.p, cases[i].want);
	}
}

static void no_address_may_be_in_two_sets(void **state)
{
	struct ip_range a[2] = { range("10.1.0.0/24", NULL, NULL, NULL),
				 range("10.3.0.0/24", NULL, NULL, NULL) };
	struct ip_range b = range("fd00::/64", NULL, NULL, NULL),
			c = range("10.3.0.0/28", NULL, NULL, NULL);
	struct range_set sets[3] = { { a, 2, NULL }, { &b, 1, NULL }, { &c, 1, NULL } };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(range_set_fill(&sets[i], NULL), 0);
	assert_int_equal(range_sets_check(sets, 2, &e), 0);
	assert_true(range_sets_check(sets, 3, &e) < 0);
	assert_string_equal(e.text, "range set 0 overlaps with 2");
}

static void sixty_thousand_ranges_are_compared_in_no_time(void **state)
{
	enum { N = 60000 };
	cleanup_free struct ip_range *v = calloc(N, sizeof *v);
	struct range_set s = { v, N, NULL };
	struct timespec t0, t1;
	struct ip_addr a = addr("10.0.0.0");

	(void)state;
	assert_non_null(v);
	for (int i = 0; i < N; i++) {
		v[(i * 7919) % N].subnet = (struct ip_prefix){ a, 28 };
		a = ip_add(&a, 16);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
	assert_int_equal(range_set_fill(&s, NULL), 0);
	assert_int_equal(range_sets_check(&s, 1, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
	assert_true((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 < 1000);
}

static void excluded_spans_are_sorted_and_joined(void **state)
{
	static const char *const given[] = { "10.1.0.64/26", "10.1.0.7",     "10.1.0.200",
					     "10.1.0.8",     "10.1.0.70",    "fd00::/120",
					     "10.1.0.6",     "10.1.0.128/30" };
	static const char *const want[] = { "10.1.0.6-10.1.0.8", "10.1.0.64-10.1.0.131",
					    "10.1.0.200-10.1.0.200", "fd00::-fd00::ff" };
	struct ip_span v[ARRAY_LEN(given)];
	struct ip_spans s = { v, ARRAY_LEN(given) };
	char got[160], a[IP_TEXT_MAX], b[IP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(span_parse(given[i], &v[i]), 0);
	spans_tidy(&s);
	assert_int_equal(s.n, ARRAY_LEN(want));
	for (size_t i = 0; i < s.n; i++) {
		snprintf(got, sizeof got, "%s-%s", ip_text(&v[i].lo, a), ip_text(&v[i].hi, b));
		assert_string_equal(got, want[i]);
	}
	static const struct {
		const char *addr;
		int in;
	} probes[] = {
		{ "10.1.0.5", -1 },  { "10.1.0.6", 0 },	  { "10.1.0.8", 0 },
		{ "10.1.0.9", -1 },  { "10.1.0.131", 1 }, { "10.1.0.132", -1 },
		{ "10.1.0.200", 2 }, { "fd00::ff", 3 },	  { "fd00::100", -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		struct ip_addr x = addr(probes[i].addr);

		assert_ptr_equal(spans_find(&s, &x), probes[i].in < 0 ? NULL : &v[probes[i].in]);
	}
	struct ip_span bad;
	assert_true(span_parse("10.1.0.0/33", &bad) < 0);
	assert_true(span_parse("10.1.0", &bad) < 0);
	assert_true(span_parse("", &bad) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_filled_in_or_refused_in_the_words_of_the_reference),
		cmocka_unit_test(a_set_has_one_family_and_no_overlap),
		cmocka_unit_test(no_address_may_be_in_two_sets),
		cmocka_unit_test(sixty_thousand_ranges_are_compared_in_no_time),
		cmocka_unit_test(excluded_spans_are_sorted_and_joined),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
