// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/aside.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/fd.h"

struct job {
	int others[4];
	char text[16];
};

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

static void tell(int fd, const void *arg)
{
	const struct job *j = arg;
	char name[17] = " ";

	for (int i = 0; i < 4; i++)
		if (fcntl(j->others[i], F_GETFD) >= 0)
			put(fd, "open ");
	(void)prctl(PR_GET_NAME, name + 1);
	put(fd, j->text);
	put(fd, name);
}

static volatile sig_atomic_t heard;

static void hear(int sig)
{
	heard = sig;
}

static void it_holds_one_descriptor_and_its_own_copy_of_the_argument(void **state)
{
	int p[2];
	cleanup_free char *text = NULL;
	struct sigaction on = { .sa_handler = hear }, old;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	struct job j = { .others = { 0, 1, 2, p[0] }, .text = "done" };
	(void)sigaction(SIGCHLD, &on, &old);
	assert_int_equal(aside_run("name-of-it", p[1], tell, &j, sizeof j), 0);
	memset(&j, 'x', sizeof j);
	(void)close(p[1]);
	assert_int_equal(fd_read_all(p[0], 100, 5000, &text, NULL), 0); /* to the end: it is gone */
	assert_string_equal(text, "done name-of-it");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* not our child */
	assert_int_equal(errno, ECHILD);
	assert_int_equal(waitpid(-1, NULL, __WCLONE) > 0, 1); /* but for those who ask */
	(void)sigaction(SIGCHLD, &old, NULL);
	assert_int_equal(heard, 0);
	(void)close(p[0]);
}

static void an_argument_has_a_limit(void **state)
{
	static const char big[ASIDE_ARG_MAX + 1];

	(void)state;
	assert_int_equal(aside_run("x", 0, tell, big, sizeof big), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_one_descriptor_and_its_own_copy_of_the_argument),
		cmocka_unit_test(an_argument_has_a_limit),
	};

	return cmocka_run_group_tests_name("netlib/base/aside", tests, NULL, NULL);
}
