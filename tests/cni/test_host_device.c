// SPDX-License-Identifier: GPL-2.0-or-later
/* host-device from outside: how a device is found, lent, and given back as it was. */
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

#define SNAP (SNAPSHOT_ALL | SNAPSHOT_MAC)
#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni/host-device"
#define LOANS "/run/naru/host-device"
#define IPAM \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]]," \
	"'routes':[{'dst':'0.0.0.0/0'}]}"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_sh("mkdir -p " LOANS " /var/lib/cni/networks/net1;"
	       "ip link add nic0 address 02:00:00:00:00:0a mtu 1400 type veth peer vb0;"
	       "ip link set vb0 up; ip link set nic0 up; ip addr add 10.1.0.1/24 dev vb0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	lab_sh("for l in nic0 nic1 vb0 eth0; do ip link del $l 2>/dev/null; done; rm -rf " LOANS);
	call_reset_host();
	return 0;
}

/* A /sys with buses of our own making. */
static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_sh("mount -t tmpfs none /sys/bus && mount -t tmpfs none /sys/devices/system && cd /sys/bus &&"
	       "mkdir -p pci/devices/0000:05:00.0/net/nic0 pci/devices/0000:05:00.1/virtio7/net/nic0"
	       " pci/devices/0000:05:00.2/net pci/devices/0000:05:00.3"
	       " auxiliary/devices/mlx5_core.sf.2/net/nic0 drivers/virtio-pci drivers/vfio-pci"
	       " /sys/devices/system/x/net/nic0 && for i in 0 1 2; do ln -s"
	       " ../../../drivers/virtio-pci pci/devices/0000:05:00.$i/driver; done && ln -s"
	       " ../../../drivers/vfio-pci pci/devices/0000:05:00.3/driver");
	return 0;
}

static const char *conf_of(const char *version, const char *keys)
{
	return jsonf("{'cniVersion':'%s','name':'net1','type':'host-device',%s}", version, keys);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys);
}

#define DEVICE "'device':'nic0'"

static const char *with_prev(const char *c, const char *result)
{
	return text_keep(json_with(c, "prevResult", result));
}

/* host-local's directory of the network stays by design: let it be there before. */
static void know_ipam(void)
{
	ok("host-device", "ADD", conf(DEVICE "," IPAM));
	ok("host-device", "DEL", conf(DEVICE "," IPAM));
	lab_sh("rm /var/lib/cni/networks/net1/last_reserved_ip.*");
}

static void assert_out(char *got, const char *expected)
{
	assert_string_equal(got, expected);
	free(got);
}

static void a_device_is_found_by_each_key_and_given_back_as_it_was(void **state)
{
	static const struct {
		const char *keys, *pci;
	} t[] = {
		{ DEVICE, NULL },
		{ "'hwaddr':'02:00:00:00:00:0A'", NULL },
		{ "'kernelpath':'/sys/devices/system/x'", NULL },
		{ "'pciBusID':'0000:05:00.0'", "0000:05:00.0" },
		{ "'pciBusID':'0000:05:00.1'", "0000:05:00.1" }, /* virtio: a level below */
		{ "'runtimeConfig':{'deviceID':'0000:05:00.0'}", "0000:05:00.0" },
		{ "'runtimeConfig':{'deviceID':'mlx5_core.sf.2'}", NULL },
		{ "'device':'other','runtimeConfig':{'deviceID':'0000:05:00.1'}", "0000:05:00.1" },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(t[i].keys), *result = ok("host-device", "ADD", c);

		lab_sh("! ip link show nic0");
		lab_sh_in("c1",
			  "ip link show eth0 up | grep -q 'mtu 1400' && ip link show eth0 |"
			  " grep -q 'alias nic0' && ip link show eth0 | grep -q 02:00:00:00:00:0a");
		assert_string_equal(at(result, "/interfaces/0/name"), "eth0");
		assert_string_equal(at(result, "/interfaces/0/mac"), "02:00:00:00:00:0a");
		assert_string_equal(at(result, "/interfaces/0/sandbox"), "/run/netns/c1");
		if (t[i].pci)
			assert_string_equal(at(result, "/interfaces/0/pciID"), t[i].pci);
		assert_int_equal(json_count(result, "/ips"), -1);
		ok("host-device", "CHECK", with_prev(c, result));
		ok("host-device", "STATUS", c);
		ok("host-device", "DEL", with_prev(c, result));
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
}

static void with_ipam_it_carries_traffic_and_keeps_nothing(void **state)
{
	const char *c = conf(DEVICE "," IPAM ",'dns':{'nameservers':['192.0.2.1']}");

	know_ipam();
	char *before = snapshot_take(SNAP, "c1");
	struct traffic_server s;

	(void)state;
	const char *result = ok("host-device", "ADD", c);

	assert_string_equal(at(result, "/ips/0/interface"), "0");
	assert_string_equal(at(result, "/dns/nameservers/0"), "192.0.2.1");
	lab_carrier("c1", "eth0");
	traffic_serve(&s, "c1", TRAFFIC_TCP, "0.0.0.0", 80, "one");
	assert_int_equal(tcp_fetch(NULL, "10.1.0.2", 80, 2000, NULL), 0);
	traffic_stop(&s);
	ok("host-device", "CHECK", with_prev(c, result));
	ok("host-device", "DEL", with_prev(c, result));
	assert_left_as_before(before, SNAP, "c1");
	free(before);
}

static void a_device_that_was_down_or_had_an_alias_is_so_again(void **state)
{
	(void)state;
	lab_sh("ip link del vb0; ip link add nic0 address 02:00:00:00:00:0a mtu 1400 type veth peer vb0;"
	       "ip link set nic0 alias 'rack 7'");
	char *before = snapshot_take(SNAP, "c1");

	ok("host-device", "ADD", conf(DEVICE));
	/* the container changes what it can */
	lab_sh_in("c1",
		  "ip link set eth0 down; ip link set eth0 mtu 1300 address 02:00:00:00:00:ff");
	ok("host-device", "DEL", conf(DEVICE));
	lab_sh("ip link show nic0 | grep -q 'alias rack 7'");
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void a_driver_for_programs_means_that_there_is_nothing_to_move(void **state)
{
	const char *c = conf("'pciBusID':'0000:05:00.3'," IPAM);

	know_ipam();
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	const char *result = ok("host-device", "ADD", c);

	assert_string_equal(at(result, "/interfaces/0/pciID"), "0000:05:00.3");
	assert_string_equal(at(result, "/ips/0/address"), "10.1.0.2/24");
	lab_sh_in("c1", "! ip link show eth0");
	ok("host-device", "CHECK", with_prev(c, result));
	ok("host-device", "DEL", with_prev(c, result));
	assert_left_as_before(before, SNAP, "c1");
	ok("host-device", "ADD", conf("'pciBusID':'0000:05:00.3'"));
	free(before);
}

/* The container's name for the device may be taken on the host, and the other way round. */
static void names_that_are_taken_do_not_hinder(void **state)
{
	(void)state;
	lab_sh("ip link add eth0 type veth peer nic1; ip link add nic0 netns c1 type veth peer nicx");
	char *before = snapshot_take(SNAP, "c1");

	ok("host-device", "ADD", conf(DEVICE));
	ok("host-device", "DEL", conf(DEVICE));
	assert_untouched(before, SNAP, "c1");
	free(before);
	lab_sh("ip link del nicx");
}

static void when_its_name_was_taken_meanwhile_del_says_so_and_succeeds_later(void **state)
{
	(void)state;
	char *before = snapshot_take(SNAP, "c1");

	ok("host-device", "ADD", conf(DEVICE));
	lab_sh("ip link add nic0 type veth peer nic1");
	fails(100, "another interface of that name; rename it and try again", "host-device", "DEL",
	      conf(DEVICE));
	lab_sh_in("c1", "ip link show eth0 up | grep -q 'alias nic0'");
	lab_sh("ip link del nic1");
	ok("host-device", "DEL", conf(DEVICE));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void either_suite_gives_back_what_the_other_lent(void **state)
{
	static const char *const suites[][2] = { { REFERENCE, "host-device" },
						 { "host-device", REFERENCE } };

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	for (size_t i = 0; i < LEN(suites); i++) {
		const char *c = conf_of("1.0.0", DEVICE "," IPAM);
		const char *result = ok(suites[i][0], "ADD", c);

		ok(suites[i][1], "CHECK", with_prev(c, result));
		ok(suites[i][1], "DEL", with_prev(c, result));
		lab_sh("ip link show nic0 | grep -q 'mtu 1400'");
		lab_sh_in("c1", "! ip link show eth0");
		/* ours has a note left when the reference deleted: a DEL more removes it */
		ok("host-device", "DEL", with_prev(c, result));
		lab_sh("test -z \"$(ls " LOANS ")\"");
	}
}

/* ---- DEL */

/* The reference fails in most of these, and leaves the address in the first. */
static void every_way_to_delete_leaves_nothing(void **state)
{
	static const struct {
		const char *what, *before, *netns;
	} ways[] = {
		{ "without a namespace", "ip netns del c1", "" },
		{ "a vanished namespace", "ip netns del c1", "c1" },
		{ "the device is gone", "ip link del vb0", "c1" },
		{ "twice", "true", "c1" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		const char *c = conf(DEVICE "," IPAM);

		ok("host-device", "ADD", c);
		lab_sh("%s", ways[i].before);
		for (int twice = 0; twice < 2; twice++)
			ok("host-device", "DEL", c, .netns = ways[i].netns);
		lab_sh("test -z \"$(ls " LOANS
		       ")\" && ! ls /var/lib/cni/networks/net1/10.* 2>/dev/null");
		if (lab_try("test -e /run/netns/c1"))
			lab_netns_new("c1");
		teardown(state);
		setup(state);
	}
	ok("host-device", "DEL", conf(DEVICE));
	ok("host-device", "DEL", conf("'pciBusID':'0000:99:00.0'")); /* gone from the bus */
	ok("host-device", "DEL", conf("'runtimeConfig':{'deviceID':'gone.1'}"));
	lab_sh("ip link show nic0 up");
}

/* As a kernel leaves a physical device when a namespace goes: on the host, by the other's name. */
static void a_device_that_the_kernel_returned_gets_its_name_back(void **state)
{
	/* tuning may have changed the address, and the name may be taken on the host */
	static const char *const verbs[] = { "DEL", "GC", "DEL", "GC" };
	static const char *const changes[] = { "address 02:00:00:00:00:0a",
					       "address 02:00:00:00:00:0b",
					       "address 02:00:00:00:00:0b name dev7", "name dev7" };

	(void)state;
	for (size_t i = 0; i < LEN(verbs); i++) {
		char *before = snapshot_take(SNAP);
		const char *c = conf(DEVICE ",'cni.dev/valid-attachments':[]");

		ok("host-device", "ADD", c);
		lab_sh("ip -n c1 link set eth0 netns $$ mtu 1500 && ip link set eth0 %s",
		       changes[i]);
		lab_sh("ip link show %s | grep -q 'alias nic0'",
		       strstr(changes[i], "dev7") ? "dev7" : "eth0");
		ok("host-device", verbs[i], c, .netns = "");
		assert_untouched(before, SNAP);
		free(before);
	}
}

static void gc_keeps_loans_of_valid_attachments_and_of_other_networks(void **state)
{
	(void)state;
	ok("host-device", "ADD", conf(DEVICE));
	ok("host-device", "GC",
	   conf(DEVICE ",'cni.dev/valid-attachments':[{'containerID':'c1','ifname':'eth0'}]"));
	ok("host-device", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net2','cni.dev/valid-attachments':[]}"));
	assert_out(lab_out("ls " LOANS " | wc -l"), "1");
	lab_netns_del("c1");
	ok("host-device", "GC", conf(DEVICE ",'cni.dev/valid-attachments':[]"));
	assert_out(lab_out("ls " LOANS " | wc -l"), "0");
}

/* A path of a namespace that was recycled: what bears the name there was lent by nobody. */
static void del_leaves_an_interface_that_was_not_lent(void **state)
{
	(void)state;
	lab_sh("ip link add eth0 netns c1 type veth peer nic1");
	ok("host-device", "DEL", conf(DEVICE));
	lab_sh_in("c1", "ip link show eth0");
	lab_sh_in("c1", "ip link set eth0 alias nic9 address 02:00:00:00:00:33");
	ok("host-device", "DEL",
	   with_prev(conf(DEVICE), jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','mac':"
					 "'02:00:00:00:00:44','sandbox':'/run/netns/c1'}]}")));
	lab_sh_in("c1", "ip link show eth0");
}

/* ---- refusals and CHECK */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys;
	} t[] = {
		{ 7, "specify either", "'x':1" },
		{ 999, "failed to find host device: no interface nic7", "'device':'nic7'" },
		{ 999, "failed to find host device: failed to find physical interface",
		  "'hwaddr':'02:00:00:00:00:99'" },
		{ 7, "/hwaddr: expected a MAC address", "'hwaddr':'x'" },
		{ 999, "must be absolute and begin with /sys/devices/",
		  "'kernelpath':'/sys/class/net'" },
		{ 999, "must be absolute and begin with /sys/devices/",
		  "'kernelpath':'/sys/devices/../../run'" },
		{ 999, "failed to find network devices at", "'kernelpath':'/sys/devices/gone'" },
		{ 999, "error with host device: no driver of pci device 0000:99:00.0",
		  "'pciBusID':'0000:99:00.0'" },
		{ 999, "no net directory under pci device 0000:05:00.2",
		  "'pciBusID':'0000:05:00.2'" },
		{ 999, "error with host device", "'pciBusID':'../pci'" },
		{ 999, "no network interface of device gone.1 on the pci or the auxiliary bus",
		  "'runtimeConfig':{'deviceID':'gone.1'}" },
		{ 999, "failed to move link lo", "'device':'lo'" },
	};
	know_ipam();
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		fails(t[i].code, t[i].words, "host-device", "ADD", conf(t[i].keys));
		assert_untouched(before, SNAP, "c1");
	}
	lab_sh("ip link add eth0 netns c1 type veth peer nic1");
	fails(100, "an interface of that name already exists", "host-device", "ADD", conf(DEVICE));
	lab_sh("ip link del nic1; ip link show nic0 up");
	assert_untouched(before, SNAP, "c1");
	/* addresses that cannot be had: the device stays */
	fails(101, "no IP addresses available", "host-device", "ADD",
	      conf(DEVICE
		   ",'ipam':{'type':'host-local','subnet':'10.9.0.0/30','rangeStart':'10.9.0.1',"
		   "'rangeEnd':'10.9.0.1'}"));
	assert_left_as_before(before, SNAP, "c1");
	free(before);
}

static void check_notices_tampering(void **state)
{
	static const struct {
		const char *tamper, *words;
	} t[] = {
		{ "ip link set eth0 down", "expected up, found down" },
		{ "ip link set eth0 alias ''", "expected the device's own name as its alias" },
		{ "ip link set eth0 down; ip link set eth0 name eth5", "eth0 not found" },
		{ "ip addr del 10.1.0.2/24 dev eth0", "expected address 10.1.0.2/24" },
		{ "ip link set eth0 address 02:00:00:00:00:99", "expected MAC 02:00:00:00:00:0a" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(DEVICE ",'ipam':{'type':'static','addresses':[{'address':"
					    "'10.1.0.2/24'}]}");
		const char *result = ok("host-device", "ADD", c);

		ok("host-device", "CHECK", with_prev(c, result));
		lab_sh_in("c1", "%s", t[i].tamper);
		fails(102, t[i].words, "host-device", "CHECK", with_prev(c, result));
		ok("host-device", "DEL", c);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_device_is_found_by_each_key_and_given_back_as_it_was),
		T(with_ipam_it_carries_traffic_and_keeps_nothing),
		T(a_device_that_was_down_or_had_an_alias_is_so_again),
		T(a_driver_for_programs_means_that_there_is_nothing_to_move),
		T(names_that_are_taken_do_not_hinder),
		T(when_its_name_was_taken_meanwhile_del_says_so_and_succeeds_later),
		T(either_suite_gives_back_what_the_other_lent),
		T(every_way_to_delete_leaves_nothing),
		T(a_device_that_the_kernel_returned_gets_its_name_back),
		T(gc_keeps_loans_of_valid_attachments_and_of_other_networks),
		T(del_leaves_an_interface_that_was_not_lent),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(check_notices_tampering),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
