// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int setup(void **state)
{
	(void)lab_setup(state);
	lab_netns_new("box");
	lab_sh("mkdir -p /run/mount\n" /* where mount(8) leaves its notes */
	       "ip link add lab0 type bridge\nip addr add 10.7.0.1/24 dev lab0\n"
	       "ip link add labveth type veth peer name eth0 netns box\n"
	       "ip link set labveth master lab0 up\nip link set lab0 up");
	lab_sh_in("box",
		  "ip link set lo up\nip addr add 10.7.0.2/24 dev eth0\nip link set eth0 up\n"
		  "ip route add default via 10.7.0.1");
	lab_carrier(NULL, "lab0");
	lab_carrier("box", "eth0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("box");
	lab_sh("ip link del lab0");
	return 0;
}

static char *take(void)
{
	return snapshot_take(SNAPSHOT_ALL, "box");
}

static void assert_same(const char *before, const char *after)
{
	char *diff = snapshot_diff(before, after);

	if (diff)
		fprintf(stderr, "%s", diff);
	assert_null(diff);
}

static void nothing_changed_is_no_difference(void **state)
{
	char *a = take(), *b = take();

	(void)state;
	assert_same(a, b);
	assert_non_null(strstr(a, "\nhost link lab0 kind=bridge "));
	assert_non_null(strstr(a, "\nbox route ipv4 table=254 unicast default/0 "));
	free(a);
	free(b);
}

static void lines_are_sorted_and_a_difference_has_both_sides(void **state)
{
	static const struct {
		const char *before, *after, *diff;
	} cases[] = {
		{ "", "", NULL },
		{ "a\nb\n", "a\nb\n", NULL },
		{ "a\n", "", "-a\n" },
		{ "", "b\n", "+b\n" },
		{ "a\nc\n", "a\nb\nc\nd\n", "+b\n+d\n" },
		{ "a\na\n", "a\n", "-a\n" },
		{ "x mtu=1\ny\n", "x mtu=2\ny\n", "-x mtu=1\n+x mtu=2\n" },
		{ "ab\n", "a\nab\n", "+a\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *diff = snapshot_diff(cases[i].before, cases[i].after);

		if (cases[i].diff)
			assert_string_equal(diff, cases[i].diff);
		else
			assert_null(diff);
		free(diff);
	}

	char *text = take();

	for (char *p = text, *q; (q = strchr(p, '\n')) && q[1]; p = q + 1) {
		char *end = strchr(q + 1, '\n');

		*q = *end = '\0';
		assert_true(strcmp(p, q + 1) <= 0);
		*q = *end = '\n';
	}
	free(text);
}

/*
 * One change of the machine, what must be new in the snapshot (a start of a line), and how to take
 * it back.
 */
struct leak {
	const char *make;
	const char *expect[3];
	const char *undo;
	const char *needs; /* command that says whether the kernel can do it; NULL: always */
};

#define BOX "ip netns exec box "

static const struct leak leaks[] = {
	{ "ip link add leak0 type veth peer name leak1",
	  { "+host link leak0 kind=veth " },
	  "ip link del leak0" },
	{ "ip link set lab0 mtu 1400",
	  { "+host link lab0 kind=bridge master=- mtu=1400 " },
	  "ip link set lab0 mtu 1500" },
	{ "ip link set labveth down",
	  { "+host link labveth kind=veth master=lab0 mtu=1500 qlen=1000 flags=multicast " },
	  "ip link set labveth up" },
	{ "ip link set labveth nomaster",
	  { "+host link labveth kind=veth master=- " },
	  "ip link set labveth master lab0" },
	{ "ip link set labveth promisc on",
	  { "+host link labveth " },
	  "ip link set labveth promisc off" },
	{ "ip link set labveth alias 'of box'",
	  { "+host link labveth " },
	  "ip link set labveth alias ''" },
	{ "ip link set labveth type bridge_slave hairpin on",
	  { "+host link labveth " },
	  "ip link set labveth type bridge_slave hairpin off" },
	{ "ip link set labveth type bridge_slave isolated on",
	  { "+host link labveth " },
	  "ip link set labveth type bridge_slave isolated off" },
	{ BOX "ip link set eth0 mtu 1300",
	  { "+box link eth0 kind=veth master=- mtu=1300 " },
	  BOX "ip link set eth0 mtu 1500" },
	{ "ip addr add 10.9.0.1/24 dev lab0",
	  { "+host addr lab0 10.9.0.1/24 ", "+host route ipv4 table=254 unicast 10.9.0.0/24 ",
	    "+host route ipv4 table=255 local 10.9.0.1/32 " },
	  "ip addr del 10.9.0.1/24 dev lab0" },
	{ "ip -6 addr add fd00:9::1/64 dev lab0 nodad",
	  { "+host addr lab0 fd00:9::1/64 " },
	  "ip -6 addr del fd00:9::1/64 dev lab0" },
	{ "ip -6 addr add fe80::1/64 dev lab0 nodad",
	  { "+host addr lab0 fe80::1/64 " },
	  "ip -6 addr del fe80::1/64 dev lab0" },
	{ BOX "ip addr add 10.7.0.3/24 dev eth0",
	  { "+box addr eth0 10.7.0.3/24 " },
	  BOX "ip addr del 10.7.0.3/24 dev eth0" },
	{ "ip route add 192.0.2.0/24 via 10.7.0.2",
	  { "+host route ipv4 table=254 unicast 192.0.2.0/24 from=-/0 via=10.7.0.2 " },
	  "ip route del 192.0.2.0/24" },
	{ "ip route add default via 10.7.0.2 table 700",
	  { "+host route ipv4 table=700 unicast default/0 " },
	  "ip route del default table 700" },
	{ "ip route add blackhole 192.0.2.0/25",
	  { "+host route ipv4 table=254 blackhole 192.0.2.0/25 " },
	  "ip route del blackhole 192.0.2.0/25" },
	{ "ip route change 10.7.0.0/24 dev lab0 proto kernel scope link src 10.7.0.1 mtu 1400",
	  { "+host route ipv4 table=254 unicast 10.7.0.0/24 " },
	  "ip route change 10.7.0.0/24 dev lab0 proto kernel scope link src 10.7.0.1" },
	{ "ip rule add from 10.7.0.2 fwmark 0x2/0xf table 700 prio 900",
	  { "+host rule ipv4 prio=900 from=10.7.0.2/32 " },
	  "ip rule del prio 900" },
	{ "ip -6 rule add iif lab0 table 700 prio 901",
	  { "+host rule ipv6 prio=901 " },
	  "ip -6 rule del prio 901" },
	{ "ip neigh add 10.7.0.9 lladdr 02:00:00:00:00:09 dev lab0 nud permanent",
	  { "+host neigh lab0 10.7.0.9 permanent" },
	  "ip neigh del 10.7.0.9 dev lab0" },
	{ "ip neigh add proxy 10.7.0.8 dev lab0",
	  { "+host neigh lab0 10.7.0.8 proxy" },
	  "ip neigh del proxy 10.7.0.8 dev lab0" },
	{ "tc qdisc add dev labveth root handle 7: tbf rate 1mbit burst 32k latency 1ms",
	  { "+host qdisc labveth tbf handle=7:" },
	  "tc qdisc del dev labveth root",
	  "tc qdisc add dev lo root tbf rate 1mbit burst 32k latency 1ms; tc qdisc del dev lo "
	  "root" },

	{ "nft add table ip leak", { "+host nft ip leak" }, "nft delete table ip leak" },
	{ "nft add table ip leak; nft add chain ip leak nat '{ type nat hook postrouting priority "
	  "srcnat; }';"
	  "nft add rule ip leak nat ip saddr 10.7.0.2 counter masquerade comment leaked",
	  { "+host nft ip leak chain nat: ip saddr 10.7.0.2 counter masquerade comment "
	    "\"leaked\"" },
	  "nft delete table ip leak" },
	{ "nft add table inet leak; nft add map inet leak ports '{ type inet_proto . inet_service "
	  ": ipv4_addr . inet_service; }';"
	  "nft add element inet leak ports '{ tcp . 80 : 10.7.0.2 . 8080, tcp . 81 : 10.7.0.2 . "
	  "8081, udp . 9 : 10.7.0.3 . 9 }'",
	  { "+host nft inet leak map ports element 17 . 9 : 10.7.0.3 . 9",
	    "+host nft inet leak map ports element 6 . 80 : 10.7.0.2 . 8080",
	    "+host nft inet leak map ports element 6 . 81 : 10.7.0.2 . 8081" },
	  "nft delete table inet leak" },
	{ BOX "nft add table ip6 leak", { "+box nft ip6 leak" }, BOX "nft delete table ip6 leak" },

	{ "echo 1 > /proc/sys/net/ipv4/ip_forward",
	  { "+host sysctl net/ipv4/ip_forward=1" },
	  "echo 0 > /proc/sys/net/ipv4/ip_forward" },
	{ "echo 1 > /proc/sys/net/ipv4/conf/lab0/route_localnet",
	  { "+host sysctl ipv4 lab0 forwarding=0 route_localnet=1" },
	  "echo 0 > /proc/sys/net/ipv4/conf/lab0/route_localnet" },
	{ "echo 0 > /proc/sys/net/ipv6/conf/lab0/accept_ra",
	  { "+host sysctl ipv6 lab0 forwarding=0 accept_ra=0" },
	  "echo 1 > /proc/sys/net/ipv6/conf/lab0/accept_ra" },
	{ BOX "sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify'",
	  { "+box sysctl ipv4 eth0 forwarding=0 arp_notify=1" },
	  BOX "sh -c 'echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_notify'" },

	{ "mkdir /run/m; mount -t tmpfs leak /run/m",
	  { "+machine dir /run/m ", "+machine mount /run/m tmpfs from=leak " },
	  "umount /run/m; rmdir /run/m" },
	{ "ip netns add leak",
	  { "+machine mount /run/netns/leak nsfs ", "+machine netns /run/netns/leak pinned" },
	  "ip netns del leak" },
	{ ": > /run/netns/stale",
	  { "+machine file /run/netns/stale mode=0644 owner=0:0 links=1 size=0 " },
	  "rm /run/netns/stale" },
	{ "mkdir -p /var/lib/cni/networks/n; echo box > /var/lib/cni/networks/n/10.7.0.2",
	  { "+machine dir /var/lib/cni/networks ", "+machine dir /var/lib/cni/networks/n ",
	    "+machine file /var/lib/cni/networks/n/10.7.0.2 " },
	  "rm -r /var/lib/cni/networks" },
	{ "umask 077; echo x > /var/lib/naru/state",
	  { "+machine file /var/lib/naru/state mode=0600 owner=0:0 links=1 size=2 " },
	  "rm /var/lib/naru/state" },
	{ "ln -s nowhere /run/naru/link",
	  { "+machine symlink /run/naru/link -> nowhere" },
	  "rm /run/naru/link" },
	{ "mkfifo /run/naru/fifo",
	  { "+machine fifo /run/naru/fifo mode=0644 owner=0:0" },
	  "rm /run/naru/fifo" },
};

static bool has_line(const char *diff, const char *start)
{
	size_t n = strlen(start);

	for (const char *p = diff; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, start, n))
			return true;
	return false;
}

static void every_kind_of_leak_is_noticed_and_gone_when_undone(void **state)
{
	size_t skipped = 0;

	(void)state;
	for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++) {
		const struct leak *l = &leaks[i];

		if (l->needs && lab_try("%s", l->needs)) {
			printf("# this kernel cannot: %s\n", l->make);
			skipped++;
			continue;
		}
		char *before = take();

		lab_sh("%s", l->make);

		char *during = take(), *diff = snapshot_diff(before, during);

		for (size_t j = 0; j < sizeof l->expect / sizeof *l->expect && l->expect[j]; j++)
			if (!has_line(diff, l->expect[j]))
				lab_fail("after \"%s\" expected a line\n%s...\namong\n%s", l->make,
					 l->expect[j], diff ? diff : "(no difference)");
		lab_sh("%s", l->undo);

		char *after = take();

		assert_same(before, after);
		free(before);
		free(during);
		free(after);
		free(diff);
	}
	assert_true(skipped < sizeof leaks / sizeof *leaks / 2);
}

static void a_file_with_the_same_size_and_other_content_is_noticed(void **state)
{
	(void)state;
	lab_sh("printf aaaa > /run/naru/f");

	char *before = take();

	lab_sh("printf aaab > /run/naru/f");

	char *after = take(), *diff = snapshot_diff(before, after);

	assert_true(has_line(diff, "-machine file /run/naru/f "));
	assert_true(has_line(diff, "+machine file /run/naru/f "));
	lab_sh("rm /run/naru/f");
	free(before);
	free(after);
	free(diff);
}

static void counters_and_timers_are_no_difference(void **state)
{
	(void)state;
	lab_sh("nft -f - <<-END\n"
	       "table ip t {\n"
	       "	set s { type ipv4_addr; flags timeout; timeout 1h; }\n"
	       "	chain c { type filter hook output priority 0; counter packets 0 bytes 0 "
	       "accept; }\n"
	       "}\n"
	       "add element ip t s { 10.0.0.1 timeout 1h }\n"
	       "END");

	char *before = take();
	struct traffic_server s;

	traffic_serve(&s, "box", TRAFFIC_TCP, "10.7.0.2", 80, "box");
	assert_int_equal(tcp_fetch(NULL, "10.7.0.2", 80, 0, NULL), 0);
	traffic_stop(&s);
	lab_sh("sleep 1.1");

	char *after = take();

	assert_same(before, after);
	lab_sh("nft delete table ip t");
	free(before);
	free(after);
}

static void legacy_tables_are_read_without_making_any(void **state)
{
	(void)state;
	if (lab_try("test -x /usr/sbin/iptables-legacy && unshare -n iptables-legacy -t nat -L"))
		lab_skip("no iptables-legacy, or a kernel without its tables");

	char *before = take();

	assert_null(strstr(before, "host iptables "));
	lab_sh("iptables-legacy -t nat -A POSTROUTING -s 10.7.0.2 -j MASQUERADE");

	char *during = take(), *diff = snapshot_diff(before, during);

	assert_true(
		has_line(diff, "+host iptables nat -A POSTROUTING -s 10.7.0.2/32 -j MASQUERADE"));
	assert_true(has_line(diff, "+host iptables table nat"));
	lab_sh("iptables-legacy -t nat -F");
	free(before);
	free(during);
	free(diff);
}

static void a_translated_udp_flow_is_noticed(void **state)
{
	struct traffic_server s;

	(void)state;
	if (lab_try("conntrack -L"))
		lab_skip("no conntrack program or no connection tracking in the kernel");
	lab_sh("nft -f - <<-END\n"
	       "table ip t {\n"
	       "	chain o { type nat hook output priority -100; udp dport 53 dnat to "
	       "10.7.0.2:5353; }\n"
	       "}\n"
	       "END");
	traffic_serve(&s, "box", TRAFFIC_UDP, "10.7.0.2", 5353, "box");

	char *before = take();

	assert_int_equal(udp_fetch(NULL, "10.7.0.1", 53, 0, NULL), 0);

	char *after = take(), *diff = snapshot_diff(before, after);

	traffic_stop(&s);
	assert_true(has_line(diff, "+host conntrack udp 10.7.0.1:"));
	assert_non_null(strstr(diff, " -> 10.7.0.1:53, back 10.7.0.2:5353 -> 10.7.0.1:"));
	lab_sh("nft delete table ip t\nconntrack -F");
	free(before);
	free(after);
	free(diff);
}

static void a_surviving_process_is_noticed_even_when_orphaned(void **state)
{
	char *before = take(), *pid;

	(void)state;
	pid = lab_out("sleep 60 >/dev/null 2>&1 & "
		      "until grep -q sleep /proc/$!/comm; do :; done; echo $!");

	char *after = take(), *diff = snapshot_diff(before, after);

	assert_string_equal(diff, "+machine process sleep\n");
	assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), SIGKILL), 0);
	assert_true(waitpid((pid_t)strtol(pid, NULL, 10), NULL, 0) > 0);
	free(pid);
	free(before);
	free(after);
	free(diff);
}

static void a_control_group_named_after_us_and_its_processes_are_noticed(void **state)
{
	char *root = lab_out("for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do "
			     "test -w $d/cgroup.procs && echo ${d%%/} && break; done; true");

	(void)state;
	if (!*root) {
		free(root);
		lab_skip("no writable control group hierarchy");
	}
	char *before = take();

	lab_sh("mkdir -p %s/naru-test-snapshot/inner", root);

	char *during = take(), *diff = snapshot_diff(before, during), line[256];

	lab_sh("rmdir %s/naru-test-snapshot/inner %s/naru-test-snapshot", root, root);
	snprintf(line, sizeof line, "+machine cgroup %s/naru-test-snapshot/inner", root);
	assert_true(has_line(diff, line));

	char *after = take();

	assert_same(before, after);
	free(root);
	free(before);
	free(during);
	free(after);
	free(diff);
}

static void a_namespace_that_is_not_there_is_a_line_of_its_own(void **state)
{
	char *text = snapshot_take(SNAPSHOT_NET, "nowhere");

	(void)state;
	assert_non_null(strstr(text, "\nnowhere unreadable: No such file or directory\n"));
	free(text);
}

static void random_names_fold_on_request(void **state)
{
	(void)state;
	lab_sh("ip link add veth0123abcd type veth peer name veth4567abcdx");

	char *text = snapshot_take(SNAPSHOT_NET | SNAPSHOT_FOLD_VETH);

	lab_sh("ip link del veth0123abcd");
	assert_non_null(strstr(text, "\nhost link veth* kind=veth "));
	assert_non_null(strstr(text, "\nhost link veth4567abcdx kind=veth "));
	free(text);
}

/*
 * The caller's namespace is the same afterwards, and it is fast enough to be taken at every crash
 * point.
 */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changed_is_no_difference),
		cmocka_unit_test(lines_are_sorted_and_a_difference_has_both_sides),
		cmocka_unit_test(every_kind_of_leak_is_noticed_and_gone_when_undone),
		cmocka_unit_test(a_file_with_the_same_size_and_other_content_is_noticed),
		cmocka_unit_test(a_translated_udp_flow_is_noticed),
		cmocka_unit_test(counters_and_timers_are_no_difference),
		cmocka_unit_test(a_surviving_process_is_noticed_even_when_orphaned),
		cmocka_unit_test(a_control_group_named_after_us_and_its_processes_are_noticed),
		cmocka_unit_test(a_namespace_that_is_not_there_is_a_line_of_its_own),
		cmocka_unit_test(random_names_fold_on_request),
		cmocka_unit_test(legacy_tables_are_read_without_making_any),
	};

	return cmocka_run_group_tests_name("snapshot", tests, setup, teardown);
}
