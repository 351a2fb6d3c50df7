// SPDX-License-Identifier: GPL-2.0-or-later
/* veth, which is ptp too, from outside: a pair routed by the host, as the reference routes it. */
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

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

/* A link-local address that is still being checked for duplicates cannot ask for neighbours. */
static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	return 0;
}

static const char *conf_of(const char *version, const char *keys)
{
	return jsonf("{'cniVersion':'%s','name':'net1','type':'veth',%s'ipam':{'type':'host-local',"
		     "'ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]],"
		     "'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}}",
		     version, keys);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys);
}

static const char *with_prev(const char *result)
{
	return text_keep(json_with(conf(""), "prevResult", result));
}

static void assert_out(char *got, const char *expected)
{
	assert_string_equal(got, expected);
	free(got);
}

static void routes_are_made_as_the_reference_makes_them(void **state)
{
	(void)state;
	const char *veth = at(ok("veth", "ADD", conf("")), "/interfaces/0/name");

	assert_out(lab_out_in("c1", "ip route | sed 's/ *$//'"),
		   "default via 10.1.0.1 dev eth0\n"
		   "10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.2\n"
		   "10.1.0.1 dev eth0 scope link src 10.1.0.2");
	assert_out(lab_out_in("c1", "ip -6 route | grep -v ^fe80 | sed 's/ pref.*//'"),
		   "fd00:1::1 dev eth0 src fd00:1::2 metric 1024\n"
		   "fd00:1::/64 via fd00:1::1 dev eth0 src fd00:1::2 metric 1024\n"
		   "default via fd00:1::1 dev eth0 metric 1024");
	assert_out(lab_out_in("c1", "ip -4 -o addr show eth0 | grep -o '10.1.0.2/24 brd [0-9.]*'"),
		   "10.1.0.2/24 brd 10.1.0.255");
	assert_out(lab_out("ip route | sed 's/ dev %s/ dev V/; s/ *$//'", veth),
		   "10.1.0.2 dev V scope host");
	assert_out(lab_out("ip -6 route | grep -v ^fe80 | sed 's/ dev %s/ dev V/; s/ pref.*//'",
			   veth),
		   "fd00:1::1 dev V proto kernel metric 256\nfd00:1::2 dev V metric 1024");
	assert_out(lab_out("ip -4 -o addr show %s | grep -o '10.1.0.1[^ ]*'", veth), "10.1.0.1/32");
	assert_out(lab_out("ip -6 -o addr show %s | grep -o 'fd00:1::1[^ ]*'", veth),
		   "fd00:1::1/128");
	assert_out(lab_out("cat /proc/sys/net/ipv4/ip_forward"), "1");
	assert_out(lab_out("cat /proc/sys/net/ipv6/conf/all/forwarding"), "1");
	assert_out(lab_out("cat /proc/sys/net/ipv6/conf/%s/accept_ra", veth), "0");
}

static const struct {
	const char *keys, *host, *container;
} keys[] = {
	{ "'mtu':1400,", "ip link show @veth | grep -q 'mtu 1400'",
	  "ip link show eth0 | grep -q 'mtu 1400'" },
	{ "'mac':'02:00:00:00:00:42',", "true", "ip link show eth0 | grep -q 02:00:00:00:00:42" },
	{ "'mac':'02:00:00:00:00:42','runtimeConfig':{'mac':'02:00:00:00:00:43'},", "true",
	  "ip link show eth0 | grep -q 02:00:00:00:00:43" },
	{ "'args':{'cni':{'mac':'02:00:00:00:00:44'}},", "true",
	  "ip link show eth0 | grep -q 02:00:00:00:00:44" },
	{ "'ipMasq':true,", "nft list ruleset | grep -q '10.1.0.2 comment.*net1/c1/eth0'", "true" },
	{ "'ipMasq':false,", "! nft list ruleset | grep -q naru", "true" },
	{ "", "ip link show @veth up | grep -q @veth && test ! -e /sys/class/net/@veth/brport",
	  "ip link show eth0 up | grep -q eth0" },
};

static void every_key_does_what_the_reference_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(keys); i++) {
		const char *veth = at(ok("veth", "ADD", conf(keys[i].keys)), "/interfaces/0/name");

		if (lab_try("%s", text_replaced(keys[i].host, "@veth", veth)) ||
		    lab_try_in("c1", "%s", keys[i].container))
			lab_fail("not so, with %s: %s; %s", keys[i].keys, keys[i].host,
				 keys[i].container);
		ok("veth", "DEL", conf(keys[i].keys));
		call_reset_host();
	}
}

static void the_result_lists_the_hosts_end_then_the_containers(void **state)
{
	(void)state;
	const char *result = ok("ptp", "ADD", conf_of("1.0.0", ""));

	assert_string_equal(
		text_folded(result),
		jsonf("{\n    'cniVersion': '1.0.0',\n    'interfaces': [\n        {\n"
		      "            'mac': 'MAC',\n            'name': 'vethN'\n        },\n"
		      "        {\n            'mac': 'MAC',\n            'name': 'eth0',\n"
		      "            'sandbox': '/run/netns/c1'\n        }\n    ],\n    'ips': [\n"
		      "        {\n            'address': '10.1.0.2/24',\n"
		      "            'gateway': '10.1.0.1',\n            'interface': 1\n        },\n"
		      "        {\n            'address': 'fd00:1::2/64',\n"
		      "            'gateway': 'fd00:1::1',\n            'interface': 1\n        }\n"
		      "    ],\n    'routes': [\n        {\n            'dst': '0.0.0.0/0'\n        },\n"
		      "        {\n            'dst': '::/0'\n        }\n    ]\n}"));
	lab_sh("grep -q %s /sys/class/net/%s/address", at(result, "/interfaces/0/mac"),
	       at(result, "/interfaces/0/name"));
	lab_sh_in("c1", "ip link show eth0 | grep -q %s", at(result, "/interfaces/1/mac"));
}

static void dns_is_kept_overridden_or_emptied(void **state)
{
	static const struct {
		const char *keys, *dns;
	} t[] = {
		{ "", "192.0.2.53" },
		{ "'dns':{'nameservers':['192.0.2.1']},", "192.0.2.1" },
		{ "'dns':{'nameservers':[]},", NULL },
	};

	(void)state;
	lab_sh("echo nameserver 192.0.2.53 > /run/resolv.test");
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = text_replaced(conf(t[i].keys), "\"type\":\"host-local\",",
					      "\"type\":\"host-local\",\"resolvConf\":"
					      "\"/run/resolv.test\",");
		const char *result = ok("veth", "ADD", c);

		if (t[i].dns)
			assert_string_equal(at(result, "/dns/nameservers/0"), t[i].dns);
		else
			assert_null(strstr(result, "dns"));
		ok("veth", "DEL", c);
	}
	lab_sh("rm /run/resolv.test");
}

static void bytes_pass_between_host_container_and_container(void **state)
{
	static const struct {
		const char *from, *to, *peer;
	} t[] = {
		{ "c1", "10.1.0.3", "10.1.0.2" },
		{ "c1", "fd00:1::3", "fd00:1::2" },
		{ NULL, "10.1.0.3", NULL },
		{ NULL, "fd00:1::3", NULL },
	};
	struct traffic_server s[4];
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	ok("veth", "ADD", conf(""));
	ok("veth", "ADD", conf(""), .cid = "c2", .netns = "c2");
	lab_carrier("c1", "eth0");
	lab_carrier("c2", "eth0");
	traffic_serve(&s[0], "c2", TRAFFIC_TCP, "0.0.0.0", 80, "two");
	traffic_serve(&s[1], "c2", TRAFFIC_TCP, "::", 80, "two");
	traffic_serve(&s[2], "c2", TRAFFIC_UDP, "0.0.0.0", 53, "two");
	traffic_serve(&s[3], "c2", TRAFFIC_UDP, "::", 53, "two");
	for (size_t i = 0; i < LEN(t); i++) {
		assert_int_equal(tcp_fetch(t[i].from, t[i].to, 80, 5000, peer), 0);
		if (t[i].peer)
			assert_string_equal(peer, t[i].peer);
		assert_int_equal(udp_fetch(t[i].from, t[i].to, 53, 5000, NULL), 0);
	}
	for (int i = 0; i < 4; i++)
		traffic_stop(&s[i]);
}

/* ---- DEL */

static void del_twice(const char *result)
{
	ok("veth", "DEL", with_prev(result));
	ok("veth", "DEL", with_prev(result));
}

static void del_without_prev_or_netns(const char *result)
{
	(void)result;
	ok("veth", "DEL", conf(""), .netns = "");
}

static void del_without_masq_key(const char *result)
{
	(void)result;
	ok("veth", "DEL", conf(""));
}

static void del_after_the_netns_went(const char *result)
{
	lab_netns_del("c1");
	ok("veth", "DEL", with_prev(result));
}

static void del_with_corrupt_prev(const char *result)
{
	(void)result;
	ok("veth", "DEL", text_keep(json_with(conf("'ipMasq':true,"), "prevResult", "[1,2]")));
}

static void del_after_the_link_went(const char *result)
{
	lab_sh("ip link del %s", at(result, "/interfaces/0/name"));
	ok("veth", "DEL", with_prev(result));
}

static void del_deferred(const char *result)
{
	(void)result;
	ok("veth", "DEL", conf("'ipMasq':true,'deferDel':true,"));
	for (int i = 0; i < 200 && lab_try_in("c1", "ip link show eth0") == 0; i++)
		lab_sh("sleep 0.01");
}

static void every_way_to_delete_leaves_nothing(void **state)
{
#define W(f) { #f, f }
	static const struct {
		const char *name;
		void (*del)(const char *result);
	} ways[] = { W(del_twice),
		     W(del_without_prev_or_netns),
		     W(del_without_masq_key),
		     W(del_after_the_netns_went),
		     W(del_with_corrupt_prev),
		     W(del_after_the_link_went),
		     W(del_deferred) };

	(void)state;
	ok("veth", "ADD", conf("'ipMasq':true,"), .cid = "c2", .netns = "c2");
	for (size_t i = 0; i < LEN(ways); i++) {
		char *before = snapshot_take(SNAP, "c1", "c2");

		fprintf(stderr, "# %s\n", ways[i].name);
		ways[i].del(ok("veth", "ADD", conf("'ipMasq':true,")));
		/* a runtime gives the configuration it had; then also what it forgot is gone */
		ok("veth", "DEL", conf("'ipMasq':true,"), .netns = "");
		if (lab_try("test -e /run/netns/c1"))
			lab_netns_new("c1");
		assert_left_as_before(before, SNAP, "c1", "c2");
		free(before);
		lab_sh("rm -rf /var/lib/cni/networks/net1/last_reserved_ip.*");
	}
}

/* ---- refusals */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys, *from, *to, *netns;
	} t[] = {
		{ 7, "/mac", "'mac':'02:00',", "", "", NULL },
		{ 7, "/mac: expected a MAC address", "'mac':5,", "", "", NULL },
		{ 7, "/mtu: expected integer 0..65535", "'mtu':-1,", "", "", NULL },
		{ 7, "/ipam/type", "", "\"type\":\"host-local\"", "\"type\":\"\"", NULL },
		{ 4, "the plugin's own network namespace", "", "", "", "/proc/self/ns/net" },
		{ 3, "no such namespace", "", "", "", "gone" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(t[i].keys);
		char *before = snapshot_take(SNAP, "c1");

		fails(t[i].code, t[i].words, "veth", "ADD",
		      *t[i].from ? text_replaced(c, t[i].from, t[i].to) : c, .netns = t[i].netns);
		assert_untouched(before, SNAP, "c1");
		free(before);
	}
}

static void a_second_add_is_refused_and_the_first_keeps_carrying_traffic(void **state)
{
	struct traffic_server s;

	(void)state;
	ok("veth", "ADD", conf("'ipMasq':true,"));
	lab_carrier("c1", "eth0");
	traffic_serve(&s, "c1", TRAFFIC_TCP, "0.0.0.0", 80, "one");

	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(100, "", "veth", "ADD", conf("'ipMasq':true,"));
	fails(100, "", "veth", "ADD", conf("'ipMasq':true,"), .netns = "c2");
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
	assert_int_equal(tcp_fetch(NULL, "10.1.0.2", 80, 500, NULL), 0);
	traffic_stop(&s);
}

static void an_address_that_another_interface_leads_to_is_refused(void **state)
{
	(void)state;
	ok("veth", "ADD", conf(""), .cid = "c2", .netns = "c2", .ifname = "first");
	lab_sh("ip link add vb0 type veth peer vb1; ip link set vb0 up;"
	       "ip route add 10.1.0.3 dev vb0 scope host");

	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(100, "another interface already leads there", "veth", "ADD", conf(""));
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
}

/* ---- CHECK, GC, STATUS */

static void check_is_quiet_on_what_add_made_and_notices_tampering(void **state)
{
	static const struct {
		const char *what, *host, *container;
	} t[] = {
		{ "host end down", "ip link set @veth down", NULL },
		{ "host end's MTU", "ip link set @veth mtu 1300", NULL },
		{ "host end gone", "ip link del @veth", NULL },
		{ "host route gone", "ip route del 10.1.0.2", NULL },
		{ "host route of IPv6 gone", "ip -6 route del fd00:1::2", NULL },
		{ "host route elsewhere",
		  "ip link add vb0 type veth peer vb1; ip link set vb0 up;"
		  "ip route replace 10.1.0.2 dev vb0 scope host",
		  NULL },
		{ "host's address gone", "ip addr del 10.1.0.1/32 dev @veth", NULL },
		{ "forwarding off", "echo 0 > /proc/sys/net/ipv4/ip_forward", NULL },
		{ "masquerade gone", "nft delete element inet naru masq-10.1.0.0-24 { 10.1.0.2 }",
		  NULL },
		{ "lease gone", "rm /var/lib/cni/networks/net1/fd00:1::2", NULL },
		{ "address gone", NULL, "ip addr del 10.1.0.2/24 dev eth0" },
		{ "container's end down", NULL, "ip link set eth0 down" },
		{ "container's MTU", NULL, "ip link set eth0 mtu 1300" },
		{ "container's MAC", NULL, "ip link set eth0 address 02:00:00:00:00:09" },
		{ "default route gone", NULL, "ip route del default" },
		{ "subnet route gone", NULL, "ip route del 10.1.0.0/24" },
		{ "gateway route gone", NULL, "ip route del 10.1.0.1" },
	};
	unsigned blind = 0;

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *made = conf("'ipMasq':true,'mtu':1400,");
		const char *result = ok("veth", "ADD", made);
		const char *c = text_keep(json_with(made, "prevResult", result));
		const struct call call = { .plugin = "veth", .verb = "CHECK", .conf = c };
		struct lab_result r;

		ok("veth", "CHECK", c);
		if (t[i].host)
			lab_sh("%s",
			       text_replaced(t[i].host, "@veth", at(result, "/interfaces/0/name")));
		if (t[i].container)
			lab_sh_in("c1", "%s", t[i].container);
		call_run(&call, &r);
		if (r.status != 1 || !json_is(r.out, "/code", "102")) {
			blind++;
			fprintf(stderr, "# %s: status %d %s\n", t[i].what, r.status, r.out);
		}
		lab_result_clear(&r);
		ok("veth", "DEL", c);
		call_reset_host();
	}
	assert_int_equal(blind, 0);
}

static void gc_keeps_the_listed_and_removes_the_others(void **state)
{
	(void)state;
	const char *c = conf("'ipMasq':true,");

	ok("veth", "ADD", c, .cid = "c2", .netns = "c2");

	char *before = snapshot_take(SNAP, "c1", "c2");

	ok("veth", "ADD", c);
	ok("veth", "GC",
	   text_keep(json_with(c, "cni.dev/valid-attachments",
			       jsonf("[{'containerID':'c2','ifname':'eth0'}]"))));
	assert_left_as_before(before, SNAP, "c1", "c2");
	free(before);
	ok("veth", "STATUS", c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(routes_are_made_as_the_reference_makes_them),
		T(every_key_does_what_the_reference_documents),
		T(the_result_lists_the_hosts_end_then_the_containers),
		T(dns_is_kept_overridden_or_emptied),
		T(bytes_pass_between_host_container_and_container),
		T(every_way_to_delete_leaves_nothing),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(a_second_add_is_refused_and_the_first_keeps_carrying_traffic),
		T(an_address_that_another_interface_leads_to_is_refused),
		T(check_is_quiet_on_what_add_made_and_notices_tampering),
		T(gc_keeps_the_listed_and_removes_the_others),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
