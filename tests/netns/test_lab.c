// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static char initial_net[64], initial_mnt[64];

static void ns_link(const char *kind, char out[64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
	n = readlink(path, out, 63);
	out[n > 0 ? n : 0] = '\0';
}

static void assert_text(char *got, const char *expected)
{
	assert_string_equal(got, expected);
	free(got);
}

/* ---- the laboratory ---- */

static void the_laboratory_has_namespaces_of_its_own(void **state)
{
	char now[64];

	(void)state;
	ns_link("net", now);
	assert_string_not_equal(now, initial_net);
	ns_link("mnt", now);
	assert_string_not_equal(now, initial_mnt);
	assert_text(lab_out("ls /sys/class/net | grep -v -e '^ifb' -e '^tunl' -e '^sit'"), "lo");
	assert_text(lab_out("cat /sys/class/net/lo/flags"), "0x9");
	assert_text(lab_out("hostname"), "lab");
}

static void run_is_empty_and_the_state_directories_are_in_memory(void **state)
{
	static const char *const in_memory[] = { "/run", "/var/lib/cni", "/var/lib/naru" };
	struct statfs fs;

	(void)state;
	for (size_t i = 0; i < sizeof in_memory / sizeof *in_memory; i++) {
		assert_int_equal(statfs(in_memory[i], &fs), 0);
		assert_int_equal(fs.f_type, 0x01021994 /* tmpfs */);
	}
	assert_text(lab_out("ls /run"), "lock\nnaru\nnetns");
	assert_text(lab_out("stat -c %%a /run"), "755");
	assert_text(lab_out("ls /var/lib/cni /var/lib/naru | tr '\\n' ' '"),
		    "/var/lib/cni:  /var/lib/naru: ");
}

/* A process that never entered the laboratory, to ask whether the machine itself has a file. */
static int witness_ask[2], witness_answer[2];

static void start_witness(void)
{
	char c;

	if (pipe2(witness_ask, O_CLOEXEC) < 0 || pipe2(witness_answer, O_CLOEXEC) < 0)
		abort();
	if (fork() != 0)
		return;
	close(witness_ask[1]);
	while (read(witness_ask[0], &c, 1) == 1) {
		c = access("/var/lib/naru-lab-proof", F_OK) == 0 ? 'y' : 'n';
		if (write(witness_answer[1], &c, 1) != 1)
			break;
	}
	_exit(0);
}

static void what_is_written_below_var_lib_does_not_reach_the_machine(void **state)
{
	char answer = '?';

	(void)state;
	lab_sh("echo here > /var/lib/naru-lab-proof && test -s /var/lib/naru-lab-proof");
	assert_int_equal(write(witness_ask[1], "x", 1), 1);
	assert_int_equal(read(witness_answer[0], &answer, 1), 1);
	assert_int_equal(answer, 'n');
	lab_sh("rm /var/lib/naru-lab-proof");
}

/*
 * Another program of this kind, as a test run beside us would be; it says where its groups are
 * outside.
 */
static int be_a_neighbour(void)
{
	lab_enter();
	lab_sh("for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do"
	       " test ! -e $d/cgroup.procs || mkdir $d/naru-test-left || exit 1; done");

	char *pid = lab_out("sleep 60 >/dev/null 2>&1 & echo $!");

	puts(pid);
	free(pid);
	return 0;
}

static void control_groups_are_private_and_removed_with_the_program(void **state)
{
	static const char count[] = "ls -d /sys/fs/cgroup/naru-test-* /sys/fs/cgroup/*/naru-test-* "
				    "2>/dev/null | wc -l";
	char *argv[] = { (char *)"neighbour", (char *)"--neighbour", NULL };
	const struct lab_cmd c = { .path = "/proc/self/exe", .argv = argv };
	struct lab_result r;
	int tries = 0, status;
	pid_t pid;

	(void)state;
	if (lab_try("grep -q ' - cgroup' /proc/self/mountinfo"))
		lab_skip("no control groups are mounted at /sys/fs/cgroup");
	assert_text(lab_out("%s", count), "0");
	lab_run(&c, &r);
	assert_string_equal(r.err, "");
	assert_int_equal(r.status, 0);
	pid = (pid_t)strtol(r.out, NULL, 10);
	assert_true(pid > 1);
	lab_result_clear(&r);
	while (lab_try("test $(%s) = 0", count) && tries++ < 250)
		usleep(20000);
	assert_text(lab_out("%s", count), "0");
	/* what it left running went with its groups */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, SIGKILL);
}

static int flags_of_lo(void *arg)
{
	(void)arg;
	return lab_try("ip -o link show lo | grep -q UP,LOWER_UP") == 0;
}

static int one_thousand(void *arg)
{
	return *(int *)arg * 1000;
}

static void a_new_network_namespace_is_pinned_and_its_loopback_down(void **state)
{
	(void)state;
	lab_netns_new("fresh");
	lab_sh("test \"$(stat -f -c %%T /run/netns/fresh)\" = nsfs");
	assert_int_equal(lab_in("fresh", flags_of_lo, NULL), 0);
	assert_int_equal(lab_in(NULL, flags_of_lo, NULL), 1);
	lab_netns_del("fresh");
	assert_int_equal(access("/run/netns/fresh", F_OK), -1);
}

static void a_function_run_inside_returns_its_whole_int(void **state)
{
	int minus = -7;

	(void)state;
	assert_int_equal(lab_in(NULL, one_thousand, &minus), -7000);
}

static int assert_that_seven_is_eight(void *arg)
{
	(void)arg;
	assert_int_equal(7, 8);
	return 0;
}

static int expect_a_failure_inside(void *arg)
{
	(void)arg;
	(void)lab_in(NULL, assert_that_seven_is_eight, NULL);
	return 0;
}

/*
 * In a child, a failure ends the child: it must not jump back and run the other tests a second
 * time.
 */
static void a_failed_assertion_inside_fails_the_caller(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		lab_child();
		(void)!freopen("/dev/null", "w", stderr);
		_exit(expect_a_failure_inside(NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 99);
}

static void the_hosts_ends_are_gone_when_a_namespace_is_deleted(void **state)
{
	char name[IF_NAMESIZE];

	(void)state;
	for (int round = 0; round < 5; round++) {
		lab_netns_new("gone");
		for (int i = 0; i < 3; i++) {
			snprintf(name, sizeof name, "labveth%d", i);
			lab_sh("ip link add %s type veth peer name eth%d netns gone", name, i);
		}
		lab_netns_del("gone");
		for (int i = 0; i < 3; i++) {
			snprintf(name, sizeof name, "labveth%d", i);
			assert_int_equal(if_nametoindex(name), 0);
		}
	}
}

static void the_outside_world_answers_over_both_families(void **state)
{
	struct traffic_server v4, v6;
	char peer[INET6_ADDRSTRLEN];

	(void)state;
	lab_outside();
	lab_outside(); /* the second call does nothing */
	traffic_serve(&v4, "outside", TRAFFIC_TCP, LAB_OUTSIDE_V4, 80, "world");
	traffic_serve(&v6, "outside", TRAFFIC_TCP, LAB_OUTSIDE_V6, 80, "world");
	assert_int_equal(tcp_fetch(NULL, LAB_OUTSIDE_V4, 80, 0, peer), 0);
	assert_string_equal(peer, LAB_HOST_V4);
	assert_int_equal(tcp_fetch(NULL, LAB_OUTSIDE_V6, 80, 0, peer), 0);
	assert_string_equal(peer, LAB_HOST_V6);
	traffic_stop(&v4);
	traffic_stop(&v6);
	assert_text(
		lab_out("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"),
		"0\n0");
}

/* ---- running programs ---- */

static void sh(struct lab_result *r, const char *text, int timeout_ms, const void *in,
	       size_t in_len)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)text, NULL };
	const struct lab_cmd c = {
		.path = "/bin/sh",
		.argv = argv,
		.timeout_ms = timeout_ms,
		.in = in,
		.in_len = in_len,
	};

	lab_run(&c, r);
}

static void a_run_reports_status_signal_and_both_streams(void **state)
{
	static const struct {
		const char *text;
		int status, sig;
		const char *out, *err;
	} cases[] = {
		{ "true", 0, 0, "", "" },
		{ "echo out; echo err >&2; exit 3", 3, 0, "out\n", "err\n" },
		{ "kill -SEGV $$", -1, SIGSEGV, "", "" },
		{ "kill -TERM $$", -1, SIGTERM, "", "" },
		{ "printf 'a\\0b'", 0, 0, "a", "" },
	};
	struct lab_result r;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		sh(&r, cases[i].text, 0, NULL, 0);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.signal, cases[i].sig);
		assert_string_equal(r.out, cases[i].out);
		assert_string_equal(r.err, cases[i].err);
		assert_false(r.timed_out || r.held_open);
		assert_true(r.wall_us > 0 && r.rss_kib > 0);
		lab_result_clear(&r);
	}
}

static void a_run_carries_megabytes_both_ways(void **state)
{
	size_t len = 3 << 20;
	char *in = malloc(len);
	struct lab_result r;

	(void)state;
	assert_non_null(in);
	for (size_t i = 0; i < len; i++)
		in[i] = (char)(i * 7 + i / 251);
	sh(&r, "cat", 0, in, len);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.out_len, len);
	assert_memory_equal(r.out, in, len);
	lab_result_clear(&r);
	free(in);
}

static void a_run_that_takes_too_long_is_ended_with_its_children(void **state)
{
	struct lab_result r;
	int status;
	pid_t pid;

	(void)state;
	sh(&r, "sleep 60 & echo $!; wait", 200, NULL, 0);
	assert_true(r.timed_out);
	assert_int_equal(r.signal, SIGKILL);
	pid = (pid_t)strtol(r.out, NULL, 10);
	assert_true(pid > 1);
	assert_int_equal(waitpid(pid, &status, 0), pid); /* the laboratory reaps orphans */
	assert_int_equal(status, SIGKILL);
	assert_in_range(r.wall_us, 190000, 2000000);
	lab_result_clear(&r);
}

static void a_survivor_that_holds_the_output_is_noticed_and_not_waited_for(void **state)
{
	struct lab_result r;
	pid_t pid;

	(void)state;
	sh(&r, "sleep 30 & echo $!", 0, NULL, 0);
	assert_true(r.held_open);
	assert_true(r.wall_us < 5000000);
	pid = (pid_t)strtol(r.out, NULL, 10);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* the laboratory reaps orphans */
	lab_result_clear(&r);
}

static void a_run_in_a_namespace_sees_only_it(void **state)
{
	char *argv[] = { (char *)"ip", (char *)"-br", (char *)"link", NULL };
	const struct lab_cmd c = { .path = "/usr/sbin/ip", .argv = argv, .netns = "inside" };
	struct lab_result r;

	(void)state;
	lab_netns_new("inside");
	lab_sh("ip link add onhost type veth peer name within netns inside");
	lab_run(&c, &r);
	assert_non_null(strstr(r.out, "within"));
	assert_null(strstr(r.out, "onhost"));
	lab_result_clear(&r);
	lab_netns_del("inside");
}

static void a_sanitizers_report_is_recognised(void **state)
{
	(void)state;
	assert_true(lab_sanitizer_report("==1==ERROR: AddressSanitizer: heap-use-after-free\n"));
	assert_true(lab_sanitizer_report("x.c:3:2: runtime error: signed integer overflow\n"));
	assert_false(lab_sanitizer_report("veth: create veth0: File exists\n"));
}

/* ---- plugins and chains ---- */

/* A plugin that logs how it was called and answers with its own mark. */
static void make_plugin(const char *name)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/run/bin/%s", name);
	(void)mkdir("/run/bin", 0755);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\n"
		"env | grep '^CNI_\\|^FW_' | sort > /run/bin/$CNI_COMMAND.%s.env\n"
		"cat > /run/bin/$CNI_COMMAND.%s.in\n"
		"echo $CNI_COMMAND %s >> /run/bin/log\n"
		"[ -z \"$FAIL\" ] || exit 7\n"
		"echo '{\"cniVersion\":\"1.1.0\",\"from\":\"%s\"}'\n",
		name, name, name, name);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void a_plugin_gets_the_six_variables_and_its_configuration(void **state)
{
	struct lab_result r;

	(void)state;
	make_plugin("first");
	setenv("CNI_STRAY", "1", 1);
	lab_plugin("/run/bin/first", "ADD", "box", "/run/netns/box", "eth0", "{\"type\":\"first\"}",
		   &r);
	unsetenv("CNI_STRAY");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "{\"cniVersion\":\"1.1.0\",\"from\":\"first\"}\n");
	lab_result_clear(&r);

	char *bin = NULL;

	assert_true(asprintf(&bin,
			     "CNI_ARGS=\nCNI_COMMAND=ADD\nCNI_CONTAINERID=box\nCNI_IFNAME=eth0\n"
			     "CNI_NETNS=/run/netns/box\nCNI_PATH=%s",
			     lab_bin()) > 0);
	assert_text(lab_out("cat /run/bin/ADD.first.env"), bin);
	assert_text(lab_out("cat /run/bin/ADD.first.in"), "{\"type\":\"first\"}");
	free(bin);
}

static void a_chain_runs_forward_and_back_and_remembers_the_result(void **state)
{
	static const char *const plugins[] = {
		"{\"type\":\"/run/bin/first\"}",
		"{ \"type\" : \"/run/bin/second\", \"capabilities\": {\"portMappings\": true, "
		"\"mac\": false} }",
		NULL,
	};
	struct lab_chain c = {
		.name = "net",
		.version = "1.0.0",
		.plugins = plugins,
		.cid = "box",
		.netns = "/run/netns/box",
		.runtime_config =
			"{\"mac\":\"00:11:22:33:44:55\",\"portMappings\":[{\"hostPort\":80}]}",
	};

	(void)state;
	make_plugin("first");
	make_plugin("second");
	lab_sh("rm -f /run/bin/log");
	assert_int_equal(lab_chain_add(&c), 0);
	assert_int_equal(lab_chain_check(&c), 0);
	assert_int_equal(lab_chain_del(&c), 0);
	assert_text(lab_out("tr '\\n' ' ' < /run/bin/log"),
		    "ADD first ADD second CHECK first CHECK second DEL second DEL first ");
	assert_text(lab_out("cat /run/bin/ADD.first.in"),
		    "{\"type\":\"/run/bin/first\",\"name\":\"net\",\"cniVersion\":\"1.0.0\"}");
	assert_text(lab_out("cat /run/bin/ADD.second.in"),
		    "{ \"type\" : \"/run/bin/second\", \"capabilities\": {\"portMappings\": true, "
		    "\"mac\": false} ,"
		    "\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"cniVersion\":\"1."
		    "1.0\",\"from\":\"first\"}"
		    ",\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":80}]}}");
	assert_text(lab_out("cat /run/bin/DEL.first.in"),
		    "{\"type\":\"/run/bin/first\",\"name\":\"net\",\"cniVersion\":\"1.0.0\","
		    "\"prevResult\":{\"cniVersion\":\"1.1.0\",\"from\":\"second\"}}");
	lab_chain_clear(&c);
}

static void a_chain_stops_where_a_plugin_fails(void **state)
{
	static const char *const plugins[] = { "{\"type\":\"/run/bin/first\"}",
					       "{\"type\":\"/run/bin/second\"}", NULL };
	char *env[] = { (char *)"FAIL=1", NULL };
	struct lab_chain c = {
		.plugins = plugins, .cid = "box", .netns = "/run/netns/box", .env = env
	};

	(void)state;
	make_plugin("first");
	make_plugin("second");
	lab_sh("rm -f /run/bin/log");
	assert_int_equal(lab_chain_add(&c), 7);
	assert_int_equal(c.failed, 0);
	assert_null(c.result);
	assert_text(lab_out("wc -l < /run/bin/log"), "1");
	lab_chain_clear(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_laboratory_has_namespaces_of_its_own),
		cmocka_unit_test(run_is_empty_and_the_state_directories_are_in_memory),
		cmocka_unit_test(what_is_written_below_var_lib_does_not_reach_the_machine),
		cmocka_unit_test(control_groups_are_private_and_removed_with_the_program),
		cmocka_unit_test(a_new_network_namespace_is_pinned_and_its_loopback_down),
		cmocka_unit_test(a_function_run_inside_returns_its_whole_int),
		cmocka_unit_test(a_failed_assertion_inside_fails_the_caller),
		cmocka_unit_test(the_hosts_ends_are_gone_when_a_namespace_is_deleted),
		cmocka_unit_test(the_outside_world_answers_over_both_families),
		cmocka_unit_test(a_run_reports_status_signal_and_both_streams),
		cmocka_unit_test(a_run_carries_megabytes_both_ways),
		cmocka_unit_test(a_run_that_takes_too_long_is_ended_with_its_children),
		cmocka_unit_test(a_survivor_that_holds_the_output_is_noticed_and_not_waited_for),
		cmocka_unit_test(a_run_in_a_namespace_sees_only_it),
		cmocka_unit_test(a_sanitizers_report_is_recognised),
		cmocka_unit_test(a_plugin_gets_the_six_variables_and_its_configuration),
		cmocka_unit_test(a_chain_runs_forward_and_back_and_remembers_the_result),
		cmocka_unit_test(a_chain_stops_where_a_plugin_fails),
	};

	if (argc == 2 && !strcmp(argv[1], "--neighbour"))
		return be_a_neighbour();
	ns_link("net", initial_net);
	ns_link("mnt", initial_mnt);
	start_witness();
	return cmocka_run_group_tests_name("lab", tests, lab_setup, NULL);
}
