// SPDX-License-Identifier: GPL-2.0-or-later
/* `naru run`, killed at every point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/naru_crash.h"

static const struct naru_crash alone = { "run --rm --network none bb:1 true", NULL, false };
static const struct naru_crash served = { "run --rm -p 8080:80 -v /run/rootfs:/mnt:ro bb:1 true",
					  NULL, false };

NARU_CRASH(a_run_without_network_killed_as_a_whole_leaves_nothing, alone, "--kill=")
NARU_CRASH(a_run_without_network_whose_runner_is_killed_leaves_nothing, alone, "--kill-one=")
NARU_CRASH(a_run_with_ports_killed_as_a_whole_leaves_nothing, served, "--kill=")
NARU_CRASH(a_run_with_ports_of_which_one_process_is_killed_leaves_nothing, served, "--kill-one=")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_without_network_killed_as_a_whole_leaves_nothing),
		cmocka_unit_test(a_run_without_network_whose_runner_is_killed_leaves_nothing),
		cmocka_unit_test(a_run_with_ports_killed_as_a_whole_leaves_nothing),
		cmocka_unit_test(a_run_with_ports_of_which_one_process_is_killed_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, naru_crash_setup, naru_crash_teardown);
}
