// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define REFERENCE "/usr/lib/cni/static"
#define OURS "static"

/* A configuration: what stands in ipam, and beside it. */
static const char *conf(const char *version, const char *ipam, const char *outer)
{
	return jsonf("{'cniVersion':'%s','name':'net','type':'bridge','bridge':'br0',"
		     "'ipam':{'type':'static'%s}%s}",
		     version, ipam, outer);
}

#define TWO ",'addresses':[{'address':'10.0.0.2/24','gateway':'10.0.0.1'},{'address':'fd00::2/64'}]"

/* ---- whose addresses */

static const struct source {
	const char *ipam, *outer, *args;
	const char *address[3], *gateway[3];
} sources[] = {
	{ TWO, "", "", { "10.0.0.2/24", "fd00::2/64" }, { "10.0.0.1" } },
	{ "", "", "IP=10.0.0.5/24", { "10.0.0.5/24" }, { NULL } },
	{ "",
	  "",
	  "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.0.0.5/24, fd00::5/64;GATEWAY=fd00::1,10.0.0.1",
	  { "10.0.0.5/24", "fd00::5/64" },
	  { "10.0.0.1", "fd00::1" } },
	/* both together; a gateway of CNI_ARGS is for the addresses of CNI_ARGS */
	{ TWO,
	  "",
	  "IP=10.0.0.5/24;GATEWAY=10.0.0.254",
	  { "10.0.0.2/24", "fd00::2/64", "10.0.0.5/24" },
	  { "10.0.0.1", NULL, "10.0.0.254" } },
	{ "", "", "IP=10.0.0.5/24;GATEWAY=10.9.0.1", { "10.0.0.5/24" }, { NULL } },
	/* args replaces both, the runtime replaces args */
	{ TWO,
	  ",'args':{'cni':{'ips':['10.0.0.7/24']}}",
	  "IP=10.0.0.5/24",
	  { "10.0.0.7/24" },
	  { NULL } },
	{ TWO, ",'args':{'cni':{'ips':[]}}", "", { "10.0.0.2/24", "fd00::2/64" }, { "10.0.0.1" } },
	{ TWO,
	  ",'args':{'cni':{'ips':['10.0.0.7/24']}},'runtimeConfig':{'ips':['10.0.0.8/24','10.0.1.8/24']}",
	  "IP=10.0.0.5/24",
	  { "10.0.0.8/24", "10.0.1.8/24" },
	  { NULL } },
	/* nothing at all is no error of ours */
	{ "", "", "", { NULL }, { NULL } },
};

static void check_source(const struct source *s, const char *result)
{
	for (size_t i = 0; i < LEN(s->address); i++) {
		char *address = json_find(result, textf("/ips/%zu/address", i));
		char *gateway = json_find(result, textf("/ips/%zu/gateway", i));

		assert_string_equal(address ? address : "", s->address[i] ? s->address[i] : "");
		assert_string_equal(gateway ? gateway : "", s->gateway[i] ? s->gateway[i] : "");
		free(address);
		free(gateway);
	}
}

static void addresses_come_from_four_places_with_the_references_precedence(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(sources); i++) {
		const struct source *s = &sources[i];
		const char *c = conf("0.4.0", s->ipam, s->outer);
		const char *ours = ok(OURS, "ADD", c, .args = s->args);

		check_source(s, ours);
		if (access(REFERENCE, X_OK) == 0)
			assert_string_equal(ok(REFERENCE, "ADD", c, .args = s->args), ours);
	}
}

static void routes_and_dns_are_handed_on_with_every_key(void **state)
{
	(void)state;
	const char *result = ok(
		OURS, "ADD",
		conf("1.1.0",
		     TWO
		     ",'routes':[{'dst':'0.0.0.0/0','mtu':1400,'advmss':1360,'priority':7,"
		     "'table':0,'scope':0},{'dst':'10.9.0.0/16','gw':'10.0.0.1'},{'dst':'10.9.0.0/16',"
		     "'gw':'10.0.0.3'}],'dns':{'nameservers':['192.0.2.1'],'domain':'a.example',"
		     "'search':['b.example'],'options':['ndots:5']}",
		     ",'dns':{'nameservers':['198.51.100.9']}"));
	static const struct {
		const char *path, *value;
	} want[] = {
		{ "/routes/0/mtu", "1400" },	 { "/routes/0/advmss", "1360" },
		{ "/routes/0/priority", "7" },	 { "/routes/0/table", "0" },
		{ "/routes/0/scope", "0" },	 { "/routes/1/gw", "10.0.0.1" },
		{ "/routes/2/gw", "10.0.0.3" },	 { "/dns/nameservers/0", "192.0.2.1" },
		{ "/dns/domain", "a.example" },	 { "/dns/search/0", "b.example" },
		{ "/dns/options/0", "ndots:5" },
	};

	for (size_t i = 0; i < LEN(want); i++)
		assert_string_equal(at(result, want[i].path), want[i].value);
}

/* ---- what is refused */

static void a_wrong_configuration_is_refused_in_the_references_words(void **state)
{
	static const struct {
		const char *version, *ipam, *outer, *args;
		int code;
		const char *words;
	} cases[] = {
		{ "1.1.0", ",'addresses':[{'address':'10.0.0.2'}]", "", "", 7,
		  "/ipam/addresses/0/address: the 'address' field is expected to be in CIDR notation, "
		  "got: '10.0.0.2'" },
		{ "1.1.0", ",'addresses':[{'address':'10.0.0.2/24'},{'gateway':'10.0.0.1'}]", "",
		  "", 7,
		  "/ipam/addresses/1/address: the 'address' field is expected to be in CIDR notation, "
		  "got: ''" },
		{ "1.1.0", ",'addresses':[{'address':'10.0.0.2/24','gateway':'x'}]", "", "", 7,
		  "/ipam/addresses/0/gateway: expected an address, got string" },
		{ "1.1.0", ",'addresses':{}", "", "", 7,
		  "/ipam/addresses: expected array of objects, got object" },
		{ "1.1.0", "", "", "IP=10.0.0.5", 4,
		  "CNI_ARGS: the 'ip' field is expected to be in CIDR notation, got: '10.0.0.5'" },
		{ "1.1.0", "", "", "IP=10.0.0.5/24;GATEWAY=10.0.0.x", 4,
		  "CNI_ARGS: invalid gateway address: 10.0.0.x" },
		{ "1.1.0", TWO, "", "MAC=02:00:00:00:00:01", 4,
		  "ARGS: unknown args [\\\"MAC=02:00:00:00:00:01\\\"]; IgnoreUnknown=1 accepts them" },
		{ "1.1.0", TWO, ",'args':{'cni':{'ips':['10.0.0.7']}}", "", 7,
		  "/args/cni/ips/0: an entry in the 'ips' field is NOT in CIDR notation, got: "
		  "'10.0.0.7'" },
		{ "1.1.0", TWO, ",'runtimeConfig':{'ips':['10.0.0.7/24','x']}", "", 7,
		  "/runtimeConfig/ips/1: an entry in the 'ips' field is NOT in CIDR notation, got: "
		  "'x'" },
		{ "1.1.0", ",'routes':[{'gw':'10.0.0.1'}]", "", "", 7,
		  "/ipam/routes/0: expected \\\"dst\\\"" },
		{ "1.1.0", ",'dns':{'nameservers':'x'}", "", "", 7, "/ipam/dns/nameservers: " },
		{ "0.2.0", ",'addresses':[{'address':'10.0.0.2/24'},{'address':'10.0.1.2/24'}]", "",
		  "", 7, "CNI version 0.2.0 does not support more than 1 address per family" },
		{ "0.2.0", "", "", "", 999, "cannot convert: no valid IP addresses" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		fails(cases[i].code, cases[i].words, OURS, "ADD",
		      conf(cases[i].version, cases[i].ipam, cases[i].outer), .args = cases[i].args);
	fails(7, "/ipam: IPAM config missing 'ipam' key", OURS, "ADD",
	      jsonf("{'cniVersion':'1.1.0','name':'net'}"));
}

/* ---- the other verbs */

static void del_and_gc_need_nothing_and_change_nothing(void **state)
{
	const char *broken = conf("1.1.0", ",'addresses':[{'address':'x'}]", "");
	char *before = snapshot_take(SNAPSHOT_ALL);

	(void)state;
	ok(OURS, "ADD", conf("1.1.0", TWO, ""));
	ok(OURS, "DEL", conf("1.1.0", TWO, ""));
	ok(OURS, "DEL", broken, .args = "MAC=x", .netns = "");
	ok(OURS, "GC", text_keep(json_with(broken, "cni.dev/valid-attachments", "[]")));
	ok(OURS, "STATUS", conf("1.1.0", TWO, ""));
	fails(7, "/ipam/addresses/0/address", OURS, "STATUS", broken);
	assert_untouched(before, SNAPSHOT_ALL);
	free(before);
}

/* The reference passes when an address is missing. */
static void check_compares_addresses_and_gateways_with_prevresult(void **state)
{
	const char *c = conf("1.1.0", TWO, "");
	static const struct {
		const char *ips, *words;
	} cases[] = {
		{ "[{'address':'10.0.0.2/24','gateway':'10.0.0.1'},{'address':'fd00::2/64'}]",
		  NULL },
		{ "[{'address':'fd00::2/64','gateway':'fd00::1'},{'address':'10.0.0.9/24'},"
		  "{'address':'10.0.0.2/24','gateway':'10.0.0.1'}]",
		  NULL },
		{ "[{'address':'10.0.0.2/24','gateway':'10.0.0.1'}]",
		  "static: Failed to match addr fd00::2/64 on interface eth0: expected it in "
		  "prevResult, found 1 other addresses" },
		{ "[{'address':'10.0.0.2/16','gateway':'10.0.0.1'},{'address':'fd00::2/64'}]",
		  "static: Failed to match addr 10.0.0.2/24 on interface eth0: expected it in "
		  "prevResult, found 2 other addresses" },
		{ "[{'address':'10.0.0.2/24','gateway':'10.0.0.9'},{'address':'fd00::2/64'}]",
		  "static: Failed to match addr 10.0.0.2/24 on interface eth0: expected gateway "
		  "10.0.0.1, found 10.0.0.9" },
		{ "[{'address':'10.0.0.2/24'},{'address':'fd00::2/64'}]",
		  "static: Failed to match addr 10.0.0.2/24 on interface eth0: expected gateway "
		  "10.0.0.1, found none" },
	};

	(void)state;
	fails(7, "Required prevResult missing", OURS, "CHECK", c);
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *prev = jsonf("{'cniVersion':'1.1.0','ips':%s}", cases[i].ips);
		const char *with = text_keep(json_with(c, "prevResult", prev));

		if (cases[i].words)
			fails(102, cases[i].words, OURS, "CHECK", with);
		else
			ok(OURS, "CHECK", with);
	}
}

/* ---- beneath an interface plugin, in process */

static void bridge_gives_the_container_its_static_addresses(void **state)
{
	const char *c =
		conf("1.1.0", TWO ",'routes':[{'dst':'0.0.0.0/0'}]",
		     ",'isGateway':true,'runtimeConfig':{'ips':['10.0.0.8/24','10.0.1.8/24']}");

	(void)state;
	lab_netns_new("c1");
	const char *result = ok("bridge", "ADD", c);

	assert_string_equal(at(result, "/ips/0/address"), "10.0.0.8/24");
	assert_string_equal(at(result, "/ips/1/address"), "10.0.1.8/24");
	lab_sh_in("c1", "ip -o addr show eth0 | grep -qF 10.0.0.8/24");
	lab_sh_in("c1", "ip -o addr show eth0 | grep -qF 10.0.1.8/24");
	ok("bridge", "CHECK", text_keep(json_with(c, "prevResult", result)));
	ok("bridge", "DEL", c);
	fails(999, "IPAM plugin returned missing IP config: static gave no address", "bridge",
	      "ADD", conf("1.1.0", "", ""));
	lab_netns_del("c1");
	call_reset_host();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_from_four_places_with_the_references_precedence),
		cmocka_unit_test(routes_and_dns_are_handed_on_with_every_key),
		cmocka_unit_test(a_wrong_configuration_is_refused_in_the_references_words),
		cmocka_unit_test(del_and_gc_need_nothing_and_change_nothing),
		cmocka_unit_test(check_compares_addresses_and_gateways_with_prevresult),
		cmocka_unit_test(bridge_gives_the_container_its_static_addresses),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
