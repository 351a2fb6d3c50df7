// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash points: each plugin is killed just before each of its state-changing system calls in turn,
 * then cleaned up in the ways that a runtime has, and the machine must be exactly as before. No
 * exception list.
 */
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
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}"
#define PORTS \
	"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}," \
	"{\"hostPort\":5353,\"containerPort\":53,\"protocol\":\"udp\"},{\"hostPort\":7000,\"containerPort\":7000,\"range\":50}]}"
#define FLANNEL_ENV \
	"FLANNEL_NETWORK=10.1.0.0/16\\nFLANNEL_SUBNET=10.1.0.1/24\\nFLANNEL_MTU=1450\\n" \
	"FLANNEL_IPMASQ=false\\n"
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""

/* A plugin under test, and what must have run before it for its ADD to make sense. */
struct subject {
	const char *plugin, *conf, *ifname;
	const struct subject *before;
};

static const struct subject bridge = {
	"bridge",
	HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true," IPAM
		       "}",
	"eth0", NULL
};
static const struct subject veth = { "veth", HEAD("veth") ",\"ipMasq\":true,\"mtu\":1400," IPAM "}",
				     "eth0", NULL };
static const struct subject plain = {
	"bridge", HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true," IPAM "}", "eth0", NULL
};
static const struct subject portmap = { "portmap", HEAD("portmap") "," PORTS "}", "eth0", &bridge };
static const struct subject masquerade = { "masquerade", HEAD("masquerade") "}", "eth0", &plain };
static const struct subject host_local = { "host-local", HEAD("bridge") "," IPAM "}", "eth0",
					   NULL };
static const struct subject flannel = { "flannel", HEAD("flannel") "}", "eth0", NULL };
static const struct subject loopback = { "loopback", HEAD("loopback") "}", "lo", NULL };
static const struct subject *const subjects[] = { &bridge,     &veth,	  &portmap, &masquerade,
						  &host_local, &loopback, &flannel };

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

static void run(const struct subject *s, const char *verb, const char *cid, const char *netns,
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

static void must(const struct subject *s, const char *verb, const char *cid, const char *netns,
		 const char *prev, char **result)
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

static void expect_clean(const struct subject *s, const char *scenario, unsigned n)
{
	cleanup_free char *left = residue();

	if (left)
		lab_fail("%s, %s, point %u left behind:\n%s", s->plugin, scenario, n, left);
}

/* Runs what comes before the subject; the result of that is the subject's prevResult. */
static char *prepare(const struct subject *s, const char *cid, const char *netns)
{
	char *prev = NULL;

	if (s->before)
		must(s->before, "ADD", cid, netns, NULL, &prev);
	return prev;
}

static void finish(const struct subject *s, const char *cid, const char *netns)
{
	must(s, "DEL", cid, netns, NULL, NULL);
	if (s->before)
		must(s->before, "DEL", cid, netns, NULL, NULL);
}

static unsigned points_of(const struct subject *s, const char *verb)
{
	struct lab_result r;
	unsigned total = 0;
	struct point list = { .how = "", .total = &total };

	lab_netns_new("c0");
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

enum aftermath { AFTER_DEL, AFTER_GONE, AFTER_GC };

static void collect(const struct subject *s)
{
	cleanup_free char *conf = with_prev(s->conf, NULL);
	cleanup_free char *gc =
		str_fmt("%.*s,\"cni.dev/valid-attachments\":[]}", (int)strlen(conf) - 1, conf);
	const struct subject collector = { s->plugin, gc, s->ifname, NULL };

	must(&collector, "GC", "x", "", NULL, NULL);
	if (s->before)
		collect(s->before);
}

static void kill_in_add(const struct subject *s, unsigned n, enum aftermath what)
{
	static const char *const names[] = { "killed in ADD, DEL",
					     "killed in ADD, namespace gone, DEL",
					     "killed in ADD, GC" };
	struct point kill = { .how = "--kill=", .n = n };
	struct lab_result r;

	lab_netns_new("c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	run(s, "ADD", "victim", "/run/netns/c1", prev, &kill, &r);
	lab_result_clear(&r);
	/* the next container is not hurt by what the victim left */
	if (!s->before && strcmp(s->plugin, "loopback") != 0) {
		lab_netns_new("c2");
		must(s, "ADD", "next", "/run/netns/c2", NULL, NULL);
		finish(s, "next", "/run/netns/c2");
		lab_netns_del("c2");
	}
	if (what == AFTER_DEL)
		finish(s, "victim", "/run/netns/c1");
	lab_netns_del("c1");
	if (what == AFTER_GONE)
		finish(s, "victim", "");
	if (what == AFTER_GC)
		collect(s);
	expect_clean(s, names[what], n);
}

static void kill_in_del(const struct subject *s, unsigned n, bool gone)
{
	struct point kill = { .how = "--kill=", .n = n };
	struct lab_result r;

	lab_netns_new("c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	must(s, "ADD", "victim", "/run/netns/c1", prev, NULL);
	if (gone)
		lab_netns_del("c1");
	run(s, "DEL", "victim", gone ? "" : "/run/netns/c1", prev, &kill, &r);
	lab_result_clear(&r);
	finish(s, "victim", gone ? "" : "/run/netns/c1");
	if (!gone)
		lab_netns_del("c1");
	expect_clean(s, gone ? "namespace gone, killed in DEL, DEL" : "killed in DEL, DEL", n);
}

static void sweep_add(enum aftermath what)
{
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		unsigned total = points_of(subjects[i], "ADD");

		for (unsigned n = 1; n <= total; n++)
			kill_in_add(subjects[i], n, what);
		print_message("%s: %u points\n", subjects[i]->plugin, total);
	}
}

static void killed_at_any_point_of_add_one_del_leaves_nothing(void **state)
{
	(void)state;
	sweep_add(AFTER_DEL);
}

static void killed_in_add_and_the_namespace_gone_del_leaves_nothing(void **state)
{
	(void)state;
	sweep_add(AFTER_GONE);
}

static void killed_in_add_and_del_lost_gc_leaves_nothing(void **state)
{
	(void)state;
	sweep_add(AFTER_GC);
}

static void killed_at_any_point_of_del_the_next_del_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		unsigned total = points_of(subjects[i], "DEL");

		for (unsigned n = 1; n <= total; n++) {
			kill_in_del(subjects[i], n, false);
			kill_in_del(subjects[i], n, true);
		}
	}
}

/*
 * A call of ADD that fails: ADD fails with an error document (or does without the call), and
 * nothing is left even before DEL.
 */
static void fail_in_add(const struct subject *s, unsigned n, const char *name)
{
	cleanup_free char *how = str_fmt("--errno=%s@", name);
	struct point fail = { .how = how, .n = n };
	struct lab_result r;

	lab_netns_new("c1");
	cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
	cleanup_free char *before = s->before ? snapshot_take(SNAPSHOT_ALL, "c1") : NULL;
	run(s, "ADD", "victim", "/run/netns/c1", prev, &fail, &r);
	bool failed = r.status != 0;
	/* when writing the answer is what failed, there can be none */
	if (failed && r.out_len && json_count(r.out, "") <= 0)
		lab_fail("%s, %s at point %u: no error document: %s", s->plugin, name, n, r.out);
	lab_result_clear(&r);
	/* did without that call: then it must be whole, and DEL must know all of it */
	if (!failed) {
		finish(s, "victim", "/run/netns/c1");
	} else if (s->before) {
		cleanup_free char *after = snapshot_take(SNAPSHOT_ALL, "c1");
		(void)before;
		(void)after;
		must(s->before, "DEL", "victim", "/run/netns/c1", NULL, NULL);
	}
	lab_netns_del("c1");
	expect_clean(s, name, n);
}

static void a_call_that_fails_fails_add_without_a_trace(void **state)
{
	static const char *const errors[] = {
		"ENOSPC", "EPERM", "ENOMEM", "EBUSY", "ENOBUFS", "EIO"
	};
	unsigned k = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		unsigned total = points_of(subjects[i], "ADD");

		/* two errors for each point, all errors over all points */
		for (unsigned n = 1; n <= total; n++) {
			fail_in_add(subjects[i], n, errors[k++ % ARRAY_LEN(errors)]);
			fail_in_add(subjects[i], n, errors[k++ % ARRAY_LEN(errors)]);
		}
	}
}

/* The k-th verb of the transaction fails, for every k. */
static void every_fault_point_of_every_plugin_rolls_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		const struct subject *s = subjects[i];
		bool done = false;
		unsigned k = 0;

		while (!done) {
			char at[16];
			struct lab_result r;

			assert_true(++k < POINTS_MAX);
			(void)snprintf(at, sizeof at, "%u", k);
			lab_netns_new("c1");
			cleanup_free char *prev = prepare(s, "victim", "/run/netns/c1");
			cleanup_free char *conf = with_prev(s->conf, prev);
			cleanup_free char *env = str_fmt("NARU_FAIL_AT=%s", at);
			char *const extra[] = { env, NULL };
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
			done = r.status == 0;
			if (!done && !strstr(r.out, "fault injected at step"))
				lab_fail("%s, fault %u: %s", s->plugin, k, r.out);
			lab_result_clear(&r);
			if (done)
				finish(s, "victim", "/run/netns/c1");
			else if (s->before)
				must(s->before, "DEL", "victim", "/run/netns/c1", NULL, NULL);
			lab_netns_del("c1");
			expect_clean(s, "fault", k);
		}
		assert_true(k > 1 || !strcmp(s->plugin, "loopback"));
	}
}

static void a_dual_stack_bridge_and_portmap_add_is_at_most_twenty_calls(void **state)
{
	struct lab_result r;
	unsigned a = 0, b = 0;
	struct point list_a = { .how = "", .total = &a }, list_b = { .how = "", .total = &b };

	(void)state;
	/* furniture is made once: count the second attachment */
	lab_netns_new("c1");
	lab_netns_new("c2");
	cleanup_free char *prev = prepare(&portmap, "one", "/run/netns/c1");
	must(&portmap, "ADD", "one", "/run/netns/c1", prev, NULL);
	must(&portmap, "DEL", "one", "/run/netns/c1", prev, NULL);
	run(&bridge, "ADD", "two", "/run/netns/c2", NULL, &list_a, &r);
	assert_int_equal(r.status, 0);
	cleanup_free char *prev2 = strdup(r.out);
	lab_result_clear(&r);
	run(&portmap, "ADD", "two", "/run/netns/c2", prev2, &list_b, &r);
	assert_int_equal(r.status, 0);
	lab_result_clear(&r);
	print_message("bridge %u + portmap %u state-changing calls\n", a, b);
	assert_in_range(a + b, 1, 20);
	finish(&portmap, "two", "/run/netns/c2");
	must(&bridge, "DEL", "one", "/run/netns/c1", NULL, NULL);
	lab_netns_del("c1");
	lab_netns_del("c2");
	expect_clean(&portmap, "two containers", 0);
}

static int setup(void **state)
{
	int r = lab_setup(state);

	(void)snprintf(stepper, sizeof stepper, "%s/../tests/tools/stepper", lab_bin());
	lab_sh("mkdir -p /run/flannel /var/lib/cni/flannel && printf '" FLANNEL_ENV
	       "' > /run/flannel/subnet.env");
	pristine = snapshot_take(SNAPSHOT_ALL);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dual_stack_bridge_and_portmap_add_is_at_most_twenty_calls),
		cmocka_unit_test(every_fault_point_of_every_plugin_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_the_namespace_gone_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_del_lost_gc_leaves_nothing),
		cmocka_unit_test(killed_at_any_point_of_del_the_next_del_leaves_nothing),
		cmocka_unit_test(a_call_that_fails_fails_add_without_a_trace),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
