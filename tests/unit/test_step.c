// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/step.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>

#include "netlib/base/str.h"
#include "netlib/cni/plugin.h"

/* Rows that write down their names; those named in fails say no. */
static struct str seen;
static const char *fails = "";

static int say(const char *name, const char *verb, struct err *e)
{
	str_addf(&seen, "%s.%s ", name, verb);
	return strstr(fails, name) ? err_say(e, -EIO, "%s failed", name) : 0;
}

#define ROW(n) \
	static int n##_add(struct cni_op *op, struct err *e) \
	{ \
		(void)op; \
		return say(#n, "add", e); \
	} \
	static int n##_del(struct cni_op *op, struct err *e) \
	{ \
		(void)op; \
		return say(#n, "del", e); \
	} \
	static int n##_check(struct cni_op *op, struct err *e) \
	{ \
		(void)op; \
		return say(#n, "check", e); \
	} \
	static int n##_gc(struct cni_op *op, struct err *e) \
	{ \
		(void)op; \
		return say(#n, "gc", e); \
	} \
	static int n##_status(struct cni_op *op, struct err *e) \
	{ \
		(void)op; \
		return say(#n, "status", e); \
	}

ROW(one)
ROW(two)
ROW(three)
ROW(never)

static bool no(const struct cni_op *op)
{
	(void)op;
	return false;
}

static const struct cni_step steps[] = {
	{ "one", NULL, one_add, one_del, one_check, one_gc, one_status },
	{ "never", no, never_add, never_del, never_check, never_gc, never_status },
	{ "two", NULL, two_add, two_del, two_check, two_gc, two_status },
	{ "empty", NULL, NULL, NULL, NULL, NULL, NULL },
	{ "three", NULL, three_add, three_del, three_check, three_gc, three_status },
	{ 0 }
};
static const struct cni_plugin plugin = { .name = "test", .steps = steps };

static int run(enum cni_verb verb, struct err *e)
{
	struct cni_op op = { .plugin = &plugin };

	str_free(&seen);
	return steps_run(&op, verb, e);
}

static void rows_run_in_the_order_of_their_verb(void **state)
{
	static const struct {
		enum cni_verb verb;
		const char *fails, *seen, *error, *details;
	} cases[] = {
		{ CNI_ADD, "", "one.add two.add three.add ", "", "" },
		{ CNI_DEL, "", "three.del two.del one.del ", "", "" },
		{ CNI_CHECK, "", "one.check two.check three.check ", "", "" },
		{ CNI_GC, "", "one.gc two.gc three.gc ", "", "" },
		{ CNI_STATUS, "", "one.status two.status three.status ", "", "" },
		/* these stop at the first error */
		{ CNI_ADD, "two", "one.add two.add ", "two failed", "" },
		{ CNI_CHECK, "two", "one.check two.check ", "two failed", "" },
		{ CNI_STATUS, "one", "one.status ", "one failed", "" },
		/* these go on, and report the first with the others behind it */
		{ CNI_DEL, "two", "three.del two.del one.del ", "two failed", "" },
		{ CNI_DEL, "three one", "three.del two.del one.del ", "three failed",
		  "also: one failed" },
		{ CNI_GC, "one two three", "one.gc two.gc three.gc ", "one failed",
		  "also: two failed; also: three failed" },
		{ CNI_VERSION, "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		fails = cases[i].fails;
		row_int(i, cases[i].fails, run(cases[i].verb, &e), *cases[i].error ? -EIO : 0);
		row_text(i, cases[i].fails, seen.p ? seen.p : "", cases[i].seen);
		row_text(i, cases[i].fails, e.text, cases[i].error);
		row_text(i, cases[i].fails, e.details, cases[i].details);
	}
	fails = "";
}

static int silent(struct cni_op *op, struct err *e)
{
	(void)op;
	(void)e;
	return -ENOSPC;
}

static void a_row_that_fails_without_a_sentence_fails_all_the_same(void **state)
{
	static const struct cni_step rows[] = {
		{ "quiet", NULL, silent, silent, silent, silent, silent }, { 0 }
	};
	static const struct cni_plugin p = { .name = "test", .steps = rows };
	struct cni_op op = { .plugin = &p };

	(void)state;
	for (int verb = CNI_ADD; verb <= CNI_STATUS; verb++) {
		struct err e = ERR_INIT;

		row_int((size_t)verb, "verb", steps_run(&op, (enum cni_verb)verb, &e), -ENOSPC);
		assert_string_equal(e.text, "step quiet: No space left on device");
	}
}

static int raise_term(struct cni_op *op, struct err *e)
{
	(void)op;
	(void)e;
	return raise(SIGTERM) ? -EIO : 0;
}

/* Last: the flag stays set. */
static void a_signal_ends_an_add_between_two_rows_and_never_a_del(void **state)
{
	static const struct cni_step ended[] = {
		{ "signalled", NULL, raise_term, NULL, NULL, NULL, NULL },
		{ "one", NULL, one_add, one_del, NULL, NULL, NULL },
		{ 0 }
	};
	static const struct cni_plugin p = { .name = "test", .steps = ended };
	struct cni_op op = { .plugin = &p };
	struct err e = ERR_INIT;

	(void)state;
	steps_catch_signals();
	str_free(&seen);
	assert_int_equal(steps_run(&op, CNI_ADD, &e), -EINTR);
	assert_string_equal(e.text, "ended by signal 15 before step one; nothing is left behind");
	assert_null(seen.p);
	assert_int_equal(steps_run(&op, CNI_DEL, &e), 0);
	assert_string_equal(seen.p, "one.del ");
	str_free(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_run_in_the_order_of_their_verb),
		cmocka_unit_test(a_row_that_fails_without_a_sentence_fails_all_the_same),
		cmocka_unit_test(a_signal_ends_an_add_between_two_rows_and_never_a_del),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
