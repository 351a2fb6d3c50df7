// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine in trouble: full disks, ports of others, leftovers of the killed. */
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

static int set_up(void **state)
{
	lab_enter();
	naru_image();
	naru_ok("naru run --rm bb:1 true && naru gc"); /* makes the directories that stay */
	*state = naru_snapshot();
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int nothing_stays(void **state)
{
	naru_sweep();
	cleanup_free char *after = naru_snapshot();
	cleanup_free char *diff = snapshot_diff(*state, after);
	if (diff)
		lab_fail("left behind:\n%s", diff);
	return 0;
}

static void prints(const char *expected, const char *line)
{
	cleanup_free char *out = naru_out("%s", line);

	if (strcmp(out, expected) != 0)
		lab_fail("%s: expected \"%s\", got \"%s\"", line, expected, out);
}

static void a_root_with_very_deep_directories_is_removed(void **state)
{
	(void)state;
	naru_ok("naru run --name deep --network none bb:1 sh -c "
		"'i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit; i=$((i + 1)); done'");
	naru_ok("naru rm deep");
	prints("", "ls /var/lib/naru/containers");
}

static void gc_takes_what_a_killed_import_left(void **state)
{
	(void)state;
	naru_ok("mkdir -p /var/lib/naru/images/layers/.tmp-0123 && touch /var/lib/naru/images/blobs/sha256/00");
	prints("removed 2 layers and blobs that no image names", "naru gc");
	prints("hello", "naru run --rm --network none bb:1");
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_stays)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_root_with_very_deep_directories_is_removed),
		TEST(gc_takes_what_a_killed_import_left),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
