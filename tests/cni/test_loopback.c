// SPDX-License-Identifier: GPL-2.0-or-later
/* loopback from outside: lo comes up, is reported, goes down. */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_ALL)

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	return 0;
}

static const char *conf(const char *version)
{
	return jsonf("{'cniVersion':'%s','name':'lo','type':'loopback'}", version);
}

static bool is_up(void)
{
	return lab_try_in("c1", "ip link show lo up | grep -q lo") == 0;
}

static void lo_is_up_after_add_and_down_after_del(void **state)
{
	(void)state;
	assert_false(is_up());
	ok("loopback", "ADD", conf("1.1.0"), .ifname = "lo");
	assert_true(is_up());
	lab_sh_in("c1", "ip -4 addr show lo | grep -q 127.0.0.1/8");
	ok("loopback", "CHECK", conf("1.1.0"), .ifname = "lo");
	ok("loopback", "DEL", conf("1.1.0"), .ifname = "lo");
	assert_false(is_up());
	ok("loopback", "DEL", conf("1.1.0"), .ifname = "lo");
}

static void the_interface_name_is_ignored(void **state)
{
	(void)state;
	const char *result = ok("loopback", "ADD", conf("1.0.0"), .ifname = "eth7");

	assert_string_equal(at(result, "/interfaces/0/name"), "lo");
	assert_true(is_up());
	ok("loopback", "DEL", conf("1.0.0"), .ifname = "eth7");
	assert_false(is_up());
}

/* What the reference prints, to the byte (1.1.1 on the versions it has). */
static void the_result_has_the_references_shape(void **state)
{
	static const struct {
		const char *version, *expected;
	} t[] = {
		{ "0.2.0", "{\n    'cniVersion': '0.2.0',\n    'ip4': {\n"
			   "        'ip': '127.0.0.1/8'\n    },\n    'ip6': {\n"
			   "        'ip': '::1/128'\n    },\n    'dns': {}\n}" },
		{ "0.4.0", "{\n    'cniVersion': '0.4.0',\n    'interfaces': [\n        {\n"
			   "            'name': 'lo',\n            'mac': '00:00:00:00:00:00',\n"
			   "            'sandbox': '/run/netns/c1'\n        }\n    ],\n"
			   "    'ips': [\n        {\n            'version': '4',\n"
			   "            'interface': 0,\n            'address': '127.0.0.1/8'\n"
			   "        },\n        {\n            'version': '6',\n"
			   "            'interface': 0,\n            'address': '::1/128'\n"
			   "        }\n    ],\n    'dns': {}\n}" },
		{ "1.1.0", "{\n    'cniVersion': '1.1.0',\n    'interfaces': [\n        {\n"
			   "            'mac': '00:00:00:00:00:00',\n"
			   "            'name': 'lo',\n"
			   "            'sandbox': '/run/netns/c1'\n        }\n    ],\n"
			   "    'ips': [\n        {\n            'address': '127.0.0.1/8',\n"
			   "            'interface': 0\n        },\n        {\n"
			   "            'address': '::1/128',\n            'interface': 0\n"
			   "        }\n    ]\n}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		assert_string_equal(ok("loopback", "ADD", conf(t[i].version), .ifname = "lo"),
				    jsonf("%s", t[i].expected));
}

static void a_previous_result_is_passed_through(void **state)
{
	(void)state;
	const char *prev = jsonf("{'cniVersion':'1.0.0','interfaces':[{'name':'eth0',"
				 "'mac':'02:00:00:00:00:01','sandbox':'/run/netns/c1'}],"
				 "'ips':[{'address':'10.9.0.2/24','interface':0}]}");
	const char *with = jsonf("{'cniVersion':'1.0.0','name':'lo','type':'loopback',"
				 "'prevResult':%s}",
				 prev);
	const char *result = ok("loopback", "ADD", with, .ifname = "lo");

	assert_string_equal(at(result, "/interfaces/0/name"), "eth0");
	assert_string_equal(at(result, "/ips/0/address"), "10.9.0.2/24");
	assert_null(strstr(result, "127.0.0.1"));
	assert_true(is_up());
}

static void a_foreign_address_on_lo_is_refused_and_lo_stays_down(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip addr add 10.7.7.7/32 dev lo");

	char *before = snapshot_take(SNAP, "c1");

	fails(999, "loopback interface found with non-loopback address 10.7.7.7/32", "loopback",
	      "ADD", conf("1.0.0"), .ifname = "lo");
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void check_notices_lo_down(void **state)
{
	(void)state;
	ok("loopback", "ADD", conf("1.1.0"), .ifname = "lo");
	lab_sh_in("c1", "ip link set lo down");
	fails(102, "loopback interface is down", "loopback", "CHECK", conf("1.1.0"),
	      .ifname = "lo");
}

static void del_succeeds_without_a_namespace(void **state)
{
	(void)state;
	ok("loopback", "DEL", conf("1.1.0"), .netns = "");
	ok("loopback", "DEL", conf("1.1.0"), .netns = "gone");
	fails(3, "failed to open netns", "loopback", "ADD", conf("1.1.0"), .netns = "gone");
	fails(4, "required env variables [CNI_NETNS] missing", "loopback", "ADD", conf("1.1.0"),
	      .netns = "");
}

/* containernetworking/plugins#714: a recycled pid's path must not take the host's lo down. */
static void the_hosts_own_namespace_is_refused(void **state)
{
	(void)state;
	static const char *const verbs[] = { "ADD", "DEL", "CHECK" };

	for (size_t i = 0; i < 3; i++) {
		fails(4, "the plugin's own network namespace", "loopback", verbs[i], conf("1.1.0"),
		      .netns = "/proc/self/ns/net", .ifname = "lo");
		lab_sh("ip link show lo up | grep -q lo");
	}
}

static void gc_and_status_are_silent_successes(void **state)
{
	(void)state;
	ok("loopback", "GC", conf("1.1.0"));
	ok("loopback", "STATUS", conf("1.1.0"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(lo_is_up_after_add_and_down_after_del),
		T(the_interface_name_is_ignored),
		T(the_result_has_the_references_shape),
		T(a_previous_result_is_passed_through),
		T(a_foreign_address_on_lo_is_refused_and_lo_stays_down),
		T(check_notices_lo_down),
		T(del_succeeds_without_a_namespace),
		T(the_hosts_own_namespace_is_refused),
		T(gc_and_status_are_silent_successes),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
