// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon of dhcp: flags, sockets, and that neither plugin nor daemon can be killed in a way
 * that leaves a lease behind.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/call.h"
#include "tests/lib/dhcp.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define FIRST_CHANGE 17 /* what bridge does before changes nothing */

/* ---- the daemon */

static void without_a_daemon_verbs_say_so(void **state)
{
	const char *c = dhcp_conf();

	(void)state;
	ok("bridge", "ADD", c);
	dhcp_daemon_stop(SIGKILL);
	fails(50, "error dialing DHCP daemon: connect " DHCP_SOCK ": Connection refused", "dhcp",
	      "STATUS", c);
	fails(11, "error dialing DHCP daemon", "dhcp", "ADD", c);
	/* the lease is known to be there, and has to be given back */
	fails(11, "error dialing DHCP daemon", "dhcp", "DEL", c);
	fails(11, "error dialing DHCP daemon", "dhcp", "GC", c);
	ok("dhcp", "DEL", c, .cid = "other");
	dhcp_daemon_start("");
	ok("bridge", "DEL", c);
	dhcp_await_lease("192.0.2.5", false);
	dhcp_daemon_stop(SIGTERM);
	assert_int_equal(access(DHCP_SOCK, F_OK), -1);
	ok("dhcp", "DEL", c);
	ok("dhcp", "GC", c);
	fails(50, "connect " DHCP_SOCK ": No such file or directory", "bridge", "STATUS", c);
}

static void flags_are_the_references(void **state)
{
	static const struct {
		const char *flags, *words;
		int status;
	} cases[] = {
		{ "-nonsense", "dhcp: -nonsense: no such flag", 2 },
		{ "-timeout 5", "dhcp: -timeout: expected a time like 10s or 1m30s, got \"5\"", 2 },
		{ "-timeout", "expected a time like 10s or 1m30s, got \"\"", 2 },
		{ "-broadcast=perhaps", "-broadcast: expected true or false", 2 },
		{ "-pidfile relative", "Error writing pidfile \"relative\": path not absolute", 1 },
		{ "", "another daemon listens on " DHCP_SOCK, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		lab_sh("%s/dhcp daemon %s %s > /run/out 2>&1; [ $? = %d ] && grep -qF -- '%s' /run/out || "
		       "{ cat /run/out; exit 1; }",
		       lab_bin(),
		       cases[i].status == 1 && *cases[i].flags ? "-socketpath /run/x/y" : "",
		       cases[i].flags, cases[i].status, cases[i].words);
	dhcp_daemon_stop(SIGTERM);
	/* paths of namespaces get a prefix */
	lab_sh("mkdir -p /run/host/run && ln -s /run/netns /run/host/run/netns");
	dhcp_daemon_spawn(
		NULL,
		"-pidfile /run/dhcp.pid -socketpath /run/elsewhere/sock -hostprefix /run/host "
		"-datadir /run/leases",
		-1);
	const char *c =
		text_replaced(dhcp_conf(), "\"type\":\"dhcp\"",
			      jsonf("'type':'dhcp','daemonSocketPath':'/run/elsewhere/sock'"));

	for (int i = 0; i < 250 && access("/run/elsewhere/sock", F_OK) < 0; i++)
		(void)usleep(20000);
	ok("bridge", "ADD", c);
	assert_int_equal(atoi(text_keep(lab_out("cat /run/dhcp.pid"))), dhcp_daemon_pid());
	assert_string_equal(text_keep(lab_out("stat -c %%a /run/elsewhere/sock")), "660");
	assert_int_equal(atoi(text_keep(lab_out("ls /run/leases | wc -l"))), 1);
	ok("bridge", "DEL", c);
}

static void the_program_of_all_plugins_has_the_daemon_too(void **state)
{
	const char *argv[] = { textf("%s/naru-cni", lab_bin()), "dhcp", "daemon", NULL };

	(void)state;
	dhcp_daemon_stop(SIGTERM);
	dhcp_daemon_spawn(argv, "", -1);
	for (int i = 0; i < 250 && access(DHCP_SOCK, F_OK) < 0; i++)
		(void)usleep(20000);
	lab_sh("mkdir -p /run/multi; for p in bridge dhcp; do ln -sf %s/naru-cni /run/multi/$p; done",
	       lab_bin());
	/* where dhcp is linked in, it is executed all the same: the interface has to be there */
	ok("/run/multi/bridge", "ADD", dhcp_conf(), .path = "/run/multi");
	ok("/run/multi/bridge", "DEL", dhcp_conf(), .path = "/run/multi");
	dhcp_await_lease("192.0.2.5", false);
}

static void a_dry_run_asks_nobody(void **state)
{
	char *const env[] = { (char[]){ "NARU_PLAN=/run/plan" }, NULL };

	(void)state;
	lab_sh(": > /run/plan");
	fails(104, "a dry run asks no DHCP server", "dhcp", "ADD", dhcp_conf(), .env = env);
	ok("dhcp", "DEL", dhcp_conf(), .env = env);
	lab_sh("grep -q 'ask a DHCP server for eth0' /run/plan && grep -q 'give the lease' /run/plan");
	assert_false(dhcp_leased("192.0.2.5"));
	dhcp_no_record();
}

static void a_socket_of_systemds_is_taken_and_left(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	dhcp_daemon_stop(SIGTERM);
	(void)snprintf(un.sun_path, sizeof un.sun_path, DHCP_SOCK);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(fd, 5), 0);
	dhcp_daemon_spawn(NULL, "", fd);
	ok("bridge", "ADD", dhcp_conf());
	ok("bridge", "DEL", dhcp_conf());
	dhcp_daemon_stop(SIGTERM);
	assert_int_equal(access(DHCP_SOCK, F_OK), 0);
	(void)close(fd);
}

/* ---- what must not cost a lease, or a minute */

static int dial(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = DHCP_SOCK };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* A namespace that cannot be looked at is not one that is gone. */
static void a_daemon_short_of_descriptors_keeps_its_leases(void **state)
{
	const char *argv[] = { "/bin/sh", "-c",
			       textf("ulimit -n 32; exec %s/dhcp daemon", lab_bin()), NULL };
	int idle[64];

	(void)state;
	dhcp_daemon_stop(SIGTERM);
	dhcp_daemon_spawn(argv, "", -1);
	for (int i = 0; i < 250 && access(DHCP_SOCK, F_OK) < 0; i++)
		(void)usleep(20000);
	ok("bridge", "ADD", dhcp_conf());
	for (size_t i = 0; i < LEN(idle); i++)
		idle[i] = dial();
	(void)sleep(3); /* one look at all namespaces, and a bit */
	for (size_t i = 0; i < LEN(idle); i++)
		(void)close(idle[i]);
	assert_true(dhcp_leased("192.0.2.5"));
	ok("bridge", "DEL", dhcp_conf());
	dhcp_await_lease("192.0.2.5", false);
}

/* Whatever a daemon cannot open when it begins: what it does not take up, the next one does. */
static void a_daemon_that_begins_short_of_descriptors_forgets_no_lease(void **state)
{
	(void)state;
	ok("bridge", "ADD", dhcp_conf());
	dhcp_daemon_stop(SIGTERM);
	for (unsigned n = 5; n < 20; n++) {
		const char *argv[] = { "/bin/sh", "-c",
				       textf("ulimit -n %u; exec %s/dhcp daemon", n, lab_bin()),
				       NULL };

		dhcp_daemon_spawn(argv, "", -1);
		(void)usleep(100000);
		dhcp_daemon_stop(SIGTERM);
		if (lab_try("[ -n \"$(ls " DHCP_RECORDS "/*.json)\" ]"))
			lab_fail("with %u descriptors: %s", n,
				 text_keep(lab_out("cat /run/dhcp.log")));
	}
	dhcp_daemon_start("");
	ok("bridge", "DEL", dhcp_conf());
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
}

/* What the first ADD leased is not forgotten by a second one, which fails: it is given back. */
static void a_second_add_that_fails_leaves_no_lease(void **state)
{
	(void)state;
	ok("bridge", "ADD", dhcp_conf());
	lab_sh("ip netns add c2");
	fails(999, "eth0", "dhcp", "ADD", dhcp_conf(), .netns = "/run/netns/c2");
	ok("dhcp", "DEL", dhcp_conf());
	dhcp_await_lease("192.0.2.5", false);
	dhcp_no_record();
	lab_sh("ip netns del c2");
}

/* One that is stopped, with as many plugins in its queue as the kernel takes. */
static void nobody_waits_for_a_daemon_that_hears_nobody(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = DHCP_SOCK };
	int queue[8], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	dhcp_daemon_stop(SIGTERM);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (size_t i = 0; i < LEN(queue); i++)
		queue[i] = dial();
	fails(50, "error dialing DHCP daemon: connect " DHCP_SOCK ": no answer within", "dhcp",
	      "STATUS", dhcp_conf());
	for (size_t i = 0; i < LEN(queue); i++)
		(void)close(queue[i]);
	(void)close(fd);
	(void)unlink(DHCP_SOCK);
}

/* ---- crashes */

static const char *stepper(void)
{
	return textf("%s/../tests/tools/stepper", lab_bin());
}

static void expect_nothing_left(const char *what, unsigned n)
{
	for (int i = 0; i < 100 && dhcp_leased("192.0.2.5"); i++)
		(void)usleep(20000);
	if (dhcp_leased("192.0.2.5") || lab_try("[ -z \"$(ls -A " DHCP_RECORDS " 2>/dev/null)\" ]"))
		lab_fail("%s, point %u: %s", what, n,
			 text_keep(lab_out("cat " DHCP_LEASES "; ls -lA " DHCP_RECORDS
					   "; cat /run/dhcp.log")));
}

static bool has_fired(void)
{
	return lab_try("grep -q '\"fired\":true' /run/report") == 0;
}

/* The plugin, killed before each of its calls: the daemon notices, or DEL tells it. */
static void a_plugin_killed_anywhere_leaves_no_lease_after_del(void **state)
{
	bool fired = true;

	(void)state;
	for (unsigned n = FIRST_CHANGE; fired; n++) {
		assert_true(n < 400); /* sanitizers add calls */
		(void)lab_try(
			"echo '%s' | CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 "
			"CNI_IFNAME=eth0 CNI_PATH=%s %s --kill=%u --faults "
			"--report=/run/report --timeout=20 %s/bridge >/dev/null 2>&1",
			dhcp_conf(), lab_bin(), stepper(), n, lab_bin());
		fired = has_fired();
		ok("bridge", "DEL", dhcp_conf());
		expect_nothing_left("plugin killed", n);
		assert_true(fired || n > 5);
	}
}

/* An interface that outlives a failed ADD, so that there is a way to tell the server. */
static void cable(void)
{
	lab_sh("ip link add cable type veth peer name eth0 netns c1 && ip link set cable master br0 up");
}

/* Killed before the n-th of its calls; true when it came so far. */
static bool killed_daemon(unsigned n)
{
	const char *argv[] = { stepper(),
			       textf("--kill=%u", n),
			       "--report=/run/report",
			       "--timeout=60",
			       textf("%s/dhcp", lab_bin()),
			       "daemon",
			       "-pidfile",
			       "/run/dhcp.pid",
			       NULL };
	struct lab_result r;

	lab_sh("rm -f /run/report /run/dhcp.pid " DHCP_SOCK);
	dhcp_daemon_spawn(argv, "", -1);
	for (int i = 0; i < 200 && access(DHCP_SOCK, F_OK) < 0 && !has_fired(); i++)
		(void)usleep(10000);
	call_run(&(const struct call){ .plugin = "dhcp", .verb = "ADD", .conf = dhcp_conf() }, &r);
	lab_result_clear(&r);
	bool fired = false;
	for (int i = 0; i < 10 && !(fired = has_fired()); i++)
		(void)usleep(10000);

	(void)lab_try("kill $(cat /run/dhcp.pid)");
	dhcp_daemon_stop(0);
	return fired;
}

/* The daemon, killed before each of its calls while it serves an ADD; the next one takes over. */
static void a_daemon_killed_anywhere_leaves_no_lease_after_del(void **state)
{
	bool fired = true;

	(void)state;
	dhcp_daemon_stop(SIGTERM);
	cable();
	for (unsigned n = 1; fired; n++) {
		assert_true(n < 400); /* sanitizers add calls */
		fired = killed_daemon(n);
		dhcp_daemon_start("");
		ok("dhcp", "DEL", dhcp_conf());
		expect_nothing_left("daemon killed", n);
		dhcp_daemon_stop(SIGTERM);
		assert_true(fired || n > 5);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_setup, dhcp_teardown)
#define BARE(f) cmocka_unit_test_teardown(f, dhcp_teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_daemon_verbs_say_so),
		T(flags_are_the_references),
		T(the_program_of_all_plugins_has_the_daemon_too),
		T(a_dry_run_asks_nobody),
		T(a_socket_of_systemds_is_taken_and_left),
		T(a_daemon_short_of_descriptors_keeps_its_leases),
		T(a_daemon_that_begins_short_of_descriptors_forgets_no_lease),
		T(a_second_add_that_fails_leaves_no_lease),
		T(nobody_waits_for_a_daemon_that_hears_nobody),
		T(a_plugin_killed_anywhere_leaves_no_lease_after_del),
		T(a_daemon_killed_anywhere_leaves_no_lease_after_del),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
