// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/furniture.h"
#include "netlib/nl/nl.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_cmd.h"
#include "tests/lib/lab_cni.h"
#include "tests/lib/snapshot.h"

#define POINTS_MAX 400

static char stepper[4096];
static char *pristine;

/* ---- running a plugin, plainly or under the stepper */

struct point {
	const char *how; /* "--kill", "--errno=ENOSPC@" ... or NULL for a plain run */
	unsigned n;
	unsigned *total; /* with --list: how many points there are */
};

static char *with_prev(const char *conf, const char *prev)
{
	size_t n = strlen(conf);

	return prev ? str_fmt("%.*s,\"prevResult\":%s}", (int)n - 1, conf, prev) : strdup(conf);
}

static void run(const struct crash_subject *s, const char *verb, const char *cid, const char *netns,
		const char *prev, const struct point *p, struct lab_result *out)
{
	cleanup_free char *conf = with_prev(s->conf, prev);
	char bin[4096], how[64], report[64];
	cleanup_free char *command = str_fmt("CNI_COMMAND=%s", verb),
			  *id = str_fmt("CNI_CONTAINERID=%s", cid);
	cleanup_free char *ns = str_fmt("CNI_NETNS=%s", netns),
			  *ifname = str_fmt("CNI_IFNAME=%s", s->ifname);
	cleanup_free char *path = str_fmt("CNI_PATH=%s", lab_bin());
	char limit[] = "--timeout=20", bare_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	     no_leaks[] = "ASAN_OPTIONS=detect_leaks=0";
	char *env[] = { command, id, ns, ifname, path, bare_path, no_leaks, NULL };
	char *argv[] = { stepper, how, report, limit, bin, NULL };

	(void)snprintf(bin, sizeof bin, "%s/%s", lab_bin(), s->plugin);
	struct lab_cmd c = { .path = bin,
			     .argv = argv + 4,
			     .env = env,
			     .in = conf,
			     .in_len = strlen(conf),
			     .timeout_ms = 30000 };
	if (p) {
		(void)snprintf(how, sizeof how, "%s%u", p->how, p->n);
		if (p->total)
			(void)snprintf(how, sizeof how, "--list=/dev/null");
		(void)snprintf(report, sizeof report, "--report=/run/stepper.report");
		c.path = stepper;
		c.argv = argv;
	}
	lab_run(&c, out);
	if (p && p->total) {
		cleanup_free char *text = lab_out("cat /run/stepper.report");
		const char *points = strstr(text, "\"points\":");

		assert_non_null(points);
		*p->total = (unsigned)strtoul(points + 9, NULL, 10);
	}
	(void)unlink("/run/stepper.report");
}

static void must(const struct crash_subject *s, const char *verb, const char *cid,
		 const char *netns, const char *prev, char **result)
{
	struct lab_result r;

	run(s, verb, cid, netns, prev, NULL, &r);
	if (r.status != 0)
		lab_fail("%s %s of %s failed: %s", s->plugin, verb, cid, r.out);
	if (result)
		*result = strdup(r.out);
	lab_result_clear(&r);
}

/* ---- what "as before" means */

/*
 * Furniture may stay: a network's lock and markers, bridges, tables, sysctls. Collected the way gc
 * does, nothing else may be there.
 */
static char *residue(void)
{
	cleanup_nl struct nl host = NL_INIT;
	struct err e = ERR_INIT;
	unsigned removed = 0;

	cleanup_free char *odd =
		lab_out("cd /var/lib/cni/networks 2>/dev/null || exit 0; "
			"find . ! -type d ! -name lock ! -name 'last_reserved_ip.*'");
	if (*odd)
		return str_fmt("files: %s", odd);
	lab_sh("rm -rf /var/lib/cni/networks");
	if (nl_open(&host, 0, -1, "host", &e) < 0 || furniture_sweep(&host, &removed, &e) < 0)
		return str_fmt("sweep: %s", e.text);
	lab_sh("rm -rf /run/naru/*");
	/*
	 * the child that closes the nftables socket for us lives some 60 ms; a namespace's links go
	 * in the background
	 */
	char *diff = NULL;
	for (int i = 0; i < 100; i++) {
		cleanup_free char *now = snapshot_take(SNAPSHOT_ALL);

		free(diff);
		diff = snapshot_diff(pristine, now);
		if (!diff)
			return NULL;
		(void)usleep(5000);
	}
	return diff;
}

static void expect_clean(const struct crash_subject *s, const char *scenario, unsigned n)
{
	if (s->clear)
		lab_sh("%s", s->clear);
	cleanup_free char *left = residue();

	if (left)
		lab_fail("%s, %s, point %u left behind:\n%s", s->plugin, scenario, n, left);
}

/* A round begins. */
static void begin(const struct crash_subject *s, const char *netns)
{
	if (s->furnish)
		lab_sh("%s", s->furnish);
	lab_netns_new(netns);
}

/* The kernel goes on a while after an interface went up: looked at until nothing moves. */
static char *look_at_all(const struct crash_subject *s)
{
	char *now = s->restores || s->gives_back ? snapshot_take(SNAPSHOT_ALL, "c1") : NULL;

	for (int i = 0; now && i < 100; i++) {
		(void)usleep(10000);
		cleanup_free char *last = now;
		now = snapshot_take(SNAPSHOT_ALL, "c1");
		if (!now || !strcmp(last, now))
			break;
	}
	return now;
}

/* What the DEL of a subject has to give back. */
static char *look(const struct crash_subject *s)
{
	return s->gives_back ? lab_out_in("c1", "%s", s->gives_back) : look_at_all(s);
}

/*
 * The kernel adds the local route of an IPv6 address when the link has a carrier, on a busy machine
 * a second later: the address itself is what counts.
 */
static bool matters(const char *diff)
{
	for (const char *line = diff, *end; *line; line = *end ? end + 1 : end) {
		const char *late = strstr(line, " route ipv6 table=255 local ");

		end = strchrnul(line, '\n');
		if (end > line && (!late || late > end))
			return true;
	}
	return false;
}

static void expect_same(const struct crash_subject *s, const char *before, const char *after,
			const char *scenario, unsigned n)
{
	cleanup_free char *diff = before ? snapshot_diff(before, after) : NULL;

	if (diff && matters(diff))
		lab_fail("%s, %s, point %u: not as before:\n%s", s->plugin, scenario, n, diff);
}

static void expect_restored(const struct crash_subject *s, const char *before, const char *scenario,
			    unsigned n)
{
	cleanup_free char *after = before ? look(s) : NULL;

	expect_same(s, before, after, scenario, n);
}

/* An ADD that failed has given back everything by itself. */
static void expect_untouched(const struct crash_subject *s, const char *before,
			     const char *scenario, unsigned n)
{
	cleanup_free char *after = before ? look_at_all(s) : NULL;

	expect_same(s, before, after, scenario, n);
}

/* Runs what comes before the subject; the result of that is the subject's prevResult. */
static char *prepare(const struct crash_subject *s, const char *cid, const char *netns)
{
	char *prev = NULL;

	if (s->before)
		must(s->before, "ADD", cid, netns, NULL, &prev);
	return prev;
}

static void finish(const struct crash_subject *s, const char *cid, const char *netns)
{
	must(s, "DEL", cid, netns, NULL, NULL);
	if (s->before)
		must(s->before, "DEL", cid, netns, NULL, NULL);
}

static unsigned points_of(const struct crash_subject *s, const char *verb)
{
	struct lab_result r;
	unsigned total = 0;
	struct point list = { .how = "", .total = &total };

	begin(s, "c0");
	cleanup_free char *prev = prepare(s, "count", "/run/netns/c0");
	if (!strcmp(verb, "DEL"))
		must(s, "ADD", "count", "/run/netns/c0", prev, NULL);
	run(s, verb, "count", "/run/netns/c0", prev, &list, &r);
	assert_int_equal(r.status, 0);
	lab_result_clear(&r);
	finish(s, "count", "/run/netns/c0");
	lab_netns_del("c0");
	expect_clean(s, "undisturbed", 0);
	assert_in_range(total, 1, POINTS_MAX);
	return total;
}

/* ---- the scenarios */

static void collect(const struct crash_subject *s)
{
	cleanup_free char *conf = with_prev(s->conf, NULL);
	cleanup_free char *gc =
		str_fmt("%.*s,\"cni.dev/valid-attachments\":[]}", (int)strlen(conf) - 1, conf);
	const struct crash_subject collector = { s->plugin, gc, s->ifname, NULL };

	must(&collector, "GC", "x", "", NULL, NULL);
	if (s->before)
		collect(s->before);
}

static void kill_in_add(const struct crash_subject *s, unsigned n, enum crash_aftermath what)
{
	static const char *const names[] = { "killed in ADD, DEL",
					     "killed in ADD, namespace gone, DEL",
					     "killed in ADD, GC" };
	struct point kill = { .how = "--kill=", .n = n };
	struct lab_result r;

	begin(s, "c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	cleanup_free char *before = what == CRASH_DEL ? look(s) : NULL;
	run(s, "ADD", "victim", "/run/netns/c1", prev, &kill, &r);
	lab_result_clear(&r);
	/* the next container is not hurt by what the victim left */
	if (!s->before && !s->alone && strcmp(s->plugin, "loopback") != 0) {
		lab_netns_new("c2");
		must(s, "ADD", "next", "/run/netns/c2", NULL, NULL);
		finish(s, "next", "/run/netns/c2");
		lab_netns_del("c2");
	}
	if (what == CRASH_DEL) {
		must(s, "DEL", "victim", "/run/netns/c1", NULL, NULL);
		expect_restored(s, before, names[what], n);
		if (s->before)
			must(s->before, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	}
	lab_netns_del("c1");
	if (what == CRASH_GONE)
		finish(s, "victim", "");
	if (what == CRASH_GC)
		collect(s);
	expect_clean(s, names[what], n);
}

static void kill_in_del(const struct crash_subject *s, unsigned n, bool gone)
{
	struct point kill = { .how = "--kill=", .n = n };
	struct lab_result r;

	begin(s, "c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	cleanup_free char *before = gone ? NULL : look(s);
	must(s, "ADD", "victim", "/run/netns/c1", prev, NULL);
	if (gone)
		lab_netns_del("c1");
	run(s, "DEL", "victim", gone ? "" : "/run/netns/c1", prev, &kill, &r);
	lab_result_clear(&r);
	must(s, "DEL", "victim", gone ? "" : "/run/netns/c1", NULL, NULL);
	if (!gone)
		expect_restored(s, before, "killed in DEL, DEL", n);
	if (s->before)
		must(s->before, "DEL", "victim", gone ? "" : "/run/netns/c1", NULL, NULL);
	if (!gone)
		lab_netns_del("c1");
	expect_clean(s, gone ? "namespace gone, killed in DEL, DEL" : "killed in DEL, DEL", n);
}

void crash_in_add(const struct crash_subject *const *s, size_t n, enum crash_aftermath what)
{
	for (size_t i = 0; i < n; i++) {
		unsigned total = points_of(s[i], "ADD");

		for (unsigned k = 1; k <= total; k++)
			kill_in_add(s[i], k, what);
		print_message("%s: %u points\n", s[i]->plugin, total);
	}
}

void crash_in_del(const struct crash_subject *const *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned total = points_of(s[i], "DEL");

		for (unsigned k = 1; k <= total; k++) {
			kill_in_del(s[i], k, false);
			kill_in_del(s[i], k, true);
		}
	}
}

/*
 * A call of ADD that fails: ADD fails with an error document (or does without the call), and
 * nothing is left even before DEL.
 */
static void fail_in_add(const struct crash_subject *s, unsigned n, const char *name)
{
	cleanup_free char *how = str_fmt("--errno=%s@", name);
	struct point fail = { .how = how, .n = n };
	struct lab_result r;

	begin(s, "c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	cleanup_free char *before = look(s), *all = look_at_all(s);
	run(s, "ADD", "victim", "/run/netns/c1", prev, &fail, &r);
	bool failed = r.status != 0;
	/* when writing the answer is what failed, there can be none */
	if (failed && r.out_len && json_count(r.out, "") <= 0)
		lab_fail("%s, %s at point %u: no error document: %s", s->plugin, name, n, r.out);
	lab_result_clear(&r);
	/* did without that call: then it must be whole, and DEL must know all of it */
	if (!failed)
		must(s, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	else
		expect_untouched(s, all, name, n);
	expect_restored(s, before, name, n);
	if (s->before)
		must(s->before, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	lab_netns_del("c1");
	expect_clean(s, name, n);
}

void crash_failed_calls(const struct crash_subject *const *s, size_t n)
{
	static const char *const errors[] = {
		"ENOSPC", "EPERM", "ENOMEM", "EBUSY", "ENOBUFS", "EIO"
	};
	unsigned next = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned total = points_of(s[i], "ADD");

		/* two errors for each point, all errors over all points */
		for (unsigned k = 1; k <= total; k++) {
			fail_in_add(s[i], k, errors[next++ % ARRAY_LEN(errors)]);
			fail_in_add(s[i], k, errors[next++ % ARRAY_LEN(errors)]);
		}
	}
}

/* The k-th verb of the transaction fails, for every k. */
static bool fail_verb(const struct crash_subject *s, unsigned k)
{
	char at[32];
	struct lab_result r;

	(void)snprintf(at, sizeof at, "NARU_FAIL_AT=%u", k);
	begin(s, "c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	cleanup_free char *conf = with_prev(s->conf, prev);
	cleanup_free char *before = look(s), *all = look_at_all(s);
	char *const extra[] = { at, NULL };
	struct lab_call c = {
		.plugin = s->plugin,
		.verb = "ADD",
		.cid = "victim",
		.netns = "/run/netns/c1",
		.ifname = s->ifname,
		.conf = conf,
		.env = extra,
	};
	lab_call(&c, &r);
	bool done = r.status == 0;
	if (!done && !strstr(r.out, "fault injected at step"))
		lab_fail("%s, fault %u: %s", s->plugin, k, r.out);
	lab_result_clear(&r);
	if (done)
		must(s, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	else
		expect_untouched(s, all, "fault", k);
	expect_restored(s, before, "fault", k);
	if (s->before)
		must(s->before, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	lab_netns_del("c1");
	expect_clean(s, "fault", k);
	return done;
}

void crash_failed_verbs(const struct crash_subject *const *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned k = 1;

		while (!fail_verb(s[i], k))
			assert_true(++k < POINTS_MAX);
		assert_true(k > 1 || !strcmp(s[i]->plugin, "loopback"));
	}
}

unsigned crash_count_second(const struct crash_subject *s)
{
	struct lab_result r;
	unsigned first = 0, second = 0;
	struct point list_first = { .how = "", .total = &first },
		     list_second = { .how = "", .total = &second };

	begin(s, "c1");
	lab_netns_new("c2");
	cleanup_free char *prev = prepare(s, "one", "/run/netns/c1");
	must(s, "ADD", "one", "/run/netns/c1", prev, NULL);
	must(s, "DEL", "one", "/run/netns/c1", prev, NULL);
	cleanup_free char *prev2 = NULL;
	if (s->before) {
		run(s->before, "ADD", "two", "/run/netns/c2", NULL, &list_first, &r);
		assert_int_equal(r.status, 0);
		prev2 = strdup(r.out);
		lab_result_clear(&r);
	}
	run(s, "ADD", "two", "/run/netns/c2", prev2, &list_second, &r);
	assert_int_equal(r.status, 0);
	lab_result_clear(&r);
	finish(s, "two", "/run/netns/c2");
	if (s->before)
		must(s->before, "DEL", "one", "/run/netns/c1", NULL, NULL);
	lab_netns_del("c1");
	lab_netns_del("c2");
	expect_clean(s, "two containers", 0);
	return first + second;
}

int crash_setup(void **state)
{
	int r = lab_setup(state);

	(void)snprintf(stepper, sizeof stepper, "%s/../tests/tools/stepper", lab_bin());
	free(pristine); /* a program may have two groups */
	pristine = snapshot_take(SNAPSHOT_ALL);
	return r;
}

static const struct crash_subject *const *suite;
static size_t nsuite;

static void every_fault_point_of_every_plugin_rolls_back(void **state)
{
	(void)state;
	crash_failed_verbs(suite, nsuite);
}

static void killed_at_any_point_of_add_one_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(suite, nsuite, CRASH_DEL);
}

static void killed_in_add_and_the_namespace_gone_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(suite, nsuite, CRASH_GONE);
}

static void killed_in_add_and_del_lost_gc_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(suite, nsuite, CRASH_GC);
}

static void killed_at_any_point_of_del_the_next_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_del(suite, nsuite);
}

static void a_call_that_fails_fails_add_without_a_trace(void **state)
{
	(void)state;
	crash_failed_calls(suite, nsuite);
}

int crash_suite(const struct crash_subject *const *s, size_t n)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_point_of_every_plugin_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_the_namespace_gone_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_del_lost_gc_leaves_nothing),
		cmocka_unit_test(killed_at_any_point_of_del_the_next_del_leaves_nothing),
		cmocka_unit_test(a_call_that_fails_fails_add_without_a_trace),
	};

	suite = s;
	nsuite = n;
	return cmocka_run_group_tests(tests, crash_setup, NULL);
}
