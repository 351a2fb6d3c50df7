// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* left -- host -- right, the host routes */
static int setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 1 > /proc/sys/net/ipv4/ip_forward\n"
	       "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
	       "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	for (int i = 1; i <= 2; i++) {
		const char *ns = i == 1 ? "left" : "right", *to = i == 1 ? "to1" : "to2";

		lab_netns_new(ns);
		lab_sh("set -e\n"
		       "ip link add to%d type veth peer name eth0 netns %s\n"
		       "ip addr add 10.8.%d.1/24 dev to%d\n"
		       "ip -6 addr add fd00:8:%d::1/64 dev to%d nodad\n"
		       "ip link set to%d up",
		       i, ns, i, i, i, i, i);
		lab_sh_in(ns,
			  "set -e\n"
			  "ip link set lo up\n"
			  "ip addr add 10.8.%d.2/24 dev eth0\n"
			  "ip addr add 10.8.%d.3/24 dev eth0\n"
			  "ip -6 addr add fd00:8:%d::2/64 dev eth0 nodad\n"
			  "ip link set eth0 up\n"
			  "ip route add default via 10.8.%d.1\n"
			  "ip -6 route add default via fd00:8:%d::1",
			  i, i, i, i, i);
		lab_carrier(NULL, to);
		lab_carrier(ns, "eth0");
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("left");
	lab_netns_del("right");
	return 0;
}

struct way {
	enum traffic_proto proto;
	const char *from, *addr, *client;
};

static const struct way ways[] = {
	{ TRAFFIC_TCP, "left", "10.8.2.2", "10.8.1.2" },
	{ TRAFFIC_UDP, "left", "10.8.2.2", "10.8.1.2" },
	{ TRAFFIC_TCP, "left", "fd00:8:2::2", "fd00:8:1::2" },
	{ TRAFFIC_UDP, "left", "fd00:8:2::2", "fd00:8:1::2" },
	{ TRAFFIC_TCP, NULL, "10.8.2.2", "10.8.2.1" },
	{ TRAFFIC_UDP, NULL, "10.8.2.2", "10.8.2.1" },
	{ TRAFFIC_TCP, "right", "10.8.2.2", "10.8.2.2" },
};

static void the_server_says_who_the_client_was(void **state)
{
	struct traffic_server s;
	struct traffic_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		const struct way *w = &ways[i];
		const struct traffic_query q = {
			.netns = w->from,
			.proto = w->proto,
			.addr = w->addr,
			.port = 7000,
			.timeout_ms = 3000,
		};

		traffic_serve(&s, "right", w->proto, w->addr, 7000, "the right one");
		assert_int_equal(traffic_ask(&q, &a), 0);
		assert_string_equal(a.server, "the right one");
		assert_string_equal(a.peer, w->client);
		assert_string_equal(a.local, w->client);
		assert_int_equal(a.peer_port, a.local_port);
		traffic_stop(&s);
	}
}

static void bytes_come_back_as_they_were_sent(void **state)
{
	static const struct {
		enum traffic_proto proto;
		const char *addr;
		size_t bytes;
	} cases[] = {
		{ TRAFFIC_TCP, "10.8.2.2", 1 << 20 }, { TRAFFIC_TCP, "fd00:8:2::2", 1 << 20 },
		{ TRAFFIC_TCP, "10.8.2.2", 1 },	      { TRAFFIC_UDP, "10.8.2.2", 1200 },
		{ TRAFFIC_UDP, "fd00:8:2::2", 1 },
	};
	struct traffic_server s;
	struct traffic_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct traffic_query q = {
			.netns = "left",
			.proto = cases[i].proto,
			.addr = cases[i].addr,
			.port = 7001,
			.timeout_ms = 10000,
			.echo = cases[i].bytes,
		};

		traffic_serve(&s, "right", cases[i].proto, cases[i].addr, 7001, "echo");
		assert_int_equal(traffic_ask(&q, &a), 0);
		assert_int_equal(a.echoed, cases[i].bytes);
		traffic_stop(&s);
	}
}

static void the_source_can_be_chosen(void **state)
{
	const struct traffic_query q = {
		.netns = "left",
		.proto = TRAFFIC_TCP,
		.addr = "10.8.2.2",
		.port = 7002,
		.src_addr = "10.8.1.3",
		.src_port = 40000,
		.timeout_ms = 3000,
	};
	const struct traffic_query foreign = {
		.netns = "left",
		.proto = TRAFFIC_UDP,
		.addr = "10.8.2.2",
		.port = 7002,
		.src_addr = "10.99.0.1",
	};
	struct traffic_server s;
	struct traffic_answer a;

	(void)state;
	traffic_serve(&s, "right", TRAFFIC_TCP, "0.0.0.0", 7002, "any");
	assert_int_equal(traffic_ask(&q, &a), 0);
	assert_string_equal(a.peer, "10.8.1.3");
	assert_int_equal(a.peer_port, 40000);
	assert_int_equal(traffic_ask(&foreign, &a), -EADDRNOTAVAIL);
	traffic_stop(&s);
}

static void masquerade_shows_in_the_address_the_server_saw(void **state)
{
	struct traffic_server s;
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	lab_sh("nft -f - <<-END\n"
	       "table ip t {\n"
	       "	chain p { type nat hook postrouting priority 100; ip saddr 10.8.1.0/24 "
	       "masquerade; }\n"
	       "}\n"
	       "END");
	traffic_serve(&s, "right", TRAFFIC_TCP, "10.8.2.2", 7003, "right");
	assert_int_equal(tcp_fetch("left", "10.8.2.2", 7003, 3000, peer), 0);
	assert_string_equal(peer, "10.8.2.1");
	lab_sh("nft delete table ip t");
	traffic_stop(&s);
}

static void failures_are_told_apart(void **state)
{
	struct traffic_server s;

	(void)state;
	assert_int_equal(tcp_fetch("left", "10.8.2.2", 7004, 3000, NULL), -ECONNREFUSED);
	assert_int_equal(udp_fetch("left", "10.8.2.2", 7004, 3000, NULL), -ECONNREFUSED);
	lab_sh("ip route add unreachable 192.0.2.0/24");
	assert_int_equal(tcp_fetch("left", "192.0.2.1", 80, 3000, NULL), -EHOSTUNREACH);
	lab_sh("ip route del unreachable 192.0.2.0/24\nnft 'add table ip t; add chain ip t f { "
	       "type filter hook "
	       "forward priority 0; policy drop; }'");
	traffic_serve(&s, "right", TRAFFIC_TCP, "10.8.2.2", 7004, "behind a wall");
	assert_int_equal(tcp_fetch("left", "10.8.2.2", 7004, 200, NULL), -ETIMEDOUT);
	assert_int_equal(udp_fetch("left", "10.8.2.2", 7004, 200, NULL), -ETIMEDOUT);
	lab_sh("nft delete table ip t");
	assert_int_equal(tcp_fetch("left", "10.8.2.2", 7004, 3000, NULL), 0);
	traffic_stop(&s);
	assert_int_equal(tcp_fetch("left", "10.8.2.2", 7004, 3000, NULL), -ECONNREFUSED);
}

static int connect_and_stay(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7005) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	inet_pton(AF_INET, "10.8.2.2", &to.sin_addr);

	pid_t pid = fork();

	if (pid != 0)
		return pid;
	alarm(5);
	(void)connect(fd, (struct sockaddr *)&to, sizeof to);
	pause();
	_exit(0);
}

static void a_client_that_hangs_keeps_nobody_waiting(void **state)
{
	struct traffic_server s;
	pid_t pid;

	(void)state;
	traffic_serve(&s, "right", TRAFFIC_TCP, "10.8.2.2", 7005, "patient");
	pid = lab_in("left", connect_and_stay, NULL);
	assert_true(pid > 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(tcp_fetch("left", "10.8.2.2", 7005, 1000, NULL), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	traffic_stop(&s);
}

static void sctp_passes_where_the_kernel_has_it(void **state)
{
	const struct traffic_query q = {
		.netns = "left",
		.proto = TRAFFIC_SCTP,
		.addr = "10.8.2.2",
		.port = 7006,
		.timeout_ms = 3000,
	};
	struct traffic_server s;
	struct traffic_answer a;

	(void)state;
	traffic_serve(&s, "right", TRAFFIC_SCTP, "10.8.2.2", 7006, "sctp");
	assert_int_equal(traffic_ask(&q, &a), 0);
	assert_string_equal(a.peer, "10.8.1.2");
	traffic_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_says_who_the_client_was),
		cmocka_unit_test(bytes_come_back_as_they_were_sent),
		cmocka_unit_test(the_source_can_be_chosen),
		cmocka_unit_test(masquerade_shows_in_the_address_the_server_saw),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(a_client_that_hangs_keeps_nobody_waiting),
		cmocka_unit_test(sctp_passes_where_the_kernel_has_it),
	};

	return cmocka_run_group_tests_name("traffic", tests, setup, teardown);
}
