// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every plugin, in every version, with every verb: what the specification and the reference's
 * skeleton say about environment, order of checks, gates and the form of answers.
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"
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

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0" };
static const char *const verbs[] = { "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION" };

enum kind { INTERFACE, IPAM, CHAINED };

/* The interface of previous(): its own end of a pair in the container. */
#define LINK \
	"ip link add eth0 netns c1 address 02:00:00:00:00:01 type veth peer vb0;" \
	"ip -n c1 addr add 10.4.0.9/24 dev eth0; ip -n c1 link set eth0 up"

static const struct plugin {
	const char *name, *keys;
	enum kind kind;
	int oldest;	     /* index into versions */
	const char *furnish; /* what is there before, by the shell; goes with vb0 */
	const char *needs;   /* a module that not every kernel has (lab_needs.h) */
} plugins[] = {
	{ "loopback", "'x':0", INTERFACE, 0 },
	{ "bridge", "'bridge':'br0','isGateway':true,'ipMasq':true", INTERFACE, 0 },
	{ "veth", "'ipMasq':true", INTERFACE, 0 },
	{ "ptp", "'mtu':1400", INTERFACE, 0 },
	{ "portmap", "'runtimeConfig':{'portMappings':[{'hostPort':8080,'containerPort':80}]}",
	  CHAINED, 2 },
	{ "masquerade", "'x':0", CHAINED, 2 },
	{ "tuning", "'mtu':1400,'sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1'}", CHAINED, 0,
	  LINK },
	{ "bandwidth",
	  "'ingressRate':8000,'ingressBurst':8000,'egressRate':8000,'egressBurst':8000", CHAINED, 2,
	  LINK },
	{ "sbr", "'x':0", CHAINED, 0, LINK },
	{ "firewall", "'backend':'nftables','ingressPolicy':'open'", CHAINED, 4 },
	{ "macvlan", "'master':'host0','mode':'bridge','linkInContainer':false", INTERFACE, 0,
	  .needs = "macvlan" },
	{ "ipvlan", "'master':'host0','mode':'l2'", INTERFACE, 0, .needs = "ipvlan" },
	{ "vlan", "'master':'host0','vlanId':5", INTERFACE, 0, .needs = "8021q" },
	{ "dummy", "'x':0", INTERFACE, 0, .needs = "dummy" },
	{ "vrf", "'vrfname':'blue','table':7", CHAINED, 2, LINK, "vrf" },
	{ "host-device", "'device':'nic0'", INTERFACE, 0, "ip link add nic0 type veth peer vb0" },
	{ "tap", "'mtu':1400", INTERFACE, 0 },
	{ "host-local", "'x':0", IPAM, 0 },
	{ "static", "'x':0", IPAM, 0 },
	{ "flannel", "'delegate':{'bridge':'br1'}", INTERFACE, 0 },
};

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	lab_sh("ip link add host0 type veth peer host1 && ip link set host0 up");
	lab_sh("mkdir -p /run/flannel && printf 'FLANNEL_NETWORK=10.4.0.0/16\\nFLANNEL_SUBNET="
	       "10.4.0.1/24\\nFLANNEL_MTU=1450\\nFLANNEL_IPMASQ=true\\n' > /run/flannel/subnet.env");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_sh("ip link del host0");
	call_reset_host();
	return 0;
}

/* What a plugin before this one would have said, in the form of the version. */
static const char *previous(int v)
{
	if (v < 2)
		return jsonf("{'cniVersion':'%s','ip4':{'ip':'10.4.0.9/24','gateway':'10.4.0.1'}}",
			     versions[v]);
	if (v < 5)
		return jsonf(
			"{'cniVersion':'%s','interfaces':[{'name':'eth0','mac':"
			"'02:00:00:00:00:01','sandbox':'/run/netns/c1'},{'name':'vb0'}],'ips':[{'version':'4',"
			"'interface':0,'address':'10.4.0.9/24','gateway':'10.4.0.1'}],'dns':{}}",
			versions[v]);
	return jsonf(
		"{'cniVersion':'%s','interfaces':[{'name':'eth0','mac':'02:00:00:00:00:01',"
		"'sandbox':'/run/netns/c1'},{'name':'vb0'}],'ips':[{'interface':0,'address':'10.4.0.9/24',"
		"'gateway':'10.4.0.1'}]}",
		versions[v]);
}

static const char *conf(const struct plugin *p, int v)
{
	const char *c = jsonf("{'cniVersion':'%s','name':'net1','type':'%s',%s,'ipam':{'type':"
			      "'host-local','ranges':[[{'subnet':'10.4.0.0/24'}]],"
			      "'addresses':[{'address':'10.4.0.2/24'}]}}",
			      versions[v], p->name, p->keys);

	return p->kind == CHAINED ? text_keep(json_with(c, "prevResult", previous(v))) : c;
}

/* ---- the whole table */

static int version_since(const char *verb)
{
	return !strcmp(verb, "CHECK") ? 4 : !strcmp(verb, "GC") || !strcmp(verb, "STATUS") ? 6 : 0;
}

static void check_result(const struct plugin *p, int v, const char *result)
{
	char *addresses = json_find(result, v < 2 ? "/ip4/ip" : "/ips/0/address");

	assert_string_equal(at(result, "/cniVersion"), versions[v]);
	if (v < 2 || strstr(p->name, "loopback"))
		assert_non_null(addresses);
	else if (p->kind == CHAINED)
		assert_string_equal(addresses, "10.4.0.9/24");
	else
		assert_string_equal(addresses, "10.4.0.2/24");
	assert_int_equal(strstr(result, "\"dns\": {}") != NULL, v < 5);
	assert_int_equal(strstr(result, "\"version\": \"4\"") != NULL, v >= 2 && v < 5);
	if (v < 2 && p->kind == CHAINED)
		assert_string_equal(addresses, "10.4.0.9/24");
	assert_int_equal(json_count(result, "/interfaces") > 0, v >= 2 && p->kind != IPAM);
	assert_int_equal(strstr(result, "\"interface\": ") != NULL, v >= 2 && p->kind != IPAM);
	assert_int_not_equal(result[strlen(result) - 1], '\n');
	free(addresses);
}

static void make_link(const struct plugin *p)
{
	if (p->furnish)
		lab_sh("%s", p->furnish);
}

static void remove_link(const struct plugin *p)
{
	if (p->furnish)
		lab_sh("ip link del vb0");
}

static void run_verbs(const struct plugin *p, int v)
{
	const char *c = conf(p, v), *result = NULL;
	const char *in_order[] = { "STATUS", "ADD", "CHECK", "GC", "DEL", "DEL" };

	for (size_t i = 0; i < LEN(in_order); i++) {
		const char *verb = in_order[i];

		if (v < p->oldest) {
			fails(1, "incompatible CNI versions", p->name, verb, c);
			continue;
		}
		if (v < version_since(verb)) {
			fails(1, textf("config version does not allow %s", verb), p->name, verb, c);
			continue;
		}
		if (!strcmp(verb, "ADD")) {
			result = ok(p->name, verb, c);
			check_result(p, v, result);
		} else if (!strcmp(verb, "CHECK") || !strcmp(verb, "DEL")) {
			ok(p->name, verb, text_keep(json_with(c, "prevResult", result)));
		} else if (!strcmp(verb, "GC")) {
			ok(p->name, verb,
			   text_keep(json_with(c, "cni.dev/valid-attachments",
					       jsonf("[{'containerID':'c1','ifname':'eth0'}]"))));
			ok(p->name, "CHECK", text_keep(json_with(c, "prevResult", result)));
		} else {
			ok(p->name, verb, c);
		}
	}
}

/*
 * Not without what it needs; and in the virtual machine, which is slow, only what is not outside.
 */
static bool runs_here(const struct plugin *p)
{
	if (lab_in_vm() && (!p->needs || !strcmp(p->needs, "macvlan")))
		return false;
	return !p->needs || lab_has(p->needs);
}

static void every_plugin_speaks_every_version_with_every_verb(void **state)
{
	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++)
		for (int v = 0; v < (int)LEN(versions) && runs_here(&plugins[p]); v++) {
			make_link(&plugins[p]);
			run_verbs(&plugins[p], v);
			remove_link(&plugins[p]);
			lab_sh("rm -rf /var/lib/cni/networks");
		}
}

/* The multi-call program is the same plugins under one roof. */
static void the_multi_call_program_answers_by_name(void **state)
{
	(void)state;
	lab_sh("mkdir -p /run/multi");
	for (size_t p = 0; p < LEN(plugins); p++) {
		struct plugin linked = plugins[p];

		if (!runs_here(&linked))
			continue;
		linked.name = textf("/run/multi/%s", plugins[p].name);
		lab_sh("ln -sf %s/naru-cni %s", lab_bin(), linked.name);
		make_link(&linked);
		run_verbs(&linked, 6);
		remove_link(&linked);
		lab_sh("rm -rf /var/lib/cni/networks");
	}
	lab_sh("rm -r /run/multi");
}

/* ---- VERSION */

static void version_is_one_compact_line_and_reads_no_stdin(void **state)
{
	/* by the oldest that a plugin speaks */
	static const char *const lists[] = {
		[0] = "\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"",
		[2] = "\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"",
		[4] = "\"0.4.0\",\"1.0.0\",\"1.1.0\"",
	};

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++) {
		const char *expected =
			textf("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[%s]}\n",
			      lists[plugins[p].oldest]);

		assert_string_equal(ok(plugins[p].name, "VERSION", "this is not JSON"), expected);
		assert_string_equal(ok(plugins[p].name, "VERSION", ""), expected);
	}
}

static void without_a_command_it_says_what_it_is_on_stderr(void **state)
{
	static const char *const commands[] = { NULL, "" };

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++)
		for (size_t i = 0; i < 2; i++) {
			const struct lab_call c = { .plugin = plugins[p].name,
						    .verb = commands[i] };
			struct lab_result r;

			lab_call(&c, &r);
			assert_int_equal(r.status, 0);
			assert_string_equal(r.out, "");
			assert_int_equal(strncmp(r.err, "CNI ", 4), 0);
			assert_non_null(strstr(r.err, "\nCNI protocol versions supported: 0."));
			assert_non_null(strstr(r.err, "0.4.0, 1.0.0, 1.1.0\n"));
			lab_result_clear(&r);
		}
}

/* ---- environment */

static void all_missing_variables_are_named_together_in_the_references_order(void **state)
{
	static const struct {
		const char *verb, *cid, *netns, *ifname, *path, *missing;
	} t[] = {
		{ "ADD", NULL, NULL, NULL, "", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH" },
		{ "ADD", "c1", NULL, "eth0", "/x", "CNI_NETNS" },
		{ "ADD", "", "/x", "", "/x", "CNI_CONTAINERID,CNI_IFNAME" },
		{ "CHECK", NULL, NULL, NULL, "", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH" },
		{ "DEL", NULL, NULL, NULL, "", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH" },
		{ "DEL", "c1", NULL, NULL, "/x", "CNI_IFNAME" },
		{ "GC", NULL, NULL, NULL, "", "CNI_PATH" },
		{ "STATUS", NULL, NULL, NULL, "", "CNI_PATH" },
	};

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++)
		for (size_t i = 0; i < LEN(t); i++) {
			const struct lab_call c = {
				.plugin = plugins[p].name,
				.verb = t[i].verb,
				.cid = t[i].cid,
				.netns = t[i].netns,
				.ifname = t[i].ifname,
				.path = t[i].path,
				.conf = "not even JSON",
			};
			struct lab_result r;

			lab_call(&c, &r);
			call_refused(plugins[p].name, &r, 4,
				     textf("required env variables [%s] missing", t[i].missing));
			lab_result_clear(&r);
		}
}

static void an_unknown_command_is_refused_after_the_configuration_was_read(void **state)
{
	static const char *const commands[] = { "FROBNICATE", "add", "ADD ", "UPDATE" };

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++) {
		const char *c = conf(&plugins[p], 6);

		for (size_t i = 0; i < LEN(commands); i++)
			fails(4, textf("unknown CNI_COMMAND: %s", commands[i]), plugins[p].name,
			      commands[i], c);
		fails(6, "invalid JSON", plugins[p].name, "FROBNICATE", "{");
		fails(7, "missing network name", plugins[p].name, "FROBNICATE", "{}");
	}
}

/* ---- the order of checks: environment, JSON, name, version, then the plugin's own keys */

static void checks_come_in_the_references_order(void **state)
{
	static const struct {
		const char *conf;
		int code;
		const char *words;
	} t[] = {
		{ "", 6, "invalid JSON" },
		{ "{", 6, "ends too early" },
		{ "[]", 6, "not a JSON object" },
		{ "null", 6, "not a JSON object" },
		{ "{}", 7, "missing network name" },
		{ "{'cniVersion':'9.0.0'}", 7, "missing network name" },
		{ "{'name':''}", 7, "missing network name" },
		{ "{'name':'a b'}", 7, "invalid characters found in network name" },
		{ "{'name':'net','cniVersion':'9.0.0','bridge':5}", 1,
		  "incompatible CNI versions" },
		{ "{'name':'net','cniVersion':'1.0.1'}", 1, "incompatible CNI versions" },
		{ "{'name':'net','cniVersion':'x'}", 6, "" },
		{ "{'name':'net','cniVersion':'1.0.0.0'}", 6, "" },
		{ "{'name':'net','cniVersion':'1.-1.0'}", 6, "" },
		{ "{'name':'net','cniVersion':5}", 7, "/cniVersion" },
	};

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++)
		for (size_t i = 0; i < LEN(t); i++)
			for (size_t v = 0; v < LEN(verbs) - 1; v++)
				fails(t[i].code, t[i].words, plugins[p].name, verbs[v],
				      jsonf("%s", t[i].conf));
}

static void an_incompatible_version_is_told_with_what_is_supported(void **state)
{
	(void)state;
	const char *e = fails(1, "incompatible CNI versions", "bridge", "ADD",
			      jsonf("{'name':'n','cniVersion':'2.0.0'}"));

	assert_string_equal(at(e, "/cniVersion"), "2.0.0");
	assert_non_null(strstr(at(e, "/details"), "config is \\\"2.0.0\\\", plugin supports"));
}

static void a_missing_version_is_the_first_one(void **state)
{
	(void)state;
	const char *c = jsonf("{'name':'net1','type':'bridge','bridge':'br0','ipam':{'type':"
			      "'host-local','subnet':'10.4.0.0/24'}}");
	const char *result = ok("bridge", "ADD", c);

	assert_string_equal(at(result, "/cniVersion"), "0.1.0");
	assert_string_equal(at(result, "/ip4/ip"), "10.4.0.2/24");
	ok("bridge", "DEL", c);
	fails(1, "config version does not allow CHECK", "bridge", "CHECK", c);
}

static void old_versions_have_no_room_for_an_attachment_without_addresses(void **state)
{
	(void)state;
	const char *c =
		jsonf("{'name':'net1','cniVersion':'0.2.0','type':'bridge','bridge':'br0'}");

	char *before = snapshot_take(SNAP, "c1");

	fails(999, "cannot convert: no valid IP addresses", "bridge", "ADD", c);
	assert_untouched(before, SNAP, "c1");
	free(before);
}

/* ---- chaining */

static void a_chained_plugin_needs_a_previous_result_of_its_versions_family(void **state)
{
	static const char *const chained[] = { "portmap", "masquerade" };

	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++) {
		if (plugins[p].kind != CHAINED)
			continue;

		const char *c = conf(&plugins[p], 6);

		fails(7, "must be called as chained plugin", plugins[p].name, "ADD",
		      text_keep(json_with(c, "prevResult", "null")));
		fails(7, "could not parse prevResult", plugins[p].name, "ADD",
		      text_keep(json_with(c, "prevResult", previous(4))));
		if (!runs_here(&plugins[p]))
			continue;
		make_link(&plugins[p]);
		ok(plugins[p].name, "ADD", text_keep(json_with(c, "prevResult", previous(5))));
		ok(plugins[p].name, "DEL", text_keep(json_with(c, "prevResult", "null")));
		remove_link(&plugins[p]);
	}
	for (size_t i = 0; i < 2; i++)
		fails(7, "Required prevResult missing", chained[i], "CHECK",
		      jsonf("{'cniVersion':'1.1.0','name':'n'}"));
}

/* The library probes with made-up variables and a bare version on stdin. */
static void the_runtimes_version_probe_is_answered(void **state)
{
	(void)state;
	for (size_t p = 0; p < LEN(plugins); p++) {
		const struct lab_call c = {
			.plugin = plugins[p].name,
			.verb = "VERSION",
			.netns = "dummy",
			.ifname = "dummy",
			.path = "dummy",
			.conf = "{\"cniVersion\":\"1.1.0\"}",
		};
		struct lab_result r;

		lab_call(&c, &r);
		assert_int_equal(r.status, 0);
		assert_string_equal(at(r.out, "/cniVersion"), "1.1.0");
		lab_result_clear(&r);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_plugin_speaks_every_version_with_every_verb),
		T(the_multi_call_program_answers_by_name),
		T(version_is_one_compact_line_and_reads_no_stdin),
		T(without_a_command_it_says_what_it_is_on_stderr),
		T(all_missing_variables_are_named_together_in_the_references_order),
		T(an_unknown_command_is_refused_after_the_configuration_was_read),
		T(checks_come_in_the_references_order),
		T(an_incompatible_version_is_told_with_what_is_supported),
		T(a_missing_version_is_the_first_one),
		T(old_versions_have_no_room_for_an_attachment_without_addresses),
		T(a_chained_plugin_needs_a_previous_result_of_its_versions_family),
		T(the_runtimes_version_probe_is_answered),
	};

	/* what comes after the first is the skeleton's doing, on any kernel */
	return _cmocka_run_group_tests("tests", tests, lab_in_vm() ? 1 : LEN(tests), lab_setup,
				       NULL);
}
