// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile surroundings: names that are paths, variables, streams that are closed or full, files
 * that are not what they should be (reliability matrix B7, B8, I, J7 to J10).
 */
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
#include <sys/stat.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	call_reset_host();
	return 0;
}

static const char *bridge(const char *keys)
{
	return jsonf("{'cniVersion':'1.1.0','name':'net1','type':'bridge','bridge':'br0',"
		     "'isGateway':true,'ipMasq':true,'ipam':{'type':'host-local','subnet':"
		     "'10.1.0.0/24'%s}}",
		     keys);
}

/* The lease directory and its lock are made by a network's first attachment and stay. */
static void furnish(void)
{
	ok("bridge", "ADD", bridge(""), .cid = "first", .ifname = "first");
	ok("bridge", "DEL", bridge(""), .cid = "first", .ifname = "first");
}

static const char *repeated(char c, int n)
{
	char *text = malloc((size_t)n + 1);

	if (!text)
		abort();
	memset(text, c, (size_t)n);
	text[n] = '\0';
	return text_keep(text);
}

/* ---- names that are paths */

static void names_that_are_paths_are_refused(void **state)
{
	static const struct {
		int code;
		const char *key, *value;
	} t[] = {
		{ 7, "name", "../x" },
		{ 7, "name", "/x" },
		{ 7, "name", "a/b" },
		{ 7, "name", "." },
		{ 7, "name", ".." },
		{ 7, "name", ".x" },
		{ 7, "name", "-x" },
		{ 7, "name", "x y" },
		{ 7, "name", "x\\n" },
		{ 7, "name", "\\u00e4" },
		{ 7, "name", "lock" },
		{ 7, "name", "x;y" },
		{ 7, "name", "last_reserved_ip.0" },
		{ 6, "name", "x\\u0000y" },
		{ 7, "bridge", "../br0" },
		{ 7, "bridge", "/br0" },
		{ 7, "bridge", ".." },
		{ 7, "bridge", "a:b" },
		{ 7, "bridge", "br%d" },
		{ 7, "bridge", "br 0" },
		{ 7, "bridge", "br0\\n" },
		{ 7, "bridge", "sixteen-letters-" },
		{ 6, "bridge", "br0\\u0000x" },
	};

	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++)
		fails(t[i].code, "", "bridge", "ADD",
		      text_keep(json_with(bridge(""), t[i].key, textf("\"%s\"", t[i].value))));
	fails(7, "invalid characters", "bridge", "ADD",
	      text_keep(json_with(bridge(""), "name", textf("\"%s\"", repeated('a', 1025)))));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void an_ipam_type_is_a_name_and_never_a_path(void **state)
{
	static const char *const types[] = {
		"../host-local",
		"/usr/lib/cni/host-local",
		".",
		"..",
		"./host-local",
		"host-local/",
		"host-local\\n",
		"host-local ",
		"HOST-LOCAL",
	};

	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(types); i++)
		fails(7, "", "bridge", "ADD",
		      text_replaced(bridge(""), "\"host-local\"", textf("\"%s\"", types[i])));
	fails(7, "invalid plugin name", "bridge", "ADD",
	      text_replaced(bridge(""), "host-local", repeated('x', 300)));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

/* A plugin that names itself as its IPAM would run itself for ever. */
static void an_ipam_type_that_runs_itself_comes_to_an_end(void **state)
{
	static const char *const verbs[] = { "ADD", "DEL", "STATUS", "GC" };
	static const char *const types[] = { "bridge", "veth" };

	(void)state;
	furnish();
	ok("bridge", "GC", bridge("")); /* takes the empty sets of subnets away */

	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(types); i++)
		for (size_t v = 0; v < LEN(verbs); v++)
			fails(v ? 7 : 100, "", "bridge", verbs[v],
			      text_replaced(bridge(""), "\"host-local\"",
					    textf("\"%s\"", types[i])));
	assert_untouched(before, SNAP, "c1");
	free(before);
}

static void what_is_found_in_the_path_must_be_a_program(void **state)
{
	(void)state;
	furnish();
	lab_sh("mkdir -p /run/p/dir /run/p/none && mkfifo /run/p/fifo && printf 'no program' > /run/p/text"
	       " && chmod 755 /run/p/text && : > /run/p/empty && ln -s /nowhere /run/p/dangling &&"
	       " printf '#!/bin/sh\\necho nonsense\\n' > /run/p/talks && chmod 755 /run/p/talks &&"
	       " printf '#!/bin/sh\\nkill -9 $$\\n' > /run/p/dies && chmod 755 /run/p/dies &&"
	       " printf '#!/bin/sh\\nexit 3\\n' > /run/p/silent && chmod 755 /run/p/silent");

	static const struct {
		const char *type, *words;
	} t[] = {
		{ "dir", "failed to find plugin" },
		{ "fifo", "failed to find plugin" },
		{ "dangling", "failed to find plugin" },
		{ "text", "" },
		{ "empty", "" },
		{ "talks", "" },
		{ "dies", "killed by signal 9" },
		{ "silent", "netplugin failed with no error message" },
	};
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++) {
		const struct call c = {
			.plugin = "bridge",
			.verb = "ADD",
			.path = "/run/p",
			.conf = text_replaced(bridge(""), "\"host-local\"",
					      textf("\"%s\"", t[i].type)),
		};
		struct lab_result r;

		call_run(&c, &r);
		if (r.status != 1 || !strstr(r.out, t[i].words) || json_count(r.out, "") < 3)
			lab_fail("%s: %d %s%s", t[i].type, r.status, r.out, r.err);
		lab_result_clear(&r);
	}
	assert_untouched(before, SNAP, "c1");
	free(before);
	lab_sh("rm -r /run/p");
}

/* ---- host-local's files */

static void files_that_are_not_what_they_should_be_are_neither_followed_nor_waited_for(void **state)
{
	static const struct {
		const char *keys, *make;
	} t[] = {
		{ ",'dataDir':'relative'", "true" },
		{ ",'dataDir':'../../run/x'", "true" },
		{ ",'dataDir':'/proc'", "true" },
		{ ",'dataDir':'/run/t/file'", ": > /run/t/file" },
		{ ",'dataDir':'/run/t/open'", "mkdir -m 777 /run/t/open" },
		{ ",'dataDir':'/run/t/theirs'", "mkdir /run/t/theirs; chown 1000 /run/t/theirs" },
		{ ",'dataDir':'/run/t/net'",
		  "mkdir -p /run/t/net /run/t/real; ln -s /run/t/real /run/t/net/net1" },
		{ ",'resolvConf':'/run/t/fifo'", "mkfifo /run/t/fifo" },
		{ ",'resolvConf':'/dev/zero'", "true" },
		{ ",'resolvConf':'/run/t'", "true" },
		{ ",'resolvConf':'/run/t/big'",
		  "head -c 2000000 /dev/zero | tr '\\0' '\\n' > /run/t/big" },
		{ ",'resolvConf':'/run/t/missing'", "true" },
	};

	(void)state;
	furnish();
	for (size_t i = 0; i < LEN(t); i++) {
		const struct call c = { .plugin = "bridge",
					.verb = "ADD",
					.conf = bridge(jsonf("%s", t[i].keys)) };
		struct lab_result r;

		lab_sh("mkdir -m 755 /run/t; %s", t[i].make);

		char *before = snapshot_take(SNAP, "c1");

		call_run(&c, &r);
		if (r.status != 1 || json_count(r.out, "") < 3 || r.wall_us > 1000000)
			lab_fail("%s: status %d after %ld us: %s%s", t[i].keys, r.status, r.wall_us,
				 r.out, r.err);
		lab_result_clear(&r);
		assert_untouched(before, SNAP, "c1");
		free(before);
		lab_sh("rm -r /run/t");
	}
}

static void links_in_place_of_state_files_are_not_written_through(void **state)
{
	static const char *const names[] = { "last_reserved_ip.0", "lock", "10.1.0.2" };

	(void)state;
	for (size_t i = 0; i < LEN(names); i++) {
		const struct call c = { .plugin = "bridge", .verb = "ADD", .conf = bridge("") };
		struct lab_result r;

		lab_sh("mkdir -p /var/lib/cni/networks/net1; echo precious > /run/victim;"
		       "ln -s /run/victim /var/lib/cni/networks/net1/%s;"
		       "ln -s /run/created /var/lib/cni/networks/net1/10.1.0.3",
		       names[i]);
		call_run(&c, &r);
		lab_result_clear(&r);
		lab_sh("grep -qx precious /run/victim && test ! -e /run/created");

		const struct call del = { .plugin = "bridge", .verb = "DEL", .conf = bridge("") };

		call_run(&del, &r);
		lab_result_clear(&r);
		lab_sh("grep -qx precious /run/victim && rm -rf /var/lib/cni/networks /run/victim");
	}
}

/* ---- variables */

static void variables_are_validated_and_limited(void **state)
{
	(void)state;
	furnish();

	const struct {
		const char *cid, *netns, *args, *words;
	} t[] = {
		{ "../x", NULL, NULL, "invalid characters in containerID" },
		{ "/x", NULL, NULL, "invalid characters in containerID" },
		{ "-x", NULL, NULL, "invalid characters in containerID" },
		{ ".x", NULL, NULL, "invalid characters in containerID" },
		{ "a b", NULL, NULL, "invalid characters in containerID" },
		{ "a\nb", NULL, NULL, "invalid characters in containerID" },
		{ "\xc3\xa4", NULL, NULL, "invalid characters in containerID" },
		{ repeated('a', 1025), NULL, NULL, "invalid characters in containerID" },
		{ repeated('a', 100000), NULL, NULL, "invalid characters in containerID" },
		{ NULL, NULL, "A", "ARGS: invalid pair" },
		{ NULL, NULL, "=;=;;", "" },
		{ NULL, NULL, "A=B=C", "ARGS: invalid pair" },
		{ NULL, NULL, "FOO=bar", "ARGS: unknown args [\\\"FOO=bar\\\"]" },
		{ NULL, NULL, "IP=nonsense", "" },
		{ NULL, NULL, "IgnoreUnknown=1;IP=1.2.3", "" },
		{ NULL, NULL, repeated('a', 70000), "longer than 65536 bytes" },
	};
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++)
		fails(4, t[i].words, "bridge", "ADD", bridge(""), .cid = t[i].cid,
		      .netns = t[i].netns, .args = t[i].args);
	assert_untouched(before, SNAP, "c1");
	free(before);
	/* the longest that is allowed works */
	ok("bridge", "ADD", bridge(""), .cid = repeated('a', 1024));
	ok("bridge", "DEL", bridge(""), .cid = repeated('a', 1024));
}

static void a_namespace_that_is_none_is_refused_without_waiting(void **state)
{
	(void)state;
	furnish();
	lab_sh("mkfifo /run/fifo; : > /run/plain; echo x > /run/text; ln -s /run/nothing /run/dangling;"
	       "ln -s /run/loop /run/loop");

	const struct {
		const char *netns;
		int code;
	} t[] = {
		{ "/run/fifo", 7 },
		{ "/run/text", 7 },
		{ "/run", 7 },
		{ "/dev/zero", 7 },
		{ "/proc/self/ns/mnt", 7 },
		{ "/proc/self/ns/user", 7 },
		{ "/run/plain", 3 },
		{ "/run/dangling", 3 },
		{ "/run/netns/c1/x", 3 },
		{ "/proc/self/ns/net", 4 },
		{ "/proc/self/task/../ns/net", 4 },
		{ textf("/%s", repeated('x', 300)), 999 },
		{ textf("/%s", repeated('x', 5000)), 999 },
		{ "/run/loop", 999 },
	};
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++)
		fails(t[i].code, "", "bridge", "ADD", bridge(""), .netns = t[i].netns);
	assert_untouched(before, SNAP, "c1");
	free(before);
	lab_sh("rm /run/fifo /run/plain /run/text /run/dangling /run/loop");
}

/* ---- streams */

static const struct {
	const char *plugin;
	bool chained;
} plugins[] = {
	{ "bridge", false },	 { "veth", false },   { "loopback", false },
	{ "host-local", false }, { "portmap", true }, { "masquerade", true },
};

static const char *conf_for(size_t i)
{
	const char *c = text_keep(json_with(bridge(""), "runtimeConfig",
					    jsonf("{'portMappings':[{'hostPort':8080,"
						  "'containerPort':80}]}")));

	if (!plugins[i].chained)
		return c;
	return text_keep(json_with(
		c, "prevResult",
		jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','sandbox':'/run/netns/c1'}],"
		      "'ips':[{'address':'10.1.0.2/24','gateway':'10.1.0.1','interface':0}]}")));
}

/* Exit status of a call through a shell that redirects its streams. */
static int redirected(const char *plugin, const char *verb, const char *conf, const char *how)
{
	FILE *f = fopen("/run/conf", "w");

	assert_non_null(f);
	assert_true(fputs(conf, f) >= 0);
	assert_int_equal(fclose(f), 0);

	int status = lab_try("exec env -i CNI_COMMAND=%s CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1"
			     " CNI_IFNAME=eth0 CNI_PATH=%s %s/%s %s",
			     verb, lab_bin(), lab_bin(), plugin, how);

	assert_int_equal(remove("/run/conf"), 0);
	return status;
}

static void an_add_whose_answer_nobody_got_leaves_nothing(void **state)
{
	static const char *const how[] = { "</run/conf >/dev/full", "</run/conf >&-",
					   "</run/conf >&- 2>&-", "</run/conf >/dev/full 2>&-" };

	(void)state;
	furnish();
	/* as after a first mapping: the sets of the subnet are there; lo was up once */
	lab_sh_in("c1", "ip link set lo up; ip link set lo down; ip addr flush dev lo");
	ok("portmap", "ADD", conf_for(4), .cid = "first");
	ok("portmap", "DEL", conf_for(4), .cid = "first");
	for (size_t i = 0; i < LEN(plugins); i++) {
		char *before = snapshot_take(SNAP, "c1");

		for (size_t k = 0; k < LEN(how); k++)
			if (redirected(plugins[i].plugin, "ADD", conf_for(i), how[k]) != 1)
				lab_fail("%s %s: expected exit 1", plugins[i].plugin, how[k]);
		assert_untouched(before, SNAP, "c1");
		free(before);
	}
}

static void without_standard_streams_no_file_gets_what_was_meant_for_them(void **state)
{
	(void)state;
	furnish();
	for (size_t i = 0; i < LEN(plugins); i++) {
		char *before = snapshot_take(SNAP, "c1");

		assert_int_equal(redirected(plugins[i].plugin, "ADD", conf_for(i), "<&- >&- 2>&-"),
				 1);
		assert_int_equal(redirected(plugins[i].plugin, "DEL", conf_for(i), "<&- >&- 2>&-"),
				 1);
		assert_int_equal(redirected(plugins[i].plugin, "DEL", conf_for(i),
					    "</run/conf >&- 2>&-"),
				 0);
		assert_int_equal(redirected(plugins[i].plugin, "VERSION", conf_for(i), "<&- 2>&-"),
				 0);
		assert_untouched(before, SNAP, "c1");
		free(before);
	}
}

static void a_stdin_that_is_no_text_is_an_error_of_its_own(void **state)
{
	static const char *const how[] = { "</run", "</dev/null", "</dev/zero", "<&-" };

	(void)state;
	furnish();

	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(plugins); i++)
		for (size_t k = 0; k < LEN(how); k++)
			assert_int_equal(redirected(plugins[i].plugin, "ADD", "", how[k]), 1);
	assert_untouched(before, SNAP, "c1");
	free(before);
}

/* ---- process */

static void inherited_surroundings_do_not_matter(void **state)
{
	static const char *const how[] = {
		"</run/conf >/dev/null 7>/run/leaked 9</dev/zero", /* descriptors */
		"</run/conf >/dev/null",
	};
	static const char *const before_it[] = {
		"umask 0;",
		"umask 777;",
		"trap '' TERM INT HUP PIPE;",
		"mkdir /run/d; cd /run/d; rmdir /run/d;",
		"ulimit -n 16;",
		"ulimit -c unlimited;",
	};

	(void)state;
	furnish();
	for (size_t k = 0; k < LEN(before_it); k++)
		for (size_t h = 0; h < LEN(how); h++) {
			FILE *f = fopen("/run/conf", "w");

			assert_non_null(f);
			assert_true(fputs(bridge(""), f) >= 0);
			assert_int_equal(fclose(f), 0);
			for (int del = 0; del < 2; del++)
				if (lab_try("%s exec env -i CNI_COMMAND=%s CNI_CONTAINERID=c1"
					    " CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=%s"
					    " LD_BIND_NOW=1 IFS=x %s/bridge %s",
					    before_it[k], del ? "DEL" : "ADD", lab_bin(), lab_bin(),
					    how[h]))
					lab_fail("%s %s", before_it[k], how[h]);
			lab_sh("test ! -s /run/leaked && rm -f /run/leaked /run/conf");
			/* modes do not depend on the caller's mask */
			lab_sh("stat -c %%a /var/lib/cni/networks/net1 | grep -qx 755");
		}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_that_are_paths_are_refused),
		T(an_ipam_type_is_a_name_and_never_a_path),
		T(an_ipam_type_that_runs_itself_comes_to_an_end),
		T(what_is_found_in_the_path_must_be_a_program),
		T(files_that_are_not_what_they_should_be_are_neither_followed_nor_waited_for),
		T(links_in_place_of_state_files_are_not_written_through),
		T(variables_are_validated_and_limited),
		T(a_namespace_that_is_none_is_refused_without_waiting),
		T(an_add_whose_answer_nobody_got_leaves_nothing),
		T(without_standard_streams_no_file_gets_what_was_meant_for_them),
		T(a_stdin_that_is_no_text_is_an_error_of_its_own),
		T(inherited_surroundings_do_not_matter),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
