// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portmap from outside: bytes through host ports, from everywhere a client can be, and nothing but
 * what was published.
 */
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

/* An attachment to bridge br0 with ports, and servers in it. */
struct box {
	struct lab_chain chain;
	const char *plugins[3];
	struct traffic_server server[4];
};

static bool hairpin_mode = true;

static void prepare(struct box *b, const char *cid, const char *ports, const char *keys)
{
	*b = (struct box){ .chain = { .cid = cid, .netns = textf(LAB_NETNS("%s"), cid) } };
	b->plugins[0] = jsonf("{'type':'bridge','bridge':'br0','isDefaultGateway':true,"
			      "'hairpinMode':%s,'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
			      "[{'subnet':'fd00:1::/64'}]]}}",
			      hairpin_mode ? "true" : "false");
	b->plugins[1] = jsonf("{'type':'portmap','capabilities':{'portMappings':true}%s}", keys);
	b->chain.plugins = b->plugins;
	b->chain.runtime_config = jsonf("{'portMappings':[%s]}", ports);
}

static void publish(struct box *b, const char *cid, const char *ports, const char *keys)
{
	prepare(b, cid, ports, keys);
	if (lab_chain_add(&b->chain))
		lab_fail("ADD: %s%s", b->chain.last.out, b->chain.last.err);
	lab_carrier(cid, "eth0");
}

/* Servers on port 80 (tcp) and 53 (udp), both families; they are called after the container. */
static void serve(struct box *b)
{
	const char *cid = b->chain.cid;

	traffic_serve(&b->server[0], cid, TRAFFIC_TCP, "0.0.0.0", 80, cid);
	traffic_serve(&b->server[1], cid, TRAFFIC_TCP, "::", 80, cid);
	traffic_serve(&b->server[2], cid, TRAFFIC_UDP, "0.0.0.0", 53, cid);
	traffic_serve(&b->server[3], cid, TRAFFIC_UDP, "::", 53, cid);
}

static void unpublish(struct box *b)
{
	for (int i = 0; i < 4; i++)
		if (b->server[i].pid)
			traffic_stop(&b->server[i]);
	if (lab_chain_del(&b->chain))
		lab_fail("DEL: %s%s", b->chain.last.out, b->chain.last.err);
	lab_chain_clear(&b->chain);
}

#define WEB "{'hostPort':8080,'containerPort':80,'protocol':'tcp'}"
#define DNS "{'hostPort':5353,'containerPort':53,'protocol':'udp'}"

/* One way to a port and what comes of it: who the server saw, or NULL and nobody answered. */
struct way {
	const char *from; /* namespace, NULL: the host */
	const char *to;
	uint16_t port;
	const char *peer;   /* "*": anybody */
	const char *server; /* NULL: c1 */
};

static void try_ways(const struct way *ways, size_t n, enum traffic_proto proto)
{
	for (size_t i = 0; i < n; i++) {
		const struct way *w = &ways[i];
		struct traffic_answer a = { .peer = "" };
		const struct traffic_query q = {
			.netns = w->from, .proto = proto, .addr = w->to, .port = w->port,
			.timeout_ms = w->peer ? 2000 : 150, .echo = w->peer ? 1000 : 0,
		};
		int r = traffic_ask(&q, &a);

		if (w->peer ? r != 0 : r == 0)
			lab_fail("way %zu: from %s to %s port %d: %s", i, w->from ? w->from : "host",
				 w->to, w->port, r ? strerror(-r) : "somebody answered");
		if (!w->peer)
			continue;
		if (strcmp(w->peer, "*") && strcmp(w->peer, a.peer))
			lab_fail("way %zu: from %s to %s: the server saw %s, expected %s", i,
				 w->from ? w->from : "host", w->to, a.peer, w->peer);
		assert_string_equal(a.server, w->server ? w->server : "c1");
	}
}

static void a_port_on_any_address_answers_from_everywhere(void **state)
{
	static const struct way tcp[] = {
		{ "outside", LAB_HOST_V4, 8080, LAB_OUTSIDE_V4, NULL },
		{ "outside", "198.51.100.11", 8080, LAB_OUTSIDE_V4, NULL },
		{ "outside", LAB_HOST_V6, 8080, LAB_OUTSIDE_V6, NULL },
		{ NULL, LAB_HOST_V4, 8080, "*", NULL },
		{ NULL, LAB_HOST_V6, 8080, "*", NULL },
		{ NULL, "10.1.0.1", 8080, "*", NULL },
		{ NULL, "127.0.0.1", 8080, "*", NULL },
		{ NULL, "127.0.0.2", 8080, "*", NULL },
		{ "c1", LAB_HOST_V4, 8080, "10.1.0.1", NULL }, /* hairpin */
		{ "c1", "10.1.0.1", 8080, "10.1.0.1", NULL },
		{ "c1", LAB_HOST_V6, 8080, "fd00:1::1", NULL },
		{ "c2", LAB_HOST_V4, 8080, "10.1.0.1", NULL }, /* on the same bridge */
		{ "c2", "10.1.0.1", 8080, "10.1.0.1", NULL },
		{ "c2", LAB_HOST_V6, 8080, "fd00:1::1", NULL },
		{ "outside", LAB_HOST_V4, 8081, NULL, NULL },
		{ "outside", LAB_HOST_V4, 80, NULL, NULL },
	};
	static const struct way udp[] = {
		{ "outside", LAB_HOST_V4, 5353, LAB_OUTSIDE_V4, NULL },
		{ "outside", LAB_HOST_V6, 5353, LAB_OUTSIDE_V6, NULL },
		{ NULL, LAB_HOST_V4, 5353, "*", NULL },
		{ NULL, "127.0.0.1", 5353, "*", NULL },
		{ "c1", LAB_HOST_V4, 5353, "10.1.0.1", NULL },
		{ "c2", LAB_HOST_V4, 5353, "10.1.0.1", NULL },
		{ "c2", LAB_HOST_V6, 5353, "fd00:1::1", NULL },
		{ "outside", LAB_HOST_V4, 8080, NULL, NULL },
	};
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB "," DNS, "");
	publish(&b, "c2", "", "");
	serve(&a);
	try_ways(tcp, LEN(tcp), TRAFFIC_TCP);
	try_ways(udp, LEN(udp), TRAFFIC_UDP);
	assert_int_equal(lab_chain_check(&a.chain), 0);
	unpublish(&a);
	assert_int_not_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 150, NULL), 0);
	unpublish(&b);
	lab_sh("! nft list ruleset | grep -q labnet");
}

/*
 * Where bridges hand their frames to the firewall (br_netfilter, as on Kubernetes nodes), a
 * container reaches itself only with the bridge's hairpinMode; where they do not, always.
 */
static void hairpin_needs_no_hairpin_mode_unless_bridges_call_the_firewall(void **state)
{
	static const struct way ways[] = {
		{ "c1", LAB_HOST_V4, 8080, "10.1.0.1", NULL },
		{ "c1", LAB_HOST_V6, 8080, "fd00:1::1", NULL },
	};
	struct box a;

	(void)state;
	lab_sh("for f in /proc/sys/net/bridge/bridge-nf-call-ip*; do"
	       " test ! -e $f || echo 0 > $f; done");
	for (int mode = 0; mode < 2; mode++) {
		hairpin_mode = mode;
		publish(&a, "c1", WEB, "");
		serve(&a);
		try_ways(ways, LEN(ways), TRAFFIC_TCP);
		unpublish(&a);
		lab_sh("rm -r /var/lib/cni/networks");
	}
	lab_sh("for f in /proc/sys/net/bridge/bridge-nf-call-ip*; do"
	       " test ! -e $f || echo 1 > $f; done");
}

static void a_port_on_one_address_answers_there_only(void **state)
{
	static const struct way ways[] = {
		{ "outside", "198.51.100.11", 8080, LAB_OUTSIDE_V4, NULL },
		{ "outside", LAB_HOST_V4, 8080, NULL, NULL },
		{ NULL, "198.51.100.11", 8080, "*", NULL },
		{ NULL, "127.0.0.1", 8080, NULL, NULL },
		{ "c1", "198.51.100.11", 8080, "10.1.0.1", NULL },
		{ "c1", LAB_HOST_V4, 8080, NULL, NULL },
		{ "outside", "2001:db8:ff::11", 8080, LAB_OUTSIDE_V6, NULL },
		{ "outside", LAB_HOST_V6, 8080, NULL, NULL },
		{ NULL, "127.0.0.1", 9090, "*", NULL }, /* for this machine alone */
		{ "outside", LAB_HOST_V4, 9090, NULL, NULL },
	};
	struct box a;

	(void)state;
	publish(&a, "c1",
		"{'hostPort':8080,'containerPort':80,'hostIP':'198.51.100.11'},"
		"{'hostPort':8080,'containerPort':80,'hostIP':'2001:db8:ff::11'},"
		"{'hostPort':9090,'containerPort':80,'hostIP':'127.0.0.1'}", "");
	serve(&a);
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	unpublish(&a);
}

static void an_unspecified_address_is_any_of_its_family_or_of_both(void **state)
{
	static const char *const any[] = { "0.0.0.0", "::", "" };

	(void)state;
	for (size_t i = 0; i < LEN(any); i++) {
		struct box a;

		publish(&a, "c1", textf("{'hostPort':8080,'containerPort':80,'hostIP':'%s'}", any[i]), "");
		serve(&a);
		assert_int_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, i == 1 ? 150 : 2000, NULL) == 0,
				 i != 1);
		assert_int_equal(tcp_fetch("outside", LAB_HOST_V6, 8080, i == 0 ? 150 : 2000, NULL) == 0,
				 i != 0);
		unpublish(&a);
	}
}

static void without_snat_hairpin_and_localhost_are_not_translated(void **state)
{
	static const struct way ways[] = {
		{ "outside", LAB_HOST_V4, 8080, LAB_OUTSIDE_V4, NULL },
		{ NULL, LAB_HOST_V4, 8080, "*", NULL },
		{ NULL, "127.0.0.1", 8080, NULL, NULL },
		{ "c1", LAB_HOST_V4, 8080, NULL, NULL },
	};
	struct box a;

	(void)state;
	publish(&a, "c1", WEB, ",'snat':false");
	serve(&a);
	lab_sh("grep -q '^0$' /proc/sys/net/ipv4/conf/br0/route_localnet");
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	unpublish(&a);
}

static void with_masqall_every_client_looks_like_the_host(void **state)
{
	static const struct way ways[] = {
		{ "outside", LAB_HOST_V4, 8080, "10.1.0.1", NULL },
		{ "outside", LAB_HOST_V6, 8080, "fd00:1::1", NULL },
		{ NULL, "127.0.0.1", 8080, "10.1.0.1", NULL },
		{ "c1", LAB_HOST_V4, 8080, "10.1.0.1", NULL },
	};
	struct box a;

	(void)state;
	publish(&a, "c1", WEB, ",'masqAll':true");
	serve(&a);
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	assert_int_equal(lab_chain_check(&a.chain), 0);
	unpublish(&a);
}

static void ranges_and_long_runs_of_ports_are_mapped_one_to_one(void **state)
{
	struct traffic_server first, last, shifted;
	const char *run = "{'hostPort':7000,'containerPort':7000}";
	struct box a;

	(void)state;
	for (int i = 1; i < 100; i++)
		run = textf("%s,{'hostPort':%d,'containerPort':%d}", run, 7000 + i, 7000 + i);
	publish(&a, "c1",
		textf("{'hostPort':6000,'containerPort':6000,'range':500},"
		      "{'hostPort':9000,'containerPort':9100,'range':10},%s", run), "");
	traffic_serve(&first, "c1", TRAFFIC_TCP, "0.0.0.0", 6499, "range");
	traffic_serve(&last, "c1", TRAFFIC_TCP, "0.0.0.0", 7099, "run");
	traffic_serve(&shifted, "c1", TRAFFIC_TCP, "0.0.0.0", 9109, "shifted");

	const struct way ways[] = {
		{ "outside", LAB_HOST_V4, 6499, LAB_OUTSIDE_V4, "range" },
		{ "outside", LAB_HOST_V4, 7099, LAB_OUTSIDE_V4, "run" },
		{ "outside", LAB_HOST_V4, 9009, LAB_OUTSIDE_V4, "shifted" },
		{ "c1", LAB_HOST_V4, 6499, "10.1.0.1", "range" },
		{ NULL, "127.0.0.1", 7099, "*", "run" },
		{ "outside", LAB_HOST_V4, 6500, NULL, NULL },
		{ "outside", LAB_HOST_V4, 7100, NULL, NULL },
		{ "outside", LAB_HOST_V4, 9010, NULL, NULL },
	};

	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	/* a thousand ports are not a thousand elements */
	lab_sh("test $(nft list map inet naru range4 | grep -o c1/eth0 | wc -l) = 2");
	assert_int_equal(lab_chain_check(&a.chain), 0);
	traffic_stop(&first);
	traffic_stop(&last);
	traffic_stop(&shifted);
	unpublish(&a);
	lab_sh("! nft list ruleset | grep -q labnet");
}

/* ---- conflicts */

static void a_port_that_is_taken_is_refused_with_the_owners_name(void **state)
{
	static const struct {
		const char *ports;
		bool taken;
	} t[] = {
		{ WEB, true },
		{ "{'hostPort':8080,'containerPort':81,'hostIP':'198.51.100.11'}", true },
		{ "{'hostPort':8000,'containerPort':8000,'range':100}", true },
		{ "{'hostPort':9000,'containerPort':80}," WEB, true },
		{ "{'hostPort':8080,'containerPort':80,'protocol':'udp'}", false },
		{ "{'hostPort':8081,'containerPort':80}", false },
		{ "{'hostPort':8081,'containerPort':8081,'range':100}", false },
	};
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB, "");
	serve(&a);
	for (size_t i = 0; i < LEN(t); i++) {
		prepare(&b, "c2", t[i].ports, "");
		if (t[i].taken) {
			char *before;

			b.plugins[1] = NULL; /* bridge alone, then portmap by hand */
			assert_int_equal(lab_chain_add(&b.chain), 0);
			before = snapshot_take(SNAP, "c1", "c2");
			fails(100, "is taken by container c1 of network labnet", "portmap", "ADD",
			      jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',"
				    "'runtimeConfig':%s,'prevResult':%s}",
				    b.chain.runtime_config, b.chain.result),
			      .cid = "c2", .netns = "c2");
			assert_untouched(before, SNAP, "c1", "c2");
			free(before);
			assert_int_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 2000, NULL), 0);
		} else if (lab_chain_add(&b.chain)) {
			lab_fail("%s", b.chain.last.out);
		}
		unpublish(&b);
	}
	unpublish(&a);
}

static void the_same_mapping_again_is_no_conflict_with_itself(void **state)
{
	struct box a;

	(void)state;
	publish(&a, "c1", WEB "," DNS, "");

	char *before = snapshot_take(SNAPSHOT_FW);
	char *c = lab_chain_conf(&a.chain, 1);

	ok("portmap", "ADD", c);
	assert_untouched(before, SNAPSHOT_FW);
	free(before);
	free(c);
	unpublish(&a);
}

/* ---- what is not ours is not touched */

/* CVE-2025-67499: a packet that this host only forwards has nothing to do with its host ports. */
static void forwarded_packets_to_the_port_number_are_not_stolen(void **state)
{
	struct traffic_server out;
	struct traffic_answer answer;
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB, "");
	publish(&b, "c2", "", "");
	serve(&a);
	lab_sh_in("outside", "ip route add 10.1.0.0/24 via " LAB_HOST_V4);
	traffic_serve(&out, "outside", TRAFFIC_TCP, "0.0.0.0", 8080, "out");

	const struct traffic_query q = { .netns = "c2", .addr = LAB_OUTSIDE_V4, .port = 8080,
					 .timeout_ms = 2000 };

	assert_int_equal(traffic_ask(&q, &answer), 0);
	assert_string_equal(answer.server, "out");
	/* and straight through to a container, which does not listen there */
	assert_int_equal(tcp_fetch("outside", "10.1.0.2", 8080, 300, NULL), -ECONNREFUSED);
	traffic_stop(&out);
	lab_sh_in("outside", "ip route del 10.1.0.0/24");
	unpublish(&a);
	unpublish(&b);
}

/* route_localnet opens 127.0.0.0/8 to the bridge; the guard closes it again. */
static void martian_packets_to_127_are_dropped(void **state)
{
	struct traffic_server local;
	struct box a;

	(void)state;
	publish(&a, "c1", WEB, "");
	lab_sh("grep -q '^1$' /proc/sys/net/ipv4/conf/br0/route_localnet");
	traffic_serve(&local, NULL, TRAFFIC_UDP, "127.0.0.1", 7777, "private");
	lab_sh_in("c1", "set -e; ip addr del 127.0.0.1/8 dev lo 2>/dev/null || true; ip link set lo down;"
			"sysctl -qw net.ipv4.conf.all.route_localnet=1;"
			"ip route flush table local root 127.0.0.0/8 2>/dev/null || true;"
			"ip route add 127.0.0.1/32 via 10.1.0.1 dev eth0 src 10.1.0.2");
	assert_int_not_equal(udp_fetch("c1", "127.0.0.1", 7777, 300, NULL), 0);
	/* the proof that the packet was there to be dropped */
	lab_sh("nft flush chain inet naru guard");
	assert_int_equal(udp_fetch("c1", "127.0.0.1", 7777, 1000, NULL), 0);
	traffic_stop(&local);
	unpublish(&a);
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
		publish(&b, "c2", "{'hostPort':81,'containerPort':80},"
				  "{'hostPort':7000,'containerPort':7000,'range':64}", "");

		char *before = snapshot_take(SNAPSHOT_FW);

		publish(&a, "c1", WEB "," DNS ",{'hostPort':6000,'containerPort':6000,'range':64}", "");
		for (int twice = 0; twice < 2; twice++)
			ok("portmap", "DEL",
			   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',%s}",
				 t[i].keys),
			   .netns = t[i].netns);
		assert_untouched(before, SNAPSHOT_FW);
		free(before);
		unpublish(&a);
		unpublish(&b);
	}
}

/* reference: DEL by container alone removes the other network's rules too. */
static void two_networks_of_one_container_keep_apart(void **state)
{
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB, "");
	serve(&a);
	prepare(&b, "c1", "{'hostPort':8081,'containerPort':80}", "");
	b.plugins[0] = jsonf("{'type':'bridge','bridge':'br1','isGateway':true,'ipam':{'type':"
			     "'host-local','ranges':[[{'subnet':'10.2.0.0/24'}]]}}");
	b.chain.name = "other";
	b.chain.ifname = "eth1";
	assert_int_equal(lab_chain_add(&b.chain), 0);
	lab_sh_in("c1", "ip rule add from 10.2.0.2 table 7 && ip route add default via 10.2.0.1 table 7");
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8081, 2000, NULL), 0);
	assert_int_equal(lab_chain_del(&b.chain), 0);
	assert_int_equal(tcp_fetch(NULL, LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_not_equal(tcp_fetch(NULL, LAB_HOST_V4, 8081, 150, NULL), 0);
	lab_chain_clear(&b.chain);
	unpublish(&a);
}

/* ---- conntrack: a UDP flow that began with one owner of the port goes on with the next */

static int ask_udp(uint16_t src_port, const char *server)
{
	struct traffic_answer a;
	const struct traffic_query q = { .netns = "outside", .proto = TRAFFIC_UDP,
					 .addr = LAB_HOST_V4, .port = 5353, .src_port = src_port,
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
	publish(&a, "c1", DNS, "");
	serve(&a);
	assert_int_equal(ask_udp(4444, "c1"), 0);
	unpublish(&a);
	/* after DEL nothing of the flow is left: the host's own server gets it */
	lab_sh("! conntrack -L -p udp 2>/dev/null | grep 'dport=5353' | grep -q 10.1.0.2");
	traffic_serve(&host, NULL, TRAFFIC_UDP, "0.0.0.0", 5353, "host");
	assert_int_equal(ask_udp(4444, "host"), 0);
	/* and at ADD the flow to the host's server moves into the container */
	publish(&b, "c2", DNS, "");
	serve(&b);
	assert_int_equal(ask_udp(4444, "c2"), 0);
	traffic_stop(&host);
	unpublish(&b);
}

static void tcp_connections_of_others_survive_the_flush(void **state)
{
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB "," DNS, "");
	serve(&a);
	assert_int_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 2000, NULL), 0);
	assert_int_equal(udp_fetch("outside", LAB_HOST_V4, 5353, 2000, NULL), 0);
	publish(&b, "c2", "{'hostPort':5354,'containerPort':53,'protocol':'udp'}", "");
	lab_sh("conntrack -L -p udp 2>/dev/null | grep -q dport=5353");
	unpublish(&b);
	lab_sh("conntrack -L -p udp 2>/dev/null | grep -q dport=5353");
	lab_sh("conntrack -L -p tcp 2>/dev/null | grep -q dport=8080");
	unpublish(&a);
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

		publish(&a, "c1", WEB ",{'hostPort':6000,'containerPort':6000,'range':64}", "");
		assert_int_equal(lab_chain_check(&a.chain), 0);
		lab_sh("%s", tampers[i]);
		if (lab_chain_check(&a.chain) != 1 || a.chain.failed != 1) {
			blind++;
			fprintf(stderr, "# unnoticed: %s\n", tampers[i]);
		} else {
			call_refused("portmap CHECK", &a.chain.last, 102, "");
		}
		unpublish(&a);
		call_reset_host();
	}
	assert_int_equal(blind, 0);
}

static void gc_keeps_the_listed(void **state)
{
	struct box a, b;

	(void)state;
	publish(&a, "c1", WEB, "");
	publish(&b, "c2", DNS, "");
	ok("portmap", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'portmap',"
		 "'cni.dev/valid-attachments':[{'containerID':'c2','ifname':'eth0'}]}"));
	lab_sh("! nft list ruleset | grep -q c1/ && nft list ruleset | grep -q c2/");
	ok("portmap", "STATUS", jsonf("{'cniVersion':'1.1.0','name':'labnet'}"));
	unpublish(&a);
	unpublish(&b);
}

static void without_mappings_the_result_passes_through_and_nothing_is_made(void **state)
{
	struct box a;

	(void)state;
	publish(&a, "c1", "", "");
	lab_sh("! nft list ruleset | grep -q naru");
	assert_string_equal(at(a.chain.result, "/interfaces/2/name"), "eth0");
	assert_int_equal(lab_chain_check(&a.chain), 0);
	unpublish(&a);
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
		{ 7, "/runtimeConfig/portMappings/0/containerPort", RC("{'hostPort':1,'containerPort':-1}") },
		{ 7, "/runtimeConfig/portMappings/0", RC("{'hostPort':1}") },
		{ 7, "/runtimeConfig/portMappings/1", RC(WEB ",{'containerPort':1}") },
		{ 7, "protocol: expected tcp, udp or sctp, got \\\"icmp\\\"",
		  RC("{'hostPort':1,'containerPort':1,'protocol':'icmp'}") },
		{ 7, "protocol", RC("{'hostPort':1,'containerPort':1,'protocol':'tcp\\n drop'}") },
		{ 7, "/runtimeConfig/portMappings/0/hostIP", RC("{'hostPort':1,'containerPort':1,'hostIP':'x'}") },
		{ 7, "/runtimeConfig/portMappings/0/hostIP",
		  RC("{'hostPort':1,'containerPort':1,'hostIP':'10.1.0.0/24'}") },
		{ 7, "ends beyond port 65535", RC("{'hostPort':65000,'containerPort':1,'range':1000}") },
		{ 999, "", RC(WEB "," WEB ",{'hostPort':8080,'containerPort':81}") },
		{ 2, "/backend", "'backend':'iptables'," RC(WEB) },
		{ 7, "/backend", "'backend':'pf'," RC(WEB) },
	};
	struct box a;

	(void)state;
	publish(&a, "c1", "", "");
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
	unpublish(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_port_on_any_address_answers_from_everywhere),
		T(hairpin_needs_no_hairpin_mode_unless_bridges_call_the_firewall),
		T(a_port_on_one_address_answers_there_only),
		T(an_unspecified_address_is_any_of_its_family_or_of_both),
		T(without_snat_hairpin_and_localhost_are_not_translated),
		T(with_masqall_every_client_looks_like_the_host),
		T(ranges_and_long_runs_of_ports_are_mapped_one_to_one),
		T(a_port_that_is_taken_is_refused_with_the_owners_name),
		T(the_same_mapping_again_is_no_conflict_with_itself),
		T(forwarded_packets_to_the_port_number_are_not_stolen),
		T(martian_packets_to_127_are_dropped),
		T(del_finds_its_elements_by_owner),
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
