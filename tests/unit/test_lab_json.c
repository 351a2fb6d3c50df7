// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
	"{ \"a\" : 1, \"b\":[ {\"x\":\"one\"} , {\"x\":\"t\\\"wo\"},[],3 ],\"c\":{},"
	"\"d\":null ,\"e/f\":true, \"s\":\"}],{\\\\\", \"z\":[1,[2,3]] }";

static void a_path_finds_its_value_as_written(void **state)
{
	static const struct {
		const char *path, *value;
	} cases[] = {
		{ "/a", "1" },	     { "/b/0/x", "one" },  { "/b/1/x", "t\\\"wo" },
		{ "/b/2", "[]" },    { "/b/3", "3" },	   { "/b/4", NULL },
		{ "/b/x", NULL },    { "/c", "{}" },	   { "/c/a", NULL },
		{ "/d", "null" },    { "/s", "}],{\\\\" }, { "/z/1/0", "2" },
		{ "/z/1", "[2,3]" }, { "/a/0", NULL },	   { "/nothing", NULL },
		{ "/b/-1", NULL },   { "/", NULL },	   { "/b/0/x/0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *got = json_find(doc, cases[i].path);

		if (cases[i].value)
			assert_string_equal(got, cases[i].value);
		else
			assert_null(got);
		free(got);
	}
	assert_true(json_is(doc, "/a", "1"));
	assert_false(json_is(doc, "/a", "2"));
	assert_false(json_is(doc, "/nothing", ""));
}

static void elements_and_members_are_counted(void **state)
{
	char *key = json_key(doc, "", 2);

	(void)state;
	assert_int_equal(json_count(doc, ""), 7);
	assert_int_equal(json_count(doc, "/b"), 4);
	assert_int_equal(json_count(doc, "/c"), 0);
	assert_int_equal(json_count(doc, "/a"), -1);
	assert_string_equal(key, "c");
	assert_null(json_key(doc, "", 7));
	assert_null(json_key(doc, "/b", 0));
	free(key);
}

static void a_member_is_added_at_the_end_or_replaced_in_place(void **state)
{
	static const struct {
		const char *object, *key, *value, *result;
	} cases[] = {
		{ "{}", "a", "1", "{\"a\":1}" },
		{ " { } \n", "a", "1", " { \"a\":1} \n" },
		{ "{\"b\":{}}", "a", "[1]", "{\"b\":{},\"a\":[1]}" },
		{ "{\"a\": 1, \"b\":2}", "a", "\"x\"", "{\"a\": \"x\", \"b\":2}" },
		{ "{\"b\":{\"a\":1}}", "a", "2", "{\"b\":{\"a\":1},\"a\":2}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *got = json_with(cases[i].object, cases[i].key, cases[i].value);

		assert_string_equal(got, cases[i].result);
		free(got);
	}
}

static void a_broken_document_holds_nothing_and_is_not_overrun(void **state)
{
	size_t len = strlen(doc);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char *cut = strndup(doc, i), *at;

		assert_non_null(cut);
		at = json_find(cut, "/b/1/x");
		free(at);
		at = json_find(cut, "");
		assert_null(at);
		assert_true(json_count(cut, "/z/1") <= 0);
		free(at);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_finds_its_value_as_written),
		cmocka_unit_test(elements_and_members_are_counted),
		cmocka_unit_test(a_member_is_added_at_the_end_or_replaced_in_place),
		cmocka_unit_test(a_broken_document_holds_nothing_and_is_not_overrun),
	};

	return cmocka_run_group_tests_name("lab_json", tests, NULL, NULL);
}
