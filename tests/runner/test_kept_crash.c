// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers that are kept: run, killed at every point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/naru_crash.h"

static const struct naru_crash kept = { "run --name web --network none -m 64m bb:1 echo hello",
					NULL, true };
static const struct naru_crash detached = { "run -d --name web -p 8080:80 bb:1 sleep 1000", NULL,
					    true };

NARU_CRASH(a_kept_run_killed_as_a_whole_leaves_what_can_be_removed, kept, "--kill=")
NARU_CRASH(a_detached_run_killed_as_a_whole_leaves_what_can_be_removed, detached, "--kill=")
NARU_CRASH(a_detached_run_of_which_one_process_is_killed_leaves_what_can_be_removed, detached,
	   "--kill-one=")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kept_run_killed_as_a_whole_leaves_what_can_be_removed),
		cmocka_unit_test(a_detached_run_killed_as_a_whole_leaves_what_can_be_removed),
		cmocka_unit_test(
			a_detached_run_of_which_one_process_is_killed_leaves_what_can_be_removed),
	};

	return cmocka_run_group_tests(tests, naru_crash_setup, naru_crash_teardown);
}
