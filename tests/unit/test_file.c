// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/file.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "netlib/base/fd.h"

static char dir[64];
static int dir_fd = -1;

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/naru-test-file-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int dir_drop(void **state)
{
	(void)state;
	(void)close(dir_fd);
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static void put(const char *name, const char *text)
{
	cleanup_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void assert_file(const char *name, const char *want, mode_t mode)
{
	cleanup_free char *got = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(file_read_at(dir_fd, name, 1 << 20, &got, &len, NULL), 0);
	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static unsigned entries(void)
{
	cleanup_dir DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	return n - 2;
}

/* ---- reading */

static void only_regular_files_within_the_limit_are_read(void **state)
{
	static const struct {
		const char *name;
		size_t max;
		int r;
		const char *error;
	} cases[] = {
		{ "file", 5, 0, NULL },
		{ "file", 4, -EFBIG, "read file: File too large" },
		{ "empty", 0, 0, NULL },
		{ "none", 5, -ENOENT, "open none: No such file or directory" },
		{ "link", 5, -ELOOP, "open link: Too many levels of symbolic links" },
		{ "fifo", 5, -EINVAL, "read fifo: expected a regular file" },
		{ "sub", 5, -EINVAL, "read sub: expected a regular file" },
		{ "/dev/zero", 5, -EINVAL, "read /dev/zero: expected a regular file" },
	};

	(void)state;
	put("file", "12345");
	put("empty", "");
	assert_int_equal(symlinkat("file", dir_fd, "link"), 0);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *got = NULL;
		struct err e = ERR_INIT;

		row_int(i, cases[i].name,
			file_read_at(dir_fd, cases[i].name, cases[i].max, &got, NULL, &e),
			cases[i].r);
		row_text(i, cases[i].name, e.text, cases[i].error ? cases[i].error : "");
		row_int(i, "untouched", got == NULL, cases[i].r != 0);
	}
}

static void a_read_of_a_pipe_has_a_limit_and_a_deadline(void **state)
{
	cleanup_free char *got = NULL;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(p[1], "abc", 3), 0);
	assert_int_equal(fd_read_all(p[0], 100, 50, &got, NULL), -ETIMEDOUT);
	assert_int_equal(fd_write_all(p[1], "abcdef", 6), 0);
	assert_int_equal(fd_read_all(p[0], 5, 50, &got, NULL), -EFBIG);
	assert_null(got);
	assert_int_equal(fd_write_all(p[1], "xyz", 3), 0);
	assert_int_equal(close(p[1]), 0);
	assert_int_equal(fd_read_all(p[0], 3, 1000, &got, NULL), 0);
	assert_string_equal(got, "xyz");
	assert_int_equal(close(p[0]), 0);
}

/* ---- writing */

static void a_pipe_that_does_not_block_is_written_to_the_end(void **state)
{
	enum { SIZE = 300000 };
	cleanup_free char *text = malloc(SIZE), *got = NULL;
	size_t len = 0;
	int p[2];

	(void)state;
	memset(text, 'x', SIZE);
	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		_exit(fd_write_all(p[1], text, SIZE) < 0);
	}
	(void)close(p[1]);
	assert_int_equal(fd_read_all(p[0], SIZE, 5000, &got, &len), 0);
	assert_int_equal(len, SIZE);
	(void)close(p[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_replaced_file_is_new_whole_and_has_its_mode(void **state)
{
	mode_t old = umask(0077);

	(void)state;
	assert_int_equal(file_replace_at(dir_fd, "f", 0644, "one", 3, NULL), 0);
	assert_file("f", "one", 0644);
	assert_int_equal(file_replace_at(dir_fd, "f", 0600, "twotwo", 6, NULL), 0);
	assert_file("f", "twotwo", 0600);
	(void)umask(old);
	put(".f.new", "left by a killed writer, and longer");
	assert_int_equal(file_replace_at(dir_fd, "f", 0600, "3", 1, NULL), 0);
	assert_file("f", "3", 0600);
	assert_int_equal(entries(), 1);
}

static void replacing_does_not_write_through_a_link(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	put("victim", "untouched");
	assert_int_equal(symlinkat("victim", dir_fd, "f"), 0);
	assert_int_equal(file_replace_at(dir_fd, "f", 0600, "new", 3, NULL), 0);
	assert_file("f", "new", 0600);
	assert_file("victim", "untouched", 0600);
	assert_int_equal(symlinkat("victim", dir_fd, ".g.new"), 0);
	assert_int_equal(file_replace_at(dir_fd, "g", 0600, "new", 3, &e), -ELOOP);
	assert_string_equal(e.text, "create .g.new: Too many levels of symbolic links");
	assert_file("victim", "untouched", 0600);
}

static void a_created_file_is_whole_or_refused(void **state)
{
	struct err e = ERR_INIT;
	mode_t old = umask(0077);

	(void)state;
	assert_int_equal(file_create_at(dir_fd, "f", 0644, "one", 3, NULL), 0);
	assert_file("f", "one", 0644);
	assert_int_equal(file_create_at(dir_fd, "f", 0644, "two", 3, &e), -EEXIST);
	assert_string_equal(e.text, "create f: File exists");
	assert_file("f", "one", 0644);
	assert_int_equal(symlinkat("nowhere", dir_fd, "dangling"), 0);
	assert_int_equal(file_create_at(dir_fd, "dangling", 0600, "", 0, NULL), -EEXIST);
	assert_int_equal(entries(), 2);
	(void)umask(old);
}

static void of_many_creators_one_wins(void **state)
{
	int wins = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			_exit(file_create_at(dir_fd, "f", 0600, "x", 1, NULL) == 0 ? 7 : 0);
	for (int i = 0; i < 8; i++) {
		int st;

		assert_true(wait(&st) > 0);
		wins += WEXITSTATUS(st) == 7;
	}
	assert_int_equal(wins, 1);
}

static void directories_are_made_with_their_parents(void **state)
{
	char path[128];
	struct err e = ERR_INIT;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/a//b/c/", dir);
	assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(faccessat(dir_fd, "a/b/c", F_OK, 0), 0);
	put("file", "");
	(void)snprintf(path, sizeof path, "%s/file/x", dir);
	assert_int_equal(file_mkdirs(path, 0700, &e), -ENOTDIR);
	assert_int_equal(symlinkat("a", dir_fd, "link"), 0);
	assert_int_equal(file_open_dir(dir_fd, "link", &e), -ENOTDIR);
	assert_string_equal(e.text, "open directory link: Not a directory");
}

/* ---- locks */

static void a_lock_names_its_holder_when_time_runs_out(void **state)
{
	struct err e = ERR_INIT;
	char want[160];
	int ready[2], st;
	char c;

	(void)state;
	put("lock", "");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC);

		_exit(flock(fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	cleanup_fd int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_lock(fd, 30, "the lease directory", &e), -EAGAIN);
	assert_int_equal(e.code, 11);
	(void)snprintf(
		want, sizeof want,
		"lock the lease directory: still held by process %d (test_file) after 30 ms; try "
		"again later",
		pid);
	if (strstr(e.text, "process 0")) /* no /proc/locks of other pid namespaces */
		(void)snprintf(
			want, sizeof want,
			"lock the lease directory: still held by process 0 after 30 ms; try again later");
	assert_string_equal(e.text, want);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(file_lock(fd, 1000, "the lease directory", NULL), 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* ---- removing */

static void a_tree_goes_and_links_in_it_are_not_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir_fd, "keep", 0700), 0);
	put("keep/file", "kept");
	assert_int_equal(mkdirat(dir_fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "tree/sub", 0500), 0);
	put("tree/file", "");
	assert_int_equal(symlinkat("../keep", dir_fd, "tree/link"), 0);
	assert_int_equal(mkfifoat(dir_fd, "tree/fifo", 0600), 0);
	assert_int_equal(file_remove_tree(dir_fd, "tree", NULL), 0);
	assert_int_equal(file_remove_tree(dir_fd, "tree", NULL), 0);
	assert_int_equal(faccessat(dir_fd, "tree", F_OK, 0), -1);
	assert_file("keep/file", "kept", 0600);
	assert_int_equal(symlinkat("keep", dir_fd, "link"), 0);
	assert_int_equal(file_remove_tree(dir_fd, "link", NULL), 0);
	assert_file("keep/file", "kept", 0600);
	assert_int_equal(file_remove_tree(dir_fd, "no/such/parent", NULL), 0);
}

/* name/name/... below dir_fd, and a file in each */
static void make_deep(const char *name, int levels)
{
	cleanup_fd int at = dup(dir_fd);

	for (int i = 0; i < levels; i++) {
		assert_int_equal(mkdirat(at, name, 0700), 0);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		assert_int_equal(mkdirat(next, "side", 0700), 0);
		assert_int_equal(symlinkat("/", next, "link"), 0);
		assert_int_equal(close(at), 0);
		at = next;
	}
}

/* Deeper than descriptors, than the longest path and than a stack would go. */
static void a_tree_goes_however_deep_it_is(void **state)
{
	struct rlimit before;

	(void)state;
	make_deep("d", 2500);
	make_deep("e", 65); /* around the level where the method changes */
	make_deep("f", 66);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 128, before.rlim_max }), 0);
	assert_int_equal(file_remove_tree(dir_fd, "d", NULL), 0);
	assert_int_equal(file_remove_tree(dir_fd, "e", NULL), 0);
	assert_int_equal(file_remove_tree(dir_fd, "f", NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(faccessat(dir_fd, "d", F_OK, 0), -1);
	assert_int_equal(faccessat(dir_fd, "e", F_OK, 0), -1);
	assert_int_equal(faccessat(dir_fd, "f", F_OK, 0), -1);
}

/* What is mounted in a tree belongs to somebody else: the volume of a container, for instance. */
static int remove_with_mounts(void)
{
	struct err e = ERR_INIT;
	char from[128], to[128], file[128];

	(void)snprintf(from, sizeof from, "%s/volume", dir);
	(void)snprintf(to, sizeof to, "%s/tree/merged/data", dir);
	(void)snprintf(file, sizeof file, "%s/tree/merged/data/precious", dir);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return 1;
	if (file_remove_tree(AT_FDCWD, to, &e) != -EXDEV ||
	    strcmp(e.text, "remove data: something is still mounted there"))
		return 2;
	(void)snprintf(to, sizeof to, "%s/tree", dir);
	if (file_remove_tree(AT_FDCWD, to, &e) != -EXDEV || access(file, F_OK) < 0)
		return 3;
	return 0;
}

static void what_is_mounted_in_a_tree_is_left_alone(void **state)
{
	int st;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "volume", 0700), 0);
	put("volume/precious", "x");
	assert_int_equal(mkdirat(dir_fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "tree/merged", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "tree/merged/data", 0700), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(remove_with_mounts());
	assert_int_equal(waitpid(pid, &st, 0), pid);
	if (WEXITSTATUS(st) == 77)
		skip(); /* not root */
	assert_int_equal(st, 0);
	assert_file("volume/precious", "x", 0600);
	assert_int_equal(file_remove_tree(dir_fd, "tree", NULL), 0);
	assert_file("volume/precious", "x", 0600);
}

static void poking_writes_once_and_says_what_went_wrong(void **state)
{
	(void)state;
	put("value", "");
	assert_int_equal(file_poke_at(dir_fd, "value", "42"), 0);
	assert_file("value", "42", 0600);
	assert_int_equal(file_poke_at(dir_fd, "none", "42"), -ENOENT);
	assert_int_equal(file_poke_at(AT_FDCWD, "/dev/full", "42"), -ENOSPC);
}

/* ---- descriptors */

static void standard_streams_exist_and_inherited_descriptors_are_closed(void **state)
{
	int st;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(0);
		(void)close(2);
		(void)dup2(dir_fd, 77);
		if (fd_sanitize() < 0)
			_exit(1);
		if (fcntl(0, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0)
			_exit(2);
		_exit(fcntl(77, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) == 3 ? 0 :
											       3);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(only_regular_files_within_the_limit_are_read),
		cmocka_unit_test(a_read_of_a_pipe_has_a_limit_and_a_deadline),
		cmocka_unit_test(a_pipe_that_does_not_block_is_written_to_the_end),
		IN_DIR(a_replaced_file_is_new_whole_and_has_its_mode),
		IN_DIR(replacing_does_not_write_through_a_link),
		IN_DIR(a_created_file_is_whole_or_refused),
		IN_DIR(of_many_creators_one_wins),
		IN_DIR(directories_are_made_with_their_parents),
		IN_DIR(a_lock_names_its_holder_when_time_runs_out),
		IN_DIR(a_tree_goes_and_links_in_it_are_not_followed),
		IN_DIR(a_tree_goes_however_deep_it_is),
		IN_DIR(what_is_mounted_in_a_tree_is_left_alone),
		IN_DIR(poking_writes_once_and_says_what_went_wrong),
		IN_DIR(standard_streams_exist_and_inherited_descriptors_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
