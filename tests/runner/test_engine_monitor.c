// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process beside a container: output, log, signals, exit status.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/monitor.h"
#include "tests/lib/ebox.h"
#include "tests/lib/lab.h"

/* ---------------------------------------------------------------- the monitor */

static int note_end(void *arg, int code, struct err *e)
{
	(void)e;
	*(int *)arg = code;
	return 0;
}

static void the_monitor_logs_shows_and_tells_the_end(void **state)
{
	cleanup_ebox struct ebox *b =
		ebox_sh("echo one; echo two >&2; printf 'a\"\\\\\\001\\377'; exit 3");
	cleanup_fd int log =
		open(EBOX_PLACE "/log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	int ended = -1, tee[2];
	struct monitor m;
	struct err e = ERR_INIT;
	cleanup_free char *logged = NULL;

	(void)state;
	assert_int_equal(pipe2(tee, O_CLOEXEC), 0);
	ebox_begin(b);
	assert_int_equal(b->r, 0);
	m = (struct monitor){ .proc = &b->proc,
			      .out = take_fd(b->out),
			      .err = -1,
			      .log = log,
			      .tee_out = tee[1],
			      .tee_err = -1,
			      .forward_signals = true,
			      .ended = note_end,
			      .arg = &ended };
	assert_int_equal(monitor_run(&m, &e), 3);
	assert_int_equal(ended, 3);
	assert_true(m.dropped == 0);
	(void)close(tee[1]);
	b->out = tee[0];
	ebox_read(b);
	assert_string_equal(b->text, "one\ntwo\na\"\\\001\377");
	logged = lab_out("sed 's/\"time\":\"20[0-9-]*T[0-9:.]*Z\"/\"time\":T/' " EBOX_PLACE "/log");
	assert_string_equal(
		logged, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":T}\n"
			"{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":T}\n"
			"{\"log\":\"a\\\"\\\\\\u0001\\ufffd\",\"stream\":\"stdout\",\"time\":T}");
}

static void a_full_log_does_not_hold_the_container_up(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh(
		"i=0; while [ $i -lt 20000 ]; do echo line $i of the container; i=$((i+1)); done");
	cleanup_fd int log = -1;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	lab_sh("mkdir -p " EBOX_PLACE "/small && mount -t tmpfs -o size=64k tmpfs " EBOX_PLACE
	       "/small");
	log = open(EBOX_PLACE "/small/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ebox_begin(b);
	struct monitor m = { .proc = &b->proc,
			     .out = take_fd(b->out),
			     .err = -1,
			     .log = log,
			     .tee_out = -1,
			     .tee_err = -1 };
	assert_int_equal(monitor_run(&m, &e), 0);
	assert_true(m.dropped > 10000);
	assert_int_equal(fstat(log, &st), 0);
	assert_int_equal(lab_try("tail -c 1 " EBOX_PLACE "/small/log | grep -q . "),
			 1); /* ends with a whole entry */
	(void)close(take_fd(log));
	lab_sh("umount " EBOX_PLACE "/small");
}

static void a_log_that_never_answers_does_not_hold_the_container_up(void **state)
{
	cleanup_ebox struct ebox *b =
		ebox_sh("head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo done");
	struct err e = ERR_INIT;
	int dead[2];

	(void)state;
	assert_int_equal(pipe2(dead, O_CLOEXEC), 0); /* nobody reads it */
	ebox_begin(b);
	struct monitor m = { .proc = &b->proc,
			     .out = take_fd(b->out),
			     .err = -1,
			     .log = dead[1],
			     .tee_out = -1,
			     .tee_err = -1 };
	assert_int_equal(monitor_run(&m, &e), 0);
	assert_true(m.dropped > 1000);
	(void)close(dead[0]);
	(void)close(dead[1]);
}

static void signals_reach_the_container(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		lab_child();
		struct ebox *b =
			ebox_sh("trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done");
		struct err e = ERR_INIT;

		ebox_begin(b);
		struct monitor m = { .proc = &b->proc,
				     .out = -1,
				     .err = -1,
				     .log = -1,
				     .tee_out = -1,
				     .tee_err = -1,
				     .forward_signals = true };
		int r = monitor_run(&m, &e);

		ebox_free(b);
		_exit(r);
	}
	(void)nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monitor_logs_shows_and_tells_the_end),
		cmocka_unit_test(a_full_log_does_not_hold_the_container_up),
		cmocka_unit_test(a_log_that_never_answers_does_not_hold_the_container_up),
		cmocka_unit_test(signals_reach_the_container),
	};

	return cmocka_run_group_tests(tests, ebox_set_up, NULL);
}
