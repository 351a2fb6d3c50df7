// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/publish.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void a_port_without_one_of_the_host_is_told_and_completed(void **state)
{
	static const struct {
		const char *text, *whole; /* with 40000; NULL: says its host port */
		unsigned count;
	} cases[] = {
		{ "80", "40000:80", 1 },
		{ "80/udp", "40000:80/udp", 1 },
		{ "80-82", "40000-40002:80-82", 3 },
		{ "127.0.0.1::80", "127.0.0.1:40000:80", 1 },
		{ "[::1]::80-81/sctp", "[::1]:40000-40001:80-81/sctp", 2 },
		{ "8080:80", NULL, 0 },
		{ "127.0.0.1:8080:80", NULL, 0 },
		{ "::80", NULL, 0 },
		{ ":80", NULL, 0 },
		{ "", "40000:", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[64];

		row_int(i, cases[i].text, publish_lacks_host(cases[i].text), !!cases[i].whole);
		if (!cases[i].whole)
			continue;
		assert_int_equal(publish_with_host(cases[i].text, 40000, cases[i].count, buf,
						   sizeof buf),
				 0);
		row_text(i, cases[i].text, buf, cases[i].whole);
	}
	char small[8];
	assert_int_equal(publish_with_host("80", 40000, 1, small, sizeof small), -ENAMETOOLONG);
}

static void what_cannot_be_understood_is_refused_as_it_was_given(void **state)
{
	static const char *const cases[] = { "",      "x",	 "0",	 "70000",
					     "80-79", "80/icmp", "::80", "host::80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct port_map m;
		struct err e = ERR_INIT;
		char buf[PORT_TEXT_MAX], want[64];

		if (!publish_lacks_host(cases[i]))
			continue;
		row_int(i, cases[i], publish_choose(cases[i], NULL, 0, buf, sizeof buf, &m, &e),
			-EINVAL);
		(void)snprintf(want, sizeof want, "-p %s: expected ", cases[i]);
		if (strncmp(e.text, want, strlen(want)))
			row_fail(i, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_without_one_of_the_host_is_told_and_completed),
		cmocka_unit_test(what_cannot_be_understood_is_refused_as_it_was_given),
	};

	return cmocka_run_group_tests_name("runner/publish", tests, NULL, NULL);
}
