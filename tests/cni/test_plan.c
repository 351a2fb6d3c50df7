// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni plan: it says what ADD and DEL then do, and nothing has changed meanwhile. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"
#include "netlib/base/str.h"
#include "tests/unit/unit.h"

#include <unistd.h>

#define DIR "/var/lib/plans"
#define NARU "NETCONFPATH=" DIR " CNI_PATH=%s CAP_ARGS='" CAPS "' naru cni "
#define CAPS "{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80}]}"
#define KINDS SNAPSHOT_ALL

static void put(const char *name, const char *plugins)
{
	lab_sh("mkdir -p " DIR
	       " && printf '%%s' '{\"cniVersion\":\"1.1.0\",\"name\":\"%s\",\"plugins\":"
	       "[%s]}' > " DIR "/%s.conflist",
	       name, plugins, name);
}

static int setup(void **state)
{
	(void)state;
	put("both",
	    "{\"type\":\"bridge\",\"bridge\":\"plan0\",\"isGateway\":true,\"ipMasq\":true,"
	    "\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.79.0.0/24\"}]],"
	    "\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
	    "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}");
	put("routed",
	    "{\"type\":\"veth\",\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\","
	    "\"ranges\":[[{\"subnet\":\"10.80.0.0/24\"}],[{\"subnet\":\"fd00:80::/64\"}]]}},"
	    "{\"type\":\"tuning\",\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"},"
	    "\"mtu\":1400}");
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	lab_sh("rm -rf " DIR " /var/lib/cni/results /var/lib/cni/networks /run/cni");
	return 0;
}

/* The machine, once what came before has come to rest (carrier, link-local addresses). */
static char *at_rest(void)
{
	char *last = snapshot_take(KINDS, "c1", "c2");

	for (int i = 0; i < 40; i++) {
		(void)usleep(25000);
		char *now = snapshot_take(KINDS, "c1", "c2");
		bool same = !strcmp(last, now);

		free(last);
		last = now;
		if (same)
			break;
	}
	return last;
}

/* What a command says; the machine is as before. */
static char *planned(const char *line)
{
	char *before = at_rest();
	char *out = naru_out(NARU "%s", lab_bin(), line);
	char *after = snapshot_take(KINDS, "c1", "c2");

	assert_string_equal(before, after);
	free(before);
	free(after);
	return out;
}

static void has(const char *out, const char *words)
{
	if (!strstr(out, words))
		fail_msg("no \"%s\" in:\n%s", words, out);
}

static void a_plan_changes_nothing_and_add_keeps_its_word(void **state)
{
	cleanup_free char *out = planned("plan both /run/netns/c1"), *result = NULL;
	static const char *const words[] = {
		"reserve 10.79.0.2 in /var/lib/cni/networks/both\n",
		"link add plan0 type bridge address ",
		"peer eth0 in the other namespace master plan0\n",
		"container  netlink  addr add 10.79.0.2/24 dev eth0\n",
		"container  netlink  route add default via 10.79.0.1 dev eth0\n",
		"addr add 10.79.0.1/24 dev plan0\n",
		"net/ipv4/ip_forward = 1\n",
		"add table inet naru\n",
		"add an element of masq-10.79.0.0-24: 10.79.0.2 leaving 10.79.0.0/24\n",
		"portmap  dnat      host       nft      add an element of dnat4: 8080/tcp to 10.79.0.2:80\n",
		"net/ipv4/conf/plan0/route_localnet = 1\n",
		"\"address\": \"10.79.0.2/24\",",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		has(out, words[i]);
	result = naru_out(NARU "add both /run/netns/c1", lab_bin());
	assert_string_equal(at(result, "/ips/0/address"), "10.79.0.2/24");
	has(out, at(result, "/interfaces/1/name")); /* the host end's name */
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
}

static void what_is_there_already_is_not_planned(void **state)
{
	cleanup_free char *out = NULL;

	(void)state;
	naru_ok(NARU "add routed /run/netns/c1", lab_bin());
	out = planned("plan routed /run/netns/c2");
	has(out, "reserve 10.80.0.3 in");
	has(out, "reserve fd00:80::3 in");
	has(out, "veth    host     host       netlink  route add 10.80.0.3/32 dev veth");
	has(out, "tuning  tune     container  netlink  link set eth0 mtu 1400\n");
	assert_null(strstr(out, "ip_forward"));
	assert_null(strstr(out, "add table"));
	naru_ok(NARU "del routed /run/netns/c1", lab_bin());
}

static void a_planned_del_changes_nothing_and_names_what_goes(void **state)
{
	static const char *const words[] = {
		"delete an element of dnat4: 8080/tcp to 10.79.0.2:80\n",
		"delete an element of masq-10.79.0.0-24: 10.79.0.2 leaving 10.79.0.0/24\n",
		"link del veth",
		"release 10.79.0.2 in /var/lib/cni/networks/both",
	};
	cleanup_free char *out = NULL, *tuned = NULL, *nothing = NULL;

	(void)state;
	naru_ok(NARU "add both /run/netns/c1", lab_bin());
	out = planned("plan --del both /run/netns/c1");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		has(out, words[i]);
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
	nothing = planned("plan --del both /run/netns/c1");
	assert_string_equal(nothing, "PLUGIN  ROW  WHERE  KIND  OPERATION");
	naru_ok(NARU "add routed /run/netns/c1", lab_bin());
	tuned = planned("plan --del routed /run/netns/c1");
	has(tuned, "file     remove /run/cni/tuning/");
	naru_ok(NARU "del routed /run/netns/c1", lab_bin());
}

static void the_document_has_each_change_and_the_result(void **state)
{
	cleanup_free char *out = planned("plan -o json routed /run/netns/c1");

	(void)state;
	assert_string_equal(at(out, "/operation"), "ADD");
	assert_string_equal(at(out, "/changes/0/operation"),
			    "reserve 10.80.0.2 in /var/lib/cni/networks/routed");
	assert_string_equal(at(out, "/changes/2/plugin"), "veth");
	assert_string_equal(at(out, "/changes/2/kind"), "netlink");
	assert_memory_equal(at(out, "/changes/2/message"), "RTM_NEWLINK", 11);
	assert_string_equal(at(out, "/result/ips/0/address"), "10.80.0.2/24");
}

/* The kernel has looked at the batch, and conflicts are found as ADD would find them. */
static void what_add_would_refuse_the_plan_refuses(void **state)
{
	char *before;

	(void)state;
	naru_ok(NARU "add both /run/netns/c1", lab_bin());
	before = at_rest();
	struct lab_result r;
	naru_call(&r, NARU "plan both /run/netns/c2", lab_bin());
	assert_int_equal(r.status, 1);
	has(r.out, "reserve 10.79.0.3 in");
	has(r.err,
	    "naru: plugin type=\"portmap\" failed (add): host port 8080/tcp is taken by container "
	    "cnitool-");
	lab_result_clear(&r);
	char *after = snapshot_take(KINDS, "c1", "c2");
	assert_string_equal(before, after);
	free(before);
	free(after);
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
}

static void plugins_that_would_act_are_not_run(void **state)
{
	(void)state;
	lab_sh("mkdir -p " DIR "/bin && printf '%%s\\n' '#!/bin/sh' 'touch " DIR "/acted' > " DIR
	       "/bin/foreign && chmod 755 " DIR "/bin/foreign");
	put("other", "{\"type\":\"foreign\"}");
	naru_refuses(
		1,
		"naru: plugin type=\"foreign\" failed (add): " DIR
		"/bin/foreign knows no dry run and would change the system: a plan takes plugins "
		"of this build only\n",
		"NETCONFPATH=" DIR " CNI_PATH=" DIR "/bin naru cni plan other /run/netns/c1");
	lab_sh("test ! -e " DIR "/acted");
}

/* A dry run that cannot be one must not become a real one. */
static void a_plan_that_cannot_be_written_is_refused(void **state)
{
	static char variable[] = "NARU_PLAN=/nowhere/plan";
	char *env[] = { variable, NULL };
	char *before = snapshot_take(KINDS, "c1");

	(void)state;
	fails(5, "NARU_PLAN: open /nowhere/plan: No such file or directory", "bridge", "ADD",
	      "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"bridge\"}", .env = env);
	char *after = snapshot_take(KINDS, "c1");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* Whoever wrote it, and whether this kernel could do it or not. */
static void no_plugin_changes_anything(void **state)
{
#define IPAM(n) "\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10." #n ".0.0/24\"}"
#define VETH(n) "{\"type\":\"veth\"," IPAM(n) "},"
	static const struct {
		const char *plugin, *list, *word;
	} cases[] = {
		{ "loopback", "{\"type\":\"loopback\"}", "link set lo up\n" },
		{ "macvlan", "{\"type\":\"macvlan\",\"master\":\"up0\"," IPAM(21) "}",
		  "link add eth0 type macvlan link up0" },
		{ "ipvlan", "{\"type\":\"ipvlan\",\"master\":\"up0\"," IPAM(22) "}",
		  "link add eth0 type ipvlan link up0" },
		{ "vlan", "{\"type\":\"vlan\",\"master\":\"up0\",\"vlanId\":5," IPAM(23) "}",
		  "link add eth0 type vlan link up0" },
		{ "dummy", "{\"type\":\"dummy\"," IPAM(24) "}", "link add eth0 type dummy" },
		{ "vrf", VETH(25) "{\"type\":\"vrf\",\"vrfname\":\"blue\"}", "master blue\n" },
		{ "sbr", VETH(26) "{\"type\":\"sbr\"}", "from 10.26.0.2/32 table " },
		{ "bandwidth",
		  VETH(27) "{\"type\":\"bandwidth\",\"egressRate\":8000,\"egressBurst\":80000}",
		  " type ifb " },
		{ "firewall", VETH(28) "{\"type\":\"firewall\",\"backend\":\"nftables\"}",
		  "10.28.0.2 forwarded\n" },
		{ "tap", "{\"type\":\"tap\"," IPAM(30) "}", "link add eth0 type tun" },
		{ "host-device", "{\"type\":\"host-device\",\"device\":\"up0\"," IPAM(31) "}",
		  "addr add 10.31.0.2/24 dev up0\n" },
		{ "static",
		  "{\"type\":\"bridge\",\"bridge\":\"b29\",\"ipam\":{\"type\":\"static\","
		  "\"addresses\":[{\"address\":\"10.29.0.2/24\"}]}}",
		  "addr add 10.29.0.2/24 dev eth0\n" },
	};

	(void)state;
	lab_sh("ip link add up0 type veth peer up1 && ip link set up0 up && ip link set up1 up");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *line = str_fmt("plan %s /run/netns/c1", cases[i].plugin);
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", lab_bin(), cases[i].plugin);
		if (access(path, X_OK) < 0)
			continue;
		put(cases[i].plugin, cases[i].list);
		cleanup_free char *out = planned(line);
		has(out, cases[i].word);
	}
	lab_sh("ip link del up0");
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_plan_changes_nothing_and_add_keeps_its_word),
		LAB(what_is_there_already_is_not_planned),
		LAB(a_planned_del_changes_nothing_and_names_what_goes),
		LAB(the_document_has_each_change_and_the_result),
		LAB(what_add_would_refuse_the_plan_refuses),
		LAB(plugins_that_would_act_are_not_run),
		LAB(no_plugin_changes_anything),
		LAB(a_plan_that_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
