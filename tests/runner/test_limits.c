// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits of `naru run`, whatever control groups the machine has: version 2 alone and version 1
 * alone are what `make check-vm` boots. Seen from the host in the files of the group, and in what
 * happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static char *before;

static int set_up(void **state)
{
	(void)state;
	lab_enter();
	naru_image();
	naru_ok("naru run --rm bb:1 true && naru gc"); /* makes the directories that stay */
	naru_sweep();
	before = naru_snapshot();
	return 0;
}

static int nothing_stays(void **state)
{
	(void)state;
	naru_sweep();
	cleanup_free char *after = naru_snapshot();
	cleanup_free char *diff = snapshot_diff(before, after);

	if (diff)
		lab_fail("left behind:\n%s", diff);
	return 0;
}

/* Is this controller in the version 2 tree, in a hierarchy of its own, or nowhere? */
static int version_of(const char *controller)
{
	if (lab_try("grep -qw %s /sys/fs/cgroup/cgroup.controllers", controller) == 0)
		return 2;
	return lab_try("ls -d /sys/fs/cgroup/%s/tasks /sys/fs/cgroup/*,%s/tasks "
		       "/sys/fs/cgroup/%s,*/tasks 2>/dev/null | grep -q .",
		       controller, controller, controller) == 0;
}

static const struct {
	const char *option, *controller;
	const char *file[2], *value[2]; /* version 1, version 2 */
} limits[] = {
	{ "--memory 32m",
	  "memory",
	  { "memory.limit_in_bytes", "memory.max" },
	  { "33554432", "33554432" } },
	{ "--pids-limit 7", "pids", { "pids.max", "pids.max" }, { "7", "7" } },
	{ "--cpus 0.5", "cpu", { "cpu.cfs_quota_us", "cpu.max" }, { "50000", "50000 100000" } },
	{ "--cpu-shares 512", "cpu", { "cpu.shares", "cpu.weight" }, { "512", "59" } },
};

static void every_limit_stands_in_the_groups_file(void **state)
{
	bool none = true;

	(void)state;
	for (size_t i = 0; i < LEN(limits); i++) {
		int v = version_of(limits[i].controller);

		if (!v)
			continue;
		none = false;
		naru_ok("naru run -d --name limited --network none %s bb:1 sleep 60",
			limits[i].option);
		if (lab_try("find /sys/fs/cgroup -path '*/naru/*/*' -name %s | xargs cat | grep -qx '%s'",
			    limits[i].file[v - 1], limits[i].value[v - 1]))
			lab_fail("%s: expected %s in %s (version %d)", limits[i].option,
				 limits[i].value[v - 1], limits[i].file[v - 1], v);
		naru_ok("naru rm -f limited");
	}
	if (none)
		lab_skip("this machine has none of the controllers cpu, memory, pids");
}

static void needs(const char *controller)
{
	if (!version_of(controller))
		lab_skip("no control group controller %s", controller);
}

static void a_container_has_no_more_processes_than_allowed(void **state)
{
	(void)state;
	needs("pids");
	cleanup_free char *out = naru_out("naru run --rm --network none --pids-limit 4 bb:1 sh -c "
					  "'for i in 1 2 3 4 5 6; do sleep 1 & done' 2>&1; true");
	if (!strstr(out, "can't fork"))
		lab_fail("expected \"can't fork\", got: %s", out);
}

static void a_container_that_wants_too_much_memory_is_killed(void **state)
{
	(void)state;
	needs("memory");
	naru_refuses(137, "",
		     "naru run --rm --network none -m 16m bb:1 "
		     "dd if=/dev/zero of=/dev/shm/x bs=1M count=40");
}

static void a_container_is_held_to_its_share_of_a_processor(void **state)
{
	(void)state;
	needs("cpu");
	naru_ok("naru run -d --name busy --network none --cpus 0.1 bb:1 sh -c 'while :; do :; done'");
	/*
	 * of the container's group; of version 2 beside version 1 there is one that counts nothing
	 */
	lab_sh("for i in $(seq 100); do\n"
	       "	find /sys/fs/cgroup -path '*/naru/*/*' -name cpu.stat | xargs cat |\n"
	       "		grep -q 'nr_throttled [1-9]' && exit 0\n"
	       "	sleep 0.1\n"
	       "done\n"
	       "exit 1");
	naru_ok("naru rm -f busy");
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_stays)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_limit_stands_in_the_groups_file),
		TEST(a_container_has_no_more_processes_than_allowed),
		TEST(a_container_that_wants_too_much_memory_is_killed),
		TEST(a_container_is_held_to_its_share_of_a_processor),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
