// SPDX-License-Identifier: GPL-2.0-or-later
/* Crash points and faults of the firewall rows with the iptables backend. */
#include "tests/lib/crash.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""

static const struct crash_subject plain = {
	"bridge",
	HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true,\"ipam\":{\"type\":\"host-local\","
		       "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]}}",
	"eth0", NULL
};
static const struct crash_subject portmap = {
	"portmap",
	HEAD("portmap") ",\"backend\":\"iptables\",\"runtimeConfig\":{\"portMappings\":["
			"{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"},"
			"{\"hostPort\":5353,\"containerPort\":53,\"protocol\":\"udp\"}]}}",
	"eth0", &plain
};
static const struct crash_subject masquerade = {
	"masquerade", HEAD("masquerade") ",\"ipMasqBackend\":\"iptables\"}", "eth0", &plain
};
static const struct crash_subject *const subjects[] = { &portmap, &masquerade };

static void every_fault_point_rolls_back(void **state)
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

static int setup(void **state)
{
	(void)lab_setup(state);
	/* looking at a legacy table makes it, and the lock */
	if (lab_try("iptables-legacy -t nat -L -n && ip6tables-legacy -t nat -L -n"))
		lab_skip("this kernel has no legacy iptables (ip_tables, ip6_tables)");
	return crash_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_point_rolls_back),
		cmocka_unit_test(killed_at_any_point_of_add_one_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_the_namespace_gone_del_leaves_nothing),
		cmocka_unit_test(killed_in_add_and_del_lost_gc_leaves_nothing),
		cmocka_unit_test(killed_at_any_point_of_del_the_next_del_leaves_nothing),
		cmocka_unit_test(a_call_that_fails_fails_add_without_a_trace),
	};

	return cmocka_run_group_tests_name("iptables_crash", tests, setup, NULL);
}
