// SPDX-License-Identifier: GPL-2.0-or-later
/* Routes: what is added is found again with every number, and goes again. */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "netlib/base/str.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/net/route.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

static struct nl cont = NL_INIT;
static uint32_t eth0;

static int setup(void **state)
{
	cleanup_fd int ns_fd = -1;
	struct link l;

	(void)state;
	lab_netns_new("c1");
	lab_sh_in(
		"c1",
		"ip link add eth0 type veth peer name peer0; ip link set peer0 up; ip link set eth0 up; "
		"ip addr add 10.1.0.2/16 dev eth0; ip addr add fd00::2/64 dev eth0 nodad");
	if (netns_open(LAB_NETNS("c1"), &ns_fd, NULL) ||
	    nl_open(&cont, NETLINK_ROUTE, ns_fd, "container", NULL) ||
	    link_get(&cont, "eth0", &l, NULL))
		return -1;
	eth0 = l.index;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nl_close(&cont);
	lab_netns_del("c1");
	return 0;
}

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p;

	if (ip_prefix_parse(s, &p) < 0)
		fail_msg("%s is no prefix", s);
	return p;
}

static struct ip_addr ip(const char *s)
{
	struct ip_addr a = { 0 };

	if (s && ip_parse(s, &a) < 0)
		fail_msg("%s is no address", s);
	return a;
}

struct find {
	const struct route *want;
	struct route got;
	unsigned n;
};

static int match(const struct route *r, void *arg)
{
	struct find *f = arg;

	if (r->oif != eth0 || !ip_prefix_eq(&r->dst, &f->want->dst) ||
	    r->table != (f->want->table ? f->want->table : RT_TABLE_MAIN))
		return 0;
	f->got = *r;
	f->n++;
	return 0;
}

static unsigned find(const struct route *want, struct route *got)
{
	struct find f = { .want = want };
	struct err e = ERR_INIT;

	if (route_each(&cont, want->dst.addr.family, match, &f, &e) < 0)
		fail_msg("%s", e.text);
	if (got)
		*got = f.got;
	return f.n;
}

static void every_kind_is_added_found_and_deleted(void **state)
{
	static const struct {
		const char *dst, *gw, *src, *text;
		uint32_t table, priority, mtu, advmss;
		int scope; /* -1 = as it comes */
	} cases[] = {
		{ "0.0.0.0/0", "10.1.0.1", NULL, "0.0.0.0/0 via 10.1.0.1", 0, 0, 0, 0, -1 },
		{ "10.9.0.0/16", NULL, NULL, "10.9.0.0/16", 0, 0, 0, 0, -1 },
		{ "10.8.0.0/16", "10.1.0.9", "10.1.0.2", "10.8.0.0/16 via 10.1.0.9", 0, 42, 1280,
		  1240, -1 },
		{ "10.7.0.1/32", NULL, NULL, "10.7.0.1/32", 100, 7, 0, 0, RT_SCOPE_LINK },
		{ "10.6.0.0/16", "10.1.0.1", NULL, "10.6.0.0/16 via 10.1.0.1", 4000000000U, 0, 0, 0,
		  RT_SCOPE_SITE },
		{ "::/0", "fd00::1", NULL, "::/0 via fd00::1", 0, 0, 0, 0, -1 },
		{ "2001:db8::/32", "fd00::9", "fd00::2", "2001:db8::/32 via fd00::9", 1000, 42,
		  1300, 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route r = { .dst = net(cases[i].dst),
				   .gw = ip(cases[i].gw),
				   .src = ip(cases[i].src),
				   .oif = eth0,
				   .table = cases[i].table,
				   .priority = cases[i].priority,
				   .mtu = cases[i].mtu,
				   .advmss = cases[i].advmss,
				   .scope = (uint8_t)(cases[i].scope < 0 ? 0 : cases[i].scope),
				   .has_scope = cases[i].scope >= 0 };
		struct route got = { 0 };
		struct err e = ERR_INIT;
		char text[ROUTE_TEXT_MAX];

		row_text(i, "text", route_text(&r, text), cases[i].text);
		if (route_add(&cont, &r, &e) != 0)
			row_fail(i, e.text);
		row_int(i, "again", route_add(&cont, &r, &e), ROUTE_EXISTS);
		row_int(i, "error", e.no, 0);
		row_int(i, "found", find(&r, &got), 1);
		row_int(i, "gw", ip_eq(&got.gw, &r.gw) || !ip_is_set(&r.gw), 1);
		row_int(i, "src", ip_eq(&got.src, &r.src) || !ip_is_set(&r.src), 1);
		row_int(i, "priority", got.priority,
			cases[i].priority ? cases[i].priority : got.priority);
		row_int(i, "mtu", got.mtu, cases[i].mtu);
		row_int(i, "advmss", got.advmss, cases[i].advmss);
		if (cases[i].scope >= 0)
			row_int(i, "scope", got.scope, cases[i].scope);
		row_int(i, "protocol", got.protocol, RTPROT_BOOT);
		row_int(i, "deleted", route_del(&cont, &r, &e), 0);
		row_int(i, "deleted again", route_del(&cont, &r, &e), 0);
		row_int(i, "left", find(&r, NULL), 0);
	}
}

static void host_bits_of_a_destination_do_not_matter(void **state)
{
	struct route r = { .dst = net("10.9.8.7/16"), .oif = eth0 },
		     as_kernel = { .dst = net("10.9.0.0/16"), .oif = eth0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(route_add(&cont, &r, &e), 0);
	assert_int_equal(find(&as_kernel, NULL), 1);
	assert_int_equal(route_del(&cont, &r, &e), 0);
	assert_int_equal(find(&as_kernel, NULL), 0);
}

static void deleting_takes_the_one_route_that_was_meant(void **state)
{
	struct route a = { .dst = net("10.9.0.0/16"),
			   .gw = ip("10.1.0.1"),
			   .oif = eth0,
			   .priority = 1 },
		     b = a;
	struct err e = ERR_INIT;
	struct route got;

	(void)state;
	b.priority = 2;
	assert_int_equal(route_add(&cont, &a, &e), 0);
	assert_int_equal(route_add(&cont, &b, &e), 0);
	assert_int_equal(route_del(&cont, &b, &e), 0);
	assert_int_equal(find(&a, &got), 1);
	assert_int_equal(got.priority, 1);
}

static void two_gateways_to_one_destination_share_it(void **state)
{
	static const char *const t[][3] = {
		{ "2001:db8::/32", "fd00::1", "fd00::2:1" },
		{ "10.9.0.0/16", "10.1.0.1", "10.1.0.9" },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct route a = { .dst = net(t[i][0]), .gw = ip(t[i][1]), .oif = eth0 }, b = a,
			     got;
		const struct route_hop hops[2] = { { .gw = a.gw }, { .gw = ip(t[i][2]) } };
		struct nlmsg m;

		b.gw = hops[1].gw;
		nlmsg_init(&m);
		route_put_shared(&m, &a, hops, 2);
		if (nl_talk(&cont, &m, &e) < 0)
			fail_msg("%s", e.text);
		/* each counts as a route */
		assert_int_equal(find(&a, &got), 2);
		assert_true(ip_eq(&got.gw, &b.gw));
		assert_int_equal(got.oif, eth0);
	}
}

static void a_refusal_says_which_route_where_and_why(void **state)
{
	struct route r = { .dst = net("0.0.0.0/0"), .gw = ip("192.0.2.1"), .oif = eth0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(route_add(&cont, &r, &e), -ENETUNREACH);
	assert_string_equal(
		e.text,
		"add route 0.0.0.0/0 via 192.0.2.1 in the container namespace: Network is unreachable");
	assert_string_equal(e.details, "kernel: Nexthop has invalid gateway");
	r = (struct route){ .dst = net("10.9.0.0/16"), .oif = 4711 };
	assert_int_equal(route_add(&cont, &r, &e), -ENODEV);
	assert_string_equal(e.text,
			    "add route 10.9.0.0/16 in the container namespace: No such device");
	assert_int_equal(route_del(&cont, &r, &e), 0);
}

static void the_way_to_an_address_is_the_kernels_own(void **state)
{
	struct ip_addr near = ip("10.1.9.9"), far = ip("192.0.2.1"), hole = ip("10.9.0.1"),
		       own = ip("10.1.0.2"), six = ip("fd00::7");
	struct err e = ERR_INIT;
	uint32_t oif = 0;

	(void)state;
	/* a closer route in a table that no rule leads to is none */
	lab_sh_in(
		"c1",
		"ip route add 10.1.9.0/24 dev peer0 table 77; ip route add unreachable 10.9.0.0/16");
	assert_int_equal(route_towards(&cont, &near, &oif, &e), 0);
	assert_int_equal(oif, eth0);
	oif = 0;
	assert_int_equal(route_towards(&cont, &six, &oif, &e), 0);
	assert_int_equal(oif, eth0);
	oif = 0;
	assert_int_equal(route_towards(&cont, &far, &oif, &e), ROUTE_NONE);
	assert_int_equal(route_towards(&cont, &hole, &oif, &e), ROUTE_NONE);
	assert_int_equal(route_towards(&cont, &own, &oif, &e), ROUTE_NONE);
	assert_int_equal(oif, 0);
	assert_int_equal(e.no, 0);
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(every_kind_is_added_found_and_deleted),
		IN_LAB(host_bits_of_a_destination_do_not_matter),
		IN_LAB(deleting_takes_the_one_route_that_was_meant),
		IN_LAB(two_gateways_to_one_destination_share_it),
		IN_LAB(the_way_to_an_address_is_the_kernels_own),
		IN_LAB(a_refusal_says_which_route_where_and_why),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
