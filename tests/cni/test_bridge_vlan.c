// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VLANs on bridges: which frames pass, where the gateway is, what is refused. CNI_SPEC.md "bridge".
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/furniture.h"
#include "netlib/nl/nl.h"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	lab_netns_new("c3");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	lab_netns_del("c3");
	call_reset_host();
	return 0;
}

static const char *conf(const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge','bridge':'br0',%s}",
		     keys);
}

#define IPAM "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}"
#define ANY_IPAM \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]]}"

/* ---- what is refused, on any kernel */

static void what_is_no_vlan_is_refused_by_place_and_changes_nothing(void **state)
{
	static const struct {
		const char *keys, *words;
	} t[] = {
		{ "'vlan':-1", "/vlan: invalid VLAN ID -1 (must be between 0 and 4094)" },
		{ "'vlan':4095", "/vlan: invalid VLAN ID 4095 (must be between 0 and 4094)" },
		{ "'vlan':'100'", "/vlan: expected integer" },
		{ "'vlanTrunk':{}", "/vlanTrunk: expected array" },
		{ "'vlanTrunk':[{'id':5},{'id':0}]",
		  "/vlanTrunk/1/id: incorrect trunk id parameter: expected integer 1..4094, got 0" },
		{ "'vlanTrunk':[{'id':4095}]", "/vlanTrunk/0/id: incorrect trunk id parameter" },
		{ "'vlanTrunk':[{'minID':0,'maxID':5}]",
		  "/vlanTrunk/0/minID: incorrect trunk minID parameter" },
		{ "'vlanTrunk':[{'minID':4095,'maxID':5}]",
		  "/vlanTrunk/0/minID: incorrect trunk minID parameter" },
		{ "'vlanTrunk':[{'minID':5,'maxID':4095}]",
		  "/vlanTrunk/0/maxID: incorrect trunk maxID parameter: expected integer 1..4094, "
		  "got 4095" },
		{ "'vlanTrunk':[{'minID':5,'maxID':-1}]",
		  "/vlanTrunk/0/maxID: incorrect trunk maxID parameter" },
		{ "'vlanTrunk':[{'minID':6,'maxID':5}]",
		  "/vlanTrunk/0: minID is greater than maxID in trunk parameter: 6 and 5" },
		{ "'vlanTrunk':[{'maxID':5}]",
		  "minID and maxID should be configured simultaneously, minID is missing" },
		{ "'vlanTrunk':[{'minID':5}]",
		  "minID and maxID should be configured simultaneously, maxID is missing" },
		{ "'vlanTrunk':[{}]", "/vlanTrunk/0: expected id, or minID and maxID" },
		{ "'vlan':100,'isGateway':true,'bridge':'averylongname'," IPAM,
		  "the gateway of VLAN 100 is the interface averylongname.100" },
	};
	char *before = snapshot_take(SNAPSHOT_ALL, "c1");

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		fails(7, t[i].words, "bridge", "ADD", conf(t[i].keys));
		assert_untouched(before, SNAPSHOT_ALL, "c1");
	}
	free(before);
}

static void a_kernel_without_vlans_is_named_and_left_as_it_was(void **state)
{
	char *before = snapshot_take(SNAPSHOT_ALL, "c1");

	(void)state;
	if (lab_has("bridge-vlan")) {
		free(before);
		lab_skip("this kernel's bridges know VLANs");
	}
	fails(104, "this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)", "bridge",
	      "ADD", conf("'vlan':100"));
	assert_untouched(before, SNAPSHOT_ALL, "c1");
	ok("bridge", "DEL", conf("'vlan':100"));
	/* a bridge of ours that is there does not help */
	ok("bridge", "ADD", conf("'mtu':0"), .cid = "other", .netns = "c2");
	fails(104, "know no VLANs", "bridge", "ADD", conf("'vlan':100"));
	fails(50, "expected VLAN filtering on, found a kernel without", "bridge", "STATUS",
	      conf("'vlan':100"));
	ok("bridge", "STATUS", conf("'vlan':0"));
	free(before);
}

/* ---- which VLANs a port has */

/* "1 PVID Egress Untagged|101|200-210" */
static const char *vlans_of(const char *port)
{
	return text_keep(lab_out("bridge -compressvlans vlan show dev %s | tail -n +2 |"
				 "sed 's/^[^\\t ]*[\\t ]*//; s/[\\t ]*$//' | grep . | paste -sd'|'",
				 port));
}

static void a_port_belongs_to_the_vlans_that_the_keys_say(void **state)
{
	static const struct {
		const char *keys, *vlans;
	} t[] = {
		{ "'vlan':100", "100 PVID Egress Untagged" },
		{ "'vlan':100,'preserveDefaultVlan':true",
		  "1 Egress Untagged|100 PVID Egress Untagged" },
		{ "'vlan':1", "1 PVID Egress Untagged" },
		{ "'vlanTrunk':[{'id':101},{'minID':200,'maxID':210}]",
		  "1 PVID Egress Untagged|101|200-210" },
		{ "'vlanTrunk':[{'id':101}],'preserveDefaultVlan':true",
		  "1 PVID Egress Untagged|101" },
		{ "'vlan':50,'vlanTrunk':[{'id':101},{'minID':200,'maxID':210}]",
		  "50 PVID Egress Untagged|101|200-210" },
		{ "'vlan':50,'vlanTrunk':[{'minID':49,'maxID':51}]",
		  "49|50 PVID Egress Untagged|51" },
		{ "'vlanTrunk':[{'id':1},{'id':101}]", "1|101" },
		{ "'vlanTrunk':[{'id':7,'minID':20,'maxID':22},{'minID':21,'maxID':24},{'id':20}]",
		  "1 PVID Egress Untagged|7|20-24" },
		{ "'vlanTrunk':[{'minID':1,'maxID':4094}]", "1-4094" },
		{ "'vlan':0,'vlanTrunk':[]", "1 PVID Egress Untagged" },
	};

	(void)state;
	lab_needs("bridge-vlan");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *c = conf(t[i].keys), *result = ok("bridge", "ADD", c);

		assert_string_equal(vlans_of(at(result, "/interfaces/1/name")), t[i].vlans);
		assert_int_equal(json_count(result, "/interfaces"), 3);
		ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)));
		ok("bridge", "DEL", c);
	}
}

/* Two thousand ids without a neighbour take more than one request. */
static void a_trunk_may_be_as_long_as_the_numbers_reach(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	char *list = strdup("");

	for (unsigned id = 2; id <= 4094; id += 2) {
		char *more = NULL;

		assert_true(asprintf(&more, "%s%s{'id':%u}", list, *list ? "," : "", id) > 0);
		free(list);
		list = more;
	}
	const char *c = conf(textf("'vlanTrunk':[%s]", list));
	const char *result = ok("bridge", "ADD", c);
	char *n = lab_out("bridge -compressvlans vlan show dev %s | grep -c '[0-9]$'",
			  at(result, "/interfaces/1/name"));

	assert_string_equal(n, "2047");
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)));
	free(n);
	free(list);
}

/* ---- which frames pass */

static void attach(const char *name, const char *keys, const char *address)
{
	ok("bridge", "ADD", conf(keys), .cid = name, .netns = name);
	if (address)
		lab_sh_in(name, "ip addr add %s dev eth0", address);
}

/* to: the namespace that has the address, NULL for the host */
static bool reaches(const char *from, const char *to, const char *address)
{
	struct traffic_server s;

	traffic_serve(&s, to, TRAFFIC_TCP, address, 7000, "x");
	int r = tcp_fetch(from, address, 7000, 1500, NULL);
	traffic_stop(&s);
	assert_true(r == 0 || r == -EHOSTUNREACH || r == -ETIMEDOUT);
	return r == 0;
}

static void frames_stay_in_their_vlan(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	attach("c1", "'vlan':100", "10.5.0.1/24");
	attach("c2", "'vlan':100", "10.5.0.2/24");
	attach("c3", "'vlan':200", "10.5.0.3/24");
	assert_true(reaches("c1", "c2", "10.5.0.2"));
	assert_false(reaches("c1", "c3", "10.5.0.3"));
	/* what a container tags itself does not get it into another one */
	lab_sh_in("c3", "ip link add link eth0 name tagged type vlan id 100 && "
			"ip link set tagged up && ip addr add 10.6.0.3/24 dev tagged");
	lab_sh_in("c1", "ip link add link eth0 name tagged type vlan id 100 && "
			"ip link set tagged up && ip addr add 10.6.0.1/24 dev tagged");
	assert_false(reaches("c3", "c1", "10.6.0.1"));
}

static void a_trunk_carries_tagged_frames_to_access_ports_which_get_them_bare(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	attach("c1", "'vlan':100,'vlanTrunk':[{'id':101},{'minID':200,'maxID':210}]",
	       "10.5.0.1/24");
	attach("c2", "'vlan':205", "10.5.5.2/24");
	attach("c3", "'vlan':100", "10.5.0.3/24");
	lab_sh_in("c1", "ip link add link eth0 name t205 type vlan id 205 && "
			"ip link set t205 up && ip addr add 10.5.5.1/24 dev t205 && "
			"ip link add link eth0 name t211 type vlan id 211 && "
			"ip link set t211 up");
	assert_true(reaches("c1", "c2", "10.5.5.2")); /* tagged 205 */
	assert_true(reaches("c1", "c3", "10.5.0.3")); /* bare: the trunk's own VLAN */
	lab_sh_in("c2", "ip addr add 10.5.0.2/24 dev eth0");
	assert_false(reaches("c2", "c3", "10.5.0.3")); /* 205 and 100 */
	ok("bridge", "DEL", conf("'vlan':205"), .cid = "c2", .netns = "c2");
	attach("c2", "'vlan':211", "10.5.6.2/24");
	lab_sh_in("c1", "ip addr add 10.5.6.1/24 dev t211");
	assert_false(reaches("c1", "c2", "10.5.6.2")); /* not one of the trunk's */
}

/* ---- the gateway of a VLAN */

#define GATEWAY "'vlan':100,'isDefaultGateway':true," ANY_IPAM

static void the_gateway_of_a_vlan_is_an_interface_of_its_own(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	const char *c = conf(GATEWAY), *one = ok("bridge", "ADD", c);
	char *mac = lab_out("cat /sys/class/net/br0.100/address");

	assert_int_equal(json_count(one, "/interfaces"), 4);
	assert_true(json_is(one, "/interfaces/3/name", "br0.100"));
	assert_true(json_is(one, "/interfaces/3/mac", mac));
	assert_null(json_find(one, "/interfaces/3/sandbox"));
	assert_true(json_is(one, "/ips/0/interface", "2"));
	lab_sh("ip -o addr show br0.100 | grep -q 10.1.0.1/24");
	lab_sh("ip -o addr show br0.100 | grep -q fd00:1::1/64");
	lab_sh("! ip -o addr show br0 | grep -q 10.1.0");
	lab_sh("grep -q 0 /proc/sys/net/ipv6/conf/br0.100/accept_ra");
	assert_true(reaches("c1", NULL, "10.1.0.1"));
	assert_true(reaches("c1", NULL, "fd00:1::1"));
	/* the second one finds it there */
	const char *two = ok("bridge", "ADD", c, .cid = "c2", .netns = "c2");
	assert_true(json_is(two, "/interfaces/3/mac", mac));
	assert_true(reaches("c2", NULL, "10.1.0.1"));
	/* another VLAN does not */
	attach("c3", "'vlan':200", "10.1.0.77/24");
	assert_false(reaches("c3", NULL, "10.1.0.1"));
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", one)));
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", two)), .cid = "c2",
	   .netns = "c2");
	free(mac);
}

static unsigned sweep(void)
{
	cleanup_nl struct nl host = NL_INIT;
	struct err e = ERR_INIT;
	unsigned removed = 0;

	assert_int_equal(nl_open(&host, 0, -1, "host", &e), 0);
	if (furniture_sweep(&host, &removed, &e) < 0)
		lab_fail("%s", e.text);
	return removed;
}

static void the_gateway_stays_for_the_others_and_goes_with_the_last(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	const char *c = conf(GATEWAY);

	ok("bridge", "ADD", c);
	ok("bridge", "ADD", c, .cid = "c2", .netns = "c2");
	ok("bridge", "DEL", c);
	(void)sweep();
	lab_sh("ip link show br0.100 up | grep -q br0.100");
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	assert_true(sweep() >= 2);
	lab_sh("! ip link show br0.100 2>/dev/null && ! ip link show br0 2>/dev/null &&"
	       "! ip link | grep veth");
}

static void on_a_bridge_of_others_the_gateway_goes_and_the_bridge_stays(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	lab_sh("ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up &&"
	       "ip link add vbup type veth peer vbdown && ip link set vbup master br0 up");
	const char *c = conf(GATEWAY);

	ok("bridge", "ADD", c);
	ok("bridge", "DEL", c);
	assert_int_equal(sweep(), 3); /* the pair, forwarding of two families */
	lab_sh("ip link show br0 | grep -q br0 && ! ip link show br0.100 2>/dev/null");
}

static void a_gateway_that_was_not_finished_is_finished_by_the_next(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	const char *c = conf(GATEWAY);

	ok("bridge", "ADD", c);
	/* as after a kill between making it and telling it its VLAN */
	lab_sh("ip link set br0.100 down; p=$(ls -d /sys/class/net/br0/brif/* | while read d; do"
	       "	grep -l 'naru:gateway' $d/../ifalias >/dev/null 2>&1 && basename $d; done);"
	       "[ -n \"$p\" ] && bridge vlan del dev $p vid 100 && bridge vlan add dev $p vid 1 pvid untagged");
	ok("bridge", "ADD", c, .cid = "c2", .netns = "c2");
	assert_true(reaches("c2", NULL, "10.1.0.1"));
	assert_true(reaches("c1", NULL, "10.1.0.1"));
}

static void an_interface_of_that_name_that_is_up_is_used_as_it_is(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	lab_sh("ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up &&"
	       "bridge vlan add dev br0 vid 100 self &&"
	       "ip link add link br0 name br0.100 type vlan id 100 && ip link set br0.100 up");
	const char *c = conf(GATEWAY), *result = ok("bridge", "ADD", c);

	assert_true(json_is(result, "/interfaces/3/name", "br0.100"));
	assert_true(reaches("c1", NULL, "10.1.0.1"));
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)));
}

/* ---- bridges that are there */

static void a_bridge_of_others_that_filters_nothing_is_refused(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	lab_sh("ip link add br0 type bridge && ip link set br0 up");
	char *before = snapshot_take(SNAPSHOT_ALL, "c1");

	fails(100, "bridge br0 does not filter VLANs", "bridge", "ADD", conf("'vlan':100"));
	assert_untouched(before, SNAPSHOT_ALL, "c1");
	fails(50, "bridge br0: expected VLAN filtering on, found off", "bridge", "STATUS",
	      conf("'vlan':100"));
	lab_sh("ip link set br0 type bridge vlan_filtering 1");
	ok("bridge", "STATUS", conf("'vlan':100"));
	ok("bridge", "ADD", conf("'vlan':100"));
	free(before);
}

static void a_bridge_of_ours_begins_to_filter_and_its_ports_go_on(void **state)
{
	(void)state;
	lab_needs("bridge-vlan");
	attach("c1", "'mtu':0", "10.5.0.1/24");
	attach("c2", "'mtu':0", "10.5.0.2/24");
	lab_sh("grep -q 0 /sys/class/net/br0/bridge/vlan_filtering");
	attach("c3", "'vlan':100", "10.5.0.3/24");
	lab_sh("grep -q 1 /sys/class/net/br0/bridge/vlan_filtering");
	assert_true(reaches("c1", "c2", "10.5.0.2"));
	assert_false(reaches("c1", "c3", "10.5.0.3"));
}

/* ---- CHECK */

static void check_notices_other_vlans(void **state)
{
	static const struct {
		const char *what, *says;
	} t[] = {
		{ "ip link set br0 type bridge vlan_filtering 0",
		  "bridge br0: expected VLAN filtering on, found off" },
		{ "bridge vlan del dev @veth vid 100",
		  "expected VLANs own 100, without tag 100, with tag 101-102; found with tag 101-102" },
		{ "bridge vlan add dev @veth vid 300",
		  "expected VLANs own 100, without tag 100, with tag 101-102; found own 100, without tag "
		  "100, with tag 101-102 300" },
		{ "bridge vlan add dev @veth vid 101 pvid untagged", "found own 101" },
		{ "ip link del br0.100", "gateway br0.100 of VLAN 100: expected on the host" },
		{ "ip link set br0.100 down", "gateway br0.100 of VLAN 100: expected up" },
		{ "ip addr del 10.1.0.1/24 dev br0.100",
		  "gateway br0.100: expected the gateway address 10.1.0.1/24, found it missing" },
		{ "for d in /sys/class/net/br0/brif/*; do p=$(basename $d);"
		  "grep -q gateway /sys/class/net/$p/ifalias && bridge vlan add dev $p vid 7; done",
		  "expected VLANs own 100, without tag 100; found own 100, without tag 100, with tag 7" },
		{ "for d in /sys/class/net/br0/brif/*; do p=$(basename $d);"
		  "grep -q gateway /sys/class/net/$p/ifalias && ip link set $p nomaster; done",
		  "gateway br0.100: expected its other end on bridge br0, found it elsewhere" },
	};

	(void)state;
	lab_needs("bridge-vlan");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *c = conf("'vlanTrunk':[{'minID':101,'maxID':102}]," GATEWAY);
		const char *result = ok("bridge", "ADD", c);
		const char *check = text_keep(json_with(c, "prevResult", result));

		ok("bridge", "CHECK", check);
		lab_sh("%s; true",
		       text_replaced(t[i].what, "@veth", at(result, "/interfaces/1/name")));
		fails(102, t[i].says, "bridge", "CHECK", check);
		ok("bridge", "DEL", c);
		call_reset_host();
	}
}

/* Looking loads modules, which brings sysctls. */
static int group_setup(void **state)
{
	int r = lab_setup(state);

	free(snapshot_take(SNAPSHOT_ALL));
	return r;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_no_vlan_is_refused_by_place_and_changes_nothing),
		T(a_kernel_without_vlans_is_named_and_left_as_it_was),
		T(a_port_belongs_to_the_vlans_that_the_keys_say),
		T(a_trunk_may_be_as_long_as_the_numbers_reach),
		T(frames_stay_in_their_vlan),
		T(a_trunk_carries_tagged_frames_to_access_ports_which_get_them_bare),
		T(the_gateway_of_a_vlan_is_an_interface_of_its_own),
		T(the_gateway_stays_for_the_others_and_goes_with_the_last),
		T(on_a_bridge_of_others_the_gateway_goes_and_the_bridge_stays),
		T(a_gateway_that_was_not_finished_is_finished_by_the_next),
		T(an_interface_of_that_name_that_is_up_is_used_as_it_is),
		T(a_bridge_of_others_that_filters_nothing_is_refused),
		T(a_bridge_of_ours_begins_to_filter_and_its_ports_go_on),
		T(check_notices_other_vlans),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
