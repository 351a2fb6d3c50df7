// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/proc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "netlib/base/err.h"
#include "netlib/base/fd.h"

static char *const no_env[] = { NULL };

/* /bin/sh -c script */
static int sh(const char *script, const char *in, struct proc_spec limits, struct proc_result *res,
	      struct err *e)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };

	limits.path = "/bin/sh";
	limits.argv = argv;
	limits.envp = no_env;
	limits.in = in;
	limits.in_len = in ? strlen(in) : 0;
	return proc_run(&limits, res, e);
}

static void output_and_status_come_back(void **state)
{
	static const struct {
		const char *script, *in, *out;
		int status, signal;
	} cases[] = {
		{ "cat", "document", "document", 0, 0 },
		{ "true", NULL, "", 0, 0 },
		{ "exit 7", NULL, "", 7, 0 },
		{ "echo out; echo err >/dev/null; exit 1", NULL, "out\n", 1, 0 },
		{ "kill -9 $$", NULL, "", -1, SIGKILL },
		{ "echo $#:$0", NULL, "0:sh\n", 0, 0 },
		{ "exit 3", "never read", "", 3, 0 },
		{ "exec 0<&-; echo x", "never read", "x\n", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proc_result res = { 0 };
		struct err e = ERR_INIT;

		if (sh(cases[i].script, cases[i].in, (struct proc_spec){ 0 }, &res, &e) < 0)
			row_fail(i, e.text);
		row_text(i, cases[i].script, res.out, cases[i].out);
		row_int(i, cases[i].script, (long long)res.out_len,
			(long long)strlen(cases[i].out));
		row_int(i, cases[i].script, res.status, cases[i].status);
		row_int(i, cases[i].script, res.signal, cases[i].signal);
		proc_result_clear(&res);
	}
}

static void the_status_is_told_to_whoever_ignores_children(void **state)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old, after;
	struct proc_result res = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &ignore, &old), 0);
	assert_int_equal(sh("exit 7", NULL, (struct proc_spec){ 0 }, &res, &e), 0);
	assert_int_equal(sigaction(SIGCHLD, &old, &after), 0);
	assert_int_equal(res.status, 7);
	assert_ptr_equal(after.sa_handler, SIG_IGN);
	proc_result_clear(&res);
}

static void a_large_document_passes_both_ways_at_once(void **state)
{
	const size_t n = 900000;
	cleanup_free char *big = malloc(n + 1);
	struct proc_result res = { 0 };

	(void)state;
	assert_non_null(big);
	memset(big, 'x', n);
	big[n] = 0;
	assert_int_equal(sh("cat", big, (struct proc_spec){ 0 }, &res, NULL), 0);
	assert_int_equal(res.out_len, n);
	assert_memory_equal(res.out, big, n);
	proc_result_clear(&res);
	/* one that does not read it all is no error */
	assert_int_equal(sh("head -c 3", big, (struct proc_spec){ 0 }, &res, NULL), 0);
	assert_string_equal(res.out, "xxx");
	proc_result_clear(&res);
}

static void too_much_output_and_too_much_time_end_the_child(void **state)
{
	struct proc_result res = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(sh("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done", NULL,
			    (struct proc_spec){ .out_max = 1000 }, &res, &e),
			 -EFBIG);
	assert_string_equal(e.text, "run /bin/sh: read its output: File too large");
	assert_int_equal(sh("exec sleep 30", NULL, (struct proc_spec){ .timeout_ms = 100 }, &res,
			    &e),
			 -ETIMEDOUT);
	assert_string_equal(e.text, "run /bin/sh: no answer within 100 ms; killed");
	/* it closed its output but goes on */
	assert_int_equal(sh("exec sleep 30 >&-", NULL, (struct proc_spec){ .timeout_ms = 100 },
			    &res, &e),
			 -ETIMEDOUT);
	assert_null(res.out);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left, not even dead */
	assert_int_equal(errno, ECHILD);
}

static void what_cannot_be_started_is_named(void **state)
{
	struct proc_spec s = { .path = "/no/such/plugin", .envp = no_env };
	struct proc_result res = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(proc_run(&s, &res, &e), -ENOENT);
	assert_string_equal(e.text, "run /no/such/plugin: No such file or directory");
	s.path = "/dev/null";
	assert_int_equal(proc_run(&s, &res, &e), -EACCES);
	assert_string_equal(e.text, "run /dev/null: Permission denied");
}

static void the_environment_is_the_one_given_and_the_name_is_the_files(void **state)
{
	char *const env[] = { (char *)"A=1", (char *)"B=2", NULL };
	struct proc_spec s = { .path = "/usr/bin/env", .envp = env };
	struct proc_result res = { 0 };

	(void)state;
	assert_int_equal(proc_run(&s, &res, NULL), 0);
	assert_string_equal(res.out, "A=1\nB=2\n");
	proc_result_clear(&res);
}

static void signals_and_descriptors_of_ours_do_not_reach_the_child(void **state)
{
	cleanup_fd int ours = fcntl(0, F_DUPFD_CLOEXEC, 777);
	struct proc_result res = { 0 };
	sigset_t all, old;

	(void)state;
	assert_int_equal(sigfillset(&all), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &all, &old), 0);
	(void)signal(SIGTERM, SIG_IGN);
	assert_int_equal(sh("kill -TERM $$; echo still here", NULL, (struct proc_spec){ 0 }, &res,
			    NULL),
			 0);
	(void)signal(SIGTERM, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_int_equal(res.signal, SIGTERM);
	proc_result_clear(&res);
	assert_int_equal(ours, 777);
	assert_int_equal(sh("[ -e /proc/$$/fd/777 ] && echo leaked; :", NULL,
			    (struct proc_spec){ 0 }, &res, NULL),
			 0);
	assert_string_equal(res.out, "");
	proc_result_clear(&res);
}

static void a_file_that_is_still_being_written_is_waited_for(void **state)
{
	char path[] = "/tmp/naru-test-proc-XXXXXX";
	struct proc_spec s = { .path = path, .envp = no_env };
	static const char script[] = "#!/bin/sh\necho started\n";
	struct proc_result res = { 0 };
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, script, strlen(script)), 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	pid_t writer = fork(); /* keeps it open for writing a while */
	if (writer == 0) {
		(void)nanosleep(&(struct timespec){ .tv_nsec = 120000000 }, NULL);
		_exit(0);
	}
	assert_int_equal(close(fd), 0);
	int r = proc_run(&s, &res, NULL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	assert_int_equal(r, 0);
	assert_string_equal(res.out, "started\n");
	proc_result_clear(&res);
}

/* Not as if it had run and said nothing. */
static void a_file_that_is_never_closed_is_an_error(void **state)
{
	char path[] = "/tmp/naru-test-proc-XXXXXX";
	struct proc_spec s = { .path = path, .envp = no_env };
	struct proc_result res = { 0 };
	struct err e = ERR_INIT;
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	int r = proc_run(&s, &res, &e);
	assert_int_equal(unlink(path), 0);
	(void)close(fd);
	assert_int_equal(r, -ETXTBSY);
	assert_non_null(strstr(e.text, "Text file busy"));
	assert_null(res.out);
}

static int copy(const void *arg)
{
	char text[64] = "", name[16] = "";
	struct sigaction term;
	sigset_t mask;
	int fd = *(const int *)arg, open_still = fcntl(fd, F_GETFD) >= 0;

	if (read(0, text, sizeof text - 1) < 0 || prctl(PR_GET_NAME, name) < 0 ||
	    sigaction(SIGTERM, NULL, &term) < 0 || sigprocmask(SIG_SETMASK, NULL, &mask) < 0)
		return 1;
	(void)dprintf(1, "%s %s %s%s%s%s", name, text, getenv("COPY"),
		      getenv("HOME") ? " home" : "", open_still ? " open" : "",
		      term.sa_handler == SIG_DFL && !sigismember(&mask, SIGUSR1) ? "" : " signals");
	return 5;
}

static void a_copy_of_us_stands_in_for_a_program(void **state)
{
	cleanup_fd int fd = open("/dev/null", O_RDONLY);
	char *const env[] = { (char *)"COPY=yes", NULL };
	struct proc_spec spec = { .path = "/no/such/stand-in",
				  .main = copy,
				  .arg = &fd,
				  .envp = env,
				  .in = "in",
				  .in_len = 2 };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct proc_result res = { 0 };
	sigset_t usr1, before;

	(void)state;
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, &before);
	(void)sigaction(SIGTERM, &ignore, &old);
	assert_int_equal(proc_run(&spec, &res, NULL), 0);
	(void)sigaction(SIGTERM, &old, NULL);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	assert_string_equal(res.out, "stand-in in yes");
	assert_int_equal(res.status, 5);
	proc_result_clear(&res);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_status_come_back),
		cmocka_unit_test(the_status_is_told_to_whoever_ignores_children),
		cmocka_unit_test(a_large_document_passes_both_ways_at_once),
		cmocka_unit_test(too_much_output_and_too_much_time_end_the_child),
		cmocka_unit_test(what_cannot_be_started_is_named),
		cmocka_unit_test(the_environment_is_the_one_given_and_the_name_is_the_files),
		cmocka_unit_test(signals_and_descriptors_of_ours_do_not_reach_the_child),
		cmocka_unit_test(a_file_that_is_still_being_written_is_waited_for),
		cmocka_unit_test(a_file_that_is_never_closed_is_an_error),
		cmocka_unit_test(a_copy_of_us_stands_in_for_a_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
