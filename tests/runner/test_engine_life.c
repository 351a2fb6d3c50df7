// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine on a real kernel: how containers begin and end, exec, and that nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/txn/txn.h"
#include "runner/engine/engine.h"
#include "runner/spec_compose.h"
#include "tests/lib/ebox.h"
#include "tests/lib/lab.h"

/* ---------------------------------------------------------------- how it ends */

static void exit_codes_are_dockers(void **state)
{
	static const struct {
		const char *args[4];
		int code;
		const char *error;
	} cases[] = {
		{ { "true" }, 0, NULL },
		{ { "sh", "-c", "exit 7" }, 7, NULL },
		{ { "nosuch" }, 127, "nosuch: executable file not found in the container's PATH" },
		{ { "/no/such" }, 127, "/no/such: no such file inside the container" },
		{ { "lost" },
		  127,
		  "/bin/lost: exists, but its interpreter or loader is missing in the container" },
		{ { "/etc/plain" }, 126, "/etc/plain: cannot be executed: Permission denied" },
		{ { "/etc" }, 126, "/etc: is a directory and cannot be executed" },
		{ { "broken" },
		  126,
		  "/bin/broken: is not a program of this machine's kind, and names no interpreter" },
	};

	(void)state;
	for (size_t n = 0; n < 2 * ARRAY_LEN(cases); n++) {
		const size_t i = n / 2;
		cleanup_ebox struct ebox *b = ebox_new(cases[i].args);

		b->start.overlap = n % 2;
		ebox_begin(b);
		if (cases[i].error) {
			assert_true(b->r < 0);
			assert_string_equal(b->err.text, cases[i].error);
			assert_int_equal(engine_exit_code(b->r, &b->err), cases[i].code);
			continue;
		}
		assert_int_equal(b->r, 0);
		assert_int_equal(engine_wait(&b->proc, &b->status, NULL), 0);
		assert_int_equal(b->status, cases[i].code);
	}
}

/* The file behind /proc/PID/exe; "" when the process is gone. */
static void exe_of(pid_t pid, char *out, size_t size)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	n = readlink(path, out, size - 1);
	out[n < 0 ? 0 : n] = '\0';
}

/* A script of /proc/self/exe executes the stage program, which executes the script, and so on. */
static void the_runner_cannot_be_reached_through_its_own_exec(void **state)
{
	static const char *const ways[] = { "/bin/self", "/self-script", "/proc/self/exe" };
	char ours[PATH_MAX], theirs[PATH_MAX];

	(void)state;
	exe_of(getpid(), ours, sizeof ours);
	lab_sh("ln -sfn /proc/self/exe " EBOX_LOWER
	       "/bin/self; printf '#!/proc/self/exe\\n' > " EBOX_LOWER
	       "/self-script; chmod 755 " EBOX_LOWER "/self-script");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		cleanup_ebox struct ebox *b = ebox_new((const char *const[]){ ways[i], "x", NULL });

		ebox_begin(b);
		for (unsigned k = 0; k < 200 && b->r == 0; k++) {
			exe_of(b->proc.pid, theirs, sizeof theirs);
			assert_string_not_equal(theirs, ours);
		}
	}
}

static void a_signal_counts_from_128(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("echo up; sleep 60");

	(void)state;
	ebox_begin(b);
	assert_int_equal(b->r, 0);
	assert_true(engine_alive(b->proc.pid, b->proc.start_time));
	assert_false(engine_alive(b->proc.pid, b->proc.start_time + 1));
	assert_int_equal(engine_signal(b->proc.pid, b->proc.start_time + 1, SIGKILL), -ESRCH);
	assert_int_equal(engine_signal(b->proc.pid, b->proc.start_time, SIGKILL), 0);
	assert_int_equal(engine_wait(&b->proc, &b->status, NULL), 0);
	assert_int_equal(b->status, 128 + SIGKILL);
}

/* ---------------------------------------------------------------- exec */

static void exec_is_the_container_from_inside(void **state)
{
	static const char *const args[] = {
		"/bin/sh", "-c",
		"hostname; echo $A $B; id -u; for k in pid mnt net ipc uts cgroup; do [ $(readlink "
		"/proc/1/ns/$k) = $(readlink /proc/self/ns/$k) ] || echo $k differs; done; grep -E "
		"'Seccomp:|CapEff' /proc/self/status | tr '\\t' ' '; cat /proc/self/cgroup | grep ^0; "
		"ls /proc/$$/fd; exit 5",
		NULL
	};
	static const char *const base[] = { "A=1", "B=2", NULL }, *const more[] = { "B=3", NULL };
	cleanup_ebox struct ebox *b = ebox_sh("sleep 60");
	struct engine_proc p = ENGINE_PROC_INIT;
	struct err e = ERR_INIT;
	int pipefd[2], status;

	(void)state;
	b->rq.env = base;
	ebox_begin(b);
	assert_int_equal(b->r, 0);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	struct engine_exec x = { .init = b->proc.pid,
				 .start_time = b->proc.start_time,
				 .spec = &b->spec,
				 .cgroup = b->proc.cgroup,
				 .args = args,
				 .env = more,
				 .stdio = { 0, pipefd[1], pipefd[1] } };
	if (engine_exec(&x, &p, &e) < 0 || engine_begin(&p, &e) < 0)
		fail_msg("%s", e.text);
	(void)close(pipefd[1]);
	(void)close(b->out);
	b->out = pipefd[0];
	ebox_read(b);
	assert_int_equal(engine_wait(&p, &status, &e), 0);
	engine_proc_clear(&p);
	assert_int_equal(status, 5);
	assert_string_equal(b->text,
			    "box\n1 3\n0\nCapEff: 00000000a80425fb\nSeccomp: 2\n0::/\n0\n1\n2\n");
}

static void exec_reports_what_cannot_run_and_who_is_gone(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("sleep 60");
	struct engine_proc p = ENGINE_PROC_INIT;
	struct err e = ERR_INIT;
	int r;

	(void)state;
	ebox_begin(b);
	struct engine_exec x = { .init = b->proc.pid,
				 .start_time = b->proc.start_time,
				 .spec = &b->spec,
				 .cgroup = b->proc.cgroup,
				 .args = (const char *const[]){ "nosuch", NULL },
				 .stdio = { 0, 1, 2 } };
	assert_int_equal(engine_exec(&x, &p, &e), 0);
	r = engine_begin(&p, &e);
	assert_string_equal(e.text, "nosuch: executable file not found in the container's PATH");
	assert_int_equal(engine_exit_code(r, &e), 127);
	x.start_time++;
	e = (struct err)ERR_INIT;
	assert_int_equal(engine_exec(&x, &p, &e), -ESRCH);
	assert_non_null(strstr(e.text, "the container is not running"));
}

/* ---------------------------------------------------------------- nothing is left */

static void a_fault_in_every_phase_leaves_nothing(void **state)
{
	const char *phase;

	(void)state;
	for (unsigned i = 0; (phase = engine_phase_name(i / 2)); i++) {
		struct ebox *b = ebox_sh("true");
		char want[64];

		b->start.overlap = i % 2;
		b->start.stop_before = phase;
		ebox_begin(b);
		(void)snprintf(want, sizeof want, "%s: stopped before this phase, as asked", phase);
		assert_int_equal(b->r, -ECANCELED);
		assert_string_equal(b->err.text, want);
		ebox_free(b);
		ebox_nothing_left();
	}
}

static void a_fault_in_every_verb_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned k = 1, done = 0; !done; k++) {
		struct ebox *b = ebox_sh("true");

		b->txn.fail_at = k;
		ebox_begin(b);
		done = b->r == 0;
		assert_true(done || b->r == -EIO);
		ebox_free(b);
		ebox_nothing_left();
	}
}

static void a_start_that_overlaps_is_complete_before_its_command_runs(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("hostname; ls /sys/class/net");

	(void)state;
	b->start.overlap = true;
	ebox_create(b);
	assert_int_equal(b->r, 0);
	assert_true(engine_alive(b->proc.pid, b->proc.start_time));
	if (engine_begin(&b->proc, &b->err) < 0)
		fail_msg("%s", b->err.text);
	ebox_read(b);
	assert_string_equal(b->text, "box\nlo\n");
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
}

/* In a process of its own: starts a container with a journal and stays beside it. */
static void start_and_hang(int journal, bool overlap)
{
	struct ebox *b = ebox_sh("sleep 60");

	b->start.overlap = overlap;
	b->txn.journal = journal;
	ebox_begin(b);
	for (;;)
		(void)pause();
}

static void a_parent_killed_at_any_moment_leaves_nothing_after_the_journal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		int journal = open(EBOX_PLACE "/journal",
				   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		struct err e = ERR_INIT;
		struct txn t = TXN_INIT;
		pid_t pid = fork();

		if (pid == 0) {
			lab_child();
			start_and_hang(journal, i % 2);
		}
		(void)nanosleep(&(struct timespec){ .tv_nsec = (long)(i * i) * 6000 + 3000000 },
				NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		t.ops = engine_undo_ops;
		cleanup_fd int dir = open(EBOX_PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (txn_replay(&t, dir, "journal", &e) < 0)
			fail_msg("after %u: %s", i, e.text);
		txn_end(&t);
		(void)close(journal);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		ebox_nothing_left();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_are_dockers),
		cmocka_unit_test(the_runner_cannot_be_reached_through_its_own_exec),
		cmocka_unit_test(a_signal_counts_from_128),
		cmocka_unit_test(exec_is_the_container_from_inside),
		cmocka_unit_test(exec_reports_what_cannot_run_and_who_is_gone),
		cmocka_unit_test(a_start_that_overlaps_is_complete_before_its_command_runs),
		cmocka_unit_test(a_fault_in_every_phase_leaves_nothing),
		cmocka_unit_test(a_fault_in_every_verb_leaves_nothing),
		cmocka_unit_test(a_parent_killed_at_any_moment_leaves_nothing_after_the_journal),
	};

	return cmocka_run_group_tests(tests, ebox_set_up, NULL);
}
