// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What attachments share: noted when it is made, collected when nobody is left, and nothing else.
 */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/netlink.h>
#include <unistd.h>

#include "netlib/cni/furniture.h"
#include "netlib/net/sysctl.h"
#include "netlib/nl/nl.h"

static const char forward[] = "net/ipv4/ip_forward";
static struct nl host = NL_INIT;

static int setup(void **state)
{
	(void)state;
	lab_sh("ip link add ours type bridge; ip link set ours alias naru:net; "
	       "ip link add foreign type bridge; ip link add veth9 type veth peer name peer9; "
	       "sysctl -qw net.ipv4.ip_forward=0");
	return nl_open(&host, NETLINK_ROUTE, -1, "host", NULL);
}

static int teardown(void **state)
{
	(void)state;
	nl_close(&host);
	(void)lab_try("ip link del ours; ip link del foreign; ip link del veth9");
	lab_sh("rm -rf /run/naru/sysctl");
	return 0;
}

static unsigned sweep(void)
{
	struct err e = ERR_INIT;
	unsigned removed = 0;

	if (furniture_sweep(&host, &removed, &e) < 0)
		fail_msg("%s", e.text);
	return removed;
}

static void assert_forward(const char *want)
{
	char value[SYSCTL_VALUE_MAX];

	assert_int_equal(sysctl_read(forward, value, NULL), 0);
	assert_string_equal(value, want);
}

static void a_bridge_of_ours_goes_when_it_has_no_port_and_others_stay(void **state)
{
	(void)state;
	lab_sh("ip link set veth9 master ours");
	assert_int_equal(sweep(), 0);
	lab_sh("ip link show ours && ip link show foreign");
	lab_sh("ip link set veth9 nomaster");
	assert_int_equal(sweep(), 1);
	assert_int_equal(lab_try("ip link show ours"), 1);
	lab_sh("ip link show foreign && ip link show veth9");
	assert_int_equal(sweep(), 0);
}

static void a_sysctl_gets_its_first_value_back_when_nobody_is_left(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(furniture_sysctl(forward, "1", &e), 0);
	assert_forward("1");
	lab_sh("sysctl -qw net.ipv4.ip_forward=0");
	assert_int_equal(furniture_sysctl(forward, "1", &e), 0); /* noted once */
	lab_sh("ip link set veth9 master ours");
	(void)sweep();
	assert_forward("1");
	lab_sh("ip link set veth9 nomaster");
	assert_int_equal(sweep(), 2);
	assert_forward("0");
	assert_int_equal(lab_try("ls /run/naru/sysctl/*"), 2);
}

static void a_veth_of_ours_without_a_bridge_keeps_the_sysctls_too(void **state)
{
	(void)state;
	lab_sh("ip link del ours; ip link set veth9 alias 'naru:1234 net/c1/eth0'");
	assert_int_equal(furniture_sysctl(forward, "1", NULL), 0);
	assert_int_equal(sweep(), 0);
	assert_forward("1");
	lab_sh("ip link del veth9");
	assert_int_equal(sweep(), 1);
	assert_forward("0");
}

static void what_was_on_before_is_neither_noted_nor_switched_off(void **state)
{
	(void)state;
	lab_sh("ip link del ours; sysctl -qw net.ipv4.ip_forward=1");
	assert_int_equal(furniture_sysctl(forward, "1", NULL), 0);
	assert_int_equal(lab_try("ls /run/naru/sysctl/*"), 2);
	assert_int_equal(sweep(), 0);
	assert_forward("1");
}

static void a_note_cut_off_before_its_value_changes_nothing(void **state)
{
	(void)state;
	lab_sh("ip link del ours");
	assert_int_equal(furniture_sysctl(forward, "1", NULL), 0);
	lab_sh("for f in /run/naru/sysctl/*/*; do : > $f; done");
	(void)sweep();
	assert_forward("1");
	assert_int_equal(lab_try("ls /run/naru/sysctl/*"), 2);
}

static void an_interface_with_a_dot_in_its_name_gets_its_value_back(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	lab_sh("ip link del ours; ip link add br.7 type bridge");
	if (furniture_sysctl("net/ipv4/conf/br.7/route_localnet", "1", &e) < 0)
		fail_msg("%s", e.text);
	lab_sh("grep -q 1 /proc/sys/net/ipv4/conf/br.7/route_localnet");
	assert_int_equal(sweep(), 1);
	lab_sh("grep -q 0 /proc/sys/net/ipv4/conf/br.7/route_localnet; ip link del br.7");
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_bridge_of_ours_goes_when_it_has_no_port_and_others_stay),
		IN_LAB(a_sysctl_gets_its_first_value_back_when_nobody_is_left),
		IN_LAB(a_veth_of_ours_without_a_bridge_keeps_the_sysctls_too),
		IN_LAB(what_was_on_before_is_neither_noted_nor_switched_off),
		IN_LAB(an_interface_with_a_dot_in_its_name_gets_its_value_back),
		IN_LAB(a_note_cut_off_before_its_value_changes_nothing),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
