// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transaction verbs in a real kernel: a fault at any of them, or a crash and a replay of the
 * journal, leaves the machine as it was.
 */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/fd.h"
#include "netlib/net/netns.h"
#include "netlib/nl/nl.h"
#include "netlib/txn/txn.h"
#include "netlib/txn/verbs.h"
#include "tests/lib/snapshot.h"

#define WORK "/run/verbs-test"
#define SEEN (SNAPSHOT_NET | SNAPSHOT_FW | SNAPSHOT_SYSCTL | SNAPSHOT_MOUNTS | SNAPSHOT_FILES)

static struct nl host = NL_INIT, cont = NL_INIT;
static int ns_fd = -1;

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_sh("mkdir " WORK);
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
	(void)lab_try("ip link del br0; ip link del veth1");
	lab_sh("rm -rf " WORK);
	return 0;
}

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p;

	if (ip_prefix_parse(s, &p) < 0)
		fail_msg("%s is no prefix", s);
	return p;
}

static int links(struct txn *t, struct link *far, struct err *e)
{
	struct bridge_spec b = { .name = "br0", .alias = "naru:net" };
	struct veth_spec v = {
		.name = "veth1", .peer = "eth0", .peer_netns = ns_fd, .alias = "naru:owner"
	};
	struct link lo, br;
	int r;

	if ((r = link_get(&cont, "lo", &lo, e)) < 0 ||
	    (r = txn_link_up(t, UNDO_CONT, &lo, e)) < 0 || (r = txn_bridge_add(t, &b, e)) != 0 ||
	    (r = link_get(&host, "br0", &br, e)) < 0)
		return r;
	v.master = br.index;
	if ((r = txn_veth_add(t, &v, e)) != 0 || (r = link_get(&cont, "eth0", far, e)) < 0)
		return r;
	return txn_link_up(t, UNDO_CONT, far, e);
}

static int addresses(struct txn *t, const struct link *far, struct err *e)
{
	struct ip_prefix v4 = net("10.1.0.2/16"), v6 = net("fd00::2/64"), old = net("127.5.0.1/8");
	const struct addr gone = { .prefix = old, .index = 1 };
	struct route def = { .dst = net("0.0.0.0/0"), .oif = far->index },
		     other = { .dst = net("10.9.0.0/16"), .oif = far->index };
	int r;

	(void)ip_parse("10.1.0.1", &def.gw);
	other.table = 1000;
	other.priority = 5;
	if ((r = txn_addr_add(t, UNDO_CONT, far->index, &v4, 0, e)) != 0 ||
	    (r = txn_addr_add(t, UNDO_CONT, far->index, &v6, IFA_F_NODAD, e)) != 0 ||
	    (r = txn_addr_del(t, UNDO_CONT, &gone, e)) != 0 ||
	    (r = txn_route_add(t, UNDO_CONT, &def, e)) != 0 ||
	    (r = txn_route_add(t, UNDO_CONT, &other, e)) != 0)
		return r;
	return 0;
}

static int the_rest(struct txn *t, struct err *e)
{
	const struct fw_masq masq = { .addr = net("10.1.0.2/16") };
	struct fw_dnat dnat = { .to = masq.addr };
	const struct fw_plan p = { .owner = { "net", "c1", "eth0" },
				   .masq = &masq,
				   .nmasq = 1,
				   .dnat = &dnat,
				   .ndnat = 1 };
	cleanup_fw struct fw *fw = NULL;
	int r;

	assert_int_equal(port_map_parse("8080:80", &dnat.map, NULL), 0);
	if ((r = txn_sysctl(t, UNDO_HOST, "net/ipv4/ip_forward", "1", e)) < 0 ||
	    (r = txn_sysctl(t, UNDO_CONT, "net/ipv4/ip_default_ttl", "33", e)) < 0 ||
	    (r = fw_open(&fw, FW_AUTO, e)) < 0 || (r = txn_fw_add(t, fw, &p, e)) < 0 ||
	    (r = txn_file_create(t, WORK "/file", 0600, "x", 1, e)) < 0 ||
	    (r = txn_netns_create(t, WORK "/ns", e)) < 0)
		return r;
	return txn_point(t, "deliver", e);
}

/* Every verb once. */
static int everything(struct txn *t, struct err *e)
{
	struct link far;
	int r;

	if ((r = links(t, &far, e)) != 0 || (r = addresses(t, &far, e)) != 0)
		return r < 0 ? r : -EEXIST;
	return the_rest(t, e);
}

static char *seen(void)
{
	/* our empty table may stay: it is furniture, which a sweep collects */
	cleanup_fw struct fw *fw = NULL;

	if (fw_open(&fw, FW_AUTO, NULL) == 0)
		(void)fw_sweep(fw, NULL);
	return snapshot_take(SEEN, "c1");
}

static void assert_same(const char *before, unsigned k)
{
	cleanup_free char *after = seen(), *diff = snapshot_diff(before, after);

	if (diff)
		fail_msg("fault at %u leaves:\n%s", k, diff);
}

static void prepare(void)
{
	/* once up, a loopback keeps its address and its queue */
	lab_sh_in("c1", "ip link set lo up; ip link set lo down; ip addr add 127.5.0.1/8 dev lo");
	lab_sh("sysctl -qw net.ipv4.ip_forward=0; install -D -m 600 /dev/null /run/naru/fw.lock");
}

static void a_fault_at_every_verb_leaves_no_trace(void **state)
{
	cleanup_free char *before = NULL;
	unsigned k = 1;

	(void)state;
	prepare();
	before = seen();
	for (bool done = false; !done; k++) {
		struct txn t = TXN_INIT;
		struct err e = ERR_INIT;

		txn_init(&t, &host, &cont, ns_fd);
		t.fail_at = k;
		int r = everything(&t, &e);
		done = r == 0;
		if (r < 0 && !strstr(e.text, "fault injected at step"))
			fail_msg("fault at %u: %s", k, e.text);
		txn_end(&t); /* not committed: also the run without a fault goes back */
		assert_same(before, k);
	}
	assert_true(k > 15);
}

static void a_crash_after_any_verb_is_undone_by_the_journal(void **state)
{
	cleanup_free char *before = NULL;
	unsigned k = 1;

	(void)state;
	prepare();
	lab_sh(": > " WORK "/journal");
	before = seen();
	for (bool done = false; !done; k++) {
		cleanup_fd int journal =
			open(WORK "/journal", O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC);
		struct txn t = TXN_INIT, again = TXN_INIT;
		struct err e = ERR_INIT;

		txn_init(&t, &host, &cont, ns_fd);
		t.journal = journal;
		t.fail_at = k;
		done = everything(&t, &e) == 0;
		txn_commit(&t); /* the records in memory are lost, as in a crash */
		txn_end(&t);
		for (int twice = 0; twice < 2; twice++) { /* and a crash in the middle of gc */
			txn_init(&again, &host, &cont, ns_fd);
			if (txn_replay(&again, AT_FDCWD, WORK "/journal", &e) < 0)
				fail_msg("replay after %u: %s", k, e.text);
			txn_end(&again);
		}
		lab_sh(": > " WORK "/journal");
		assert_same(before, k);
	}
	assert_true(k > 15);
}

static void what_belongs_to_somebody_else_is_not_undone(void **state)
{
	struct bridge_spec b = { .name = "br0", .alias = "naru:net" };
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	txn_init(&t, &host, &cont, ns_fd);
	assert_int_equal(txn_bridge_add(&t, &b, &e), 0);
	lab_sh("ip link del br0; ip link add br0 type bridge; ip link set br0 alias someone-elses");
	assert_int_equal(txn_rollback(&t, &e), 0);
	lab_sh("ip link show br0");
	txn_end(&t);
}

static void a_bridge_that_others_joined_is_theirs(void **state)
{
	struct bridge_spec b = { .name = "br0", .alias = "naru:net" };
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	txn_init(&t, &host, &cont, ns_fd);
	assert_int_equal(txn_bridge_add(&t, &b, &e), 0);
	lab_sh("ip link add veth1 type veth peer name veth2; ip link set veth1 master br0");
	assert_int_equal(txn_rollback(&t, &e), 0);
	lab_sh("ip link show br0");
	txn_end(&t);
}

static void a_bridge_set_up_stays_up_for_others_that_joined(void **state)
{
	static const char *const joins[] = { "true", "ip link set veth1 master br0" };
	struct err e = ERR_INIT;

	(void)state;
	lab_sh("ip link add br0 type bridge; ip link add veth1 type veth peer name veth2");
	for (size_t i = 0; i < 2; i++) {
		struct txn t = TXN_INIT;
		struct link l;

		txn_init(&t, &host, &cont, ns_fd);
		assert_int_equal(link_get(&host, "br0", &l, &e), 0);
		assert_int_equal(txn_bridge_up(&t, &l, &e), 0);
		lab_sh("%s", joins[i]);
		assert_int_equal(txn_rollback(&t, &e), 0);
		assert_int_equal(link_get(&host, "br0", &l, &e), 0);
		assert_int_equal(l.flags & IFF_UP, i ? IFF_UP : 0);
		txn_end(&t);
	}
}

static int keep_addr(const struct addr *a, void *arg)
{
	*(struct addr *)arg = *a;
	return a->scope != RT_SCOPE_LINK; /* of IPv6, that one is the kernel's */
}

static void an_address_comes_back_as_it_was(void **state)
{
	static const struct {
		const char *words;
		uint8_t family;
	} t[] = {
		{ "10.1.0.1/24 dev br0 noprefixroute", AF_INET },
		{ "fd00:1::1/64 dev br0 nodad noprefixroute", AF_INET6 },
		{ "10.1.0.1/24 dev br0", AF_INET },
	};
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	lab_sh("ip link add br0 type bridge");
	assert_int_equal(link_get(&host, "br0", &l, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct addr before = { 0 }, after = { 0 };
		struct txn txn = TXN_INIT;

		lab_sh("ip addr add %s", t[i].words);
		txn_init(&txn, &host, &cont, ns_fd);
		assert_int_equal(addr_each(&host, t[i].family, l.index, keep_addr, &before, &e), 0);
		assert_int_equal(txn_addr_del(&txn, UNDO_HOST, &before, &e), 0);
		assert_int_equal(addr_each(&host, t[i].family, l.index, keep_addr, &after, &e), 0);
		assert_int_equal(after.index, 0);
		assert_int_equal(txn_rollback(&txn, &e), 0);
		assert_int_equal(addr_each(&host, t[i].family, l.index, keep_addr, &after, &e), 0);
		assert_int_equal(after.flags, before.flags);
		assert_true(ip_prefix_eq(&after.prefix, &before.prefix));
		txn_end(&txn);
		lab_sh("ip addr flush dev br0");
	}
}

static void a_route_goes_whatever_its_protocol(void **state)
{
	static const uint8_t protocols[] = { 0, RTPROT_STATIC, RTPROT_KERNEL, 77 };
	struct route r = { .dst = net("10.9.0.0/16") }, v6 = { .dst = net("fd09::/64") };
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	lab_sh_in("c1", "ip link set lo up");
	assert_int_equal(link_get(&cont, "lo", &l, &e), 0);
	r.oif = v6.oif = l.index;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		struct txn t = TXN_INIT;

		r.protocol = v6.protocol = protocols[i];
		txn_init(&t, &host, &cont, ns_fd);
		assert_int_equal(txn_route_add(&t, UNDO_CONT, &r, &e), 0);
		assert_int_equal(txn_route_add(&t, UNDO_CONT, &v6, &e), 0);
		assert_int_equal(txn_rollback(&t, &e), 0);
		lab_sh_in("c1", "! ip route | grep 10.9 && ! ip -6 route | grep fd09");
		txn_end(&t);
	}
}

static void what_was_there_records_nothing(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct veth_spec v = { .name = "veth1", .peer = "eth0", .peer_netns = ns_fd };
	struct ip_prefix p = net("10.1.0.2/16");
	struct route r = { .dst = net("10.9.0.0/16") };
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;
	struct link l;

	(void)state;
	lab_sh("ip link add br0 type bridge; ip link add veth1 type veth peer name eth0 netns c1");
	lab_sh_in(
		"c1",
		"ip link set eth0 up; ip addr add 10.1.0.2/16 dev eth0; ip route add 10.9.0.0/16 dev eth0; "
		"sysctl -qw net.ipv4.ip_default_ttl=44");
	txn_init(&t, &host, &cont, ns_fd);
	assert_int_equal(link_get(&cont, "eth0", &l, NULL), 0);
	r.oif = l.index;
	assert_int_equal(txn_bridge_add(&t, &b, &e), LINK_EXISTS);
	assert_int_equal(txn_veth_add(&t, &v, &e), LINK_EXISTS);
	assert_int_equal(txn_link_up(&t, UNDO_CONT, &l, &e), 0);
	assert_int_equal(txn_addr_add(&t, UNDO_CONT, l.index, &p, 0, &e), ADDR_EXISTS);
	assert_int_equal(txn_route_add(&t, UNDO_CONT, &r, &e), ROUTE_EXISTS);
	assert_int_equal(txn_sysctl(&t, UNDO_CONT, "net/ipv4/ip_default_ttl", "44", &e), 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(e.no, 0);
	txn_end(&t);
	lab_sh("ip link show br0; ip link show veth1");
}

static void undoing_without_the_container_is_success(void **state)
{
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;
	struct link far;

	(void)state;
	txn_init(&t, &host, &cont, ns_fd);
	assert_int_equal(links(&t, &far, &e), 0);
	assert_int_equal(addresses(&t, &far, &e) <= 0, 1);
	t.cont = NULL;
	t.netns_fd = -1;
	if (txn_rollback(&t, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(lab_try("ip link show veth1"), 1);
	assert_int_equal(lab_try("ip link show br0"), 1);
	txn_end(&t);
}

static void a_socket_that_fails_is_an_error_of_the_undo(void **state)
{
	struct bridge_spec b = { .name = "br0" };
	struct nl broken = { .fd = -1, .name = "host" };
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	txn_init(&t, &host, &cont, ns_fd);
	assert_int_equal(txn_bridge_add(&t, &b, &e), 0);
	t.host = &broken;
	assert_int_equal(txn_rollback(&t, &e), -EBADF);
	assert_string_equal(
		e.text, "interface br0: send to the kernel (host namespace): Bad file descriptor");
	txn_end(&t);
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_fault_at_every_verb_leaves_no_trace),
		IN_LAB(a_crash_after_any_verb_is_undone_by_the_journal),
		IN_LAB(what_belongs_to_somebody_else_is_not_undone),
		IN_LAB(a_bridge_that_others_joined_is_theirs),
		IN_LAB(a_bridge_set_up_stays_up_for_others_that_joined),
		IN_LAB(an_address_comes_back_as_it_was),
		IN_LAB(a_route_goes_whatever_its_protocol),
		IN_LAB(what_was_there_records_nothing),
		IN_LAB(undoing_without_the_container_is_success),
		IN_LAB(a_socket_that_fails_is_an_error_of_the_undo),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
