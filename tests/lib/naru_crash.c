// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/naru_crash.h"

#include "netlib/base/cleanup.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 1000
#define SETTLE_MS 5000 /* a plugin finding its reader gone, a namespace coming apart */

static char stepper[4096];
static char report_path[64];

int naru_crash_setup(void **state)
{
	lab_enter();
	naru_image();
	(void)snprintf(stepper, sizeof stepper, "%s/../tests/tools/stepper", lab_bin());
	if (access(stepper, X_OK) != 0)
		lab_skip("there is no stepper at %s", stepper);
	/* outside the laboratory's /run, which snapshots look at; several programs run at once */
	(void)snprintf(report_path, sizeof report_path, "/tmp/naru-test-crash-%d.report", getpid());
	naru_ok("naru run --rm -m 64m bb:1 true; naru gc"); /* makes the directories that stay */
	*state = naru_snapshot();
	return 0;
}

int naru_crash_teardown(void **state)
{
	free(*state);
	(void)unlink(report_path);
	return 0;
}

/* Nothing of ours still moves: what the container itself runs may. */
static void settle(void)
{
	static const char *const ours[] = { " process naru\n", " process bridge\n",
					    " process portmap\n", " process host-local\n" };
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
static void expect_clean(const struct naru_crash *s, const char *how, unsigned n,
			 const char *before)
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
static bool crash_at(const struct naru_crash *s, const char *how, unsigned n)
{
	struct lab_result r;

	if (s->before)
		naru_ok("%s", s->before);
	naru_call(&r,
		  "exec %s %s%u --timeout=20 --report=%s -- naru %s > /dev/null 2>&1 < /dev/null",
		  stepper, how, n, report_path, s->line);
	lab_result_clear(&r);
	cleanup_free char *report = lab_out("cat %s", report_path);
	return strstr(report, "\"fired\":true") != NULL;
}

void naru_crash_at_every_point(const struct naru_crash *s, const char *how, const char *before)
{
	unsigned n = 1;

	for (bool fired = true; fired; n++) {
		fired = crash_at(s, how, n);
		settle();
		if (fired && !s->may_stay) {
			naru_ok("naru gc");
			cleanup_free char *left = naru_out("naru ps -aq");
			if (*left)
				lab_fail("naru %s, %s%u: container %s is still there after gc",
					 s->line, how, n, left);
		} else {
			/* whatever is there now can be removed in the ordinary way */
			naru_ok("naru gc");
			naru_sweep();
		}
		expect_clean(s, how, n, before);
		if (n > POINTS_MAX)
			lab_fail("naru %s has more than %d points", s->line, POINTS_MAX);
	}
	printf("# naru %s: %u points, %s\n", s->line, n - 2, how);
}
