// SPDX-License-Identifier: GPL-2.0-or-later
/* sbr from outside: rules and tables, and that packets take the way their source asks for. */
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

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni/sbr"

static char pristine_rules[400];

/* A container with a management interface and net1, as plugins before sbr leave them. */
static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_sh("ip link add eth0 netns c1 type veth peer vb0;"
	       "ip link add net1 netns c1 type veth peer vb1;"
	       "ip link set vb0 up; ip link set vb1 up;"
	       "ip addr add 10.0.0.1/24 dev vb0; ip addr add 10.1.0.1/24 dev vb1;"
	       "ip addr add fd00:1::1/64 dev vb1 nodad");
	lab_sh_in(
		"c1",
		"ip link set lo up; ip link set eth0 up; ip link set net1 up;"
		"ip addr add 10.0.0.2/24 dev eth0; ip addr add 10.1.0.2/24 dev net1;"
		"ip addr add fd00:1::2/64 dev net1 nodad;"
		"ip route add default via 10.0.0.1; ip route add 192.0.2.0/24 via 10.1.0.1 dev net1;"
		"ip route add 198.18.0.0/15 dev net1; ip -6 route add 2001:db8::/32 via fd00:1::1");
	lab_carrier("c1", "net1");
	lab_carrier("c1", "eth0");
	char *rules = lab_out_in("c1", "ip rule; ip -6 rule");

	snprintf(pristine_rules, sizeof pristine_rules, "%s", rules);
	free(rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	call_reset_host();
	lab_sh("for l in vb0 vb1; do ip link del $l 2>/dev/null; done; true");
	return 0;
}

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	return 0;
}

#define V4 "{'address':'10.1.0.2/24','gateway':'10.1.0.1','interface':0}"
#define V6 "{'address':'fd00:1::2/64','gateway':'fd00:1::1','interface':0}"

static const char *conf_of(const char *version, const char *keys, const char *ips)
{
	return jsonf(
		"{'cniVersion':'%s','name':'net1','type':'sbr'%s,'prevResult':{'cniVersion':'%s',"
		"'interfaces':[{'name':'net1','sandbox':'/run/netns/c1'},{'name':'eth0',"
		"'sandbox':'/run/netns/c1'}],'ips':[%s]}}",
		version, keys, version, ips);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys, V4 "," V6);
}

#define sbr(verb, c) ok("sbr", verb, c, .ifname = "net1")

static void assert_out(char *got, const char *expected)
{
	assert_string_equal(got, expected);
	free(got);
}

#define ROUTES(args) \
	"ip " args " | grep -v 'fe80\\|^ff00\\|^multicast' | sed 's/ *$//; s/ pref medium//'"

static void each_address_has_a_rule_and_a_table_with_the_interfaces_routes(void **state)
{
	(void)state;
	const char *c = conf(""), *result = sbr("ADD", c);

	assert_out(lab_out_in("c1", "ip rule | grep -v local"),
		   "32765:	from 10.1.0.2 lookup 100\n32766:	from all lookup main\n"
		   "32767:	from all lookup default");
	assert_out(lab_out_in("c1", "ip -6 rule | grep -v local"),
		   "32765:	from fd00:1::2 lookup 101\n32766:	from all lookup main");
	assert_out(lab_out_in("c1", ROUTES("route show table 100")),
		   "default via 10.1.0.1 dev net1\n"
		   "10.1.0.0/24 dev net1 proto kernel scope link src 10.1.0.2\n"
		   "192.0.2.0/24 via 10.1.0.1 dev net1\n"
		   "198.18.0.0/15 dev net1 scope link");
	assert_out(lab_out_in("c1", ROUTES("-6 route show table 101")),
		   "2001:db8::/32 via fd00:1::1 dev net1 metric 1024\n"
		   "fd00:1::/64 dev net1 proto kernel metric 256\n"
		   "default via fd00:1::1 dev net1 metric 1024");
	assert_out(lab_out_in("c1", ROUTES("route")),
		   "default via 10.0.0.1 dev eth0\n"
		   "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2");
	assert_out(lab_out_in("c1", ROUTES("-6 route") "; true"), "");
	/* neighbours can still be spoken to */
	lab_sh_in("c1", "ip -6 route | grep -q 'fe80::/64 dev net1'");
	assert_string_equal(at(result, "/ips/0/address"), "10.1.0.2/24");
	sbr("CHECK", c);
	sbr("DEL", c);
	assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
	lab_sh_in("c1", "test -z \"$(ip route show table 100; ip -6 route show table 101)\"");
}

static void packets_take_the_way_their_source_asks_for(void **state)
{
	struct traffic_answer a;
	const struct traffic_query from[] = {
		{ .netns = "c1", .addr = "203.0.113.9", .port = 80, .src_addr = "10.0.0.2" },
		{ .netns = "c1", .addr = "203.0.113.9", .port = 80, .src_addr = "10.1.0.2" },
	};
	struct traffic_server s;

	(void)state;
	/* the host is behind both interfaces, but answers only what came in by the right one */
	lab_sh("ip addr add 203.0.113.9/32 dev lo; ip link set lo up;"
	       "for l in all vb0 vb1; do echo 1 > /proc/sys/net/ipv4/conf/$l/rp_filter; done");
	traffic_serve(&s, NULL, TRAFFIC_TCP, "0.0.0.0", 80, "host");
	assert_int_equal(traffic_ask(&from[0], &a), 0);
	assert_int_not_equal(traffic_ask(&from[1], &a), 0);
	sbr("ADD", conf(""));
	assert_int_equal(traffic_ask(&from[0], &a), 0);
	assert_int_equal(traffic_ask(&from[1], &a), 0);
	assert_string_equal(a.peer, "10.1.0.2");
	traffic_stop(&s);
	lab_sh("ip addr del 203.0.113.9/32 dev lo;"
	       "for l in all vb0 vb1; do echo 0 > /proc/sys/net/ipv4/conf/$l/rp_filter; done");
}

static void tables_that_somebody_uses_are_passed_over(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip route add blackhole 203.0.113.0/24 table 100;"
			"ip -6 rule add from fd00:9::9 table 101; ip rule add fwmark 1 table 103");
	sbr("ADD", conf_of("1.1.0", "", V4 "," V6));
	lab_sh_in("c1", "ip rule | grep -q 'from 10.1.0.2 lookup 102' &&"
			"ip -6 rule | grep -q 'from fd00:1::2 lookup 104'");
	sbr("DEL", conf(""));
	lab_sh_in("c1", "ip route show table 100 | grep -q blackhole && ip rule | grep -q fwmark &&"
			"ip -6 rule | grep -q 'fd00:9::9 lookup 101'");
}

static void two_addresses_of_a_subnet_and_of_another_have_their_own_tables(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip addr add 10.1.0.3/24 dev net1; ip addr add 10.2.0.2/24 dev net1;"
			"ip route add 203.0.113.0/24 via 10.2.0.1 dev net1");
	const char *c = conf_of("1.1.0", "",
				V4 ",{'address':'10.1.0.3/24','interface':0},"
				   "{'address':'10.2.0.2/24','gateway':'10.2.0.1','interface':0},"
				   "{'address':'10.0.0.2/24','gateway':'10.0.0.1','interface':1}");

	sbr("ADD", c);
	lab_sh_in("c1",
		  "ip rule | grep -q 'from 10.1.0.3 lookup 101' &&"
		  "ip rule | grep -q 'from 10.2.0.2 lookup 102' && ! ip rule | grep 10.0.0.2");
	lab_sh_in("c1", "ip route show table 101 | grep -q 192.0.2.0/24 &&"
			"! ip route show table 101 | grep 'default\\|203.0.113' &&"
			"ip route show table 102 | grep -q 203.0.113.0/24 &&"
			"! ip route show table 102 | grep 192.0.2.0/24 &&"
			"ip route show table 102 | grep -q 'default via 10.2.0.1' &&"
			"ip route show table 102 | grep -q 198.18.0.0/15");
	sbr("CHECK", c);
	sbr("DEL", c);
	assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
}

static void a_gateway_outside_every_subnet_does_not_get_lost(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip -6 route add default via fe80::1 dev net1 metric 5;"
			"ip route add 203.0.113.0/24 via 172.16.0.1 dev net1 onlink");
	sbr("ADD", conf(""));
	lab_sh_in("c1",
		  "ip -6 route show table 101 | grep -q 'default via fe80::1 dev net1 metric 5' &&"
		  "ip route show table 100 | grep -q '203.0.113.0/24 via 172.16.0.1.*onlink'");
}

static void a_table_of_its_own_gets_rules_only(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip route add 203.0.113.0/24 dev net1 table 5001");
	char *before = lab_out_in("c1", "ip route show table all; ip -6 route show table all");
	const char *c = conf(",'table':5001");

	sbr("ADD", c);
	lab_sh_in("c1", "ip rule | grep -q 'from 10.1.0.2 lookup 5001' &&"
			"ip -6 rule | grep -q 'from fd00:1::2 lookup 5001'");
	sbr("CHECK", c);
	sbr("DEL", c);
	assert_out(lab_out_in("c1", "ip route show table all; ip -6 route show table all"), before);
	assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
	free(before);
}

static void gateways_may_be_given_and_override(void **state)
{
	(void)state;
	const char *c = conf_of("1.1.0", ",'gateways':['10.1.0.9','fd00:1::9']",
				V4 ",{'address':'fd00:1::2/64','interface':0}");

	sbr("ADD", c);
	lab_sh_in("c1", "ip route show table 100 | grep -q 'default via 10.1.0.9' &&"
			"ip -6 route show table 101 | grep -q 'default via fd00:1::9'");
	sbr("CHECK", c);
	sbr("DEL", c);
}

static void with_source_hints_the_main_table_keeps_the_routes(void **state)
{
	(void)state;
	const char *c = conf(",'addSourceHints':true");

	sbr("ADD", c);
	assert_out(lab_out_in("c1", ROUTES("route show dev net1")),
		   "10.1.0.0/24 proto kernel scope link src 10.1.0.2\n"
		   "192.0.2.0/24 via 10.1.0.1 src 10.1.0.2\n"
		   "198.18.0.0/15 scope link src 10.1.0.2");
	lab_sh_in("c1",
		  "ip -6 route | grep -q '2001:db8::/32 via fd00:1::1 dev net1 src fd00:1::2'");
	lab_sh_in("c1", "ip route get 192.0.2.7 | grep -q 'dev net1 src 10.1.0.2' &&"
			"ip route show table 100 | grep -q 192.0.2.0/24");
	sbr("CHECK", c);
	sbr("DEL", c);
	assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
}

/* ---- DEL */

/* The reference's DEL fails in most of these, and makes a file where the namespace was. */
static void every_way_to_delete_leaves_no_rules(void **state)
{
	static const struct {
		const char *what, *before, *netns;
		bool prev;
	} ways[] = {
		{ "without prevResult", "true", "c1", false },
		{ "with it", "true", "c1", true },
		{ "the interface is gone, prevResult tells", "ip -n c1 link del net1", "c1", true },
		{ "the interface is gone", "ip -n c1 link del net1", "c1", false },
		{ "its addresses are gone", "ip -n c1 addr flush dev net1", "c1", true },
		{ "before ADD",
		  "ip -n c1 rule del from 10.1.0.2; ip -n c1 -6 rule del from fd00:1::2", "c1",
		  true },
		{ "no namespace", "true", "", true },
		{ "a vanished one", "true", "gone", true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		sbr("ADD", conf(""));
		lab_sh("%s", ways[i].before);
		for (int twice = 0; twice < 2; twice++)
			ok("sbr", "DEL",
			   ways[i].prev ?
				   conf("") :
				   jsonf("{'cniVersion':'1.1.0','name':'net1','type':'sbr'}"),
			   .ifname = "net1", .netns = ways[i].netns);
		lab_sh("test ! -e /run/netns/gone");
		if (!strcmp(ways[i].netns, "c1"))
			assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
		teardown(state);
		setup(state);
	}
}

static void del_leaves_the_rules_of_others(void **state)
{
	(void)state;
	sbr("ADD", conf(""));
	ok("sbr", "ADD",
	   conf_of("1.1.0", "", "{'address':'10.0.0.2/24','gateway':'10.0.0.1','interface':1}"),
	   .ifname = "eth0");
	lab_sh_in("c1",
		  "ip rule add from 10.1.0.0/24 table 200; ip rule add from 172.16.0.1 table 201");
	sbr("DEL", conf(""));
	lab_sh_in("c1",
		  "ip rule | grep -q 'from 10.0.0.2 lookup' && ip rule | grep -q 10.1.0.0/24 &&"
		  "ip rule | grep -q 172.16.0.1 && ! ip rule | grep 10.1.0.2");
}

static void either_suite_removes_what_the_other_made(void **state)
{
	static const char *const suites[][2] = { { REFERENCE, "sbr" }, { "sbr", REFERENCE } };
	const char *c = conf_of("1.0.0", "", V4 "," V6);
	char *v4 = NULL;

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	for (size_t i = 0; i < LEN(suites); i++) {
		struct lab_result r;
		const struct call call = {
			.plugin = suites[i][0], .verb = "ADD", .conf = c, .ifname = "net1"
		};

		call_run(&call, &r); /* the reference logs on stderr */
		assert_int_equal(r.status, 0);
		lab_result_clear(&r);
		char *made = lab_out_in("c1", "ip rule; ip route show table 100; ip -6 rule");
		if (v4)
			assert_string_equal(made, v4);
		free(v4);
		v4 = made;
		if (i == 0)
			sbr("CHECK", c);
		lab_sh("echo '%s' | CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_IFNAME=net1 CNI_ARGS= "
		       "CNI_NETNS=/run/netns/c1 CNI_PATH=/x %s 2>/dev/null",
		       c, i ? REFERENCE : textf("%s/sbr", lab_bin()));
		assert_out(lab_out_in("c1", "ip rule; ip -6 rule"), pristine_rules);
		teardown(state);
		setup(state);
	}
	free(v4);
}

/* ---- refusals and CHECK */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys, *ips;
	} t[] = {
		{ 999, "No IP addresses supplied on interface: net1", "", "" },
		{ 999, "No IP addresses supplied on interface: net1", "",
		  "{'address':'10.0.0.2/24','interface':1}" },
		{ 7, "/table: expected a routing table", ",'table':0", V4 },
		{ 7, "/table: expected integer", ",'table':'x'", V4 },
		{ 7, "sbr adds rules only", ",'table':5,'gateways':['10.1.0.1']", V4 },
		{ 7, "/gateways: expected IP addresses", ",'gateways':['x']", V4 },
		{ 7, "expected at most one of each family", ",'gateways':['10.1.0.1','10.1.0.2']",
		  V4 },
		{ 999, "add route 0.0.0.0/0 via 172.16.0.1", ",'gateways':['172.16.0.1']",
		  V4 "," V6 },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		fails(t[i].code, t[i].words, "sbr", "ADD", conf_of("1.1.0", t[i].keys, t[i].ips),
		      .ifname = "net1");
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
	fails(7, "must be called as chained plugin", "sbr", "ADD",
	      jsonf("{'cniVersion':'1.1.0','name':'n'}"), .ifname = "net1");
	lab_sh_in("c1", "ip link del net1");
	fails(999, "Cannot find network interface net1", "sbr", "ADD", conf(""), .ifname = "net1");
}

static void a_lock_that_somebody_holds_is_waited_for(void **state)
{
	(void)state;
	/* on the namespace's file, as the reference has it */
	lab_sh("flock /run/netns/c1 sleep 0.4 & sleep 0.1");
	sbr("ADD", conf(""));
	lab_sh_in("c1", "ip rule | grep -q 10.1.0.2");
}

static void check_is_quiet_on_what_add_made_and_notices_tampering(void **state)
{
	static const struct {
		const char *tamper, *words;
	} t[] = {
		{ "ip rule del from 10.1.0.2", "rule from 10.1.0.2: expected one, found none" },
		{ "ip -6 rule del from fd00:1::2", "rule from fd00:1::2" },
		{ "ip route del default table 100",
		  "table 100: expected a default route by 10.1.0.1" },
		{ "ip -6 route flush table 101",
		  "table 101: expected a default route by fd00:1::1" },
		{ "ip route add 192.0.2.0/24 dev net1", "main table: expected no routes of net1" },
		{ "ip link del net1", "Cannot find network interface net1" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf("");

		sbr("ADD", c);
		sbr("CHECK", c);
		lab_sh_in("c1", "%s", t[i].tamper);
		fails(102, t[i].words, "sbr", "CHECK", c, .ifname = "net1");
		teardown(state);
		setup(state);
	}
}

/* With the reference, CHECK of the interface plugin misses the routes that sbr moved. */
static void check_of_the_whole_chain_is_quiet(void **state)
{
	static const char *const first[] = {
		"{'type':'veth',%s}",
		"{'type':'bridge','bridge':'br0','isGateway':true,%s}",
	};

	(void)state;
	for (size_t i = 0; i < LEN(first); i++) {
		const char *ipam =
			"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.3.0.0/24'}],"
			"[{'subnet':'fd00:3::/64'}]],'routes':[{'dst':'192.0.2.0/24'},{'dst':'::/0'}]}";
		const char *const plugins[] = { jsonf("%s", text_replaced(first[i], "%s", ipam)),
						jsonf("{'type':'sbr'}"), NULL };
		struct lab_chain c = {
			.plugins = plugins, .cid = "c2", .netns = "/run/netns/c2", .ifname = "net1"
		};

		lab_netns_new("c2");
		if (lab_chain_add(&c) || lab_chain_check(&c))
			lab_fail("%s", c.last.out);
		lab_sh_in("c2", "ip route show table 100 | grep -q 192.0.2.0/24");
		lab_sh_in("c2", "ip rule del table 100");
		assert_int_not_equal(lab_chain_check(&c), 0);
		assert_int_equal(lab_chain_del(&c), 0);
		lab_chain_clear(&c);
		lab_netns_del("c2");
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_address_has_a_rule_and_a_table_with_the_interfaces_routes),
		T(packets_take_the_way_their_source_asks_for),
		T(tables_that_somebody_uses_are_passed_over),
		T(two_addresses_of_a_subnet_and_of_another_have_their_own_tables),
		T(a_gateway_outside_every_subnet_does_not_get_lost),
		T(a_table_of_its_own_gets_rules_only),
		T(gateways_may_be_given_and_override),
		T(with_source_hints_the_main_table_keeps_the_routes),
		T(every_way_to_delete_leaves_no_rules),
		T(del_leaves_the_rules_of_others),
		T(either_suite_removes_what_the_other_made),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(a_lock_that_somebody_holds_is_waited_for),
		T(check_of_the_whole_chain_is_quiet),
		T(check_is_quiet_on_what_add_made_and_notices_tampering),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
