// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reference as oracle, chained plugins: tuning, bandwidth and sbr on an interface that is there
 * already. What one suite did, the other one checks and takes back.
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
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", NULL };

/* A veth pair as bridge and ptp leave it, by hand. */
#define ATTACHED \
	"ip link add vb0 address 02:00:00:00:01:01 type veth peer name eth0 netns c1 address " \
	"02:00:00:00:01:02 && ip link set vb0 up && ip -n c1 link set eth0 up"
#define GONE "ip link del vb0"

static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("mkdir -p /run/naru");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0) /* of a test that failed */
		lab_netns_del("c1");
	call_reset_host();
	(void)lab_try(GONE);
	return 0;
}

/* ---- tuning */

#define LINK \
	"ip -n c1 -o link show eth0 | sed 's/.*\\(<.*>\\)/\\1/; s/@if[0-9]*//; s/ *alias .*//';" \
	"ip -n c1 -d link show eth0 | grep -o 'promiscuity [0-9]\\|allmulti [0-9]'"

static const struct oracle_scene tuning = {
	.plugin = "tuning",
	.versions = versions,
	.make = ATTACHED,
	.clean = GONE,
	.prev = "'interfaces':[{'name':'vb0','mac':'02:00:00:00:01:01'},{'name':'eth0',"
		"'mac':'02:00:00:00:01:02','sandbox':'/run/netns/c1'}],"
		"'ips':[{'version':'4','interface':1,'address':'10.1.0.2/24'}],"
		"'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.1'}],'dns':{}",
	.look = LINK "; nsenter --net=" LAB_NETNS(
		"c1") " sh -c 'cd /proc/sys/net; grep . ipv4/conf/eth0/arp_filter"
		      " ipv4/conf/all/log_martians core/somaxconn';"
		      "tr -d ' \\n' < /run/cni/tuning/c1_eth0.json |"
		      " sed 's/,*\"sysctl\":{[^}]*}//; s/,*\"network\":\"[^\"]*\"//; s/^{}$//'",
	.left = LINK "; ls /run/cni/tuning 2>/dev/null",
};

static void tuning_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'mtu':1400" },
		{ .keys = "" },
		{ .keys = ",'mac':'02:00:00:00:00:01'" },
		{ .keys = ",'promisc':true" },
		{ .keys = ",'allmulti':true" },
		{ .keys = ",'sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1','net.core.somaxconn':"
			  "'512','net/ipv4/conf/all/log_martians':'1'}",
		  .no_ref_check = "it looks for conf/IFNAME" },
		{ .keys = ",'mac':'02:00:00:00:00:07'", .args = "MAC=02:00:00:00:00:01" },
		{ .keys = ",'runtimeConfig':{'mac':'02:00:00:00:00:01'}",
		  .args = "MAC=02:00:00:00:00:07" },
		{ .keys = ",'args':{'cni':{'mac':'02:00:00:00:00:01','mtu':1300,'promisc':true,"
			  "'allmulti':true}},'runtimeConfig':{'mac':'02:00:00:00:00:07'},"
			  "'mtu':1400" },
		{ .keys = ",'sysctl':{'net.ipv4.conf.IFNAME.nothing':'1'}" },
		{ .keys = ",'sysctl':{'kernel.hostname':'x'}" },
		{ .keys = ",'sysctl':{'net.ipv4/../../kernel/hostname':'x'}" },
		{ .keys = ",'mac':'02:00'" },
		{ .keys = ",'mtu':'1400'" },
		{ .keys = ",'promisc':1" },
		{ .keys = "", .args = "FOO=bar", .ours_takes = "Environment" },
	};

	(void)state;
	oracle_ask(&tuning, q, LEN(q));
}

/* Named differences: CNI_SPEC.md "tuning". */
static void tuning_puts_sysctls_back_unlike_the_reference(void **state)
{
	static const struct oracle_question q = {
		.keys = ",'sysctl':{'net.core.somaxconn':'512'}"
	};
	static const char value[] = "nsenter --net=" LAB_NETNS("c1") " cat "
								     "/proc/sys/net/core/somaxconn";
	const char *suites[] = { lab_bin(), ORACLE_DIR };

	(void)state;
	oracle_needs("tuning");
	for (int i = 0; i < 2; i++) {
		const char *conf = oracle_conf(&tuning, &q, "1.0.0"), *before, *after;
		int status;

		oracle_begin(&tuning);
		before = oracle_look(value);
		(void)oracle_call(&tuning, suites[i], "ADD", conf, NULL, &status);
		assert_int_equal(status, 0);
		assert_string_equal(oracle_look(value), "512");
		(void)oracle_call(&tuning, suites[i], "DEL", conf, NULL, &status);
		assert_int_equal(status, 0);
		after = oracle_look(value);
		assert_string_equal(after, i == 0 ? before : "512");
		oracle_end(&tuning);
	}
}

/* ---- bandwidth */

/* how many packets an interface with a queue of its own would hold: nothing waits there */
#define QUEUES \
	"tc qdisc show | grep -v noqueue; tc class show dev vb0;" \
	"ip -o link show type ifb | sed 's/^[0-9]*: //; s/@.*: /: /; s/ *\\\\.*//; s/ qlen.*//'"

static const struct oracle_scene bandwidth = {
	.plugin = "bandwidth",
	.versions = versions,
	.make = ATTACHED,
	.clean = GONE "; for l in $(ls /sys/class/net); do case $l in bwp*) ip link del $l;; esac; "
		      "done",
	.prev = "'interfaces':[{'name':'vb0','mac':'02:00:00:00:01:01'},{'name':'eth0',"
		"'mac':'02:00:00:00:01:02','sandbox':'/run/netns/c1'}],"
		"'ips':[{'version':'4','interface':1,'address':'10.1.0.2/24'}],'dns':{}",
	.look = QUEUES,
	/* the reference leaves queues to the removal of the link: CNI_SPEC.md "bandwidth" */
	.left = "ls /sys/class/net",
};

static void bandwidth_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = ",'ingressRate':8000000,'ingressBurst':800000,'egressRate':4000000,"
			  "'egressBurst':400000" },
		{ .keys = "", .no_ref_check = "it follows a nil pointer" },
		{ .keys = ",'ingressRate':8000000,'ingressBurst':800000" },
		{ .keys = ",'egressRate':123456789,'egressBurst':1234567" },
		{ .keys = ",'runtimeConfig':{'bandwidth':{'egressRate':4000,'egressBurst':80000}}" },
		{ .keys = ",'ingressRate':8000000,'ingressBurst':800000,'runtimeConfig':{"
			  "'bandwidth':{'egressRate':4000,'egressBurst':80000}}" },
		{ .keys = ",'ingressRate':10000000000,'ingressBurst':1000000000" },
		{ .keys = ",'ingressRate':8000000" },
		{ .keys = ",'egressBurst':8000000" },
		{ .keys = ",'ingressRate':-1,'ingressBurst':1" },
		{ .keys = ",'ingressRate':8000000,'ingressBurst':99999999999" },
		{ .keys = ",'ingressRate':8000,'ingressBurst':8000",
		  .prev = "'interfaces':[],'ips':[],'dns':{}" },
		{ .keys = ",'ingressRate':8000,'ingressBurst':8000",
		  .prev = "'interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],'dns':{}" },
	};

	(void)state;
	if (lab_try("ip link add ifbtest type ifb && ip link del ifbtest"))
		lab_skip("this kernel has no ifb");
	oracle_ask(&bandwidth, q, LEN(q));
}

/* ---- sbr */

#define SBR_V4 "{'version':'4','interface':0,'address':'10.1.0.2/24','gateway':'10.1.0.1'}"
#define SBR_V6 "{'version':'6','interface':0,'address':'fd00:1::2/64','gateway':'fd00:1::1'}"
#define SBR_PREV(ips) \
	"'interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[" ips "],'dns':{}"
#define RULES "ip -n c1 rule; ip -n c1 -6 rule"

static const struct oracle_scene sbr = {
	.plugin = "sbr",
	.versions = versions,
	.make = ATTACHED
	" && ip link add vb1 type veth peer name net0 netns c1 && ip link set vb1 up && "
	"ip -n c1 link set lo up && ip -n c1 link set net0 up && "
	"ip -n c1 addr add 10.0.0.2/24 dev net0 && ip -n c1 addr add 10.1.0.2/24 dev eth0 &&"
	"ip -n c1 addr add fd00:1::2/64 dev eth0 nodad && "
	"ip -n c1 route add default via 10.0.0.1 && "
	"ip -n c1 route add 192.0.2.0/24 via 10.1.0.1 dev eth0 && "
	"ip -n c1 route add 198.18.0.0/15 dev eth0 && "
	"ip -n c1 -6 route add 2001:db8::/32 via fd00:1::1",
	.clean = GONE "; ip link del vb1",
	.prev = SBR_PREV(SBR_V4),
	/*
	 * The main table is ours to leave alone where it is link-local or of a family without
	 * address; the reference puts routes of one family beside those of the other.
	 */
	.look = RULES "; for f in 4 6; do for t in $(ip -n c1 -$f rule |"
		      " sed -n 's/.*from [1-9f].* lookup //p'); do echo -$f $t;"
		      " ip -n c1 -$f route show table $t | grep -v fe80 | sed 's/ pref .*//'; done;"
		      " done; ip -n c1 -4 route | grep net0;"
		      " ip -n c1 rule | grep -q 'from 10' && ip -n c1 -4 route | grep eth0",
	.left = RULES,
};

static void sbr_answers_and_does_as_the_reference(void **state)
{
	static const struct oracle_question q[] = {
		{ .keys = "" },
		{ .keys = "", .prev = SBR_PREV(SBR_V6) },
		{ .keys = "", .prev = SBR_PREV(SBR_V4 "," SBR_V6) },
		{ .keys = "", .prev = SBR_PREV(SBR_V6 "," SBR_V4) },
		{ .keys = "",
		  .prev = SBR_PREV("{'version':'4','interface':0,'address':'10.1.0.2/24'}") },
		{ .keys = "", .prev = SBR_PREV("") },
	};

	(void)state;
	oracle_ask(&sbr, q, LEN(q));
}

/* Named differences: CNI_SPEC.md "sbr". */
static void sbr_leaves_the_family_without_address_in_main_unlike_the_reference(void **state)
{
	static const char main6[] = "ip -n c1 -6 route show table main | grep -o '^2001:db8::/32.*"
				    "dev eth0\\|^fe80::/64 dev eth0'";
	static const struct oracle_question q = { .keys = "" };
	const char *conf = oracle_conf(&sbr, &q, "1.0.0");
	int status;

	(void)state;
	oracle_needs("sbr");
	oracle_begin(&sbr);
	(void)oracle_call(&sbr, ORACLE_DIR, "ADD", conf, NULL, &status);
	assert_int_equal(status, 0);
	assert_string_equal(oracle_look(main6), "");
	oracle_end(&sbr);
	oracle_begin(&sbr);
	const char *before = oracle_look(main6);
	(void)oracle_call(&sbr, lab_bin(), "ADD", conf, NULL, &status);
	assert_int_equal(status, 0);
	assert_non_null(strchr(before, '\n'));
	assert_string_equal(oracle_look(main6), before);
	oracle_end(&sbr);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(tuning_answers_and_does_as_the_reference),
		T(tuning_puts_sysctls_back_unlike_the_reference),
		T(bandwidth_answers_and_does_as_the_reference),
		T(sbr_answers_and_does_as_the_reference),
		T(sbr_leaves_the_family_without_address_in_main_unlike_the_reference),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
