// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/netlist.h"

/* A directory with configurations, plugins that are shell scripts, and what these wrote down. */
static char lab[64];

/*
 * Notes its verb in "log" and its stdin in NAME.VERB.in; fails when NAME.VERB.fail is there;
 * answers with NAME.VERB.out.
 */
static const char script[] =
	"#!/bin/sh\n"
	"d=${0%/*}; n=${0##*/}\n"
	"cat > \"$d/$n.$CNI_COMMAND.in\"\n"
	"echo \"$n $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS\" >> \"$d/log\"\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.kill\" ]; then kill -9 $$; fi\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.fail\" ]; then cat \"$d/$n.$CNI_COMMAND.fail\"; exit 1; fi\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.out\" ]; then cat \"$d/$n.$CNI_COMMAND.out\"; fi\n";

static char *at(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", lab, name);
	return p;
}

static void put(const char *name, const char *text)
{
	cleanup_fd int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static char *get(const char *name)
{
	char *text = NULL;

	if (file_read_at(AT_FDCWD, at(name), 1 << 20, &text, NULL, NULL) < 0)
		return strdup("");
	return text;
}

static int lab_make(void **state)
{
	(void)state;
	strcpy(lab, "/tmp/naru-test-netlist-XXXXXX");
	assert_non_null(mkdtemp(lab));
	assert_int_equal(mkdir(at("conf"), 0755), 0);
	for (const char *const *n = (const char *const[]){ "one", "two", "three", NULL }; *n; n++)
		put(*n, script);
	put("one.ADD.out", "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"one0\"}],"
			   "\"ips\":[{\"address\":\"10.1.0.2/24\"}]}");
	put("two.ADD.out", "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"two0\"}]}");
	put("three.ADD.out", "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"three0\"}]}");
	return 0;
}

static int lab_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, lab, NULL);
}

#define CHAIN(version, more) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net\"," more "\"plugins\":[" \
	"{\"type\":\"one\",\"capabilities\":{\"portMappings\":true,\"mac\":false}}," \
	"{\"type\":\"two\",\"name\":\"second\"},{\"type\":\"three\",\"capabilities\":{\"mac\":true}}]}"

static void parse(const char *text, struct netlist *n)
{
	struct err e = ERR_INIT;

	if (netlist_parse(text, strlen(text), n, &e) < 0)
		fail_msg("%s", e.text);
}

static struct netlist_rt attachment(void)
{
	return (struct netlist_rt){
		.container = "c1",
		.netns = "/run/netns/x",
		.ifname = "eth0",
		.path = lab,
		.cache_dir = lab,
	};
}

static void expect_log(const char *want)
{
	cleanup_free char *got = get("log");

	assert_string_equal(got, want);
	(void)unlink(at("log"));
}

static void expect_file(const char *name, const char *want)
{
	cleanup_free char *got = get(name);

	assert_string_equal(got, want);
}

#define LINE(plugin, verb) plugin " " verb " c1 /run/netns/x eth0 \n"

/* ---------------------------------------------------------------- reading */

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

		parse(text, &n);
		assert_int_equal(n.version, cases[i].version);
	}
}

static void switches_may_be_strings(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	parse("{\"name\":\"n\",\"disableCheck\":\"TRUE\",\"disableGC\":\"false\",\"loadOnlyInlinedPlugins\":true,"
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
	parse("{\"type\":\"bridge\",\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"mtu\":9000}", &n);
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
	assert_true(netlist_load(at("conf"), "net", &n, &e) < 0);
	assert_string_equal(e.text + strlen("no net configurations found in "), at("conf"));
	put("conf/20.conflist", CHAIN("1.1.0", ""));
	put("conf/10.conflist",
	    "{\"name\":\"other\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"a\"}]}");
	put("conf/30.conflist",
	    "{\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"shadowed\"}]}");
	put("conf/05.conf", "{\"name\":\"solo\",\"cniVersion\":\"1.0.0\",\"type\":\"bridge\"}");
	put("conf/ignored.txt", "not JSON");
	assert_int_equal(mkdir(at("conf/net"), 0755), 0);
	put("conf/net/b.conf", "{\"type\":\"later\"}");
	put("conf/net/a.conf", "{\"type\":\"early\"}");
	assert_int_equal(netlist_load(at("conf"), "net", &n, &e), 0);
	assert_int_equal(n.nplugins, 5);
	assert_string_equal(n.plugins[3].type, "early");
	assert_string_equal(n.plugins[4].type, "later");
	assert_string_equal(n.file, at("conf/20.conflist"));
	assert_int_equal(netlist_load(at("conf"), "solo", &single, &e), 0);
	assert_string_equal(single.plugins[0].type, "bridge");
	assert_int_equal(netlist_load(at("conf"), "nat", &single, &e), -ENOENT);
	cleanup_free char *want = str_fmt(
		"no net configuration with name \"nat\" in %s; networks there: other, net, net, solo",
		at("conf"));
	assert_string_equal(e.text, want);
}

static void only_inlined_plugins_are_taken_when_the_list_says_so(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;

	(void)state;
	put("conf/1.conflist", CHAIN("1.1.0", "\"loadOnlyInlinedPlugins\":true,"));
	assert_int_equal(mkdir(at("conf/net"), 0755), 0);
	put("conf/net/a.conf", "{\"type\":\"early\"}");
	assert_int_equal(netlist_load(at("conf"), "net", &n, NULL), 0);
	assert_int_equal(n.nplugins, 3);
}

static void a_broken_file_met_on_the_way_is_named(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct err e = ERR_INIT;

	(void)state;
	put("conf/1.conflist", "{");
	put("conf/2.conflist", CHAIN("1.1.0", ""));
	assert_true(netlist_load(at("conf"), "net", &n, &e) < 0);
	cleanup_free char *want = str_fmt(
		"%s: error parsing configuration list: invalid JSON at offset 1: the document ends too early",
		at("conf/1.conflist"));
	assert_string_equal(e.text, want);
}

/* ---------------------------------------------------------------- running */

static void add_runs_the_chain_and_hands_results_on(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	cleanup_doc struct doc caps = DOC_INIT;
	struct netlist_rt rt = attachment();
	static const char given[] =
		"{\"portMappings\":[{\"hostPort\":80}],\"mac\":\"02:00:00:00:00:01\",\"ips\":[]}";
	const struct netlist_arg args[] = { { "IgnoreUnknown", "1" }, { "K", "v" } };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(doc_parse(&caps, given, strlen(given), NULL), 0);
	rt.caps = caps.root;
	rt.args = args;
	rt.nargs = 2;
	parse(CHAIN("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, &e), 0);
	assert_int_equal(res.nifaces, 1);
	assert_string_equal(res.ifaces[0].name, "three0");
	expect_log(
		"one ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\ntwo ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\n"
		"three ADD c1 /run/netns/x eth0 IgnoreUnknown=1;K=v\n");
	expect_file(
		"one.ADD.in",
		"{\"capabilities\":{\"mac\":false,\"portMappings\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\","
		"\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":80}]},\"type\":\"one\"}");
	expect_file(
		"two.ADD.in",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":"
		"[{\"name\":\"one0\"}],\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	expect_file(
		"three.ADD.in",
		"{\"capabilities\":{\"mac\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":"
		"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"two0\"}]},\"runtimeConfig\":"
		"{\"mac\":\"02:00:00:00:00:01\"},\"type\":\"three\"}");
}

static void a_result_of_another_version_is_converted(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	put("one.ADD.out",
	    "{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.2/24\"}]}");
	put("two.ADD.out", "null");
	parse(CHAIN("1.0.0", ""), &n);
	if (netlist_add(&n, &rt, &res, &e) < 0)
		fail_msg("%s", e.text);
	expect_file(
		"two.ADD.in",
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.0.0\","
		"\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	expect_file("three.ADD.in",
		    "{\"capabilities\":{\"mac\":true},\"cniVersion\":\"1.0.0\",\"name\":\"net\","
		    "\"prevResult\":{\"cniVersion\":\"1.0.0\"},\"type\":\"three\"}");
}

static void an_add_that_fails_half_way_is_undone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	put("two.ADD.fail",
	    "{\"code\":100,\"msg\":\"host port 80 is taken\",\"details\":\"by web\"}");
	put("one.DEL.fail", "{\"code\":5,\"msg\":\"disk on fire\"}");
	parse(CHAIN("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	assert_int_equal(e.code, 100);
	assert_string_equal(
		e.text, "plugin type=\"two\" name=\"second\" failed (add): host port 80 is taken");
	assert_string_equal(
		e.details,
		"by web; undoing it failed too: plugin type=\"one\" failed (delete): disk on fire");
	expect_log(LINE("one", "ADD") LINE("two", "ADD") LINE("two", "DEL") LINE("one", "DEL"));
	expect_file(
		"two.DEL.in",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":"
		"[{\"name\":\"one0\"}],\"ips\":[{\"address\":\"10.1.0.2/24\"}]},\"type\":\"two\"}");
	assert_int_equal(access(at("results/net-c1-eth0"), F_OK), -1);
}

static void a_plugin_that_refuses_add_and_del_in_the_same_words_did_nothing(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT, del = ERR_INIT;

	(void)state;
	put("two.ADD.fail", "{\"code\":7,\"msg\":\"/mtu: expected a number\"}");
	put("two.DEL.fail", "{\"code\":7,\"msg\":\"/mtu: expected a number\"}");
	parse(CHAIN("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"two\" name=\"second\" failed (add): "
				    "/mtu: expected a number");
	assert_string_equal(e.details, "");
	assert_true(netlist_del(&n, &rt, NULL) < 0);
	rt.failed_add = &e;
	assert_int_equal(netlist_del(&n, &rt, &del), 0);
	put("one.DEL.fail", "{\"code\":5,\"msg\":\"/mtu: expected a number\"}");
	assert_true(netlist_del(&n, &rt, &del) < 0); /* another plugin's words */
	assert_string_equal(del.text,
			    "plugin type=\"one\" failed (delete): /mtu: expected a number");
}

static void a_second_add_that_fails_leaves_the_first_attachment_alone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 }, again = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	parse(CHAIN("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	put("one.ADD.fail", "{\"code\":100,\"msg\":\"eth0 is there already\"}");
	(void)unlink(at("log"));
	assert_true(netlist_add(&n, &rt, &again, &e) < 0);
	expect_log(LINE("one", "ADD"));
	assert_int_equal(access(at("results/net-c1-eth0"), F_OK), 0);
}

static void a_result_that_cannot_be_cached_is_undone(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	put("results", "a file where the directory should be");
	parse(CHAIN("1.1.0", ""), &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	expect_log(LINE("one", "ADD") LINE("two", "ADD") LINE("three", "ADD") LINE("three", "DEL")
			   LINE("two", "DEL") LINE("one", "DEL"));
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
		struct netlist_rt rt = attachment();
		struct err e = ERR_INIT;

		put(cases[i].file, cases[i].text);
		parse(CHAIN("1.1.0", ""), &n);
		assert_true(netlist_add(&n, &rt, &res, &e) < 0);
		if (strncmp(e.text, cases[i].error, strlen(cases[i].error)))
			assert_string_equal(e.text, cases[i].error);
		if (i == 0)
			assert_non_null(strstr(e.text, "signal"));
		(void)unlink(at(cases[i].file));
	}
}

static void del_goes_on_after_an_error_and_keeps_the_cache_until_all_is_done(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	parse(CHAIN("1.1.0", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	(void)unlink(at("log"));
	put("two.DEL.fail", "{\"code\":11,\"msg\":\"busy\"}");
	assert_true(netlist_del(&n, &rt, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"two\" name=\"second\" failed (delete): busy");
	assert_int_equal(e.code, 11);
	expect_log(LINE("three", "DEL") LINE("two", "DEL") LINE("one", "DEL"));
	assert_int_equal(access(at("results/net-c1-eth0"), F_OK), 0);
	(void)unlink(at("two.DEL.fail"));
	assert_int_equal(netlist_del(&n, &rt, &e), 0);
	expect_file(
		"one.DEL.in",
		"{\"capabilities\":{\"mac\":false,\"portMappings\":true},\"cniVersion\":\"1.1.0\",\"name\":\"net\","
		"\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"three0\"}]},\"type\":\"one\"}");
	assert_int_equal(access(at("results/net-c1-eth0"), F_OK), -1);
	(void)unlink(at("log"));
	assert_int_equal(netlist_del(&n, &rt, &e), 0); /* twice, and without a cached result */
	expect_log(LINE("three", "DEL") LINE("two", "DEL") LINE("one", "DEL"));
}

static void del_before_0_4_gets_no_previous_result(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();

	(void)state;
	put("one.ADD.out", "{}");
	put("two.ADD.out", "{}");
	put("three.ADD.out", "{\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.2/24\"}]}");
	parse(CHAIN("0.3.1", ""), &n);
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	assert_int_equal(netlist_del(&n, &rt, NULL), 0);
	expect_file("two.DEL.in", "{\"cniVersion\":\"0.3.1\",\"name\":\"net\",\"type\":\"two\"}");
}

static void check_needs_a_version_and_a_cached_result(void **state)
{
	cleanup_netlist struct netlist old = NETLIST_INIT, n = NETLIST_INIT, off = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	parse(CHAIN("0.3.1", ""), &old);
	assert_int_equal(netlist_check(&old, &rt, &e), -ENOTSUP);
	assert_string_equal(e.text,
			    "configuration version \"0.3.1\" does not support CHECK command");
	parse(CHAIN("1.1.0", ""), &n);
	assert_int_equal(netlist_check(&n, &rt, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"network \"net\" has no cached result for container c1 and interface eth0: it was never added, or "
		"is deleted");
	parse(CHAIN("1.1.0", "\"disableCheck\":true,"), &off);
	assert_int_equal(netlist_check(&off, &rt, &e), 0);
	expect_log("");
	assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	(void)unlink(at("log"));
	assert_int_equal(netlist_check(&n, &rt, &e), 0);
	expect_log(LINE("one", "CHECK") LINE("two", "CHECK") LINE("three", "CHECK"));
	put("two.CHECK.fail", "{\"code\":102,\"msg\":\"expected up, found down\"}");
	assert_true(netlist_check(&n, &rt, &e) < 0);
	assert_string_equal(
		e.text,
		"plugin type=\"two\" name=\"second\" failed (check): expected up, found down");
	expect_log(LINE("one", "CHECK") LINE("two", "CHECK"));
}

static void gc_deletes_what_is_not_valid_and_tells_every_plugin(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT, off = NETLIST_INIT;
	struct netlist_rt rt = attachment();
	const struct cni_attachment valid[] = { { "c1", "eth0" } };
	struct err e = ERR_INIT;

	(void)state;
	parse(CHAIN("1.1.0", ""), &n);
	for (int i = 1; i <= 2; i++) {
		cleanup_result struct cni_result res = { 0 };

		rt.container = i == 1 ? "c1" : "c2";
		assert_int_equal(netlist_add(&n, &rt, &res, NULL), 0);
	}
	put("results/net-c3-eth0", ""); /* what a crash of libcni leaves */
	put("results/other-c2-eth0", "{\"kind\":\"cniCacheV1\",\"networkName\":\"other\"}");
	(void)unlink(at("log"));
	parse(CHAIN("1.1.0", "\"disableGC\":true,"), &off);
	assert_int_equal(netlist_gc(&off, &rt, valid, 1, &e), 0);
	expect_log("");
	put("one.GC.fail", "{\"code\":5,\"msg\":\"no\"}");
	assert_true(netlist_gc(&n, &rt, valid, 1, &e) < 0);
	assert_string_equal(e.text, "plugin type=\"one\" failed (GC): no");
	expect_log(
		"three DEL c2 /run/netns/x eth0 \ntwo DEL c2 /run/netns/x eth0 \none DEL c2 /run/netns/x eth0 \n"
		"one GC    \ntwo GC    \nthree GC    \n");
	expect_file("two.GC.in",
		    "{\"cni.dev/attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}],"
		    "\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}],"
		    "\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"two\"}");
	assert_int_equal(access(at("results/net-c1-eth0"), F_OK), 0);
	assert_int_equal(access(at("results/net-c2-eth0"), F_OK), -1);
	assert_int_equal(access(at("results/net-c3-eth0"), F_OK), -1);
	assert_int_equal(access(at("results/other-c2-eth0"), F_OK), 0);
}

static void status_stops_at_the_first_plugin_that_is_not_ready(void **state)
{
	cleanup_netlist struct netlist n = NETLIST_INIT, old = NETLIST_INIT;
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	parse(CHAIN("1.0.0", ""), &old);
	assert_int_equal(netlist_status(&old, &rt, &e), 0);
	expect_log("");
	parse(CHAIN("1.1.0", ""), &n);
	put("two.STATUS.fail", "{\"code\":50,\"msg\":\"pool is empty\"}");
	assert_true(netlist_status(&n, &rt, &e) < 0);
	assert_int_equal(e.code, 50);
	assert_string_equal(e.text,
			    "plugin type=\"two\" name=\"second\" failed (status): pool is empty");
	expect_log("one STATUS    \ntwo STATUS    \n");
}

static void a_missing_plugin_is_named_before_anything_runs(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"one\"},"
		"{\"type\":\"absent\"}]}";
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_result struct cni_result res = { 0 };
	struct netlist_rt rt = attachment();
	struct err e = ERR_INIT;

	(void)state;
	parse(text, &n);
	assert_true(netlist_add(&n, &rt, &res, &e) < 0);
	cleanup_free char *want = str_fmt(
		"plugin type=\"absent\" failed (add): failed to find plugin \"absent\" in path [%s]; install it there or "
		"correct the type",
		lab);
	assert_string_equal(e.text, want);
	expect_log("");
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
	parse(CHAIN("1.1.0", ""), &n);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_result struct cni_result res = { 0 };
		struct netlist_rt rt = attachment();
		struct err e = ERR_INIT;

		rt.container = cases[i].container;
		rt.ifname = cases[i].ifname;
		assert_true(netlist_add(&n, &rt, &res, &e) < 0);
		assert_memory_equal(e.text, cases[i].error, strlen(cases[i].error));
		expect_log("");
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
	struct netlist_rt rt = attachment();
	struct seen seen = { .text = STR_INIT };
	struct err e = ERR_INIT;

	(void)state;
	put("one.VERSION.out",
	    "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"1.0.0\",\"1.1.0\"]}");
	put("two.VERSION.out", "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\"]}");
	parse(CHAIN("1.1.0", ""), &n);
	assert_int_equal(netlist_versions(&n, &rt, see, &seen, &e), -EPROTONOSUPPORT);
	assert_string_equal(seen.text.p, "one: 1.0.0 1.1.0\ntwo: 0.4.0\n");
	assert_string_equal(e.text, "plugin two does not support config version \"1.1.0\"");
	str_free(&seen.text);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, lab_make, lab_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_list_is_refused_with_its_place),
		cmocka_unit_test(the_newest_version_we_know_is_chosen),
		cmocka_unit_test(switches_may_be_strings),
		cmocka_unit_test(a_single_configuration_becomes_a_list_of_one),
		LAB(the_directory_is_searched_as_libcni_does),
		LAB(only_inlined_plugins_are_taken_when_the_list_says_so),
		LAB(a_broken_file_met_on_the_way_is_named),
		LAB(add_runs_the_chain_and_hands_results_on),
		LAB(a_result_of_another_version_is_converted),
		LAB(an_add_that_fails_half_way_is_undone),
		LAB(a_plugin_that_refuses_add_and_del_in_the_same_words_did_nothing),
		LAB(a_second_add_that_fails_leaves_the_first_attachment_alone),
		LAB(a_result_that_cannot_be_cached_is_undone),
		LAB(a_killed_plugin_and_bad_answers_are_told),
		LAB(del_goes_on_after_an_error_and_keeps_the_cache_until_all_is_done),
		LAB(del_before_0_4_gets_no_previous_result),
		LAB(check_needs_a_version_and_a_cached_result),
		LAB(gc_deletes_what_is_not_valid_and_tells_every_plugin),
		LAB(status_stops_at_the_first_plugin_that_is_not_ready),
		LAB(a_missing_plugin_is_named_before_anything_runs),
		LAB(ids_are_checked_before_anything_runs),
		LAB(versions_are_asked_from_every_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
