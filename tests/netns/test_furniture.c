// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What attachments share: noted when it is made, collected when nobody is left, and nothing else.
 */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/wait.h>
#include <time.h>
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

/* ---- whoever comes while others clear away */

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Runs a command in the background after some time; what it is worth is seen from what it did. */
static pid_t later(unsigned ms, const char *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		lab_child();
		(void)usleep(ms * 1000);
		_exit(lab_try("%s", command));
	}
	return pid;
}

static void the_sweep_waits_for_a_veth_that_is_on_its_way_out(void **state)
{
	(void)state;
	lab_sh("ip link set veth9 alias 'naru:0123456789abcdef net/c1/eth0';"
	       "ip link set veth9 master ours");
	pid_t pid = later(60, "ip link del veth9");

	assert_int_equal(sweep(), 1);
	assert_int_equal(lab_try("ip link show ours"), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_sweep_does_not_wait_for_ever_nor_for_those_that_are_up(void **state)
{
	int64_t start = now_ms();

	(void)state;
	lab_sh("ip link set veth9 alias 'naru:0123456789abcdef net/c1/eth0';"
	       "ip link set veth9 master ours up");
	assert_int_equal(sweep(), 0);
	assert_true(now_ms() - start < 290 + 500);
	lab_sh("ip link set veth9 down");
	start = now_ms();
	assert_int_equal(sweep(), 0);
	assert_true(now_ms() - start >= 290);
	lab_sh("ip link show ours");
}

static void the_sweep_waits_for_whoever_attaches(void **state)
{
	int held = furniture_hold(), st;

	(void)state;
	assert_true(held >= 0);
	/* two at once do not disturb each other */
	int other = furniture_hold();
	assert_true(other >= 0);
	(void)close(other);
	pid_t pid = fork();
	if (pid == 0) { /* the sweeper, in another process */
		lab_child();
		cleanup_nl struct nl nl = NL_INIT;
		unsigned removed = 0;

		(void)close(held);
		if (nl_open(&nl, NETLINK_ROUTE, -1, "host", NULL) < 0 ||
		    furniture_sweep(&nl, &removed, NULL) < 0)
			_exit(99);
		_exit((int)removed);
	}
	(void)usleep(100000);
	lab_sh("ip link show ours"); /* what we have just found is still there */
	lab_sh("ip link set veth9 master ours");
	(void)close(held);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(WEXITSTATUS(st), 0);
	lab_sh("ip link show ours");
}

static void who_attaches_for_long_is_left_alone(void **state)
{
	int held = furniture_hold();
	int64_t start = now_ms();

	(void)state;
	assert_int_equal(sweep(), 0);
	assert_true(now_ms() - start >= 1900);
	lab_sh("ip link show ours");
	(void)close(held);
	assert_int_equal(sweep(), 1);
}

/* A gateway's port is no user of its bridge, and goes before it. */
static void gateways_go_with_the_last_attachment(void **state)
{
	(void)state;
	lab_sh("ip link add ours.5 type veth peer name vb1; ip link set vb1 alias 'naru:gateway net';"
	       "ip link set vb1 master ours; ip link add foreign.5 type veth peer name vb2;"
	       "ip link set vb2 alias 'naru:gateway net'; ip link set vb2 master foreign;"
	       "ip link add up0 type veth peer name up1; ip link set up0 master foreign;"
	       "ip link set veth9 alias 'naru:0123456789abcdef net/c1/eth0';"
	       "ip link set veth9 master ours up; ip link add vb3 type veth peer name vb4;"
	       "ip link set vb3 alias 'naru:gateway net'");
	assert_int_equal(sweep(), 2); /* that of foreign, and the one without a bridge */
	lab_sh("ip link show ours.5 && ! ip link show foreign.5 2>/dev/null && ip link show foreign");
	lab_sh("ip link del veth9");
	assert_int_equal(sweep(), 2);
	lab_sh("! ip link show ours.5 2>/dev/null && ! ip link show ours 2>/dev/null;"
	       "ip link del up0");
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
		IN_LAB(the_sweep_waits_for_a_veth_that_is_on_its_way_out),
		IN_LAB(the_sweep_does_not_wait_for_ever_nor_for_those_that_are_up),
		IN_LAB(the_sweep_waits_for_whoever_attaches),
		IN_LAB(who_attaches_for_long_is_left_alone),
		IN_LAB(gateways_go_with_the_last_attachment),
		IN_LAB(a_note_cut_off_before_its_value_changes_nothing),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
