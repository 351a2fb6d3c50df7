// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference as oracle: plugins that need modules. What one suite attached, the other one checks
 * and takes away.
 */
#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"
#include "tests/lib/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", NULL };

#define CLEAN "ip link del host0; ip link del vb0"

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0) /* of a test that failed */
		lab_netns_del("c1");
	call_reset_host();
	(void)lab_try(CLEAN);
	return 0;
}

#define IPAM4 "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}"
#define IPAM \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}" \
	"]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'10.99.0.0/16','gw':'10.1.0.7'}]}"

/* A link on a master of the host, without what our alias and the kernel's numbers make of it. */
static const struct oracle_scene child = {
	.versions = versions,
	.make = "ip link add host0 mtu 1400 type veth peer host1 && ip link set host0 up && "
		"ip link set host1 up",
	.clean = CLEAN,
	.look = "ip -n c1 -d -o link show eth0 | grep -o 'mtu [0-9]*\\|,UP\\|vlan .*id [0-9]*\\|"
		"macvlan mode [a-z]*\\|ipvlan *mode [a-z0-9]*';"
		" ip -n c1 -o addr show eth0 | grep -v fe80 | sed 's/^[0-9]*: //; s/valid_lft.*//;"
		" s/ nodad//; s/ tentative//';"
		" ip -n c1 route; ip -n c1 -6 route | grep -v fe80;"
		" ls /sys/class/net; cat /var/lib/cni/networks/net1/10.* | od -c",
	.left = "ls /sys/class/net; ip -n c1 -o link show eth0;"
		" ls /var/lib/cni/networks/net1 | grep '^10\\|^fd'",
};

static void ask(const char *plugin, const struct oracle_question *q, size_t n)
{
	struct oracle_scene s = child;

	s.plugin = plugin;
	oracle_ask(&s, q, n);
}

static void macvlan_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'master':'host0'," IPAM },
		{ .keys = ",'master':'host0','mode':'vepa','mtu':1300," IPAM4 },
		{ .keys = ",'master':'host0','mode':'passthru'," IPAM4 },
	};

	(void)state;
	lab_needs("macvlan");
	ask("macvlan", q, LEN(q));
}

/* Behind a plugin that made an interface of the host: its master and its addresses. */
#define CHAINED(interfaces) \
	"'interfaces':[" interfaces "],'ips':[{'version':'4','interface':0,'address':" \
	"'10.1.0.9/24','gateway':'10.1.0.1'}],'dns':{}"

static void ipvlan_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'master':'host0'," IPAM },
		{ .keys = ",'master':'host0','mode':'l3'," IPAM4 },
		{ .keys = ",'master':'host0','mode':'l3s','mtu':1300," IPAM4 },
		{ .keys = ",'master':'host0','mode':'x'," IPAM4 },
		{ .keys = ",'master':'nope'," IPAM4 },
		{ .keys = "," IPAM4 },
		{ .keys = ",'master':'host0'" },
		{ .keys = ",'master':'host0'", .prev = CHAINED("{'name':'host0'}") },
		{ .keys = "",
		  .prev = CHAINED("{'name':'host0'}"),
		  .no_ref_check = "the result no longer tells its master" },
	};

	(void)state;
	lab_needs("ipvlan");
	ask("ipvlan", q, LEN(q));
}

static void vlan_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'master':'host0','vlanId':5," IPAM },
		{ .keys = ",'master':'host0','vlanId':4094,'mtu':1300," IPAM4 },
		{ .keys = ",'master':'host0','vlanId':4095," IPAM4 },
		{ .keys = ",'master':'host0','vlanId':-1," IPAM4 },
		{ .keys = ",'master':'host0','vlanId':5,'mtu':9000," IPAM4 },
		{ .keys = ",'master':'nope','vlanId':5," IPAM4 },
		{ .keys = ",'vlanId':5," IPAM4 },
	};

	(void)state;
	lab_needs("8021q");
	ask("vlan", q, LEN(q));
}

static const struct oracle_scene vrf = {
	.plugin = "vrf",
	.versions = versions,
	.make = "ip link add vb0 type veth peer name eth0 netns c1 && ip link set vb0 up && "
		"ip -n c1 link set eth0 up && ip -n c1 addr add 10.1.0.2/24 dev eth0 && "
		"ip -n c1 addr add fd00:1::2/64 dev eth0 nodad",
	.clean = CLEAN,
	.prev = "'interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[{'version':'4',"
		"'interface':0,'address':'10.1.0.2/24','gateway':'10.1.0.1'},{'version':'6',"
		"'interface':0,'address':'fd00:1::2/64'}],'dns':{}",
	.look = "ip -n c1 -d -o link show blue | grep -o 'vrf table [0-9]*\\|,UP';"
		" ip -n c1 -o link show eth0 | grep -o 'master [a-z]*';"
		" ip -n c1 route show vrf blue; ip -n c1 -6 route show vrf blue | grep -v fe80;"
		" ip -n c1 -o addr show eth0 | grep -o 'inet6* [^ ]*' | grep -v fe80",
	/* routes and addresses come back with ours: CNI_SPEC.md "vrf" */
	.left = "ip -n c1 -o link show type vrf; ip -n c1 -o link show eth0 | grep -o master",
};

static void vrf_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'vrfname':'blue'" },
		{ .keys = ",'vrfname':'blue','table':42" },
		{ .keys = "" },
		{ .keys = ",'vrfname':'eth0'" },
	};

	(void)state;
	lab_needs("vrf");
	oracle_ask(&vrf, q, LEN(q));
}

/* A default route goes along with ours; 1.1.1 loses it, 1.9.1 does not. CNI_SPEC.md "vrf". */
static void vrf_keeps_the_default_route_unlike_the_reference(void **state)
{
	static const struct oracle_question q = { .keys = ",'vrfname':'blue'" };
	const char *suites[] = { lab_bin(), ORACLE_DIR };
	int status;

	(void)state;
	lab_needs("vrf");
	oracle_needs("vrf");
	for (int i = 0; i < 2; i++) {
		oracle_begin(&vrf);
		lab_sh("ip -n c1 route add default via 10.1.0.1");
		(void)oracle_call(&vrf, suites[i], "ADD", oracle_conf(&vrf, &q, "1.0.0"), NULL,
				  &status);
		assert_int_equal(status, 0);
		assert_string_equal(oracle_look("ip -n c1 route show vrf blue default | wc -l"),
				    i == 0 ? "1" : "0");
		oracle_end(&vrf);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(macvlan_does_as_the_reference),
		T(ipvlan_does_as_the_reference),
		T(vlan_does_as_the_reference),
		T(vrf_does_as_the_reference),
		T(vrf_keeps_the_default_route_unlike_the_reference),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
