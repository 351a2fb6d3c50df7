// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dhcp against a real server: dnsmasq serves on a bridge, the bridge plugin attaches containers,
 * and what the server says it has given away is what is looked at.
 */
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

#define LEN(a) (sizeof(a) / sizeof *(a))

/* ---- attaching */

static void add_gives_the_address_and_all_else_that_the_server_says(void **state)
{
	const char *c = jsonf(DHCP_CONF("1.1.0", ",'priority':7", ""));
	const char *result = ok("bridge", "ADD", c);
	const char *address = at(result, "/ips/0/address");

	(void)state;
	assert_int_equal(strncmp(address, "192.0.2.5", 9), 0);
	assert_non_null(strstr(address, "/24"));
	assert_string_equal(at(result, "/ips/0/gateway"), "192.0.2.1");
	assert_string_equal(at(result, "/routes/0/dst"), "0.0.0.0/0");
	assert_string_equal(at(result, "/routes/0/gw"), "192.0.2.1");
	assert_string_equal(at(result, "/routes/0/priority"), "7");
	assert_string_equal(at(result, "/dns/nameservers/0"), "192.0.2.53");
	assert_string_equal(at(result, "/dns/nameservers/1"), "192.0.2.54");
	assert_string_equal(at(result, "/dns/domain"), "a.example");
	assert_string_equal(at(result, "/dns/search/1"), "c.b.example");
	/* the client identifier is the reference's: zero, container/network/interface */
	assert_true(dhcp_leased("00:63:31:2f:6e:65:74:31:2f:65:74:68:30"));
	lab_sh_in("c1", "ip -o addr show eth0 | grep -qF '%s'", address);
	lab_sh_in("c1", "busybox ping -c1 -W2 192.0.2.1 >/dev/null");
	const char *with = text_keep(json_with(c, "prevResult", result));

	ok("bridge", "CHECK", with);
	ok("bridge", "DEL", with);
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
	fails(102, "dhcp: expected a lease for interface eth0 of container c1, found none", "dhcp",
	      "CHECK", with);
}

static void every_version_has_its_form(void **state)
{
	static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
						"0.4.0", "1.0.0", "1.1.0" };

	(void)state;
	for (size_t i = 0; i < LEN(versions); i++) {
		const char *c = text_replaced(dhcp_conf(), "1.1.0", versions[i]);
		const char *result = ok("bridge", "ADD", c);

		assert_string_equal(at(result, "/cniVersion"), versions[i]);
		(void)at(result, i < 2 ? "/ip4/ip" : "/ips/0/address");
		(void)at(result, i < 2 ? "/ip4/routes/0/gw" : "/routes/0/gw");
		ok("bridge", "DEL", c);
		dhcp_await_lease("192.0.2.5", false);
	}
}

static void del_may_come_twice_before_add_and_without_the_namespace(void **state)
{
	const char *c = dhcp_conf();

	(void)state;
	ok("bridge", "DEL", c);
	ok("bridge", "ADD", c);
	lab_sh("umount -l /run/netns/c1; rm /run/netns/c1");
	ok("bridge", "DEL", c, .netns = "");
	ok("bridge", "DEL", c, .netns = "");
	/* given back although it is gone: the daemon's socket kept it */
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
}

static void a_container_that_goes_without_del_gives_its_lease_back(void **state)
{
	(void)state;
	ok("bridge", "ADD", dhcp_conf());
	assert_true(dhcp_leased("192.0.2.5"));
	lab_sh("umount -l /run/netns/c1; rm /run/netns/c1");
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
	for (int i = 0; i < 100 && lab_try("ip link | grep -q veth") == 0; i++)
		(void)usleep(20000);
	assert_int_not_equal(lab_try("ip link | grep -q veth"), 0);
}

static void two_at_once_get_different_addresses(void **state)
{
	const char *c = dhcp_conf();

	(void)state;
	lab_netns_new("c2");
	lab_sh("for c in c1 c2; do echo '%s' | CNI_COMMAND=ADD CNI_CONTAINERID=$c CNI_NETNS=/run/netns/$c "
	       "CNI_IFNAME=eth0 CNI_PATH=%s %s/bridge > /run/result.$c & done; wait",
	       c, lab_bin(), lab_bin());
	const char *a = at(text_keep(lab_out("cat /run/result.c1")), "/ips/0/address"),
		   *b = at(text_keep(lab_out("cat /run/result.c2")), "/ips/0/address");

	assert_string_not_equal(a, b);
	ok("bridge", "DEL", c);
	dhcp_await_lease("00:63:31:2f", false);
	assert_true(dhcp_leased("00:63:32:2f"));
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	dhcp_await_lease("192.0.2.5", false);
	lab_netns_del("c2");
}

static void gc_gives_back_what_is_not_valid(void **state)
{
	const char *c = dhcp_conf();

	(void)state;
	lab_netns_new("c2");
	ok("bridge", "ADD", c);
	ok("bridge", "ADD", c, .cid = "c2", .netns = "c2");
	ok("dhcp", "GC",
	   text_keep(json_with(c, "cni.dev/valid-attachments",
			       jsonf("[{'containerID':'c2','ifname':'eth0'}]"))));
	dhcp_await_lease("00:63:31:2f", false);
	assert_true(dhcp_leased("00:63:32:2f"));
	ok("dhcp", "GC", text_keep(json_with(c, "cni.dev/valid-attachments", "[]")));
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
	ok("bridge", "DEL", c);
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	lab_netns_del("c2");
}

/* ---- options */

static void options_are_provided_and_asked_for_as_configured(void **state)
{
	const char *c = jsonf(DHCP_CONF(
		"1.1.0",
		",'provide':[{'option':'host-name','value':'plain','fromArg':'K8S_POD_NAME'},"
		"{'option':'60','value':'naru'},{'option':'dhcp-client-identifier','value':'me'}],"
		"'request':[{'option':'subnet-mask','skipDefault':true},{'option':'3'}]",
		""));
	const char *result =
		ok("bridge", "ADD", c, .args = "IgnoreUnknown=1;K8S_POD_NAME=pod-1;X=a");
	char *dns = json_find(result, "/dns");

	(void)state;
	assert_true(dhcp_leased(" pod-1 6d:65")); /* its name, and "me" */
	assert_null(dns);			  /* was not asked for */
	assert_string_equal(at(result, "/routes/0/gw"), "192.0.2.1");
	ok("bridge", "DEL", c);
	dhcp_await_lease("pod-1", false);
}

static void classless_routes_replace_the_router(void **state)
{
	(void)dhcp_setup_bare(state);
	dhcp_serve(DHCP_RANGE "--dhcp-option=121,10.9.0.0/16,192.0.2.9,10.8.1.0/24,0.0.0.0 "
			      "--dhcp-option=3,192.0.2.7");
	dhcp_daemon_start("-broadcast");
	const char *result = ok("bridge", "ADD", dhcp_conf());

	assert_string_equal(at(result, "/ips/0/gateway"), "192.0.2.7");
	assert_int_equal(json_count(result, "/routes"), 2);
	assert_string_equal(at(result, "/routes/0/dst"), "10.9.0.0/16");
	assert_string_equal(at(result, "/routes/0/gw"), "192.0.2.9");
	assert_string_equal(at(result, "/routes/1/dst"), "10.8.1.0/24");
	assert_string_equal(at(result, "/routes/1/scope"), "253");
	lab_sh_in("c1", "ip route show 10.8.1.0/24 | grep -q 'scope link'");
	ok("bridge", "DEL", dhcp_conf());
}

static void a_wrong_configuration_is_refused_by_name(void **state)
{
	static const struct {
		const char *ipam, *words;
	} cases[] = {
		{ ",'provide':[{'option':'nonsense'}]",
		  "/ipam/provide/0/option: Can not parse option \\\"nonsense\\\": expected 0..255" },
		{ ",'provide':[{'value':'x'}]",
		  "/ipam/provide/0/option: Can not parse option \\\"\\\"" },
		{ ",'provide':[{'option':'53','value':'x'}]",
		  "/ipam/provide/0/option: option 53 is the client's own; leave it out" },
		{ ",'request':[{'option':'256'}]",
		  "/ipam/request/0/option: Can not parse option \\\"256\\\"" },
		{ ",'request':{}", "/ipam/request: expected array of objects, got object" },
		{ ",'priority':-1", "/ipam/priority: expected integer 0..4294967295" },
		{ ",'daemonSocketPath':5", "/ipam/daemonSocketPath: expected string" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		fails(7, cases[i].words, "dhcp", "ADD",
		      text_replaced(dhcp_conf(), "\"type\":\"dhcp\"",
				    jsonf("'type':'dhcp'%s", cases[i].ipam)));
	fails(7, "/ipam: IPAM config missing 'ipam' key", "dhcp", "ADD",
	      jsonf("{'cniVersion':'1.1.0','name':'net1'}"));
	fails(7, "value too long for option \\\"12\\\": expected at most 255 bytes, got 300",
	      "dhcp", "ADD",
	      text_replaced(dhcp_conf(), "\"type\":\"dhcp\"",
			    jsonf("'provide':[{'option':'12','value':'%0300d'}]", 0)));
	dhcp_no_record();
}

/* ---- time */

static long expiry(void)
{
	char *text = lab_out("cut -d' ' -f1 " DHCP_LEASES);
	long t = atol(text);

	free(text);
	return t;
}

static void await_renewal(long before)
{
	for (int i = 0; i < 300; i++) {
		if (expiry() > before)
			return;
		(void)usleep(20000);
	}
	lab_fail("the lease was not renewed: %s", text_keep(lab_out("tail -20 /run/dm/log")));
}

static void a_lease_is_renewed_also_by_the_next_daemon(void **state)
{
	const char *c = dhcp_conf();

	(void)dhcp_setup_bare(state);
	dhcp_serve(DHCP_RANGE "--dhcp-option=58,3");
	dhcp_daemon_start("");
	ok("bridge", "ADD", c);
	await_renewal(expiry());
	dhcp_daemon_stop(SIGKILL);
	long before = expiry();

	dhcp_daemon_start("");
	await_renewal(before);
	const char *prev = jsonf("{'cniVersion':'1.1.0','ips':[{'address':'192.0.2.9/24'}]}");

	ok("dhcp", "CHECK", c);
	fails(102, "dhcp: expected the leased address 192.0.2.5", "dhcp", "CHECK",
	      text_keep(json_with(c, "prevResult", prev)));
	ok("bridge", "DEL", c);
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
}

/* The server says no to what was given: the address must not be used on. */
static void a_lease_that_is_taken_back_sets_the_interface_down(void **state)
{
	(void)dhcp_setup_bare(state);
	dhcp_serve(DHCP_RANGE "--dhcp-option=58,3");
	dhcp_daemon_start("");
	ok("bridge", "ADD", dhcp_conf());
	dhcp_server_kill();
	lab_sh("rm " DHCP_LEASES
	       "; ip addr flush dev br0; ip addr add 192.0.2.1/24 dev br0; : > /run/dm/log");
	dhcp_serve("--dhcp-range=192.0.2.80,192.0.2.89,120");
	for (int i = 0; i < 300 && lab_try_in("c1", "ip link show eth0 | grep -q UP") == 0; i++)
		(void)usleep(20000);
	assert_int_not_equal(lab_try_in("c1", "ip link show eth0 | grep -q ',UP'"), 0);
	dhcp_no_record();
	ok("bridge", "DEL", dhcp_conf());
}

static void a_silent_server_is_waited_for_and_named(void **state)
{
	(void)dhcp_setup_bare(state);
	dhcp_daemon_start("-resendtimeout 1500ms -timeout=1s --resendmax 1s");
	const char *e = fails(11,
			      "no more tries: no DHCP server gave an address to interface eth0 in "
			      "/run/netns/c1 within 1.5 s; ",
			      "bridge", "ADD", dhcp_conf());

	assert_non_null(strstr(at(e, "/details"), "is a DHCP server on the link"));
	dhcp_no_record();
	assert_int_not_equal(lab_try_in("c1", "ip link show eth0"), 0);
	fails(3, "failed to open netns", "dhcp", "ADD", dhcp_conf(), .netns = "/run/netns/none");
	fails(999, "", "dhcp", "ADD", dhcp_conf(), .ifname = "none0");
}

static void the_only_address_is_one_containers_until_it_is_given_back(void **state)
{
	const char *c = dhcp_conf();

	(void)dhcp_setup_bare(state);
	dhcp_serve("--dhcp-range=192.0.2.50,192.0.2.50,120");
	dhcp_daemon_start("-resendtimeout 4s -timeout=1s --resendmax 1s");
	lab_netns_new("c2");
	ok("bridge", "ADD", c);
	fails(11, "no more tries", "bridge", "ADD", c, .cid = "c2", .netns = "c2");
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	assert_true(dhcp_leased("00:63:31:2f"));
	ok("bridge", "DEL", c);
	dhcp_await_lease("00:63:31:2f", false);
	assert_string_equal(at(ok("bridge", "ADD", c, .cid = "c2", .netns = "c2"),
			       "/ips/0/address"),
			    "192.0.2.50/24");
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	lab_netns_del("c2");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_setup, dhcp_teardown)
#define BARE(f) cmocka_unit_test_teardown(f, dhcp_teardown)
	const struct CMUnitTest tests[] = {
		T(add_gives_the_address_and_all_else_that_the_server_says),
		T(every_version_has_its_form),
		T(del_may_come_twice_before_add_and_without_the_namespace),
		T(a_container_that_goes_without_del_gives_its_lease_back),
		T(two_at_once_get_different_addresses),
		T(gc_gives_back_what_is_not_valid),
		T(options_are_provided_and_asked_for_as_configured),
		BARE(classless_routes_replace_the_router),
		T(a_wrong_configuration_is_refused_by_name),
		BARE(a_lease_is_renewed_also_by_the_next_daemon),
		BARE(a_lease_that_is_taken_back_sets_the_interface_down),
		BARE(a_silent_server_is_waited_for_and_named),
		BARE(the_only_address_is_one_containers_until_it_is_given_back),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
