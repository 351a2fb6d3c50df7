// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash points of macvlan, ipvlan, vlan, dummy and vrf, as far as the kernel has them. The method
 * is in tests/lib/crash.h. In the virtual machine only the two that differ most from macvlan, which
 * runs anywhere, take their turn.
 */
#include "tests/lib/crash.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}]]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}"
#define MASTER \
	.furnish = "ip link add eth0 type veth peer wire0 && ip link set wire0 up && " \
		   "ip link set eth0 up", \
	.clear = "ip link del eth0"

static const struct crash_subject loopback = { "loopback", HEAD("loopback") "}", "lo", NULL };
static const struct crash_subject veth = { "veth", HEAD("veth") "," IPAM "}", "eth0", NULL };

static const struct {
	const char *module;
	bool in_vm;
	struct crash_subject subject;
} all[] = {
	{ "macvlan",
	  false,
	  { .plugin = "macvlan",
	    .conf = HEAD(
		    "macvlan") ",\"master\":\"eth0\",\"mode\":\"vepa\",\"bcqueuelen\":2000," IPAM
			       "}",
	    .ifname = "eth0",
	    MASTER } },
	{ "ipvlan",
	  false,
	  { .plugin = "ipvlan",
	    .conf = HEAD("ipvlan") ",\"master\":\"eth0\",\"mode\":\"l3\"," IPAM "}",
	    .ifname = "eth0",
	    MASTER } },
	/* after something, for a second container cannot have the same VLAN beside the first */
	{ "8021q",
	  true,
	  { .plugin = "vlan",
	    .conf = HEAD("vlan") ",\"master\":\"eth0\",\"vlanId\":5," IPAM "}",
	    .ifname = "eth0",
	    .before = &loopback,
	    MASTER } },
	{ "dummy",
	  false,
	  { .plugin = "dummy", .conf = HEAD("dummy") "," IPAM "}", .ifname = "eth0" } },
	{ "vrf",
	  true,
	  { .plugin = "vrf",
	    .conf = HEAD("vrf") ",\"vrfname\":\"blue\"}",
	    .ifname = "eth0",
	    /* the kernel's rule for VRFs stays in the namespace: no gives_back */
	    .before = &veth } },
};

static const struct crash_subject *subjects[LEN(all)];
static size_t n;

static int setup(void **state)
{
	(void)lab_setup(state);
	for (size_t i = 0; i < LEN(all); i++)
		if (lab_has(all[i].module) && (all[i].in_vm || !lab_in_vm()))
			subjects[n++] = &all[i].subject;
	return crash_setup(state);
}

static void every_fault_point_of_every_plugin_rolls_back(void **state)
{
	(void)state;
	crash_failed_verbs(subjects, n);
}

static void killed_at_any_point_of_add_one_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, n, CRASH_DEL);
}

static void killed_in_add_and_the_namespace_gone_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, n, CRASH_GONE);
}

static void killed_in_add_and_del_lost_gc_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, n, CRASH_GC);
}

static void killed_at_any_point_of_del_the_next_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_del(subjects, n);
}

static void a_call_that_fails_fails_add_without_a_trace(void **state)
{
	(void)state;
	crash_failed_calls(subjects, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_point_of_every_plugin_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_the_namespace_gone_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_del_lost_gc_leaves_nothing),
		cmocka_unit_test(killed_at_any_point_of_del_the_next_del_leaves_nothing),
		cmocka_unit_test(a_call_that_fails_fails_add_without_a_trace),
	};
	const struct CMUnitTest in_vm[] = {
		cmocka_unit_test(every_fault_point_of_every_plugin_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
	};

	return lab_in_vm() ? cmocka_run_group_tests(in_vm, setup, NULL) :
			     cmocka_run_group_tests(tests, setup, NULL);
}
