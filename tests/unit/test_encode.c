// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/encode.h"
#include "netlib/base/str.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static void strings_are_escaped_as_go_does(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "\"\\/", "\"\\\"\\\\/\"" },
		{ "\n\r\t", "\"\\n\\r\\t\"" },
		{ "\b\f\x01\x1f\x7f", "\"\\u0008\\u000c\\u0001\\u001f\x7f\"" },
		{ "<a>&b", "\"\\u003ca\\u003e\\u0026b\"" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\xe2\x80\xa7|\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa",
		  "\"\xe2\x80\xa7|\\u2028|\\u2029|\xe2\x80\xaa\"" },
		{ "\xff|\xc3", "\"\\ufffd|\\ufffd\"" },
		{ "\xc0\x80", "\"\\ufffd\\ufffd\"" },
		{ "\xe2\x80", "\"\\ufffd\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_json struct json_object *o = json_new_str(cases[i].text);
		cleanup_str struct str s = STR_INIT;

		json_print(&s, o, 0, false);
		row_text(i, cases[i].text, s.p, cases[i].json);
	}
}

static struct json_object *sample(void)
{
	struct json_object *o = json_obj(), *list = json_arr(), *inner = json_obj();

	json_set_str(o, "z", "last");
	json_set_int(o, "a", INT64_MIN);
	json_set_bool(inner, "y", true);
	json_set_bool(inner, "B", false);
	json_append(list, inner);
	json_append(list, json_new_int(INT64_MAX));
	json_append(list, json_arr());
	json_append(list, json_obj());
	json_set(o, "list", list);
	return o;
}

static void keys_keep_the_order_of_the_calls_or_are_sorted(void **state)
{
	static const char in_order[] =
		"{\"z\":\"last\",\"a\":-9223372036854775808,"
		"\"list\":[{\"y\":true,\"B\":false},9223372036854775807,[],{}]}";
	static const char sorted[] =
		"{\"a\":-9223372036854775808,"
		"\"list\":[{\"B\":false,\"y\":true},9223372036854775807,[],{}],\"z\":\"last\"}";
	cleanup_json struct json_object *o = sample();
	cleanup_str struct str a = STR_INIT, b = STR_INIT;

	(void)state;
	json_print(&a, o, 0, false);
	assert_string_equal(a.p, in_order);
	json_print(&b, o, 0, true);
	assert_string_equal(b.p, sorted);
}

static void indented_text_is_gos(void **state)
{
	cleanup_json struct json_object *o = sample();
	cleanup_str struct str s = STR_INIT;

	(void)state;
	json_print(&s, o, 4, false);
	assert_string_equal(s.p, "{\n"
				 "    \"z\": \"last\",\n"
				 "    \"a\": -9223372036854775808,\n"
				 "    \"list\": [\n"
				 "        {\n"
				 "            \"y\": true,\n"
				 "            \"B\": false\n"
				 "        },\n"
				 "        9223372036854775807,\n"
				 "        [],\n"
				 "        {}\n"
				 "    ]\n"
				 "}");
}

static void nothing_is_left_out_and_what_is_set_again_is_replaced(void **state)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;

	(void)state;
	json_set_str(o, "a", NULL);
	json_set(o, "b", NULL);
	json_set_int(o, "c", 1);
	json_set_int(o, "d", 2);
	json_set_int(o, "c", 3);
	json_del(o, "d");
	json_del(o, "never there");
	json_append(NULL, json_new_int(1));
	json_set(NULL, "x", json_new_int(1));
	json_print(&s, o, 0, false);
	assert_string_equal(s.p, "{\"c\":3}");
}

static void a_borrowed_value_gets_one_more_owner(void **state)
{
	struct json_object *v = json_new_str("shared");
	cleanup_json struct json_object *a = json_obj();
	cleanup_str struct str s = STR_INIT;

	(void)state;
	json_set(a, "v", json_ref(v));
	json_put(v);
	json_print(&s, a, 0, false);
	assert_string_equal(s.p, "{\"v\":\"shared\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_as_go_does),
		cmocka_unit_test(keys_keep_the_order_of_the_calls_or_are_sorted),
		cmocka_unit_test(indented_text_is_gos),
		cmocka_unit_test(nothing_is_left_out_and_what_is_set_again_is_replaced),
		cmocka_unit_test(a_borrowed_value_gets_one_more_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
