// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipam/lease.h"
#include "netlib/base/cleanup.h"

static void a_lease_file_is_read_as_the_reference_reads_it(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		enum lease_state state;
		const char *container, *ifname;
	} cases[] = {
		{ "c1\r\neth0", 8, LEASE_OWNED, "c1", "eth0" },
		{ " \n c1\r\neth0 \r\n", 14, LEASE_OWNED, "c1", "eth0" },
		{ "c1", 2, LEASE_OWNED, "c1", "" },
		{ "c1\n", 3, LEASE_OWNED, "c1", "" },
		{ "c1\r\n", 4, LEASE_OWNED, "c1", "" },
		{ "", 0, LEASE_EMPTY, "", "" },
		{ " \r\n", 3, LEASE_EMPTY, "", "" },
		{ "\0\0\0\0", 4, LEASE_EMPTY, "", "" },
		{ "c1\neth0", 7, LEASE_FOREIGN, NULL, NULL },
		{ "c1\reth0", 7, LEASE_FOREIGN, NULL, NULL },
		{ "c1 eth0", 7, LEASE_FOREIGN, NULL, NULL },
		{ "c1\r\na-name-longer-than-15", 25, LEASE_FOREIGN, NULL, NULL },
		{ "c1\r\neth0\r\nmore", 14, LEASE_FOREIGN, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lease l;

		lease_parse(cases[i].text, cases[i].len, &l);
		if (l.state != cases[i].state)
			fail_msg("case %zu: state %d", i, l.state);
		if (!cases[i].container)
			continue;
		assert_string_equal(l.container, cases[i].container);
		assert_string_equal(l.ifname, cases[i].ifname);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_file_is_read_as_the_reference_reads_it),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
