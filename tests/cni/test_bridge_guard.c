// SPDX-License-Identifier: GPL-2.0-or-later
/* macspoofchk of bridge: who may send with which address, and what is left of it. */
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
#include <stdlib.h>
#include <string.h>

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
	return 0;
}

static const char *conf_of(const char *network, const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'%s','type':'bridge','bridge':'br0',"
		     "'isGateway':true,%s"
		     "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]]}}",
		     network, keys);
}

static const char *conf(const char *keys)
{
	return conf_of("net1", keys);
}

#define GUARDED "'macspoofchk':true,"

static bool host_reaches(const char *netns, const char *address)
{
	struct traffic_server s;

	traffic_serve(&s, netns, TRAFFIC_TCP, address, 7000, "x");
	int r = tcp_fetch(NULL, address, 7000, 700, NULL);
	traffic_stop(&s);
	assert_true(r == 0 || r == -EHOSTUNREACH || r == -ETIMEDOUT);
	return r == 0;
}

static bool table_has(const char *words)
{
	return lab_try("nft list table bridge naru 2>/dev/null | grep -q '%s'", words) == 0;
}

/* A container whose root changes its address, as a hostile one would. */
static void spoof(const char *netns, const char *mac)
{
	lab_sh_in(netns, "ip link set eth0 address %s", mac);
	lab_sh("ip neigh flush dev br0");
}

static void a_frame_from_another_address_is_dropped(void **state)
{
	const char *one = ok("bridge", "ADD", conf(GUARDED));

	(void)state;
	ok("bridge", "ADD", conf(""), .cid = "c2", .netns = "c2");
	assert_true(host_reaches("c1", "10.1.0.2"));
	assert_true(host_reaches("c2", "10.1.0.3"));
	spoof("c1", "02:00:00:00:00:66");
	spoof("c2", "02:00:00:00:00:67");
	assert_false(host_reaches("c1", "10.1.0.2"));
	assert_true(host_reaches("c2", "10.1.0.3")); /* did not ask for it */
	spoof("c1", at(one, "/interfaces/2/mac"));
	assert_true(host_reaches("c1", "10.1.0.2"));
}

static void the_address_of_another_guarded_port_does_not_help(void **state)
{
	const char *one = ok("bridge", "ADD", conf(GUARDED));

	(void)state;
	ok("bridge", "ADD", conf(GUARDED), .cid = "c2", .netns = "c2");
	lab_sh_in("c1", "ip link set eth0 down");
	spoof("c2", at(one, "/interfaces/2/mac"));
	assert_false(host_reaches("c2", "10.1.0.3"));
}

static void what_is_in_the_kernel_reads_as_documented(void **state)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge',"
			      "'bridge':'br0','macspoofchk':true,"
			      "'runtimeConfig':{'mac':'02:11:22:33:44:55'}}");
	const char *result = ok("bridge", "ADD", c);
	char *table = lab_out("nft list table bridge naru | tr -s ' \\t\\n' ' '");

	(void)state;
	assert_string_equal(
		text_replaced(table, at(result, "/interfaces/1/name"), "PORT"),
		"table bridge naru { "
		"set ports { type ifname elements = { \"PORT\" comment \"c33c6dcb368f592a net1/c1/eth0\" } } "
		"set senders { type ifname . ether_addr elements = { \"PORT\" . 02:11:22:33:44:55 "
		"comment \"c33c6dcb368f592a net1/c1/eth0\" } } "
		"chain prerouting { type filter hook prerouting priority dstnat; policy accept; "
		"iifname @ports iifname . ether saddr != @senders drop } } ");
	free(table);
	/* and it can be loaded again as it was saved */
	lab_sh("nft list table bridge naru >/tmp/saved; nft delete table bridge naru;"
	       "nft -f /tmp/saved; rm /tmp/saved");
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)));
	ok("bridge", "DEL", c);
	assert_false(table_has("net1"));
}

static void del_removes_it_whatever_it_is_told(void **state)
{
	static const struct {
		const char *netns, *keys;
		bool prev, gone;
	} t[] = {
		{ "c1", GUARDED, true, false }, { "c1", "", true, false },
		{ "c1", "", false, false },	{ "", GUARDED, true, false },
		{ "", "", false, false },	{ "", "", true, true },
		{ "c1", "", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *result = ok("bridge", "ADD", conf(GUARDED)), *c = conf(t[i].keys);

		ok("bridge", "ADD", conf_of("net2", GUARDED), .cid = "c2", .netns = "c2",
		   .ifname = "eth9");
		if (t[i].gone) {
			lab_netns_del("c1");
			lab_netns_new("c1");
		}
		if (t[i].prev)
			c = text_keep(json_with(c, "prevResult", result));
		ok("bridge", "DEL", c, .netns = t[i].netns);
		assert_false(table_has("net1/c1/eth0"));
		assert_true(table_has("net2/c2/eth9"));
		ok("bridge", "DEL", c, .netns = t[i].netns);
		ok("bridge", "DEL", conf_of("net2", GUARDED), .cid = "c2", .netns = "c2",
		   .ifname = "eth9");
		assert_false(table_has("net2"));
	}
}

static void elements_that_somebody_left_are_replaced(void **state)
{
	const char *result = ok("bridge", "ADD", conf(GUARDED));
	const char *port = at(result, "/interfaces/1/name");

	(void)state;
	ok("bridge", "DEL", conf(GUARDED));
	lab_sh("nft add element bridge naru ports '{ \"%s\" comment \"0 x/y/z\" }';"
	       "nft add element bridge naru senders '{ \"%s\" . 02:00:00:00:00:01 comment \"0 x/y/z\" }'",
	       port, port);
	result = ok("bridge", "ADD", conf(GUARDED));
	assert_false(table_has("x/y/z"));
	ok("bridge", "CHECK", text_keep(json_with(conf(GUARDED), "prevResult", result)));
	assert_true(host_reaches("c1", "10.1.0.3"));
}

static void gc_keeps_the_listed_and_removes_the_others(void **state)
{
	(void)state;
	ok("bridge", "ADD", conf(GUARDED));
	ok("bridge", "ADD", conf(GUARDED), .cid = "c2", .netns = "c2");
	ok("bridge", "ADD", conf_of("net2", GUARDED), .cid = "c2", .netns = "c2", .ifname = "eth1");
	const char *c = text_keep(json_with(conf(GUARDED), "cni.dev/valid-attachments",
					    jsonf("[{'containerID':'c2','ifname':'eth0'}]")));

	ok("bridge", "GC", c, .cid = NULL, .netns = "");
	assert_false(table_has("net1/c1/eth0"));
	assert_true(table_has("net1/c2/eth0"));
	assert_true(table_has("net2/c2/eth1"));
}

static void check_notices_what_was_tampered_with(void **state)
{
	static const struct {
		const char *what, *says;
	} t[] = {
		{ "nft delete element bridge naru ports '{ @veth }'",
		  "port @veth with any address is missing in table bridge naru" },
		{ "nft delete element bridge naru senders '{ @veth . @mac }'",
		  "port @veth with @mac is missing in table bridge naru" },
		{ "nft delete element bridge naru ports '{ @veth }';"
		  "nft add element bridge naru ports '{ @veth comment \"0123456789abcdef a/b/c\" }'",
		  "belongs to container b of network a (interface c)" },
		{ "nft flush chain bridge naru prerouting",
		  "the rule of chain prerouting of table bridge naru is missing" },
		{ "nft flush ruleset", "chain prerouting of table bridge naru is missing" },
		{ "nft 'add table bridge naru { flags dormant; }'",
		  "table bridge naru is dormant" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *result = ok("bridge", "ADD", conf(GUARDED));
		const char *check = text_keep(json_with(conf(GUARDED), "prevResult", result));
		const char *veth = at(result, "/interfaces/1/name"),
			   *mac = at(result, "/interfaces/2/mac");

		ok("bridge", "CHECK", check);
		lab_sh("%s", text_replaced(text_replaced(t[i].what, "@veth", veth), "@mac", mac));
		fails(102, text_replaced(text_replaced(t[i].says, "@veth", veth), "@mac", mac),
		      "bridge", "CHECK", check);
		ok("bridge", "DEL", check);
		call_reset_host();
	}
}

static void a_rule_that_was_lost_is_back_with_the_next_container(void **state)
{
	const char *one = ok("bridge", "ADD", conf(GUARDED));

	(void)state;
	lab_sh("nft flush chain bridge naru prerouting");
	ok("bridge", "ADD", conf(GUARDED), .cid = "c2", .netns = "c2");
	ok("bridge", "CHECK", text_keep(json_with(conf(GUARDED), "prevResult", one)));
	spoof("c1", "02:00:00:00:00:66");
	assert_false(host_reaches("c1", "10.1.0.2"));
}

/* Rules as the reference makes them, in nft's words. */
static void reference_guard(const char *cid, const char *port)
{
	lab_sh("nft -f - <<'END'\n"
	       "table bridge nat {\n"
	       "	chain PREROUTING { type filter hook prerouting priority -300; policy accept;\n"
	       "		iifname \"%s\" jump cni-br-iface-%s-eth0 comment \"macspoofchk-%s-eth0\"\n"
	       "	}\n"
	       "	chain cni-br-iface-%s-eth0 {\n"
	       "		jump cni-br-iface-%s-eth0-mac comment \"macspoofchk-%s-eth0\"\n"
	       "	}\n"
	       "	chain cni-br-iface-%s-eth0-mac {\n"
	       "		ether saddr 02:00:00:00:00:01 return comment \"macspoofchk-%s-eth0\"\n"
	       "		drop comment \"macspoofchk-%s-eth0\"\n"
	       "	}\n"
	       "}\n"
	       "END\n",
	       port, cid, cid, cid, cid, cid, cid, cid, cid);
}

static void del_knows_the_references_rules_and_leaves_those_of_others(void **state)
{
	(void)state;
	lab_sh("nft add table bridge nat; nft 'add chain bridge nat PREROUTING "
	       "{ type filter hook prerouting priority -300; }';"
	       "nft 'add rule bridge nat PREROUTING iifname \"mine\" accept comment \"mine\"';"
	       "nft list ruleset >/tmp/before");
	reference_guard("c1", "veth00000001");
	reference_guard("c11", "veth00000002");
	ok("bridge", "DEL", conf(GUARDED), .netns = "");
	lab_sh("! nft list table bridge nat | grep -e '-c1-' && "
	       "nft list table bridge nat | grep -c 'c11-eth0' | grep -q 6");
	ok("bridge", "DEL", conf(""), .cid = "c11", .netns = "c2");
	lab_sh("nft list ruleset | diff /tmp/before -; rm /tmp/before");
}

static void status_answers(void **state)
{
	(void)state;
	ok("bridge", "STATUS", conf(GUARDED));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_frame_from_another_address_is_dropped),
		T(the_address_of_another_guarded_port_does_not_help),
		T(what_is_in_the_kernel_reads_as_documented),
		T(del_removes_it_whatever_it_is_told),
		T(elements_that_somebody_left_are_replaced),
		T(gc_keeps_the_listed_and_removes_the_others),
		T(check_notices_what_was_tampered_with),
		T(a_rule_that_was_lost_is_back_with_the_next_container),
		T(del_knows_the_references_rules_and_leaves_those_of_others),
		T(status_answers),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
