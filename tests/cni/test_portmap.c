// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portmap from outside: bytes through host ports, from everywhere a client can be, and nothing but
 * what was published.
 */
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
			.netns = w->from,
			.proto = proto,
			.addr = w->to,
			.port = w->port,
			.timeout_ms = w->peer ? 2000 : 150,
			.echo = w->peer ? 1000 : 0,
		};
		int r = traffic_ask(&q, &a);

		if (w->peer ? r != 0 : r == 0)
			lab_fail("way %zu: from %s to %s port %d: %s", i,
				 w->from ? w->from : "host", w->to, w->port,
				 r ? strerror(-r) : "somebody answered");
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
	box_publish(&a, "c1", BOX_WEB "," BOX_DNS, "");
	box_publish(&b, "c2", "", "");
	box_serve(&a);
	try_ways(tcp, LEN(tcp), TRAFFIC_TCP);
	try_ways(udp, LEN(udp), TRAFFIC_UDP);
	assert_int_equal(lab_chain_check(&a.chain), 0);
	box_unpublish(&a);
	assert_int_not_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 150, NULL), 0);
	box_unpublish(&b);
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
		box_prepare(&a, "c1", BOX_WEB, "");
		if (!mode)
			box_without_hairpin_mode(&a);
		box_attach(&a);
		box_serve(&a);
		try_ways(ways, LEN(ways), TRAFFIC_TCP);
		box_unpublish(&a);
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
	box_publish(&a, "c1",
		    "{'hostPort':8080,'containerPort':80,'hostIP':'198.51.100.11'},"
		    "{'hostPort':8080,'containerPort':80,'hostIP':'2001:db8:ff::11'},"
		    "{'hostPort':9090,'containerPort':80,'hostIP':'127.0.0.1'}",
		    "");
	box_serve(&a);
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	box_unpublish(&a);
}

static void an_unspecified_address_is_any_of_its_family_or_of_both(void **state)
{
	static const char *const any[] = { "0.0.0.0", "::", "" };

	(void)state;
	for (size_t i = 0; i < LEN(any); i++) {
		struct box a;

		box_publish(&a, "c1",
			    textf("{'hostPort':8080,'containerPort':80,'hostIP':'%s'}", any[i]),
			    "");
		box_serve(&a);
		assert_int_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, i == 1 ? 150 : 2000,
					   NULL) == 0,
				 i != 1);
		assert_int_equal(tcp_fetch("outside", LAB_HOST_V6, 8080, i == 0 ? 150 : 2000,
					   NULL) == 0,
				 i != 0);
		box_unpublish(&a);
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
	box_publish(&a, "c1", BOX_WEB, ",'snat':false");
	box_serve(&a);
	lab_sh("grep -q '^0$' /proc/sys/net/ipv4/conf/br0/route_localnet");
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	box_unpublish(&a);
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
	box_publish(&a, "c1", BOX_WEB, ",'masqAll':true");
	box_serve(&a);
	try_ways(ways, LEN(ways), TRAFFIC_TCP);
	assert_int_equal(lab_chain_check(&a.chain), 0);
	box_unpublish(&a);
}

static void ranges_and_long_runs_of_ports_are_mapped_one_to_one(void **state)
{
	struct traffic_server first, last, shifted;
	const char *run = "{'hostPort':7000,'containerPort':7000}";
	struct box a;

	(void)state;
	for (int i = 1; i < 100; i++)
		run = textf("%s,{'hostPort':%d,'containerPort':%d}", run, 7000 + i, 7000 + i);
	box_publish(&a, "c1",
		    textf("{'hostPort':6000,'containerPort':6000,'range':500},"
			  "{'hostPort':9000,'containerPort':9100,'range':10},%s",
			  run),
		    "");
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
	box_unpublish(&a);
	lab_sh("! nft list ruleset | grep -q labnet");
}

/* ---- conflicts */

static void a_port_that_is_taken_is_refused_with_the_owners_name(void **state)
{
	static const struct {
		const char *ports;
		bool taken;
	} t[] = {
		{ BOX_WEB, true },
		{ "{'hostPort':8080,'containerPort':81,'hostIP':'198.51.100.11'}", true },
		{ "{'hostPort':8000,'containerPort':8000,'range':100}", true },
		{ "{'hostPort':9000,'containerPort':80}," BOX_WEB, true },
		{ "{'hostPort':8080,'containerPort':80,'protocol':'udp'}", false },
		{ "{'hostPort':8081,'containerPort':80}", false },
		{ "{'hostPort':8081,'containerPort':8081,'range':100}", false },
	};
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, "");
	box_serve(&a);
	for (size_t i = 0; i < LEN(t); i++) {
		box_prepare(&b, "c2", t[i].ports, "");
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
		box_unpublish(&b);
	}
	box_unpublish(&a);
}

static void the_same_mapping_again_is_no_conflict_with_itself(void **state)
{
	struct box a;

	(void)state;
	box_publish(&a, "c1", BOX_WEB "," BOX_DNS, "");

	char *before = snapshot_take(SNAPSHOT_FW);
	char *c = lab_chain_conf(&a.chain, 1);

	ok("portmap", "ADD", c);
	assert_untouched(before, SNAPSHOT_FW);
	free(before);
	free(c);
	box_unpublish(&a);
}

/* ---- what is not ours is not touched */

/* CVE-2025-67499: a packet that this host only forwards has nothing to do with its host ports. */
static void forwarded_packets_to_the_port_number_are_not_stolen(void **state)
{
	struct traffic_server out;
	struct traffic_answer answer;
	struct box a, b;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, "");
	box_publish(&b, "c2", "", "");
	box_serve(&a);
	lab_sh_in("outside", "ip route add 10.1.0.0/24 via " LAB_HOST_V4);
	traffic_serve(&out, "outside", TRAFFIC_TCP, "0.0.0.0", 8080, "out");

	const struct traffic_query q = {
		.netns = "c2", .addr = LAB_OUTSIDE_V4, .port = 8080, .timeout_ms = 2000
	};

	assert_int_equal(traffic_ask(&q, &answer), 0);
	assert_string_equal(answer.server, "out");
	/* and straight through to a container, which does not listen there */
	assert_int_equal(tcp_fetch("outside", "10.1.0.2", 8080, 300, NULL), -ECONNREFUSED);
	traffic_stop(&out);
	lab_sh_in("outside", "ip route del 10.1.0.0/24");
	box_unpublish(&a);
	box_unpublish(&b);
}

/* route_localnet opens 127.0.0.0/8 to the bridge; the guard closes it again. */
static void martian_packets_to_127_are_dropped(void **state)
{
	struct traffic_server local;
	struct box a;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, "");
	lab_sh("grep -q '^1$' /proc/sys/net/ipv4/conf/br0/route_localnet");
	traffic_serve(&local, NULL, TRAFFIC_UDP, "127.0.0.1", 7777, "private");
	lab_sh_in("c1",
		  "set -e; ip addr del 127.0.0.1/8 dev lo 2>/dev/null || true; ip link set lo down;"
		  "sysctl -qw net.ipv4.conf.all.route_localnet=1;"
		  "ip route flush table local root 127.0.0.0/8 2>/dev/null || true;"
		  "ip route add 127.0.0.1/32 via 10.1.0.1 dev eth0 src 10.1.0.2");
	assert_int_not_equal(udp_fetch("c1", "127.0.0.1", 7777, 300, NULL), 0);
	/* the proof that the packet was there to be dropped */
	lab_sh("nft flush chain inet naru guard");
	assert_int_equal(udp_fetch("c1", "127.0.0.1", 7777, 1000, NULL), 0);
	traffic_stop(&local);
	box_unpublish(&a);
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
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
