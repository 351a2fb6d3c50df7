// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

static void text_grows_piece_by_piece(void **state)
{
	cleanup_str struct str s = STR_INIT;
	char want[10001];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		str_addc(&s, (char)('a' + i % 26));
		want[i] = (char)('a' + i % 26);
	}
	want[10000] = 0;
	assert_false(s.bad);
	assert_int_equal(s.len, 10000);
	assert_string_equal(s.p, want);
}

static void formatted_text_may_be_longer_than_the_buffer_inside(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	str_add(&s, "<");
	str_addf(&s, "%255s|%256s|%1000s", "a", "b", "c");
	str_add_n(&s, ">rest", 1);
	assert_int_equal(s.len, 1 + 255 + 1 + 256 + 1 + 1000 + 1);
	assert_int_equal(s.p[s.len - 1], '>');
	assert_int_equal(s.p[s.len], 0);
}

static void taking_hands_the_text_over_and_nothing_is_the_empty_text(void **state)
{
	struct str s = STR_INIT, bad = { .bad = true };

	(void)state;
	char *p = str_take(&s);
	assert_string_equal(p, "");
	free(p);
	str_addf(&s, "%d", 5);
	p = str_take(&s);
	assert_string_equal(p, "5");
	assert_null(s.p);
	free(p);
	str_add(&bad, "x");
	assert_null(bad.p);
	assert_null(str_take(&bad));
}

static void copying_reports_truncation(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(str_copyf(buf, sizeof buf, "%s", "abc"), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copyf(buf, sizeof buf, "%s", "abcd"), -ENAMETOOLONG);
	assert_string_equal(buf, "abc");
}

static void numbers_are_whole_and_bounded(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t n;
	} cases[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 0, 10 },
		{ "007", 10, 0, 7 },
		{ "11", 10, -ERANGE, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", UINT64_MAX, -ERANGE, 0 },
		{ "", 10, -EINVAL, 0 },
		{ "-1", 10, -EINVAL, 0 },
		{ "+1", 10, -EINVAL, 0 },
		{ " 1", 10, -EINVAL, 0 },
		{ "1 ", 10, -EINVAL, 0 },
		{ "0x1", 10, -EINVAL, 0 },
		{ "1e1", 10, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t n = 4711;

		row_int(i, cases[i].text, str_u64(cases[i].text, cases[i].max, &n), cases[i].r);
		row_int(i, cases[i].text, (long long)n, cases[i].r ? 4711 : (long long)cases[i].n);
	}
}

static void utf8_is_known_from_what_looks_like_it(void **state)
{
	static const struct {
		const char *text;
		unsigned len;
	} cases[] = {
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xee\x80\x80", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xc3\xa4 and more", 2 },
		{ "\x80", 0 },
		{ "\xbf", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xed\xbf\xbf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf8\x88\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "\xc3", 0 },
		{ "\xe2\x82", 0 },
		{ "\xe2\x28\xa1", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		row_int(i, cases[i].text, utf8_len(cases[i].text, strlen(cases[i].text)),
			cases[i].len);
	assert_int_equal(utf8_len("\xe2\x82\xac", 2), 0);
}

static void a_hash_keeps_its_parts_apart_and_never_changes(void **state)
{
	uint64_t ab_c = hash_end(hash_part(hash_part(HASH_INIT, "ab"), "c"));
	uint64_t a_bc = hash_end(hash_part(hash_part(HASH_INIT, "a"), "bc"));

	(void)state;
	assert_true(ab_c != a_bc);
	assert_true(hash_end(hash_part(HASH_INIT, "")) != hash_end(HASH_INIT));
	/* names on running systems are derived from it: a change here strands them */
	assert_int_equal(ab_c, UINT64_C(0xe380d1d259698919));
}

static void arrays_grow_by_powers_of_two_and_survive_removal_at_the_end(void **state)
{
	int *v = NULL;
	size_t n = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			int *slot = vec_add(&v, &n);

			assert_non_null(slot);
			assert_int_equal(*slot, 0);
			*slot = i;
		}
		for (size_t i = 0; i < 100; i++)
			assert_int_equal(v[(size_t)round * 37 + i], i);
		n -= 63;
	}
	free(v);
}

static void case_is_that_of_ascii_letters_only(void **state)
{
	static const struct {
		const char *a, *b;
		int same;
	} cases[] = {
		{ "", "", 1 },
		{ "ipMasq", "IPMASQ", 1 },
		{ "ipMasq", "ipMas", 0 },
		{ "ipMas", "ipMasq", 0 },
		{ "a-b_c.9", "A-B_C.9", 1 },
		{ "[", "{", 0 }, /* differ in that bit, but are no letters */
		{ "@", "`", 0 },
		{ "\xc3\x84", "\xc3\xa4", 0 },
		{ "\xc3\xa4", "\xc3\xa4", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		row_int(i, cases[i].a, str_same(cases[i].a, cases[i].b), cases[i].same);
		row_int(i, cases[i].b, str_same(cases[i].b, cases[i].a), cases[i].same);
	}
	assert_true(str_same_n("TRUE,", 4, "true"));
	assert_false(str_same_n("TRUE,", 5, "true"));
	assert_false(str_same_n("TRUE,", 3, "true"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_piece_by_piece),
		cmocka_unit_test(formatted_text_may_be_longer_than_the_buffer_inside),
		cmocka_unit_test(taking_hands_the_text_over_and_nothing_is_the_empty_text),
		cmocka_unit_test(copying_reports_truncation),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(utf8_is_known_from_what_looks_like_it),
		cmocka_unit_test(a_hash_keeps_its_parts_apart_and_never_changes),
		cmocka_unit_test(arrays_grow_by_powers_of_two_and_survive_removal_at_the_end),
		cmocka_unit_test(case_is_that_of_ascii_letters_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
