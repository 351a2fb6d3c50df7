// SPDX-License-Identifier: GPL-2.0-or-later
/* Crash points of the plugins that are used most; the method is in tests/lib/crash.h. */
#include "tests/lib/crash.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]," \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}"
#define PORTS \
	"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}," \
	"{\"hostPort\":5353,\"containerPort\":53,\"protocol\":\"udp\"},{\"hostPort\":7000,\"containerPort\":7000,\"range\":50}]}"
#define FLANNEL_ENV \
	"FLANNEL_NETWORK=10.1.0.0/16\\nFLANNEL_SUBNET=10.1.0.1/24\\nFLANNEL_MTU=1450\\n" \
	"FLANNEL_IPMASQ=false\\n"
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""

static const struct crash_subject bridge = {
	"bridge",
	HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true," IPAM
		       "}",
	"eth0", NULL
};
static const struct crash_subject veth = { "veth",
					   HEAD("veth") ",\"ipMasq\":true,\"mtu\":1400," IPAM "}",
					   "eth0", NULL };
static const struct crash_subject plain = {
	"bridge", HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true," IPAM "}", "eth0", NULL
};
static const struct crash_subject portmap = { "portmap", HEAD("portmap") "," PORTS "}", "eth0",
					      &bridge };
static const struct crash_subject masquerade = { "masquerade", HEAD("masquerade") "}", "eth0",
						 &plain };
static const struct crash_subject host_local = { "host-local", HEAD("bridge") "," IPAM "}", "eth0",
						 NULL };
static const struct crash_subject flannel = { "flannel", HEAD("flannel") "}", "eth0", NULL };
static const struct crash_subject loopback = { "loopback", HEAD("loopback") "}", "lo", NULL };
static const struct crash_subject *const subjects[] = { &bridge,     &veth,	  &portmap,
							&masquerade, &host_local, &loopback,
							&flannel };

static void every_fault_point_of_every_plugin_rolls_back(void **state)
{
	(void)state;
	crash_failed_verbs(subjects, LEN(subjects));
}

static void killed_at_any_point_of_add_one_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, LEN(subjects), CRASH_DEL);
}

static void killed_in_add_and_the_namespace_gone_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, LEN(subjects), CRASH_GONE);
}

static void killed_in_add_and_del_lost_gc_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, LEN(subjects), CRASH_GC);
}

static void killed_at_any_point_of_del_the_next_del_leaves_nothing(void **state)
{
	(void)state;
	crash_in_del(subjects, LEN(subjects));
}

static void a_call_that_fails_fails_add_without_a_trace(void **state)
{
	(void)state;
	crash_failed_calls(subjects, LEN(subjects));
}

static void a_dual_stack_bridge_and_portmap_add_is_at_most_twenty_calls(void **state)
{
	(void)state;
	unsigned calls = crash_count_second(&portmap);

	print_message("bridge + portmap: %u state-changing calls\n", calls);
	assert_in_range(calls, 1, 20);
}

static int setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("mkdir -p /run/flannel /var/lib/cni/flannel && printf '" FLANNEL_ENV
	       "' > /run/flannel/subnet.env");
	return crash_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dual_stack_bridge_and_portmap_add_is_at_most_twenty_calls),
		cmocka_unit_test(every_fault_point_of_every_plugin_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_the_namespace_gone_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_del_lost_gc_leaves_nothing),
		cmocka_unit_test(killed_at_any_point_of_del_the_next_del_leaves_nothing),
		cmocka_unit_test(a_call_that_fails_fails_add_without_a_trace),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
