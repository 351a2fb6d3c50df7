// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/dhcp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/call.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#define DNSMASQ "/usr/sbin/dnsmasq"
#define ARGS_MAX 32

static pid_t server, daemon_pid;

/* ---- programs in the background */

static pid_t spawn(const char *log, const char *const *argv, int fd3)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	lab_child();
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	if (fd3 >= 0) {
		char self[16];

		(void)snprintf(self, sizeof self, "%d", (int)getpid());
		(void)dup2(fd3, 3);
		(void)setenv("LISTEN_PID", self, 1);
		(void)setenv("LISTEN_FDS", "1", 1);
	}
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void stop(pid_t *pid, int sig)
{
	if (*pid > 0) {
		(void)kill(*pid, sig);
		(void)waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

/* Appends the words of a text, which live as long as the text. */
static void add_words(const char **argv, size_t n, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(n < ARGS_MAX - 1);
		argv[n++] = w;
	}
}

void dhcp_serve(const char *more)
{
	const char *argv[ARGS_MAX] = { DNSMASQ,
				       "--no-daemon",
				       "--conf-file=/dev/null",
				       "--user=root",
				       "--port=0",
				       "--interface=br0",
				       "--bind-dynamic",
				       "--no-ping",
				       "--dhcp-authoritative",
				       "--pid-file=",
				       ("--dhcp-leasefile=" DHCP_LEASES) };
	char *words = strdup(more);

	add_words(argv, 11, words);
	server = spawn("/run/dm/log", argv, -1);
	free(words);
	lab_sh("for i in $(seq 250); do grep -q 'sockets bound' /run/dm/log && exit 0; sleep 0.02; done; "
	       "cat /run/dm/log; exit 1");
}

void dhcp_server_kill(void)
{
	stop(&server, SIGKILL);
}

void dhcp_daemon_spawn(const char *const *argv, const char *more, int fd3)
{
	const char *own[ARGS_MAX] = { textf("%s/dhcp", lab_bin()), "daemon" };
	char *words = strdup(more);

	add_words(own, 2, words);
	daemon_pid = spawn("/run/dhcp.log", argv ? argv : own, fd3);
	free(words);
}

void dhcp_daemon_stop(int sig)
{
	stop(&daemon_pid, sig);
}

pid_t dhcp_daemon_pid(void)
{
	return daemon_pid;
}

const char *dhcp_conf(void)
{
	return jsonf(DHCP_CONF("1.1.0", "", ""));
}

static void await_daemon(void)
{
	for (int i = 0; i < 250; i++) {
		struct lab_result r;

		call_run(&(const struct call){ .plugin = "dhcp",
					       .verb = "STATUS",
					       .conf = dhcp_conf() },
			 &r);
		int status = r.status;

		lab_result_clear(&r);
		if (status == 0)
			return;
		(void)usleep(20000);
	}
	lab_fail("the daemon does not answer: %s", text_keep(lab_out("cat /run/dhcp.log")));
}

void dhcp_daemon_start(const char *more)
{
	dhcp_daemon_spawn(NULL, more, -1);
	await_daemon();
}

int dhcp_setup_bare(void **state)
{
	(void)state;
	if (access(DNSMASQ, X_OK) < 0)
		lab_skip("program dnsmasq is not there; package dnsmasq-base has it");
	lab_sh("rm -rf /run/dm /run/cni /run/dhcp.log " DHCP_RECORDS "; mkdir -p /run/dm");
	lab_sh("ip link add br0 type bridge && ip addr add 192.0.2.1/24 dev br0 && ip link set br0 up");
	lab_netns_new("c1");
	return 0;
}

int dhcp_setup(void **state)
{
	(void)dhcp_setup_bare(state);
	dhcp_serve(DHCP_RANGE "--dhcp-option=6,192.0.2.53,192.0.2.54 --dhcp-option=15,a.example "
			      "--dhcp-option=119,b.example,c.b.example");
	dhcp_daemon_start("");
	return 0;
}

int dhcp_teardown(void **state)
{
	(void)state;
	dhcp_daemon_stop(SIGTERM);
	dhcp_server_kill();
	if (access(LAB_NETNS("c1"), F_OK) == 0)
		lab_netns_del("c1");
	lab_sh("ip link del br0 2>/dev/null; true");
	call_reset_host();
	return 0;
}

/* ---- what the server has given away */

bool dhcp_leased(const char *what)
{
	return lab_try("grep -qF -- '%s' " DHCP_LEASES, what) == 0;
}

void dhcp_await_lease(const char *what, bool there)
{
	for (int i = 0; i < 300; i++) {
		if (dhcp_leased(what) == there)
			return;
		(void)usleep(20000);
	}
	lab_fail("%s: expected %s among the leases: %s", what, there ? "it" : "it not",
		 text_keep(lab_out("cat " DHCP_LEASES "; cat /run/dhcp.log")));
}

void dhcp_no_record(void)
{
	char *left = lab_out("ls -A " DHCP_RECORDS " 2>/dev/null");

	assert_string_equal(left, "");
	free(left);
}
