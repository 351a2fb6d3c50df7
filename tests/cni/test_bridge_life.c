// SPDX-License-Identifier: GPL-2.0-or-later
/* bridge from outside: the ways an attachment ends, and everything that must survive. */
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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/str.h"

#define SNAP (SNAPSHOT_ALL)

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
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	return 0;
}

static const char *conf_with(const char *more)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge','bridge':'br0',"
		     "'isDefaultGateway':true,'ipMasq':true,%s'ipam':{'type':'host-local',"
		     "'ranges':[[{'subnet':'10.1.0.0/24'}],[{'subnet':'fd00:1::/64'}]]}}",
		     more);
}

static const char *conf(void)
{
	return conf_with("");
}

static const char *with_prev(const char *result)
{
	return text_keep(json_with(conf(), "prevResult", result));
}

/* An attachment that stays, so that what all share is there before a snapshot. */
static void furnish(void)
{
	ok("bridge", "ADD", conf(), .cid = "c2", .netns = "c2");
}

/* ---- DEL */

static void del_twice(const char *result)
{
	ok("bridge", "DEL", with_prev(result));
	ok("bridge", "DEL", with_prev(result));
}

static void del_without_prev(const char *result)
{
	(void)result;
	ok("bridge", "DEL", conf());
}

static void del_with_an_empty_netns(const char *result)
{
	ok("bridge", "DEL", with_prev(result), .netns = "");
}

static void del_with_neither(const char *result)
{
	(void)result;
	ok("bridge", "DEL", conf(), .netns = "");
}

static void del_after_the_netns_went(const char *result)
{
	lab_netns_del("c1");
	ok("bridge", "DEL", with_prev(result));
}

static void del_after_the_netns_went_without_prev(const char *result)
{
	(void)result;
	lab_netns_del("c1");
	ok("bridge", "DEL", conf(), .netns = "");
}

static void del_with_the_pin_left(const char *result)
{
	lab_netns_del("c1");
	lab_sh(": > /run/netns/c1");
	ok("bridge", "DEL", with_prev(result));
	lab_sh("rm /run/netns/c1");
}

static void del_with_corrupt_prev(const char *result)
{
	static const char *const bad[] = {
		"null",
		"true",
		"'x'",
		"[]",
		"{}",
		"{'cniVersion':'9.9'}",
		"{'ips':'x'}",
		"{'interfaces':[{}],'ips':[{'address':'10.1.0.2','interface':7}]}",
		"{'cniVersion':'0.2.0','ip4':{'ip':'10.1.0.2/24'}}",
	};

	(void)result;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok("bridge", "DEL",
		   text_keep(json_with(conf(), "prevResult", jsonf("%s", bad[i]))));
}

/* Somebody else's attachment in prevResult: only what is the caller's goes. */
static void del_with_a_foreign_prev(const char *result)
{
	ok("bridge", "DEL", with_prev(text_replaced(result, "10.1.0.3", "10.1.0.2")));
}

static void del_after_the_link_went(const char *result)
{
	lab_sh_in("c1", "ip link del eth0");
	ok("bridge", "DEL", with_prev(result));
}

static void del_after_the_bridge_went_and_came_back(const char *result)
{
	char *mac = lab_out("cat /sys/class/net/br0/address");

	lab_sh("ip link del br0; ip link add br0 address %s type bridge", mac);
	lab_sh("ip link set br0 alias naru:net1; ip addr add 10.1.0.1/24 brd + dev br0;"
	       "cd /proc/sys/net/ipv6/conf/br0; echo 0 > accept_ra; echo 0 > accept_dad;"
	       "ip addr add fd00:1::1/64 dev br0 nodad; ip link set br0 up;"
	       "for v in /sys/class/net/veth*; do ip link set $(basename $v) master br0; done");
	free(mac);
	ok("bridge", "DEL", with_prev(result));
}

static void del_after_the_address_was_changed(const char *result)
{
	lab_sh_in("c1", "ip addr flush dev eth0; ip addr add 10.1.0.77/24 dev eth0");
	ok("bridge", "DEL", with_prev(result));
}

static void del_after_the_interface_was_renamed(const char *result)
{
	lab_sh_in("c1", "ip link set eth0 down; ip link set eth0 name other");
	ok("bridge", "DEL", with_prev(result));
}

static void del_after_the_ruleset_was_flushed(const char *result)
{
	char *rules = lab_out("nft list ruleset > /run/rules; echo");

	free(rules);
	lab_sh("nft flush ruleset");
	ok("bridge", "DEL", with_prev(result));
	/* the neighbour's come back, as an administrator would restore them */
	lab_sh("sed -i 's/10.1.0.3 [^,}]*,*//; s/fd00:1::3 [^,}]*,*//' /run/rules;"
	       "nft -f /run/rules; rm /run/rules");
}

static void del_deferred(const char *result)
{
	(void)result;
	ok("bridge", "DEL", conf_with("'deferDel':true,"));
	for (int i = 0; i < 200 && lab_try_in("c1", "ip link show eth0") == 0; i++)
		lab_sh("sleep 0.01");
}

static void every_way_to_delete_leaves_nothing(void **state)
{
#define W(f) { #f, f }
	static const struct {
		const char *name;
		void (*del)(const char *result);
	} ways[] = {
		W(del_twice),
		W(del_without_prev),
		W(del_with_an_empty_netns),
		W(del_with_neither),
		W(del_after_the_netns_went),
		W(del_after_the_netns_went_without_prev),
		W(del_with_the_pin_left),
		W(del_with_corrupt_prev),
		W(del_with_a_foreign_prev),
		W(del_after_the_link_went),
		W(del_after_the_bridge_went_and_came_back),
		W(del_after_the_address_was_changed),
		W(del_after_the_interface_was_renamed),
		W(del_deferred),
		W(del_after_the_ruleset_was_flushed),
	};

	(void)state;
	furnish();
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		char *before = snapshot_take(SNAP, "c1", "c2");
		const char *result = ok("bridge", "ADD", conf());

		fprintf(stderr, "# %s\n", ways[i].name);
		ways[i].del(result);
		if (lab_try("test -e /run/netns/c1"))
			lab_netns_new("c1");
		else
			lab_sh_in("c1", "sysctl -qw net.ipv6.conf.lo.disable_ipv6=0");
		assert_left_as_before(before, SNAP, "c1", "c2");
		free(before);
		lab_sh("rm -rf /var/lib/cni/networks/net1/last_reserved_ip.*");
	}
}

static void del_before_any_add_changes_nothing(void **state)
{
	static const char *const netns[] = { "c1", "", "nowhere" };

	(void)state;
	lab_sh("umask 077; : > /run/naru/fw.lock"); /* a lock is all that may appear */
	for (int round = 0; round < 2; round++) {
		char *before = snapshot_take(SNAP, "c1");

		for (size_t i = 0; i < 3; i++)
			ok("bridge", "DEL", conf(), .netns = netns[i]);
		assert_untouched(before, SNAP, "c1");
		free(before);
		if (round == 0)
			furnish(); /* and once more with others there */
	}
}

/* Its ADD never was; the runtime deletes all the same. */
static void del_succeeds_with_values_that_add_refuses(void **state)
{
	static const char *const keys[] = {
		"'hairpinMode':true,'promiscMode':true,",
		"'ipMasqBackend':'pf',",
		"'bridge':'a/b',",
		"'args':{'cni':{'mac':'x'}},",
		"'runtimeConfig':{'mac':5},",
	};

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		fails(7, "", "bridge", "ADD", conf_with(keys[i]));
		ok("bridge", "DEL", conf_with(keys[i]));
		ok("bridge", "GC", conf_with(keys[i]));
	}
}

static void a_hundred_dels_are_as_good_as_one(void **state)
{
	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1", "c2");

	ok("bridge", "ADD", conf());
	for (int i = 0; i < 100; i++)
		ok("bridge", "DEL", conf());
	assert_left_as_before(before, SNAP, "c1", "c2");
	free(before);
}

/* The path was recycled: what lies there now is somebody else's. */
static void del_never_touches_another_namespace_at_the_path(void **state)
{
	(void)state;
	furnish();

	const char *result = ok("bridge", "ADD", conf());

	lab_netns_del("c1");
	lab_netns_new("c1");
	lab_sh("ip link add vb0 type veth peer name eth0 netns c1");
	ok("bridge", "DEL", with_prev(result));
	lab_sh_in("c1", "ip link show eth0");

	ok("bridge", "DEL", conf(), .cid = "other");
	lab_sh_in("c2", "ip link show eth0");
	ok("bridge", "DEL", conf(), .cid = "other", .netns = "c2"); /* c2's eth0 is not other's */
	lab_sh_in("c2", "ip link show eth0");
}

static void del_in_the_plugins_own_namespace_is_refused(void **state)
{
	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(4, "the plugin's own network namespace", "bridge", "DEL", conf(),
	      .netns = "/proc/self/ns/net");
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
}

/* ---- what must survive */

static void a_second_add_is_refused_and_the_first_keeps_carrying_traffic(void **state)
{
	struct traffic_server s, s6;

	(void)state;
	ok("bridge", "ADD", conf());
	traffic_serve(&s, "c1", TRAFFIC_TCP, "0.0.0.0", 80, "one");
	traffic_serve(&s6, "c1", TRAFFIC_TCP, "::", 80, "one");
	assert_int_equal(tcp_fetch(NULL, "10.1.0.2", 80, 2000, NULL), 0);

	char *before = snapshot_take(SNAP, "c1", "c2");

	for (int i = 0; i < 3; i++) {
		fails(100, "", "bridge", "ADD", conf());
		fails(100, "", "bridge", "ADD", conf(), .netns = "c2"); /* another namespace */
		assert_untouched(before, SNAP, "c1", "c2");
		assert_int_equal(tcp_fetch(NULL, "10.1.0.2", 80, 300, NULL), 0);
		assert_int_equal(tcp_fetch(NULL, "fd00:1::2", 80, 300, NULL), 0);
	}
	free(before);
	traffic_stop(&s);
	traffic_stop(&s6);
}

static void containers_and_host_reach_each_other_on_the_bridge(void **state)
{
	static const struct {
		const char *from, *to;
	} t[] = { { "c1", "10.1.0.3" },
		  { "c1", "fd00:1::3" },
		  { NULL, "10.1.0.3" },
		  { NULL, "fd00:1::3" } };
	struct traffic_server s[4];
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	ok("bridge", "ADD", conf());
	ok("bridge", "ADD", conf(), .cid = "c2", .netns = "c2");
	traffic_serve(&s[0], "c2", TRAFFIC_TCP, "0.0.0.0", 80, "two");
	traffic_serve(&s[1], "c2", TRAFFIC_TCP, "::", 80, "two");
	traffic_serve(&s[2], "c2", TRAFFIC_UDP, "0.0.0.0", 53, "two");
	traffic_serve(&s[3], "c2", TRAFFIC_UDP, "::", 53, "two");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		assert_int_equal(tcp_fetch(t[i].from, t[i].to, 80, 1000, peer), 0);
		if (t[i].from) /* on one subnet nobody hides */
			assert_true(!strcmp(peer, "10.1.0.2") || !strcmp(peer, "fd00:1::2"));
		assert_int_equal(udp_fetch(t[i].from, t[i].to, 53, 1000, NULL), 0);
	}
	for (int i = 0; i < 4; i++)
		traffic_stop(&s[i]);
}

/* Two interfaces of one container in one network, by name. */
static void attachments_of_one_container_are_told_apart_by_interface(void **state)
{
	(void)state;
	ok("bridge", "ADD", conf_with("'x':1,"));

	char *before = snapshot_take(SNAP, "c1");

	ok("bridge", "ADD",
	   text_replaced(conf(), "\"isDefaultGateway\":true", "\"isGateway\":true"),
	   .ifname = "eth1");
	ok("bridge", "DEL", conf(), .ifname = "eth1");
	assert_left_as_before(before, SNAP, "c1");
	free(before);
}

/* ---- GC and STATUS */

static const char *gc_conf(const char *valid)
{
	return text_keep(json_with(conf(), "cni.dev/valid-attachments", jsonf("%s", valid)));
}

static void gc_removes_what_is_not_listed_and_keeps_what_is(void **state)
{
	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1", "c2");

	ok("bridge", "ADD", conf());
	ok("bridge", "GC",
	   gc_conf("[{'containerID':'c1','ifname':'eth0'},{'containerID':'c2','ifname':'eth0'}]"));
	lab_sh_in("c1", "ip link show eth0");
	lab_sh("test -e /var/lib/cni/networks/net1/10.1.0.3");
	ok("bridge", "GC", gc_conf("[{'containerID':'c2','ifname':'eth0'}]"), .netns = "");
	assert_left_as_before(before, SNAP, "c1", "c2");
	free(before);
	ok("bridge", "CHECK",
	   with_prev(jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'eth0',"
			   "'sandbox':'/run/netns/c2'}],'ips':[{'interface':0,"
			   "'address':'10.1.0.2/24','gateway':'10.1.0.1'}]}")),
	   .cid = "c2", .netns = "c2");
}

static void gc_leaves_other_networks_alone(void **state)
{
	(void)state;
	furnish();
	ok("bridge", "ADD", conf());

	char *before = snapshot_take(SNAP, "c1", "c2");

	ok("bridge", "GC", text_replaced(gc_conf("[]"), "\"name\":\"net1\"", "\"name\":\"net\""));
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
	ok("bridge", "GC", gc_conf("[]"));
	lab_sh("! ls /sys/class/net | grep -q veth && ! ls /var/lib/cni/networks/net1 | grep 10.1 &&"
	       "! nft list ruleset | grep net1/");
}

/* Marks in the kernel are shorter than a name may be. */
static void gc_tells_networks_with_long_names_apart(void **state)
{
	char name[512];
	const char *mine, *others;

	(void)state;
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	mine = text_replaced(conf(), "net1", jsonf("%.199s1", name));
	others = text_replaced(conf(), "net1", jsonf("%.199s2", name));
	ok("bridge", "ADD", mine);
	ok("bridge", "GC", text_keep(json_with(others, "cni.dev/valid-attachments", jsonf("[]"))));
	lab_sh_in("c1", "ip link show eth0");
	lab_sh("nft list ruleset | grep -q nnn");
	ok("bridge", "GC", text_keep(json_with(mine, "cni.dev/valid-attachments", jsonf("[]"))));
	lab_sh_in("c1", "! ip link show eth0 2>/dev/null");
	lab_sh("! nft list ruleset | grep nnn");
}

static void gc_refuses_half_an_attachment_instead_of_removing_it(void **state)
{
	(void)state;
	ok("bridge", "ADD", conf());
	fails(7, "/cni.dev~1valid-attachments/1: expected ", "bridge", "GC",
	      gc_conf("[{'containerID':'c2','ifname':'eth0'},{'containerID':'c1'}]"));
	lab_sh_in("c1", "ip link show eth0");
}

static void gc_after_the_namespaces_vanished_collects_leases_and_rules(void **state)
{
	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c2");

	ok("bridge", "ADD", conf());
	lab_netns_del("c1");
	ok("bridge", "GC", gc_conf("[{'containerID':'c2','ifname':'eth0'}]"));
	lab_sh("ls /var/lib/cni/networks/net1 | grep -c '\\.\\|:' | grep -q 4");
	lab_netns_new("c1");
	assert_left_as_before(before, SNAP, "c2");
	free(before);
}

static void status_tells_whether_an_add_could_work(void **state)
{
	(void)state;
	const char *one = text_replaced(conf(), "\"subnet\":\"10.1.0.0/24\"",
					"\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.9\","
					"\"rangeEnd\":\"10.1.0.9\"");
	char *before = snapshot_take(SNAP, "c1");

	ok("bridge", "STATUS", one);
	assert_untouched(before, SNAP, "c1");
	free(before);
	ok("bridge", "ADD", one);
	before = snapshot_take(SNAP, "c1");
	fails(50, "no IP addresses available", "bridge", "STATUS", one);
	fails(7, "failed to find plugin \\\"nowhere\\\"", "bridge", "STATUS",
	      text_replaced(one, "\"host-local\"", "\"nowhere\""));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

/* The lease is given back when a later step fails, also by an IPAM plugin that is executed. */
static void a_late_failure_gives_the_lease_back(void **state)
{
	static const char *const paths[] = { NULL, "/usr/lib/cni" };

	(void)state;
	furnish();
	ok("bridge", "DEL", conf(), .cid = "c2", .netns = "c2");
	lab_sh("ip link add vb0 type veth peer name eth0 netns c1");
	for (size_t i = 0; i < 2; i++) {
		if (paths[i] && lab_try("test -x %s/host-local", paths[i]))
			continue;
		fails(100, "already exists", "bridge", "ADD", conf(), .path = paths[i]);
		lab_sh("test $(ls /var/lib/cni/networks/net1 | grep -c '^10\\|^fd') = 0");
		lab_sh("! ls /sys/class/net | grep -q veth");
	}
}

static void put(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/*
 * One attachment makes the bridge and fails at its IPAM plugin, which is slow: another one has come
 * meanwhile.
 */
static void a_failed_add_leaves_the_bridge_that_another_uses(void **state)
{
	(void)state;
	lab_sh("mkdir -p /run/slow");
	put("/run/slow/conf", 0600, conf());
	put("/run/slow/late", 0700,
	    text_keep(str_fmt("#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\n"
			      "export CNI_CONTAINERID=c2 CNI_NETNS=/run/netns/c2 CNI_PATH=%s\n"
			      "%s/bridge </run/slow/conf >/run/slow/out || exit 3\n"
			      "echo '{\"code\":100,\"msg\":\"too late\"}'\nexit 1\n",
			      lab_bin(), lab_bin())));
	fails(100, "too late", "bridge", "ADD", text_replaced(conf(), "host-local", "late"),
	      .path = "/run/slow");
	lab_sh("ip -o addr show br0 | grep -q 10.1.0.1/24");
	lab_sh("test $(ls /sys/class/net/br0/brif | wc -l) = 1");
	lab_sh("test $(cat /proc/sys/net/ipv6/conf/br0/accept_ra) = 0");
	ok("bridge", "CHECK", with_prev(text_keep(lab_out("cat /run/slow/out"))), .cid = "c2",
	   .netns = "c2");
	lab_sh("rm -r /run/slow");
}

/* Any IPAM plugin can be named; a foreign one is executed as the specification says. */
static void a_foreign_ipam_plugin_is_executed(void **state)
{
	(void)state;
	if (lab_try("test -x /usr/lib/cni/static"))
		lab_skip("the reference's static is not installed");

	const char *c = jsonf("{'cniVersion':'1.0.0','name':'net1','type':'bridge','bridge':'br0',"
			      "'isGateway':true,'ipam':{'type':'static','addresses':["
			      "{'address':'10.3.0.7/24','gateway':'10.3.0.254'}],"
			      "'routes':[{'dst':'0.0.0.0/0'}]}}");
	const char *result = ok("bridge", "ADD", c, .path = "/nowhere:/usr/lib/cni");

	assert_string_equal(at(result, "/ips/0/address"), "10.3.0.7/24");
	lab_sh("ip -o addr show br0 | grep -q 10.3.0.254/24");
	lab_sh_in("c1", "ip route | grep -q 'default via 10.3.0.254'");
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)),
	   .path = "/usr/lib/cni");
	ok("bridge", "DEL", c, .path = "/usr/lib/cni");
	fails(7, "failed to find plugin \\\"static\\\" in path", "bridge", "DEL", c,
	      .path = "/nowhere");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_way_to_delete_leaves_nothing),
		T(del_before_any_add_changes_nothing),
		T(del_succeeds_with_values_that_add_refuses),
		T(a_hundred_dels_are_as_good_as_one),
		T(del_never_touches_another_namespace_at_the_path),
		T(del_in_the_plugins_own_namespace_is_refused),
		T(a_second_add_is_refused_and_the_first_keeps_carrying_traffic),
		T(containers_and_host_reach_each_other_on_the_bridge),
		T(attachments_of_one_container_are_told_apart_by_interface),
		T(gc_removes_what_is_not_listed_and_keeps_what_is),
		T(gc_leaves_other_networks_alone),
		T(gc_tells_networks_with_long_names_apart),
		T(gc_refuses_half_an_attachment_instead_of_removing_it),
		T(gc_after_the_namespaces_vanished_collects_leases_and_rules),
		T(status_tells_whether_an_add_could_work),
		T(a_late_failure_gives_the_lease_back),
		T(a_failed_add_leaves_the_bridge_that_another_uses),
		T(a_foreign_ipam_plugin_is_executed),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
