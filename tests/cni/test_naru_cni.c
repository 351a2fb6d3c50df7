// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni with the real plugins: what cnitool does, and what it leaves undone. */
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_DIR "/var/lib/net.d" /* where snapshots do not look */
#define NARU "NETCONFPATH=" CONF_DIR " CNI_PATH=%s naru cni "
#define REFERENCE "/usr/lib/cni"

static const char bridge[] = "{\"type\":\"bridge\",\"bridge\":\"nct0\",\"isGateway\":true,"
			     "\"ipMasq\":true,\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{"
			     "\"subnet\":\"10.77.0.0/24\"}]]}}";
static const char portmap[] = "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}";

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, CONF_DIR "/%s", name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void write_list(const char *name, const char *version, const char *plugins)
{
	char text[2048], file[128];

	snprintf(text, sizeof text, "{\"cniVersion\":\"%s\",\"name\":\"%s\",\"plugins\":[%s]}",
		 version, name, plugins);
	snprintf(file, sizeof file, "%s.conflist", name);
	write_file(file, text);
}

static int setup(void **state)
{
	char both[1024];

	(void)state;
	lab_sh("rm -rf " CONF_DIR " && mkdir -p " CONF_DIR);
	snprintf(both, sizeof both, "%s,%s", bridge, portmap);
	write_list("both", "1.1.0", both);
	lab_netns_new("c1");
	lab_netns_new("c2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (const char *const *c = (const char *const[]){ "c1", "c2", NULL }; *c; c++) {
		struct lab_result r;

		naru_call(&r, NARU "del both /run/netns/%s", lab_bin(), *c);
		lab_result_clear(&r);
		lab_netns_del(*c);
	}
	return 0;
}

/* gc may take more than came: what stays for the next container, when there is none. */
static void expect_nothing_new(const char *before)
{
	char *after = naru_snapshot(), *diff = snapshot_diff(before, after);

	for (const char *line = diff; line && *line; line = strchr(line, '\n') + 1)
		if (*line == '+')
			fail_msg("left behind:\n%s", line);
	free(diff);
	free(after);
}

static void expect_same(const char *before)
{
	char *after = naru_snapshot(), *diff = snapshot_diff(before, after);

	if (diff)
		fail_msg("left behind:\n%s", diff);
	free(after);
}

/* The bridge, the table and the pool's directory stay for the next container: make them first. */
static char *snapshot_of_used_machine(void)
{
	naru_ok("CAP_ARGS='{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,"
		"\"protocol\":\"tcp\"}]}' " NARU "add both /run/netns/c1",
		lab_bin());
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
	return naru_snapshot();
}

static void an_attachment_is_made_checked_and_taken_away_without_a_trace(void **state)
{
	char *before = snapshot_of_used_machine();

	(void)state;
	char *result =
		naru_out("CAP_ARGS='{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,"
			 "\"protocol\":\"tcp\"}]}' " NARU "add both /run/netns/c1",
			 lab_bin());
	assert_true(json_is(result, "/cniVersion", "1.1.0"));
	assert_true(json_is(result, "/interfaces/2/name", "eth0"));
	assert_true(json_is(result, "/interfaces/2/sandbox", "/run/netns/c1"));
	char *ip = json_find(result, "/ips/0/address");
	assert_non_null(ip);
	assert_memory_equal(ip, "10.77.0.", 8);
	lab_sh_in("c1", "ip addr show eth0 | grep -q %s", ip);
	assert_int_equal(lab_try("nft list ruleset | grep -q 8080"), 0);
	naru_ok(NARU "check both /run/netns/c1", lab_bin());
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
	expect_same(before);
	naru_ok(NARU "del both /run/netns/c1", lab_bin()); /* twice */
	expect_same(before);
	free(ip);
	free(result);
	free(before);
}

static void container_id_and_cache_are_cnitools(void **state)
{
	(void)state;
	naru_ok("CNI_IFNAME=net1 CNI_ARGS='IgnoreUnknown=1;K=v' " NARU
		"add both /run/netns/../netns/./c1",
		lab_bin());
	char *id = lab_out("printf %%s /run/netns/c1 | sha512sum | cut -c1-20");
	char *cache = lab_out("cat /var/lib/cni/results/both-cnitool-%s-net1", id);
	assert_true(json_is(cache, "/kind", "cniCacheV1"));
	assert_true(json_is(cache, "/ifName", "net1"));
	assert_true(json_is(cache, "/netns", "/run/netns/c1"));
	assert_true(json_is(cache, "/cniArgs", "[[\"IgnoreUnknown\",\"1\"],[\"K\",\"v\"]]"));
	char *config = lab_out(
		"sed 's/.*\"config\":\"//;s/\".*//' /var/lib/cni/results/both-* | base64 -d");
	char *list = lab_out("cat " CONF_DIR "/both.conflist");
	assert_string_equal(config, list);
	naru_ok(NARU "del -i net1 both /run/netns/c1", lab_bin());
	assert_int_equal(lab_try("ls /var/lib/cni/results/both-* 2>/dev/null | grep -q ."), 1);
	free(id);
	free(cache);
	free(config);
	free(list);
}

/*
 * libcni would leave the first plugin's work; here the second one is refused and all is as before.
 */
static void a_chain_that_fails_at_its_end_leaves_nothing(void **state)
{
	struct lab_result r;
	char *before;

	(void)state;
	before = snapshot_of_used_machine();
	free(before);
	naru_ok("CAP_ARGS='{\"portMappings\":[{\"hostPort\":8081,\"containerPort\":80,\"protocol\":\"tcp\"}]}' " NARU
		"add both /run/netns/c1",
		lab_bin());
	before = naru_snapshot();
	naru_call(&r,
		  "CAP_ARGS='{\"portMappings\":[{\"hostPort\":8081,\"containerPort\":80,"
		  "\"protocol\":\"tcp\"}]}' " NARU "add both /run/netns/c2",
		  lab_bin());
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, "naru: plugin type=\"portmap\" failed (add): "));
	assert_non_null(strstr(r.err, "8081"));
	assert_null(strstr(r.err, "undoing it failed"));
	lab_result_clear(&r);
	expect_same(before);
	free(before);
}

static void a_second_add_does_not_take_the_first_away(void **state)
{
	struct lab_result r;
	char *before;

	(void)state;
	naru_ok(NARU "add both /run/netns/c1", lab_bin());
	before = naru_snapshot();
	naru_call(&r, NARU "add both /run/netns/c1", lab_bin());
	assert_int_equal(r.status, 1);
	lab_result_clear(&r);
	lab_sh_in("c1", "ip link show eth0 up | grep -q eth0");
	expect_same(before);
	free(before);
}

static void del_works_when_the_namespace_is_gone_and_the_cache_is_torn(void **state)
{
	char *before = snapshot_of_used_machine();

	(void)state;
	naru_ok(NARU "add both /run/netns/c1", lab_bin());
	lab_netns_del("c1");
	lab_sh("for f in /var/lib/cni/results/both-*; do : > $f; done");
	naru_ok(NARU "del both /run/netns/c1", lab_bin());
	lab_netns_new("c1");
	expect_same(before);
	free(before);
}

static void gc_takes_every_attachment_of_the_network(void **state)
{
	char *before = snapshot_of_used_machine();

	(void)state;
	naru_ok(NARU "add both /run/netns/c1", lab_bin());
	naru_ok(NARU "add both /run/netns/c2", lab_bin());
	naru_ok(NARU "gc both", lab_bin());
	expect_nothing_new(before);
	free(before);
}

static void naru_gc_takes_shared_things_where_no_container_ever_was(void **state)
{
	(void)state;
	naru_ok("naru gc");
	lab_sh("rm -rf /var/lib/cni/*"); /* the pool's memory */
	char *before = naru_snapshot(), *after, *diff;

	naru_ok(NARU "add both /run/netns/c1 && " NARU "del both /run/netns/c1", lab_bin(),
		lab_bin());
	assert_int_equal(lab_try("ip link show nct0"), 0);
	naru_ok("naru gc");
	assert_int_not_equal(lab_try("ip link show nct0"), 0);
	assert_int_not_equal(lab_try("nft list table inet naru"), 0);
	lab_sh("rm -rf /var/lib/cni/*");
	after = naru_snapshot();
	diff = snapshot_diff(before, after);
	if (diff)
		lab_fail("naru gc left %s", diff);
	free(before);
	free(after);
}

static void status_and_version_answer(void **state)
{
	(void)state;
	naru_ok(NARU "status both", lab_bin());
	char *text = naru_out(NARU "version both", lab_bin());
	assert_string_equal(text, "PLUGIN   VERSIONS\n"
				  "bridge   0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0\n"
				  "portmap  0.3.0 0.3.1 0.4.0 1.0.0 1.1.0");
	free(text);
}

static void every_version_goes_through_a_whole_life(void **state)
{
	static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
						"0.4.0", "1.0.0", "1.1.0" };
	char *before = snapshot_of_used_machine();

	(void)state;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		write_list("both", versions[i], bridge);
		char *result = naru_out(NARU "add both /run/netns/c1", lab_bin());

		assert_true(json_is(result, "/cniVersion", versions[i]));
		naru_ok(NARU "del both /run/netns/c1", lab_bin());
		expect_same(before);
		free(result);
	}
	free(before);
}

static void the_references_plugins_run_too(void **state)
{
	(void)state;
	if (access(REFERENCE "/bridge", X_OK) != 0)
		lab_skip("the reference's plugins are not in " REFERENCE);
	write_list(
		"ref", "1.0.0",
		"{\"type\":\"bridge\",\"bridge\":\"nct1\",\"isGateway\":true,\"ipam\":{\"type\":\"host-local\","
		"\"ranges\":[[{\"subnet\":\"10.78.0.0/24\"}]]}},{\"type\":\"tuning\",\"mtu\":1400}");
	char *result = naru_out(NARU "add ref /run/netns/c1", REFERENCE);
	assert_true(json_is(result, "/ips/0/address", "10.78.0.2/24"));
	lab_sh_in("c1", "ip link show eth0 | grep -q 'mtu 1400'");
	naru_ok(NARU "check ref /run/netns/c1", REFERENCE);
	naru_ok(NARU "del ref /run/netns/c1", REFERENCE);
	assert_int_equal(lab_try("ls /var/lib/cni/networks/ref/10.78.0.2 2>/dev/null"), 2);
	free(result);
}

static void wrong_calls_say_what_to_do(void **state)
{
	(void)state;
	naru_refuses(1,
		     "naru: no net configuration with name \"bot\" in " CONF_DIR
		     "; networks there: both\n",
		     NARU "add bot /run/netns/c1", lab_bin());
	naru_refuses(
		1,
		"naru: naru cni add: expected NETWORK NETNS, got only \"both\"; NETNS is a path such as "
		"/run/netns/NAME\n",
		NARU "add both", lab_bin());
	naru_refuses(1, "naru: naru cni: no action \"dell\"; did you mean \"del\"?\n",
		     NARU "dell both /x", lab_bin());
	naru_refuses(1, "naru: invalid CNI_ARGS pair \"K\": expected KEY=VALUE;KEY=VALUE\n",
		     "CNI_ARGS=K " NARU "add both /run/netns/c1", lab_bin());
	naru_refuses(1, "naru: CAP_ARGS: expected a JSON object such as {\"portMappings\":[...]}\n",
		     "CAP_ARGS=[] " NARU "add both /run/netns/c1", lab_bin());
	naru_refuses(
		1,
		"naru: plugin type=\"bridge\" failed (add): failed to find plugin \"bridge\" in path [/nowhere]; "
		"install it there or correct the type\n",
		NARU "add both /run/netns/c1", "/nowhere");
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(an_attachment_is_made_checked_and_taken_away_without_a_trace),
		LAB(container_id_and_cache_are_cnitools),
		LAB(a_chain_that_fails_at_its_end_leaves_nothing),
		LAB(a_second_add_does_not_take_the_first_away),
		LAB(del_works_when_the_namespace_is_gone_and_the_cache_is_torn),
		LAB(gc_takes_every_attachment_of_the_network),
		LAB(naru_gc_takes_shared_things_where_no_container_ever_was),
		LAB(status_and_version_answer),
		LAB(every_version_goes_through_a_whole_life),
		LAB(the_references_plugins_run_too),
		LAB(wrong_calls_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
