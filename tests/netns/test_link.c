// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links, bridge ports, addresses and sysctls' neighbours: made, seen and taken away in a real
 * kernel.
 */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/net/port.h"
#include "netlib/nl/nl.h"

static struct nl host = NL_INIT, cont = NL_INIT;
static int ns_fd = -1;

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return netns_open(LAB_NETNS("c1"), &ns_fd, NULL) ||
	       nl_open(&host, NETLINK_ROUTE, -1, "host", NULL) ||
	       nl_open(&cont, NETLINK_ROUTE, ns_fd, "container", NULL);
}

static int teardown(void **state)
{
	(void)state;
	nl_close(&host);
	nl_close(&cont);
	(void)close(ns_fd);
	lab_netns_del("c1");
	return lab_try("ip link del br0; ip link del veth1; ip link del veth2") < 0;
}

static void must(int r, const struct err *e)
{
	if (r)
		fail_msg("%d: %s (%s)", r, e->text, e->details);
}

static const struct mac some_mac = { .set = true, .b = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 } };

static void a_bridge_is_up_with_its_own_address_and_name(void **state)
{
	struct bridge_spec b = { .name = "br0", .mac = some_mac, .mtu = 1400, .alias = "naru:net" };
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_get(&host, "br0", &l, &e), &e);
	assert_string_equal(l.kind, "bridge");
	assert_string_equal(l.alias, "naru:net");
	assert_int_equal(l.mtu, 1400);
	assert_true(mac_eq(&l.mac, &some_mac));
	assert_true(l.flags & IFF_UP);
	assert_int_equal(l.master, 0);
	assert_int_equal(link_add_bridge(&host, &b, &e), LINK_EXISTS);
	assert_int_equal(e.no, 0);
	must(link_del(&host, l.index, &e), &e);
	must(link_del(&host, l.index, &e), &e);
	assert_int_equal(link_get(&host, "br0", &l, &e), -ENODEV);
	assert_string_equal(e.text, "no interface br0 in the host namespace");
	assert_int_equal(link_get_index(&host, 4711, &l, &e), -ENODEV);
	assert_string_equal(e.text, "no interface with index 4711 in the host namespace");
}

static void a_pair_is_born_in_two_namespaces(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct veth_spec v = { .name = "veth1",
			       .peer = "eth0",
			       .peer_netns = ns_fd,
			       .mtu = 1300,
			       .peer_mac = some_mac,
			       .alias = "naru:owner",
			       .hairpin = true };
	struct link br, near, far;
	struct port_state port;
	struct err e = ERR_INIT;

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_get(&host, "br0", &br, &e), &e);
	v.master = br.index;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&host, "veth1", &near, &e), &e);
	must(link_get(&cont, "eth0", &far, &e), &e);
	assert_string_equal(near.kind, "veth");
	assert_string_equal(near.alias, "naru:owner");
	assert_int_equal(near.master, br.index);
	assert_int_equal(near.mtu, 1300);
	assert_int_equal(near.peer, far.index);
	assert_true(near.peer_nsid >= 0);
	assert_true(near.flags & IFF_UP);
	assert_int_equal(far.mtu, 1300);
	assert_true(mac_eq(&far.mac, &some_mac));
	assert_false(far.flags & IFF_UP);
	must(port_get(&host, near.index, &port, &e), &e);
	assert_int_equal(port.hairpin, 1);
	/* a port needs no address of its own */
	must(link_up(&cont, far.index, &e), &e);
	must(port_await(&host, -1, near.index, 5000, &e), &e);
	cleanup_free char *addrs = lab_out("ip -6 addr show dev veth1");
	assert_string_equal(addrs, "");
	must(link_del(&host, near.index, &e), &e);
	assert_int_equal(link_get(&cont, "eth0", &far, &e), -ENODEV);
	assert_string_equal(e.text, "no interface eth0 in the container namespace");
}

static void a_bridge_port_may_be_too_small_for_ipv6(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct veth_spec v = {
		.name = "veth1", .peer = "eth0", .peer_netns = ns_fd, .mtu = 1000, .alias = "naru:a"
	};
	struct err e = ERR_INIT;
	struct link br, l;

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_get(&host, "br0", &br, &e), &e);
	v.master = br.index;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&host, "veth1", &l, &e), &e);
	assert_int_equal(l.mtu, 1000);
	assert_string_equal(l.alias, "naru:a");
}

static void a_name_taken_on_either_side_is_an_outcome_and_changes_nothing(void **state)
{
	struct veth_spec a = { .name = "veth1",
			       .peer = "eth0",
			       .peer_netns = ns_fd,
			       .alias = "naru:first" },
			 same_host = a, same_peer = a;
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	must(link_add_veth(&host, &a, &e), &e);
	must(link_get(&host, "veth1", &l, &e), &e);
	must(link_down(&host, l.index, &e), &e);
	same_host.peer = "eth1";
	same_host.alias = "naru:second";
	assert_int_equal(link_add_veth(&host, &same_host, &e), LINK_EXISTS);
	must(link_get(&host, "veth1", &l, &e), &e);
	assert_string_equal(l.alias, "naru:first");
	assert_false(l.flags & IFF_UP);
	assert_int_equal(link_get(&cont, "eth1", &l, NULL), -ENODEV);
	strcpy(same_peer.name, "veth2");
	assert_int_equal(link_add_veth(&host, &same_peer, &e), LINK_EXISTS);
	assert_int_equal(link_get(&host, "veth2", &l, NULL), -ENODEV);
	assert_int_equal(e.no, 0);
	must(link_get(&host, "veth1", &l, &e), &e);
}

static void a_creation_that_fails_half_way_leaves_nothing(void **state)
{
	char alias[300];
	struct veth_spec v = {
		.name = "veth1", .peer = "eth0", .peer_netns = ns_fd, .alias = alias
	};
	struct bridge_spec b = { .name = "br0", .alias = alias };
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	memset(alias, 'x', sizeof alias - 1); /* longer than the kernel takes */
	alias[sizeof alias - 1] = 0;
	assert_true(link_add_veth(&host, &v, &e) < 0);
	assert_true(!strncmp(e.text, "create veth1 with peer eth0: ", 29));
	assert_int_equal(link_get(&host, "veth1", &l, NULL), -ENODEV);
	assert_int_equal(link_get(&cont, "eth0", &l, NULL), -ENODEV);
	assert_true(link_add_bridge(&host, &b, &e) < 0);
	assert_true(!strncmp(e.text, "create bridge br0: ", 19));
	assert_int_equal(link_get(&host, "br0", &l, NULL), -ENODEV);
}

static void flags_and_addresses_of_a_link_change(void **state)
{
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&cont, "eth0", &l, &e), &e);
	must(link_set_mac(&cont, l.index, &some_mac, &e), &e);
	must(link_up(&cont, l.index, &e), &e);
	must(link_set_flags(&cont, l.index, IFF_PROMISC, IFF_PROMISC, &e), &e);
	must(link_get_index(&cont, l.index, &l, &e), &e);
	assert_true(l.flags & IFF_UP && l.flags & IFF_PROMISC);
	assert_int_equal(l.promiscuity, 1);
	assert_true(mac_eq(&l.mac, &some_mac));
	must(link_down(&cont, l.index, &e), &e);
	must(link_get(&cont, "eth0", &l, &e), &e);
	assert_false(l.flags & IFF_UP);
	assert_int_equal(link_up(&cont, 4711, &e), -ENODEV);
	assert_string_equal(
		e.text, "set flags of interface 4711 in the container namespace: No such device");
}

static void a_port_shows_its_settings_and_a_link_that_is_none_says_so(void **state)
{
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct bridge_spec b = { .name = "br0" };
	struct err e = ERR_INIT;
	struct port_state port;
	struct link l;
	char want[160];

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&host, "veth1", &l, &e), &e);
	assert_int_equal(port_get(&host, l.index, &port, &e), -ENOENT);
	lab_sh("ip link set veth1 master br0 && bridge link set dev veth1 hairpin on");
	must(port_get(&host, l.index, &port, &e), &e);
	assert_int_equal(port.hairpin, 1);
	/* the other end is down: there is nothing to wait for */
	assert_int_equal(port_await(&host, -1, l.index, 50, &e), -ETIMEDOUT);
	(void)snprintf(
		want, sizeof want,
		"bridge port in error state: interface %u is not up after 50 ms (operational state ",
		l.index);
	assert_true(!strncmp(e.text, want, strlen(want)));
	assert_true(port_await(&host, -1, 4711, 50, &e) < 0);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void waiting_for_a_port_ends_with_the_event_and_not_with_the_deadline(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct err e = ERR_INIT;
	struct link br, near, far;
	int64_t start = now_ms();
	int st;

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_get(&host, "br0", &br, &e), &e);
	v.master = br.index;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&host, "veth1", &near, &e), &e);
	must(link_get(&cont, "eth0", &far, &e), &e);
	pid_t pid = fork();
	if (pid == 0) {
		lab_child();
		(void)nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
		_exit(link_up(&cont, far.index, NULL) < 0);
	}
	must(port_await(&host, -1, near.index, 20000, &e), &e);
	assert_true(now_ms() - start < 10000);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

static void a_port_that_goes_away_is_not_waited_for(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct err e = ERR_INIT;
	int64_t start = now_ms();
	struct link br, near;
	char want[64];
	int st;

	(void)state;
	must(link_add_bridge(&host, &b, &e), &e);
	must(link_get(&host, "br0", &br, &e), &e);
	v.master = br.index;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&host, "veth1", &near, &e), &e);
	pid_t pid = fork();
	if (pid == 0) {
		lab_child();
		(void)nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		/* leaving the bridge is no going away, though it is told alike */
		_exit(lab_try("ip link set veth1 nomaster; sleep 0.1; ip link del veth1"));
	}
	assert_int_equal(port_await(&host, -1, near.index, 20000, &e), -ENODEV);
	(void)snprintf(want, sizeof want, "interface %u went away while it was waited for",
		       near.index);
	assert_string_equal(e.text, want);
	assert_true(now_ms() - start < 10000);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

/* ---- addresses */

struct found {
	struct addr v[8];
	size_t n;
};

static int take(const struct addr *a, void *arg)
{
	struct found *f = arg;

	if (f->n < ARRAY_LEN(f->v))
		f->v[f->n++] = *a;
	return 0;
}

static void addresses_come_and_go(void **state)
{
	static const struct {
		const char *prefix;
		uint32_t flags;
	} cases[] = {
		{ "10.1.0.2/16", 0 },
		{ "10.2.0.2/32", IFA_F_NOPREFIXROUTE },
		{ "fd00::2/64", IFA_F_NODAD },
		{ "127.5.0.1/8", 0 },
	};
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct err e = ERR_INIT;
	struct found f = { .n = 0 };
	struct link l;
	char text[IP_TEXT_MAX];

	(void)state;
	must(link_add_veth(&host, &v, &e), &e);
	must(link_get(&cont, "eth0", &l, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &p), 0);
		must(addr_add(&cont, l.index, &p, cases[i].flags, &e), &e);
		assert_int_equal(addr_add(&cont, l.index, &p, cases[i].flags, &e), ADDR_EXISTS);
		f.n = 0;
		must(addr_each(&cont, p.addr.family, l.index, take, &f, &e), &e);
		row_int(i, "found", (long long)f.n, 1);
		row_text(i, "printed", ip_prefix_text(&f.v[0].prefix, text), cases[i].prefix);
		row_int(i, "flags", f.v[0].flags & cases[i].flags, cases[i].flags);
		f.n = 0;
		must(addr_each(&cont, 0, l.index + 1000, take, &f, &e), &e);
		row_int(i, "on another link", (long long)f.n, 0);
		must(addr_del(&cont, l.index, &p, &e), &e);
		must(addr_del(&cont, l.index, &p, &e), &e);
		f.n = 0;
		must(addr_each(&cont, 0, l.index, take, &f, &e), &e);
		row_int(i, "left", (long long)f.n, 0);
	}
	struct ip_prefix p;
	assert_int_equal(ip_prefix_parse("10.1.0.2/16", &p), 0);
	assert_int_equal(addr_add(&cont, 4711, &p, 0, &e), -ENODEV);
	assert_string_equal(e.text,
			    "add address 10.1.0.2/16 in the container namespace: No such device");
	must(addr_del(&cont, 4711, &p, &e), &e);
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_bridge_is_up_with_its_own_address_and_name),
		IN_LAB(a_pair_is_born_in_two_namespaces),
		IN_LAB(a_bridge_port_may_be_too_small_for_ipv6),
		IN_LAB(a_name_taken_on_either_side_is_an_outcome_and_changes_nothing),
		IN_LAB(a_creation_that_fails_half_way_leaves_nothing),
		IN_LAB(flags_and_addresses_of_a_link_change),
		IN_LAB(a_port_shows_its_settings_and_a_link_that_is_none_says_so),
		IN_LAB(waiting_for_a_port_ends_with_the_event_and_not_with_the_deadline),
		IN_LAB(a_port_that_goes_away_is_not_waited_for),
		IN_LAB(addresses_come_and_go),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
