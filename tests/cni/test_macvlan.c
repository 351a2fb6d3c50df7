// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * macvlan from outside: what its keys do, and that bytes pass. What it shares with ipvlan, vlan and
 * dummy is in test_child.c.
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

/* The host's eth0 leads to a machine "lan". */
static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	lab_netns_new("lan");
	lab_sh("ip link add eth0 type veth peer lan0 netns lan && ip link set eth0 up && "
	       "ip addr add 10.9.0.100/24 dev eth0 && ip route add default via 10.9.0.1");
	lab_sh_in("lan", "ip link set lan0 up && ip addr add 10.9.0.1/24 dev lan0 && "
			 "ip addr add fd09::1/64 dev lan0 nodad");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	lab_sh("ip link del eth0");
	lab_netns_del("lan");
	call_reset_host();
	return 0;
}

static const char *conf_of(const char *version, const char *keys, const char *ranges)
{
	return jsonf("{'cniVersion':'%s','name':'net1','type':'macvlan',%s'ipam':{'type':"
		     "'host-local','ranges':[%s],'routes':[{'dst':'0.0.0.0/0'}]}}",
		     version, keys, ranges);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys, "[{'subnet':'10.9.0.0/24'}]");
}

static const struct {
	const char *keys, *shown;
} keys[] = {
	{ "", "macvlan mode bridge" },
	{ "'mode':'bridge',", "macvlan mode bridge" },
	{ "'mode':'',", "macvlan mode bridge" },
	{ "'mode':'private',", "macvlan mode private" },
	{ "'mode':'vepa',", "macvlan mode vepa" },
	{ "'mode':'passthru',", "macvlan mode passthru" },
	{ "'master':'eth0',", "eth0@if" },
	{ "'mtu':1300,", "mtu 1300" },
	{ "'mtu':0,", "mtu 1500" },
	{ "'mac':'02:00:00:00:00:42',", "link/ether 02:00:00:00:00:42" },
	{ "'mac':'02:00:00:00:00:42','runtimeConfig':{'mac':'02:00:00:00:00:43'},",
	  "link/ether 02:00:00:00:00:43" },
	{ "'args':{'cni':{'mac':'02:00:00:00:00:44'}},", "link/ether 02:00:00:00:00:44" },
	{ "'bcqueuelen':2000,", "bcqueuelen 2000" },
};

static void every_key_does_what_the_reference_documents(void **state)
{
	(void)state;
	lab_needs("macvlan");
	for (size_t i = 0; i < LEN(keys); i++) {
		const char *c = conf(keys[i].keys);
		const char *result = ok("macvlan", "ADD", c);

		if (lab_try_in("c1", "ip -d link show eth0 up | grep -q '%s'", keys[i].shown))
			lab_fail("%s: expected \"%s\"", keys[i].keys, keys[i].shown);
		c = text_keep(json_with(c, "prevResult", result));
		ok("macvlan", "CHECK", c);
		ok("macvlan", "DEL", c);
	}
	ok("macvlan", "ADD", conf(""), .args = "IgnoreUnknown=1;MAC=02:00:00:00:00:45");
	lab_sh_in("c1", "ip link show eth0 | grep -q 02:00:00:00:00:45");
	lab_sh_in("c1", "grep -q 1 /proc/sys/net/ipv4/conf/eth0/arp_notify && "
			"grep -q 1 /proc/sys/net/ipv6/conf/eth0/ndisc_notify");
	ok("macvlan", "DEL", conf(""));
}

static void bytes_pass_to_the_masters_network_and_between_containers(void **state)
{
	static const struct {
		const char *from, *to, *peer;
	} t[] = {
		{ "c1", "10.9.0.1", "10.9.0.2" },
		{ "c1", "fd09::1", "fd09::2" },
		{ "c2", "10.9.0.2", "10.9.0.3" },
		{ "lan", "fd09::3", "fd09::1" },
	};
	static const char *const all[] = { "0.0.0.0", "::" }, *const where[] = { "c1", "c2",
										 "lan" };
	const char *c = conf_of("1.1.0", "", "[{'subnet':'10.9.0.0/24'}],[{'subnet':'fd09::/64'}]");
	struct traffic_server s[6];
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	lab_needs("macvlan");
	ok("macvlan", "ADD", c);
	ok("macvlan", "ADD", c, .cid = "c2", .netns = "c2");
	for (size_t i = 0; i < LEN(s); i++)
		traffic_serve(&s[i], where[i / 2], TRAFFIC_TCP, all[i % 2], 80, where[i / 2]);
	for (size_t i = 0; i < LEN(t); i++) {
		assert_int_equal(tcp_fetch(t[i].from, t[i].to, 80, 5000, peer), 0);
		assert_string_equal(peer, t[i].peer);
	}
	/* the host itself is not reached through its own interface: that is what macvlan is */
	assert_int_not_equal(tcp_fetch(NULL, "10.9.0.2", 80, 300, NULL), 0);
	for (size_t i = 0; i < LEN(s); i++)
		traffic_stop(&s[i]);
}

/* Without carrier nobody can be asked for duplicates: ADD does not wait for that. */
static void a_master_without_carrier_is_no_reason_to_wait(void **state)
{
	const char *c = conf_of("1.1.0", "", "[{'subnet':'fd09::/64'}]");

	(void)state;
	lab_needs("macvlan");
	lab_sh_in("lan", "ip link set lan0 down");
	ok("macvlan", "ADD", c);
	lab_sh_in("c1", "ip -6 addr show eth0 | grep -q 'fd09::2/64.*tentative'");
	ok("macvlan", "DEL", c);
}

static void private_containers_do_not_reach_each_other(void **state)
{
	struct traffic_server s[2];

	(void)state;
	lab_needs("macvlan");
	ok("macvlan", "ADD", conf("'mode':'private',"));
	ok("macvlan", "ADD", conf("'mode':'private',"), .cid = "c2", .netns = "c2");
	traffic_serve(&s[0], "c2", TRAFFIC_TCP, "0.0.0.0", 80, "two");
	traffic_serve(&s[1], "lan", TRAFFIC_TCP, "0.0.0.0", 80, "lan");
	assert_int_equal(tcp_fetch("c1", "10.9.0.1", 80, 5000, NULL), 0);
	assert_int_not_equal(tcp_fetch("c1", "10.9.0.3", 80, 300, NULL), 0);
	traffic_stop(&s[0]);
	traffic_stop(&s[1]);
}

static void the_master_may_be_an_interface_of_the_container(void **state)
{
	const char *c = conf("'master':'veth7','linkInContainer':true,");
	const char *first = conf("'linkInContainer':true,");

	(void)state;
	lab_needs("macvlan");
	fails(7,
	      "failed to lookup master \\\"veth7\\\": no such interface in the container namespace",
	      "macvlan", "ADD", c);
	fails(999, "no default route interface found in the container namespace", "macvlan", "ADD",
	      first);
	lab_sh_in("c1", "ip link add veth7 type veth peer veth8 && ip link set veth7 up");
	char *before = snapshot_take(SNAPSHOT_NET, "c1");
	const char *result = ok("macvlan", "ADD", c);

	lab_sh_in("c1", "ip link show eth0 | grep -q eth0@veth7");
	ok("macvlan", "CHECK", text_keep(json_with(c, "prevResult", result)));
	fails(102, "expected on master eth0", "macvlan", "CHECK",
	      text_keep(json_with(conf("'master':'eth0',"), "prevResult", result)));
	ok("macvlan", "DEL", c);
	assert_untouched(before, SNAPSHOT_NET, "c1");
	free(before);
}

static void without_ipam_it_is_only_set_up(void **state)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'net1','type':'macvlan'}");

	(void)state;
	lab_needs("macvlan");
	const char *result = ok("macvlan", "ADD", c);

	assert_int_equal(json_count(result, "/ips"), -1);
	lab_sh_in("c1",
		  "ip link show eth0 up | grep -q eth0 && test -z \"$(ip -4 addr show eth0)\"");
	c = text_keep(json_with(c, "prevResult", result));
	ok("macvlan", "CHECK", c);
	ok("macvlan", "DEL", c);
}

static void the_result_and_its_dns_are_the_references(void **state)
{
	const char *resolv =
		text_replaced(conf_of("1.0.0", "", "[{'subnet':'10.9.0.0/24'}]"),
			      "\"type\":\"host-local\",",
			      "\"type\":\"host-local\",\"resolvConf\":\"/run/resolv\",");

	(void)state;
	lab_needs("macvlan");
	lab_sh("echo nameserver 192.0.2.53 > /run/resolv");
	/* without "dns" in the configuration IPAM's is dropped, too */
	assert_string_equal(
		text_folded(ok("macvlan", "ADD", resolv)),
		jsonf("{\n    'cniVersion': '1.0.0',\n    'interfaces': [\n        {\n"
		      "            'mac': 'MAC',\n            'name': 'eth0',\n"
		      "            'sandbox': '/run/netns/c1'\n        }\n    ],\n    'ips': [\n"
		      "        {\n            'address': '10.9.0.2/24',\n"
		      "            'gateway': '10.9.0.1',\n            'interface': 0\n        }\n"
		      "    ],\n    'routes': [\n        {\n            'dst': '0.0.0.0/0'\n        }\n"
		      "    ]\n}"));
	ok("macvlan", "DEL", resolv);
	const char *result =
		ok("macvlan", "ADD", conf("'dns':{'nameservers':['192.0.2.1'],'search':['a']},"));

	assert_string_equal(at(result, "/dns/nameservers/0"), "192.0.2.1");
	lab_sh("rm /run/resolv");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_key_does_what_the_reference_documents),
		TEST(bytes_pass_to_the_masters_network_and_between_containers),
		TEST(a_master_without_carrier_is_no_reason_to_wait),
		TEST(private_containers_do_not_reach_each_other),
		TEST(the_master_may_be_an_interface_of_the_container),
		TEST(without_ipam_it_is_only_set_up),
		TEST(the_result_and_its_dns_are_the_references),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
