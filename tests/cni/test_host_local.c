// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define DIR_NET "/var/lib/cni/networks/net"
#define REFERENCE "/usr/lib/cni/host-local"
#define OURS "host-local"

#define IPAM(keys) \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"none\",\"ipam\":{\"type\":\"host-local\"," keys \
	"}}"
#define DUAL "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]"
#define SMALL "\"ranges\":[[{\"subnet\":\"10.1.0.0/29\"}]]" /* .2 to .6 */

static struct lab_result last;

/* Status of one call; what it said is in last. */
static int call(const char *plugin, const char *verb, const char *cid, const char *args,
		const char *conf)
{
	const struct lab_call c = { .plugin = plugin,
				    .verb = verb,
				    .cid = cid,
				    .netns = "/run/netns/none",
				    .ifname = "eth0",
				    .args = args,
				    .conf = conf };

	lab_result_clear(&last);
	lab_call(&c, &last);
	return last.status;
}

static void must(const char *verb, const char *cid, const char *conf)
{
	if (call(OURS, verb, cid, "", conf) != 0)
		lab_fail("%s %s: %s%s", verb, cid, last.out, last.err);
}

static void must_fail(const char *verb, const char *cid, const char *args, const char *conf,
		      const char *code, const char *msg)
{
	if (call(OURS, verb, cid, args, conf) == 0)
		lab_fail("%s succeeded, expected %s", verb, msg);
	char *got = json_find(last.out, "/msg");

	if (!got || strcmp(got, msg) || !json_is(last.out, "/code", code))
		lab_fail("expected %s %s, got %s", code, msg, last.out);
	free(got);
}

static bool address_is(const char *path, const char *want)
{
	return json_is(last.out, path, want);
}

static int clean(void **state)
{
	(void)state;
	lab_enter();
	lab_sh("rm -rf /var/lib/cni/networks");
	return 0;
}

/* ---- configurations */

static void a_wrong_configuration_is_refused_by_name_and_touches_nothing(void **state)
{
	static const struct {
		const char *conf, *args, *code, *msg;
	} cases[] = {
		{ "{\"cniVersion\":\"1.1.0\",\"name\":\"net\"}", "", "7",
		  "/ipam: IPAM config missing 'ipam' key" },
		{ IPAM("\"ranges\":[]"), "", "7", "/ipam/ranges: no IP ranges specified" },
		{ IPAM("\"ranges\":[[]]"), "", "7",
		  "/ipam/ranges/0: invalid range set 0: empty range set" },
		{ IPAM("\"ranges\":[null]"), "", "7",
		  "/ipam/ranges/0: invalid range set 0: empty range set" },
		{ IPAM("\"ranges\":[[{\"subnet\":\"10.1.2.3/24\"}]]"), "", "7",
		  "/ipam/ranges/0: invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network "
		  "address is 10.1.2.0" },
		{ IPAM("\"subnet\":\"10.1.2.0/31\""), "", "7",
		  "/ipam: invalid range set 0: Network 10.1.2.0/31 too small to allocate from" },
		{ IPAM("\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],"
		       "[{\"subnet\":\"10.1.0.128/25\"}]]"),
		  "", "7", "/ipam/ranges: range set 0 overlaps with 1" },
		{ IPAM("\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"fd00::/64\"}]]"),
		  "", "7", "/ipam/ranges/0: invalid range set 0: mixed address families" },
		{ IPAM("\"ranges\":[[{\"subnet\":\"x\"}]]"), "", "7",
		  "/ipam/ranges/0/0/subnet: expected a network like 10.1.0.0/24, got string \\\"x\\\"" },
		{ IPAM(SMALL ",\"dataDir\":\"relative\""), "", "7",
		  "/ipam/dataDir: expected an absolute path, got \\\"relative\\\"" },
		{ IPAM(SMALL ",\"exclude\":[\"10.1.0.3\",7]"), "", "7",
		  "/ipam/exclude: element 1: expected an address or a network, got integer 7" },
		{ IPAM(SMALL ",\"routes\":{}"), "", "7",
		  "/ipam/routes: expected array of at most 4096 routes" },
		{ IPAM(SMALL), "IP=x", "4",
		  "ARGS: error parsing value of pair \\\"IP=x\\\": invalid IP address x" },
		{ IPAM(SMALL), "IP=10.1.0.3;FOO=1", "4",
		  "ARGS: unknown args [\\\"FOO=1\\\"]; IgnoreUnknown=1 accepts them" },
		{ IPAM(SMALL), "IP=10.9.0.1", "7",
		  "failed to allocate all requested IPs: 10.9.0.1" },
		{ IPAM(SMALL), "IP=10.1.0.1", "7",
		  "failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway" },
		{ IPAM(SMALL ",\"resolvConf\":\"/dev/zero\""), "", "7",
		  "resolvConf: /dev/zero is no regular file" },
		{ "{\"cniVersion\":\"0.2.0\",\"name\":\"net\",\"ipam\":{"
		  "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],"
		  "[{\"subnet\":\"10.2.0.0/24\"}]]}}",
		  "", "7",
		  "/ipam/ranges: CNI version 0.2.0 does not support more than 1 address per family" },
		{ "{\"cniVersion\":\"1.1.0\",\"name\":\"last_reserved_ip.0\","
		  "\"ipam\":{\"subnet\":\"10.1.0.0/24\"}}",
		  "", "7",
		  "/name: \\\"last_reserved_ip.0\\\" is a name of host-local's own files; choose another one" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		must_fail("ADD", "c1", cases[i].args, cases[i].conf, cases[i].code, cases[i].msg);
	assert_int_equal(access("/var/lib/cni/networks", F_OK), -1);
}

static void a_result_has_the_exact_form_of_its_version(void **state)
{
	static const struct {
		const char *version, *want;
	} cases[] = {
		{ "0.2.0",
		  "{\n    \"cniVersion\": \"0.2.0\",\n    \"ip4\": {\n        \"ip\": \"10.1.0.2/24\",\n"
		  "        \"gateway\": \"10.1.0.1\",\n        \"routes\": [\n            {\n"
		  "                \"dst\": \"0.0.0.0/0\"\n            }\n        ]\n    },\n    \"dns\": {}\n}" },
		{ "0.4.0",
		  "{\n    \"cniVersion\": \"0.4.0\",\n    \"ips\": [\n        {\n            \"version\": \"4\",\n"
		  "            \"address\": \"10.1.0.2/24\",\n            \"gateway\": \"10.1.0.1\"\n        }\n    ],\n"
		  "    \"routes\": [\n        {\n            \"dst\": \"0.0.0.0/0\"\n        }\n    ],\n    \"dns\": {}\n}" },
		{ "1.0.0",
		  "{\n    \"cniVersion\": \"1.0.0\",\n    \"ips\": [\n        {\n            \"address\": \"10.1.0.2/24\",\n"
		  "            \"gateway\": \"10.1.0.1\"\n        }\n    ],\n    \"routes\": [\n        {\n"
		  "            \"dst\": \"0.0.0.0/0\"\n        }\n    ]\n}" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char conf[512];

		snprintf(
			conf, sizeof conf,
			"{\"cniVersion\":\"%s\",\"name\":\"net\",\"ipam\":{\"subnet\":\"10.1.0.0/24\","
			"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}",
			cases[i].version);
		must("ADD", "c1", conf);
		assert_string_equal(last.out, cases[i].want);
		clean(NULL);
		if (access(REFERENCE, X_OK) == 0 &&
		    i < 2) { /* Debian's prints "dns": {} in 1.0.0 too */
			assert_int_equal(call(REFERENCE, "ADD", "c1", "", conf), 0);
			assert_string_equal(last.out, cases[i].want);
		}
		clean(NULL);
	}
}

static void addresses_asked_for_come_from_three_places(void **state)
{
	static const struct {
		const char *keys, *outer, *args, *v4, *v6;
	} cases[] = {
		{ DUAL, "", "IP=10.1.0.9", "10.1.0.9/24", "fd00:1::2/64" },
		{ DUAL, "", "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.1.0.9", "10.1.0.9/24",
		  "fd00:1::2/64" },
		{ DUAL, "", "IP=10.1.0.9/24", "10.1.0.9/24", "fd00:1::2/64" },
		{ DUAL, ",\"args\":{\"cni\":{\"ips\":[\"fd00:1::9\"]}}", "IP=10.1.0.8",
		  "10.1.0.8/24", "fd00:1::9/64" },
		{ DUAL, ",\"runtimeConfig\":{\"ips\":[\"fd00:1::9/64\",\"10.1.0.7\"]}", "",
		  "10.1.0.7/24", "fd00:1::9/64" },
		{ "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}]]",
		  ",\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"fd00:2::/64\"}]]}", "",
		  "fd00:2::2/64", "10.1.0.2/24" },
		{ "\"ranges\":[[{\"subnet\":\"fd00:1::/64\"}]],"
		  "\"SUBNET\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.50\"",
		  "", "", "10.1.0.50/24", "fd00:1::2/64" },
		{ "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\",\"exclude\":[\"10.1.0.0/28\"]}],"
		  "[{\"subnet\":\"fd00:1::/64\"}]],"
		  "\"exclude\":[\"10.1.0.16\",\"fd00:1::/65\"]",
		  "", "", "10.1.0.17/24", "fd00:1:0:0:8000::/64" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char conf[1024];

		snprintf(conf, sizeof conf,
			 "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"ipam\":{%s}%s}",
			 cases[i].keys, cases[i].outer);
		if (call(OURS, "ADD", "c1", cases[i].args, conf) != 0 ||
		    !address_is("/ips/0/address", cases[i].v4) ||
		    !address_is("/ips/1/address", cases[i].v6))
			lab_fail("case %zu: %s", i, last.out);
		must("DEL", "c1", conf);
		clean(NULL);
	}
}

static void name_servers_come_from_a_file(void **state)
{
	(void)state;
	lab_sh("printf 'nameserver 192.0.2.1\\nsearch a.example\\n' > /run/resolv.conf; ln -sf resolv.conf /run/link");
	must("ADD", "c1", IPAM(SMALL ",\"resolvConf\":\"/run/link\""));
	assert_true(json_is(last.out, "/dns/nameservers/0", "192.0.2.1"));
	assert_true(json_is(last.out, "/dns/search/0", "a.example"));
	lab_sh("head -c 65537 /dev/zero | tr '\\0' '\\n' > /run/large; mkfifo /run/fifo");
	must_fail("ADD", "c2", "", IPAM(SMALL ",\"resolvConf\":\"/run/large\""), "7",
		  "resolvConf: /run/large is larger than 65536 bytes");
	must_fail("ADD", "c2", "", IPAM(SMALL ",\"resolvConf\":\"/run/fifo\""), "7",
		  "resolvConf: /run/fifo is no regular file");
}

/* ---- life of a reservation */

static void a_second_add_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	must("ADD", "c1", IPAM(SMALL));
	char *before = snapshot_take(SNAPSHOT_FILES);

	must_fail(
		"ADD", "c1", "", IPAM(SMALL), "100",
		"failed to allocate for range 0: 10.1.0.2 has been allocated to c1, duplicate allocation is not allowed");
	must_fail(
		"ADD", "c2", "IP=10.1.0.2", IPAM(SMALL), "100",
		"failed to allocate for range 0: requested IP address 10.1.0.2 is not available in range set 10.1.0.1-10.1.0.6");
	assert_true(json_is(last.out, "/details",
			    "it is reserved for container c1, interface eth0 in " DIR_NET));
	char *after = snapshot_take(SNAPSHOT_FILES), *diff = snapshot_diff(before, after);

	assert_null(diff);
	free(before);
	free(after);
}

static void an_exhausted_pool_says_who_has_it_and_status_knows(void **state)
{
	char cid[8];

	(void)state;
	must("STATUS", NULL, IPAM(SMALL));
	for (int i = 0; i < 5; i++) {
		snprintf(cid, sizeof cid, "c%d", i);
		must("ADD", cid, IPAM(SMALL));
		if (i < 4)
			must("STATUS", NULL, IPAM(SMALL));
	}
	must_fail(
		"ADD", "c9", "", IPAM(SMALL), "101",
		"failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.6");
	assert_true(json_is(
		last.out, "/details",
		"all 5 addresses are reserved, 0 are free in " DIR_NET "; reserved longest: "
		"10.1.0.2 (c0 eth0), 10.1.0.3 (c1 eth0), 10.1.0.4 (c2 eth0); those whose container is gone are given "
		"back by DEL or GC"));
	must_fail(
		"STATUS", NULL, "", IPAM(SMALL), "50",
		"failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.6");
	must("DEL", "c3", IPAM(SMALL));
	must("ADD", "c9", IPAM(SMALL));
	assert_true(address_is("/ips/0/address", "10.1.0.5/29"));
}

static void what_a_dead_call_of_the_reference_left_is_used_again(void **state)
{
	(void)state;
	must("ADD", "c1", IPAM(SMALL));
	lab_sh(": > " DIR_NET "/10.1.0.3; : > " DIR_NET "/10.1.0.4; : > " DIR_NET
	       "/10.1.0.5; : > " DIR_NET "/10.1.0.6");
	must("STATUS", NULL, IPAM(SMALL));
	must("ADD", "c2", IPAM(SMALL));
	assert_true(address_is("/ips/0/address", "10.1.0.3/29"));
	lab_sh("[ $(ls " DIR_NET " | grep -c ^10) = 2 ]");
}

/* The machine was started again: our entries name another boot. */
static void reboot(void)
{
	lab_sh("cd /var/lib/cni/networks/.naru/net && for f in *; do t=$(readlink $f); ln -sfn \"${t%% boot=*} boot=00000000\" $f; "
	       "done; touch " DIR_NET);
}

static void reservations_of_an_earlier_boot_are_used_again_when_needed(void **state)
{
	char cid[8];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(cid, sizeof cid, "c%d", i);
		must("ADD", cid, IPAM(SMALL));
	}
	reboot();
	must("STATUS", NULL, IPAM(SMALL));
	must("ADD", "c3", IPAM(SMALL)); /* the same container, started again */
	assert_true(address_is("/ips/0/address", "10.1.0.5/29"));
	if (call(OURS, "ADD", "n1", "IP=10.1.0.4", IPAM(SMALL)) != 0)
		lab_fail("%s", last.out);
	must("ADD", "n2", IPAM(SMALL)); /* nothing free: all of the earlier boot go */
	must("ADD", "n3", IPAM(SMALL));
	must("ADD", "n4", IPAM(SMALL));
	must_fail(
		"ADD", "n5", "", IPAM(SMALL), "101",
		"failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.6");
}

static void del_works_twice_before_add_and_with_a_configuration_gone_wrong(void **state)
{
	(void)state;
	must("DEL", "c1", IPAM(SMALL));
	assert_int_equal(access("/var/lib/cni/networks", F_OK), -1);
	must("ADD", "c1", IPAM(SMALL));
	must("DEL", "c1", IPAM("\"ranges\":[]"));
	must("DEL", "c1", IPAM(SMALL));
	lab_sh("[ \"$(ls -A " DIR_NET " | xargs)\" = 'last_reserved_ip.0 lock' ]");
	lab_sh("[ -z \"$(ls -A /var/lib/cni/networks/.naru/net)\" ]");
}

static void del_takes_only_its_own_interface(void **state)
{
	struct lab_call c = { .plugin = OURS,
			      .verb = "ADD",
			      .cid = "c1",
			      .netns = "/x",
			      .ifname = "eth1",
			      .args = "",
			      .conf = IPAM(SMALL) };

	(void)state;
	must("ADD", "c1", IPAM(SMALL));
	lab_result_clear(&last);
	lab_call(&c, &last);
	assert_int_equal(last.status, 0);
	must("DEL", "c1", IPAM(SMALL));
	lab_sh("[ ! -e " DIR_NET "/10.1.0.2 ] && [ -e " DIR_NET "/10.1.0.3 ]");
}

static void check_compares_the_addresses_and_writes_nothing(void **state)
{
	static const char conf[] = "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"ipam\":{" SMALL
				   "},\"prevResult\":{\"cniVersion\":"
				   "\"1.0.0\",\"ips\":[{\"address\":\"%s/29\"}]}}";
	char right[512], wrong[512], gone[512];

	(void)state;
	snprintf(right, sizeof right, conf, "10.1.0.2");
	snprintf(wrong, sizeof wrong, conf, "10.1.0.3");
	snprintf(gone, sizeof gone, conf, "10.1.0.4");
	must_fail(
		"CHECK", "c1", "", IPAM(SMALL), "102",
		"host-local: Failed to find address added by container c1: expected a reservation in " DIR_NET
		", found none");
	assert_int_equal(access("/var/lib/cni/networks", F_OK), -1);
	must("ADD", "c1", IPAM(SMALL));
	must("ADD", "c2", IPAM(SMALL));
	char *before = snapshot_take(SNAPSHOT_FILES);

	must("CHECK", "c1", IPAM(SMALL));
	must("CHECK", "c1", right);
	must_fail(
		"CHECK", "c1", "", wrong, "102",
		"host-local: Failed to find address added by container c1: expected 10.1.0.3 reserved for it in " DIR_NET
		", found it reserved for c2 eth0");
	must_fail(
		"CHECK", "c1", "", gone, "102",
		"host-local: Failed to find address added by container c1: expected 10.1.0.4 reserved for it in " DIR_NET
		", found no reservation");
	char *after = snapshot_take(SNAPSHOT_FILES), *diff = snapshot_diff(before, after);

	assert_null(diff);
	free(before);
	free(after);
}

static void gc_keeps_what_is_valid(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		must("ADD", (const char *[]){ "c0", "c1", "c2", "c3" }[i], IPAM(SMALL));
	lab_sh("printf 'c2\\r\\neth7' > " DIR_NET "/10.1.0.6; rm " DIR_NET "/10.1.0.3; : > " DIR_NET
	       "/10.1.0.3; "
	       "touch /var/lib/cni/networks/.naru/net/.new");
	must("GC", NULL,
	     "{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"ipam\":{" SMALL
	     "},\"cni.dev/valid-attachments\":"
	     "[{\"containerID\":\"c2\",\"ifname\":\"eth0\"},{\"containerID\":\"zz\",\"ifname\":\"eth0\"},"
	     "{\"containerID\":\"c0\",\"ifname\":\"eth0\"},{\"containerID\":\"c3\",\"ifname\":\"eth1\"}]}");
	lab_sh("[ \"$(ls -A " DIR_NET
	       " | xargs)\" = '10.1.0.2 10.1.0.4 last_reserved_ip.0 lock' ]");
	lab_sh("[ $(ls -A /var/lib/cni/networks/.naru/net | wc -l) = 2 ]");
	must("GC", NULL, IPAM(SMALL ",\"dataDir\":\"/var/lib/cni/none\""));
	assert_int_equal(access("/var/lib/cni/none", F_OK), -1);
}

static void a_failed_add_gives_everything_back(void **state)
{
	char fault[32], *const env[] = { fault, NULL };
	int k = 1, status;

	(void)state;
	must("ADD", "c0", IPAM(DUAL));
	must("DEL", "c0", IPAM(DUAL));
	do {
		const struct lab_call c = { .plugin = OURS,
					    .verb = "ADD",
					    .cid = "c1",
					    .netns = "/x",
					    .ifname = "eth0",
					    .args = "",
					    .conf = IPAM(DUAL),
					    .env = env };
		char *before = snapshot_take(SNAPSHOT_FILES);

		snprintf(fault, sizeof fault, "NARU_FAIL_AT=%d", k);
		lab_result_clear(&last);
		lab_call(&c, &last);
		status = last.status;

		char *after = snapshot_take(SNAPSHOT_FILES), *diff = snapshot_diff(before, after);

		if (status && diff)
			lab_fail("fault %d left\n%s", k, diff);
		free(before);
		free(after);
		free(diff);
	} while (status && ++k < 20);
	assert_in_range(k, 3, 10); /* the reservation and the result are points */
}

static void leaving_links_and_other_peoples_directories_alone(void **state)
{
	(void)state;
	lab_sh("mkdir -p /var/lib/cni/networks /run/else && ln -s /run/else " DIR_NET);
	must_fail("ADD", "c1", "", IPAM(SMALL), "999",
		  "reservations in " DIR_NET ": open directory net: Not a directory");
	lab_sh("rm " DIR_NET "; mkdir " DIR_NET "; chmod 777 " DIR_NET);
	must_fail(
		"ADD", "c1", "", IPAM(SMALL), "7",
		"reservations in " DIR_NET
		": net has mode 0777; reservations are kept only where nobody but root can write: run "
		"\\\"chmod go-w\\\" on it or choose another \\\"dataDir\\\"");
	lab_sh("chmod 755 " DIR_NET "; echo keep > /run/victim; ln -s /run/victim " DIR_NET
	       "/lock");
	must_fail("ADD", "c1", "", IPAM(SMALL), "999",
		  "open " DIR_NET "/lock: Too many levels of symbolic links");
	lab_sh("[ $(cat /run/victim) = keep ] && [ -z \"$(ls -A /run/else)\" ]");
}

#define lab_test(test) cmocka_unit_test_setup(test, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lab_test(a_wrong_configuration_is_refused_by_name_and_touches_nothing),
		lab_test(a_result_has_the_exact_form_of_its_version),
		lab_test(addresses_asked_for_come_from_three_places),
		lab_test(name_servers_come_from_a_file),
		lab_test(a_second_add_is_refused_and_changes_nothing),
		lab_test(an_exhausted_pool_says_who_has_it_and_status_knows),
		lab_test(what_a_dead_call_of_the_reference_left_is_used_again),
		lab_test(reservations_of_an_earlier_boot_are_used_again_when_needed),
		lab_test(del_works_twice_before_add_and_with_a_configuration_gone_wrong),
		lab_test(del_takes_only_its_own_interface),
		lab_test(check_compares_the_addresses_and_writes_nothing),
		lab_test(gc_keeps_what_is_valid),
		lab_test(a_failed_add_gives_everything_back),
		lab_test(leaving_links_and_other_peoples_directories_alone),
	};

	return cmocka_run_group_tests_name("host-local", tests, lab_setup, NULL);
}
