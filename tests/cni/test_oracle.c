// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference as oracle, plugins whose interface and address are their own: the same
 * configuration and environment given to both suites, each on a fresh host; answers and what is in
 * the container afterwards are compared. Left out is only what chance decides: MACs, veth names.
 * Chained plugins are in test_oracle_chain.c and test_oracle_fw.c, the other links in
 * test_oracle_link.c.
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/oracle.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE ORACLE_DIR
#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.2.0", "0.3.1", "0.4.0", "1.0.0" };

static int setup(void **state)
{
	(void)state;
	if (lab_try("test ! -e /run/netns/c1"))
		lab_netns_del("c1"); /* of a test that failed */
	if (lab_try("test -x " REFERENCE "/bridge -a -x " REFERENCE "/ptp"))
		lab_skip("the reference plugins are not installed");
	return 0;
}

/* What an outcome is made of, as one text. */
static const char *look(const char *plugin)
{
	bool loopback = !strcmp(plugin, "loopback");
	char *addr = lab_out_in("c1",
				"ip -o addr show %s | grep -v fe80 |"
				" sed -E 's/^[0-9]+: //; s/ +/ /g; s/valid_lft.*//'",
				loopback ? "lo" : "eth0");
	char *route = lab_out_in("c1", "ip route; ip -6 route | grep -v fe80; true");
	char *link = lab_out_in("c1", "ip -o link show %s | grep -o 'mtu [0-9]*\\|,UP'",
				loopback ? "lo" : "eth0");
	char *sysctl = lab_out_in("c1",
				  "cd /proc/sys/net; grep -H . ipv6/conf/eth0/disable_ipv6"
				  " ipv6/conf/lo/disable_ipv6 %s 2>/dev/null; true",
				  /* announced by ours in ptp too, where the reference forgot */
				  !strcmp(plugin, "bridge") ? "ipv4/conf/eth0/arp_notify" : "");
	char *host = lab_out(
		"ip -o addr show | grep -v ' lo\\|fe80' | sed -E 's/^[0-9]+: //; s/ +/ /g;"
		" s/valid_lft.*//'; ip route; ip -6 route | grep -v fe80;"
		"cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding;"
		"cat /sys/class/net/br0/mtu /sys/class/net/br0/brif/*/hairpin_mode 2>/dev/null;"
		"ip -o link show br0 2>/dev/null | grep -o PROMISC; true");
	char *leases =
		lab_out("cd /var/lib/cni/networks/net1 2>/dev/null || exit 0;"
			"for f in *; do echo \"$f: $(od -An -c $f | tr -s ' \\n' ' ')\"; done");
	const char *all =
		textf("-- addr\n%s\n-- route\n%s\n-- link\n%s\n-- sysctl\n%s\n-- host\n%s\n"
		      "-- leases\n%s",
		      addr, route, link, sysctl, host, leases);

	free(addr);
	free(route);
	free(link);
	free(sysctl);
	free(host);
	free(leases);
	/*
	 * Ways to the same end: addresses on the host are not checked for duplicates, so they can
	 * be used at once; ptp's connected route is not made instead of removed.
	 */
	static const char *const same[] = { " nodad", " tentative", " noprefixroute", " onlink" };

	all = text_folded(all);
	for (size_t i = 0; i < LEN(same); i++)
		all = text_replaced(all, same[i], "");
	return all;
}

struct outcome {
	const char *add, *after_add, *check, *del, *after_del;
	int status, del_status;
};

static const char *run(const char *dir, const char *plugin, const char *verb, const char *conf,
		       const char *args, int *status)
{
	const struct lab_call c = {
		.plugin = textf("%s/%s", dir, plugin),
		.verb = verb,
		.cid = "c1",
		.netns = LAB_NETNS("c1"),
		.ifname = !strcmp(plugin, "loopback") ? "lo" : "eth0",
		.args = args,
		.path = dir,
		.conf = conf,
	};
	struct lab_result r;

	lab_call(&c, &r);
	*status = r.status;
	free(r.err);
	return text_folded(text_keep(r.out));
}

static struct outcome play(const char *dir, const char *plugin, const char *conf, const char *args)
{
	bool lo = !strcmp(plugin, "loopback"), link = strcmp(plugin, "host-local") != 0;
	struct outcome o;
	int status;

	lab_netns_new("c1");
	/* the reference waits seconds for duplicates of IPv6 addresses */
	lab_sh_in("c1", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");

	const struct lab_call c = {
		.plugin = textf("%s/%s", dir, plugin),
		.verb = "ADD",
		.cid = "c1",
		.netns = LAB_NETNS("c1"),
		.ifname = lo ? "lo" : "eth0",
		.args = args,
		.path = dir,
		.conf = conf,
	};
	struct lab_result r;

	lab_call(&c, &r);
	o.status = r.status;
	o.add = text_folded(r.out);
	o.after_add = r.status == 0 && link ? look(plugin) : "";
	o.check = "";
	if (r.status == 0 && (strstr(conf, "\"0.4.0\"") || strstr(conf, "\"1.0.0\"")))
		o.check = textf("%s", run(dir, plugin, "CHECK",
					  text_keep(json_with(conf, "prevResult", r.out)), args,
					  &status));
	lab_result_clear(&r);
	o.del = run(dir, plugin, "DEL", conf, args, &o.del_status);

	char *left = lab_out("ls /var/lib/cni/networks/net1 2>/dev/null | tr '\\n' ' ';"
			     "ip -n c1 -o link | grep -c eth0; true");

	o.after_del = text_keep(left);
	lab_netns_del("c1");
	call_reset_host();
	return o;
}

static void compare(const char *plugin, const char *conf, const char *args)
{
	struct outcome ref = play(REFERENCE, plugin, conf, args);
	struct outcome our = play(lab_bin(), plugin, conf, args);

	/* who refuses may refuse in other words, but both refuse */
	if (ref.status != our.status ||
	    (ref.status == 0 && !oracle_same_answer(conf, ref.add, our.add)))
		lab_fail("%s < %s\nthe reference (%d): %s\nours (%d): %s", plugin, conf, ref.status,
			 ref.add, our.status, our.add);
	if (strcmp(ref.after_add, our.after_add))
		lab_fail("%s < %s\nafter the reference's ADD:\n%s\nafter ours:\n%s", plugin, conf,
			 ref.after_add, our.after_add);
	if (strcmp(ref.check, our.check))
		lab_fail("%s < %s: CHECK of the reference: %s\nours: %s", plugin, conf, ref.check,
			 our.check);
	if (our.del_status > ref.del_status)
		lab_fail("%s < %s: DEL of the reference succeeds, ours says: %s", plugin, conf,
			 our.del);
	/* what it refused leaves nothing with ours, not even a lease directory */
	if (ref.status == 0 && strcmp(ref.after_del, our.after_del))
		lab_fail("%s < %s: after DEL of the reference: %s\nof ours: %s", plugin, conf,
			 ref.after_del, our.after_del);
}

struct question {
	const char *keys, *args;
};

static void ask(const char *plugin, const struct question *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < LEN(versions); v++)
			/* the first in every version, the others in turn */
			if (i == 0 || v == i % LEN(versions))
				compare(plugin,
					jsonf("{'cniVersion':'%s','name':'net1','type':'%s'%s}",
					      versions[v], plugin, q[i].keys),
					q[i].args ? q[i].args : "");
}

#define R4 "[{'subnet':'10.1.0.0/24'}]"
#define R6 "[{'subnet':'fd00:1::/64'}]"
#define IPAM4 "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}"
#define IPAM \
	"'ipam':{'type':'host-local','ranges':[" R4 "," R6 "],'routes':[{'dst':'0.0.0.0/0'}," \
	"{'dst':'::/0'},{'dst':'10.99.0.0/16','gw':'10.1.0.7'}]}"

static void bridge_answers_and_does_as_the_reference(void **state)
{
	static const struct question q[] = {
		{ ",'bridge':'br0','isGateway':true," IPAM, NULL },
		{ ",'bridge':'br0'," IPAM4, NULL },
		{ ",'bridge':'br0','isDefaultGateway':true," IPAM4, NULL },
		{ ",'bridge':'br0','isDefaultGateway':true,'ipam':{'type':'host-local','ranges':[" R4
		  "," R6 "]}",
		  NULL },
		{ ",'bridge':'br0','mtu':1400,'hairpinMode':true," IPAM4, NULL },
		{ ",'bridge':'br0','promiscMode':true," IPAM4, NULL },
		{ ",'bridge':'br0','hairpinMode':true,'promiscMode':true," IPAM4, NULL },
		{ ",'bridge':'br0','enabledad':false," IPAM, NULL },
		{ ",'bridge':'br0','dns':{'nameservers':['192.0.2.1'],'domain':'d','search':['s'],"
		  "'options':['o']}," IPAM4,
		  NULL },
		{ ",'bridge':'br0','dns':{'nameservers':[]}," IPAM4, NULL },
		{ ",'bridge':'br0'," IPAM4, "MAC=02:00:00:00:00:01" },
		{ ",'bridge':'br0'," IPAM4, "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.1.0.9" },
		{ ",'bridge':'br0'," IPAM4, "FOO=bar" },
		{ ",'bridge':'br0','args':{'cni':{'ips':['10.1.0.33']}}," IPAM4, NULL },
		{ ",'bridge':'br0','RuntimeConfig':{'IPs':['10.1.0.44/24']}," IPAM4, NULL },
		{ ",'bridge':'br0','Bridge':'br1'," IPAM4, NULL },
		{ ",'bridge':'br0','mtu':'1400'," IPAM4, NULL },
		{ ",'bridge':'br0','isGateway':1," IPAM4, NULL },
		{ ",'bridge':'br0','isGateway':null," IPAM4, NULL },
		{ ",'bridge':'br0','ipam':{'type':'host-local','ranges':[" R4
		  ",[{'subnet':'10.2.0.0/24'}]]}",
		  NULL },
		{ ",'bridge':'br0','isGateway':true,'ipam':{'type':'host-local','ranges':[" R4
		  "," R6 ",[{'subnet':'10.2.0.0/24'}]]}",
		  NULL },
		{ ",'bridge':'br0','isGateway':true,'ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
		  "'gateway':'10.1.0.254','routes':[{'dst':'0.0.0.0/0'}]}",
		  NULL },
		{ ",'bridge':'br0','ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
		  "'rangeStart':'10.1.0.40','rangeEnd':'10.1.0.41'}",
		  NULL },
		{ ",'bridge':'br0','ipam':{'type':'host-local','subnet':'10.1.0.7/24'}", NULL },
		{ ",'bridge':'br0','ipam':{'type':'nothing-of-the-kind'}", NULL },
	};

	(void)state;
	ask("bridge", q, LEN(q));
}

static void ptp_answers_and_does_as_the_reference(void **state)
{
	static const struct question q[] = {
		{ "," IPAM, NULL },
		{ "," IPAM4, NULL },
		{ ",'mtu':1400," IPAM4, NULL },
		{ ",'dns':{'nameservers':['192.0.2.1']}," IPAM4, NULL },
		{ ",'ipam':{'type':'host-local','ranges':[" R6 "]}", NULL },
		{ ",'ipam':{'type':'host-local','subnet':'10.1.0.0/24','gateway':'10.1.0.254'}",
		  NULL },
		{ ",'mtu':-1.5," IPAM4, NULL },
	};

	(void)state;
	ask("ptp", q, LEN(q));
}

static void master(void)
{
	(void)lab_try("ip link del host0");
	lab_sh("ip link add host0 type veth peer host1 && ip link set host0 up");
}

static void macvlan_answers_and_does_as_the_reference(void **state)
{
	static const struct question q[] = {
		{ ",'master':'host0'," IPAM, NULL },
		{ ",'master':'host0','mode':'private'," IPAM4, NULL },
		{ "," IPAM4, NULL },
		{ ",'master':'nope'," IPAM4, NULL },
		{ ",'master':'host0','mode':'x'," IPAM4, NULL },
		{ ",'master':'host0','mtu':1300," IPAM4, NULL },
		{ ",'master':'host0','mtu':9000," IPAM4, NULL },
		{ ",'master':'host0','mtu':-1," IPAM4, NULL },
		{ ",'master':'host0','runtimeConfig':{'mac':'02:00:00:00:00:01'}," IPAM4, NULL },
		{ ",'master':'host0','dns':{'nameservers':['192.0.2.1']}," IPAM4, NULL },
		{ ",'master':'host0'", NULL },
	};

	(void)state;
	master();
	if (lab_try("ip link add probe link host0 type macvlan && ip link del probe"))
		lab_skip("this kernel has no macvlan");
	ask("macvlan", q, LEN(q));
	lab_sh("ip link del host0");
}

static void loopback_answers_and_does_as_the_reference(void **state)
{
	(void)state;
	/* not before 1.0.0: there 1.1.1 prints the newer form under the older version's name */
	compare("loopback", jsonf("{'cniVersion':'1.0.0','name':'net1','type':'loopback'}"), "");
}

static void host_local_answers_as_the_reference(void **state)
{
	static const struct question q[] = {
		{ "," IPAM, NULL },
		{ "," IPAM4, NULL },
		{ "," IPAM4, "IP=10.1.0.77" },
		{ "," IPAM4, "IP=10.9.0.77" },
		{ ",'ipam':{'type':'host-local','ranges':[" R4 "," R4 "]}", NULL },
		{ ",'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/31'}]]}", NULL },
		{ ",'ipam':{'type':'host-local','ranges':[]}", NULL },
		{ ",'ipam':{'type':'host-local'}", NULL },
	};

	(void)state;
	ask("host-local", q, LEN(q));
}

/* Of releases that did not yet know interfaces: the container alone, whatever stands around it. */
static void old_reservations_are_given_back_by_both(void **state)
{
	static const char *const texts[] = { "c1", " c1 ", "c1\\r\\neth0", "\\tc1\\r\\neth0\\n" };
	const char *dirs[] = { REFERENCE, lab_bin() };
	const char *conf =
		jsonf("{'cniVersion':'1.0.0','name':'net1','type':'host-local'," IPAM4 "}");
	int status;

	(void)state;
	for (size_t d = 0; d < LEN(dirs); d++)
		for (size_t i = 0; i < LEN(texts); i++) {
			lab_sh("mkdir -p /var/lib/cni/networks/net1 && cd /var/lib/cni/networks/net1 && "
			       "printf '%s' > 10.1.0.2 && printf 'c10' > 10.1.0.3",
			       texts[i]);
			(void)run(dirs[d], "host-local", "DEL", conf, "", &status);
			assert_int_equal(status, 0);
			lab_sh("cd /var/lib/cni/networks/net1 && test ! -e 10.1.0.2 -a -e 10.1.0.3");
			call_reset_host();
		}
}

/* What one suite has attached, the other can check and take away: upgrade and downgrade. */
static void either_suite_ends_what_the_other_began(void **state)
{
	static const char *const plugins[] = { "bridge", "ptp", "macvlan" };
	static const char *const verbs[] = { "CHECK", "DEL", "DEL" };
	const char *dirs[] = { REFERENCE, lab_bin() };

	(void)state;
	master();
	for (size_t p = 0; p < LEN(plugins); p++)
		for (int first = 0; first < 2; first++) {
			const char *conf = jsonf("{'cniVersion':'1.0.0','name':'net1','type':'%s',"
						 "'bridge':'br0','isGateway':true,"
						 "'master':'host0'," IPAM4 "}",
						 plugins[p]);
			const struct lab_call add = {
				.plugin = textf("%s/%s", dirs[first], plugins[p]),
				.verb = "ADD",
				.cid = "c1",
				.netns = LAB_NETNS("c1"),
				.ifname = "eth0",
				.args = "",
				.path = dirs[first],
				.conf = conf,
			};
			struct lab_result r;
			int status;

			lab_netns_new("c1");
			lab_call(&add, &r);
			assert_int_equal(r.status, 0);

			const char *prev = text_keep(json_with(conf, "prevResult", r.out));

			lab_result_clear(&r);
			for (size_t v = 0; v < LEN(verbs); v++) {
				const char *said =
					run(dirs[!first], plugins[p], verbs[v], prev, "", &status);

				if (status != 0)
					lab_fail("%s of %s: %s says %s", plugins[p], dirs[first],
						 verbs[v], said);
			}
			lab_sh("! ls /sys/class/net | grep -q veth && ! ip -n c1 link show eth0 &&"
			       "! ls /var/lib/cni/networks/net1 | grep -q ^10");
			lab_netns_del("c1");
			call_reset_host();
		}
	lab_sh("ip link del host0");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(bridge_answers_and_does_as_the_reference),
		T(ptp_answers_and_does_as_the_reference),
		T(macvlan_answers_and_does_as_the_reference),
		T(loopback_answers_and_does_as_the_reference),
		T(host_local_answers_as_the_reference),
		T(old_reservations_are_given_back_by_both),
		T(either_suite_ends_what_the_other_began),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
