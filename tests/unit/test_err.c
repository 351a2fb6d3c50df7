// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/err.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>

static void each_way_to_set_one_says_where_what_and_why(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, -ENOENT, "open %s", "/x"), -ENOENT);
	assert_string_equal(e.text, "open /x: No such file or directory");
	assert_int_equal(e.no, ENOENT);
	assert_int_equal(e.code, 0);
	assert_int_equal(err_say(&e, -EEXIST, "port %d is taken", 80), -EEXIST);
	assert_string_equal(e.text, "port 80 is taken");
	assert_int_equal(err_code(&e, -EINVAL, 4, "bad %s", "CNI_IFNAME"), -EINVAL);
	assert_string_equal(e.text, "bad CNI_IFNAME");
	assert_int_equal(e.code, 4);
	assert_int_equal(err_conf(&e, "/ipam/type", "expected string, got %s", "5"), -EINVAL);
	assert_string_equal(e.text, "/ipam/type: expected string, got 5");
	assert_int_equal(e.code, 7);
	assert_string_equal(e.details, "");
}

static void wrapping_puts_the_place_before_and_keeps_the_rest(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	(void)err_code(&e, -EEXIST, 100, "File exists");
	err_details(&e, "kernel: %s", "name in use");
	assert_int_equal(err_wrap(&e, "create %s with peer %s", "veth1", "eth0"), -EEXIST);
	assert_int_equal(err_wrap(&e, "veth"), -EEXIST);
	assert_string_equal(e.text, "veth: create veth1 with peer eth0: File exists");
	assert_string_equal(e.details, "kernel: name in use");
	assert_int_equal(e.code, 100);
}

static void a_caller_who_does_not_care_passes_null(void **state)
{
	const struct err from = { .no = EIO, .text = "x" };

	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_say(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_code(NULL, -EIO, 5, "x"), -EIO);
	assert_int_equal(err_conf(NULL, "/", "x"), -EINVAL);
	assert_int_equal(err_wrap(NULL, "x"), -EIO);
	err_details(NULL, "x");
	err_keep_first(NULL, &from);
}

static void wrapping_nothing_stays_nothing(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_wrap(&e, "somewhere"), -EIO);
	assert_int_equal(e.no, 0);
	assert_string_equal(e.text, "");
}

static void the_first_error_is_kept(void **state)
{
	const struct err one = { .no = EIO, .text = "one" }, two = { .no = EPERM, .text = "two" };
	struct err e = ERR_INIT;

	(void)state;
	err_keep_first(&e, &one);
	err_keep_first(&e, &two);
	assert_int_equal(e.no, EIO);
	assert_string_equal(e.text, "one");
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

static void what_is_too_long_is_cut_with_dots_and_keeps_its_reason(void **state)
{
	char long_name[2000];
	struct err e = ERR_INIT;

	(void)state;
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	(void)err_set(&e, -ENAMETOOLONG, "open %s", long_name);
	assert_true(ends_with(e.text, "x...: File name too long"));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	(void)err_wrap(&e, "somewhere");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_true(ends_with(e.text, "..."));
	(void)err_say(&e, -EIO, "%s", long_name);
	assert_true(ends_with(e.text, "xx..."));
	(void)err_conf(&e, long_name, "expected string");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_details(&e, "%s", long_name);
	assert_true(ends_with(e.details, "xx..."));
	assert_int_equal(strlen(e.details), sizeof e.details - 1);
}

static void percent_signs_in_texts_are_texts(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	(void)err_say(&e, -EIO, "%s", "%s%n");
	(void)err_wrap(&e, "%s", "%d");
	assert_string_equal(e.text, "%d: %s%n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_set_one_says_where_what_and_why),
		cmocka_unit_test(wrapping_puts_the_place_before_and_keeps_the_rest),
		cmocka_unit_test(a_caller_who_does_not_care_passes_null),
		cmocka_unit_test(wrapping_nothing_stays_nothing),
		cmocka_unit_test(the_first_error_is_kept),
		cmocka_unit_test(what_is_too_long_is_cut_with_dots_and_keeps_its_reason),
		cmocka_unit_test(percent_signs_in_texts_are_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
