// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/ip/port.h"
#include "netlib/net/conntrack.h"

/* Flows put into the table by hand: protocol, original destination and port. */
static const struct {
	const char *proto, *dst, *src;
	unsigned port;
} flows[] = {
	{ "udp", "192.0.2.1", "192.0.2.9", 53 },     { "udp", "192.0.2.2", "192.0.2.9", 53 },
	{ "udp", "192.0.2.1", "192.0.2.9", 54 },     { "udp", "192.0.2.1", "192.0.2.9", 6005 },
	{ "sctp", "192.0.2.1", "192.0.2.9", 53 },    { "tcp", "192.0.2.1", "192.0.2.9", 53 },
	{ "udp", "2001:db8::1", "2001:db8::9", 53 }, { "udp", "2001:db8::1", "2001:db8::9", 54 },
};
#define ALL ((1u << ARRAY_LEN(flows)) - 1)

static void fill(void)
{
	lab_sh("conntrack -F >/dev/null 2>&1; conntrack -F -f ipv6 >/dev/null 2>&1; true");
	for (size_t i = 0; i < ARRAY_LEN(flows); i++)
		lab_sh("conntrack -I -s %s -d %s -p %s --sport %zu --dport %u -t 100 %s >/dev/null 2>&1",
		       flows[i].src, flows[i].dst, flows[i].proto, 1000 + i, flows[i].port,
		       !strcmp(flows[i].proto, "udp") ?
			       "" :
		       !strcmp(flows[i].proto, "tcp") ?
			       "--state ESTABLISHED" :
			       "--state ESTABLISHED --orig-vtag 1 --reply-vtag 2");
}

/* Which flows are there, as bits. */
static unsigned there(void)
{
	cleanup_free char *text = lab_out("{ conntrack -L; conntrack -L -f ipv6; } 2>/dev/null");
	unsigned bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		char want[128];

		(void)snprintf(want, sizeof want, "dst=%s sport=%zu dport=%u", flows[i].dst,
			       1000 + i, flows[i].port);
		if (strstr(text, want))
			bits |= 1u << i;
	}
	return bits;
}

static int setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("ip link set lo up");
	return 0;
}

static void flows_to_published_ports_are_forgotten(void **state)
{
	static const struct {
		const char *maps[3];
		int family;
		unsigned gone; /* bits of flows[] */
	} cases[] = {
		{ { "53:53/udp" }, AF_INET, 1 << 0 | 1 << 1 },
		{ { "192.0.2.1:53:53/udp" }, AF_INET, 1 << 0 },
		{ { "0.0.0.0:53:53/udp" }, AF_INET, 1 << 0 | 1 << 1 },
		{ { "53:53/sctp" }, AF_INET, 1 << 4 },
		{ { "6000-6010:6000-6010/udp" }, AF_INET, 1 << 3 },
		{ { "53:53/udp", "54:54/udp" }, AF_INET, 1 << 0 | 1 << 1 | 1 << 2 },
		{ { "54:54/udp", "53:53/sctp" }, AF_INET, 1 << 2 | 1 << 4 },
		{ { "53:53/udp" }, AF_INET6, 1 << 6 },
		{ { "[2001:db8::1]:54:54/udp", "192.0.2.1:53:53/udp" }, AF_INET6, 1 << 7 },
		{ { "53:53/tcp" }, AF_INET, 0 }, /* TCP connects anew by itself */
		{ { "55:53/udp" }, AF_INET, 0 },
		{ { NULL }, AF_INET, 0 },
	};
	unsigned all;

	(void)state;
	fill();
	all = there();
	if (!(all & 1))
		lab_skip("this kernel keeps no connections (nf_conntrack)");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct port_map maps[3];
		struct err e = ERR_INIT;
		size_t n = 0;

		fill();
		for (; n < 3 && cases[i].maps[n]; n++)
			assert_int_equal(port_map_parse(cases[i].maps[n], &maps[n], NULL), 0);
		if (conntrack_flush(cases[i].family, maps, n, &e) < 0)
			lab_fail("%s", e.text);
		assert_int_equal(there(), all & ~cases[i].gone);
	}
}

static void thousands_of_flows_go_in_one_call(void **state)
{
	struct port_map map;

	(void)state;
	assert_int_equal(port_map_parse("53:53/udp", &map, NULL), 0);
	lab_sh("conntrack -F >/dev/null 2>&1; i=0; while [ $i -lt 500 ]; do i=$((i+1)); "
	       "echo \"-I -s 192.0.2.9 -d 192.0.2.1 -p udp --sport $((i+1000)) --dport 53 -t 100\"; done > /run/flows; "
	       "conntrack -R /run/flows >/dev/null 2>&1 || xargs -L1 conntrack < /run/flows >/dev/null 2>&1");
	cleanup_free char *before = lab_out("conntrack -L -p udp 2>/dev/null | grep -c dport=53");
	assert_string_equal(before, "500");
	assert_int_equal(conntrack_flush(AF_INET, &map, 1, NULL), 0);
	cleanup_free char *after =
		lab_out("conntrack -L -p udp 2>/dev/null | grep -c dport=53 || true");
	assert_string_equal(after, "0");
}

static void an_empty_table_is_success(void **state)
{
	struct port_map map;

	(void)state;
	assert_int_equal(port_map_parse("53:53/udp", &map, NULL), 0);
	lab_sh("conntrack -F >/dev/null 2>&1 || true");
	assert_int_equal(conntrack_flush(AF_INET, &map, 1, NULL), 0);
	assert_int_equal(conntrack_flush(AF_INET6, &map, 1, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_to_published_ports_are_forgotten),
		cmocka_unit_test(thousands_of_flows_go_in_one_call),
		cmocka_unit_test(an_empty_table_is_success),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
