// SPDX-License-Identifier: GPL-2.0-or-later
/* Chains of plugins as they run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/netlist.h"
#include "tests/lib/chainlab.h"

static void add_runs_the_chain_and_hands_results_on(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	cleanup_doc struct doc caps = DOC_INIT;
	struct netlist_rt rt = chainlab_attachment();
	static const char given[] =
		"{\"portMappings\":[{\"hostPort\":80}],\"mac\":\"02:00:00:00:00:01\",\"ips\":[]}";
	const struct netlist_arg args[] = { { "IgnoreUnknown", "1" }, { "K", "v" } };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(doc_parse(&caps, given, strlen(given), NULL), 0);
	rt.caps = caps.root;
	rt.args = args;
	rt.nargs = 2;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, &e), 0);
	assert_int_equal(res.nifaces, 1);
	assert_string_equal(res.ifaces[0].name, "three0");
	chainlab_log(
		"one ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\ntwo ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\n"
		"three ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\n");
	chainlab_file(
		"one.ADD.in",
		"{\"capabilities\":{\"mac\":false,\"portMappings\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\","
		"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":80}]},\"type\":\"one\"}");
	chainlab_file(
		"two.ADD.in",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":"
		"[{\"name\":\"one0\"}],\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	chainlab_file(
		"three.ADD.in",
		"{\"capabilities\":{\"mac\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":"
		"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"two0\"}]},\"runtimeConfig\":"
		"{\"mac\":\"02:00:00:00:00:01\"},\"type\":\"three\"}");
}

static void a_result_of_another_version_is_converted(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_put(
		"one.ADD.out",
		"{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.2/24\"}]}");
	chainlab_put("two.ADD.out", "null");
	chainlab_parse(CHAINLAB_LIST("1.0.0", ""), &n);
	if (netlist_add(&n, &rt, &res, &e) < 0)
		fail_msg("%s", e.text);
	chainlab_file(
		"two.ADD.in",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.0.0\","
		"\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	chainlab_file("three.ADD.in",
		      "{\"capabilities\":{\"mac\":true},\"cniVersion\":\"1.0.0\",\"name\":\"net\","
		      "\"prevResult\":{\"cniVersion\":\"1.0.0\"},\"type\":\"three\"}");
}

static void an_add_that_fails_half_way_is_undone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_put("two.ADD.fail",
		     "{\"code\":100,\"msg\":\"host port 80 is taken\",\"details\":\"by web\"}");
	chainlab_put("one.DEL.fail", "{\"code\":5,\"msg\":\"disk on fire\"}");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	assert_int_equal(e.code, 100);
	assert_string_equal(
		e.text, "plugin type=\"two\" name=\"second\" failed (add): host port 80 is taken");
	assert_string_equal(
		e.details,
		"by web; undoing it failed too: plugin type=\"one\" failed (delete): disk on fire");
	chainlab_log(CHAINLAB_LINE("one", "ADD") CHAINLAB_LINE("two", "ADD")
			     CHAINLAB_LINE("two", "DEL") CHAINLAB_LINE("one", "DEL"));
	chainlab_file(
		"two.DEL.in",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":"
		"[{\"name\":\"one0\"}],\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	assert_int_equal(access(chainlab_at("results/net-c1-eth0"), F_OK), -1);
}

static void a_plugin_that_refuses_add_and_del_in_the_same_words_did_nothing(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT, del = ERR_INIT;

	(void)state;
	chainlab_put("two.ADD.fail", "{\"code\":7,\"msg\":\"/mtu: expected a number\"}");
	chainlab_put("two.DEL.fail", "{\"code\":7,\"msg\":\"/mtu: expected a number\"}");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"two\" name=\"second\" failed (add): "
				    "/mtu: expected a number");
	assert_string_equal(e.details, "");
	assert_true(netlist_del(&n, &rt, NULL) < 0);
	rt.failed_add = &e;
	assert_int_equal(netlist_del(&n, &rt, &del), 0);
	chainlab_put("one.DEL.fail", "{\"code\":5,\"msg\":\"/mtu: expected a number\"}");
	assert_true(netlist_del(&n, &rt, &del) < 0); /* another plugin's words */
	assert_string_equal(del.text,
			    "plugin type=\"one\" failed (delete): /mtu: expected a number");
}

static void a_second_add_that_fails_leaves_the_first_attachment_alone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 }, again = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	chainlab_put("one.ADD.fail", "{\"code\":100,\"msg\":\"eth0 is there already\"}");
	(void)unlink(chainlab_at("log"));
	assert_true(netlist_add(&n, &rt, &again, &e) < 0);
	chainlab_log(CHAINLAB_LINE("one", "ADD"));
	assert_int_equal(access(chainlab_at("results/net-c1-eth0"), F_OK), 0);
}

static void a_result_that_cannot_be_cached_is_undone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_put("results", "a file where the directory should be");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	chainlab_log(CHAINLAB_LINE("one", "ADD") CHAINLAB_LINE("two", "ADD")
			     CHAINLAB_LINE("three", "ADD") CHAINLAB_LINE("three", "DEL")
				     CHAINLAB_LINE("two", "DEL") CHAINLAB_LINE("one", "DEL"));
}

static void a_killed_plugin_and_bad_answers_are_told(void **state)
{
	static const struct {
		const char *file, *text, *error;
	} cases[] = {
		{ "two.ADD.kill", "", "plugin type=\"two\" name=\"second\" failed (add): " },
		{ "two.ADD.out", "hello",
		  "plugin type=\"two\" name=\"second\" failed (add): its result: invalid JSON" },
		{ "two.ADD.out", "[1]",
		  "plugin type=\"two\" name=\"second\" failed (add): its result: expected a JSON object, got [1]" },
		{ "two.ADD.out", "{\"cniVersion\":\"7\"}",
		  "plugin type=\"two\" name=\"second\" failed (add): its result: incompatible CNI versions" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_netlist struct netlist n = NETLIST_INIT;
		cleanup_result struct cni_result res = { 0 };
		struct netlist_rt rt = chainlab_attachment();
		struct err e = ERR_INIT;

		chainlab_put(cases[i].file, cases[i].text);
		chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
		assert_true(netlist_add(&n, &rt, &res, &e) < 0);
		if (strncmp(e.text, cases[i].error, strlen(cases[i].error)))
			assert_string_equal(e.text, cases[i].error);
		if (i == 0)
			assert_non_null(strstr(e.text, "signal"));
		(void)unlink(chainlab_at(cases[i].file));
	}
}

static void del_goes_on_after_an_error_and_keeps_the_cache_until_all_is_done(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	(void)unlink(chainlab_at("log"));
	chainlab_put("two.DEL.fail", "{\"code\":11,\"msg\":\"busy\"}");
	assert_true(netlist_del(&n, &rt, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"two\" name=\"second\" failed (delete): busy");
	assert_int_equal(e.code, 11);
	chainlab_log(CHAINLAB_LINE("three", "DEL") CHAINLAB_LINE("two", "DEL")
			     CHAINLAB_LINE("one", "DEL"));
	assert_int_equal(access(chainlab_at("results/net-c1-eth0"), F_OK), 0);
	(void)unlink(chainlab_at("two.DEL.fail"));
	assert_int_equal(netlist_del(&n, &rt, &e), 0);
	chainlab_file(
		"one.DEL.in",
		"{\"capabilities\":{\"mac\":false,\"portMappings\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\","
		"\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"three0\"}]},\"type\":\"one\"}");
	assert_int_equal(access(chainlab_at("results/net-c1-eth0"), F_OK), -1);
	(void)unlink(chainlab_at("log"));
	assert_int_equal(netlist_del(&n, &rt, &e), 0); /* twice, and without a cached result */
	chainlab_log(CHAINLAB_LINE("three", "DEL") CHAINLAB_LINE("two", "DEL")
			     CHAINLAB_LINE("one", "DEL"));
}

static void del_before_0_4_gets_no_previous_result(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();

	(void)state;
	chainlab_put("one.ADD.out", "{}");
	chainlab_put("two.ADD.out", "{}");
	chainlab_put("three.ADD.out",
		     "{\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.2/24\"}]}");
	chainlab_parse(CHAINLAB_LIST("0.3.1", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	assert_int_equal(netlist_del(&n, &rt, NULL), 0);
	chainlab_file("two.DEL.in", "{\"cniVersion\":\"0.3.1\",\"name\":\"net\",\"type\":\"two\"}");
}

static void check_needs_a_version_and_a_cached_result(void **state)
{
	cleanup_netlist struct netlist old = NETLIST_INIT, n = NETLIST_INIT, off = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("0.3.1", ""), &old);
	assert_int_equal(netlist_check(&old, &rt, &e), -ENOTSUP);
	assert_string_equal(e.text,
			    "configuration version \"0.3.1\" does not support CHECK command");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_int_equal(netlist_check(&n, &rt, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"network \"net\" has no cached result for container c1 and interface eth0: it was never added, or "
		"is deleted");
	chainlab_parse(CHAINLAB_LIST("1.1.0", "\"disableCheck\":true,"), &off);
	assert_int_equal(netlist_check(&off, &rt, &e), 0);
	chainlab_log("");
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	(void)unlink(chainlab_at("log"));
	assert_int_equal(netlist_check(&n, &rt, &e), 0);
	chainlab_log(CHAINLAB_LINE("one", "CHECK") CHAINLAB_LINE("two", "CHECK")
			     CHAINLAB_LINE("three", "CHECK"));
	chainlab_put("two.CHECK.fail", "{\"code\":102,\"msg\":\"expected up, found down\"}");
	assert_true(netlist_check(&n, &rt, &e) < 0);
	assert_string_equal(
		e.text,
		"plugin type=\"two\" name=\"second\" failed (check): expected up, found down");
	chainlab_log(CHAINLAB_LINE("one", "CHECK") CHAINLAB_LINE("two", "CHECK"));
}

static void gc_deletes_what_is_not_valid_and_tells_every_plugin(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT, off = NETLIST_INIT;
	struct netlist_rt rt = chainlab_attachment();
	const struct cni_attachment valid[] = { { "c1", "eth0" } };
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	for (int i = 1; i <= 2; i++) {
		cleanup_result struct cni_result res = { 0 };

		rt.container = i == 1 ? "c1" : "c2";
		assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	}
	chainlab_put("results/net-c3-eth0", ""); /* what a crash of libcni leaves */
	chainlab_put("results/other-c2-eth0",
		     "{\"kind\":\"cniCacheV1\",\"networkName\":\"other\"}");
	(void)unlink(chainlab_at("log"));
	chainlab_parse(CHAINLAB_LIST("1.1.0", "\"disableGC\":true,"), &off);
	assert_int_equal(netlist_gc(&off, &rt, valid, 1, &e), 0);
	chainlab_log("");
	chainlab_put("one.GC.fail", "{\"code\":5,\"msg\":\"no\"}");
	assert_true(netlist_gc(&n, &rt, valid, 1, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"one\" failed (GC): no");
	chainlab_log(
		"three DEL c2 /run/netns/x eth0 \ntwo DEL c2 /run/netns/x eth0 \none DEL c2 /run/netns/x eth0 \n"
		"one GC    \ntwo GC    \nthree GC    \n");
	chainlab_file(
		"two.GC.in",
		"{\"cni.dev/attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}],"
		"\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}],"
		"\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"two\"}");
	assert_int_equal(access(chainlab_at("results/net-c1-eth0"), F_OK), 0);
	assert_int_equal(access(chainlab_at("results/net-c2-eth0"), F_OK), -1);
	assert_int_equal(access(chainlab_at("results/net-c3-eth0"), F_OK), -1);
	assert_int_equal(access(chainlab_at("results/other-c2-eth0"), F_OK), 0);
}

static void gc_says_that_it_cannot_read_the_cache_and_tells_the_plugins(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	(void)rmdir(chainlab_at("results"));
	chainlab_put("results", "a file");
	assert_true(netlist_gc(&n, &rt, NULL, 0, &e) < 0);
	assert_non_null(strstr(e.text, "results: Not a directory"));
	chainlab_log("one GC    \ntwo GC    \nthree GC    \n");
	(void)unlink(chainlab_at("results"));
}

static void status_stops_at_the_first_plugin_that_is_not_ready(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT, old = NETLIST_INIT;
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.0.0", ""), &old);
	assert_int_equal(netlist_status(&old, &rt, &e), 0);
	chainlab_log("");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	chainlab_put("two.STATUS.fail", "{\"code\":50,\"msg\":\"pool is empty\"}");
	assert_true(netlist_status(&n, &rt, &e) < 0);
	assert_int_equal(e.code, 50);
	assert_string_equal(e.text,
			    "plugin type=\"two\" name=\"second\" failed (status): pool is empty");
	chainlab_log("one STATUS    \ntwo STATUS    \n");
}

static void a_missing_plugin_is_named_before_anything_runs(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"one\"},"
		"{\"type\":\"absent\"}]}";
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = chainlab_attachment();
	struct err e = ERR_INIT;

	(void)state;
	chainlab_parse(text, &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	cleanup_free char *want = str_fmt(
		"plugin type=\"absent\" failed (add): failed to find plugin \"absent\" in path [%s]; install it there or "
		"correct the type",
		chainlab_dir());
	assert_string_equal(e.text, want);
	chainlab_log("");
}

static void ids_are_checked_before_anything_runs(void **state)
{
	static const struct {
		const char *container, *ifname, *error;
	} cases[] = {
		{ "", "eth0",
		  "container id \"\": expected letters, digits, '_', '.' and '-', first a letter or digit" },
		{ "../x", "eth0",
		  "container id \"../x\": expected letters, digits, '_', '.' and '-', first a letter or digit" },
		{ "c1", "", "interface name \"\" is empty" },
		{ "c1", "a/b", "interface name \"a/b\" " },
	};
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_result struct cni_result res = { 0 };
		struct netlist_rt rt = chainlab_attachment();
		struct err e = ERR_INIT;

		rt.container = cases[i].container;
		rt.ifname = cases[i].ifname;
		assert_true(netlist_add(&n, &rt, &res, &e) < 0);
		assert_memory_equal(e.text, cases[i].error, strlen(cases[i].error));
		chainlab_log("");
	}
}

struct seen {
	struct str text;
};

static void see(const char *type, const char *versions, void *arg)
{
	str_addf(&((struct seen *)arg)->text, "%s: %s\n", type, versions);
}

static void versions_are_asked_from_every_plugin(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct netlist_rt rt = chainlab_attachment();
	struct seen seen = { .text = STR_INIT };
	struct err e = ERR_INIT;

	(void)state;
	chainlab_put("one.VERSION.out",
		     "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"1.0.0\",\"1.1.0\"]}");
	chainlab_put("two.VERSION.out",
		     "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\"]}");
	chainlab_parse(CHAINLAB_LIST("1.1.0", ""), &n);
	assert_int_equal(netlist_versions(&n, &rt, see, &seen, &e), -EPROTONOSUPPORT);
	assert_string_equal(seen.text.p, "one: 1.0.0 1.1.0\ntwo: 0.4.0\n");
	assert_string_equal(e.text, "plugin two does not support config version \"1.1.0\"");
	str_free(&seen.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAINLAB(add_runs_the_chain_and_hands_results_on),
		CHAINLAB(a_result_of_another_version_is_converted),
		CHAINLAB(an_add_that_fails_half_way_is_undone),
		CHAINLAB(a_plugin_that_refuses_add_and_del_in_the_same_words_did_nothing),
		CHAINLAB(a_second_add_that_fails_leaves_the_first_attachment_alone),
		CHAINLAB(a_result_that_cannot_be_cached_is_undone),
		CHAINLAB(a_killed_plugin_and_bad_answers_are_told),
		CHAINLAB(del_goes_on_after_an_error_and_keeps_the_cache_until_all_is_done),
		CHAINLAB(del_before_0_4_gets_no_previous_result),
		CHAINLAB(check_needs_a_version_and_a_cached_result),
		CHAINLAB(gc_deletes_what_is_not_valid_and_tells_every_plugin),
		CHAINLAB(gc_says_that_it_cannot_read_the_cache_and_tells_the_plugins),
		CHAINLAB(status_stops_at_the_first_plugin_that_is_not_ready),
		CHAINLAB(a_missing_plugin_is_named_before_anything_runs),
		CHAINLAB(ids_are_checked_before_anything_runs),
		CHAINLAB(versions_are_asked_from_every_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
