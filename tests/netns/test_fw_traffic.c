// SPDX-License-Identifier: GPL-2.0-or-later
/* What the rules do to packets: a bridge with two containers on the host, and the world outside. */
#include "tests/lib/lab.h"
#include "tests/lib/traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/fw/fw.h"
#include "netlib/ip/port.h"

#define GW4 "10.1.0.1"
#define GW6 "fd00:1::1"
#define ONE4 "10.1.0.2"
#define ONE6 "fd00:1::2"
#define TWO4 "10.1.0.3"
#define TWO6 "fd00:1::3"

static int setup(void **state)
{
	(void)lab_setup(state);
	lab_outside();
	lab_sh("set -e\n"
	       "ip link set lo up\n"
	       "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
	       "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
	       "ip link add br0 type bridge\n"
	       "ip addr add " GW4 "/24 dev br0\n"
	       "ip -6 addr add " GW6 "/64 dev br0 nodad\n"
	       "ip link set br0 up\n"
	       "echo 1 > /proc/sys/net/ipv4/conf/br0/route_localnet\n"
	       "echo 1 > /proc/sys/net/ipv4/conf/uplink0/route_localnet");
	for (int i = 2; i <= 3; i++) {
		const char *ns = i == 2 ? "one" : "two";

		lab_netns_new(ns);
		lab_sh("set -e\n"
		       "ip link add v%d type veth peer name eth0 netns %s\n"
		       "ip link set v%d master br0 up\n"
		       "ip link set v%d type bridge_slave hairpin on",
		       i, ns, i, i);
		lab_sh_in(ns,
			  "set -e\n"
			  "ip link set lo up\n"
			  "ip addr add 10.1.0.%d/24 dev eth0\n"
			  "ip -6 addr add fd00:1::%d/64 dev eth0 nodad\n"
			  "ip link set eth0 up\n"
			  "ip route add default via " GW4 "\n"
			  "ip -6 route add default via " GW6,
			  i, i);
		lab_carrier(ns, "eth0");
	}
	lab_carrier(NULL, "br0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("one");
	lab_netns_del("two");
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	(void)lab_try("nft flush ruleset");
	return 0;
}

/* Publishes maps[] of container one, in both families, and masquerades both containers. */
static void publish(const char *const maps[], size_t n, bool snat, bool masq_all)
{
	static const char *const to[] = { ONE4 "/24", ONE6 "/64" }, *const also[] = { TWO4 "/24",
										      TWO6 "/64" };
	struct fw_dnat dnat[16];
	struct fw_masq masq[4];
	struct fw_plan p = { { "mynet", "one", "eth0" }, masq, 0, dnat, 0 };
	cleanup_fw struct fw *fw = NULL;
	struct err e = ERR_INIT;

	for (size_t f = 0; f < ARRAY_LEN(to); f++) {
		assert_int_equal(ip_prefix_parse(to[f], &masq[p.nmasq++].addr), 0);
		assert_int_equal(ip_prefix_parse(also[f], &masq[p.nmasq++].addr), 0);
		for (size_t i = 0; i < n; i++) {
			struct fw_dnat d = { .to = masq[2 * f].addr,
					     .snat = snat,
					     .masq_all = masq_all };

			assert_int_equal(port_map_parse(maps[i], &d.map, NULL), 0);
			if (!ip_is_set(&d.map.host_ip) || d.map.host_ip.family == d.to.addr.family)
				dnat[p.ndnat++] = d;
		}
	}
	if (fw_open(&fw, FW_AUTO, &e) < 0 || fw_add(fw, &p, &e) < 0)
		lab_fail("%s", e.text);
}

#define SERVERS_MAX 16
static struct traffic_server servers[SERVERS_MAX];
static size_t nservers;

/* In both families. */
static void serve(const char *netns, enum traffic_proto proto, uint16_t port, const char *name)
{
	traffic_serve(&servers[nservers++], netns, proto, "0.0.0.0", port, name);
	traffic_serve(&servers[nservers++], netns, proto, "::", port, name);
}

static int stop(void **state)
{
	(void)state;
	while (nservers)
		traffic_stop(&servers[--nservers]);
	return 0;
}

struct way {
	enum traffic_proto proto;
	const char *from; /* NULL: the host */
	const char *addr;
	uint16_t port;
	const char *server; /* who answers; NULL: nobody */
	const char *client; /* whom the server sees */
};

static void go(const struct way *ways, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct way *w = &ways[i];
		const struct traffic_query q = { .netns = w->from,
						 .proto = w->proto,
						 .addr = w->addr,
						 .port = w->port,
						 .timeout_ms = w->server ? 3000 : 300,
						 .echo = 100 };
		struct traffic_answer a = { 0 };
		int r = traffic_ask(&q, &a);

		if (!w->server) {
			if (r == 0)
				lab_fail("row %zu: %s answered at %s port %u", i, a.server, w->addr,
					 w->port);
			continue;
		}
		if (r < 0)
			lab_fail("row %zu: nobody answers at %s port %u: %s", i, w->addr, w->port,
				 strerror(-r));
		assert_string_equal(a.server, w->server);
		if (w->client)
			assert_string_equal(a.peer, w->client);
	}
}

static const char *const every[] = { "8080:80", "8080:80/udp", "6000-6010:6000-6010",
				     LAB_HOST_V4 ":8081:80", "[" LAB_HOST_V6 "]:8081:80" };

static void connections_reach_the_container_with_the_right_source(void **state)
{
	static const struct way ways[] = {
		/* from outside the source is kept */
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 8080, "one80", LAB_OUTSIDE_V4 },
		{ TRAFFIC_UDP, "outside", LAB_HOST_V4, 8080, "one80u", LAB_OUTSIDE_V4 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 6005, "one6005", LAB_OUTSIDE_V4 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 8081, "one80", LAB_OUTSIDE_V4 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V6, 8080, "one80", LAB_OUTSIDE_V6 },
		{ TRAFFIC_UDP, "outside", LAB_HOST_V6, 8080, "one80u", LAB_OUTSIDE_V6 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V6, 6005, "one6005", LAB_OUTSIDE_V6 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V6, 8081, "one80", LAB_OUTSIDE_V6 },
		/* from the host, by any of its addresses; only those of the mapping */
		{ TRAFFIC_TCP, NULL, LAB_HOST_V4, 8080, "one80", NULL },
		{ TRAFFIC_TCP, NULL, GW4, 8080, "one80", NULL },
		{ TRAFFIC_TCP, NULL, GW4, 8081, NULL, NULL },
		{ TRAFFIC_TCP, NULL, "127.0.0.1", 8080, "one80", GW4 },
		{ TRAFFIC_UDP, NULL, "127.0.0.1", 8080, "one80u", GW4 },
		{ TRAFFIC_TCP, NULL, "127.0.0.1", 6010, "one6005", NULL },
		{ TRAFFIC_TCP, NULL, LAB_HOST_V6, 8080, "one80", NULL },
		/* from the subnet: our address, so that answers come back this way */
		{ TRAFFIC_TCP, "one", LAB_HOST_V4, 8080, "one80", GW4 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V4, 8080, "one80", GW4 },
		{ TRAFFIC_UDP, "two", GW4, 8080, "one80u", GW4 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V4, 6005, "one6005", GW4 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V4, 8081, "one80", GW4 },
		{ TRAFFIC_TCP, "one", LAB_HOST_V6, 8080, "one80", GW6 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V6, 6005, "one6005", GW6 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V6, 8081, "one80", GW6 },
		/* beside the mappings */
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 8082, NULL, NULL },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 5999, NULL, NULL },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 6011, NULL, NULL },
		/* passing through, not to us: untouched */
		{ TRAFFIC_TCP, "outside", TWO4, 8080, "two8080", LAB_OUTSIDE_V4 },
		{ TRAFFIC_TCP, "outside", TWO6, 8080, "two8080", LAB_OUTSIDE_V6 },
		/* outwards: our address; within the subnet: their own */
		{ TRAFFIC_TCP, "one", LAB_OUTSIDE_V4, 80, "world", LAB_HOST_V4 },
		{ TRAFFIC_TCP, "two", LAB_OUTSIDE_V6, 80, "world", LAB_HOST_V6 },
		{ TRAFFIC_TCP, "one", TWO4, 8080, "two8080", ONE4 },
		{ TRAFFIC_TCP, "one", TWO6, 8080, "two8080", ONE6 },
	};

	(void)state;
	publish(every, ARRAY_LEN(every), true, false);
	serve("one", TRAFFIC_TCP, 80, "one80");
	serve("one", TRAFFIC_UDP, 80, "one80u");
	serve("one", TRAFFIC_TCP, 6005, "one6005");
	serve("two", TRAFFIC_TCP, 8080, "two8080");
	serve("outside", TRAFFIC_TCP, 80, "world");
	serve("one", TRAFFIC_TCP, 6010, "one6005");
	go(ways, ARRAY_LEN(ways));
}

static void masq_all_hides_every_client(void **state)
{
	static const char *const maps[] = { "8080:80", "6000-6010:6000-6010" };
	static const struct way ways[] = {
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 8080, "one80", GW4 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 6000, "one6000", GW4 },
		{ TRAFFIC_TCP, "outside", LAB_HOST_V6, 8080, "one80", GW6 },
		{ TRAFFIC_TCP, "two", LAB_HOST_V4, 8080, "one80", GW4 },
		{ TRAFFIC_TCP, NULL, "127.0.0.1", 8080, "one80", GW4 },
	};

	(void)state;
	publish(maps, 2, true, true);
	serve("one", TRAFFIC_TCP, 80, "one80");
	serve("one", TRAFFIC_TCP, 6000, "one6000");
	go(ways, ARRAY_LEN(ways));
}

static void without_snat_only_the_way_from_elsewhere_works(void **state)
{
	static const char *const maps[] = { "8080:80" };
	static const struct way ways[] = {
		{ TRAFFIC_TCP, "outside", LAB_HOST_V4, 8080, "one80", LAB_OUTSIDE_V4 },
		{ TRAFFIC_TCP, NULL, "127.0.0.1", 8080, NULL, NULL },
	};

	(void)state;
	publish(maps, 1, false, false);
	serve("one", TRAFFIC_TCP, 80, "one80");
	go(ways, ARRAY_LEN(ways));
}

/* Packets from the wire to 127.0.0.0/8 that came past our chains: to a socket or to a container. */
static int came_through(void)
{
	static const struct way ways[] = {
		{ TRAFFIC_TCP, "outside", "127.0.0.1", 8080, NULL, NULL },
		{ TRAFFIC_TCP, "outside", "127.0.0.1", 9, NULL, NULL },
	};

	lab_sh("nft 'table ip probe; delete table ip probe; table ip probe {\n"
	       " counter in { }\n"
	       " chain input { type filter hook input priority 0; iifname uplink0 ip daddr 127.0.0.0/8 counter name in; }\n"
	       " chain forward { type filter hook forward priority 0; iifname uplink0 tcp dport 80 counter name in; }\n"
	       "}'");
	go(ways, ARRAY_LEN(ways));
	cleanup_free char *n = lab_out(
		"nft list counters table ip probe | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'");
	return atoi(n);
}

/*
 * route_localnet makes 127.0.0.0/8 an address like any other: a neighbour could speak to what
 * listens only there.
 */
static void loopback_addresses_from_the_wire_are_dropped(void **state)
{
	static const char *const maps[] = { "8080:80" };

	(void)state;
	publish(maps, 1, true, false);
	serve("one", TRAFFIC_TCP, 80, "one80");
	traffic_serve(&servers[nservers++], NULL, TRAFFIC_TCP, "127.0.0.1", 9, "private");
	lab_sh_in("outside", "set -e\n"
			     "ip route del local 127.0.0.0/8 dev lo table local\n"
			     "ip route del local 127.0.0.1 dev lo table local\n"
			     "ip route add 127.0.0.0/8 via " LAB_HOST_V4 " src " LAB_OUTSIDE_V4);
	assert_int_equal(came_through(), 0);
	lab_sh("nft flush chain inet naru guard");
	assert_true(came_through() >= 2); /* the attack is real, the chain is what stops it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			connections_reach_the_container_with_the_right_source, fresh, stop),
		cmocka_unit_test_setup_teardown(masq_all_hides_every_client, fresh, stop),
		cmocka_unit_test_setup_teardown(without_snat_only_the_way_from_elsewhere_works,
						fresh, stop),
		cmocka_unit_test_setup_teardown(loopback_addresses_from_the_wire_are_dropped, fresh,
						stop)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
