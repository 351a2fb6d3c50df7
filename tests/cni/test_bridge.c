// SPDX-License-Identifier: GPL-2.0-or-later
/* bridge from outside: what its keys do, what it reports, what it refuses. */
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
#include <stdlib.h>
#include <string.h>

#include "netlib/base/str.h"

#define SNAP (SNAPSHOT_ALL | SNAPSHOT_MAC)

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

#define IPAM4 "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]]}"
#define IPAM6 "'ipam':{'type':'host-local','ranges':[[{'subnet':'fd00:1::/64'}]]}"
#define IPAM46 \
	"'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}]," \
	"[{'subnet':'fd00:1::/64'}]]}"

static const char *conf_of(const char *version, const char *network, const char *keys)
{
	return jsonf("{'cniVersion':'%s','name':'%s','type':'bridge','bridge':'br0',%s}", version,
		     network, keys);
}

static const char *conf(const char *keys)
{
	return conf_of("1.1.0", "net1", keys);
}

/*
 * A network's lease directory with its lock, which a first attachment makes and which stays. What a
 * refused ADD leaves is compared from there on, the note of the last address included.
 */
static void lease_directory(const char *network, const char *subnet)
{
	const char *c = jsonf("{'cniVersion':'1.1.0','name':'%s','type':'bridge','bridge':'br9',"
			      "'ipam':{'type':'host-local','subnet':'%s'}}",
			      network, subnet);

	ok("bridge", "ADD", c, .cid = "first", .ifname = "first");
	ok("bridge", "DEL", c, .cid = "first", .ifname = "first");
	lab_sh("ip link del br9");
}

/* ---- keys: what is true afterwards, in shell, on the host and in the container */

#define HAS(text) " | grep -q '" text "' && "
#define PORT "/sys/class/net/br0/brif/*/"

/* clang-format off */
static const struct {
	const char *keys, *host, *container;
} keys[] = {
	{ IPAM4,
	  "! ip -4 -o addr show br0 | grep -q inet && cat /proc/sys/net/ipv4/ip_forward" HAS("^0$")
	  "ip link show br0 up" HAS("br0") "cat " PORT "hairpin_mode" HAS("0") "true",
	  "ip -4 -o addr show eth0" HAS("10.1.0.2/24 brd 10.1.0.255")
	  "ip link show eth0 up" HAS("eth0")
	  "! ip route | grep -q default && "
	  "cat /proc/sys/net/ipv4/conf/eth0/arp_notify" HAS("1") "true" },
	{ "'isGateway':true," IPAM4,
	  "ip -4 -o addr show br0" HAS("10.1.0.1/24 brd 10.1.0.255")
	  "cat /proc/sys/net/ipv4/ip_forward" HAS("^1$")
	  "cat /proc/sys/net/ipv6/conf/all/forwarding" HAS("^0$") "true",
	  "! ip route | grep -q default" },
	{ "'isDefaultGateway':true," IPAM46,
	  "ip -4 -o addr show br0" HAS("10.1.0.1/24") "ip -6 -o addr show br0" HAS("fd00:1::1/64")
	  "cat /proc/sys/net/ipv6/conf/all/forwarding" HAS("^1$")
	  "! ip -6 addr show br0 | grep fd00 | grep -q tentative",
	  "ip route" HAS("default via 10.1.0.1") "ip -6 route" HAS("default via fd00:1::1")
	  "ip -6 -o addr show eth0" HAS("fd00:1::2/64")
	  "! ip -6 addr show eth0 | grep fd00 | grep -q tentative" },
	{ "'isGateway':true,'ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
	  "'gateway':'10.1.0.254','routes':[{'dst':'0.0.0.0/0'},{'dst':'10.9.0.0/16',"
	  "'gw':'10.1.0.7'}]}",
	  "ip -4 -o addr show br0" HAS("10.1.0.254/24") "true",
	  "ip route" HAS("^default via 10.1.0.254")
	  "ip route" HAS("^10.9.0.0/16 via 10.1.0.7") "true" },
	{ "'isDefaultGateway':true,'ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
	  "'routes':[{'dst':'0.0.0.0/0','gw':'10.1.0.7'}]}",
	  "ip -4 -o addr show br0" HAS("10.1.0.1/24") "true",
	  "ip route" HAS("^default via 10.1.0.7") "test $(ip route | grep -c default) = 1" },
	{ "'mtu':1400," IPAM4,
	  "cat /sys/class/net/br0/mtu" HAS("1400") "cat " PORT "../mtu" HAS("1400") "true",
	  "cat /proc/sys/net/ipv6/conf/eth0/mtu" HAS("1400") "true" },
	{ "'hairpinMode':true," IPAM4, "cat " PORT "hairpin_mode" HAS("1") "true", "true" },
	{ "'promiscMode':true," IPAM4, "ip link show br0" HAS("PROMISC") "true", "true" },
	{ IPAM6, "true",
	  "cat /proc/sys/net/ipv6/conf/eth0/accept_dad" HAS("^0$")
	  "cat /proc/sys/net/ipv6/conf/eth0/keep_addr_on_down" HAS("^1$") "true" },
	{ "'enabledad':true," IPAM6, "true",
	  "cat /proc/sys/net/ipv6/conf/eth0/accept_dad" HAS("^1$")
	  "cat /proc/sys/net/ipv6/conf/eth0/enhanced_dad" HAS("^1$") "true" },
	{ "'mtu':0,'ipMasq':null,'ipMasqBackend':'nftables'," IPAM4, "true", "true" },
	{ "'isGateway':true,'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
	  "[{'subnet':'10.2.0.0/24'}],[{'subnet':'fd00:1::/64'}]]}",
	  "ip -o addr show br0" HAS("10.1.0.1/24") "ip -o addr show br0" HAS("10.2.0.1/24")
	  "ip -o addr show br0" HAS("fd00:1::1/64") "true",
	  "ip -o addr show eth0" HAS("10.1.0.2/24") "ip -o addr show eth0" HAS("10.2.0.2/24")
	  "ip -o addr show eth0" HAS("fd00:1::2/64") "true" },
	{ "'ISGATEWAY':true," IPAM4,
	  "ip -4 -o addr show br0" HAS("10.1.0.1/24") "true", "true" },
	{ "'x':{'y':[1,{'z':null}]},'capabilities':{'portMappings':true}," IPAM4, "true", "true" },
};
/* clang-format on */

static void every_key_does_what_the_reference_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		ok("bridge", "ADD", conf(keys[i].keys));
		if (lab_try("%s", keys[i].host))
			lab_fail("not so on the host, with %s: %s", keys[i].keys, keys[i].host);
		if (lab_try_in("c1", "%s", keys[i].container))
			lab_fail("not so in the container, with %s: %s", keys[i].keys,
				 keys[i].container);
		ok("bridge", "DEL", conf(keys[i].keys));
		call_reset_host();
	}
}

static void the_bridge_is_cni0_when_the_key_is_missing_or_empty(void **state)
{
	static const char *const t[] = { "", "'bridge':''," };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *c =
			jsonf("{'cniVersion':'1.1.0','name':'n','type':'bridge',%s" IPAM4 "}",
			      t[i]);
		assert_string_equal(at(ok("bridge", "ADD", c), "/interfaces/0/name"), "cni0");
		ok("bridge", "DEL", c);
	}
	lab_sh("ip -d link show cni0 | grep -q 'bridge '");
}

static void without_ipam_the_attachment_is_layer_2_only(void **state)
{
	static const char *const none[] = { "'x':1", "'ipam':{}", "'ipam':{'type':''}" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char *c = conf(textf("'isGateway':true,'ipMasq':true,%s", none[i]));
		const char *result = ok("bridge", "ADD", c);

		assert_int_equal(json_count(result, "/interfaces"), 3);
		assert_int_equal(json_count(result, "/ips"), -1);
		lab_sh_in(
			"c1",
			"ip link show eth0 up | grep -q eth0; ! ip -4 addr show eth0 | grep inet");
		lab_sh("! ip -4 addr show br0 | grep inet");

		const char *with_prev = json_with(c, "prevResult", result);

		ok("bridge", "CHECK", text_keep((char *)(uintptr_t)with_prev));
		ok("bridge", "DEL", c);
		assert_int_not_equal(lab_try_in("c1", "ip link show eth0"), 0);
	}
	lab_sh("test ! -e /var/lib/cni/networks/net1");
}

/* ---- results */

#define IFACE_OLD(name, box) \
	"        {\n            'name': '" name "',\n            'mac': 'MAC'" box "\n        }"
#define IFACE_NEW(name, box) \
	"        {\n            'mac': 'MAC',\n            'name': '" name "'" box "\n        }"
#define BOX ",\n            'sandbox': '/run/netns/c1'"
#define IP_OLD(v, a, g) \
	"        {\n            'version': '" v "',\n            'interface': 2,\n" \
	"            'address': '" a "',\n            'gateway': '" g "'\n        }"
#define IP_NEW(a, g) \
	"        {\n            'address': '" a "',\n            'gateway': '" g "',\n" \
	"            'interface': 2\n        }"
#define ROUTE(pad, d, g) pad "{\n" pad "    'dst': '" d "',\n" pad "    'gw': '" g "'\n" pad "}"
#define P8 "        "
#define P12 "            "

static void the_result_has_the_references_shape_in_every_version(void **state)
{
	/* clang-format off */
	static const char shape_1[] = "'ip4': {\n        'ip': '10.1.0.2/24',\n"
		"        'gateway': '10.1.0.1',\n        'routes': [\n"
		ROUTE(P12, "0.0.0.0/0", "10.1.0.1") "\n        ]\n    },\n    'ip6': {\n"
		"        'ip': 'fd00:1::2/64',\n        'gateway': 'fd00:1::1',\n"
		"        'routes': [\n"
		ROUTE(P12, "::/0", "fd00:1::1") "\n        ]\n    },\n    'dns': {}\n}";
	static const char shape_3[] = "'interfaces': [\n" IFACE_OLD("br0", "") ",\n"
		IFACE_OLD("vethN", "") ",\n" IFACE_OLD("eth0", BOX) "\n    ],\n    'ips': [\n"
		IP_OLD("4", "10.1.0.2/24", "10.1.0.1") ",\n"
		IP_OLD("6", "fd00:1::2/64", "fd00:1::1")
		"\n    ],\n    'routes': [\n" ROUTE(P8, "0.0.0.0/0", "10.1.0.1") ",\n"
		ROUTE(P8, "::/0", "fd00:1::1") "\n    ],\n    'dns': {}\n}";
	static const char shape_10[] = "'interfaces': [\n" IFACE_NEW("br0", "") ",\n"
		IFACE_NEW("vethN", "") ",\n" IFACE_NEW("eth0", BOX) "\n    ],\n    'ips': [\n"
		IP_NEW("10.1.0.2/24", "10.1.0.1") ",\n" IP_NEW("fd00:1::2/64", "fd00:1::1")
		"\n    ],\n    'routes': [\n" ROUTE(P8, "0.0.0.0/0", "10.1.0.1") ",\n"
		ROUTE(P8, "::/0", "fd00:1::1") "\n    ]\n}";
	/* clang-format on */
	static const struct {
		const char *version, *shape;
	} t[] = {
		{ "0.1.0", shape_1 },  { "0.2.0", shape_1 }, { "0.3.0", shape_3 },
		{ "0.3.1", shape_3 },  { "0.4.0", shape_3 }, { "1.0.0", shape_10 },
		{ "1.1.0", shape_10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *c = conf_of(t[i].version, "net1", "'isDefaultGateway':true," IPAM46);
		const char *result = ok("bridge", "ADD", c);

		assert_string_equal(text_folded(result), jsonf("{\n    'cniVersion': '%s',\n    %s",
							       t[i].version, t[i].shape));
		ok("bridge", "DEL", c);
		lab_sh("rm -rf /var/lib/cni/networks");
	}
}

static void the_macs_reported_are_those_of_the_interfaces(void **state)
{
	(void)state;
	const char *result = ok("bridge", "ADD", conf("'isGateway':true," IPAM4));
	const char *names[] = { "br0", at(result, "/interfaces/1/name") };

	for (int i = 0; i < 2; i++)
		lab_sh("grep -q %s /sys/class/net/%s/address",
		       at(result, textf("/interfaces/%d/mac", i)), names[i]);
	lab_sh_in("c1", "ip link show eth0 | grep -q %s", at(result, "/interfaces/2/mac"));
}

static void dns_of_the_configuration_replaces_ipams_when_any_field_is_given(void **state)
{
	static const struct {
		const char *keys, *dns; /* NULL: nothing left */
	} t[] = {
		{ "'x':1", "{'nameservers':['192.0.2.53'],'domain':'from.file'}" },
		{ "'dns':{}", "{'nameservers':['192.0.2.53'],'domain':'from.file'}" },
		{ "'dns':{'nameservers':['192.0.2.1'],'search':['a','b'],'options':['ndots:2']}",
		  "{'nameservers':['192.0.2.1'],'options':['ndots:2'],'search':['a','b']}" },
		{ "'dns':{'nameservers':[]}", NULL },
	};

	(void)state;
	lab_sh("printf 'nameserver 192.0.2.53\\ndomain from.file\\n' > /run/resolv.test");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *c = conf(textf("%s,'ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
					   "'resolvConf':'/run/resolv.test'}",
					   t[i].keys));
		const char *result = ok("bridge", "ADD", c);

		if (!t[i].dns) {
			assert_null(strstr(result, "dns"));
		} else {
			for (int k = 0; k < json_count(jsonf("%s", t[i].dns), ""); k++) {
				char *key = json_key(jsonf("%s", t[i].dns), "", k);
				const char *want = at(jsonf("%s", t[i].dns), textf("/%s", key));
				const char *got = at(result, textf("/dns/%s", key));

				got = text_replaced(text_replaced(got, "\n", ""), " ", "");
				assert_string_equal(got, want);
				free(key);
			}
			assert_int_equal(json_count(result, "/dns"),
					 json_count(jsonf("%s", t[i].dns), ""));
		}
		ok("bridge", "DEL", c);
	}
	lab_sh("rm /run/resolv.test");
}

static void the_mac_comes_from_three_sources_of_which_the_runtimes_wins(void **state)
{
	static const struct {
		const char *args, *keys, *mac;
	} t[] = {
		{ "MAC=02:00:00:00:00:01", "'x':1", "02:00:00:00:00:01" },
		{ "IgnoreUnknown=1;K8S_POD_NAME=p;MAC=02:00:00:00:00:01", "'x':1",
		  "02:00:00:00:00:01" },
		{ "", "'args':{'cni':{'mac':'02:00:00:00:00:02'}}", "02:00:00:00:00:02" },
		{ "", "'runtimeConfig':{'mac':'02:00:00:00:00:03'}", "02:00:00:00:00:03" },
		{ "", "'RuntimeConfig':{'MAC':'02:00:00:00:00:03'}", "02:00:00:00:00:03" },
		{ "MAC=02:00:00:00:00:01", "'args':{'cni':{'mac':'02:00:00:00:00:02'}}",
		  "02:00:00:00:00:02" },
		{ "MAC=02:00:00:00:00:01",
		  "'args':{'cni':{'mac':'02:00:00:00:00:02'}},"
		  "'runtimeConfig':{'mac':'02:00:00:00:00:03'}",
		  "02:00:00:00:00:03" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const char *c = conf(t[i].keys);

		assert_string_equal(at(ok("bridge", "ADD", c, .args = t[i].args),
				       "/interfaces/2/mac"),
				    t[i].mac);
		lab_sh_in("c1", "ip link show eth0 | grep -q %s", t[i].mac);
		ok("bridge", "DEL", c, .args = t[i].args);
	}
}

/* ---- the bridge itself */

static void a_bridge_that_exists_is_reused_and_keeps_its_mac(void **state)
{
	(void)state;
	const char *c = conf("'isGateway':true," IPAM4);

	ok("bridge", "ADD", c);

	char *first = lab_out("cat /sys/class/net/br0/ifindex /sys/class/net/br0/address");

	ok("bridge", "ADD", c, .cid = "c2", .netns = "c2");
	ok("bridge", "DEL", c);
	ok("bridge", "DEL", c, .cid = "c2", .netns = "c2");
	ok("bridge", "ADD", c);

	char *last = lab_out("cat /sys/class/net/br0/ifindex /sys/class/net/br0/address");

	assert_string_equal(first, last);
	free(first);
	free(last);
}

static void a_foreign_bridge_is_used_as_it_is(void **state)
{
	(void)state;
	/* set afterwards: else the kernel lets a bridge follow the smallest MTU of its ports */
	lab_sh("ip link add br0 address 02:00:00:00:00:77 type bridge && ip link set br0 mtu 1300");

	const char *result = ok("bridge", "ADD", conf("'mtu':1400," IPAM4));

	assert_string_equal(at(result, "/interfaces/0/mac"), "02:00:00:00:00:77");
	lab_sh("ip link show br0 up | grep -q 'mtu 1300'");
	lab_sh_in("c1", "ip link show eth0 | grep -q 'mtu 1400'");
}

/* A bridge whose MAC was never set falls back to zeros when its last port goes. */
static void a_bridge_with_a_mac_of_zeros_is_repaired(void **state)
{
	(void)state;
	lab_sh("set -e; ip link add br0 type bridge; ip link add vb0 type veth peer vb1\n"
	       "ip link set vb0 master br0; ip link del vb0\n"
	       "grep -q 00:00:00:00:00:00 /sys/class/net/br0/address");

	const char *result = ok("bridge", "ADD", conf("'isGateway':true," IPAM4));
	const char *mac = at(result, "/interfaces/0/mac");

	assert_string_not_equal(mac, "00:00:00:00:00:00");
	lab_sh("grep -q %s /sys/class/net/br0/address", mac);
	ok("bridge", "DEL", conf("'isGateway':true," IPAM4));
	lab_sh("grep -q %s /sys/class/net/br0/address", mac);
}

/* reliability: ADD with a bad range on a fresh bridge, DEL, ADD with a good one. */
static void a_failed_first_attachment_does_not_spoil_the_next(void **state)
{
	(void)state;
	const char *bad = conf("'isGateway':true,'ipam':{'type':'host-local',"
			       "'subnet':'10.1.0.0/24','rangeStart':'10.9.0.1'}");
	char *before = snapshot_take(SNAP, "c1");

	fails(7, "/ipam", "bridge", "ADD", bad);
	assert_untouched(before, SNAP, "c1");
	free(before);
	ok("bridge", "DEL", bad);

	const char *result = ok("bridge", "ADD", conf("'isGateway':true," IPAM4));

	ok("bridge", "DEL", conf("'isGateway':true," IPAM4));
	lab_sh("grep -q %s /sys/class/net/br0/address", at(result, "/interfaces/0/mac"));
}

static void an_interface_of_that_name_that_is_no_bridge_is_refused(void **state)
{
	(void)state;
	lease_directory("net1", "10.1.0.0/24");
	lab_sh("ip link add br0 type veth peer vb1");

	char *before = snapshot_take(SNAP, "c1");

	fails(100, "\\\"br0\\\" already exists but is not a bridge", "bridge", "ADD", conf(IPAM4));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void another_address_on_the_bridge_is_refused_unless_forced(void **state)
{
	(void)state;
	const char *other = "'isGateway':true,'ipam':{'type':'host-local','subnet':'10.2.0.0/24'}";

	ok("bridge", "ADD", conf("'isGateway':true," IPAM4));
	lease_directory("net2", "10.2.0.0/24");
	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(100, "\\\"br0\\\" already has an IP address different from 10.2.0.1/24", "bridge",
	      "ADD", conf_of("1.1.0", "net2", other), .cid = "c2", .netns = "c2");
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
	ok("bridge", "ADD", conf_of("1.1.0", "net2", textf("'forceAddress':true,%s", other)),
	   .cid = "c2", .netns = "c2");
	lab_sh("ip -o -4 addr show br0 | grep -q 10.2.0.1/24");
	lab_sh("! ip -o -4 addr show br0 | grep -q 10.1.0.1/24");
}

static void of_ipv6_only_an_overlapping_address_is_in_the_way(void **state)
{
#define V6(net) "'isGateway':true,'ipam':{'type':'host-local','subnet':'" net "'}"
	(void)state;
	ok("bridge", "ADD", conf(V6("fd00:1::/64")));
	ok("bridge", "ADD", conf_of("1.1.0", "net2", V6("fd00:2::/64")), .cid = "c2", .netns = "c2",
	   .ifname = "a0");
	lab_sh("ip -6 addr show br0 | grep -q fd00:1::1/64; ip -6 addr show br0 | grep -q fd00:2::1/64");
	lease_directory("net3", "fd00::/16");

	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(100, "already has an IP address different from fd00::1/16", "bridge", "ADD",
	      conf_of("1.1.0", "net3", V6("fd00::/16")), .cid = "c2", .netns = "c2");
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
	ok("bridge", "ADD", conf_of("1.1.0", "net3", "'forceAddress':true," V6("fd00::/16")),
	   .cid = "c2", .netns = "c2");
	lab_sh("ip -6 addr show br0 | grep -q 'fd00::1/16' && ! ip -6 addr show br0 | grep -q fd00:1::1");
}

static void duplicates_are_waited_for_and_refused(void **state)
{
	const char *c = jsonf("{'cniVersion':'1.0.0','name':'net1','type':'bridge','bridge':'br0',"
			      "'isGateway':true,'enabledad':true,'ipam':{'type':'host-local',"
			      "'ranges':[[{'subnet':'fd00:1::/64'}]]}}");

	(void)state;
	ok("bridge", "ADD", c);
	lab_sh_in("c1", "test -z \"$(ip -6 addr show dev eth0 tentative)\"");
	ok("bridge", "DEL", c);
	/* somebody on the bridge has what is next */
	lab_sh("ip link add vd0 type veth peer name vd1 netns c2; ip link set vd0 up master br0");
	lab_sh_in("c2", "ip link set vd1 up; ip addr add fd00:1::3/64 dev vd1 nodad");
	fails(100, "address fd00:1::3/64 in the container namespace: somebody else", "bridge",
	      "ADD", c);
	lab_sh_in("c1", "! ip link show eth0 2>/dev/null");
	lab_sh("ip link del vd0");
}

static void there_may_be_more_routes_than_fit_into_one_message(void **state)
{
	cleanup_str struct str routes = STR_INIT;
	const char *c;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		str_addf(&routes, "%s{'dst':'172.%u.%u.0/24'}", i ? "," : "", 16 + i / 256,
			 i % 256);
	c = jsonf("{'cniVersion':'1.0.0','name':'net1','type':'bridge','bridge':'br0',"
		  "'isGateway':true,'ipam':{'type':'host-local','subnet':'10.1.0.0/24',"
		  "'routes':[%s]}}",
		  routes.p);
	ok("bridge", "ADD", c);
	lab_sh_in("c1", "test $(ip route | grep -c '^172.*via 10.1.0.1') = 600");
	ok("bridge", "DEL", c);
	/* what is refused far behind is still named */
	fails(999, "add route 172.18.87.0/24 via 172.31.0.1 to eth0", "bridge", "ADD",
	      text_replaced(c, "{\"dst\":\"172.18.87.0/24\"}",
			    "{\"dst\":\"172.18.87.0/24\",\"gw\":\"172.31.0.1\"}"));
}

static void a_bridge_made_by_us_takes_no_routes_from_containers(void **state)
{
	(void)state;
	const char *veth =
		at(ok("bridge", "ADD", conf("'isGateway':true," IPAM46)), "/interfaces/1/name");

	lab_sh("grep -q '^0$' /proc/sys/net/ipv6/conf/br0/accept_ra");
	/* a port has no IPv6 life of its own */
	lab_sh("! ip -6 route | grep -q %s", veth);
}

/* ---- refusals before any change */

static void what_cannot_be_is_refused_before_the_first_change(void **state)
{
	static const struct {
		int code;
		const char *words, *keys, *netns, *ifname;
	} t[] = {
		{ 7, "/hairpinMode: cannot set hairpin mode and promiscuous mode at the same time",
		  "'hairpinMode':true,'promiscMode':true," IPAM4, NULL, NULL },
		{ 4, "is the plugin's own network namespace", IPAM4, "/proc/self/ns/net", NULL },
		{ 3, "no such namespace", IPAM4, "nowhere", NULL },
		{ 7, "not a network namespace", IPAM4, "/proc/self/status", NULL },
		{ 7, "another kind", IPAM4, "/proc/self/ns/uts", NULL },
		{ 7, "not a network namespace", IPAM4, "/dev/null", NULL },
		{ 7, "not a network namespace", IPAM4, "/run", NULL },
		{ 4, "interface name", IPAM4, NULL, "sixteen-and-more" },
		{ 4, "interface name", IPAM4, NULL, "a/b" },
		{ 4, "interface name", IPAM4, NULL, "a:b" },
		{ 4, "interface name", IPAM4, NULL, ".." },
		{ 4, "interface name", IPAM4, NULL, "eth%d" },
		{ 4, "interface name", IPAM4, NULL, "a b" },
		{ 4, "settings of all interfaces", IPAM4, NULL, "all" },
		{ 4, "settings of all interfaces", IPAM4, NULL, "default" },
		{ 7, "/bridge: interface name", "'bridge':'all'," IPAM4, NULL, NULL },
		{ 7, "/bridge: interface name", "'bridge':'../br1'," IPAM4, NULL, NULL },
		{ 100, "(\\\"lo\\\") already exists", IPAM4, NULL, "lo" },
		{ 101, "no IP addresses available in range set: 10.1.0.1-10.1.0.1",
		  "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24',"
		  "'rangeEnd':'10.1.0.1'}]]}",
		  NULL, NULL },
		{ 7, "failed to find plugin", "'ipam':{'type':'no-such-ipam'}", NULL, NULL },
		{ 7, "invalid plugin name", "'ipam':{'type':'../host-local'}", NULL, NULL },
		{ 7, "/ipMasqBackend", "'ipMasq':true,'ipMasqBackend':'ebtables'," IPAM4, NULL,
		  NULL },
		{ 7, "MAC", "'runtimeConfig':{'mac':'nonsense'}," IPAM4, NULL, NULL },
	};

	(void)state;
	lab_sh("ip -n c1 link set lo up");
	lease_directory("net1", "10.1.0.0/24");
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char *before = snapshot_take(SNAP, "c1");

		fails(t[i].code, t[i].words, "bridge", "ADD", conf(t[i].keys), .netns = t[i].netns,
		      .ifname = t[i].ifname);
		assert_untouched(before, SNAP, "c1");
		free(before);
	}
}

static void an_exhausted_pool_is_refused_before_any_link_exists(void **state)
{
	(void)state;
	const char *c = conf("'isGateway':true,'ipMasq':true,'ipam':{'type':'host-local','ranges':"
			     "[[{'subnet':'10.1.0.0/24','rangeStart':'10.1.0.9',"
			     "'rangeEnd':'10.1.0.9'}]]}");

	ok("bridge", "ADD", c);
	lab_sh("ip link del br0");

	char *before = snapshot_take(SNAP, "c1", "c2");

	fails(101, "no IP addresses available in range set: 10.1.0.9-10.1.0.9", "bridge", "ADD", c,
	      .cid = "c2", .netns = "c2");
	assert_untouched(before, SNAP, "c1", "c2");
	free(before);
}

static void an_interface_name_that_the_container_has_is_refused(void **state)
{
	(void)state;
	lease_directory("net1", "10.1.0.0/24");
	lab_sh("ip link add vb0 type veth peer name eth0 netns c1");

	char *before = snapshot_take(SNAP, "c1");

	fails(100, "(\\\"eth0\\\") already exists", "bridge", "ADD", conf(IPAM4));
	fails(100, "(\\\"lo\\\") already exists", "bridge", "ADD", conf(IPAM4), .ifname = "lo");
	assert_untouched(before, SNAP, "c1");
	free(before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_key_does_what_the_reference_documents),
		T(the_bridge_is_cni0_when_the_key_is_missing_or_empty),
		T(without_ipam_the_attachment_is_layer_2_only),
		T(the_result_has_the_references_shape_in_every_version),
		T(the_macs_reported_are_those_of_the_interfaces),
		T(dns_of_the_configuration_replaces_ipams_when_any_field_is_given),
		T(the_mac_comes_from_three_sources_of_which_the_runtimes_wins),
		T(a_bridge_that_exists_is_reused_and_keeps_its_mac),
		T(a_foreign_bridge_is_used_as_it_is),
		T(a_bridge_with_a_mac_of_zeros_is_repaired),
		T(a_failed_first_attachment_does_not_spoil_the_next),
		T(an_interface_of_that_name_that_is_no_bridge_is_refused),
		T(another_address_on_the_bridge_is_refused_unless_forced),
		T(of_ipv6_only_an_overlapping_address_is_in_the_way),
		T(duplicates_are_waited_for_and_refused),
		T(there_may_be_more_routes_than_fit_into_one_message),
		T(a_bridge_made_by_us_takes_no_routes_from_containers),
		T(what_cannot_be_is_refused_before_the_first_change),
		T(an_exhausted_pool_is_refused_before_any_link_exists),
		T(an_interface_name_that_the_container_has_is_refused),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
