// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/env.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const char *const names[] = { "CNI_COMMAND",	  "CNI_CONTAINERID", "CNI_NETNS",
				     "CNI_IFNAME",	  "CNI_ARGS",	     "CNI_PATH",
				     "CNI_NETNS_OVERRIDE" };
enum { COMMAND, CONTAINER, NETNS, IFNAME, ARGS, PATH, OVERRIDE, VARS };

static void set(const char *const values[VARS])
{
	for (int i = 0; i < VARS; i++)
		assert_int_equal(values[i] ? setenv(names[i], values[i], 1) : unsetenv(names[i]),
				 0);
}

static void everything_is_read(void **state)
{
	static const char *const v[VARS] = { "ADD", "c1",	    "/run/netns/x", "eth0",
					     "K=V", "/opt/cni/bin", "TRUE" };
	struct cni_env env;

	(void)state;
	set(v);
	assert_int_equal(cni_env_read(&env, NULL), 0);
	assert_int_equal(env.verb, CNI_ADD);
	assert_string_equal(env.container, "c1");
	assert_string_equal(env.netns, "/run/netns/x");
	assert_string_equal(env.ifname, "eth0");
	assert_string_equal(env.args, "K=V");
	assert_string_equal(env.path, "/opt/cni/bin");
	assert_true(env.netns_override);
}

/* CNI 1.1.0 "Parameters": all that are missing are named together, in the reference's order. */
static void each_verb_names_what_it_misses(void **state)
{
	static const struct {
		const char *verb, *missing; /* of an environment with CNI_COMMAND only */
	} cases[] = {
		{ "ADD",
		  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing" },
		{ "DEL", "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing" },
		{ "CHECK",
		  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing" },
		{ "GC", "required env variables [CNI_PATH] missing" },
		{ "STATUS", "required env variables [CNI_PATH] missing" },
		{ "VERSION", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int empty = 0; empty < 2; empty++) {
			const char *none = empty ? "" : NULL;
			const char *const v[VARS] = { cases[i].verb, none, none, none,
						      none,	     none, none };
			struct cni_env env;
			struct err e = ERR_INIT;

			set(v);
			row_int(i, cases[i].verb, cni_env_read(&env, &e),
				cases[i].missing ? -EINVAL : 0);
			row_text(i, cases[i].verb, e.text,
				 cases[i].missing ? cases[i].missing : "");
			row_int(i, cases[i].verb, e.code, cases[i].missing ? 4 : 0);
		}
}

static void one_missing_variable_stands_alone(void **state)
{
	static const struct {
		int var;
		const char *missing;
	} cases[] = {
		{ CONTAINER, "required env variables [CNI_CONTAINERID] missing" },
		{ NETNS, "required env variables [CNI_NETNS] missing" },
		{ IFNAME, "required env variables [CNI_IFNAME] missing" },
		{ PATH, "required env variables [CNI_PATH] missing" },
		{ ARGS, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *v[VARS] = { "ADD",		"c1", "/run/netns/x", "eth0", "",
					"/opt/cni/bin", NULL };
		struct cni_env env;
		struct err e = ERR_INIT;

		v[cases[i].var] = NULL;
		set(v);
		row_int(i, names[cases[i].var], cni_env_read(&env, &e),
			cases[i].missing ? -EINVAL : 0);
		row_text(i, names[cases[i].var], e.text, cases[i].missing ? cases[i].missing : "");
	}
}

static void an_unknown_command_is_reported_later(void **state)
{
	static const char *const commands[] = { "FOO", "add", "ADD ", "ADDX", "VERSIONS" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *const v[VARS] = { commands[i], NULL, NULL, NULL, NULL, NULL, NULL };
		struct cni_env env = { 0 };
		struct err e = ERR_INIT;
		char want[64];

		set(v);
		row_int(i, commands[i], cni_env_read(&env, &e), -ENOSYS);
		row_int(i, commands[i], env.verb, CNI_VERBS);
		row_int(i, commands[i], e.code, 4);
		(void)snprintf(want, sizeof want, "unknown CNI_COMMAND: %s", commands[i]);
		row_text(i, commands[i], e.text, want);
	}
}

static void names_of_containers_and_networks_have_rules(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{ "a", true },	       { "A-b_c.9", true },
		{ "0", true },	       { "0123456789abcdef", true },
		{ "a..", true },       { "", false },
		{ ".a", false },       { "-a", false },
		{ "_a", false },       { "a/b", false },
		{ "../a", false },     { "a b", false },
		{ "a\n", false },      { "a:b", false },
		{ "\xc3\xa4", false }, { "a\x80", false },
		{ "a%s", false },
	};
	char long_name[1026];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		row_int(i, cases[i].name, cni_name_ok(cases[i].name), cases[i].ok);
	memset(long_name, 'a', sizeof long_name - 1);
	long_name[1024] = 0;
	assert_true(cni_name_ok(long_name));
	long_name[1024] = 'a';
	long_name[1025] = 0;
	assert_false(cni_name_ok(long_name));
}

static void a_bad_value_is_refused_when_the_verb_uses_it(void **state)
{
	static const struct {
		int var;
		const char *value, *error;
	} cases[] = {
		{ CONTAINER, "../x", "invalid characters in containerID" },
		{ CONTAINER, "-x", "invalid characters in containerID" },
		{ IFNAME, "0123456789abcdef",
		  "CNI_IFNAME: interface name \"0123456789abcdef\" is longer than 15 characters" },
		{ IFNAME, "..", "CNI_IFNAME: interface name \"..\" is . or .." },
		{ IFNAME, "a/b",
		  "CNI_IFNAME: interface name \"a/b\" contains a character that interface names cannot have "
		  "('/', ':', '%' or white space)" },
		{ IFNAME, "eth%d",
		  "CNI_IFNAME: interface name \"eth%d\" contains a character that interface names cannot have "
		  "('/', ':', '%' or white space)" },
	};
	static const struct {
		const char *verb;
		bool uses;
	} verbs[] = { { "ADD", true }, { "DEL", true },	    { "CHECK", true },
		      { "GC", false }, { "STATUS", false }, { "VERSION", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(verbs); k++) {
			const char *v[VARS] = { verbs[k].verb,	"c1", "/run/netns/x", "eth0", "",
						"/opt/cni/bin", NULL };
			struct cni_env env;
			struct err e = ERR_INIT;

			v[cases[i].var] = cases[i].value;
			set(v);
			row_int(i, verbs[k].verb, cni_env_read(&env, &e),
				verbs[k].uses ? -EINVAL : 0);
			row_text(i, verbs[k].verb, e.text, verbs[k].uses ? cases[i].error : "");
			row_int(i, verbs[k].verb, e.code, verbs[k].uses ? 4 : 0);
		}
}

static void the_container_id_is_shown_in_the_details(void **state)
{
	static const char *const v[VARS] = { "ADD",	     "a b", "/run/netns/x", "eth0", "",
					     "/opt/cni/bin", NULL };
	struct cni_env env;
	struct err e = ERR_INIT;

	(void)state;
	set(v);
	assert_int_equal(cni_env_read(&env, &e), -EINVAL);
	assert_string_equal(
		e.details,
		"CNI_CONTAINERID is \"a b\"; expected letters, digits, '_', '.' and '-', first a letter or digit, "
		"at most 1024");
}

static void arguments_end_at_64_kib(void **state)
{
	const size_t n = 64 * 1024;
	cleanup_free char *args = malloc(n + 2);
	const char *v[VARS] = { "ADD", "c1", "/run/netns/x", "eth0", args, "/opt/cni/bin", NULL };
	struct cni_env env;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(args);
	memset(args, 'x', n + 1);
	args[n] = 0;
	set(v);
	assert_int_equal(cni_env_read(&env, &e), 0);
	args[n] = 'x';
	args[n + 1] = 0;
	set(v);
	assert_int_equal(cni_env_read(&env, &e), -EINVAL);
	assert_string_equal(e.text, "CNI_ARGS is longer than 65536 bytes");
}

/* ---- CNI_ARGS */

static void arguments_are_found_by_exact_key(void **state)
{
	static const struct {
		const char *args;
		int r;
		const char *value, *error;
	} cases[] = {
		{ "", 0, "", "" },
		{ "IP=10.1.0.2", 1, "10.1.0.2", "" },
		{ "A=1;IP=x;B=2", 1, "x", "" },
		{ "IP=", 1, "", "" },
		{ "IP=a;IP=b", 1, "b", "" },
		{ "ip=x", 0, "", "" },
		{ "IPX=x", 0, "", "" },
		{ "XIP=x", 0, "", "" },
		{ "IP=x;", 1, "x", "" },
		{ "IP", -EINVAL, "", "ARGS: invalid pair \"IP\"; expected KEY=VALUE" },
		{ "IP=a=b", -EINVAL, "", "ARGS: invalid pair \"IP=a=b\"; expected KEY=VALUE" },
		{ ";;=", -EINVAL, "", "ARGS: invalid pair \"\"; expected KEY=VALUE" },
		{ "A=1;;B=2", -EINVAL, "", "ARGS: invalid pair \"\"; expected KEY=VALUE" },
		{ "=x", 0, "", "" },
		{ "IP=0123456789abcdef", -EINVAL, "", "ARGS: value of IP is longer than 15 bytes" },
		{ "A==;IP=x", -EINVAL, "", "ARGS: invalid pair \"A==\"; expected KEY=VALUE" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[16] = "";
		struct err e = ERR_INIT;

		row_int(i, cases[i].args, cni_arg(cases[i].args, "IP", buf, sizeof buf, &e),
			cases[i].r);
		row_text(i, cases[i].args, buf, cases[i].value);
		row_text(i, cases[i].args, e.text, cases[i].error);
		row_int(i, cases[i].args, e.code, cases[i].r < 0 ? 4 : 0);
	}
}

static void unknown_arguments_are_refused_unless_that_is_switched_off(void **state)
{
	static const char *const known[] = { "IP", "MAC", NULL };
	static const struct {
		const char *args, *error;
	} cases[] = {
		{ "", NULL },
		{ "IP=1;MAC=2", NULL },
		{ "IgnoreUnknown=1;K8S_POD_NAME=x", NULL },
		{ "K8S_POD_NAME=x;IgnoreUnknown=TRUE", NULL },
		{ "IgnoreUnknown=0", NULL },
		{ "IgnoreUnknown=", NULL },
		{ "X=1", "ARGS: unknown args [\"X=1\"]; IgnoreUnknown=1 accepts them" },
		{ "X=1;IP=2;Y=",
		  "ARGS: unknown args [\"X=1\" \"Y=\"]; IgnoreUnknown=1 accepts them" },
		{ "IgnoreUnknown=0;X=1",
		  "ARGS: unknown args [\"X=1\"]; IgnoreUnknown=1 accepts them" },
		{ "ip=1", "ARGS: unknown args [\"ip=1\"]; IgnoreUnknown=1 accepts them" },
		{ "X", "ARGS: invalid pair \"X\"; expected KEY=VALUE" },
		{ "IgnoreUnknown=1;X", "ARGS: invalid pair \"X\"; expected KEY=VALUE" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		row_int(i, cases[i].args, cni_args_check(cases[i].args, known, &e),
			cases[i].error ? -EINVAL : 0);
		row_text(i, cases[i].args, e.text, cases[i].error ? cases[i].error : "");
	}
}

static void the_own_namespace_test_is_switched_off_by_two_words(void **state)
{
	static const struct {
		const char *value;
		bool on;
	} cases[] = { { "1", true },	{ "true", true }, { "True", true }, { "0", false },
		      { "yes", false }, { "", false },	  { NULL, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const v[VARS] = { "DEL", "c1",	     NULL,	    "eth0",
					      NULL,  "/opt/cni/bin", cases[i].value };
		struct cni_env env;

		set(v);
		assert_int_equal(cni_env_read(&env, NULL), 0);
		row_int(i, cases[i].value ? cases[i].value : "unset", env.netns_override,
			cases[i].on);
		assert_null(env.netns);
		assert_string_equal(env.args, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(each_verb_names_what_it_misses),
		cmocka_unit_test(one_missing_variable_stands_alone),
		cmocka_unit_test(an_unknown_command_is_reported_later),
		cmocka_unit_test(names_of_containers_and_networks_have_rules),
		cmocka_unit_test(a_bad_value_is_refused_when_the_verb_uses_it),
		cmocka_unit_test(the_container_id_is_shown_in_the_details),
		cmocka_unit_test(arguments_end_at_64_kib),
		cmocka_unit_test(arguments_are_found_by_exact_key),
		cmocka_unit_test(unknown_arguments_are_refused_unless_that_is_switched_off),
		cmocka_unit_test(the_own_namespace_test_is_switched_off_by_two_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
