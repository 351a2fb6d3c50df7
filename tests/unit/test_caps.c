// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/err.h"
#include "runner/engine/caps.h"

static void names_are_read_with_and_without_prefix_in_any_case(void **state)
{
	static const struct {
		const char *text;
		uint64_t mask;
	} cases[] = {
		{ "CAP_NET_RAW", CAP_BIT(CAP_NET_RAW) },
		{ "net_raw", CAP_BIT(CAP_NET_RAW) },
		{ "cap_Chown", CAP_BIT(CAP_CHOWN) },
		{ "CHECKPOINT_RESTORE", CAP_BIT(CAP_CHECKPOINT_RESTORE) },
		{ "ALL", CAPS_ALL },
		{ "all", CAPS_ALL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t mask = 0;

		assert_int_equal(caps_parse(cases[i].text, &mask, NULL), 0);
		assert_true(mask == cases[i].mask);
	}
}

static void a_wrong_name_is_quoted_in_the_error(void **state)
{
	static const char *const cases[] = {
		"", "CAP_", "NET", "CAP_CAP_CHOWN", "CHOWN ", "CAP_ALL"
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		uint64_t mask = 77;
		char want[160];

		snprintf(want, sizeof want,
			 "capability \"%s\": expected ALL or a name of capabilities(7), "
			 "as NET_ADMIN",
			 cases[i]);
		assert_int_equal(caps_parse(cases[i], &mask, &e), -EINVAL);
		assert_string_equal(e.text, want);
		assert_int_equal(mask, 77);
	}
}

static void every_name_is_read_back_as_its_number(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CAPS_KNOWN; i++) {
		uint64_t mask = 0;

		assert_int_equal(caps_parse(cap_name(i), &mask, NULL), 0);
		assert_true(mask == CAP_BIT(i));
	}
	assert_null(cap_name(CAPS_KNOWN));
	assert_int_equal(CAPS_KNOWN, 41);
}

static void the_default_set_is_docker_s_fourteen(void **state)
{
	char text[400];

	(void)state;
	assert_string_equal(caps_text(CAPS_DOCKER, text, sizeof text),
			    "CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, "
			    "CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND_SERVICE, "
			    "CAP_NET_RAW, CAP_SYS_CHROOT, CAP_MKNOD, CAP_AUDIT_WRITE, CAP_SETFCAP");
	assert_true(CAPS_DOCKER == 0xa80425fbULL); /* what /proc/PID/status shows in docker */
}

static void add_and_drop_combine_as_docker_s_do(void **state)
{
	static const struct {
		const char *add[2], *drop[2];
		uint64_t want;
	} cases[] = {
		{ { NULL }, { NULL }, CAPS_DOCKER },
		{ { "NET_ADMIN" }, { NULL }, CAPS_DOCKER | CAP_BIT(CAP_NET_ADMIN) },
		{ { NULL },
		  { "CAP_NET_RAW", "mknod" },
		  CAPS_DOCKER & ~(CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_MKNOD)) },
		{ { NULL }, { "ALL" }, 0 },
		{ { "CHOWN" }, { "ALL" }, CAP_BIT(CAP_CHOWN) },
		{ { "ALL" }, { "SYS_ADMIN" }, CAPS_ALL & ~CAP_BIT(CAP_SYS_ADMIN) },
		{ { "ALL" }, { "ALL" }, CAPS_ALL },
		{ { "KILL" }, { "KILL" }, CAPS_DOCKER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t nadd = 0, ndrop = 0;
		uint64_t got = 0;

		while (nadd < 2 && cases[i].add[nadd])
			nadd++;
		while (ndrop < 2 && cases[i].drop[ndrop])
			ndrop++;
		assert_int_equal(caps_tweak(CAPS_DOCKER, cases[i].add, nadd, cases[i].drop, ndrop,
					    &got, NULL),
				 0);
		assert_true(got == cases[i].want);
	}
}

static void text_that_does_not_fit_ends_in_dots(void **state)
{
	char buf[20];

	(void)state;
	assert_string_equal(caps_text(CAP_BIT(CAP_KILL), buf, sizeof buf), "CAP_KILL");
	assert_string_equal(caps_text(CAP_BIT(CAP_KILL) | CAP_BIT(63), buf, sizeof buf),
			    "CAP_KILL, 63");
	assert_string_equal(caps_text(CAPS_ALL, buf, sizeof buf), "CAP_CHOWN, CAP_D...");
	assert_string_equal(caps_text(0, buf, sizeof buf), "");
}

/* The five masks of /proc/self/status. */
static void read_status(struct caps *c)
{
	static const char *const keys[] = { "CapBnd:", "CapEff:", "CapPrm:", "CapInh:", "CapAmb:" };
	uint64_t *const out[] = { &c->bounding, &c->effective, &c->permitted, &c->inheritable,
				  &c->ambient };
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof line, f))
		for (size_t i = 0; i < 5; i++)
			if (strncmp(line, keys[i], 7) == 0)
				(void)sscanf(line + 7, "%lx", out[i]);
	if (f)
		(void)fclose(f);
}

/* Runs fn in a child of its own, for what a process does to itself cannot be undone. */
static int in_child(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static uint64_t permitted_here(void)
{
	struct caps c = { 0 };

	read_status(&c);
	return c.permitted;
}

static void need_caps(uint64_t mask)
{
	if ((permitted_here() & mask) != mask) {
		print_message("needs root with docker's default capabilities\n");
		skip();
	}
}

static int apply_default(void)
{
	const struct caps want = { CAPS_DOCKER, CAPS_DOCKER, CAPS_DOCKER, 0, 0 };
	struct caps got = { 0 };
	uint64_t lacking = 1;

	if (caps_apply(&want, &lacking, NULL) != 0 || lacking)
		return 1;
	read_status(&got);
	return memcmp(&got, &want, sizeof got) == 0 ? 0 : 2;
}

static void apply_leaves_exactly_the_default_set(void **state)
{
	(void)state;
	need_caps(CAPS_DOCKER);
	assert_int_equal(in_child(apply_default), 0);
}

static int apply_lacking(void)
{
	const uint64_t gone = CAP_BIT(CAP_SYS_TIME), kept = CAP_BIT(CAP_CHOWN);
	const uint64_t rest = caps_bounding() & ~gone;
	const struct caps less = { rest, rest, rest, 0, 0 };
	const struct caps want = { gone | kept, gone | kept, gone | kept, 0, 0 };
	const struct caps have = { kept, kept, kept, 0, 0 };
	struct caps got = { 0 };
	uint64_t lacking;

	if (caps_apply(&less, &lacking, NULL) < 0)
		return 1;
	if (caps_apply(&want, &lacking, NULL) != CAPS_LACKING || lacking != gone)
		return 2;
	read_status(&got);
	return memcmp(&got, &have, sizeof got) == 0 ? 0 : 3;
}

static void what_the_host_cannot_give_is_left_out_and_reported(void **state)
{
	(void)state;
	need_caps(CAPS_DOCKER);
	assert_int_equal(in_child(apply_lacking), 0);
}

static int apply_ambient(void)
{
	const uint64_t m = CAP_BIT(CAP_NET_BIND_SERVICE);
	const struct caps want = { CAPS_DOCKER, CAPS_DOCKER, CAPS_DOCKER, m, m };
	const struct caps none = { 0 };
	struct caps got = { 0 };
	uint64_t lacking;

	if (caps_apply(&want, &lacking, NULL) != 0)
		return 1;
	read_status(&got);
	if (memcmp(&got, &want, sizeof got) != 0)
		return 2;
	if (caps_apply(&none, &lacking, NULL) != 0)
		return 3;
	read_status(&got);
	return memcmp(&got, &none, sizeof got) == 0 ? 0 : 4;
}

static void ambient_capabilities_are_raised_and_cleared(void **state)
{
	(void)state;
	need_caps(CAPS_DOCKER);
	assert_int_equal(in_child(apply_ambient), 0);
}

static int switch_user(void)
{
	const uint64_t m = CAP_BIT(CAP_NET_RAW);
	const struct caps want = { m, m, m, 0, 0 };
	struct caps got = { 0 };
	uint64_t lacking;

	if (caps_drop_bounding(&want, &lacking, NULL) != 0 ||
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setuid(65534) < 0)
		return 1;
	if (caps_set(&want, &lacking, NULL) != 0)
		return 2;
	read_status(&got);
	return memcmp(&got, &want, sizeof got) == 0 ? 0 : 3;
}

static void the_user_can_change_between_the_two_halves(void **state)
{
	(void)state;
	need_caps(CAPS_DOCKER);
	assert_int_equal(in_child(switch_user), 0);
}

static int drop_unprivileged(void)
{
	const struct caps none = { CAPS_ALL, 0, 0, 0, 0 }, want = { 0 };
	struct err e = ERR_INIT;
	uint64_t lacking;

	if (caps_set(&none, &lacking, NULL) < 0)
		return 1;
	if (caps_apply(&want, &lacking, &e) != -EPERM)
		return 2;
	return strcmp(e.text, "drop CAP_CHOWN (0) from the capability bounding set: "
			      "Operation not permitted") == 0 ?
		       0 :
		       3;
}

static void a_refused_drop_names_the_capability(void **state)
{
	(void)state;
	need_caps(CAPS_DOCKER);
	assert_int_equal(in_child(drop_unprivileged), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_with_and_without_prefix_in_any_case),
		cmocka_unit_test(a_wrong_name_is_quoted_in_the_error),
		cmocka_unit_test(every_name_is_read_back_as_its_number),
		cmocka_unit_test(the_default_set_is_docker_s_fourteen),
		cmocka_unit_test(add_and_drop_combine_as_docker_s_do),
		cmocka_unit_test(text_that_does_not_fit_ends_in_dots),
		cmocka_unit_test(apply_leaves_exactly_the_default_set),
		cmocka_unit_test(what_the_host_cannot_give_is_left_out_and_reported),
		cmocka_unit_test(ambient_capabilities_are_raised_and_cleared),
		cmocka_unit_test(the_user_can_change_between_the_two_halves),
		cmocka_unit_test(a_refused_drop_names_the_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
