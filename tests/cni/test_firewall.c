// SPDX-License-Identifier: GPL-2.0-or-later
/* The firewall plugin with nftables: who gets through, who is kept apart, and what is left. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"
#include "tests/lib/traffic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define QUICK_MS 150 /* enough for what passes; what is dropped never answers */

static struct traffic_server outside[2];

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_outside();
	lab_sh_in("outside", "ip route add 10.0.0.0/8 via " LAB_HOST_V4
			     "; ip route add fd00::/16 via " LAB_HOST_V6);
	traffic_serve(&outside[0], "outside", TRAFFIC_TCP, "0.0.0.0", 80, "out");
	traffic_serve(&outside[1], "outside", TRAFFIC_TCP, "::", 80, "out");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(outside); i++)
		traffic_stop(&outside[i]);
	return 0;
}

static const char *const containers[] = { "c1", "c2", "c3" };

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(containers); i++)
		lab_netns_new(containers[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(containers); i++)
		lab_netns_del(containers[i]);
	call_reset_host();
	(void)lab_try("rm -rf /run/naru /run/ipam*");
	return 0;
}

/* A container on bridge brN (10.N.0.0/24, fd00:N::/64) with a firewall of these keys. */
struct attached {
	struct lab_chain chain;
	const char *plugins[3];
	struct traffic_server server[2];
};

static const char *bridge_conf(int n)
{
	return jsonf(
		"{'type':'bridge','bridge':'br%d','isGateway':true,'ipam':{'type':'host-local',"
		"'dataDir':'/run/ipam%d','ranges':[[{'subnet':'10.%d.0.0/24'}],"
		"[{'subnet':'fd00:%d::/64'}]],"
		"'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}}",
		n, n, n, n);
}

static void prepare(struct attached *a, const char *cid, int n, const char *keys)
{
	*a = (struct attached){ .chain = { .cid = cid } };
	a->plugins[0] = bridge_conf(n);
	a->plugins[1] = keys ? jsonf("{'type':'firewall'%s%s}", *keys ? "," : "", keys) : NULL;
	a->chain.plugins = a->plugins;
	a->chain.netns = textf(LAB_NETNS("%s"), cid);
}

static void attach(struct attached *a, const char *cid, int n, const char *keys)
{
	prepare(a, cid, n, keys);
	if (lab_chain_add(&a->chain))
		lab_fail("ADD: %s%s", a->chain.last.out, a->chain.last.err);
	lab_carrier(cid, "eth0");
	traffic_serve(&a->server[0], cid, TRAFFIC_TCP, "0.0.0.0", 80, cid);
	traffic_serve(&a->server[1], cid, TRAFFIC_TCP, "::", 80, cid);
}

static void detach(struct attached *a)
{
	for (size_t i = 0; i < LEN(a->server); i++)
		if (a->server[i].pid)
			traffic_stop(&a->server[i]);
	if (lab_chain_del(&a->chain))
		lab_fail("DEL: %s%s", a->chain.last.out, a->chain.last.err);
	lab_chain_clear(&a->chain);
}

static void gets_through(const char *from, const char *v4, const char *v6)
{
	assert_int_equal(tcp_fetch(from, v4, 80, 2000, NULL), 0);
	assert_int_equal(tcp_fetch(from, v6, 80, 2000, NULL), 0);
}

static void is_kept_out(const char *from, const char *v4, const char *v6)
{
	assert_int_equal(tcp_fetch(from, v4, 80, QUICK_MS, NULL), -ETIMEDOUT);
	assert_int_equal(tcp_fetch(from, v6, 80, QUICK_MS, NULL), -ETIMEDOUT);
}

#define DROP_POLICY \
	"nft 'add table inet naru; add chain inet naru forward " \
	"{ type filter hook forward priority 0; policy drop; }'"

/* ---- traffic */

static void under_a_policy_of_drop_only_who_has_the_plugin_gets_out(void **state)
{
	struct attached with, without;

	(void)state;
	lab_sh(DROP_POLICY);
	attach(&with, "c1", 1, "");
	attach(&without, "c2", 1, NULL);
	gets_through("c1", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	is_kept_out("c2", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	/* answers get in, connections do not: that is the operator's to allow */
	is_kept_out("outside", "10.1.0.2", "fd00:1::2");
	lab_sh("nft add rule inet naru admin tcp dport 80 accept");
	gets_through("outside", "10.1.0.2", "fd00:1::2");
	lab_sh("nft flush chain inet naru admin");
	assert_int_equal(lab_chain_check(&with.chain), 0);
	detach(&with);
	is_kept_out("c2", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	detach(&without);
}

static void the_operators_chain_decides_before_us(void **state)
{
	struct attached a;

	(void)state;
	attach(&a, "c1", 1, "");
	lab_sh("nft add rule inet naru admin tcp dport 80 drop");
	is_kept_out("c1", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	detach(&a);
	attach(&a, "c1", 1, "");
	is_kept_out("c1", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	detach(&a);
}

static void an_open_policy_keeps_nobody_apart(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", 1, "'ingressPolicy':'open'");
	attach(&b, "c2", 2, "'ingressPolicy':'same-bridge'");
	gets_through("c1", "10.2.0.2", "fd00:2::2");
	gets_through("c2", "10.1.0.2", "fd00:1::2");
	detach(&a);
	detach(&b);
}

static void bridges_are_kept_apart_and_their_own_containers_are_not(void **state)
{
	struct attached a, b, c;

	(void)state;
	attach(&a, "c1", 1, "'ingressPolicy':'same-bridge'");
	attach(&b, "c2", 1, "'ingressPolicy':'same-bridge'");
	attach(&c, "c3", 2, "'ingressPolicy':'same-bridge'");
	gets_through("c1", "10.1.0.3", "fd00:1::3");
	is_kept_out("c1", "10.2.0.2", "fd00:2::2");
	is_kept_out("c3", "10.1.0.2", "fd00:1::2");
	/* the world and the host are on no bridge */
	gets_through("c1", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	gets_through("outside", "10.1.0.2", "fd00:1::2");
	gets_through(NULL, "10.2.0.2", "fd00:2::2");
	/* one goes, the others stay apart */
	detach(&b);
	is_kept_out("c3", "10.1.0.2", "fd00:1::2");
	detach(&a);
	detach(&c);
}

static void isolated_containers_do_not_see_their_neighbours_either(void **state)
{
	struct attached a, b, c;

	(void)state;
	attach(&a, "c1", 1, "'ingressPolicy':'isolated'");
	attach(&b, "c2", 1, "'ingressPolicy':'isolated'");
	attach(&c, "c3", 2, "'ingressPolicy':'isolated'");
	assert_int_not_equal(tcp_fetch("c1", "10.1.0.3", 80, QUICK_MS, NULL), 0);
	assert_int_not_equal(tcp_fetch("c2", "fd00:1::2", 80, QUICK_MS, NULL), 0);
	is_kept_out("c1", "10.2.0.2", "fd00:2::2");
	is_kept_out("c3", "10.1.0.3", "fd00:1::3");
	gets_through("c1", LAB_OUTSIDE_V4, LAB_OUTSIDE_V6);
	gets_through("outside", "10.1.0.2", "fd00:1::2");
	gets_through(NULL, "10.1.0.3", "fd00:1::3");
	assert_int_equal(lab_chain_check(&a.chain), 0);
	detach(&a);
	detach(&b);
	detach(&c);
}

/* ---- life */

static const char *conf(const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'firewall'%s%s}", *keys ? "," : "",
		     keys);
}

#define PREV_BRIDGE \
	"{'cniVersion':'1.1.0','interfaces':[{'name':'br1'},{'name':'veth1'},{'name':'eth0'," \
	"'sandbox':'/run/netns/c1'}],'ips':[{'address':'10.1.0.2/24','interface':2}," \
	"{'address':'fd00:1::2/64','interface':2}]}"

static const char *with_prev(const char *keys, const char *prev)
{
	return text_keep(json_with(conf(keys), "prevResult", jsonf("%s", prev)));
}

static void the_previous_result_is_passed_on_unchanged(void **state)
{
	struct attached a, b;

	(void)state;
	attach(&a, "c1", 1, "'ingressPolicy':'isolated'");

	const char *chained = textf("%s", a.chain.result);

	detach(&a);
	lab_sh("rm -rf /run/ipam1");
	attach(&b, "c1", 1, NULL);
	assert_string_equal(text_folded(chained), text_folded(b.chain.result));
	detach(&b);
}

static void what_cannot_be_had_is_refused_and_changes_nothing(void **state)
{
	static const struct {
		const char *keys, *prev;
		int code;
		const char *text;
	} t[] = {
		{ "'backend':'ufw'", PREV_BRIDGE, 7,
		  "/backend: expected \\\"nftables\\\", \\\"iptables\\\" or \\\"firewalld\\\", got "
		  "\\\"ufw\\\"" },
		{ "'backend':5", PREV_BRIDGE, 7, "/backend: expected string, got integer 5" },
		{ "'ingressPolicy':'closed'", PREV_BRIDGE, 7,
		  "/ingressPolicy: expected \\\"open\\\", \\\"same-bridge\\\" or \\\"isolated\\\", got "
		  "\\\"closed\\\"" },
		{ "'firewalldZone':'a b'", PREV_BRIDGE, 7,
		  "/firewalldZone: expected the name of a zone of firewalld, got \\\"a b\\\"" },
		{ "'iptablesAdminChainName':'CNI-FORWARD'", PREV_BRIDGE, 7,
		  "/iptablesAdminChainName: expected the name of a chain of your own, at most 28 "
		  "characters, got \\\"CNI-FORWARD\\\"" },
		{ "'iptablesAdminChainName':'a-name-of-a-chain-of-29-bytes'", PREV_BRIDGE, 7,
		  "at most 28 characters" },
		{ "'backend':'nftables','iptablesAdminChainName':'MINE'", PREV_BRIDGE, 2,
		  "/iptablesAdminChainName: is for the iptables backend; with nftables your own rules "
		  "go to chain admin of table inet naru" },
		{ "'ingressPolicy':'same-bridge'", "{'cniVersion':'1.1.0','interfaces':[]}", 7,
		  "interface needs to be set for ingress policy \\\"same-bridge\\\", make sure to "
		  "chain \\\"firewall\\\" plugin with \\\"bridge\\\"" },
		{ "'ingressPolicy':'isolated'",
		  "{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}]}",
		  7, "interface needs to be set for ingress policy \\\"isolated\\\"" },
		{ "'ingressPolicy':'same-bridge'",
		  "{'cniVersion':'1.1.0','interfaces':[{'name':'no/name'}]}", 7,
		  "/prevResult/interfaces/0/name: expected the name of the bridge" },
		{ "'ingressPolicy':'isolated'",
		  "{'cniVersion':'1.1.0','interfaces':[{'name':'uplink0'},{'name':'nobr'}]}", 0,
		  "" },
	};
	char *before = snapshot_take(SNAPSHOT_ALL);

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = with_prev(t[i].keys, t[i].prev);

		if (t[i].code)
			fails(t[i].code, t[i].text, "firewall", "ADD", c);
		if (strcmp(t[i].keys, "'backend':5") != 0)
			ok("firewall", "DEL", c);
		assert_untouched(before, SNAPSHOT_ALL);
	}
	fails(7, "must be called as chained plugin: prevResult is missing", "firewall", "ADD",
	      conf(""));
	free(before);
}

/* As with the reference, where a chain of its own with that name exists anyway. */
static void the_references_default_of_the_admin_chain_asks_for_nothing(void **state)
{
	const char *c =
		with_prev("'backend':'nftables','iptablesAdminChainName':'CNI-ADMIN'", PREV_BRIDGE);

	(void)state;
	ok("firewall", "ADD", c);
	ok("firewall", "CHECK", c);
	ok("firewall", "DEL", c);
}

static void check_tells_the_difference(void **state)
{
	static const struct {
		const char *tamper, *text;
	} t[] = {
		{ "nft delete element inet naru accept4 { 10.1.0.2 }",
		  "nftables: 10.1.0.2 forwarded (accept) is missing in accept4 of table inet naru" },
		{ "nft delete element inet naru alone6-br1 { fd00:1::2 }",
		  "nftables: fd00:1::2 from bridges and from br1 (isolate) is missing in alone6-br1" },
		{ "nft flush chain inet naru isolation", "a rule of chain isolation is missing" },
		{ "nft flush chain inet naru forward", "a rule of chain forward is missing" },
		{ "nft delete table inet naru", "table inet naru is missing" },
		{ "bridge link set dev $(ls /sys/class/net/br1/brif) isolated off",
		  "expected an isolated port of its bridge, found one that is not" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		struct attached a;

		attach(&a, "c1", 1, "'ingressPolicy':'isolated'");
		assert_int_equal(lab_chain_check(&a.chain), 0);
		lab_sh("%s", t[i].tamper);
		assert_int_equal(lab_chain_check(&a.chain), 1);
		assert_int_equal(a.chain.failed, 1);
		call_refused("firewall CHECK", &a.chain.last, 102, t[i].text);
		detach(&a);
		call_reset_host();
		lab_sh("rm -rf /run/ipam1");
	}
}

static void del_needs_nothing_and_may_come_twice(void **state)
{
	static const struct {
		const char *netns;
		bool prev;
	} t[] = { { "", true }, { "", false }, { "/run/netns/gone", true }, { "c1", false } };

	(void)state;
	ok("firewall", "DEL", conf("")); /* before any ADD */
	for (size_t i = 0; i < LEN(t); i++) {
		const char *added = with_prev("'ingressPolicy':'same-bridge'", PREV_BRIDGE);
		const char *c = t[i].prev ? added : conf("'ingressPolicy':'same-bridge'");

		ok("firewall", "ADD", added);
		ok("firewall", "ADD", added);
		ok("firewall", "DEL", c, .netns = t[i].netns);
		ok("firewall", "DEL", c, .netns = t[i].netns);
		lab_sh("! nft list ruleset | grep c1/");
	}
}

/* A configuration changed under a running container: what it has is found by its owner. */
static void del_finds_what_another_configuration_added(void **state)
{
	(void)state;
	ok("firewall", "ADD", with_prev("'ingressPolicy':'same-bridge'", PREV_BRIDGE));
	ok("firewall", "DEL", with_prev("'backend':'firewalld'", PREV_BRIDGE));
	lab_sh("! nft list ruleset | grep c1/");
	ok("firewall", "ADD", with_prev("", PREV_BRIDGE));
	ok("firewall", "DEL", conf("'ingressPolicy':'no such'"));
	lab_sh("! nft list ruleset | grep c1/");
}

static void gc_keeps_the_listed_and_trims_bridges(void **state)
{
	const char *two = text_replaced(PREV_BRIDGE, "br1", "br2");

	(void)state;
	two = text_replaced(text_replaced(two, "10.1.0.2", "10.1.0.3"), "fd00:1::2", "fd00:1::3");
	ok("firewall", "ADD", with_prev("'ingressPolicy':'same-bridge'", PREV_BRIDGE));
	ok("firewall", "ADD", with_prev("'ingressPolicy':'same-bridge'", two), .cid = "c2");
	ok("firewall", "GC",
	   text_keep(json_with(conf(""), "cni.dev/valid-attachments",
			       jsonf("[{'containerID':'c2','ifname':'eth0'}]"))));
	lab_sh("! nft list ruleset | grep -E 'c1/|br1'");
	ok("firewall", "CHECK", with_prev("'ingressPolicy':'same-bridge'", two), .cid = "c2");
	ok("firewall", "GC",
	   text_keep(json_with(conf(""), "cni.dev/valid-attachments", jsonf("[]"))));
	lab_sh("! nft list ruleset | grep -E 'c2/|br2'");
}

static void status_asks_the_backend(void **state)
{
	(void)state;
	ok("firewall", "STATUS", conf(""));
	ok("firewall", "STATUS", conf("'backend':'nftables'"));
	fails(50, "firewalld is not running: nobody owns org.fedoraproject.FirewallD1", "firewall",
	      "STATUS", conf("'backend':'firewalld'"),
	      .env = (char *[]){ (char[]){ "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/none" }, NULL });
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(under_a_policy_of_drop_only_who_has_the_plugin_gets_out),
		T(the_operators_chain_decides_before_us),
		T(an_open_policy_keeps_nobody_apart),
		T(bridges_are_kept_apart_and_their_own_containers_are_not),
		T(isolated_containers_do_not_see_their_neighbours_either),
		T(the_previous_result_is_passed_on_unchanged),
		T(what_cannot_be_had_is_refused_and_changes_nothing),
		T(the_references_default_of_the_admin_chain_asks_for_nothing),
		T(check_tells_the_difference),
		T(del_needs_nothing_and_may_come_twice),
		T(del_finds_what_another_configuration_added),
		T(gc_keeps_the_listed_and_trims_bridges),
		T(status_asks_the_backend),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
