// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the plugins whose interface is one link in the container have in common: macvlan, ipvlan,
 * vlan, dummy. The host has an interface "eth0" of its own throughout, so that the container's name
 * is taken there.
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_NET | SNAPSHOT_SYSCTL | SNAPSHOT_FILES)
#define LEN(a) (sizeof(a) / sizeof *(a))

static const struct subject {
	const char *plugin, *module, *keys;
	bool alone;	   /* no master */
	const char *told;  /* what ip(8) says of it */
	const char *other; /* the same with another value, and what CHECK says then */
	const char *differs;
} subjects[] = {
	{ "macvlan", "macvlan", "'mode':'private'", false, "macvlan mode private", "'mode':'vepa'",
	  "interface eth0: expected mode vepa, found private" },
	{ "ipvlan", "ipvlan", "'mode':'l3s'", false, "ipvlan *mode l3s", "'mode':'l3'",
	  "interface eth0: expected mode l3, found l3s" },
	{ "vlan", "8021q", "'master':'eth0','vlanId':5", false, "vlan protocol 802.1Q id 5",
	  "'master':'eth0','vlanId':6", "interface eth0: expected VLAN 6, found 5" },
	{ "dummy", "dummy", "'x':0", true, "dummy", NULL, NULL },
};

#define CONF(plugin, keys) \
	jsonf("{'cniVersion':'1.1.0','name':'net1','type':'%s',%s,'ipam':{'type':'host-local'," \
	      "'ranges':[[{'subnet':'10.9.0.0/24'}]],'routes':[{'dst':'0.0.0.0/0'}]}}", \
	      plugin, keys)

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	lab_sh("ip link add eth0 mtu 1400 type veth peer wire0 && ip link set wire0 up && "
	       "ip link set eth0 up && ip addr add 10.9.0.100/24 dev eth0 && "
	       "ip route add default via 10.9.0.1");
	/* what stays of the first reservation */
	ok("host-local", "ADD", CONF("macvlan", "'x':0"), .cid = "seed");
	ok("host-local", "DEL", CONF("macvlan", "'x':0"), .cid = "seed");
	lab_sh("rm /var/lib/cni/networks/net1/last_reserved_ip.0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	lab_netns_del("c2");
	(void)lab_try("ip link del eth0; rm -rf /run/bin");
	call_reset_host();
	return 0;
}

static const char *conf(const struct subject *s)
{
	return CONF(s->plugin, s->keys);
}

static const char *with(const char *c, const char *key, const char *value)
{
	return text_keep(json_with(c, key, value));
}

static const struct subject *subject_of(void **state)
{
	const struct subject *s = *state;

	lab_needs(s->module);
	return s;
}

static void it_is_born_in_the_container_under_its_name(void **state)
{
	const struct subject *s = subject_of(state);
	const char *result = ok(s->plugin, "ADD", conf(s));

	assert_string_equal(at(result, "/interfaces/0/name"), "eth0");
	assert_string_equal(at(result, "/interfaces/0/sandbox"), "/run/netns/c1");
	assert_int_equal(json_count(result, "/interfaces"), 1);
	assert_string_equal(at(result, "/ips/0/interface"), "0");
	lab_sh_in("c1", "ip -d link show eth0 up | grep -q '%s'", s->told);
	lab_sh_in("c1", "ip link show eth0 | grep -q %s", at(result, "/interfaces/0/mac"));
	lab_sh_in("c1", "ip -4 addr show eth0 | grep -q 10.9.0.2/24");
	lab_sh_in("c1", "ip route | grep -q 'default via 10.9.0.1 dev eth0'");
	if (!s->alone) /* as the master's, unless told */
		lab_sh_in("c1", "ip link show eth0 | grep -q 'mtu 1400'");
	/* nothing of it in the host */
	lab_sh("test \"$(ls /sys/class/net | tr '\\n' ' ')\" = 'eth0 lo wire0 '");
	ok(s->plugin, "CHECK", with(conf(s), "prevResult", result));
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	lab_sh_in("c1", "! ip link show eth0");
}

static void the_master_may_be_an_interface_of_the_container(void **state)
{
	const struct subject *s = subject_of(state);

	if (s->alone)
		return;
	const char *c = with(with(conf(s), "linkInContainer", "true"), "master", "\"inner0\"");

	fails(7, "failed to lookup master \\\"inner0\\\"", s->plugin, "ADD", c);
	lab_sh("ip link add inner0 netns c1 mtu 1300 type veth peer inner1 && "
	       "ip -n c1 link set inner0 up");
	const char *prev = with(c, "prevResult", ok(s->plugin, "ADD", c));

	lab_sh_in("c1",
		  "ip -d link show eth0 up | grep -q '%s' && "
		  "ip link show eth0 | grep 'eth0@inner0' | grep -q 'mtu 1300'",
		  s->told);
	ok(s->plugin, "CHECK", prev);
	ok(s->plugin, "DEL", prev);
	lab_sh_in("c1", "! ip link show eth0 && ip link show inner0");
	lab_sh("ip link del inner1");
}

static void a_taken_name_is_refused_and_its_owner_untouched(void **state)
{
	const struct subject *s = subject_of(state);
	ok(s->plugin, "ADD", conf(s));
	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(100, "container interface name (\\\"eth0\\\") already exists in /run/netns/c1",
	      s->plugin, "ADD", conf(s), .cid = "c2");
	assert_left_as_before(before, SNAP, "c1", "c2");
	free(before);
	ok(s->plugin, "DEL", conf(s));
}

static void del_takes_its_own_and_nothing_else(void **state)
{
	const struct subject *s = subject_of(state);
	char *before = snapshot_take(SNAP, "c1", "c2");
	const char *result = ok(s->plugin, "ADD", conf(s));

	/* that of another container or network, and of another kind, is left alone */
	ok(s->plugin, "DEL", conf(s), .cid = "c2");
	lab_sh_in("c1", "ip link show eth0");
	ok(s->plugin, "DEL", with(conf(s), "name", "\"net2\""));
	lab_sh_in("c1", "ip link show eth0");
	ok(s->plugin, "DEL", conf(s), .netns = "");
	lab_sh_in("c1", "ip link show eth0");
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	assert_left_as_before(before, SNAP, "c1", "c2");
	lab_sh_in("c1", "ip link add eth0 type veth peer x0");
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	lab_sh_in("c1", "ip link show eth0 && ip link del eth0");
	/* made by others: without an alias the MAC decides */
	result = ok(s->plugin, "ADD", conf(s));
	lab_sh_in("c1", "ip link set eth0 alias ''");
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	lab_sh_in("c1", "! ip link show eth0");
	ok(s->plugin, "DEL", conf(s), .netns = "gone");
	free(before);
}

/* The reference's vlan needs its master for DEL, its ipvlan a default route. */
static void del_works_and_check_and_status_tell_when_the_master_is_gone(void **state)
{
	const struct subject *s = subject_of(state);
	const char *result;

	if (s->alone)
		return;
	result = ok(s->plugin, "ADD", conf(s));
	lab_sh("ip link del eth0");
	fails(102, "interface eth0: expected", s->plugin, "CHECK",
	      with(conf(s), "prevResult", result));
	ok(s->plugin, "DEL", with(conf(s), "prevResult", result));
	ok(s->plugin, "DEL", conf(s));
	lab_sh("test ! -e /var/lib/cni/networks/net1/10.9.0.2");
	fails(50,
	      strcmp(s->plugin, "vlan") ? "no default route interface found" :
					  "failed to lookup master \\\"eth0\\\"",
	      s->plugin, "STATUS", conf(s));
	lab_sh("ip link add eth0 mtu 1400 type veth peer wire0 && ip link set wire0 up && "
	       "ip link set eth0 up && ip addr add 10.9.0.100/24 dev eth0 && "
	       "ip route add default via 10.9.0.1");
}

/* The reference leaves the link when the IPAM plugin fails, and the address when the rest does. */
static void what_fails_after_the_link_was_made_takes_it_away(void **state)
{
	const struct subject *s = subject_of(state);
	const char *late = text_replaced(conf(s), "host-local", "late");
	const char *path = textf("/run/bin:%s", lab_bin());
	char *before;

	lab_sh("mkdir -p /run/bin && printf '#!/bin/sh\\necho {\\\\\"code\\\\\":11,\\\\\"msg\\\\\":"
	       "\\\\\"no lease\\\\\"}\\nexit 1\\n' > /run/bin/late && chmod 755 /run/bin/late");
	before = snapshot_take(SNAP, "c1");
	fails(11, "no lease", s->plugin, "ADD", late, .path = path);
	assert_left_as_before(before, SNAP, "c1");
	free(before);
	lab_sh("printf '#!/bin/sh\\n[ $CNI_COMMAND = ADD ] || exit 0\\necho {\\\\\"cniVersion\\\\\":"
	       "\\\\\"1.1.0\\\\\"}\\n' > /run/bin/late");
	before = snapshot_take(SNAP, "c1");
	fails(999, "IPAM plugin returned missing IP config", s->plugin, "ADD", late, .path = path);
	/* a gateway that cannot be reached: the address is given back, too */
	fails(999, "add route", s->plugin, "ADD",
	      text_replaced(conf(s), "\"dst\":\"0.0.0.0/0\"",
			    "\"dst\":\"0.0.0.0/0\",\"gw\":\"192.0.2.1\""));
	assert_left_as_before(before, SNAP, "c1");
	free(before);
}

static void check_tells_every_difference(void **state)
{
	const struct subject *s = subject_of(state);
	const char *c = with(conf(s), "prevResult", ok(s->plugin, "ADD", conf(s)));

	if (s->other)
		fails(102, s->differs, s->plugin, "CHECK",
		      with(CONF(s->plugin, s->other), "prevResult", at(c, "/prevResult")));
	if (!s->alone)
		fails(102, "interface eth0: expected on master wire0", s->plugin, "CHECK",
		      with(with(c, "master", "\"wire0\""), "prevResult", at(c, "/prevResult")));
	if (!s->alone)
		fails(102, "interface eth0 in the container: expected MTU 1300, found 1400",
		      s->plugin, "CHECK", with(c, "mtu", "1300"));
	lab_sh_in("c1", "ip link set eth0 down");
	fails(102, "interface eth0 in the container: expected up, found down", s->plugin, "CHECK",
	      c);
	lab_sh_in("c1", "ip link del eth0");
	fails(102, "interface eth0: expected in the container, found none", s->plugin, "CHECK", c);
	ok(s->plugin, "DEL", c);
}

/* ---- what needs no kernel feature: decided before anything is changed */

static void what_cannot_be_is_refused_by_name(void **state)
{
	static const struct {
		const char *plugin, *keys, *verb;
		int code;
		const char *words;
		bool malformed; /* for DEL, too */
	} t[] = {
		{ "macvlan", "'mode':'x'", "ADD", 7, "/mode: unknown macvlan mode: \\\"x\\\"" },
		{ "macvlan", "'master':'nope'", "ADD", 7, "failed to lookup master \\\"nope\\\"" },
		{ "macvlan", "'master':'nope'", "STATUS", 50,
		  "failed to lookup master \\\"nope\\\": no such interface in the host namespace" },
		{ "macvlan", "'mtu':1401", "ADD", 7,
		  "invalid MTU 1401, must be [0, master MTU(1400)]" },
		{ "macvlan", "'mtu':-1", "ADD", 7,
		  "invalid MTU -1, must be [0, master MTU(1400)]" },
		{ "macvlan", "'mac':'02:00'", "ADD", 7, "/mac: expected a MAC address", true },
		{ "macvlan", "'bcqueuelen':-1", "ADD", 7, "/bcqueuelen: expected integer", true },
		{ "ipvlan", "'mode':'l4'", "ADD", 7, "/mode: unknown ipvlan mode: \\\"l4\\\"" },
		{ "ipvlan", "'ipam':{}", "ADD", 7, "expected an IPAM plugin" },
		{ "ipvlan", "'master':'nope'", "ADD", 7, "failed to lookup master \\\"nope\\\"" },
		{ "ipvlan",
		  "'prevResult':{'cniVersion':'1.1.0','interfaces':[{'name':'a'},{'name':"
		  "'b'}]}",
		  "ADD", 7, "chained master failure. PrevResult lacks a single named interface" },
		{ "vlan", "'vlanId':5", "ADD", 7, "\\\"master\\\" field is required" },
		{ "vlan", "'vlanId':5", "STATUS", 7, "\\\"master\\\" field is required" },
		{ "vlan", "'master':'eth0','vlanId':4095", "ADD", 7,
		  "invalid VLAN ID 4095 (must be between 0 and 4094 inclusive)" },
		{ "vlan", "'master':'eth0','vlanId':-1", "ADD", 7, "invalid VLAN ID -1" },
		{ "vlan", "'master':'eth0','vlanId':1,'mtu':1500", "ADD", 7,
		  "invalid MTU 1500, must be [0, master MTU(1400)]" },
		{ "vlan", "'master':'eth0','ipam':{}", "ADD", 7, "expected an IPAM plugin" },
		{ "dummy", "'ipam':{}", "ADD", 7,
		  "/ipam/type: dummy interface requires an IPAM configuration" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *ipam = jsonf("'ipam':{'type':'host-local','ranges':[[{'subnet':"
					 "'10.9.0.0/24'}]]}");
		char *before = snapshot_take(SNAP, "c1");

		fails(t[i].code, t[i].words, t[i].plugin, t[i].verb,
		      jsonf("{'cniVersion':'1.1.0','name':'net1',%s,%s}", ipam, t[i].keys));
		assert_left_as_before(before, SNAP, "c1");
		free(before);
		/* what was never added can be deleted */
		if (!t[i].malformed)
			ok(t[i].plugin, "DEL",
			   jsonf("{'cniVersion':'1.1.0','name':'net1',%s,%s}", ipam, t[i].keys));
	}
}

static void a_kernel_without_the_kind_is_told_with_the_modules_name(void **state)
{
	bool any = false;

	(void)state;
	for (size_t i = 0; i < LEN(subjects); i++) {
		const struct subject *s = &subjects[i];
		const char *words = textf("this kernel has no links of kind %s; load its module %s",
					  s->plugin, s->module);

		if (lab_has(s->module)) {
			ok(s->plugin, "STATUS", conf(s));
			continue;
		}
		char *before = snapshot_take(SNAP, "c1");

		any = true;
		fails(50, words, s->plugin, "STATUS", conf(s));
		fails(104, words, s->plugin, "ADD", conf(s));
		assert_left_as_before(before, SNAP, "c1");
		free(before);
		ok(s->plugin, "DEL", conf(s));
	}
	if (!any)
		print_message("# this kernel has them all\n");
}

#define EACH(f) { #f, f }
#define ALONE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct {
		const char *name;
		CMUnitTestFunction test;
	} each[] = {
		EACH(it_is_born_in_the_container_under_its_name),
		EACH(the_master_may_be_an_interface_of_the_container),
		EACH(a_taken_name_is_refused_and_its_owner_untouched),
		EACH(del_takes_its_own_and_nothing_else),
		EACH(del_works_and_check_and_status_tell_when_the_master_is_gone),
		EACH(what_fails_after_the_link_was_made_takes_it_away),
		EACH(check_tells_every_difference),
	};
	struct CMUnitTest tests[LEN(each) * LEN(subjects) + 2] = {
		ALONE(what_cannot_be_is_refused_by_name),
		ALONE(a_kernel_without_the_kind_is_told_with_the_modules_name),
	};
	static char names[LEN(tests)][120];
	size_t n = 2;

	/* the machine outside has macvlan, too */
	for (size_t i = lab_in_vm() ? 1 : 0; i < LEN(subjects); i++)
		for (size_t k = 0; k < LEN(each); k++, n++) {
			(void)snprintf(names[n], sizeof names[n], "%s: %s", subjects[i].plugin,
				       each[k].name);
			tests[n] = (struct CMUnitTest){
				.name = names[n],
				.test_func = each[k].test,
				.setup_func = setup,
				.teardown_func = teardown,
				.initial_state = (void *)(uintptr_t)&subjects[i],
			};
		}
	return _cmocka_run_group_tests("tests", tests, n, lab_setup, NULL);
}
