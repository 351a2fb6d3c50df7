// SPDX-License-Identifier: GPL-2.0-or-later
/* bandwidth from outside: queues as the reference makes them, and bytes that take their time. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni/bandwidth"
/* the reference's: the first digits of SHA-512 over "net1c1" */
#define IFB "bwpc2d892b58e87"

static const char *prev;

/* A container with an interface, as veth makes it. */
static void attach(void)
{
	prev = ok("veth", "ADD",
		  jsonf("{'cniVersion':'1.0.0','name':'net1','type':'veth','ipam':{'type':"
			"'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
			"[{'subnet':'fd00:1::/64'}]],"
			"'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}}"));
	lab_carrier("c1", "eth0");
	/* what the kernel does a moment after, so that snapshots can be compared */
	lab_sh("for i in $(seq 200); do ip -6 route show table local | grep -q 'fd00:1::1 ' && break;"
	       "sleep 0.01; done");
}

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	attach();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	call_reset_host();
	return 0;
}

static int group_setup(void **state)
{
	(void)lab_setup(state);
	if (lab_try("ip link add ifbtest type ifb && ip link del ifbtest"))
		lab_skip("this kernel has no ifb");
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	return 0;
}

static const char *conf_of(const char *version, const char *keys)
{
	return text_keep(json_with(jsonf("{'cniVersion':'%s','name':'net1','type':'bandwidth'%s}",
					 version, keys),
				   "prevResult", prev));
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys);
}

static const char *with_prev(const char *c, const char *result)
{
	return text_keep(json_with(c, "prevResult", result));
}

#define IN ",'ingressRate':8000000,'ingressBurst':800000"
#define OUT ",'egressRate':4000000,'egressBurst':400000"

/* The queues of the host, with the veth's name folded; the reference hands over twice. */
static const char *queues(void)
{
	char *out = lab_out("tc qdisc show | grep -v noqueue | sed 's/ veth[0-9a-f]*/ vethN/;"
			    "s/ *$//'; for l in $(ls /sys/class/net); do"
			    " tc filter show dev $l parent ffff: 2>/dev/null |"
			    " grep -o 'Egress Redirect to device .*' | grep -v pass; done; true");

	return text_keep(out);
}

#define TBF(dev, refcnt, rate, burst) \
	"qdisc tbf 1: dev " dev " root refcnt " refcnt " rate " rate " burst " burst " lat 25ms"

static void queues_are_made_as_the_reference_makes_them(void **state)
{
	static const struct {
		const char *keys, *queues;
	} t[] = {
		{ IN, TBF("vethN", "2", "8Mbit", "100000b") },
		{ OUT,
		  TBF(IFB, "2", "4Mbit",
		      "50000b") "\n"
				"qdisc ingress ffff: dev vethN parent ffff:fff1 ----------------\n"
				"Egress Redirect to device " IFB ") stolen" },
		{ "", "" },
		{ ",'ingressRate':0,'ingressBurst':0", "" },
		{ ",'runtimeConfig':{'bandwidth':{'ingressRate':8000000,'ingressBurst':800000}}",
		  TBF("vethN", "2", "8Mbit", "100000b") },
		/* what the configuration says beats all that the runtime says */
		{ IN ",'runtimeConfig':{'bandwidth':{'ingressRate':16,'ingressBurst':16,"
		     "'egressRate':16,'egressBurst':16}}",
		  TBF("vethN", "2", "8Mbit", "100000b") },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(t[i].keys), *result = ok("bandwidth", "ADD", c);

		/* tc orders interfaces by number: the veth's came first, and Egress is last */
		const char *found = queues();
		if (strlen(found) != strlen(t[i].queues))
			lab_fail("with %s: expected\n%s\nfound\n%s", t[i].keys, t[i].queues, found);
		ok("bandwidth", "CHECK", with_prev(c, result));
		ok("bandwidth", "DEL", with_prev(c, result));
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
}

static void the_result_gains_the_interface_that_traffic_waits_on(void **state)
{
	(void)state;
	const char *result = ok("bandwidth", "ADD", conf(IN OUT));

	assert_int_equal(json_count(result, "/interfaces"), 3);
	assert_string_equal(at(result, "/interfaces/2/name"), IFB);
	assert_null(json_find(result, "/interfaces/2/sandbox"));
	lab_sh("grep -q %s /sys/class/net/" IFB "/address", at(result, "/interfaces/2/mac"));
	assert_string_equal(at(result, "/ips/0/interface"), "1");
	lab_sh("ip link show " IFB " up | grep -q 'mtu 1500.*qlen 1000'");
	assert_int_equal(json_count(ok("bandwidth", "ADD", conf("")), "/interfaces"), 2);
}

/* ---- bytes */

#define BYTES (256 * 1024)

/* Milliseconds that an exchange of BYTES there and back takes; the server is in the container. */
static long exchange_ms(const char *addr)
{
	struct traffic_server s;
	const bool v6 = strchr(addr, ':');

	traffic_serve(&s, "c1", TRAFFIC_TCP, v6 ? "::" : "0.0.0.0", 80, "one");
	const struct traffic_query q = {
		.proto = TRAFFIC_TCP, .addr = addr, .port = 80, .timeout_ms = 20000, .echo = BYTES
	};
	struct timespec a, b;
	struct traffic_answer answer;

	clock_gettime(CLOCK_MONOTONIC, &a);
	int r = traffic_ask(&q, &answer);
	clock_gettime(CLOCK_MONOTONIC, &b);
	traffic_stop(&s);
	if (r < 0 || answer.echoed != BYTES)
		lab_fail("exchange with %s: %s", addr, strerror(-r));
	return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
}

/*
 * BYTES less the burst take some 150 ms at the rate: a loaded machine can make that longer, never
 * shorter. Without a limit one of a few tries is quicker, however loaded.
 */
#define SLOW_MS 100
#define TRIES 20

static void assert_speed(const char *what, const char *addr, bool slow)
{
	long ms = exchange_ms(addr);

	for (int i = 0; !slow && ms >= SLOW_MS && i < TRIES; i++)
		ms = exchange_ms(addr);
	if (slow != (ms >= SLOW_MS))
		lab_fail("%s, %s: %ld ms", what, addr, ms);
}

static void bytes_pass_at_the_rate_that_was_asked_for(void **state)
{
	static const struct {
		const char *keys;
		bool v4_slow, v6_slow;
	} t[] = {
		{ IN, true, true },
		{ OUT, true, true },
		{ IN OUT ",'shapedSubnets':['10.1.0.1/32']", true, false },
		{ IN ",'shapedSubnets':['fd00:1::1/128','192.0.2.0/24']", false, true },
		{ OUT ",'shapedSubnets':['10.1.0.0/24']", true, false },
		{ IN OUT ",'unshapedSubnets':['10.0.0.0/8']", false, true },
		{ IN OUT ",'unshapedSubnets':['0.0.0.0/0','fd00:1::/64']", false, false },
	};

	(void)state;
	assert_speed("before ADD", "10.1.0.2", false);
	assert_speed("before ADD", "fd00:1::2", false);
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(t[i].keys), *result = ok("bandwidth", "ADD", c);

		assert_speed(t[i].keys, "10.1.0.2", t[i].v4_slow);
		assert_speed(t[i].keys, "fd00:1::2", t[i].v6_slow);
		ok("bandwidth", "CHECK", with_prev(c, result));
		ok("bandwidth", "DEL", with_prev(c, result));
	}
	assert_speed("after DEL", "10.1.0.2", false);
}

static void many_subnets_are_told_apart(void **state)
{
	char list[4000] = "";

	(void)state;
	for (int i = 0; i < 150; i++)
		sprintf(list + strlen(list), "%s'10.%d.0.0/16'", i ? "," : "", i + 2);
	const char *c = conf(textf(IN OUT ",'unshapedSubnets':[%s]", list));
	const char *result = ok("bandwidth", "ADD", c);

	lab_sh("test $(tc filter show dev " IFB " | grep -c 'match 0a') = 150");
	ok("bandwidth", "CHECK", with_prev(c, result));
	ok("bandwidth", "DEL", c);
}

/* ---- with the reference */

static void either_suite_removes_and_checks_what_the_other_made(void **state)
{
	static const char *const suites[][2] = { { REFERENCE, "bandwidth" },
						 { "bandwidth", REFERENCE } };
	const char *c = conf_of("1.0.0", IN OUT);

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	const char *made = NULL;
	for (size_t i = 0; i < LEN(suites); i++) {
		const char *result = ok(suites[i][0], "ADD", c);

		if (made)
			assert_string_equal(made, queues());
		made = queues();
		ok(suites[i][1], "CHECK", with_prev(c, result));
		ok(suites[i][1], "DEL", with_prev(c, result));
		lab_sh("! ip link show " IFB);
		if (i == 0)
			assert_string_equal(queues(), "");
	}
}

/* The reference's name knows no interface: there the second attachment of a container fails. */
static void two_attachments_of_a_container_to_one_network_do_not_meet(void **state)
{
	const char *first = prev, *c;

	(void)state;
	ok("bandwidth", "ADD", conf(OUT));
	lab_sh("ip link add net1 netns c1 type veth peer vb0");
	prev = jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'vb0'},{'name':'extra'},"
		     "{'name':'net1','sandbox':'/run/netns/c1'}]}");
	c = conf(OUT);
	const char *second = ok("bandwidth", "ADD", c, .ifname = "net1");

	assert_string_not_equal(at(second, "/interfaces/3/name"), IFB);
	ok("bandwidth", "CHECK", with_prev(c, second), .ifname = "net1");
	ok("bandwidth", "DEL", with_prev(c, second), .ifname = "net1");
	lab_sh("! ip link show %s && ip link show " IFB, at(second, "/interfaces/3/name"));
	prev = first;
	ok("bandwidth", "CHECK", conf(OUT));
	ok("bandwidth", "ADD", c, .ifname = "net1");
	ok("bandwidth", "DEL", conf(OUT));
	lab_sh("! ip link show " IFB " && ip -br link show type ifb | grep -q bwp");
	ok("bandwidth", "DEL", c, .ifname = "net1");
	lab_sh("! ip -br link show type ifb | grep bwp");
}

/* ---- DEL and GC */

static void every_way_to_delete_leaves_nothing(void **state)
{
	static const struct {
		const char *what, *before, *netns, *keys;
	} ways[] = {
		{ "twice", "true", "c1", IN OUT },
		{ "without limits in the configuration", "true", "c1", "" },
		{ "with other ones", "true", "c1", ",'ingressRate':5" },
		{ "without a namespace", "true", "", IN OUT },
		{ "a vanished namespace", "ip netns del c1", "c1", IN OUT },
		{ "the interface is gone", "ip -n c1 link del eth0", "c1", IN OUT },
		{ "egress queue gone", "ip link del " IFB, "c1", IN OUT },
	};

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		ok("bandwidth", "ADD", conf(IN OUT));
		lab_sh("%s", ways[i].before);
		for (int twice = 0; twice < 2; twice++)
			ok("bandwidth", "DEL",
			   jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bandwidth'%s}",
				 ways[i].keys),
			   .netns = ways[i].netns);
		lab_sh("! ip -br link show type ifb | grep bwp");
		if (i < 3)
			assert_string_equal(queues(), "");
		if (lab_try("test -e /run/netns/c1") == 0)
			lab_netns_del("c1");
		call_reset_host();
		(void)setup(state);
	}
}

static void gc_removes_what_no_valid_attachment_has(void **state)
{
	(void)state;
	ok("bandwidth", "ADD", conf(OUT));
	ok("bandwidth", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bandwidth',"
		 "'cni.dev/valid-attachments':[{'containerID':'c1','ifname':'eth0'}]}"));
	ok("bandwidth", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net2','cni.dev/valid-attachments':[]}"));
	lab_sh("ip link show " IFB);
	lab_netns_del("c1");
	ok("bandwidth", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net1','cni.dev/valid-attachments':[]}"));
	lab_sh("! ip link show " IFB);
}

/* ---- refusals and CHECK */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys;
	} t[] = {
		{ 7, "/ingressRate: if rate is set, burst must also be set", ",'ingressRate':8" },
		{ 7, "/egressRate: if burst is set, rate must also be set", ",'egressBurst':8" },
		{ 7, "burst cannot be more than 4GB",
		  ",'ingressRate':8,'ingressBurst':34359738360" },
		{ 7, "expected at least 8 bits", ",'ingressRate':7,'ingressBurst':80" },
		{ 7, "/egressRate: expected integer", ",'egressRate':-1,'egressBurst':80" },
		{ 7, "/runtimeConfig/bandwidth/egressRate: expected integer",
		  ",'runtimeConfig':{'bandwidth':{'egressRate':'1'}}" },
		{ 7, "unshapedSubnets and shapedSubnets cannot be both specified",
		  IN ",'shapedSubnets':['10.0.0.0/8'],'unshapedSubnets':['10.0.0.0/8']" },
		{ 7, "/shapedSubnets: bad subnet \\\"10.0.0.1\\\" provided",
		  IN ",'shapedSubnets':['10.0.0.1']" },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		fails(t[i].code, t[i].words, "bandwidth", "ADD", conf(t[i].keys));
		assert_untouched(before, SNAP, "c1");
	}
	fails(999, "no interfaces provided", "bandwidth", "ADD",
	      with_prev(conf(IN), jsonf("{'cniVersion':'1.1.0'}")));
	fails(999, "no veth peer of container interface found in host ns: prevResult does not tell",
	      "bandwidth", "ADD",
	      with_prev(conf(IN), jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'veth0'}]}")));
	fails(999, "container interface lo has no veth peer", "bandwidth", "ADD", conf(IN),
	      .ifname = "lo");
	fails(999, "container interface eth5 has no veth peer", "bandwidth", "ADD", conf(IN),
	      .ifname = "eth5");
	/* the reference dies of this one */
	fails(7, "must be called as chained plugin", "bandwidth", "ADD",
	      jsonf("{'cniVersion':'1.1.0','name':'net1'}"));
	lab_sh("ip -n c1 link add eth1 type veth peer name eth2");
	fails(999, "veth peer with index", "bandwidth", "ADD", conf(IN), .ifname = "eth1");
	lab_sh("ip -n c1 link del eth1");
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void a_second_add_is_refused_and_the_first_stays(void **state)
{
	(void)state;
	ok("bandwidth", "ADD", conf(IN OUT));
	char *before = snapshot_take(SNAP, "c1");

	fails(100, "limit the rate on veth", "bandwidth", "ADD", conf(IN));
	fails(100, "is limited already (" IFB ")", "bandwidth", "ADD", conf(OUT));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void check_is_quiet_on_what_add_made_and_notices_tampering(void **state)
{
#define SUBNETS ",'unshapedSubnets':['10.0.0.0/8','fd00::/8']"
	static const struct {
		const char *keys, *tamper, *words;
	} t[] = {
		{ IN, "tc qdisc del dev @veth root",
		  "Failed to find qdisc: expected tbf on @veth" },
		{ IN,
		  "tc qdisc change dev @veth root handle 1: tbf rate 9mbit burst 100kb latency 25ms",
		  "Rate doesn't match on @veth: expected 1000000 bytes per second, found 1125000" },
		{ IN,
		  "tc qdisc change dev @veth root handle 1: tbf rate 8mbit burst 50000b limit 125000",
		  "Buffer doesn't match" },
		{ IN,
		  "tc qdisc change dev @veth root handle 1: tbf rate 8mbit burst 100000b limit 9000",
		  "Limit doesn't match" },
		{ OUT, "ip link del " IFB, "get ifb device" },
		{ OUT, "ip link set " IFB " down", "interface " IFB ": expected up" },
		{ OUT, "tc qdisc del dev " IFB " root", "expected tbf on " IFB ", found none" },
		{ OUT, "tc qdisc del dev @veth ingress", "expected its traffic handed to " IFB },
		{ IN SUBNETS, "tc filter del dev @veth pref 17", "expected 2 subnets, found 1" },
		{ IN SUBNETS, "tc class change dev @veth classid 1:30 htb rate 1mbit",
		  "Rate doesn't" },
		{ IN SUBNETS,
		  "tc qdisc del dev @veth root; tc qdisc add dev @veth root handle 1: tbf rate 8mbit burst 100000b "
		  "latency 25ms",
		  "Failed to find qdisc: expected htb on @veth, found tbf" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(t[i].keys);
		const char *checked = with_prev(c, ok("bandwidth", "ADD", c));
		const char *veth = at(prev, "/interfaces/0/name");

		ok("bandwidth", "CHECK", checked);
		lab_sh("%s", text_replaced(t[i].tamper, "@veth", veth));
		fails(102, text_replaced(t[i].words, "@veth", veth), "bandwidth", "CHECK", checked);
		ok("bandwidth", "DEL", c);
		assert_string_equal(queues(), "");
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(queues_are_made_as_the_reference_makes_them),
		T(the_result_gains_the_interface_that_traffic_waits_on),
		T(bytes_pass_at_the_rate_that_was_asked_for),
		T(many_subnets_are_told_apart),
		T(either_suite_removes_and_checks_what_the_other_made),
		T(two_attachments_of_a_container_to_one_network_do_not_meet),
		T(every_way_to_delete_leaves_nothing),
		T(gc_removes_what_no_valid_attachment_has),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(a_second_add_is_refused_and_the_first_stays),
		T(check_is_quiet_on_what_add_made_and_notices_tampering),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
