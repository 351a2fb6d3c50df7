// SPDX-License-Identifier: GPL-2.0-or-later
/* DHCPv6, alone and beside DHCPv4, against dnsmasq. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/call.h"
#include "tests/lib/dhcp.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#define RANGE6 "--dhcp-range=2001:db8:2::50,2001:db8:2::59,64,120 "
#define SIX "2001:db8:2::5"

static int setup(void **state)
{
	(void)dhcp_setup_bare(state);
	lab_sh("ip -6 addr add 2001:db8:2::1/64 dev br0 nodad");
	dhcp_serve(DHCP_RANGE RANGE6
		   "--dhcp-option=option6:dns-server,[2001:db8::53] "
		   "--dhcp-option=option6:domain-search,six.example --dhcp-option=6,192.0.2.53");
	dhcp_daemon_start("");
	return 0;
}

static void both_families_are_leased_kept_and_given_back(void **state)
{
	const char *c = jsonf(DHCP_CONF("1.1.0", ",'ipv6':true", ""));
	const char *result = ok("bridge", "ADD", c);
	const char *with = text_keep(json_with(c, "prevResult", result));

	(void)state;
	assert_int_equal(strncmp(at(result, "/ips/0/address"), "192.0.2.5", 9), 0);
	assert_int_equal(strncmp(at(result, "/ips/1/address"), SIX, strlen(SIX)), 0);
	assert_non_null(strstr(at(result, "/ips/1/address"), "/128"));
	assert_string_equal(at(result, "/dns/nameservers/0"), "192.0.2.53");
	assert_string_equal(at(result, "/dns/nameservers/1"), "2001:db8::53");
	assert_string_equal(at(result, "/dns/search/0"), "six.example");
	lab_sh_in("c1", "ip -6 -o addr show eth0 | grep -qF " SIX);
	assert_true(dhcp_leased(SIX) && dhcp_leased("192.0.2.5"));
	ok("bridge", "CHECK", with);
	dhcp_daemon_stop(SIGKILL);
	dhcp_daemon_start("");
	ok("bridge", "CHECK", with);
	fails(102, "dhcp: expected the leased address " SIX, "dhcp", "CHECK",
	      text_replaced(with, SIX, "2001:db8:9::5"));
	ok("bridge", "DEL", c);
	dhcp_await_lease(SIX, false);
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
}

static void ipv6_may_be_alone(void **state)
{
	const char *c = jsonf(DHCP_CONF("1.1.0", ",'ipv6':true,'ipv4':false", ""));

	(void)state;
	fails(7, "/ipam/ipv4: expected true when \\\"ipv6\\\" is not", "dhcp", "ADD",
	      jsonf(DHCP_CONF("1.1.0", ",'ipv4':false", "")));
	/* the runtime may have switched IPv6 off for what comes */
	lab_sh_in("c1", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	const char *result = ok("bridge", "ADD", c);

	assert_int_equal(json_count(result, "/ips"), 1);
	assert_false(dhcp_leased("192.0.2.5"));
	/* the same attachment gets the same address */
	const char *address = at(result, "/ips/0/address");

	ok("bridge", "DEL", c);
	dhcp_await_lease(SIX, false);
	result = ok("bridge", "ADD", c);
	assert_string_equal(at(result, "/ips/0/address"), address);
	lab_sh("umount -l /run/netns/c1; rm /run/netns/c1");
	dhcp_await_lease(SIX, false);
	dhcp_no_record();
}

static void a_server_for_one_family_only_is_not_enough(void **state)
{
	(void)state;
	dhcp_server_kill();
	dhcp_daemon_stop(SIGTERM);
	lab_sh(": > /run/dm/log; rm -f " DHCP_LEASES);
	dhcp_serve(DHCP_RANGE);
	dhcp_daemon_start("-resendtimeout 3s");
	fails(11, "no more tries: no DHCP server gave an address to interface eth0", "bridge",
	      "ADD", jsonf(DHCP_CONF("1.1.0", ",'ipv6':true", "")));
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, dhcp_teardown)
	const struct CMUnitTest tests[] = {
		T(both_families_are_leased_kept_and_given_back),
		T(ipv6_may_be_alone),
		T(a_server_for_one_family_only_is_not_enough),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
