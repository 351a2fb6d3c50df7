// SPDX-License-Identifier: GPL-2.0-or-later
/* vrf from outside: membership, tables, what goes with the interface, and bytes that pass. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

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
	call_reset_host();
	return 0;
}

/* The interface of a plugin before, attached by ours. */
static const char *attach(const char *ifname)
{
	return ok(
		"veth", "ADD",
		jsonf("{'cniVersion':'1.1.0','name':'net-%s','type':'veth','ipam':{'type':"
		      "'host-local','ranges':[[{'subnet':'10.%d.0.0/24'}],[{'subnet':'fd00:%d::/64'"
		      "}]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}}",
		      ifname, ifname[3], ifname[3]),
		.ifname = ifname);
}

static const char *conf(const char *keys, const char *prev)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'net1','type':'vrf',%s}", keys);

	return prev ? text_keep(json_with(c, "prevResult", prev)) : c;
}

static char *shape(void)
{
	return lab_out_in(
		"c1", "ip -4 -o addr show eth0 | grep -o 'inet [^ ]*'; ip -6 -o addr show eth0 | "
		      "grep -v fe80 | grep -o 'inet6 [^ ]*'; ip route; "
		      "ip -6 route | grep -v fe80 | sed 's/ pref .*//' | sort");
}

static void the_interface_joins_with_addresses_and_routes_and_leaves_with_them(void **state)
{
	(void)state;
	lab_needs("vrf");
	const char *prev = attach("eth0");
	char *before = shape();

	assert_string_equal(ok("vrf", "ADD", conf("'vrfname':'blue'", prev)), prev);
	lab_sh_in("c1", "ip -d link show blue up | grep -q 'vrf table 1 '");
	lab_sh_in("c1", "ip link show eth0 | grep -q 'master blue'");
	lab_sh_in("c1", "test -z \"$(ip route show default)\" && "
			"ip route show vrf blue | grep -q 'default via' && "
			"ip -6 route show vrf blue | grep -q 'default via'");
	lab_sh_in("c1", "ip -6 addr show eth0 | grep -q 'fd00:48::2/64'");
	lab_carrier("c1", "eth0");
	lab_sh_in("c1", "busybox ping -c 1 -W 5 -I blue 10.48.0.1 && "
			"busybox ping -6 -c 1 -W 5 -I blue fd00:48::1");
	ok("vrf", "CHECK", conf("'vrfname':'blue'", prev));
	ok("vrf", "DEL", conf("'vrfname':'blue'", prev));
	ok("vrf", "DEL", conf("'vrfname':'blue'", NULL));
	lab_sh_in("c1", "! ip link show blue");
	char *after = shape();

	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void members_share_a_vrf_and_the_last_one_takes_it_away(void **state)
{
	(void)state;
	lab_needs("vrf");
	const char *one = attach("eth0"), *two;

	/* table 1 has a rule of somebody else, table 2 a route */
	lab_sh_in("c1",
		  "ip rule add from 192.0.2.1 table 1 && ip route add 192.0.2.0/24 dev lo table 2 "
		  "2>/dev/null || { ip link set lo up && "
		  "ip route add 192.0.2.0/24 dev lo table 2; }");
	ok("vrf", "ADD", conf("'vrfname':'blue'", one));
	lab_sh_in("c1", "ip -d link show blue | grep -q 'vrf table 3 '");
	two = attach("eth1"); /* the main table has no default route now */
	ok("vrf", "ADD", conf("'vrfname':'blue','table':3", two), .ifname = "eth1");
	fails(100, "interface eth1 has already a master set: blue", "vrf", "ADD",
	      conf("'vrfname':'red'", two), .ifname = "eth1");
	lab_sh_in("c1", "! ip link show red");
	ok("vrf", "DEL", conf("'vrfname':'blue'", one));
	lab_sh_in("c1", "ip link show eth1 | grep -q 'master blue'");
	ok("vrf", "DEL", conf("'vrfname':'blue'", NULL), .ifname = "eth1", .netns = "");
	lab_sh_in("c1", "ip link del eth1");
	ok("vrf", "DEL", conf("'vrfname':'blue'", NULL), .ifname = "eth1");
	lab_sh_in("c1", "! ip link show blue");
}

static void what_cannot_be_is_refused_and_differences_are_told(void **state)
{
	(void)state;
	lab_needs("vrf");
	const char *prev = attach("eth0");

	fails(7, "configuration is expected to have a valid vrf name", "vrf", "ADD",
	      conf("'vrfname':''", prev));
	fails(7, "/table: expected integer", "vrf", "ADD",
	      conf("'vrfname':'blue','table':-1", prev));
	fails(100, "Netlink eth0 is not a VRF", "vrf", "ADD", conf("'vrfname':'eth0'", prev));
	fails(7, "could not get link by name eth7", "vrf", "ADD", conf("'vrfname':'blue'", prev),
	      .ifname = "eth7");
	lab_sh_in("c1", "! ip link show blue");
	fails(102, "VRF blue: expected in the container, found none", "vrf", "CHECK",
	      conf("'vrfname':'blue'", prev));
	ok("vrf", "ADD", conf("'vrfname':'blue','table':7", prev));
	fails(100, "VRF blue already exist with different routing table 7", "vrf", "ADD",
	      conf("'vrfname':'blue','table':9", prev));
	fails(102, "VRF blue: expected table 9, found 7", "vrf", "CHECK",
	      conf("'vrfname':'blue','table':9", prev));
	lab_sh_in("c1", "ip route del default table 7");
	fails(102, "VRF blue: expected route 0.0.0.0/0 in its table 7, found it missing", "vrf",
	      "CHECK", conf("'vrfname':'blue'", prev));
	lab_sh_in("c1", "ip link set eth0 nomaster");
	fails(102, "Failed to find eth0 associated to vrf blue", "vrf", "CHECK",
	      conf("'vrfname':'blue'", prev));
	ok("vrf", "DEL", conf("'vrfname':'blue'", prev));
	lab_sh_in("c1", "! ip link show blue && ip link show eth0");
	ok("vrf", "STATUS", conf("'vrfname':'blue'", NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_interface_joins_with_addresses_and_routes_and_leaves_with_them),
		TEST(members_share_a_vrf_and_the_last_one_takes_it_away),
		TEST(what_cannot_be_is_refused_and_differences_are_told),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
