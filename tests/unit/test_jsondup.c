// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/jsondup.h"
#include "tests/unit/unit.h"

static void a_key_that_stands_twice_in_the_member_is_found(void **state)
{
	static const struct {
		const char *text, *dup; /* NULL: none */
	} cases[] = {
		{ "{}", NULL },
		{ "{\"m\":{}}", NULL },
		{ "{\"m\":{\"a\":1,\"b\":2}}", NULL },
		{ "{\"m\":{\"a\":1,\"b\":2,\"a\":3}}", "a" },
		{ "{\"M\":{\"a\":1,\"a\":3}}", "a" },
		{ "{\"n\":{\"a\":1,\"a\":3}}", NULL },
		{ "{\"a\":1,\"a\":2,\"m\":{\"a\":3}}", NULL },
		{ "{\"m\":{\"x\":{\"a\":1,\"a\":2}}}", NULL },
		{ "{\"m\":[{\"a\":1,\"a\":2}]}", NULL },
		{ "{\"m\":{\"x\":[1,{\"a\":0}],\"x\":2}}", "x" },
		{ "{\"m\":{\"a\":\"a\",\"b\":\"a\"}}", NULL },
		{ "{\"m\":{\"q\\\"{\":1,\"z\":2,\"q\\\"{\":3}}", "q\\\"{" },
		{ "{\"x\":{\"m\":{\"a\":1,\"a\":2}}}", NULL },
		{ "{\"m\":{\"a\":1,\"a\":2},\"m\":{\"a\":1}}", NULL }, /* the last one counts */
		{ "{\"m\": \"{\", \"o\": {\"a\":1,\"a\":2}}", NULL },
		{ "[{\"m\":{\"a\":1,\"a\":2}}]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char dup[16] = "";
		int r = json_duplicate(cases[i].text, strlen(cases[i].text), "m", dup, sizeof dup);

		if (r != (cases[i].dup != NULL))
			fail_msg("%s: got %d", cases[i].text, r);
		if (cases[i].dup)
			assert_string_equal(dup, cases[i].dup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_stands_twice_in_the_member_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
