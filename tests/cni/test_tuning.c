// SPDX-License-Identifier: GPL-2.0-or-later
/* tuning from outside: what it sets, what DEL puts back, what it refuses. */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_ALL | SNAPSHOT_MAC)
#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni/tuning"
#define BACKUP "/run/cni/tuning/c1_eth0.json"
#define ALLOWLIST "/etc/cni/tuning/allowlist.conf"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_sh("ip link add eth0 netns c1 address 02:00:00:00:00:01 type veth peer vb0");
	lab_sh("mkdir -p /run/cni/tuning");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab_try("test -e /run/netns/c1") == 0)
		lab_netns_del("c1");
	lab_sh("rm -rf " ALLOWLIST);
	call_reset_host();
	return 0;
}

/* A layer over /etc, so that there can be an allowlist. */
static int group_setup(void **state)
{
	(void)lab_setup(state);
	lab_sh("mkdir /run/up /run/work && mount -t tmpfs none /run/up && mkdir /run/up/up /run/up/work"
	       " && mount -t overlay overlay"
	       " -o lowerdir=/etc,upperdir=/run/up/up,workdir=/run/up/work /etc"
	       " && mkdir -p /etc/cni/tuning");
	return 0;
}

static const char *conf_of(const char *version, const char *keys)
{
	return jsonf(
		"{'cniVersion':'%s','name':'net1','type':'tuning',%s'prevResult':{'cniVersion':"
		"'%s','interfaces':[{'name':'vb0','mac':'02:00:00:00:00:02'},{'name':'eth0','mac':"
		"'02:00:00:00:00:01','mtu':1500,'sandbox':'/run/netns/c1'}],"
		"'ips':[{'address':'10.1.0.2/24','interface':1}]}}",
		version, keys, version);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", keys);
}

static const char *with_prev(const char *c, const char *result)
{
	return text_keep(json_with(c, "prevResult", result));
}

static void assert_out(char *got, const char *expected)
{
	assert_string_equal(got, expected);
	free(got);
}

#define LINK(words) "ip -d link show eth0 | grep -q '" words "'"
#define READS(name, value) "test \"$(cat /proc/sys/net/" name " | tr '\\t' ' ')\" = '" value "'"

static const struct {
	const char *keys, *args, *made;
} keys[] = {
	{ "'mtu':1400,", "", LINK("mtu 1400") },
	{ "'txQLen':77,", "", LINK("qlen 77") },
	{ "'promisc':true,", "", LINK("PROMISC") },
	{ "'allmulti':true,", "", LINK("ALLMULTI") },
	{ "'allmulti':false,", "", "! " LINK("ALLMULTI") },
	{ "'mac':'02:00:00:00:00:11',", "", LINK("02:00:00:00:00:11") },
	{ "'mac':'02:00:00:00:00:11',", "IgnoreUnknown=1;MAC=02:00:00:00:00:12",
	  LINK("02:00:00:00:00:12") },
	{ "'mac':'02:00:00:00:00:11','runtimeConfig':{'mac':'02:00:00:00:00:13'},",
	  "MAC=02:00:00:00:00:12", LINK("02:00:00:00:00:13") },
	{ "'runtimeConfig':{'mac':'02:00:00:00:00:13'},'args':{'cni':{'mac':'02:00:00:00:00:14'}},",
	  "MAC=02:00:00:00:00:12", LINK("02:00:00:00:00:14") },
	{ "'mtu':1400,'args':{'cni':{'mtu':1300}},", "", LINK("mtu 1300") },
	{ "'txQLen':7,'args':{'cni':{'txQLen':8}},", "", LINK("qlen 8") },
	{ "'promisc':true,'args':{'cni':{'promisc':false}},", "", "! " LINK("PROMISC") },
	{ "'args':{'cni':{'promisc':true}},", "", LINK("PROMISC") },
	{ "'args':{'cni':{'allmulti':true}},", "", LINK("ALLMULTI") },
	{ "'sysctl':{'net.ipv4.conf.all.log_martians':'1'},", "",
	  READS("ipv4/conf/all/log_martians", "1") },
	{ "'sysctl':{'net/ipv4/tcp_rmem':'4096 8192 16384'},", "",
	  READS("ipv4/tcp_rmem", "4096 8192 16384") },
	{ "'sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1'},", "",
	  READS("ipv4/conf/eth0/arp_filter", "1") },
	/* the reference dies of this one: a nil map */
	{ "'args':{'cni':{'sysctl':{'net.ipv4.conf.eth0.arp_ignore':'2'}}},", "",
	  READS("ipv4/conf/eth0/arp_ignore", "2") },
	{ "'sysctl':{'net.ipv4.conf.eth0.arp_ignore':'1'},'args':{'cni':{'sysctl':"
	  "{'net/ipv4/conf/IFNAME/arp_ignore':'2'}}},",
	  "", READS("ipv4/conf/eth0/arp_ignore", "2") },
	{ "'sysctl':{'net.ipv4.route.flush':'1'},", "", "true" }, /* can only be written */
};

static void every_key_does_what_the_reference_documents_and_del_puts_it_back(void **state)
{
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++) {
		const char *c = conf(keys[i].keys), *result;

		result = ok("tuning", "ADD", c, .args = keys[i].args);
		if (lab_try_in("c1", "%s", keys[i].made))
			lab_fail("not so, with %s: %s", keys[i].keys, keys[i].made);
		ok("tuning", "CHECK", with_prev(c, result), .args = keys[i].args);
		ok("tuning", "DEL", with_prev(c, result));
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
}

static void sysctls_are_set_in_the_order_they_stand_in(void **state)
{
	(void)state;
	/* "all" changes the interface's too, so the last word decides */
	for (int i = 0; i < 3; i++) {
		ok("tuning", "ADD",
		   conf("'sysctl':{'net.ipv6.conf.eth0.forwarding':'0',"
			"'net.ipv6.conf.all.forwarding':'1','net.ipv6.conf.IFNAME.mtu':'1300',"
			"'net.ipv6.conf.lo.forwarding':'0'},"));
		lab_sh_in("c1", READS("ipv6/conf/eth0/forwarding", "1"));
		lab_sh_in("c1", READS("ipv6/conf/lo/forwarding", "0"));
		ok("tuning", "DEL", conf(""));
		lab_sh_in("c1", READS("ipv6/conf/eth0/forwarding", "0"));
	}
}

static void an_interface_with_a_dot_in_its_name_is_found(void **state)
{
	(void)state;
	lab_sh_in("c1", "ip link set eth0 name eth0.5");
	ok("tuning", "ADD", conf("'sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1'},'mtu':1400,"),
	   .ifname = "eth0.5");
	lab_sh_in("c1", READS("ipv4/conf/eth0.5/arp_filter", "1"));
	ok("tuning", "DEL", conf(""), .ifname = "eth0.5");
	lab_sh_in("c1", READS("ipv4/conf/eth0.5/arp_filter", "0"));
}

static void the_result_tells_what_changed_and_nothing_else(void **state)
{
	(void)state;
	const char *plain = ok("tuning", "ADD", conf("'promisc':true,"));
	const char *tuned = ok("tuning", "ADD", conf("'mac':'02:00:00:00:00:11','mtu':1400,"));

	assert_string_equal(at(plain, "/interfaces/1/mac"), "02:00:00:00:00:01");
	assert_string_equal(at(tuned, "/interfaces/0/mac"), "02:00:00:00:00:02");
	assert_string_equal(at(tuned, "/interfaces/1/mac"), "02:00:00:00:00:11");
	assert_string_equal(at(tuned, "/interfaces/1/mtu"), "1400");
	assert_string_equal(at(tuned, "/ips/0/address"), "10.1.0.2/24");
}

/* ---- the backup */

static void the_backup_is_the_references_file(void **state)
{
	(void)state;
	ok("tuning", "ADD",
	   conf("'mac':'02:00:00:00:00:11','mtu':1400,'promisc':true,'allmulti':false,'txQLen':5,"));
	assert_out(lab_out("cat " BACKUP),
		   jsonf("{\n 'mac': '02:00:00:00:00:01',\n 'promisc': false,\n 'mtu': 1500,\n"
			 " 'allmulti': false,\n 'txQLen': 1000,\n 'sysctl': {},\n"
			 " 'network': 'net1'\n}"));
	assert_out(lab_out("stat -c %%a " BACKUP), "600");
	ok("tuning", "DEL", conf(""));
	lab_sh("test ! -e " BACKUP);
	ok("tuning", "ADD", conf("'dataDir':'/run/elsewhere/deep','mtu':1400,"));
	lab_sh("test -s /run/elsewhere/deep/c1_eth0.json && test ! -e " BACKUP);
	ok("tuning", "DEL", conf("'dataDir':'/run/elsewhere/deep',"));
	lab_sh("rmdir /run/elsewhere/deep /run/elsewhere");
	/* what asks for nothing leaves no file */
	ok("tuning", "ADD", conf("'mtu':0,'promisc':false,'mac':'','sysctl':{},"));
	lab_sh("test ! -e " BACKUP);
}

static void either_suite_puts_back_what_the_other_tuned(void **state)
{
	static const char *const suites[][2] = { { REFERENCE, "tuning" }, { "tuning", REFERENCE } };
	const char *c = conf_of("1.0.0", "'mac':'02:00:00:00:00:11','mtu':1400,'promisc':true,"
					 "'allmulti':true,");

	(void)state;
	if (lab_try("test -x " REFERENCE))
		lab_skip("the reference plugins are not installed");
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(suites); i++) {
		ok(suites[i][0], "ADD", c);
		lab_sh_in("c1", LINK("PROMISC.*mtu 1400") " && " LINK("02:00:00:00:00:11"));
		ok(suites[i][1], "DEL", c);
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
}

static void every_way_to_delete_leaves_nothing(void **state)
{
	static const struct {
		const char *what, *before, *netns, *keys;
	} ways[] = {
		{ "twice", "true", "c1", "" },
		{ "before ADD", "rm " BACKUP, "c1", "" },
		{ "without a namespace", "true", "", "" },
		{ "a vanished namespace", "true", "gone", "" },
		{ "a torn backup", "echo '{\"mtu\": 15' > " BACKUP, "c1", "" },
		{ "an empty backup", ": > " BACKUP, "c1", "" },
		{ "the link is gone", "ip -n c1 link del eth0", "c1", "" },
		{ "a key that ADD would refuse", "true", "c1", "'sysctl':{'kernel.x':'1'}," },
		{ "a MAC that ADD would refuse", "true", "c1", "'mac':'nonsense'," },
	};

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		ok("tuning", "ADD", conf("'mtu':1400,'sysctl':{'net.ipv4.ip_forward':'1'},"));
		lab_sh("%s", ways[i].before);
		for (int twice = 0; twice < 2; twice++)
			ok("tuning", "DEL", conf(ways[i].keys), .netns = ways[i].netns);
		lab_sh("test ! -e " BACKUP);
		lab_netns_del("c1");
		(void)setup(state);
	}
}

/* A path of a namespace that was recycled: what bears the name there is somebody else's. */
static void del_leaves_an_interface_that_is_another_ones(void **state)
{
	(void)state;
	const char *result = ok("tuning", "ADD", conf("'mtu':1400,"));

	lab_sh("ip -n c1 link del eth0;"
	       "ip link add eth0 netns c1 address 02:00:00:00:00:77 mtu 1234 type veth peer vb0");
	ok("tuning", "DEL", with_prev(conf(""), result));
	lab_sh_in("c1", LINK("mtu 1234"));
	lab_sh("test ! -e " BACKUP);
}

static void gc_removes_stale_backups_of_this_network_only(void **state)
{
	(void)state;
	ok("tuning", "ADD", conf("'mtu':1400,"));
	lab_sh("cd /run/cni/tuning && cp c1_eth0.json lost_eth0.json &&"
	       " sed s/net1/net2/ c1_eth0.json > other_eth0.json && echo '{\"mtu\":5}' > go_eth0.json");
	ok("tuning", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net1','type':'tuning',"
		 "'cni.dev/valid-attachments':[{'containerID':'c1','ifname':'eth0'}]}"));
	assert_out(lab_out("ls /run/cni/tuning"), "c1_eth0.json\ngo_eth0.json\nother_eth0.json");
	ok("tuning", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net1','type':'tuning',"
		 "'cni.dev/valid-attachments':[]}"));
	assert_out(lab_out("ls /run/cni/tuning"), "go_eth0.json\nother_eth0.json");
	lab_sh("rm -rf /run/cni");
	ok("tuning", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'net1','cni.dev/valid-attachments':[]}"));
}

/* ---- refusals */

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		int code;
		const char *words, *keys, *args;
	} t[] = {
		{ 7, "/sysctl: invalid net sysctl key: \\\"kernel.shmmax\\\"",
		  "'sysctl':{'kernel.shmmax':'1'},", NULL },
		{ 7, "invalid net sysctl key", "'sysctl':{'../kernel/shmmax':'1'},", NULL },
		{ 7, "invalid net sysctl key", "'sysctl':{'net':'1'},", NULL },
		{ 7, "invalid net sysctl key", "'sysctl':{'net.':'1'},", NULL },
		{ 999, "read sysctl net/kernel/shmmax: No such file or directory",
		  "'sysctl':{'net/../kernel/shmmax':'1'},", NULL },
		{ 999, "read sysctl net/ipv4/no_such: No such file",
		  "'sysctl':{'net.ipv4.no_such':'1'},", NULL },
		{ 999, "write \\\"x\\\" to sysctl net/ipv4/ip_forward: Invalid argument",
		  "'sysctl':{'net.ipv4.conf.eth0.arp_filter':'1','net.ipv4.ip_forward':'x'},",
		  NULL },
		{ 7, "/sysctl: net.ipv4.ip_forward: expected string, got integer 1",
		  "'sysctl':{'net.ipv4.ip_forward':1},", NULL },
		{ 7, "/sysctl: expected object", "'sysctl':['net.ipv4.ip_forward'],", NULL },
		{ 7,
		  "duplicated sysctl keys are not allowed: \\\"net.ipv4.ip_forward\\\" stands twice",
		  "'sysctl':{'net.ipv4.ip_forward':'1','net.ipv4.ip_forward':'0'},", NULL },
		{ 7,
		  "duplicated sysctl keys are not allowed: \\\"net/ipv4/ip_forward\\\" stands twice",
		  "'sysctl':{'net.ipv4.ip_forward':'1','net/ipv4/ip_forward':'0'},", NULL },
		{ 7, "invalid args 02:00 for MAC addr", "'mac':'02:00',", NULL },
		{ 7, "invalid args zz for MAC addr", "", "MAC=zz" },
		{ 7, "/mtu: expected integer 0..65536, got -1", "'mtu':-1,", NULL },
		{ 7, "/args/cni/mtu: expected integer", "'args':{'cni':{'mtu':'9'}},", NULL },
		{ 999, "/mtu: eth0 in the container does not take it", "'promisc':true,'mtu':10,",
		  NULL },
		{ 999, "/mac: eth0 in the container does not take it",
		  "'mtu':1400,'mac':'01:00:00:00:00:01',", NULL },
		{ 7, "/dataDir: expected an absolute path", "'dataDir':'x','mtu':1400,", NULL },
	};
	char *before = snapshot_take(SNAP, "c1");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		fails(t[i].code, t[i].words, "tuning", "ADD", conf(t[i].keys), .args = t[i].args);
		assert_untouched(before, SNAP, "c1");
	}
	free(before);
	fails(999, "no interface gone in the container namespace", "tuning", "ADD",
	      conf("'mtu':1400,"), .ifname = "gone");
	fails(4, "", "tuning", "ADD", conf("'mtu':1400,"), .ifname = "a/b");
}

static void the_allowlist_decides_which_sysctls_may_be_set(void **state)
{
	static const struct {
		const char *list, *key;
		bool allowed;
	} t[] = {
		{ "^net.ipv4.ip_forward$", "net.ipv4.ip_forward", true },
		{ "  ^net.ipv4.ip_forward$\\t\\n\\n", "net.ipv4.ip_forward", true },
		{ "ip_forward", "net.ipv4.ip_forward", true }, /* not anchored */
		{ "^net.ipv6\\n^net\\\\.ipv4\\\\.(ip|tcp)_", "net.ipv4.ip_forward", true },
		{ "^net.ipv4.conf.IFNAME.arp_\\\\w+$", "net.ipv4.conf.IFNAME.arp_filter", true },
		{ "ipv\\\\d.(?:ip)_forward", "net.ipv4.ip_forward", true },
		{ "^net.ipv6", "net.ipv4.ip_forward", false },
		{ "ip_forward$", "net.ipv4.ip_forward_use_pmtu", false },
		{ "ipvd", "net.ipv4.ip_forward", false },
		{ "", "net.ipv4.ip_forward", false }, /* an empty list allows nothing */
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = conf(textf("\"sysctl\":{\"%s\":\"1\"},", t[i].key));

		lab_sh("printf '%s' > " ALLOWLIST, text_replaced(t[i].list, "%", "%%"));
		if (t[i].allowed)
			ok("tuning", "ADD", c);
		else
			fails(7,
			      textf("Sysctl %s is not allowed. Only the following sysctls are allowed",
				    t[i].key),
			      "tuning", "ADD", c);
		ok("tuning", "STATUS", c);
		ok("tuning", "DEL", c);
		ok("tuning", "ADD", conf("'mtu':1400,")); /* is no sysctl */
		ok("tuning", "DEL", c);
	}
}

static void an_allowlist_that_cannot_be_understood_is_refused(void **state)
{
	static const char *const lists[] = { "(",	"x\\n[b", "\\\\p{Greek}",
					     "(?i)net", "a*?",	  "[\\\\D]" };
	const char *c = conf("'sysctl':{'net.ipv4.ip_forward':'1'},");

	(void)state;
	for (size_t i = 0; i < LEN(lists); i++) {
		lab_sh("printf '%s' > " ALLOWLIST, lists[i]);
		fails(7, "is no regular expression that is understood here", "tuning", "ADD", c);
		fails(50, "is no regular expression", "tuning", "STATUS", c);
	}
}

/* ---- CHECK */

static void check_is_quiet_on_what_add_made_and_notices_tampering(void **state)
{
	static const struct {
		const char *tamper, *words;
	} t[] = {
		{ "ip link set eth0 mtu 1300",
		  "Tuning configured MTU of eth0 is 1400, current value is "
		  "1300" },
		{ "ip link set eth0 address 02:00:00:00:00:99",
		  "Tuning configured Ethernet of eth0 is 02:00:00:00:00:11, current value is "
		  "02:00:00:00:00:99" },
		{ "ip link set eth0 promisc on",
		  "promiscuous mode of eth0 is 0, current value is 1" },
		{ "ip link set eth0 allmulticast off", "all-multicast mode" },
		{ "ip link set eth0 txqueuelen 3", "transmit queue length of eth0 is 9" },
		{ "echo 4096 1 2 > /proc/sys/net/ipv4/tcp_rmem",
		  "Tuning configured value of net/ipv4/tcp_rmem is 4096 8192 16384" },
		{ "echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_filter",
		  "net/ipv4/conf/eth0/arp_filter" },
		{ "ip link set eth0 name eth7", "sysctl" },
	};
	const char *c = conf("'mtu':1400,'mac':'02:00:00:00:00:11','allmulti':true,'txQLen':9,"
			     "'sysctl':{'net.ipv4.tcp_rmem':'4096 8192 16384',"
			     "'net.ipv4.conf.IFNAME.arp_filter':'1'},");

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *checked = with_prev(c, ok("tuning", "ADD", c));

		ok("tuning", "CHECK", checked);
		lab_sh_in("c1", "%s", t[i].tamper);
		fails(i == LEN(t) - 1 ? 999 : 102, t[i].words, "tuning", "CHECK", checked);
		ok("tuning", "DEL", c);
		lab_netns_del("c1");
		(void)setup(state);
	}
	fails(102, "Cannot find container link eth9", "tuning", "CHECK", conf("'mtu':5,"),
	      .ifname = "eth9");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_key_does_what_the_reference_documents_and_del_puts_it_back),
		T(sysctls_are_set_in_the_order_they_stand_in),
		T(an_interface_with_a_dot_in_its_name_is_found),
		T(the_result_tells_what_changed_and_nothing_else),
		T(the_backup_is_the_references_file),
		T(either_suite_puts_back_what_the_other_tuned),
		T(every_way_to_delete_leaves_nothing),
		T(del_leaves_an_interface_that_is_another_ones),
		T(gc_removes_stale_backups_of_this_network_only),
		T(what_cannot_be_is_refused_and_leaves_nothing),
		T(the_allowlist_decides_which_sysctls_may_be_set),
		T(an_allowlist_that_cannot_be_understood_is_refused),
		T(check_is_quiet_on_what_add_made_and_notices_tampering),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
