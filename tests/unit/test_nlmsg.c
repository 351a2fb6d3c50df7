// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/nlmsg.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include "netlib/base/str.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/link_kinds.h"
#include "netlib/net/port.h"
#include "netlib/net/portvlan.h"
#include "netlib/net/route.h"
#include "netlib/nl/names.h"
#include "netlib/nl/nl.h"

/* ---- the builder */

static void attributes_are_padded_and_lengths_kept(void **state)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	static const uint8_t want[] = {
		5,  0, 1, 0,	0xab, 0,    0, 0,	      /* u8, three bytes of padding */
		6,  0, 2, 0,	0x34, 0x12, 0, 0,	      /* u16 */
		6,  0, 3, 0,	0x12, 0x34, 0, 0,	      /* u16, network order */
		8,  0, 4, 0,	1,    2,    3, 4,	      /* u32, network order */
		4,  0, 5, 0,				      /* flag */
		7,  0, 6, 0,	'a',  'b',  0, 0,	      /* text with terminator */
		12, 0, 7, 0x80, 5,    0,    8, 0, 9, 0, 0, 0, /* nest */
	};
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE, &any, sizeof any);
	nlmsg_u8(&m, 1, 0xab);
	nlmsg_u16(&m, 2, 0x1234);
	nlmsg_u16be(&m, 3, 0x1234);
	nlmsg_u32be(&m, 4, 0x01020304);
	nlmsg_flag(&m, 5);
	nlmsg_str(&m, 6, "ab");
	nlmsg_nest(&m, 7)
		nlmsg_u8(&m, 8, 9);
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)m.buf;
	assert_int_equal(m.bad, 0);
	assert_int_equal(m.count, 1);
	assert_int_equal(h->nlmsg_len, m.len);
	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
	assert_int_equal(m.len, NLMSG_HDRLEN + sizeof any + sizeof want);
	assert_memory_equal(m.buf + NLMSG_HDRLEN + sizeof any, want, sizeof want);
}

static void an_unset_mac_writes_nothing(void **state)
{
	const struct ifinfomsg any = { 0 };
	const struct mac unset = { 0 };
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, 0, &any, sizeof any);
	nlmsg_mac(&m, IFLA_ADDRESS, &unset);
	assert_int_equal(m.len, NLMSG_HDRLEN + sizeof any);
}

static void a_full_buffer_is_remembered_and_nothing_is_sent(void **state)
{
	static const char big[NLMSG_SIZE];
	struct nl nl = { .fd = -1, .name = "test" };
	struct err e = ERR_INIT;
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, 0, NULL, 0);
	for (int i = 0; i < 20; i++)
		nlmsg_nest(&m, 1)
			nlmsg_data(&m, 2, big, 1000);
	assert_int_equal(m.bad, -EMSGSIZE);
	assert_true(m.len <= NLMSG_SIZE);
	nlmsg_begin(&m, RTM_NEWLINK, 0, NULL, 0);
	nlmsg_str(&m, 1, "more");
	assert_int_equal(nl_talk(&nl, &m, &e), -EMSGSIZE);
	assert_string_equal(e.text, "write a netlink message: Message too long");
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, 0, NULL, 0);
	nlmsg_data(&m, 1, big, 70000);
	assert_int_equal(m.bad, -EMSGSIZE);
}

/*
 * ---- what the verbs send, as golden text: a pair of sockets stands in for the kernel, its answers
 * are there before the question
 */

struct kernel {
	struct nl nl;
	int far;
};

static int kernel_setup(void **state)
{
	static struct kernel k;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	k = (struct kernel){ .nl = { .fd = fd[0], .name = "host" }, .far = fd[1] };
	*state = &k;
	return 0;
}

static int kernel_teardown(void **state)
{
	struct kernel *k = *state;

	nl_close(&k->nl);
	return close(k->far);
}

/* Answers are numbered from the next question on. */
static void will_answer(const struct kernel *k, uint32_t after, int status)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack = { .h = { .nlmsg_len = sizeof ack,
			 .nlmsg_type = NLMSG_ERROR,
			 .nlmsg_seq = k->nl.seq + 1 + after },
		  .e = { .error = status } };

	assert_int_equal(send(k->far, &ack, sizeof ack, 0), sizeof ack);
}

static void will_accept(const struct kernel *k, unsigned messages)
{
	for (unsigned i = 0; i < messages; i++)
		will_answer(k, i, 0);
}

/* Everything that was sent since it was last looked at. */
static void assert_sent(const struct kernel *k, const char *golden)
{
	_Alignas(8) char buf[NLMSG_SIZE];
	cleanup_str struct str s = STR_INIT;
	char path[80];
	ssize_t n;

	while ((n = recv(k->far, buf, sizeof buf, MSG_DONTWAIT)) > 0)
		nl_print_all(&s, buf, (size_t)n);
	(void)snprintf(path, sizeof path, "tests/golden/netlink/%s", golden);
	assert_non_null(s.p);
	assert_golden(path, s.p);
}

static const struct mac some_mac = { .set = true, .b = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 } };

/* First a look whether the name is taken, then the batch. */
static void will_be_free_then_accept(const struct kernel *k, unsigned messages)
{
	will_answer(k, 0, -ENODEV);
	for (unsigned i = 1; i <= messages; i++)
		will_answer(k, i, 0);
}

static void a_veth_pair_is_born_whole(void **state)
{
	struct kernel *k = *state;
	struct veth_spec v = { .name = "veth5e4dccb6", .peer = "eth0", .peer_netns = 7 };

	will_be_free_then_accept(k, 3);
	assert_int_equal(link_add_veth(&k->nl, &v, NULL), 0);
	assert_sent(k, "veth");
	v.master = 12;
	v.mtu = 1400;
	v.hairpin = true;
	v.peer_mac = some_mac;
	v.alias = "naru:1234 net/c1/eth0";
	will_be_free_then_accept(k, 3);
	assert_int_equal(link_add_veth(&k->nl, &v, NULL), 0);
	assert_sent(k, "veth-port");
	v = (struct veth_spec){ .name = "veth1", .peer = "eth0", .master = 12, .isolated = true };
	will_be_free_then_accept(k, 3);
	assert_int_equal(link_add_veth(&k->nl, &v, NULL), 0);
	assert_sent(k, "veth-isolated");
}

static void a_link_on_another_is_born_where_it_belongs(void **state)
{
	static const struct {
		struct link_child link;
		const char *golden;
	} t[] = {
		{ { .name = "eth0", .kind = "macvlan", .lower = 3, .netns = 7, .value = 4 },
		  "macvlan" },
		{ { .name = "eth0",
		    .kind = "macvlan",
		    .lower = 3,
		    .netns = -1,
		    .mtu = 1400,
		    .mac = { .set = true, .b = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 } },
		    .value = 1,
		    .bcqueuelen = 2000 },
		  "macvlan-all" },
		{ { .name = "eth0", .kind = "ipvlan", .lower = 3, .netns = 7, .value = 2 },
		  "ipvlan" },
		{ { .name = "eth0", .kind = "vlan", .lower = 3, .netns = 7, .value = 100 },
		  "vlan" },
		{ { .name = "eth0", .kind = "dummy", .netns = -1 }, "dummy" },
		{ { .name = "blue", .kind = "vrf", .netns = -1, .value = 10 }, "vrf" },
	};
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		will_accept(k, 1);
		assert_int_equal(link_add_child(&k->nl, &k->nl, &t[i].link, NULL), 0);
		assert_sent(k, t[i].golden);
	}
	will_accept(k, 1);
	assert_int_equal(link_set_master(&k->nl, 5, 9, NULL), 0);
	assert_sent(k, "link-master");
}

static void a_bridge_is_born_up(void **state)
{
	struct kernel *k = *state;
	struct bridge_spec b = { .name = "cni0" };

	will_accept(k, 1);
	assert_int_equal(link_add_bridge(&k->nl, &b, NULL), 0);
	assert_sent(k, "bridge");
	b.mac = some_mac;
	b.mtu = 9000;
	b.alias = "naru:net";
	will_accept(k, 2);
	assert_int_equal(link_add_bridge(&k->nl, &b, NULL), 0);
	assert_sent(k, "bridge-owned");
	b = (struct bridge_spec){ .name = "br0", .vlan_filtering = true };
	will_accept(k, 1);
	assert_int_equal(link_add_bridge(&k->nl, &b, NULL), 0);
	assert_sent(k, "bridge-vlans");
}

/* What an attachment's keys make of a port; the bridge gave it VLAN 1. */
static void a_port_gets_its_vlans_in_one_batch(void **state)
{
	static const struct {
		uint16_t own, from, to;
		bool keep;
		unsigned messages;
		const char *golden;
	} t[] = {
		{ 100, 0, 0, false, 2, "vlan-access" },
		{ 100, 0, 0, true, 1, "vlan-access-kept" },
		{ 0, 200, 210, false, 1, "vlan-trunk" },
		{ 50, 200, 200, false, 2, "vlan-trunk-own" },
		{ 0, 1, 4094, false, 2, "vlan-trunk-all" },
	};
	const struct vlan_bridge br = { .known = true, .filtering = true, .native = 1 };
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct vlan_set ids = { 0 };

		for (unsigned id = t[i].from; id && id <= t[i].to; id++)
			vlan_set_add(&ids, id);
		struct vlan_port want = vlan_port_plan(t[i].own, &ids, t[i].keep, &br);
		will_accept(k, t[i].messages);
		assert_int_equal(vlan_port_set(&k->nl, 7, &want, &br, NULL), 0);
		assert_sent(k, t[i].golden);
	}
	will_accept(k, 1);
	assert_int_equal(vlan_bridge_filter(&k->nl, 12, NULL), 0);
	assert_sent(k, "bridge-filter");
}

static void a_long_trunk_is_told_in_parts(void **state)
{
	const struct vlan_bridge br = { .known = true };
	struct vlan_set ids = { 0 };
	struct kernel *k = *state;
	cleanup_str struct str text = STR_INIT;

	for (unsigned id = 2; id <= VLAN_ID_MAX; id += 2)
		vlan_set_add(&ids, id);
	struct vlan_port want = vlan_port_plan(9, &ids, false, &br);
	vlan_port_text(&text, &want);
	assert_true(str_starts(text.p, "own 9, without tag 9, with tag 2 4 6 8 10 12"));
	will_accept(k, 11);
	assert_int_equal(vlan_port_set(&k->nl, 7, &want, &br, NULL), 0);
	will_answer(k, 0, 0);
	will_answer(k, 1, -EINVAL);
	assert_int_equal(vlan_port_set(&k->nl, 7, &want, &br, NULL), -EINVAL);
}

static void links_are_asked_for_changed_and_deleted(void **state)
{
	struct kernel *k = *state;

	will_accept(k, 5);
	assert_int_equal(link_up(&k->nl, 5, NULL), 0);
	assert_sent(k, "link-up");
	assert_int_equal(link_down(&k->nl, 5, NULL), 0);
	assert_sent(k, "link-down");
	assert_int_equal(link_set_mac(&k->nl, 5, &some_mac, NULL), 0);
	assert_sent(k, "link-mac");
	assert_int_equal(link_del(&k->nl, 5, NULL), 0);
	assert_sent(k, "link-del");
	assert_int_equal(port_isolate(&k->nl, 5, true, NULL), 0);
	assert_sent(k, "port-isolate");
}

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p = { 0 };

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

static void addresses_carry_their_broadcast_and_flags(void **state)
{
	static const struct {
		const char *prefix, *golden;
		uint32_t flags;
	} cases[] = {
		{ "10.1.0.2/16", "addr-v4", 0 },
		{ "10.1.0.2/31", "addr-v4-31", 0 },
		{ "10.1.0.2/32", "addr-v4-32", IFA_F_NOPREFIXROUTE },
		{ "127.0.0.1/8", "addr-v4-loopback", 0 },
		{ "fd00::2/64", "addr-v6", IFA_F_NODAD },
	};
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p = net(cases[i].prefix);

		will_accept(k, 1);
		assert_int_equal(addr_add(&k->nl, 5, &p, cases[i].flags, NULL), 0);
		assert_sent(k, cases[i].golden);
	}
	struct ip_prefix p = net("10.1.0.2/16");
	will_accept(k, 1);
	assert_int_equal(addr_del(&k->nl, 5, &p, NULL), 0);
	assert_sent(k, "addr-del");
}

static void routes_carry_every_number(void **state)
{
	struct kernel *k = *state;
	struct route r = { .dst = net("0.0.0.0/0"), .oif = 5 };
	struct nlmsg m;
	cleanup_str struct str s = STR_INIT;

	assert_int_equal(ip_parse("10.1.0.1", &r.gw), 0);
	will_accept(k, 4);
	assert_int_equal(route_add(&k->nl, &r, NULL), 0);
	assert_sent(k, "route-default");
	r = (struct route){ .dst = net("10.9.8.7/16"), .oif = 5 };
	assert_int_equal(route_add(&k->nl, &r, NULL), 0);
	assert_sent(k, "route-on-link");
	r = (struct route){ .dst = net("2001:db8::/32"),
			    .oif = 5,
			    .table = 1000,
			    .priority = 42,
			    .mtu = 1280,
			    .advmss = 1220,
			    .scope = RT_SCOPE_SITE,
			    .has_scope = true,
			    .protocol = RTPROT_STATIC,
			    .type = RTN_UNICAST };
	assert_int_equal(ip_parse("fe80::1", &r.gw), 0);
	assert_int_equal(ip_parse("2001:db8::5", &r.src), 0);
	assert_int_equal(route_add(&k->nl, &r, NULL), 0);
	assert_sent(k, "route-everything");
	assert_int_equal(route_del(&k->nl, &r, NULL), 0);
	assert_sent(k, "route-del");
	struct route_hop hops[2] = { { .onlink = true } };
	assert_int_equal(ip_parse("fe80::1", &hops[0].gw), 0);
	assert_int_equal(ip_parse("fe80::2", &hops[1].gw), 0);
	nlmsg_init(&m);
	route_put_shared(&m, &r, hops, 2);
	will_accept(k, 2);
	assert_int_equal(nl_talk(&k->nl, &m, NULL), 0);
	assert_sent(k, "route-shared-v6");
	struct route v4 = { .dst = net("10.9.0.0/16"), .oif = 5 };
	assert_int_equal(ip_parse("10.1.0.1", &hops[0].gw), 0);
	assert_int_equal(ip_parse("10.1.0.2", &hops[1].gw), 0);
	nlmsg_init(&m);
	route_put_shared(&m, &v4, hops, 2);
	assert_int_equal(nl_talk(&k->nl, &m, NULL), 0);
	assert_sent(k, "route-shared-v4");
	nlmsg_init(&m);
	route_put(&m, &r, true);
	nl_print_all(&s, m.buf, m.len);
	assert_non_null(strstr(s.p, "RTM_NEWROUTE request create append\n"));
}

/* ---- the printer */

static void one_line_has_nests_in_braces(void **state)
{
	const struct ifinfomsg i = { .ifi_index = 3, .ifi_flags = 1, .ifi_change = 1 };
	cleanup_str struct str s = STR_INIT;
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, "bridge");
	nlmsg_u32(&m, IFLA_MTU, 1500);
	nl_print(&s, (const struct nlmsghdr *)(const void *)m.buf, false);
	assert_string_equal(
		s.p, "RTM_NEWLINK request excl create family unspec index 3 flags up change up "
		     "IFLA_LINKINFO { IFLA_INFO_KIND \"bridge\" } IFLA_MTU 1500");
}

static void what_has_no_name_is_printed_by_number(void **state)
{
	static const uint8_t bytes[40] = { 1, 2, 0xff };
	const struct ifaddrmsg i = { .ifa_family = 77, .ifa_scope = 9, .ifa_flags = 0x80 };
	cleanup_str struct str s = STR_INIT;
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWADDR, 0x8000, &i, sizeof i);
	nlmsg_data(&m, 99, bytes, 3);
	nlmsg_data(&m, 98, bytes, sizeof bytes);
	nlmsg_data(&m, IFA_LOCAL, bytes, 3);
	nlmsg_data(&m, IFA_LABEL, "a\"\n\0b", 5);
	nlmsg_flag(&m, 97);
	nlmsg_begin(&m, 60, 0, bytes, 3);
	nlmsg_begin(&m, 0xa05, 0, NULL, 0);
	nl_print_all(&s, m.buf, m.len);
	assert_string_equal(
		s.p,
		"RTM_NEWADDR request 0x8000\n"
		"  family 77 prefixlen 0 scope 9 index 0 flags permanent\n"
		"  attribute 99 0102ff\n"
		"  attribute 98 0102ff0000000000000000000000000000000000000000000000000000000000... (40 bytes)\n"
		"  IFA_LOCAL 0102ff\n"
		"  IFA_LABEL \"a\\x22\\x0a\"\n"
		"  attribute 97 (empty)\n"
		"message 60 request\n"
		"  0102ff00\n"
		"netfilter subsystem 10 message 5 request\n");
}

static void malformed_messages_are_printed_as_far_as_they_go(void **state)
{
	const struct ifinfomsg any = { 0 };
	struct nlmsg m;

	(void)state;
	for (unsigned len = 0; len < 12; len++) {
		cleanup_str struct str s = STR_INIT;
		char want[128];
		uint16_t odd = (uint16_t)len;

		nlmsg_init(&m);
		nlmsg_begin(&m, RTM_NEWLINK, 0, &any, sizeof any);
		nlmsg_u32(&m, IFLA_MTU, 1500);
		memcpy(m.buf + NLMSG_HDRLEN + sizeof any, &odd, sizeof odd);
		if (len >= 4 && len <= 8)
			continue; /* well formed */
		nl_print_all(&s, m.buf, m.len);
		(void)snprintf(
			want, sizeof want,
			"RTM_NEWLINK request\n  family unspec index 0\n  malformed: 8 bytes left\n");
		row_text(len, "attribute length", s.p, want);
	}
	cleanup_str struct str s = STR_INIT;
	nl_print_all(&s, m.buf, 7);
	assert_string_equal(s.p, "malformed: 7 bytes left\n");
	cleanup_str struct str cut = STR_INIT;
	nl_print_all(&cut, m.buf, m.len - 1);
	assert_string_equal(cut.p, "malformed: 39 bytes left\n");
}

#define WITH_KERNEL(f) cmocka_unit_test_setup_teardown(f, kernel_setup, kernel_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_padded_and_lengths_kept),
		cmocka_unit_test(an_unset_mac_writes_nothing),
		cmocka_unit_test(a_full_buffer_is_remembered_and_nothing_is_sent),
		WITH_KERNEL(a_veth_pair_is_born_whole),
		WITH_KERNEL(a_link_on_another_is_born_where_it_belongs),
		WITH_KERNEL(a_bridge_is_born_up),
		WITH_KERNEL(a_port_gets_its_vlans_in_one_batch),
		WITH_KERNEL(a_long_trunk_is_told_in_parts),
		WITH_KERNEL(links_are_asked_for_changed_and_deleted),
		WITH_KERNEL(addresses_carry_their_broadcast_and_flags),
		WITH_KERNEL(routes_carry_every_number),
		cmocka_unit_test(one_line_has_nests_in_braces),
		cmocka_unit_test(what_has_no_name_is_printed_by_number),
		cmocka_unit_test(malformed_messages_are_printed_as_far_as_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
