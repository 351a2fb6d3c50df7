// SPDX-License-Identifier: GPL-2.0-or-later
/* Network lists as they are read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/netlist.h"
#include "tests/lib/chainlab.h"

static void a_wrong_list_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[]", "error parsing configuration list: expected an object" },
		{ "{",
		  "error parsing configuration list: invalid JSON at offset 1: the document ends too early" },
		{ "{\"plugins\":[{\"type\":\"a\"}]}",
		  "/name: error parsing configuration list: no name" },
		{ "{\"name\":5}",
		  "error parsing configuration list: /name: expected string, got integer 5" },
		{ "{\"name\":\"a/b\",\"plugins\":[{\"type\":\"a\"}]}",
		  "/name: expected letters, digits, '_', '.' and '-', first a letter or digit, got \"a/b\"" },
		{ "{\"name\":\"n\"}", "/plugins: no plugin configs found" },
		{ "{\"name\":\"n\",\"plugins\":[]}", "/plugins: the list is empty" },
		{ "{\"name\":\"n\",\"plugins\":{}}", "/plugins: expected array of objects" },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"a\"},{}]}",
		  "/plugins/1: missing 'type'" },
		{ "{\"name\":\"n\",\"loadOnlyInlinedPlugins\":true}",
		  "/loadOnlyInlinedPlugins: is true, and there is no 'plugins' key" },
		{ "{\"name\":\"n\",\"disableCheck\":\"maybe\"}",
		  "error parsing configuration list: /disableCheck: expected true or false, got string \"maybe\"" },
		{ "{\"name\":\"n\",\"cniVersion\":\"9.0.0\"}",
		  "error parsing configuration list: incompatible CNI versions" },
		{ "{\"name\":\"n\",\"cniVersions\":[\"x\"]}",
		  "error parsing configuration list: /cniVersions: failed to parse cniVersion \"x\": expected numbers like 1.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_netlist struct netlist n = NETLIST_INIT;
		struct err e = ERR_INIT;

		assert_true(netlist_parse(cases[i].text, strlen(cases[i].text), &n, &e) < 0);
		if (!strstr(e.text, cases[i].error))
			assert_string_equal(e.text, cases[i].error);
	}
}

static void the_newest_version_we_know_is_chosen(void **state)
{
	static const struct {
		const char *keys;
		enum cni_version version;
	} cases[] = {
		{ "", CNI_V_0_1_0 },
		{ "\"cniVersion\":\"0.4.0\",", CNI_V_0_4_0 },
		{ "\"cniVersion\":\"0.4.0\",\"cniVersions\":[\"0.3.1\",\"1.0.0\"],", CNI_V_1_0_0 },
		{ "\"cniVersion\":\"1.1.0\",\"cniVersions\":[\"0.3.1\"],", CNI_V_1_1_0 },
		{ "\"cniVersion\":\"1.0.0\",\"cniVersions\":[\"2.0.0\"],", CNI_V_1_0_0 },
		{ "\"cniVersions\":[\"0.3.0\",\"2.0.0\"],", CNI_V_0_3_0 },
		{ "\"cniVersion\":\"2.0.0\",\"cniVersions\":[\"1.0.0\"],", CNI_V_1_0_0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text =
			str_fmt("{%s\"name\":\"n\",\"plugins\":[{\"type\":\"a\"}]}", cases[i].keys);
		cleanup_netlist struct netlist n = NETLIST_INIT;

		chainlab_parse(text, &n);
		assert_int_equal(n.version, cases[i].version);
	}
}

static void switches_may_be_strings(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	chainlab_parse(
		"{\"name\":\"n\",\"disableCheck\":\"TRUE\",\"disableGC\":\"false\",\"loadOnlyInlinedPlugins\":true,"
		"\"plugins\":[{\"type\":\"a\"}]}",
		&n);
	assert_true(n.disable_check);
	assert_false(n.disable_gc);
	assert_true(n.only_inlined);
}

static void a_single_configuration_becomes_a_list_of_one(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	chainlab_parse("{\"type\":\"bridge\",\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"mtu\":9000}",
		       &n);
	assert_int_equal(n.nplugins, 1);
	assert_string_equal(n.plugins[0].type, "bridge");
	assert_string_equal(
		n.text,
		"{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"plugins\":[{\"cniVersion\":\"0.4.0\",\"mtu\":9000,"
		"\"name\":\"n\",\"type\":\"bridge\"}]}");
}

static void the_directory_is_searched_as_libcni_does(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT, single = NETLIST_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_true(netlist_load(chainlab_at("conf"), "net", &n, &e) < 0);
	assert_string_equal(e.text + strlen("no net configurations found in "),
			    chainlab_at("conf"));
	chainlab_put("conf/20.conflist", CHAINLAB_LIST("1.1.0", ""));
	chainlab_put(
		"conf/10.conflist",
		"{\"name\":\"other\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"a\"}]}");
	chainlab_put(
		"conf/30.conflist",
		"{\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"shadowed\"}]}");
	chainlab_put("conf/05.conf",
		     "{\"name\":\"solo\",\"cniVersion\":\"1.0.0\",\"type\":\"bridge\"}");
	chainlab_put("conf/ignored.txt", "not JSON");
	assert_int_equal(mkdir(chainlab_at("conf/net"), 0755), 0);
	chainlab_put("conf/net/b.conf", "{\"type\":\"later\"}");
	chainlab_put("conf/net/a.conf", "{\"type\":\"early\"}");
	assert_int_equal(netlist_load(chainlab_at("conf"), "net", &n, &e), 0);
	assert_int_equal(n.nplugins, 5);
	assert_string_equal(n.plugins[3].type, "early");
	assert_string_equal(n.plugins[4].type, "later");
	assert_string_equal(n.file, chainlab_at("conf/20.conflist"));
	assert_int_equal(netlist_load(chainlab_at("conf"), "solo", &single, &e), 0);
	assert_string_equal(single.plugins[0].type, "bridge");
	assert_int_equal(netlist_load(chainlab_at("conf"), "nat", &single, &e), -ENOENT);
	cleanup_free char *want = str_fmt(
		"no net configuration with name \"nat\" in %s; networks there: other, net, net, solo",
		chainlab_at("conf"));
	assert_string_equal(e.text, want);
}

static void only_inlined_plugins_are_taken_when_the_list_says_so(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	chainlab_put("conf/1.conflist", CHAINLAB_LIST("1.1.0", "\"loadOnlyInlinedPlugins\":true,"));
	assert_int_equal(mkdir(chainlab_at("conf/net"), 0755), 0);
	chainlab_put("conf/net/a.conf", "{\"type\":\"early\"}");
	assert_int_equal(netlist_load(chainlab_at("conf"), "net", &n, NULL), 0);
	assert_int_equal(n.nplugins, 3);
}

static void a_broken_file_met_on_the_way_is_named(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct err e = ERR_INIT;

	(void)state;
	chainlab_put("conf/1.conflist", "{");
	chainlab_put("conf/2.conflist", CHAINLAB_LIST("1.1.0", ""));
	assert_true(netlist_load(chainlab_at("conf"), "net", &n, &e) < 0);
	cleanup_free char *want = str_fmt(
		"%s: error parsing configuration list: invalid JSON at offset 1: the document ends too early",
		chainlab_at("conf/1.conflist"));
	assert_string_equal(e.text, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_list_is_refused_with_its_place),
		cmocka_unit_test(the_newest_version_we_know_is_chosen),
		cmocka_unit_test(switches_may_be_strings),
		cmocka_unit_test(a_single_configuration_becomes_a_list_of_one),
		CHAINLAB(the_directory_is_searched_as_libcni_does),
		CHAINLAB(only_inlined_plugins_are_taken_when_the_list_says_so),
		CHAINLAB(a_broken_file_met_on_the_way_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
