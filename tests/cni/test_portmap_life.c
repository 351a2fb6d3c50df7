// SPDX-License-Identifier: GPL-2.0-or-later
/* portmap from outside: how mappings end, what CHECK sees, whose flows are whose, refusals. */
#include "tests/lib/box.h"
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
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_outside();
	lab_sh("ip addr add 198.51.100.11/24 dev uplink0;"
	       "ip -6 addr add 2001:db8:ff::11/64 dev uplink0 nodad");
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
	lab_sh("conntrack -F 2>/dev/null");
	return 0;
}

/* ---- DEL */

static void del_finds_its_elements_by_owner(void **state)
{
	static const struct {
		const char *netns, *keys;
	} t[] = {
		{ "c1", "'x':1" },
		{ "", "'x':1" },
		{ "gone", "'prevResult':[],'runtimeConfig':{}" },
		{ "", "'prevResult':{'ips':5},'runtimeConfig':{'portMappings':[]}" },
		{ "", "'runtimeConfig':{'portMappings':[{'hostPort':1,'containerPort':2}]}" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		struct box a, b;

		/* an element of each kind, so that the subnet's sets are there */
		box_publish(&b, "c2",
			    "{'hostPort':81,'containerPort':80},"
			    "{'hostPort':7000,'containerPort':7000,'range':64}",
			    "");

		char *before = snapshot_take(SNAPSHOT_FW);

		box_publish(&a, "c1",
			    BOX_WEB "," BOX_DNS
				    ",{'hostPort':6000,'containerPort':6000,'range':64}",
			    "");
		for (int twice = 0; twice < 2; twice++)
			ok("portmap", "DEL",
			   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',%s}",
				 t[i].keys),
			   .netns = t[i].netns);
		assert_untouched(before, SNAPSHOT_FW);
		free(before);
		box_unpublish(&a);
		box_unpublish(&b);
	}
}

/* Notes of the host's settings are for what stays; a host end of a routed pair does not. */
static void a_routed_attachment_leaves_no_note_of_its_setting(void **state)
{
	struct box a;

	(void)state;
	box_prepare(&a, "c1", "{'hostPort':8081,'containerPort':80}", "");
	a.plugins[0] = jsonf("{'type':'veth','ipam':{'type':"
			     "'host-local','ranges':[[{'subnet':'10.2.0.0/24'}]]}}");
	assert_int_equal(lab_chain_add(&a.chain), 0);
	lab_sh("grep -q 1 /proc/sys/net/ipv4/conf/veth*/route_localnet");
	assert_int_equal(lab_chain_check(&a.chain), 0);
	box_unpublish(&a);
	lab_sh("! ls /run/naru/sysctl/*/ | grep route_localnet");
}

/* reference: DEL by container alone removes the other network's rules too. */
static void two_networks_of_one_container_keep_apart(void **state)
{
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, "");
	box_serve(&a);
	box_prepare(&b, "c1", "{'hostPort':8081,'containerPort':80}", "");
	b.plugins[0] = jsonf("{'type':'bridge','bridge':'br1','isGateway':true,'ipam':{'type':"
			     "'host-local','ranges':[[{'subnet':'10.2.0.0/24'}]]}}");
	b.chain.name = "other";
	b.chain.ifname = "eth1";
	assert_int_equal(lab_chain_add(&b.chain), 0);
	lab_sh_in("c1",
		  "ip rule add from 10.2.0.2 table 7 && ip route add default via 10.2.0.1 table 7");
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8081, 2000, NULL), 0);
	assert_int_equal(lab_chain_del(&b.chain), 0);
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_not_equal(tcp_fetch(NULL, LAB_HOST_V4, 8081, 150, NULL), 0);
	lab_chain_clear(&b.chain);
	box_unpublish(&a);
}

/* ---- conntrack: a UDP flow that began with one owner of the port goes on with the next */

static int ask_udp(uint16_t src_port, const char *server)
{
	struct traffic_answer a;
	const struct traffic_query q = { .netns = "outside",
					 .proto = TRAFFIC_UDP,
					 .addr = LAB_HOST_V4,
					 .port = 5353,
					 .src_port = src_port,
					 .timeout_ms = 400 };
	int r = traffic_ask(&q, &a);

	if (r == 0)
		assert_string_equal(a.server, server);
	return r;
}

static void a_udp_flow_follows_the_port_to_its_next_owner(void **state)
{
	struct traffic_server host;
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_DNS, "");
	box_serve(&a);
	assert_int_equal(ask_udp(4444, "c1"), 0);
	box_unpublish(&a);
	/* after DEL nothing of the flow is left: the host's own server gets it */
	lab_sh("! conntrack -L -p udp 2>/dev/null | grep 'dport=5353' | grep -q 10.1.0.2");
	traffic_serve(&host, NULL, TRAFFIC_UDP, "0.0.0.0", 5353, "host");
	assert_int_equal(ask_udp(4444, "host"), 0);
	/* and at ADD the flow to the host's server moves into the container */
	box_publish(&b, "c2", BOX_DNS, "");
	box_serve(&b);
	assert_int_equal(ask_udp(4444, "c2"), 0);
	traffic_stop(&host);
	box_unpublish(&b);
}

static void tcp_connections_of_others_survive_the_flush(void **state)
{
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_WEB "," BOX_DNS, "");
	box_serve(&a);
	assert_int_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_equal(udp_fetch("outside", LAB_HOST_V4, 5353, 2000, NULL), 0);
	box_publish(&b, "c2", "{'hostPort':5354,'containerPort':53,'protocol':'udp'}", "");
	lab_sh("conntrack -L -p udp 2>/dev/null | grep -q dport=5353");
	box_unpublish(&b);
	lab_sh("conntrack -L -p udp 2>/dev/null | grep -q dport=5353");
	lab_sh("conntrack -L -p tcp 2>/dev/null | grep -q dport=8080");
	box_unpublish(&a);
}

/* ---- CHECK, GC, passing through */

static void check_notices_what_is_missing(void **state)
{
	static const char *const tampers[] = {
		"nft delete element inet naru dnat4 { tcp . 8080 }",
		"nft delete element inet naru dnat6 { tcp . 8080 }",
		("nft delete element inet naru dnat4 { tcp . 8080 };"
		 "nft add element inet naru dnat4 { tcp . 8080 : 10.1.0.77 . 80 }"),
		"nft flush map inet naru range4",
		"nft flush chain inet naru hostports",
		"nft flush chain inet naru prerouting",
		"nft flush chain inet naru output",
		"nft flush chain inet naru guard",
		"nft flush chain inet naru postrouting",
		"nft delete table inet naru",
		"echo 0 > /proc/sys/net/ipv4/conf/br0/route_localnet",
	};
	unsigned blind = 0;

	(void)state;
	for (size_t i = 0; i < LEN(tampers); i++) {
		struct box a;

		box_publish(&a, "c1", BOX_WEB ",{'hostPort':6000,'containerPort':6000,'range':64}",
			    "");
		assert_int_equal(lab_chain_check(&a.chain), 0);
		lab_sh("%s", tampers[i]);
		if (lab_chain_check(&a.chain) != 1 || a.chain.failed != 1) {
			blind++;
			fprintf(stderr, "# unnoticed: %s\n", tampers[i]);
		} else {
			call_refused("portmap CHECK", &a.chain.last, 102, "");
		}
		box_unpublish(&a);
		call_reset_host();
	}
	assert_int_equal(blind, 0);
}

static void gc_keeps_the_listed(void **state)
{
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, "");
	box_publish(&b, "c2", BOX_DNS, "");
	ok("portmap", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',"
		 "'cni.dev/valid-attachments':[{'containerID':'c2','ifname':'eth0'}]}"));
	lab_sh("! nft list ruleset | grep -q c1/ && nft list ruleset | grep -q c2/");
	ok("portmap", "STATUS", jsonf("{'cniVersion':'1.1.0','name':'labnet'}"));
	box_unpublish(&a);
	box_unpublish(&b);
}

static void without_mappings_the_result_passes_through_and_nothing_is_made(void **state)
{
	struct box a;

	(void)state;
	box_publish(&a, "c1", "", "");
	lab_sh("! nft list ruleset | grep -q naru");
	assert_string_equal(at(a.chain.result, "/interfaces/2/name"), "eth0");
	assert_int_equal(lab_chain_check(&a.chain), 0);
	box_unpublish(&a);
}

static void what_cannot_be_is_refused_before_the_first_change(void **state)
{
#define RC(m) "'runtimeConfig':{'portMappings':[" m "]}"
	static const struct {
		int code;
		const char *words, *keys;
	} t[] = {
		{ 7, "/runtimeConfig/portMappings/0", RC("{'hostPort':0,'containerPort':80}") },
		{ 7, "/runtimeConfig/portMappings/0/hostPort: expected integer 1..65535, got 65536",
		  RC("{'hostPort':65536,'containerPort':80}") },
		{ 7, "/runtimeConfig/portMappings/0/containerPort",
		  RC("{'hostPort':1,'containerPort':-1}") },
		{ 7, "/runtimeConfig/portMappings/0", RC("{'hostPort':1}") },
		{ 7, "/runtimeConfig/portMappings/1", RC(BOX_WEB ",{'containerPort':1}") },
		{ 7, "protocol: expected tcp, udp or sctp, got \\\"icmp\\\"",
		  RC("{'hostPort':1,'containerPort':1,'protocol':'icmp'}") },
		{ 7, "protocol", RC("{'hostPort':1,'containerPort':1,'protocol':'tcp\\n drop'}") },
		{ 7, "/runtimeConfig/portMappings/0/hostIP",
		  RC("{'hostPort':1,'containerPort':1,'hostIP':'x'}") },
		{ 7, "/runtimeConfig/portMappings/0/hostIP",
		  RC("{'hostPort':1,'containerPort':1,'hostIP':'10.1.0.0/24'}") },
		{ 7, "ends beyond port 65535",
		  RC("{'hostPort':65000,'containerPort':1,'range':1000}") },
		{ 999, "", RC(BOX_WEB "," BOX_WEB ",{'hostPort':8080,'containerPort':81}") },
		{ 2, "/markMasqBit", "'backend':'nftables','markMasqBit':5," RC(BOX_WEB) },
		{ 7, "/backend", "'backend':'pf'," RC(BOX_WEB) },
	};
	struct box a;

	(void)state;
	box_publish(&a, "c1", "", "");
	for (size_t i = 0; i < LEN(t); i++) {
		char *before = snapshot_take(SNAP, "c1");

		fails(t[i].code, t[i].words, "portmap", "ADD",
		      jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',%s,"
			    "'prevResult':%s}",
			    t[i].keys, a.chain.result));
		assert_untouched(before, SNAP, "c1");
		free(before);
		if (t[i].code == 7 && !strstr(t[i].words, "port")) /* DEL is not as strict */
			ok("portmap", "DEL",
			   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',%s}",
				 t[i].keys));
	}
	box_unpublish(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(del_finds_its_elements_by_owner),
		T(a_routed_attachment_leaves_no_note_of_its_setting),
		T(two_networks_of_one_container_keep_apart),
		T(a_udp_flow_follows_the_port_to_its_next_owner),
		T(tcp_connections_of_others_survive_the_flush),
		T(check_notices_what_is_missing),
		T(gc_keeps_the_listed),
		T(without_mappings_the_result_passes_through_and_nothing_is_made),
		T(what_cannot_be_is_refused_before_the_first_change),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
