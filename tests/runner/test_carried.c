// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * naru carries the plugins of its built-in network. It runs them itself in place of files of its
 * own build only: what else is in CNI_PATH is executed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"

#define DIR "/run/plugins"
#define RUN "CNI_PATH=" DIR " naru run --rm -p 8081:80 bb:1 cat /etc/hosts"

static int set_up(void **state)
{
	(void)state;
	lab_enter();
	naru_image();
	return 0;
}

/* body: of a shell loop over $p, the names of the plugins */
static void fill(const char *body)
{
	naru_ok("rm -rf " DIR " && mkdir " DIR
		" && for p in bridge portmap host-local; do %s && chmod 755 " DIR "/$p; done",
		body);
}

static void run(void)
{
	cleanup_free char *hosts = naru_out(RUN);

	if (!strstr(hosts, "\n10.88.0."))
		fail_msg("no address of the network:\n%s", hosts);
}

/* Cut off behind their headers they would not get far. */
static void files_of_the_own_build_are_not_executed(void **state)
{
	cleanup_free char *line = str_fmt("head -c 8192 %s/$p > " DIR "/$p", lab_bin());

	(void)state;
	fill(line);
	run();
}

static void others_are_and_for_del_too(void **state)
{
	cleanup_free char *line = str_fmt(
		"printf '#!/bin/sh\\necho $CNI_COMMAND %%s >> /run/calls\\nexec %s/%%s\\n' $p $p > " DIR
		"/$p",
		lab_bin());

	(void)state;
	fill(line);
	run();
	cleanup_free char *calls = naru_out("grep -v host-local /run/calls");
	assert_string_equal(calls, "ADD bridge\nADD portmap\nDEL portmap\nDEL bridge");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_the_own_build_are_not_executed),
		cmocka_unit_test(others_are_and_for_del_too),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
