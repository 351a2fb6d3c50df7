// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include "netlib/base/jsonpos.h"
#include "netlib/base/str.h"

static const char text[] = "{\n"
			   "  \"a\": { \"b/c\": [1, \"\xc3\xa9]\", {\"d\": null}] },\n"
			   "  \"e\\\"f\": true, \"a\": [ ]\n"
			   "}";

static void a_pointer_leads_to_line_and_column(void **state)
{
	static const struct {
		const char *pointer;
		bool key, whole;
		unsigned line, column;
	} cases[] = {
		{ "", false, true, 1, 1 },	   { "/a", true, true, 3, 17 },
		{ "/a", false, true, 3, 22 }, /* the last of two counts */
		{ "/e\"f", true, true, 3, 3 },	   { "/e\"f", false, true, 3, 11 },
		{ "/nothing", true, false, 1, 1 }, { "/a/0", false, false, 3, 22 },
		{ "/a/b", false, false, 3, 22 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_pos pos;
		bool whole =
			json_locate(text, sizeof text - 1, cases[i].pointer, cases[i].key, &pos);

		row_int(i, "whole", whole, cases[i].whole);
		row_int(i, "line", pos.line, cases[i].line);
		row_int(i, "column", pos.column, cases[i].column);
	}
}

static void tokens_are_unescaped_and_elements_counted(void **state)
{
	static const char deep[] = "{\"a\":{\"b/c\":[1,\"\xc3\xa9]\",{\"d\":null}]}}";
	static const struct {
		const char *pointer;
		unsigned column;
	} cases[] = {
		{ "/a/b~1c", 13 },   { "/a/b~1c/0", 14 },   { "/a/b~1c/1", 16 },
		{ "/a/b~1c/2", 21 }, { "/a/b~1c/2/d", 26 },
	};
	struct json_pos pos;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(json_locate(deep, sizeof deep - 1, cases[i].pointer, false, &pos));
		row_int(i, cases[i].pointer, pos.column, cases[i].column);
	}
}

static void note(const char *pointer, struct json_pos at, void *arg)
{
	str_addf(arg, "%s at %u:%u;", pointer, at.line, at.column);
}

static void keys_that_stand_twice_are_found_at_every_depth(void **state)
{
	static const char twice[] =
		"{\"a\":1,\"b\":[{\"c\":1,\"d\":{\"c\":1},\"c\":2}],\n\"a\":{\"a\":1}}";
	cleanup_str struct str s = STR_INIT;

	(void)state;
	json_each_twice(twice, sizeof twice - 1, note, &s);
	assert_string_equal(s.p, "/b/0/c at 1:32;/a at 2:1;");
}

/* It may be called with anything: it must end, and stay inside. */
static void a_text_that_is_cut_anywhere_is_survived(void **state)
{
	cleanup_str struct str s = STR_INIT;
	struct json_pos pos;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		char *cut = malloc(n ? n : 1);

		memcpy(cut, text, n);
		(void)json_locate(cut, n, "/a/b~1c/2/d", true, &pos);
		json_each_twice(cut, n, note, &s);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pointer_leads_to_line_and_column),
		cmocka_unit_test(tokens_are_unescaped_and_elements_counted),
		cmocka_unit_test(keys_that_stand_twice_are_found_at_every_depth),
		cmocka_unit_test(a_text_that_is_cut_anywhere_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
