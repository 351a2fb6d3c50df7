// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many at once: a crowd of ADDs on a host that never saw one, and a crowd of DELs (reliability
 * matrix E).
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "netlib/cni/furniture.h"
#include "netlib/nl/nl.h"

#define SNAP (SNAPSHOT_ALL)
#define CROWD 64

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_outside();
	for (int i = 0; i < CROWD; i++)
		lab_netns_new(textf("m%d", i));
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < CROWD; i++)
		lab_netns_del(textf("m%d", i));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	call_reset_host();
	return 0;
}

/* ---- a member of the crowd: a process that runs a chain's verb and leaves the result in a file */

static const char *const *chain_of_both(void)
{
	static const char *plugins[3];

	plugins[0] = jsonf("{'type':'bridge','bridge':'br0','isDefaultGateway':true,'ipMasq':true,"
			   "'hairpinMode':true,'ipam':{'type':'host-local','ranges':"
			   "[[{'subnet':'10.1.0.0/16'}],[{'subnet':'fd00:1::/64'}]]}}");
	plugins[1] = jsonf("{'type':'portmap','capabilities':{'portMappings':true}}");
	return plugins;
}

static struct lab_chain member(int i)
{
	return (struct lab_chain){
		.name = "crowd",
		.plugins = chain_of_both(),
		.cid = textf("m%d", i),
		.netns = textf(LAB_NETNS("m%d"), i),
		.runtime_config = jsonf("{'portMappings':[{'hostPort':%d,'containerPort':80},"
					"{'hostPort':%d,'containerPort':53,'protocol':'udp'}]}",
					10000 + i, 10000 + i),
	};
}

static int add_one(int i)
{
	struct lab_chain c = member(i);
	int r = lab_chain_add(&c);
	FILE *f = fopen(textf("/run/result.%d", i), "w");

	if (r)
		fprintf(stderr, "# member %d: %s%s\n", i, c.last.out, c.last.err);
	if (!f || fputs(r ? c.last.out : c.result, f) < 0 || fclose(f) != 0)
		return 97;
	return r;
}

static int del_one(int i)
{
	struct lab_chain c = member(i);
	int r = lab_chain_del(&c);

	if (r)
		fprintf(stderr, "# member %d: %s%s\n", i, c.last.out, c.last.err);
	lab_chain_clear(&c);
	return r;
}

/* Starts fn(i) for all i at once and returns how many did not return 0. */
static int crowd(int n, int (*fn)(int i))
{
	int gate[2], failed = 0, status;
	pid_t pid[CROWD * 2];

	assert_int_equal(pipe(gate), 0);
	fflush(NULL);
	for (int i = 0; i < n; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0) {
			char c;

			lab_child();
			close(gate[1]);
			(void)!read(gate[0], &c, 1); /* all go when the gate opens */
			int r = fn(i);

			fflush(NULL);
			_exit(r);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < n; i++) {
		while (waitpid(pid[i], &status, 0) < 0 && errno == EINTR)
			;
		failed += status != 0;
	}
	return failed;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- */

static void assert_distinct_addresses(int n)
{
	assert_int_equal(atoi(text_keep(
				 lab_out("cat /run/result.* | grep -o '\"address\": \"[^\"]*' |"
					 " sort | uniq | wc -l"))),
			 2 * n);
	assert_int_equal(atoi(text_keep(
				 lab_out("ls /var/lib/cni/networks/crowd | grep -c '^10\\|^fd'"))),
			 2 * n);
}

static void assert_furniture_once(void)
{
	lab_sh("test $(ip -o link show type bridge | wc -l) = 1");
	lab_sh("test $(ip -o -4 addr show br0 | wc -l) = 1");
	lab_sh("test $(ip -o -6 addr show br0 | grep -c fd00) = 1");
	lab_sh("test $(nft list tables | wc -l) = 1");
	lab_sh("test $(nft list chain inet naru postrouting | sort | uniq -d | grep -vc '^\t*}*$') = 0");
	lab_sh("test $(nft list chain inet naru hostports | sort | uniq -d | grep -vc '^\t*}*$') = 0");
	lab_sh("test $(nft list chain inet naru hairpin | sort | uniq -d | grep -vc '^\t*}*$') = 0");
}

static void a_crowd_comes_to_a_fresh_host_and_goes_again(void **state)
{
	struct traffic_server s[CROWD];

	(void)state;
	long start = now_ms();

	assert_int_equal(crowd(CROWD, add_one), 0);
	printf("# %d concurrent ADDs of bridge+host-local+masquerade+portmap: %ld ms\n", CROWD,
	       now_ms() - start);
	assert_distinct_addresses(CROWD);
	assert_furniture_once();
	for (int i = 0; i < CROWD; i++) {
		struct traffic_answer a;
		const struct traffic_query q = { .netns = "outside",
						 .port = (uint16_t)(10000 + i),
						 .addr = LAB_HOST_V4,
						 .timeout_ms = 3000 };

		traffic_serve(&s[i], textf("m%d", i), TRAFFIC_TCP, "0.0.0.0", 80, textf("m%d", i));
		assert_int_equal(traffic_ask(&q, &a), 0);
		assert_string_equal(a.server, textf("m%d", i));
		traffic_stop(&s[i]);
	}
	start = now_ms();
	assert_int_equal(crowd(CROWD, del_one), 0);
	printf("# %d concurrent DELs: %ld ms\n", CROWD, now_ms() - start);
	lab_sh("! ls /sys/class/net | grep -q veth && ! nft list ruleset | grep -q crowd/ &&"
	       "! ls /var/lib/cni/networks/crowd | grep -q '^10\\|^fd'");

	/* and once more: what the first crowd left is what the next one leaves */
	lab_sh("rm -f /run/result.*; rm /var/lib/cni/networks/crowd/last_reserved_ip.*");

	char *before = snapshot_take(SNAP, "m0", "m1", "m63");

	assert_int_equal(crowd(CROWD, add_one), 0);
	assert_int_equal(crowd(CROWD, del_one), 0);
	lab_sh("rm /run/result.*; rm /var/lib/cni/networks/crowd/last_reserved_ip.*");
	assert_untouched(before, SNAP, "m0", "m1", "m63");
	free(before);
}

/* ---- two networks on one bridge and subnet */

static int add_two_networks(int i)
{
	struct lab_chain c = member(i);

	c.name = i % 2 ? "odd" : "even";
	c.plugins = (const char *const[]){
		jsonf("{'type':'bridge','bridge':'br0','isGateway':true,'ipMasq':true,'ipam':{'type':"
		      "'host-local','ranges':[[{'subnet':'10.1.0.0/24','rangeStart':'10.1.0.%d',"
		      "'rangeEnd':'10.1.0.%d'}]]}}",
		      i % 2 ? 100 : 10, i % 2 ? 180 : 90),
		NULL
	};
	return lab_chain_add(&c);
}

static int del_two_networks(int i)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'%s','type':'bridge','bridge':'br0',"
			      "'isGateway':true,'ipMasq':true,'ipam':{'type':'host-local','subnet':"
			      "'10.1.0.0/24'}}",
			      i % 2 ? "odd" : "even");

	ok("bridge", "DEL", c, .cid = textf("m%d", i), .netns = textf("m%d", i));
	return 0;
}

static void two_networks_share_a_bridge(void **state)
{
	struct traffic_server s;

	(void)state;
	assert_int_equal(crowd(16, add_two_networks), 0);
	lab_sh("test $(ip -o link show type bridge | wc -l) = 1 &&"
	       "test $(ls /sys/class/net/br0/brif | wc -l) = 16 &&"
	       "test $(ip -o -4 addr show br0 | wc -l) = 1");
	traffic_serve(&s, "m1", TRAFFIC_TCP, "0.0.0.0", 80, "odd");
	assert_int_equal(tcp_fetch("m0",
				   text_keep(lab_out_in("m1", "ip -4 -o addr show eth0 |"
							      " grep -o '10[0-9.]*' | head -1")),
				   80, 3000, NULL),
			 0);
	traffic_stop(&s);
	/* one network is collected, the other stays */
	ok("bridge", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'odd','type':'bridge','bridge':'br0','ipMasq':true,"
		 "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'},'cni.dev/valid-attachments':[]}"));
	lab_sh("test $(ls /sys/class/net/br0/brif | wc -l) = 8 &&"
	       "test $(nft list ruleset | grep -c odd/) = 0 &&"
	       "test $(nft list ruleset | grep -o even/ | wc -l) = 8");
	assert_int_equal(crowd(16, del_two_networks), 0);
	lab_sh("! nft list ruleset | grep -q even/ && ! ls /sys/class/net | grep -q veth");
}

/* ---- more than there is room for */

static int add_to_a_small_pool(int i)
{
	struct lab_chain c = member(i);
	int r;

	c.name = "small";
	c.plugins = (const char *const[]){
		jsonf("{'type':'bridge','bridge':'br0','isGateway':true,'ipMasq':true,'ipam':{'type':"
		      "'host-local','ranges':[[{'subnet':'10.1.0.0/24','rangeStart':'10.1.0.10',"
		      "'rangeEnd':'10.1.0.33'}]]}}"),
		NULL
	};
	r = lab_chain_add(&c);
	return r == 0 ? 0 : json_is(c.last.out, "/code", "101") ? 1 : 2;
}

static void of_a_crowd_as_many_get_an_address_as_there_are(void **state)
{
	(void)state;
	assert_int_equal(crowd(32, add_to_a_small_pool), 8);
	lab_sh("test $(ls /sys/class/net/br0/brif | wc -l) = 24 &&"
	       "test $(ls /sys/class/net | grep -c veth) = 24 &&"
	       "test $(ls /var/lib/cni/networks/small | grep -c '^10') = 24 &&"
	       "test $(nft list ruleset | grep -o small/ | wc -l) = 24");
}

/* ---- one port, one container: everybody wants it, one gets it */

static int want_the_same_port(int i)
{
	struct lab_chain c = member(i);
	int r;

	c.runtime_config = jsonf("{'portMappings':[{'hostPort':8080,'containerPort':80}]}");
	r = lab_chain_add(&c);
	if (r && c.failed == 1) { /* as a runtime does after a failure */
		int refused = json_is(c.last.out, "/code", "100");

		return lab_chain_del(&c) == 0 && refused ? 1 : 2;
	}
	return r ? 3 : 0;
}

static void of_those_who_want_one_port_one_gets_it(void **state)
{
	(void)state;
	assert_int_equal(crowd(16, want_the_same_port), 15);
	lab_sh("test $(ls /sys/class/net | grep -c veth) = 1");
	lab_sh("test $(nft list map inet naru dnat4 | grep -o crowd/ | wc -l) = 1");
	lab_sh("test $(nft list ruleset | grep -o 'crowd/[^/]*' | sort -u | wc -l) = 1");
}

static int same_container(int i)
{
	struct lab_chain c = member(0);
	int r = i % 2 ? lab_chain_del(&c) : lab_chain_add(&c);

	/* a DEL succeeds, an ADD may be told that another one is there already */
	return i % 2 ? r : 0;
}

/* ADD and DEL of one attachment at once end in one of the two legal states. */
static void add_and_del_of_one_container_end_whole_or_gone(void **state)
{
	(void)state;
	for (int round = 0; round < 8; round++) {
		assert_int_equal(crowd(4, same_container), 0);

		bool link = lab_try_in("m0", "ip link show eth0") == 0;

		if (!link) { /* a DEL came last: its leftovers are a further DEL's */
			assert_int_equal(del_one(0), 0);
			lab_sh("! nft list ruleset | grep -q crowd/ &&"
			       "! ls /var/lib/cni/networks/crowd | grep -q '^10\\|^fd'");
		}
		assert_int_equal(del_one(0), 0);
		lab_sh("! ls /sys/class/net | grep -q veth && ! nft list ruleset | grep -q crowd/ &&"
		       "! ls /var/lib/cni/networks/crowd | grep -q '^10\\|^fd'");
	}
}

/* ---- all verbs at once, of different containers */

static int live_a_little(int i)
{
	unsigned seed = (unsigned)i;

	for (int round = 0; round < 2; round++) {
		struct lab_chain c = member(i);

		if (lab_chain_add(&c) || lab_chain_check(&c)) {
			fprintf(stderr, "# member %d: %s%s\n", i, c.last.out, c.last.err);
			return 1;
		}
		if (rand_r(&seed) % 2)
			ok("bridge", "STATUS",
			   jsonf("{'cniVersion':'1.1.0','name':'crowd','ipam':{"
				 "'type':'host-local','subnet':'10.1.0.0/16'}}"));
		if (lab_chain_del(&c)) {
			fprintf(stderr, "# member %d: %s%s\n", i, c.last.out, c.last.err);
			return 2;
		}
		lab_chain_clear(&c);
	}
	return 0;
}

static void adds_checks_and_dels_do_not_disturb_each_other(void **state)
{
	(void)state;
	assert_int_equal(crowd(16, live_a_little), 0);
	lab_sh("! ls /sys/class/net | grep -q veth && ! nft list ruleset | grep -q crowd/ &&"
	       "! ls /var/lib/cni/networks/crowd | grep -q '^10\\|^fd'");
}

/* Clears away what nobody uses, over and over. */
static pid_t sweeper(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	lab_child();
	for (;;) {
		cleanup_nl struct nl host = NL_INIT;
		unsigned removed = 0;

		if (nl_open(&host, 0, -1, "host", NULL) < 0 ||
		    furniture_sweep(&host, &removed, NULL) < 0)
			_exit(1);
		(void)usleep(500);
	}
}

static void whoever_clears_away_does_not_disturb_those_who_come(void **state)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge','bridge':'br0',"
			      "'isGateway':true,'ipMasq':true,'macspoofchk':true,"
			      "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}}");
	pid_t pid = sweeper();
	int st;

	(void)state;
	for (int i = 0; i < 30; i++) {
		const char *r = ok("bridge", "ADD", c, .cid = "m0", .netns = "m0");

		ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", r)), .cid = "m0",
		   .netns = "m0");
		ok("bridge", "DEL", c, .cid = "m0", .netns = "m0");
	}
	assert_int_equal(waitpid(pid, &st, WNOHANG), 0); /* it has had no error */
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &st, 0), pid);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(a_crowd_comes_to_a_fresh_host_and_goes_again),
		T(two_networks_share_a_bridge),
		T(of_a_crowd_as_many_get_an_address_as_there_are),
		T(of_those_who_want_one_port_one_gets_it),
		T(add_and_del_of_one_container_end_whole_or_gone),
		T(adds_checks_and_dels_do_not_disturb_each_other),
		T(whoever_clears_away_does_not_disturb_those_who_come),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
