// SPDX-License-Identifier: GPL-2.0-or-later
/* `naru stop`, `rm` and `gc`, killed at every point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/naru_crash.h"

static const struct naru_crash stop = { "stop -t 0 web",
					"naru run -d --name web -p 8080:80 bb:1 sleep 1000", true };
static const struct naru_crash remove_running = {
	"rm -f web", "naru run -d --name web -p 8080:80 bb:1 sleep 1000", true
};
static const struct naru_crash remove_stopped = {
	"rm web", "naru run --name web --network none bb:1 touch /tmp/x", true
};
static const struct naru_crash collect = { "gc", "naru run --rm -p 8080:80 bb:1 true", false };

NARU_CRASH(a_killed_stop_leaves_what_can_be_removed, stop, "--kill=")
NARU_CRASH(a_killed_rm_of_a_running_container_leaves_what_can_be_removed, remove_running, "--kill=")
NARU_CRASH(a_killed_rm_of_a_stopped_container_leaves_what_can_be_removed, remove_stopped, "--kill=")
NARU_CRASH(a_killed_gc_is_made_good_by_the_next, collect, "--kill=")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_stop_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_rm_of_a_running_container_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_rm_of_a_stopped_container_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_gc_is_made_good_by_the_next),
	};

	return cmocka_run_group_tests(tests, naru_crash_setup, naru_crash_teardown);
}
