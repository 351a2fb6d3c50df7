// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash points of the runner: a command line is killed just before each of its state-changing system calls in turn, the whole
 * process tree or only the process that is about to make the call. Then `naru gc`, and the machine must be exactly as before.
 * No exception list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

#define POINTS_MAX 1000
#define SETTLE_MS 5000	/* what outlives a killed tree for a moment: a plugin finding its reader gone, a namespace coming apart */
#define REPORT "/tmp/naru-test-crash.report"

/* A command line, what must be there before it, and whether a container may rightly be there afterwards. */
struct subject {
	const char *line, *before;
	bool may_stay;
};

static const struct subject run_alone = { "run --rm --network none bb:1 true", NULL, false };
static const struct subject run_served = { "run --rm -p 8080:80 -v /run/rootfs:/mnt:ro bb:1 true", NULL, false };
static const struct subject run_kept = { "run --name web --network none -m 64m bb:1 echo hello", NULL, true };
static const struct subject run_detached = { "run -d --name web -p 8080:80 bb:1 sleep 1000", NULL, true };
static const struct subject stop = { "stop -t 0 web", "naru run -d --name web -p 8080:80 bb:1 sleep 1000", true };
static const struct subject remove_running = { "rm -f web", "naru run -d --name web -p 8080:80 bb:1 sleep 1000", true };
static const struct subject remove_stopped = { "rm web", "naru run --name web --network none bb:1 touch /tmp/x", true };
static const struct subject collect = { "gc", "naru run -d --name web -p 8080:80 bb:1 sleep 1000 && naru rm -f web", false };

static char stepper[4096];

static int set_up(void **state)
{
	lab_enter();
	naru_image();
	(void)snprintf(stepper, sizeof stepper, "%s/../tests/tools/stepper", lab_bin());
	if (access(stepper, X_OK) != 0)
		lab_skip("there is no stepper at %s", stepper);
	naru_ok("naru run --rm -m 64m bb:1 true; naru gc");	/* makes the directories that stay */
	*state = naru_snapshot();
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	(void)unlink(REPORT);
	return 0;
}

/* Nothing of ours still moves: what the container itself runs may. */
static void settle(void)
{
	static const char *const ours[] = { " process naru\n", " process bridge\n", " process portmap\n", " process host-local\n" };
	bool moving = true;

	for (int ms = 0; moving && ms < SETTLE_MS; ms += 5) {
		cleanup_free char *procs = snapshot_take(SNAPSHOT_PROCS);

		moving = false;
		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			moving |= strstr(procs, ours[i]) != NULL;
		if (moving)
			(void)usleep(5000);
	}
}

/* The links of a namespace go in the background, so the difference is given a while to vanish. */
static void expect_clean(const struct subject *s, const char *how, unsigned n, const char *before)
{
	char *diff = NULL;

	for (int ms = 0; ms < SETTLE_MS; ms += 20) {
		cleanup_free char *after = naru_snapshot();

		free(diff);
		if (!(diff = snapshot_diff(before, after)))
			return;
		(void)usleep(20000);
	}
	lab_fail("naru %s, %s%u left behind:\n%s", s->line, how, n, diff);
}

/* False when the line has fewer than n points. */
static bool crash_at(const struct subject *s, const char *how, unsigned n)
{
	struct lab_result r;

	if (s->before)
		naru_ok("%s", s->before);
	naru_call(&r, "exec %s %s%u --timeout=20 --report=" REPORT " -- naru %s > /dev/null 2>&1 < /dev/null", stepper, how, n, s->line);
	lab_result_clear(&r);
	cleanup_free char *report = lab_out("cat " REPORT);
	return strstr(report, "\"fired\":true") != NULL;
}

static void every_point(const struct subject *s, const char *how, const char *before)
{
	unsigned n = 1;

	for (bool fired = true; fired; n++) {
		fired = crash_at(s, how, n);
		settle();
		if (fired && !s->may_stay) {
			naru_ok("naru gc");
			cleanup_free char *left = naru_out("naru ps -aq");
			if (*left)
				lab_fail("naru %s, %s%u: container %s is still there after gc", s->line, how, n, left);
		} else {
			naru_ok("naru gc");	/* whatever is there now can be removed in the ordinary way */
			naru_sweep();
		}
		expect_clean(s, how, n, before);
		if (n > POINTS_MAX)
			lab_fail("naru %s has more than %d points", s->line, POINTS_MAX);
	}
	print_message("# naru %s: %u points, %s\n", s->line, n - 2, how);
}

#define CASE(name, subject, how) \
	static void name(void **state) \
	{ \
		every_point(&(subject), how, *state); \
	}

CASE(a_run_without_network_killed_as_a_whole_leaves_nothing, run_alone, "--kill=")
CASE(a_run_without_network_whose_runner_is_killed_leaves_nothing, run_alone, "--kill-one=")
CASE(a_run_with_ports_killed_as_a_whole_leaves_nothing, run_served, "--kill=")
CASE(a_run_with_ports_of_which_one_process_is_killed_leaves_nothing, run_served, "--kill-one=")
CASE(a_kept_run_killed_as_a_whole_leaves_what_can_be_removed, run_kept, "--kill=")
CASE(a_detached_run_killed_as_a_whole_leaves_what_can_be_removed, run_detached, "--kill=")
CASE(a_detached_run_of_which_one_process_is_killed_leaves_what_can_be_removed, run_detached, "--kill-one=")
CASE(a_killed_stop_leaves_what_can_be_removed, stop, "--kill=")
CASE(a_killed_rm_of_a_running_container_leaves_what_can_be_removed, remove_running, "--kill=")
CASE(a_killed_rm_of_a_stopped_container_leaves_what_can_be_removed, remove_stopped, "--kill=")
CASE(a_killed_gc_is_made_good_by_the_next, collect, "--kill=")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_without_network_killed_as_a_whole_leaves_nothing),
		cmocka_unit_test(a_run_without_network_whose_runner_is_killed_leaves_nothing),
		cmocka_unit_test(a_run_with_ports_killed_as_a_whole_leaves_nothing),
		cmocka_unit_test(a_run_with_ports_of_which_one_process_is_killed_leaves_nothing),
		cmocka_unit_test(a_kept_run_killed_as_a_whole_leaves_what_can_be_removed),
		cmocka_unit_test(a_detached_run_killed_as_a_whole_leaves_what_can_be_removed),
		cmocka_unit_test(a_detached_run_of_which_one_process_is_killed_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_stop_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_rm_of_a_running_container_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_rm_of_a_stopped_container_leaves_what_can_be_removed),
		cmocka_unit_test(a_killed_gc_is_made_good_by_the_next),
	};

	/* names on the command line choose; all of them take a while */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
