// SPDX-License-Identifier: GPL-2.0-or-later
/* Network namespaces by path: what is one, what is not, what is no longer. */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/net/netns.h"

#define DIR_PATH "/run/netns-test"

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return mkdir(DIR_PATH, 0700);
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	lab_sh("rm -rf " DIR_PATH);
	return 0;
}

static void a_pinned_namespace_is_opened(void **state)
{
	cleanup_fd int fd = -1, again = -1, self = -1;
	struct netns_id a, b;

	(void)state;
	assert_int_equal(netns_open(LAB_NETNS("c1"), &fd, NULL), 0);
	assert_int_equal(symlink(LAB_NETNS("c1"), DIR_PATH "/link"), 0);
	assert_int_equal(netns_open(DIR_PATH "/link", &again, NULL), 0);
	assert_int_equal(netns_self(&self, NULL), 0);
	assert_true(netns_same(fd, again));
	assert_false(netns_same(fd, self));
	assert_false(netns_same(fd, -1));
	assert_int_equal(netns_identify(fd, &a, NULL), 0);
	assert_int_equal(netns_identify(self, &b, NULL), 0);
	assert_true(a.ino != b.ino);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a_process_names_its_namespace(void **state)
{
	cleanup_fd int fd = -1, self = -1;
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof path, "/proc/%d/ns/net", getpid());
	assert_int_equal(netns_open(path, &fd, NULL), 0);
	assert_int_equal(netns_self(&self, NULL), 0);
	assert_true(netns_same(fd, self));
}

static void what_is_gone_is_an_outcome(void **state)
{
	static const char *const gone[] = {
		DIR_PATH "/none",	DIR_PATH "/no/dir",	    DIR_PATH "/leftover",
		DIR_PATH "/dangling",	DIR_PATH "/leftover/below", "/proc/0/ns/net",
		"/proc/4194304/ns/net",
	};
	struct err e = ERR_INIT;

	(void)state;
	lab_sh(": > " DIR_PATH
	       "/leftover"); /* what is left of a pin after a reboot of a persistent /run */
	assert_int_equal(symlink("nowhere", DIR_PATH "/dangling"), 0);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		int fd = -7;

		row_int(i, gone[i], netns_open(gone[i], &fd, &e), NETNS_GONE);
		row_int(i, gone[i], fd, -7);
		row_int(i, gone[i], e.no, 0);
	}
}

static void what_is_something_else_is_refused_at_once(void **state)
{
	static const char not_one[] =
		" is not a network namespace: expected a file of nsfs (/proc/PID/ns/net or a bind mount of one)";
	static const char other_kind[] =
		" is a namespace of another kind: expected a network namespace";
	static const struct {
		const char *path, *why;
	} cases[] = {
		{ DIR_PATH "/file", not_one },
		{ DIR_PATH, not_one },
		{ DIR_PATH "/fifo", not_one },
		{ "/dev/zero", not_one },
		{ "/dev/tty", not_one },
		{ "/etc/passwd", not_one },
		{ "/proc/self/status", not_one },
		{ "/proc/self/ns/mnt", other_kind },
		{ "/proc/self/ns/user", other_kind },
		{ "/proc/self/ns", not_one },
		{ ".", not_one },
	};

	(void)state;
	lab_sh("echo x > " DIR_PATH "/file; mkfifo " DIR_PATH "/fifo");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		char want[256];
		int fd = -7;

		row_int(i, cases[i].path, netns_open(cases[i].path, &fd, &e), -EINVAL);
		(void)snprintf(want, sizeof want, "%s%s", cases[i].path, cases[i].why);
		row_text(i, cases[i].path, e.text, want);
		row_int(i, cases[i].path, e.code, 7);
		row_int(i, cases[i].path, fd, -7);
	}
}

static void a_path_that_is_too_long_keeps_its_reason(void **state)
{
	char path[5001];
	struct err e = ERR_INIT;
	int fd = -7;

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[0] = '/';
	path[sizeof path - 1] = 0;
	assert_int_equal(netns_open(path, &fd, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "...: File name too long"));
}

static void a_created_one_is_pinned_and_new_and_goes_again(void **state)
{
	cleanup_fd int before = -1, fd = -1, after = -1;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(netns_self(&before, NULL), 0);
	assert_int_equal(netns_create(DIR_PATH "/new", &e), 0);
	assert_int_equal(netns_self(&after, NULL), 0);
	assert_true(netns_same(before, after));
	assert_int_equal(netns_open(DIR_PATH "/new", &fd, &e), 0);
	assert_false(netns_same(fd, before));
	assert_int_equal(netns_create(DIR_PATH "/new", &e), -EEXIST);
	assert_string_equal(e.text, "create network namespace " DIR_PATH "/new: File exists");
	assert_int_equal(netns_unpin(DIR_PATH "/new", &e), 0);
	assert_int_equal(netns_unpin(DIR_PATH "/new", &e), 0);
	assert_int_equal(access(DIR_PATH "/new", F_OK), -1);
	assert_int_equal(netns_create(DIR_PATH "/no/dir", &e), -ENOENT);
	assert_int_equal(access(DIR_PATH "/no", F_OK), -1);
}

static void unpinning_what_was_only_begun_leaves_nothing(void **state)
{
	(void)state;
	lab_sh(": > " DIR_PATH "/begun"); /* killed between the file and the mount */
	assert_int_equal(netns_unpin(DIR_PATH "/begun", NULL), 0);
	assert_int_equal(access(DIR_PATH "/begun", F_OK), -1);
	assert_int_equal(netns_create(DIR_PATH "/twice", NULL), 0);
	assert_int_equal(mount("/proc/self/ns/net", DIR_PATH "/twice", NULL, MS_BIND, NULL), 0);
	assert_int_equal(netns_unpin(DIR_PATH "/twice", NULL), 0);
	assert_int_equal(access(DIR_PATH "/twice", F_OK), -1);
}

static int inside(void *arg)
{
	cleanup_fd int self = -1;

	assert_int_equal(netns_self(&self, NULL), 0);
	return netns_same(self, *(int *)arg) ? 42 : 0;
}

static void a_function_runs_inside_and_comes_back(void **state)
{
	cleanup_fd int fd = -1, before = -1, after = -1,
		       null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(netns_open(LAB_NETNS("c1"), &fd, NULL), 0);
	assert_int_equal(netns_self(&before, NULL), 0);
	assert_int_equal(netns_run(fd, inside, &fd, &e), 42);
	assert_int_equal(netns_self(&after, NULL), 0);
	assert_true(netns_same(before, after));
	assert_int_equal(netns_run(null, inside, &fd, &e), -EINVAL);
	assert_string_equal(e.text, "enter a network namespace: Invalid argument");
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_pinned_namespace_is_opened),
		IN_LAB(a_process_names_its_namespace),
		IN_LAB(what_is_gone_is_an_outcome),
		IN_LAB(what_is_something_else_is_refused_at_once),
		IN_LAB(a_path_that_is_too_long_keeps_its_reason),
		IN_LAB(a_created_one_is_pinned_and_new_and_goes_again),
		IN_LAB(unpinning_what_was_only_begun_leaves_nothing),
		IN_LAB(a_function_runs_inside_and_comes_back),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
