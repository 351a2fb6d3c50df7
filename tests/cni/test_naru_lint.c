// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni lint, and what the plugins say of themselves. */
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "netlib/base/str.h"
#include "tests/unit/unit.h"

#define DIR "/var/lib/lint"
/* a path that is the same wherever the plugins lie */
#define LINT "cd " DIR "/net.d && CNI_PATH=../bin naru cni lint "

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, DIR "/net.d/%s", name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	(void)state;
	lab_sh("rm -rf " DIR " && mkdir -p " DIR "/net.d && ln -s %s " DIR "/bin", lab_bin());
	return 0;
}

/* One finding in a whole network that is right but for it. */
static void expect(size_t i, const char *name, const char *text, int status, const char *want)
{
	struct lab_result r;

	lab_sh("rm -rf " DIR "/net.d && mkdir " DIR "/net.d");
	put(name, text);
	naru_call(&r, LINT "%s", name);
	row_text(i, text, r.out, want);
	row_text(i, text, r.err, "");
	row_int(i, text, r.status, status);
	lab_result_clear(&r);
}

#define BRIDGE(more) \
	"{\"type\":\"bridge\"," more \
	"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}"
#define LIST(plugins) "{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"plugins\":[" plugins "]}"
#define PORTMAP "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}"

/* Inputs and what is said of them, one below the other, in tests/golden/lint. */
static void each_mistake_is_named_where_it_stands(void **state)
{
	static const char *const cases[] = {
		LIST(BRIDGE("") "," PORTMAP),
		LIST(BRIDGE("\"brige\":\"br1\",")),
		LIST(BRIDGE("\"qqqqqqqq\":1,")),
		LIST(BRIDGE("\"ipMasq\":\"yes\",")),
		LIST(BRIDGE("\"mtu\":70000,")),
		LIST(BRIDGE("\"dns\":{\"nameservers\":\"1.1.1.1\",\"serach\":[]},")),
		/* what only the plugin knows */
		LIST(BRIDGE("\"hairpinMode\":true,\"promiscMode\":true,")),
		LIST("{\"type\":\"veth\"}"),
		LIST("{\"type\":\"bridge\",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/33\"}}"),
		/* order */
		LIST(PORTMAP "," BRIDGE("")),
		LIST(BRIDGE("") "," BRIDGE("\"bridge\":\"b1\",")),
		LIST(BRIDGE("") ",{\"type\":\"host-local\",\"ipam\":{\"subnet\":\"10.2.0.0/24\"}}"),
		LIST(BRIDGE("\"ipMasq\":true,") ",{\"type\":\"masquerade\"}"),
		LIST(BRIDGE("") "," PORTMAP "," PORTMAP),
		/* capabilities */
		LIST(BRIDGE("") ",{\"type\":\"portmap\"}"),
		LIST(BRIDGE("\"capabilities\":{\"portMapping\":true},")),
		LIST(BRIDGE("") ",{\"type\":\"masquerade\",\"capabilities\":{\"ips\":true}}"),
		/* programs */
		LIST("{\"type\":\"brigde\"}"),
		LIST("{\"typ\":\"bridge\"}"),
		LIST("{\"type\":\"bridge\",\"ipam\":{\"type\":\"host-locale\"}}"),
		/* the list itself */
		"{\"cniVersion\":\"1.1.0\",\"name\":\"a b\",\"plugins\":[" BRIDGE("") "]}",
		"{\"name\":\"n\",\"plugins\":[" BRIDGE("") "]}",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"plugin\":[" BRIDGE("") "]}",
		"{\"cniVersion\":\"1.9.0\",\"name\":\"n\",\"plugins\":[" BRIDGE("") "]}",
		"{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"plugins\":[" BRIDGE("") "," PORTMAP
										    "]}",
		"{\"name\":\"n\",",
		"[]",
		"{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"name\":\"m\",\"plugins\":[" BRIDGE(
			"") "]}",
	};
	cleanup_str struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lab_result r;

		put("n.conflist", cases[i]);
		naru_call(&r, LINT "n.conflist");
		str_addf(&s, "%s\n%s%sstatus %d\n\n", cases[i], r.out, r.err, r.status);
		lab_result_clear(&r);
	}
	assert_golden("tests/golden/lint", s.p);
}

static void the_end_of_a_files_name_counts(void **state)
{
	(void)state;
	expect(0, "n.conf", "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"loopback\"}", 0,
	       "");
	expect(1, "n.conflist", "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"loopback\"}",
	       1,
	       "n.conflist:1:1: error: a single plugin in a file that ends in .conflist: expected a "
	       "list with \"plugins\"; or rename it to .conf [extension]\n");
	expect(2, "n.conf", LIST("{\"type\":\"loopback\"}"), 1,
	       "n.conf:1:1: error: a list in a file that ends in .conf or .json: runtimes take it for "
	       "a single plugin; rename it to .conflist [extension]\n");
	expect(3, "n.conflist.bak", LIST("{\"type\":\"loopback\"}"), 3,
	       "n.conflist.bak:1:1: warning: runtimes do not read this file: expected a name that "
	       "ends in .conflist, or in .conf or .json for a single plugin [extension]\n");
}

static void networks_of_a_directory_are_compared(void **state)
{
	struct lab_result r;

	(void)state;
	put("a.conflist", LIST(BRIDGE("")));
	put("b.conf",
	    "{\"cniVersion\":\"1.1.0\",\"name\":\"b\",\"type\":\"bridge\",\"bridge\":\"b1\",\n"
	    "\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/16\"}]]}}");
	put("c.conf", "{\"cniVersion\":\"1.1.0\",\"name\":\"c\",\"type\":\"bridge\",\n"
		      "\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.9.0.0/24\"}}");
	put("d.conflist",
	    "{\"cniVersion\":\"1.1.0\",\"name\":\"c\",\"plugins\":[{\"type\":\"loopback\"}]}");
	naru_call(&r, LINT ".");
	assert_string_equal(
		r.out,
		"./b.conf:2:50: warning: /ipam/ranges/0/0/subnet: 10.1.0.0/16 overlaps 10.1.0.0/24 of "
		"network net (./a.conflist): each gives addresses without asking the other "
		"[subnet-overlap]\n"
		"./c.conf:2:38: warning: /ipam/subnet: bridge cni0 carries 10.9.0.0/24 here and "
		"10.1.0.0/24 in network net (./a.conflist): the gateway's address of one is in the way "
		"of the other's [bridge-shared]\n"
		"./d.conflist:1:30: warning: /name: network c is in ./c.conf, too, and only one of them "
		"is ever used [name-twice]\n");
	assert_int_equal(r.status, 3);
	lab_result_clear(&r);
}

static void plugins_dropped_beside_a_list_are_judged_with_it(void **state)
{
	struct lab_result r;

	(void)state;
	lab_sh("mkdir " DIR "/net.d/net");
	put("n.conflist", LIST(BRIDGE("")));
	put("net/10-ports.conf",
	    "{\"type\":\"portmap\",\"snatt\":true,\n\"capabilities\":{\"portMappings\":true}}");
	naru_call(&r, LINT "n.conflist");
	assert_string_equal(r.out,
			    "net/10-ports.conf:1:19: warning: /snatt: \"snatt\" is not a key of "
			    "portmap, which ignores it; did you mean \"snat\"? [unknown-key]\n");
	lab_result_clear(&r);
}

static void the_document_for_programs_says_the_same(void **state)
{
	cleanup_free char *out = NULL;

	(void)state;
	put("n.conflist", LIST(BRIDGE("\"mtu\":\"x\",")));
	out = naru_out("{ " LINT "-o json - < n.conflist || true; }");
	assert_string_equal(
		out, "[\n"
		     "    {\n"
		     "        \"file\": \"standard input\",\n"
		     "        \"line\": 1,\n"
		     "        \"column\": 70,\n"
		     "        \"level\": \"error\",\n"
		     "        \"rule\": \"type\",\n"
		     "        \"path\": \"/plugins/0/mtu\",\n"
		     "        \"text\": \"expected integer 0..65535, got string \\\"x\\\"\"\n"
		     "    }\n"
		     "]");
}

/* A plugin that does not know the question is judged by what needs no answer. */
static void plugins_of_others_get_the_general_checks(void **state)
{
	struct lab_result r;

	(void)state;
	lab_sh("mkdir -p " DIR "/other && printf '%%s\\n' '#!/bin/sh' "
	       "'echo \"{\\\"cniVersion\\\":\\\"1.0.0\\\",\\\"supportedVersions\\\":[\\\"1.0.0\\\"]}\"' > " DIR
	       "/other/foreign && chmod 755 " DIR "/other/foreign");
	put("n.conflist",
	    LIST("{\"type\":\"foreign\",\"anything\":1,\"capabilities\":{\"odd\":true}}"));
	naru_call(&r, "cd " DIR "/net.d && CNI_PATH=../other naru cni lint n.conflist");
	assert_string_equal(r.out,
			    "n.conflist:1:55: error: /plugins/0/type: plugin foreign does not "
			    "support config version \"1.1.0\" [version]\n");
	assert_int_equal(r.status, 1);
	lab_result_clear(&r);
	naru_refuses(1, "naru: read gone: No such file or directory\n", LINT "gone");
}

/* Every plugin that is built answers, whoever wrote it. */
static void every_plugin_describes_itself(void **state)
{
	cleanup_free char *names = naru_out("cd %s && ls | grep -v '^naru'", lab_bin());

	(void)state;
	for (char *rest = names, *name; (name = strsep(&rest, "\n"));) {
		cleanup_free char *out = naru_out("CNI_COMMAND=VERSION NARU_CNI_DESCRIBE=1 %s/%s < "
						  "/dev/null",
						  lab_bin(), name);
		cleanup_free char *key = json_find(out, "/naru/kind");

		if (!key || !strlen(key))
			fail_msg("%s does not tell what it is: %s", name, out);
	}
}

#define LAB(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(each_mistake_is_named_where_it_stands),
		LAB(the_end_of_a_files_name_counts),
		LAB(networks_of_a_directory_are_compared),
		LAB(plugins_dropped_beside_a_list_are_judged_with_it),
		LAB(the_document_for_programs_says_the_same),
		LAB(plugins_of_others_get_the_general_checks),
		LAB(every_plugin_describes_itself),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
