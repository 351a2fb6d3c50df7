// SPDX-License-Identifier: GPL-2.0-or-later
/* Source NAT, as ipMasq of bridge and veth and as a plugin of its own: who is seen by whom. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))

static struct traffic_server outside[4];

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_outside();
	traffic_serve(&outside[0], "outside", TRAFFIC_TCP, "0.0.0.0", 80, "out");
	traffic_serve(&outside[1], "outside", TRAFFIC_TCP, "::", 80, "out");
	traffic_serve(&outside[2], "outside", TRAFFIC_UDP, "0.0.0.0", 53, "out");
	traffic_serve(&outside[3], "outside", TRAFFIC_UDP, "::", 53, "out");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		traffic_stop(&outside[i]);
	return 0;
}

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

#define RANGES \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]," \
	"[{'subnet':'fd00:1::/64'}]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}"
#define BRIDGE "{'type':'bridge','bridge':'br0','isGateway':true," RANGES "}"
#define BRIDGE_MASQ "{'type':'bridge','bridge':'br0','isGateway':true,'ipMasq':true," RANGES "}"
#define VETH_MASQ "{'type':'veth','ipMasq':true," RANGES "}"
#define MASQUERADE "{'type':'masquerade'}"

/* A chain in text with apostrophes; at most two plugins. */
struct attached {
	struct lab_chain chain;
	const char *plugins[3];
};

static void prepare(struct attached *a, const char *cid, const char *one, const char *two)
{
	*a = (struct attached){ .chain = { .cid = cid } };
	a->plugins[0] = jsonf("%s", one);
	a->plugins[1] = two ? jsonf("%s", two) : NULL;
	a->chain.plugins = a->plugins;
	a->chain.netns = textf(LAB_NETNS("%s"), cid);
}

static void attach(struct attached *a, const char *cid, const char *one, const char *two)
{
	prepare(a, cid, one, two);
	if (lab_chain_add(&a->chain))
		lab_fail("ADD: %s%s", a->chain.last.out, a->chain.last.err);
	lab_carrier(cid, "eth0");
}

static void detach(struct attached *a)
{
	if (lab_chain_del(&a->chain))
		lab_fail("DEL: %s%s", a->chain.last.out, a->chain.last.err);
	lab_chain_clear(&a->chain);
}

static void seen_outside_as(const char *from, const char *v4, const char *v6)
{
	char peer[INET6_ADDRSTRLEN];

	assert_int_equal(tcp_fetch(from, LAB_OUTSIDE_V4, 80, 2000, peer), 0);
	assert_string_equal(peer, v4);
	assert_int_equal(tcp_fetch(from, LAB_OUTSIDE_V6, 80, 2000, peer), 0);
	assert_string_equal(peer, v6);
	assert_int_equal(udp_fetch(from, LAB_OUTSIDE_V4, 53, 2000, peer), 0);
	assert_string_equal(peer, v4);
	assert_int_equal(udp_fetch(from, LAB_OUTSIDE_V6, 53, 2000, peer), 0);
	assert_string_equal(peer, v6);
}

static void outside_sees_the_hosts_address(void **state)
{
	static const struct {
		const char *one, *two;
	} ways[] = { { BRIDGE_MASQ, NULL }, { BRIDGE, MASQUERADE }, { VETH_MASQ, NULL } };

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		struct attached a;

		attach(&a, "c1", ways[i].one, ways[i].two);
		seen_outside_as("c1", LAB_HOST_V4, LAB_HOST_V6);
		detach(&a);
		lab_sh("! nft list ruleset | grep -q c1/");
	}
}

static void without_masquerade_outside_sees_the_container(void **state)
{
	struct attached a;

	(void)state;
	attach(&a, "c1", BRIDGE, NULL);
	seen_outside_as("c1", "10.1.0.2", "fd00:1::2");
	detach(&a);
}

static void containers_of_a_subnet_see_each_other_as_they_are(void **state)
{
	struct attached a, b;
	struct traffic_server s[2];
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	attach(&a, "c1", BRIDGE, MASQUERADE);
	attach(&b, "c2", BRIDGE, MASQUERADE);
	traffic_serve(&s[0], "c2", TRAFFIC_TCP, "0.0.0.0", 80, "two");
	traffic_serve(&s[1], "c2", TRAFFIC_TCP, "::", 80, "two");
	assert_int_equal(tcp_fetch("c1", "10.1.0.3", 80, 1000, peer), 0);
	assert_string_equal(peer, "10.1.0.2");
	assert_int_equal(tcp_fetch("c1", "fd00:1::3", 80, 1000, peer), 0);
	assert_string_equal(peer, "fd00:1::2");
	assert_int_equal(tcp_fetch(NULL, "10.1.0.3", 80, 1000, peer), 0);
	assert_string_equal(peer, "10.1.0.1");
	traffic_stop(&s[0]);
	traffic_stop(&s[1]);
	detach(&a);
	detach(&b);
}

static void one_container_goes_and_the_other_stays_masqueraded(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", BRIDGE_MASQ, NULL);
	attach(&b, "c2", BRIDGE_MASQ, NULL);
	detach(&a);
	seen_outside_as("c2", LAB_HOST_V4, LAB_HOST_V6);
	attach(&a, "c1", BRIDGE, NULL); /* the same bridge, without */

	char peer[INET6_ADDRSTRLEN];

	assert_int_equal(tcp_fetch("c1", LAB_OUTSIDE_V4, 80, 2000, peer), 0);
	assert_string_equal(peer, "10.1.0.4"); /* nothing of the first one clings to anybody */
	seen_outside_as("c2", LAB_HOST_V4, LAB_HOST_V6);
	detach(&a);
	detach(&b);
}

static void multicast_is_left_alone(void **state)
{
	struct attached a;

	(void)state;
	attach(&a, "c1", BRIDGE_MASQ, NULL);
	lab_sh("nft list chain inet naru postrouting | grep -q 'ip daddr 224.0.0.0/4 return'");
	lab_sh("nft list chain inet naru postrouting | grep -q 'ip6 daddr ff00::/8 return'");
	detach(&a);
}

static void it_passes_the_previous_result_on_unchanged(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", BRIDGE, MASQUERADE);

	const char *chained = textf("%s", a.chain.result);

	detach(&a);
	lab_sh("rm -rf /var/lib/cni/networks");
	attach(&b, "c1", BRIDGE, NULL);
	assert_string_equal(text_folded(chained), text_folded(b.chain.result));
	detach(&b);
}

static void check_notices_what_is_missing(void **state)
{
	static const char *const tampers[] = {
		"nft delete element inet naru masq-10.1.0.0-24 { 10.1.0.2 }",
		"nft delete element inet naru masq-fd00_1__-64 { fd00:1::2 }",
		"nft flush chain inet naru postrouting",
		"nft delete table inet naru",
		"nft flush ruleset",
	};

	(void)state;
	for (size_t i = 0; i < LEN(tampers); i++) {
		struct attached a;

		attach(&a, "c1", BRIDGE, MASQUERADE);
		assert_int_equal(lab_chain_check(&a.chain), 0);
		lab_sh("%s", tampers[i]);
		assert_int_equal(lab_chain_check(&a.chain), 1);
		assert_int_equal(a.chain.failed, 1);
		call_refused("masquerade CHECK", &a.chain.last, 102, "");
		detach(&a);
		call_reset_host();
	}
}

static void del_needs_neither_namespace_nor_previous_result(void **state)
{
	static const struct {
		const char *netns;
		bool prev;
	} t[] = { { "", true }, { "", false }, { "/run/netns/gone", true }, { "c1", false } };

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		struct attached a;

		attach(&a, "c1", BRIDGE, MASQUERADE);

		const char *c = jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'masquerade'}");

		if (t[i].prev)
			c = text_keep(json_with(c, "prevResult", a.chain.result));
		ok("masquerade", "DEL", c, .netns = t[i].netns);
		ok("masquerade", "DEL", c, .netns = t[i].netns);
		lab_sh("! nft list ruleset | grep -q c1/");
		detach(&a);
	}
}

static void gc_keeps_the_listed(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", BRIDGE, MASQUERADE);
	attach(&b, "c2", BRIDGE, MASQUERADE);
	ok("masquerade", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'masquerade',"
		 "'cni.dev/valid-attachments':[{'containerID':'c2','ifname':'eth0'}]}"));
	lab_sh("! nft list ruleset | grep -q c1/ && nft list ruleset | grep -q c2/");
	ok("masquerade", "STATUS", jsonf("{'cniVersion':'1.1.0','name':'labnet'}"));
	detach(&a);
	detach(&b);
}

/* An address has one owner: what a predecessor left does not catch the successor's packets. */
static void an_address_taken_over_is_the_new_owners(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", BRIDGE_MASQ, NULL);
	lab_sh("rm /var/lib/cni/networks/labnet/10.1.0.2 /var/lib/cni/networks/labnet/fd00:1::2");
	lab_sh("rm /var/lib/cni/networks/labnet/last_reserved_ip.*; ip -n c1 link del eth0");
	attach(&b, "c2", BRIDGE_MASQ, NULL);
	lab_sh("nft list ruleset | grep '10.1.0.2 ' | grep -q c2/eth0");
	detach(&a);
	lab_sh("nft list ruleset | grep '10.1.0.2 ' | grep -q c2/eth0");
	seen_outside_as("c2", LAB_HOST_V4, LAB_HOST_V6);
	detach(&b);
}

/* A firewall that may not be changed, or is not there, is found out before the first ADD. */
static void status_asks_the_firewall(void **state)
{
	const char *conf = jsonf("{'cniVersion':'1.1.0','name':'net1','type':'masquerade'}");

	(void)state;
	ok("masquerade", "STATUS", conf);
	if (lab_try("setpriv --bounding-set=-net_admin true"))
		lab_skip("no setpriv here");
	char *out = lab_out("echo '%s' | CNI_COMMAND=STATUS CNI_PATH=/x setpriv "
			    "--bounding-set=-net_admin %s/masquerade || true",
			    conf, lab_bin());
	assert_string_equal(at(out, "/code"), "50");
	assert_non_null(strstr(out, "the firewall may be changed by root only"));
	free(out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(outside_sees_the_hosts_address),
		T(without_masquerade_outside_sees_the_container),
		T(containers_of_a_subnet_see_each_other_as_they_are),
		T(one_container_goes_and_the_other_stays_masqueraded),
		T(multicast_is_left_alone),
		T(it_passes_the_previous_result_on_unchanged),
		T(check_notices_what_is_missing),
		T(del_needs_neither_namespace_nor_previous_result),
		T(gc_keeps_the_listed),
		T(an_address_taken_over_is_the_new_owners),
		T(status_asks_the_firewall),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
