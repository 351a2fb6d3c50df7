// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Delegates: found, run with the environment that the specification asks for, and quoted when they
 * fail.
 */
#include "netlib/cni/exec.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/fd.h"
#include "netlib/base/str.h"

static char dir[64];

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/naru-test-exec-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static const char *at(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void script(const char *name, const char *body)
{
	cleanup_free char *text = str_fmt("#!/bin/sh\n%s\n", body);
	cleanup_fd int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static struct cni_env env(void)
{
	return (struct cni_env){ .verb = CNI_ADD,
				 .container = "c1",
				 .netns = "/run/netns/x",
				 .ifname = "eth0",
				 .args = "K=V",
				 .path = dir };
}

static void plugins_are_regular_files_found_in_order(void **state)
{
	char path[256], out[4096], second[160];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(at("a"), 0700), 0);
	assert_int_equal(mkdir(at("a/there"), 0700), 0); /* a directory of that name */
	script("there", ":");
	(void)snprintf(second, sizeof second, "%s/there", dir);
	(void)snprintf(path, sizeof path, "/no/such:%s/a::%s:/tmp", dir, dir);
	assert_int_equal(cni_find("there", path, out, &e), 0);
	assert_string_equal(out, second);
	assert_int_equal(cni_find("missing", "/a:/b", out, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"failed to find plugin \"missing\" in path [/a:/b]; install it there or correct the type");
	assert_int_equal(e.code, 7);
	assert_int_equal(cni_find("there", "", out, &e), -EINVAL);
	assert_string_equal(e.text, "no paths provided: CNI_PATH is empty");
	assert_int_equal(e.code, 4);
	assert_int_equal(cni_find("there", NULL, out, &e), -EINVAL);
}

static void a_type_that_is_no_file_name_is_refused(void **state)
{
	char long_name[300];
	const char *const names[] = { "", "a/b", "/bin/sh", "..", ".", "../sh", long_name };
	char out[4096], want[512];

	(void)state;
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct err e = ERR_INIT;

		row_int(i, names[i], cni_find(names[i], "/bin", out, &e), -EINVAL);
		(void)snprintf(want, sizeof want,
			       "invalid plugin name: %.100s; expected a file name without '/'",
			       names[i]);
		row_text(i, names[i], e.text, want);
		row_int(i, names[i], e.code, 7);
	}
}

static void only_a_program_of_this_build_is_ours(void **state)
{
	struct cni_target to;

	(void)state;
	script("script", ":");
	assert_true(cni_is_ours("/proc/self/exe"));
	assert_false(cni_is_ours("/bin/sh"));
	assert_false(cni_is_ours(at("script")));
	assert_false(cni_is_ours(dir));
	assert_false(cni_is_ours("/dev/null"));
	assert_false(cni_is_ours("/no/such"));
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_false(cni_is_ours(at("fifo")));
	assert_int_equal(cni_resolve("script", dir, &to, NULL), 0);
	assert_null(to.builtin);
	assert_string_equal(to.path, at("script"));
}

static void a_delegate_gets_the_same_environment_and_document(void **state)
{
	struct cni_env v = env();
	cleanup_free char *out = NULL;
	struct err e = ERR_INIT;

	(void)state;
	script("show", "env | grep '^CNI_' | sort; echo \"[$OURS]\"; cat");
	assert_int_equal(setenv("OURS", "kept", 1), 0);
	assert_int_equal(setenv("CNI_COMMAND", "ADD", 1), 0);
	if (cni_exec(at("show"), CNI_CHECK, &v, "{\"doc\":1}", 9, &out, &e) < 0)
		fail_msg("%s", e.text);
	cleanup_free char *want = str_fmt(
		"CNI_ARGS=K=V\nCNI_COMMAND=CHECK\nCNI_CONTAINERID=c1\nCNI_IFNAME=eth0\nCNI_NETNS=/run/netns/x\n"
		"CNI_PATH=%s\n[kept]\n{\"doc\":1}",
		dir);
	assert_string_equal(out, want);
}

static void an_empty_namespace_is_given_as_such_and_fault_points_are_not(void **state)
{
	struct cni_env v = env();
	cleanup_free char *out = NULL;

	(void)state;
	script("show", "env | grep '^CNI_NETNS'; echo \"[$NARU_FAIL_AT]\"");
	v.netns = NULL;
	assert_int_equal(setenv("NARU_FAIL_AT", "3", 1), 0);
	int r = cni_exec(at("show"), CNI_DEL, &v, "", 0, &out, NULL);
	assert_int_equal(unsetenv("NARU_FAIL_AT"), 0);
	assert_int_equal(r, 0);
	assert_string_equal(out, "CNI_NETNS=\n[]\n"); /* a fault point is the caller's own */
}

static void a_failure_is_told_in_the_delegates_words(void **state)
{
	static const struct {
		const char *body, *error, *details;
		int code;
	} cases[] = {
		{ "echo '{\"code\":11,\"msg\":\"busy\",\"details\":\"later\"}'; exit 1", "busy",
		  "later", 11 },
		{ "echo '{\"cniVersion\":\"1.0.0\",\"code\":100,\"msg\":\"no <address>\"}'; exit 1",
		  "no <address>", "", 100 },
		{ "echo '{\"MSG\":\"x\"}'; exit 3", "x", "", 999 },
		{ "echo '{}'; exit 1", "", "", 999 },
		{ "exit 7", "netplugin failed with no error message: it ended with exit status 7",
		  "", 999 },
		{ "kill -SEGV $$", "plugin it was killed by signal 11 (Segmentation fault)", "",
		  999 },
		{ "kill -KILL $$", "plugin it was killed by signal 9 (Killed)", "", 999 },
		{ "echo oops; exit 2",
		  "netplugin failed but error parsing its diagnostic message \"oops\n\": it ended with exit status 2",
		  "", 999 },
		{ "echo '[]'; exit 2",
		  "netplugin failed but error parsing its diagnostic message \"[]\n\": it ended with exit status 2",
		  "", 999 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cni_env v = env();
		cleanup_free char *out = NULL;
		struct err e = ERR_INIT;

		script("it", cases[i].body);
		row_int(i, cases[i].body, cni_exec(at("it"), CNI_ADD, &v, "{}", 2, &out, &e),
			-ECHILD);
		row_text(i, cases[i].body, e.text, cases[i].error);
		row_text(i, cases[i].body, e.details, cases[i].details);
		row_int(i, cases[i].body, e.code, cases[i].code);
		assert_null(out);
	}
}

static void a_result_is_read_in_the_version_it_names(void **state)
{
	static const struct {
		const char *out, *error; /* after "result of PATH: " */
	} cases[] = {
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.2/16\"}]}", NULL },
		{ "{\"ips\":[{\"address\":\"10.1.0.2/16\",\"version\":\"4\"}]}", NULL },
		{ "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.2/16\"}}", NULL },
		{ "", "invalid JSON at offset 0: the document ends too early" },
		{ "{\"ips\":5}", "/ips: expected an array" },
		{ "{\"cniVersion\":\"7.0.0\"}", "incompatible CNI versions" },
		{ "[]", "/: expected a result object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cni_env v = env();
		struct cni_target to = { .builtin = NULL };
		cleanup_result struct cni_result res = { 0 };
		cleanup_free char *body = str_fmt("printf '%%s' '%s'", cases[i].out);
		struct err e = ERR_INIT;
		char want[256];

		script("ipam", body);
		(void)snprintf(to.path, sizeof to.path, "%s", at("ipam"));
		int r = cni_delegate(&to, CNI_ADD, &v, "{}", 2, CNI_V_0_4_0, NULL, &res, &e);
		row_int(i, cases[i].out, r < 0, cases[i].error != NULL);
		(void)snprintf(want, sizeof want, "result of %s: %s", to.path,
			       cases[i].error ? cases[i].error : "");
		row_text(i, cases[i].out, r < 0 ? e.text : "", r < 0 ? want : "");
		row_int(i, cases[i].out, (long long)res.nips, cases[i].error ? 0 : 1);
	}
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(plugins_are_regular_files_found_in_order),
		cmocka_unit_test(a_type_that_is_no_file_name_is_refused),
		IN_DIR(only_a_program_of_this_build_is_ours),
		IN_DIR(a_delegate_gets_the_same_environment_and_document),
		IN_DIR(an_empty_namespace_is_given_as_such_and_fault_points_are_not),
		IN_DIR(a_failure_is_told_in_the_delegates_words),
		IN_DIR(a_result_is_read_in_the_version_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
