// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CHECK of bridge+masquerade from outside: quiet on what ADD made, and loud, naming what it
 * expected and found, on everything that was tampered with (reliability matrix D6).
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
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

#define SNAP (SNAPSHOT_ALL)

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	return 0;
}

static const char *conf_of(const char *version)
{
	return jsonf("{'cniVersion':'%s','name':'net1','type':'bridge','bridge':'br0','mtu':1400,"
		     "'isDefaultGateway':true,'ipMasq':true,'hairpinMode':true,"
		     "'ipam':{'type':'host-local','routes':[{'dst':'10.99.0.0/16'}],"
		     "'ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]]}}",
		     version);
}

static const char *checked(const char *version, const char *result)
{
	return text_keep(json_with(conf_of(version), "prevResult", result));
}

static void what_add_made_is_in_order_in_every_version_that_has_check(void **state)
{
	static const char *const versions[] = { "0.4.0", "1.0.0", "1.1.0" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char *c = checked(versions[i], ok("bridge", "ADD", conf_of(versions[i])));
		char *before = snapshot_take(SNAP, "c1");

		ok("bridge", "CHECK", c);
		assert_untouched(before, SNAP, "c1"); /* and writes nothing */
		free(before);
		ok("bridge", "DEL", c);
	}
}

/* By @veth the host end is meant. */
struct tamper {
	const char *what, *host, *container;
	const char *says; /* words of the complaint */
};

static const struct tamper tampers[] = {
	{ "bridge down", "ip link set br0 down", NULL, "bridge br0: expected up, found down" },
	{ "bridge gone", "ip link del br0", NULL, "bridge br0: expected on the host, found none" },
	{ "bridge replaced by a veth", "ip link del br0; ip link add br0 type veth peer vb1", NULL,
	  "interface br0: expected kind bridge, found veth" },
	{ "gateway address removed", "ip addr del 10.1.0.1/24 dev br0", NULL,
	  "bridge br0: expected the gateway address 10.1.0.1/24" },
	{ "gateway address of IPv6 removed", "ip addr del fd00:1::1/64 dev br0", NULL,
	  "bridge br0: expected the gateway address fd00:1::1/64" },
	{ "gateway address with another length",
	  "ip addr del 10.1.0.1/24 dev br0; ip addr add 10.1.0.1/25 dev br0", NULL,
	  "bridge br0: expected the gateway address 10.1.0.1/24" },
	{ "forwarding off", "echo 0 > /proc/sys/net/ipv4/ip_forward", NULL,
	  "sysctl net/ipv4/ip_forward: expected 1, found 0" },
	{ "forwarding of IPv6 off", "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding", NULL,
	  "sysctl net/ipv6/conf/all/forwarding: expected 1, found 0" },
	{ "host end down", "ip link set @veth down", NULL, "expected up, found down" },
	{ "host end off the bridge", "ip link set @veth nomaster", NULL, "expected on bridge br0" },
	{ "host end on another bridge", "ip link add br7 type bridge; ip link set @veth master br7",
	  NULL, "expected on bridge br0" },
	{ "host end with another MTU", "ip link set @veth mtu 1300", NULL,
	  "expected MTU 1400, found 1300" },
	{ "hairpin off", "echo 0 > /sys/class/net/@veth/brport/hairpin_mode", NULL,
	  "expected hairpin mode on, found off" },
	{ "host end renamed",
	  "ip link set @veth down; ip link set @veth name vb7; ip link set vb7 up", NULL,
	  "host interface of eth0" },
	{ "container's end down", NULL, "ip link set eth0 down",
	  "eth0 in the container: expected up" },
	{ "container's end renamed", NULL,
	  "ip link set eth0 down; ip link set eth0 name x0; ip link set x0 up",
	  "interface eth0: expected in the container, found none" },
	{ "container's end gone", NULL, "ip link del eth0", "" },
	{ "container's end replaced", NULL,
	  "ip link set eth0 down; ip link set eth0 name x0; ip link add eth0 type veth peer x1;"
	  "ip link set eth0 up; ip addr add 10.1.0.2/24 dev eth0",
	  "expected MAC" },
	{ "container's MAC", NULL, "ip link set eth0 address 02:00:00:00:00:09",
	  "interface eth0: expected MAC" },
	{ "container's MTU", NULL, "ip link set eth0 mtu 1300", "expected MTU 1400, found 1300" },
	{ "address removed", NULL, "ip addr del 10.1.0.2/24 dev eth0",
	  "interface eth0: expected address 10.1.0.2/24" },
	{ "address of IPv6 removed", NULL, "ip -6 addr del fd00:1::2/64 dev eth0",
	  "interface eth0: expected address fd00:1::2/64" },
	{ "address with another length", NULL,
	  "ip addr del 10.1.0.2/24 dev eth0; ip addr add 10.1.0.2/16 dev eth0",
	  "interface eth0: expected address 10.1.0.2/24" },
	{ "connected route removed", NULL, "ip route del 10.1.0.0/24", "10.1.0.0/24" },
	{ "route removed", NULL, "ip route del 10.99.0.0/16",
	  "interface eth0: expected route 10.99.0.0/16" },
	{ "route through another gateway", NULL, "ip route replace 10.99.0.0/16 via 10.1.0.9",
	  "interface eth0: expected route 10.99.0.0/16" },
	{ "default route removed", NULL, "ip route del default",
	  "interface eth0: expected route 0.0.0.0/0" },
	{ "default route of IPv6 removed", NULL, "ip -6 route del default",
	  "interface eth0: expected route ::/0" },
	{ "masquerade element of IPv4 removed",
	  "nft delete element inet naru masq-10.1.0.0-24 { 10.1.0.2 }", NULL, "10.1.0.2" },
	{ "masquerade element of IPv6 removed",
	  "nft delete element inet naru masq-fd00_1__-64 { fd00:1::2 }", NULL, "fd00:1::2" },
	{ "rules of a chain flushed", "nft flush chain inet naru postrouting", NULL,
	  "postrouting" },
	{ "table deleted", "nft delete table inet naru", NULL, "naru" },
	{ "whole ruleset flushed", "nft flush ruleset", NULL, "naru" },
	{ "element of another owner",
	  "nft delete element inet naru masq-10.1.0.0-24 { 10.1.0.2 };"
	  "nft add element inet naru masq-10.1.0.0-24 '{ 10.1.0.2 comment \"0 net1/cx/eth0\" }'",
	  NULL, "10.1.0.2" },
	{ "lease file deleted", "rm /var/lib/cni/networks/net1/10.1.0.2", NULL, "10.1.0.2" },
	{ "lease file emptied", ": > /var/lib/cni/networks/net1/10.1.0.2", NULL, "10.1.0.2" },
	{ "lease file of another container",
	  "rm /var/lib/cni/networks/net1/10.1.0.2;"
	  "printf 'cx\\r\\neth0' > /var/lib/cni/networks/net1/10.1.0.2",
	  NULL, "10.1.0.2" },
	{ "lease file with garbage",
	  "rm /var/lib/cni/networks/net1/10.1.0.2;"
	  "head -c 3000 /dev/urandom > /var/lib/cni/networks/net1/10.1.0.2",
	  NULL, "10.1.0.2" },
	{ "lease directory gone", "rm -rf /var/lib/cni/networks", NULL, "" },
};

static void check_notices_each_of_these(void **state)
{
	unsigned blind = 0;

	(void)state;
	for (size_t i = 0; i < sizeof tampers / sizeof *tampers; i++) {
		const struct tamper *t = &tampers[i];
		const char *result = ok("bridge", "ADD", conf_of("1.1.0"));
		const char *c = checked("1.1.0", result), *veth = at(result, "/interfaces/1/name");
		struct lab_result r;

		ok("bridge", "CHECK", c);
		if (t->host)
			lab_sh("%s", text_replaced(t->host, "@veth", veth));
		if (t->container)
			lab_sh_in("c1", "%s", t->container);

		const struct call call = { .plugin = "bridge", .verb = "CHECK", .conf = c };

		call_run(&call, &r);
		if (r.status == 1 && strstr(r.out, t->says) && json_is(r.out, "/code", "102")) {
			lab_result_clear(&r);
		} else {
			blind++;
			fprintf(stderr, "# %s: status %d, expected 102 \"%s\": %s\n", t->what,
				r.status, t->says, r.out);
		}
		/* however it was tampered with, the first DEL succeeds and leaves nothing */
		ok("bridge", "DEL", c);
		if (lab_try("! nft list ruleset | grep net1/c1"
			    "&& ! grep -rl ^c1 /var/lib/cni/networks 2>/dev/null"
			    "&& ! ip -o link | grep net1/c1") ||
		    lab_try_in("c1", "! ip link show eth0 2>/dev/null | grep @if"))
			lab_fail("%s: DEL left something", t->what);
		lab_sh_in("c1", "for l in x0 x1 eth0; do ip link del $l 2>/dev/null; done; true");
		call_reset_host();
	}
	assert_int_equal(blind, 0);
}

static void another_namespace_than_the_results_is_noticed(void **state)
{
	(void)state;
	const char *c = checked("1.1.0", ok("bridge", "ADD", conf_of("1.1.0")));

	fails(102, "expected in sandbox /run/netns/c1, CNI_NETNS is", "bridge", "CHECK", c,
	      .netns = "c2");
	fails(102, "Failed to find address added by container c1", "bridge", "CHECK", c,
	      .ifname = "eth1");
	fails(3, "no such namespace", "bridge", "CHECK", c, .netns = "gone");
	fails(4, "CNI_NETNS", "bridge", "CHECK", c, .netns = "");
	fails(7, "Required prevResult missing", "bridge", "CHECK", conf_of("1.1.0"));
}

/* prevResult may lie (reliability matrix J11): checked against the kernel, never followed. */
static void a_lying_previous_result_is_refused(void **state)
{
	static const struct {
		int code;
		const char *from, *to;
	} t[] = {
		{ 102, "10.1.0.2/24", "10.1.0.7/24" },
		{ 7, "\"interface\": 2", "\"interface\": 7" },
		{ 7, "\"interface\": 2", "\"interface\": -1" },
		{ 7, "\"interface\": 2", "\"interface\": 99999999999" },
		{ 7, "10.1.0.2/24", "10.1.0.2/33" },
		{ 7, "10.1.0.2/24", "nonsense" },
		{ 7, "\"gateway\": \"10.1.0.1\"", "\"gateway\": 5" },
		{ 7, "1.1.0", "0.4.0" },
		{ 7, "\"routes\": [", "\"routes\": [ 5, " },
		{ 7, "\"interfaces\": [", "\"interfaces\": [ \"x\", " },
	};

	(void)state;
	const char *result = ok("bridge", "ADD", conf_of("1.1.0"));

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		fails(t[i].code, "", "bridge", "CHECK",
		      checked("1.1.0", text_replaced(result, t[i].from, t[i].to)));
	ok("bridge", "CHECK", checked("1.1.0", result));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_add_made_is_in_order_in_every_version_that_has_check),
		T(check_notices_each_of_these),
		T(another_namespace_than_the_results_is_noticed),
		T(a_lying_previous_result_is_refused),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
