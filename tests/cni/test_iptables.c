// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The iptables backend from outside: rules that the reference would have made, to the letter;
 * containers of either suite looked after by the other; bytes through the ports.
 */
#include "tests/lib/box.h"
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni"
#define OURS ""
#define IPTABLES ",'backend':'iptables'"
#define PREV4 "{'interface':0,'address':'10.1.0.2/16'}"
#define PREV6 "{'interface':0,'address':'fd00:1::2/64'}"
#define WEB "{'hostPort':8080,'containerPort':80,'protocol':'tcp'}"

static void legacy_clear(void)
{
	lab_sh("for p in iptables-legacy ip6tables-legacy; do $p -t nat -F; $p -t nat -X; done");
}

static int group_setup(void **state)
{
	(void)lab_setup(state);
	if (lab_try("iptables-legacy -t nat -L -n && ip6tables-legacy -t nat -L -n"))
		lab_skip("this kernel has no legacy iptables (ip_tables, ip6_tables)");
	/* the reference calls "iptables": the legacy program, whatever the host's is */
	lab_sh("mount --bind $(readlink -f /usr/sbin/iptables-legacy) "
	       "$(readlink -f /usr/sbin/iptables-nft)");
	lab_sh("echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
	lab_outside();
	return 0;
}

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
	lab_netns_del("c1");
	lab_netns_del("c2");
	call_reset_host();
	legacy_clear();
	return 0;
}

static const char *saved(void)
{
	return text_keep(lab_out("(iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | "
				 "grep -v '^#' | sed 's/ \\[.*//'"));
}

static bool has_reference(void)
{
	return lab_try("test -x " REFERENCE "/portmap -a -x " REFERENCE "/bridge") == 0;
}

#define SEARCH "PATH=/usr/sbin:/usr/bin:/sbin:/bin" /* where the reference finds its iptables */
static const char *const legacy_env[] = { "NARU_FW_BACKEND=iptables", SEARCH, NULL };
static const char *const nft_env[] = { "NARU_FW_BACKEND=nftables", NULL };
#define ENV(e) ((char *const *)(uintptr_t)(e))

/* As it stands in a JSON document. */
static const char *escaped(const char *text)
{
	return text_replaced(text, "\"", "\\\"");
}

/* One suite's plugin; the other one's IPAM plugin is the same. */
static const char *plugin(const char *suite, const char *name)
{
	return *suite ? textf("%s/%s", suite, name) : name;
}

static const char *portmap_conf(const char *net, const char *keys, const char *maps,
				const char *ips)
{
	return jsonf("{'cniVersion':'1.0.0','name':'%s','type':'portmap'%s,"
		     "'runtimeConfig':{'portMappings':[%s]},'prevResult':{'cniVersion':'1.0.0',"
		     "'interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],'ips':[%s]}}",
		     net, keys, maps, ips);
}

/* ---- the reference's rules */

static const char *many_ports(void)
{
	const char *all = WEB;

	for (int i = 0; i < 36; i++) /* enough in a row to be one element of nftables */
		all = textf("%s,{'hostPort':%d,'containerPort':%d,'protocol':'tcp'}", all, 9036 - i,
			    9036 - i);
	return all;
}

static void the_rules_are_those_of_the_reference(void **state)
{
	static const char mixed[] =
		WEB ",{'hostPort':53,'containerPort':53,'protocol':'udp'},"
		    "{'hostPort':9,'containerPort':99,'protocol':'sctp','hostIP':'0.0.0.0'},"
		    "{'hostPort':7000,'containerPort':80,'protocol':'tcp','hostIP':'127.0.0.1'},"
		    "{'hostPort':7001,'containerPort':80,'protocol':'tcp','hostIP':'::1'}";
	/* ip6tables -C of this release takes any port for any other: one for each protocol */
	static const char one[] = WEB ",{'hostPort':53,'containerPort':53,'protocol':'udp'}";
	const struct {
		const char *keys, *maps, *ips;
	} t[] = {
		{ "", mixed, PREV4 },
		{ "", many_ports(), PREV4 },
		{ ",'snat':false", mixed, PREV4 },
		{ ",'markMasqBit':5", mixed, PREV4 },
		{ ",'externalSetMarkChain':'MINE'", mixed, PREV4 },
		{ ",'conditionsV4':['-i','eth1','!','-s','192.0.2.0/24','-m','mark','--mark','1']",
		  mixed, PREV4 },
		{ "", one, PREV6 },
		{ ",'conditionsV6':['-d','2001:db8::/32'],'snat':false", one, PREV6 },
		{ "", one, PREV4 "," PREV6 },
	};

	(void)state;
	if (!has_reference())
		lab_skip("the reference plugins are not installed");
	for (size_t i = 0; i < LEN(t); i++) {
		const char *conf = portmap_conf("net1", t[i].keys, t[i].maps, t[i].ips);

		legacy_clear();
		lab_sh("iptables-legacy -t nat -N MINE; ip6tables-legacy -t nat -N MINE");
		ok(REFERENCE "/portmap", "ADD", conf, .env = ENV(legacy_env));
		const char *theirs = saved();
		ok(REFERENCE "/portmap", "DEL", conf, .env = ENV(legacy_env));
		const char *furniture = saved();
		ok("portmap", "ADD", conf, .env = ENV(legacy_env));
		assert_string_equal(saved(), theirs);
		ok("portmap", "ADD", conf, .env = ENV(legacy_env));
		assert_string_equal(saved(), theirs);
		ok("portmap", "CHECK", conf, .env = ENV(legacy_env));
		ok("portmap", "DEL", conf, .env = ENV(legacy_env));
		assert_string_equal(saved(), furniture);
	}
}

static void comments_that_are_too_long_are_cut_as_the_reference_cuts_them(void **state)
{
	char net[201] = "", cid[101] = "";

	(void)state;
	if (!has_reference())
		lab_skip("the reference plugins are not installed");
	memset(net, 'n', sizeof net - 1);
	memset(cid, 'c', sizeof cid - 1);
	const char *conf = portmap_conf(net, "", WEB, PREV4);
	ok(REFERENCE "/portmap", "ADD", conf, .cid = cid, .env = ENV(legacy_env));
	const char *theirs = saved();
	ok("portmap", "DEL", conf, .cid = cid);
	ok("portmap", "ADD", conf, .cid = cid, .env = ENV(legacy_env));
	assert_string_equal(saved(), theirs);
	/* and GC knows them by the cut name */
	ok("portmap", "GC",
	   jsonf("{'cniVersion':'1.1.0','name':'%s','type':'portmap',"
		 "'cni.dev/valid-attachments':[]}",
		 net));
	lab_sh("! iptables-legacy-save -t nat | grep CNI-DN");
}

/* ---- containers of one suite, the other one's verbs */

static const char *bridge_conf(void)
{
	return jsonf("{'cniVersion':'1.0.0','name':'labnet','type':'bridge','bridge':'br0',"
		     "'isGateway':true,'ipMasq':true,'ipam':{'type':'host-local','ranges':"
		     "[[{'subnet':'10.1.0.0/16'}],[{'subnet':'fd00:1::/64'}]]}}");
}

/* bridge with ipMasq, then portmap; returns what portmap's next call gets */
static const char *attach(const char *suite, const char *cid)
{
	const char *res = ok(plugin(suite, "bridge"), "ADD", bridge_conf(), .cid = cid,
			     .netns = cid, .path = *suite ? suite : NULL, .env = ENV(legacy_env));
	const char *conf =
		jsonf("{'cniVersion':'1.0.0','name':'labnet','type':'portmap','runtimeConfig':"
		      "{'portMappings':[{'hostPort':%d,'containerPort':80,'protocol':'tcp'}]},"
		      "'prevResult':%s}",
		      cid[1] == '1' ? 8081 : 8082, res);

	ok(plugin(suite, "portmap"), "ADD", conf, .cid = cid, .netns = cid, .env = ENV(legacy_env));
	return conf;
}

static const char *bridge_prev(const char *portmap)
{
	return jsonf("%.*s,'prevResult':%s}", (int)strlen(bridge_conf()) - 1, bridge_conf(),
		     at(portmap, "/prevResult"));
}

static void nothing_of(const char *cid)
{
	lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep -w %s", cid);
}

/* however the container goes, and whatever today's backend is */
static void what_the_reference_made_is_checked_and_removed(void **state)
{
	static const char *const netns[] = { "c1", "" };

	(void)state;
	if (!has_reference())
		lab_skip("the reference plugins are not installed");
	for (size_t i = 0; i < LEN(netns); i++) {
		const char *conf = attach(REFERENCE, "c1"), *other = attach(REFERENCE, "c2");
		const char *before = saved();

		ok("portmap", "CHECK", conf, .env = ENV(nft_env));
		ok("masquerade", "CHECK",
		   text_replaced(bridge_prev(conf), "\"bridge\",", "\"masquerade\","),
		   .env = ENV(nft_env));
		assert_string_equal(saved(), before);
		ok("portmap", "DEL", conf, .netns = netns[i], .env = ENV(nft_env));
		ok("bridge", "DEL", i ? bridge_conf() : bridge_prev(conf), .netns = netns[i],
		   .env = ENV(nft_env));
		nothing_of("cont1");
		lab_sh("! iptables-legacy-save -t nat | grep '\"c1\\\\\"'");
		lab_sh("! ip6tables-legacy-save -t nat | grep '\"c1\\\\\"'");
		ok("portmap", "CHECK", other, .cid = "c2", .netns = "c2", .env = ENV(nft_env));
		ok("portmap", "DEL", other, .cid = "c2", .netns = "c2");
		ok("bridge", "DEL", bridge_conf(), .cid = "c2", .netns = "c2");
		lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep "
		       "'CNI-[0-9D]'");
		lab_netns_del("c1");
		lab_netns_new("c1");
	}
}

static void what_we_made_the_reference_removes(void **state)
{
	(void)state;
	if (!has_reference())
		lab_skip("the reference plugins are not installed");
	const char *conf = attach(OURS, "c1");
	ok(REFERENCE "/portmap", "DEL", conf, .env = ENV(legacy_env));
	ok(REFERENCE "/bridge", "DEL", bridge_prev(conf), .path = REFERENCE,
	   .env = ENV(legacy_env));
	lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep "
	       "'CNI-[0-9D][^-]*-[0-9]'");
	lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep '\"c1'");
}

static void gc_collects_by_network_and_container(void **state)
{
	const char *suite = has_reference() ? REFERENCE : OURS;
	static const char gc[] = "{'cniVersion':'1.1.0','name':'%s','type':'%s','ipam':{'type':"
				 "'host-local','ranges':[[{'subnet':'10.1.0.0/16'}]]},"
				 "'cni.dev/valid-attachments':[%s]}";
	static const char valid[] = "{'containerID':'c2','ifname':'eth0'}";

	(void)state;
	(void)attach(suite, "c1");
	const char *other = attach(OURS, "c2"), *before = saved();
	/* another network's GC collects nothing here */
	ok("portmap", "GC", jsonf(gc, "labnet2", "portmap", ""), .env = ENV(nft_env));
	assert_string_equal(saved(), before);
	ok("portmap", "GC", jsonf(gc, "labnet", "portmap", valid), .env = ENV(nft_env));
	ok("bridge", "GC", jsonf(gc, "labnet", "bridge", valid), .env = ENV(nft_env));
	lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep '\"c1'");
	ok("portmap", "CHECK", other, .cid = "c2", .netns = "c2");
	ok("bridge", "GC", jsonf(gc, "labnet", "bridge", ""));
	ok("portmap", "GC", jsonf(gc, "labnet", "portmap", ""));
	lab_sh("! (iptables-legacy-save -t nat; ip6tables-legacy-save -t nat) | grep '\"c2'");
}

static void check_names_the_rule_that_is_missing(void **state)
{
	const char *conf = portmap_conf("net1", IPTABLES, WEB, PREV4);

	(void)state;
	ok("portmap", "ADD", conf);
	lab_sh("iptables-legacy -t nat -F CNI-HOSTPORT-SETMARK");
	fails(102,
	      escaped("iptables: table nat lacks 1 of the rules, the first is \"-A "
		      "CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j "
		      "MARK --set-xmark 0x2000/0x2000\"; attach the container anew or restart it to "
		      "bring them back"),
	      "portmap", "CHECK", conf);
	ok("portmap", "ADD", conf);
	ok("portmap", "CHECK", conf);
}

/* ---- ports that are taken */

static void a_taken_port_is_refused_by_its_owners_name(void **state)
{
	static const struct {
		const char *maps, *text;
	} t[] = {
		{ WEB, "host port 8080/tcp is taken by container c1 of network net1" },
		{ "{'hostPort':1,'containerPort':1,'protocol':'udp'}," WEB,
		  "host port 8080/tcp is taken by container c1 of network net1" },
		{ "{'hostPort':8080,'containerPort':1,'protocol':'tcp','hostIP':'192.0.2.1'}",
		  "host port 192.0.2.1:8080/tcp is taken by container c1 of network net1, which has "
		  "8080/tcp" },
		{ "{'hostPort':8070,'containerPort':8070,'range':20}",
		  "host port 8070-8089/tcp is taken by container c1 of network net1, which has "
		  "8080/tcp" },
	};
	static const char *const suites[] = { OURS, REFERENCE };

	(void)state;
	for (size_t s = 0; s < LEN(suites) && (s == 0 || has_reference()); s++) {
		const char *first = portmap_conf("net1", "", WEB, PREV4 "," PREV6);

		ok(plugin(suites[s], "portmap"), "ADD", first, .env = ENV(legacy_env));
		const char *before = saved();
		for (size_t i = 0; i < LEN(t); i++)
			fails(100, t[i].text, "portmap", "ADD",
			      portmap_conf("net2", "", t[i].maps, PREV4 "," PREV6), .cid = "c2",
			      .env = ENV(legacy_env));
		assert_string_equal(saved(), before);
		/* for IPv6 alone it is taken as well, and IPv4 was not begun */
		fails(100, t[0].text, "portmap", "ADD", portmap_conf("net2", "", WEB, PREV6),
		      .cid = "c2", .env = ENV(legacy_env));
		assert_string_equal(saved(), before);
		/* another protocol, and packets that conditions keep apart, are free */
		const char *udp = portmap_conf("net2", "", text_replaced(WEB, "tcp", "udp"), PREV4);
		ok("portmap", "ADD", udp, .cid = "c2", .env = ENV(legacy_env));
		ok("portmap", "DEL", udp, .cid = "c2");
		ok("portmap", "DEL", first);
	}
	ok("portmap", "ADD", portmap_conf("net1", ",'conditionsV4':['-i','eth1']", WEB, PREV4));
	ok("portmap", "ADD", portmap_conf("net2", ",'conditionsV4':['-i','eth2']", WEB, PREV4),
	   .cid = "c2");
	fails(100, t[0].text, "portmap", "ADD", portmap_conf("net3", IPTABLES, WEB, PREV4),
	      .cid = "c3");
}

static void what_fails_in_ipv6_is_taken_back_from_ipv4(void **state)
{
	const char *v6 = portmap_conf("net1", IPTABLES, WEB, PREV6);

	(void)state;
	ok("portmap", "ADD", v6);
	const char *before = saved();
	fails(100, "host port 8080/tcp is taken by container c1", "portmap", "ADD",
	      portmap_conf("net2", IPTABLES, WEB, PREV4 "," PREV6), .cid = "c2");
	lab_sh("! iptables-legacy-save -t nat | grep CNI-DN");
	assert_string_equal(text_keep(lab_out("ip6tables-legacy-save -t nat | grep CNI-DN | "
					      "grep -vc net1")),
			    text_keep(lab_out("echo 3")));
	(void)before;
}

/* ---- keys */

static void keys_are_refused_by_name(void **state)
{
	static const struct {
		int code;
		const char *keys, *text;
	} t[] = {
		{ 7, "'backend':'pf'",
		  "/backend: expected \"nftables\" or \"iptables\", got \"pf\"" },
		{ 2, "'backend':'nftables','markMasqBit':5",
		  "/markMasqBit: the nftables backend does not have it; leave /backend out or say "
		  "\"iptables\"" },
		{ 2, "'backend':'nftables','externalSetMarkChain':'X'",
		  "/externalSetMarkChain: the nftables backend does not have it" },
		{ 2, "'backend':'nftables','conditionsV6':['-i','x']",
		  "/conditionsV6: the nftables backend does not have it" },
		{ 2, "'conditionsV4':['ip','saddr','10.0.0.0/8']",
		  "/conditionsV4: conditions in nft's language (\"ip\") are not supported; write "
		  "them as options of iptables, such as [\"-i\", \"eth0\"]" },
		{ 7, "'conditionsV4':['-m','set','--match-set','x','src']",
		  "/conditionsV4: -m: expected comment, tcp, udp, sctp, multiport, mark, conntrack "
		  "or addrtype, got \"set\"" },
		{ 7, "'conditionsV4':['--syn']",
		  "/conditionsV4: \"--syn\" is no option that is "
		  "understood here; those are: -s" },
		{ 7, "'conditionsV4':['-s','10.0.0.0/8','-j','ACCEPT']",
		  "/conditionsV4: -j and -g cannot stand in conditions" },
		{ 7, "'conditionsV4':['-p','udp']", "/conditionsV4: -p: can be given only once" },
		{ 7, "'conditionsV6':['-s','10.0.0.0/8']",
		  "/conditionsV6: -s: expected IPv6, got \"10.0.0.0/8\"" },
		{ 7, "'externalSetMarkChain':'X','markMasqBit':13",
		  "/externalSetMarkChain: cannot be set together with markMasqBit; leave one out" },
		{ 7, "'externalSetMarkChain':'aaaaaaaaaabbbbbbbbbbccccccccccd'",
		  "/externalSetMarkChain: expected a chain's name of at most 28 characters, got "
		  "\"aaaaaaaaaabbbbbbbbbbccccccccccd\"" },
		{ 7, "'externalSetMarkChain':'X'",
		  "/externalSetMarkChain: table nat of iptables has no chain X; whoever owns it must "
		  "create it first" },
	};
	const char *before = saved();

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *conf =
			portmap_conf("net1", textf(",%s", t[i].keys), WEB, PREV4 "," PREV6);

		fails(t[i].code, escaped(t[i].text), "portmap", "ADD", conf);
		assert_string_equal(saved(), before);
		ok("portmap", "DEL", conf);
	}
	fails(7, escaped("/ipMasqBackend: expected \"nftables\" or \"iptables\", got \"pf\""),
	      "masquerade", "ADD",
	      jsonf("{'cniVersion':'1.1.0','name':'net1','type':'masquerade','ipMasqBackend':'pf',"
		    "'prevResult':{'ips':[{'address':'10.1.0.2/16'}]}}"));
}

static void rules_join_those_that_are_in_the_legacy_table(void **state)
{
	const char *conf = portmap_conf("net1", "", WEB, PREV4);

	(void)state;
	ok("portmap", "ADD", conf); /* the table is there, and empty */
	lab_sh("nft list table inet naru | grep -q net1/c1");
	ok("portmap", "DEL", conf);
	lab_sh("iptables-legacy -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE");
	ok("portmap", "ADD", conf);
	lab_sh("iptables-legacy-save -t nat | grep -q 'j CNI-DN'; ! nft list ruleset | grep net1");
	ok("portmap", "DEL", conf);
	ok("portmap", "ADD", conf, .env = ENV(nft_env));
	lab_sh("nft list table inet naru | grep -q net1/c1; ! iptables-legacy-save -t nat | "
	       "grep CNI-DN");
	/* made by the one, checked and removed while the other one is the host's */
	ok("portmap", "CHECK", conf);
	ok("portmap", "DEL", conf);
	lab_sh("! nft list ruleset | grep net1/c1");
}

static void a_dry_run_says_what_iptables_would_be_told_and_changes_nothing(void **state)
{
	static const char *const dry[] = { "NARU_PLAN=/run/plan.jsonl", NULL };
	const char *conf = portmap_conf("net1", IPTABLES, WEB, PREV4), *before = saved();

	(void)state;
	lab_sh(": > /run/plan.jsonl; rm -f /run/xtables.lock");
	ok("portmap", "ADD", conf, .env = ENV(dry));
	assert_string_equal(saved(), before);
	lab_sh("! test -e /run/xtables.lock");
	lab_sh("grep -q 'iptables -t nat -N CNI-HOSTPORT-DNAT' /run/plan.jsonl");
	lab_sh("grep -q 'iptables -t nat -I POSTROUTING -m comment' /run/plan.jsonl");
	lab_sh("grep -q 'iptables -t nat -A CNI-DN-.* -p tcp -m tcp --dport 8080 -j DNAT "
	       "--to-destination 10.1.0.2:80' /run/plan.jsonl");
	ok("portmap", "ADD", conf);
	before = saved();
	lab_sh(": > /run/plan.jsonl");
	ok("portmap", "DEL", conf, .env = ENV(dry));
	assert_string_equal(saved(), before);
	lab_sh("grep -q 'iptables -t nat -X CNI-DN-' /run/plan.jsonl; rm /run/plan.jsonl");
}

static const char *libiptc;

static void show_library(void)
{
	lab_sh("umount %s; iptables-legacy -t nat -F; iptables-legacy -t nat -X", libiptc);
}

static void without_the_library_the_rules_of_others_hold_nothing_up(void **state)
{
	const char *conf = portmap_conf("net1", ",'backend':'nftables'", WEB, PREV4);

	(void)state;
	libiptc = text_keep(lab_out("ldconfig -p | awk '/libip4tc.so.2/ { print $NF; exit }'"));
	lab_sh("iptables-legacy -t nat -N OTHERS; mount --bind /dev/null %s", libiptc);
	ok("portmap", "ADD", conf);
	ok("portmap", "CHECK", conf);
	ok("portmap", "DEL", conf);
	show_library();
	/* but what may be of this container is not passed over */
	lab_sh("iptables-legacy -t nat -N CNI-DN-0; mount --bind /dev/null %s", libiptc);
	fails(104, "the iptables backend needs libip4tc.so.2, which cannot be loaded", "portmap",
	      "DEL", conf);
	show_library();
	ok("portmap", "DEL", conf);
}

/* ---- bytes */

struct way {
	const char *from, *to;
	uint16_t port;
	const char *peer; /* "*": anybody; NULL: nobody answers */
};

static void try_ways(const struct way *ways, size_t n, enum traffic_proto proto)
{
	for (size_t i = 0; i < n; i++) {
		const struct way *w = &ways[i];
		struct traffic_answer a = { .peer = "" };
		int r = traffic_ask(&(const struct traffic_query){ .netns = w->from,
								   .proto = proto,
								   .addr = w->to,
								   .port = w->port,
								   .timeout_ms =
									   w->peer ? 2000 : 150 },
				    &a);

		if (w->peer ? r != 0 : r == 0)
			lab_fail("way %zu: from %s to %s port %d: %s", i,
				 w->from ? w->from : "host", w->to, w->port,
				 r ? strerror(-r) : "somebody answered");
		if (w->peer && strcmp(w->peer, "*") && strcmp(w->peer, a.peer))
			lab_fail("way %zu: from %s to %s: the server saw %s, expected %s", i,
				 w->from ? w->from : "host", w->to, a.peer, w->peer);
	}
}

static void ports_answer_from_everywhere(void **state)
{
	static const struct way tcp[] = {
		{ "outside", LAB_HOST_V4, 8080, LAB_OUTSIDE_V4 },
		{ "outside", LAB_HOST_V6, 8080, LAB_OUTSIDE_V6 },
		{ NULL, LAB_HOST_V4, 8080, "*" },
		{ NULL, LAB_HOST_V6, 8080, "*" },
		{ NULL, "127.0.0.1", 8080, "*" },
		{ "c1", LAB_HOST_V4, 8080, "10.1.0.1" }, /* hairpin */
		{ "c1", LAB_HOST_V6, 8080, "fd00:1::1" },
		{ "c2", LAB_HOST_V4, 8080, "10.1.0.1" },
		{ "c2", LAB_HOST_V6, 8080, "fd00:1::1" },
		{ "outside", LAB_HOST_V4, 8081, NULL },
	};
	static const struct way udp[] = {
		{ "outside", LAB_HOST_V4, 5353, LAB_OUTSIDE_V4 },
		{ "outside", LAB_HOST_V6, 5353, LAB_OUTSIDE_V6 },
		{ NULL, "127.0.0.1", 5353, "*" },
		{ "c1", LAB_HOST_V4, 5353, "10.1.0.1" },
		{ "c2", LAB_HOST_V6, 5353, "fd00:1::1" },
	};
	static const char *const keys[] = { IPTABLES, ",'markMasqBit':7" };

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++) {
		struct box a, b;

		box_publish(&a, "c1", BOX_WEB "," BOX_DNS, keys[i]);
		box_publish(&b, "c2", "", IPTABLES);
		box_serve(&a);
		try_ways(tcp, LEN(tcp), TRAFFIC_TCP);
		try_ways(udp, LEN(udp), TRAFFIC_UDP);
		assert_int_equal(lab_chain_check(&a.chain), 0);
		lab_sh("! nft list ruleset | grep -q labnet");
		box_unpublish(&a);
		assert_int_not_equal(tcp_fetch("outside", LAB_HOST_V4, 8080, 150, NULL), 0);
		box_unpublish(&b);
	}
}

static void every_connection_is_masqueraded_with_masq_all(void **state)
{
	static const struct way tcp[] = {
		{ "outside", LAB_HOST_V4, 8080, "10.1.0.1" },
		{ "outside", LAB_HOST_V6, 8080, "fd00:1::1" },
	};
	struct box a;

	(void)state;
	box_publish(&a, "c1", BOX_WEB, IPTABLES ",'masqAll':true");
	box_serve(&a);
	try_ways(tcp, LEN(tcp), TRAFFIC_TCP);
	box_unpublish(&a);
}

static void conditions_and_a_chain_of_others_that_marks_are_kept(void **state)
{
	static const struct way tcp[] = {
		{ "outside", LAB_HOST_V4, 8080, LAB_OUTSIDE_V4 },
		{ NULL, LAB_HOST_V4, 8080, NULL }, /* does not come in at uplink0 */
		{ "outside", LAB_HOST_V6, 8080, LAB_OUTSIDE_V6 },
		{ "c1", LAB_HOST_V6, 8080, "fd00:1::1" },
	};
	struct box a;

	(void)state;
	lab_sh("for p in iptables-legacy ip6tables-legacy; do $p -t nat -N KUBE-MARK-MASQ;"
	       "$p -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000;"
	       "$p -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE; done");
	box_publish(&a, "c1", BOX_WEB,
		    ",'externalSetMarkChain':'KUBE-MARK-MASQ','conditionsV4':['-i','uplink0']");
	box_serve(&a);
	try_ways(tcp, LEN(tcp), TRAFFIC_TCP);
	lab_sh("! iptables-legacy-save -t nat | grep CNI-HOSTPORT-SETMARK");
	box_unpublish(&a);
	lab_sh("iptables-legacy-save -t nat | grep -q KUBE-MARK-MASQ");
}

static void masquerade_hides_the_container_outside_its_subnet(void **state)
{
	struct traffic_server s, s6;
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	const char *res = ok("bridge", "ADD",
			     jsonf("{'cniVersion':'1.1.0','name':'labnet','type':'bridge','bridge':"
				   "'br0','isDefaultGateway':true,'ipMasq':true,'ipMasqBackend':"
				   "'iptables','ipam':{'type':'host-local','ranges':[[{'subnet':"
				   "'10.1.0.0/16'}],[{'subnet':'fd00:1::/64'}]]}}"));
	lab_carrier("c1", "eth0");
	traffic_serve(&s, "outside", TRAFFIC_TCP, "0.0.0.0", 80, "out");
	traffic_serve(&s6, "outside", TRAFFIC_TCP, "::", 81, "out");
	assert_int_equal(tcp_fetch("c1", LAB_OUTSIDE_V4, 80, 2000, peer), 0);
	assert_string_equal(peer, LAB_HOST_V4);
	assert_int_equal(tcp_fetch("c1", LAB_OUTSIDE_V6, 81, 2000, peer), 0);
	assert_string_equal(peer, LAB_HOST_V6);
	traffic_stop(&s);
	traffic_stop(&s6);
	(void)res;
}

/* An address has one owner: what an earlier container left for it goes. */
static void stale_masquerades_of_the_same_addresses_are_replaced(void **state)
{
	static const char conf[] = "{'cniVersion':'1.1.0','name':'net1','type':'masquerade',"
				   "'ipMasqBackend':'iptables','prevResult':{'ips':[%s]}}";
	const char *a = jsonf(conf, "{'address':'10.1.0.2/16'}"),
		   *b = jsonf(conf, "{'address':'10.1.0.3/16'}"),
		   *both = jsonf(conf, "{'address':'10.1.0.2/16'},{'address':'10.1.0.3/16'}");

	(void)state;
	ok("masquerade", "ADD", a, .cid = "old");
	ok("masquerade", "ADD", b, .cid = "older");
	ok("masquerade", "ADD", both, .cid = "new");
	/* nor are their chains left */
	lab_sh("! iptables-legacy-save -t nat | grep '\"old'; "
	       "test $(iptables-legacy-save -t nat | grep -c '^:CNI-') = 1");
	ok("masquerade", "DEL", a, .cid = "old");
	ok("masquerade", "CHECK", both, .cid = "new");
	ok("masquerade", "DEL", both, .cid = "new");
	lab_sh("! iptables-legacy-save -t nat | grep CNI-");
}

/* ---- many at once */

#define CROWD 16

static void of_sixteen_at_once_none_is_lost(void **state)
{
	static const char *const verbs[] = { "ADD", "CHECK", "DEL" };
	int pid[CROWD], status;

	(void)state;
	for (size_t v = 0; v < LEN(verbs); v++) {
		for (int i = 0; i < CROWD; i++) {
			const char *conf =
				portmap_conf("net1", IPTABLES,
					     textf("{'hostPort':%d,'containerPort':80}", 9000 + i),
					     textf("{'interface':0,'address':'10.1.0.%d/16'}",
						   2 + i));

			if ((pid[i] = fork()) == 0) {
				lab_child();
				ok("portmap", verbs[v], conf, .cid = textf("m%d", i));
				_exit(0);
			}
		}
		for (int i = 0; i < CROWD; i++) {
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			assert_int_equal(status, 0);
		}
		lab_sh("test $(iptables-legacy-save -t nat | grep -c -- '-j CNI-DN') = %d",
		       v < 2 ? CROWD : 0);
		lab_sh("test $(iptables-legacy-save -t nat | grep -c -- '-j CNI-HOSTPORT-DNAT') = "
		       "2");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_rules_are_those_of_the_reference),
		TEST(comments_that_are_too_long_are_cut_as_the_reference_cuts_them),
		TEST(what_the_reference_made_is_checked_and_removed),
		TEST(what_we_made_the_reference_removes),
		TEST(gc_collects_by_network_and_container),
		TEST(check_names_the_rule_that_is_missing),
		TEST(a_taken_port_is_refused_by_its_owners_name),
		TEST(what_fails_in_ipv6_is_taken_back_from_ipv4),
		TEST(keys_are_refused_by_name),
		TEST(rules_join_those_that_are_in_the_legacy_table),
		TEST(a_dry_run_says_what_iptables_would_be_told_and_changes_nothing),
		TEST(without_the_library_the_rules_of_others_hold_nothing_up),
		TEST(ports_answer_from_everywhere),
		TEST(every_connection_is_masqueraded_with_masq_all),
		TEST(conditions_and_a_chain_of_others_that_marks_are_kept),
		TEST(masquerade_hides_the_container_outside_its_subnet),
		TEST(stale_masquerades_of_the_same_addresses_are_replaced),
		TEST(of_sixteen_at_once_none_is_lost),
	};

	return cmocka_run_group_tests_name("iptables", tests, group_setup, NULL);
}
