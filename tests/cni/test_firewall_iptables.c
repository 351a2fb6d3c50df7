// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firewall plugin with the legacy iptables: the reference's rules to the letter, made and
 * unmade by either suite.
 */
#include "tests/lib/call.h"
#include "tests/lib/crash.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
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
#define REFERENCE "/usr/lib/cni/firewall"
#define QUICK_MS 150
#define NOTES "/run/naru/forward"

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	/* where the reference looks for its program */
	lab_sh("mkdir -p /run/alt && for i in iptables ip6tables; do "
	       "ln -s $(command -v $i-legacy) /run/alt/$i; done");
	lab_outside();
	lab_sh_in("outside", "ip route add 10.0.0.0/8 via " LAB_HOST_V4
			     "; ip route add fd00::/16 via " LAB_HOST_V6);
	/* the tables themselves stay once somebody has looked into them */
	lab_sh("for i in iptables-legacy ip6tables-legacy; do $i -t filter -L -n > /dev/null; done");
	return crash_setup(state);
}

#define FRESH \
	"for i in iptables-legacy ip6tables-legacy; do $i -P FORWARD ACCEPT; $i -F; $i -X; done;" \
	"rm -rf " NOTES " /run/ipam*"

static int setup(void **state)
{
	(void)state;
	lab_sh(FRESH);
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
	lab_sh(FRESH);
	return 0;
}

static const char *save(void)
{
	return text_keep(lab_out("for i in iptables-legacy-save ip6tables-legacy-save; do "
				 "$i -t filter | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'; done"));
}

static const char *conf(const char *keys, const char *prev)
{
	return jsonf("{'cniVersion':'1.0.0','name':'net1','type':'firewall','backend':'iptables'"
		     "%s%s%s%s}",
		     *keys ? "," : "", keys, prev ? ",'prevResult':" : "", prev ?: "");
}

/* Address .n of bridge br1, in IPv4, IPv6 or both. */
static const char *prev(int n, const char *families)
{
	return textf("{'cniVersion':'1.0.0','interfaces':[{'name':'br1'}],'ips':[%s%s%s]}",
		     strchr(families, '4') ? textf("{'address':'10.1.0.%d/24'}", n) : "",
		     strlen(families) > 1 ? "," : "",
		     strchr(families, '6') ? textf("{'address':'fd00:1::%d/64'}", n) : "");
}

static void plugin(const char *which, const char *verb, const char *cid, const char *c)
{
	char *env[] = { (char[]){ "PATH=/run/alt:/usr/sbin:/usr/bin:/sbin:/bin" }, NULL };

	(void)ok(which, verb, c, .cid = cid, .env = env);
}

static void the_rules_are_the_references(void **state)
{
	static const struct {
		const char *keys, *families;
	} t[] = {
		{ "", "46" },
		{ "", "4" },
		{ "", "6" },
		{ "'ingressPolicy':'same-bridge'", "46" },
		{ "'ingressPolicy':'same-bridge'", "4" },
		{ "'iptablesAdminChainName':'MY-OWN'", "46" },
		{ "'iptablesAdminChainName':'MY-OWN','ingressPolicy':'same-bridge'", "6" },
	};
	static const char *const suites[] = { REFERENCE, "firewall" };

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	for (size_t i = 0; i < LEN(t); i++) {
		const char *added[2], *deleted[2];

		for (size_t s = 0; s < LEN(suites); s++) {
			lab_sh(FRESH);
			plugin(suites[s], "ADD", "c1", conf(t[i].keys, prev(2, t[i].families)));
			plugin(suites[s], "ADD", "c2", conf(t[i].keys, prev(3, t[i].families)));
			plugin(suites[s], "ADD", "c2", conf(t[i].keys, prev(3, t[i].families)));
			added[s] = save();
			plugin(suites[s], "DEL", "c1", conf(t[i].keys, prev(2, t[i].families)));
			deleted[s] = save();
		}
		assert_string_equal(added[0], added[1]);
		assert_string_equal(deleted[0], deleted[1]);
	}
}

static void either_suite_goes_on_where_the_other_stopped(void **state)
{
	static const char *const suites[] = { REFERENCE, "firewall" };
	const char *c = conf("'ingressPolicy':'same-bridge'", prev(2, "46"));
	const char *before;

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	for (size_t s = 0; s < LEN(suites); s++) {
		lab_sh(FRESH);
		plugin(suites[s], "ADD", "c2", conf("", prev(3, "46")));
		plugin(suites[s], "ADD", "c1", c);
		before = save();
		plugin(suites[!s], "CHECK", "c1", c);
		plugin(suites[!s], "ADD", "c1", c);
		assert_string_equal(save(), before);
		plugin(suites[!s], "DEL", "c1", c);
		lab_sh("! iptables-legacy-save | grep 10.1.0.2");
		lab_sh("! ip6tables-legacy-save | grep fd00:1::2");
		lab_sh("iptables-legacy-save | grep -q 10.1.0.3");
		/* what the other one removed is no hindrance, and its note goes */
		plugin("firewall", "DEL", "c1", c);
		lab_sh("! test -e " NOTES "/10.1.0.2");
	}
}

static void isolated_drops_between_neighbours_first(void **state)
{
	const char *c = conf("'ingressPolicy':'isolated'", prev(2, "4"));

	(void)state;
	/* the bridge is none, so there are no ports to ask for */
	lab_sh("ip link add br1 type veth peer name br1p");
	plugin("firewall", "ADD", "c1", c);
	assert_non_null(strstr(
		save(),
		"-A CNI-ISOLATION-STAGE-1 -i br1 -o br1 -m comment --comment \"CNI firewall plugin "
		"rules (ingressPolicy: isolated)\" -j DROP\n-A CNI-ISOLATION-STAGE-1 -i br1 ! -o br1 "
		"-m comment --comment \"CNI firewall plugin rules (ingressPolicy: same-bridge)\" -j "
		"CNI-ISOLATION-STAGE-2\n"));
	plugin("firewall", "CHECK", "c1", c);
	plugin("firewall", "DEL", "c1", c);
	lab_sh("ip link del br1");
}

/* ---- life */

static void a_dry_run_notes_nothing_down(void **state)
{
	char *dry[] = { (char[]){ "NARU_PLAN=/run/plan.jsonl" }, NULL };
	const char *c = conf("", jsonf("{'ips':[{'address':'10.1.0.2/24'}]}")), *before = save();

	(void)state;
	lab_sh(": > /run/plan.jsonl");
	ok("firewall", "ADD", c, .env = dry);
	assert_string_equal(save(), before);
	lab_sh("grep -q 'iptables -t filter -A CNI-FORWARD -s 10.1.0.2' /run/plan.jsonl; "
	       "grep -q 'create 10.1.0.2' /run/plan.jsonl; rm /run/plan.jsonl; ! test -e " NOTES);
}

static void del_knows_addresses_without_a_previous_result(void **state)
{
	(void)state;
	plugin("firewall", "ADD", "c1", conf("", prev(2, "46")));
	plugin("firewall", "ADD", "c2", conf("", prev(3, "46")));
	plugin("firewall", "DEL", "c1", conf("", NULL));
	lab_sh("! iptables-legacy-save | grep 10.1.0.2");
	lab_sh("! ip6tables-legacy-save | grep fd00:1::2");
	plugin("firewall", "CHECK", "c2", conf("", prev(3, "46")));
	plugin("firewall", "DEL", "c1", conf("", NULL));
	plugin("firewall", "DEL", "c2", conf("'ingressPolicy':'no such'", NULL));
	lab_sh("! test -e " NOTES "; ! iptables-legacy-save | grep 10.1.0");
}

static void an_address_taken_over_is_the_new_owners(void **state)
{
	const char *c = conf("", prev(2, "46"));

	(void)state;
	plugin("firewall", "ADD", "c1", c);
	plugin("firewall", "ADD", "c2", c);
	plugin("firewall", "DEL", "c1", c);
	plugin("firewall", "CHECK", "c2", c);
	plugin("firewall", "DEL", "c2", c);
	lab_sh("! iptables-legacy-save | grep 10.1.0.2");
}

static void check_tells_the_missing_rule(void **state)
{
	static const struct {
		const char *tamper, *text;
	} t[] = {
		{ "iptables-legacy -D CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT",
		  "iptables: expected rule \\\"-A CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT\\\" in table "
		  "filter, found it missing; attach the container anew to bring it back" },
		{ "ip6tables-legacy -F CNI-ISOLATION-STAGE-2",
		  "ip6tables: expected rule \\\"-A CNI-ISOLATION-STAGE-2 -o br1" },
		{ "iptables-legacy -F FORWARD",
		  "iptables: expected rule \\\"-A FORWARD -m comment" },
		{ "iptables-legacy -F; iptables-legacy -X", "iptables: expected rule" },
	};
	const char *c = conf("'ingressPolicy':'same-bridge'", prev(2, "46"));

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		plugin("firewall", "ADD", "c1", c);
		plugin("firewall", "CHECK", "c1", c);
		lab_sh("%s", t[i].tamper);
		fails(102, t[i].text, "firewall", "CHECK", c);
		plugin("firewall", "DEL", "c1", c);
		lab_sh(FRESH);
	}
}

static void gc_keeps_the_listed_and_bridges_that_are_there(void **state)
{
	const char *c = conf("'ingressPolicy':'same-bridge'", prev(2, "46"));

	(void)state;
	c = text_replaced(c, "1.0.0", "1.1.0");
	lab_sh("ip link add br1 type bridge");
	plugin("firewall", "ADD", "c1", c);
	plugin("firewall", "ADD", "c2",
	       text_replaced(text_replaced(c, ".2/", ".3/"), "::2/", "::3/"));
	plugin("firewall", "GC", "x",
	       text_keep(json_with(c, "cni.dev/valid-attachments",
				   jsonf("[{'containerID':'c1','ifname':'eth0'}]"))));
	plugin("firewall", "CHECK", "c1", c);
	lab_sh("! iptables-legacy-save | grep 10.1.0.3");
	lab_sh("iptables-legacy-save | grep -q 'STAGE-2 -o br1'");
	lab_sh("ip link del br1");
	plugin("firewall", "GC", "x",
	       text_keep(json_with(c, "cni.dev/valid-attachments", jsonf("[]"))));
	lab_sh("! iptables-legacy-save | grep -E '10.1.0.2|br1'");
	lab_sh("! ip6tables-legacy-save | grep -E 'fd00|br1'; ! test -e " NOTES);
}

/* ---- traffic */

struct attached {
	struct lab_chain chain;
	const char *plugins[3];
};

static void attach(struct attached *a, const char *cid, int n, const char *keys)
{
	*a = (struct attached){ .chain = { .cid = cid } };
	a->plugins[0] = jsonf(
		"{'type':'bridge','bridge':'br%d','isGateway':true,'ipam':{'type':'host-local',"
		"'dataDir':'/run/ipam%d','ranges':[[{'subnet':'10.%d.0.0/24'}],"
		"[{'subnet':'fd00:%d::/64'}]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]}}",
		n, n, n, n);
	a->plugins[1] = jsonf("{'type':'firewall','backend':'iptables'%s}", keys);
	a->chain.plugins = a->plugins;
	a->chain.netns = textf(LAB_NETNS("%s"), cid);
	if (lab_chain_add(&a->chain))
		lab_fail("ADD: %s%s", a->chain.last.out, a->chain.last.err);
	lab_carrier(cid, "eth0");
}

static void detach(struct attached *a)
{
	if (lab_chain_del(&a->chain))
		lab_fail("DEL: %s%s", a->chain.last.out, a->chain.last.err);
	lab_chain_clear(&a->chain);
}

static void under_a_policy_of_drop_containers_get_out_and_bridges_stay_apart(void **state)
{
	struct traffic_server s[4];
	struct attached a, b;

	(void)state;
	lab_sh("iptables-legacy -P FORWARD DROP; ip6tables-legacy -P FORWARD DROP");
	attach(&a, "c1", 1, ",'ingressPolicy':'same-bridge'");
	attach(&b, "c2", 2, ",'ingressPolicy':'same-bridge'");
	traffic_serve(&s[0], "outside", TRAFFIC_TCP, "0.0.0.0", 80, "out");
	traffic_serve(&s[1], "outside", TRAFFIC_TCP, "::", 80, "out");
	traffic_serve(&s[2], "c2", TRAFFIC_TCP, "0.0.0.0", 80, "two");
	traffic_serve(&s[3], "c2", TRAFFIC_TCP, "::", 80, "two");
	assert_int_equal(tcp_fetch("c1", LAB_OUTSIDE_V4, 80, 2000, NULL), 0);
	assert_int_equal(tcp_fetch("c1", LAB_OUTSIDE_V6, 80, 2000, NULL), 0);
	assert_int_equal(tcp_fetch("outside", "10.2.0.2", 80, QUICK_MS, NULL), -ETIMEDOUT);
	assert_int_equal(tcp_fetch("c1", "10.2.0.2", 80, QUICK_MS, NULL), -ETIMEDOUT);
	assert_int_equal(tcp_fetch("c1", "fd00:2::2", 80, QUICK_MS, NULL), -ETIMEDOUT);
	lab_sh("iptables-legacy -A CNI-ADMIN -p tcp --dport 80 -j ACCEPT");
	assert_int_equal(tcp_fetch("outside", "10.2.0.2", 80, 2000, NULL), 0);
	detach(&a);
	assert_int_equal(tcp_fetch("c2", LAB_OUTSIDE_V4, 80, 2000, NULL), 0);
	for (size_t i = 0; i < LEN(s); i++)
		traffic_stop(&s[i]);
	detach(&b);
	/* the operator's rules stay whatever goes */
	lab_sh("iptables-legacy-save | grep -q 'A CNI-ADMIN -p tcp'");
}

static void many_at_once_lose_no_rule(void **state)
{
	(void)state;
	for (int n = 2; n < 26; n++)
		lab_sh("printf '%%s' '%s' > /run/conf.%d", conf("", prev(n, "46")), n);
	lab_sh("for v in ADD DEL; do pids=; for n in $(seq 2 25); do "
	       "CNI_COMMAND=$v CNI_CONTAINERID=m$n CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 "
	       "CNI_PATH=%s %s/firewall < /run/conf.$n > /run/out.$n & pids=\"$pids $!\"; done;"
	       "for p in $pids; do wait $p || exit 1; done;"
	       "iptables-legacy-save -t filter | grep -c 10.1.0 > /run/count.$v; done; true",
	       lab_bin(), lab_bin());
	lab_sh("test $(cat /run/count.ADD) = 48 && test $(cat /run/count.DEL) = 0 && rm /run/conf.* "
	       "/run/out.* /run/count.*; ! test -e " NOTES);
}

/* ---- crashes */

#define HEAD(type) "{\"cniVersion\":\"1.1.0\",\"name\":\"crashnet\",\"type\":\"" type "\""
#define IPAM \
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]}"

static const struct crash_subject bridge = {
	"bridge", HEAD("bridge") ",\"bridge\":\"br0\",\"isGateway\":true," IPAM "}", "eth0", NULL
};
static const struct crash_subject iptables = {
	.plugin = "firewall",
	.conf = HEAD("firewall") ",\"backend\":\"iptables\",\"ingressPolicy\":\"same-bridge\"}",
	.ifname = "eth0",
	.before = &bridge,
	.clear = "! test -e " NOTES,
};
static const struct crash_subject *const subjects[] = { &iptables };

static int crashes_setup(void **state)
{
	lab_sh(FRESH
	       "; (umask 177; : > /run/xtables.lock); mkdir -pm 700 /run/naru; rm -rf /run/naru/*");
	return crash_setup(state);
}

static void killed_at_any_point_it_leaves_nothing(void **state)
{
	(void)state;
	crash_in_add(subjects, LEN(subjects), CRASH_DEL);
	crash_in_add(subjects, LEN(subjects), CRASH_GC);
	crash_in_del(subjects, LEN(subjects));
}

static void failing_at_any_point_it_leaves_nothing(void **state)
{
	(void)state;
	crash_failed_verbs(subjects, LEN(subjects));
	crash_failed_calls(subjects, LEN(subjects));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_rules_are_the_references),
		T(either_suite_goes_on_where_the_other_stopped),
		T(isolated_drops_between_neighbours_first),
		T(a_dry_run_notes_nothing_down),
		T(del_knows_addresses_without_a_previous_result),
		T(an_address_taken_over_is_the_new_owners),
		T(check_tells_the_missing_rule),
		T(gc_keeps_the_listed_and_bridges_that_are_there),
		T(under_a_policy_of_drop_containers_get_out_and_bridges_stay_apart),
		T(many_at_once_lose_no_rule),
		cmocka_unit_test_setup(killed_at_any_point_it_leaves_nothing, crashes_setup),
		cmocka_unit_test_setup(failing_at_any_point_it_leaves_nothing, crashes_setup),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
