// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash points of what bridge does beyond the usual: VLANs with a gateway of their own, ports that
 * are isolated and guarded. The method is in tests/lib/crash.h.
 */
#include "tests/lib/crash.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HEAD \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"bridge\",\"bridge\":\"br0\""
#define IPAM "\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}]]}"

static const struct crash_subject vlan = {
	.plugin = "bridge",
	.conf = HEAD ",\"vlan\":100,\"vlanTrunk\":[{\"id\":7}],\"isGateway\":true," IPAM "}",
	.ifname = "eth0",
};
static const struct crash_subject isolated = {
	.plugin = "bridge",
	.conf = HEAD ",\"portIsolation\":true,\"macspoofchk\":true}",
	.ifname = "eth0",
};
static const struct crash_subject down = {
	.plugin = "bridge",
	.conf = HEAD ",\"disableContainerInterface\":true}",
	.ifname = "eth0",
};
static const struct crash_subject *const plain[] = { &isolated, &down };
static const struct crash_subject *const vlans[] = { &vlan };

static void every_way(const struct crash_subject *const *s, size_t n)
{
	crash_failed_verbs(s, n);
	crash_in_add(s, n, CRASH_DEL);
	crash_in_add(s, n, CRASH_GONE);
	crash_in_add(s, n, CRASH_GC);
	crash_in_del(s, n);
	crash_failed_calls(s, n);
}

static void ports_with_manners_leave_nothing_wherever_they_are_killed(void **state)
{
	(void)state;
	every_way(plain, LEN(plain));
}

static void a_vlan_and_its_gateway_leave_nothing_wherever_they_are_killed(void **state)
{
	(void)state;
	if (lab_try("ip link add probe type bridge vlan_filtering 1 && ip link del probe"))
		lab_skip("this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
	/* in a virtual machine each point takes seconds: the ways that differ */
	crash_failed_verbs(vlans, LEN(vlans));
	crash_in_add(vlans, LEN(vlans), CRASH_GC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vlan_and_its_gateway_leave_nothing_wherever_they_are_killed),
		cmocka_unit_test(ports_with_manners_leave_nothing_wherever_they_are_killed),
	};

	return cmocka_run_group_tests(tests, crash_setup, NULL);
}
