// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/txn/txn.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/txn/verbs.h"

static char dir[64];

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/naru-test-txn-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static unsigned i;

	i ^= 1;
	(void)snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

/* ---- kinds of undo that write down what they are asked */

static int note(const struct undo *u, struct txn *t, struct err *e)
{
	(void)e;
	str_addf(t->ctx, "%s:%s:%u:%s:%s ", u->ns == UNDO_HOST ? "host" : "cont", u->name, u->index,
		 u->a ? u->a : "-", u->b ? u->b : "-");
	return 0;
}

static int refuse(const struct undo *u, struct txn *t, struct err *e)
{
	(void)note(u, t, NULL);
	return err_say(e, -EPERM, "will not undo %s", u->a);
}

static const struct undo_op op_note = { "note", note }, op_refuse = { "refuse", refuse };
static const struct undo_op *const own_ops[] = { &op_note, &op_refuse, NULL };

static struct undo *reserve(struct txn *t, const char *a)
{
	return txn_reserve(t, &op_note, UNDO_HOST, NULL, a, NULL, NULL);
}

static void what_is_not_committed_is_undone_newest_first(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	{
		cleanup_txn struct txn t = TXN_INIT;

		t.ctx = &s;
		assert_non_null(reserve(&t, "1"));
		assert_non_null(txn_reserve(&t, &op_note, UNDO_CONT, "eth0", "2", "b", NULL));
		struct undo *u = reserve(&t, "3");
		u->index = 7;
	}
	assert_string_equal(s.p, "host::7:3:- cont:eth0:0:2:b host::0:1:- ");
}

static void what_is_committed_stays(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	{
		cleanup_txn struct txn t = TXN_INIT;

		t.ctx = &s;
		assert_non_null(reserve(&t, "1"));
		txn_commit(&t);
	}
	assert_null(s.p);
}

static void a_dropped_record_is_not_undone(void **state)
{
	cleanup_str struct str s = STR_INIT;
	struct txn t = TXN_INIT;

	(void)state;
	t.ctx = &s;
	assert_non_null(reserve(&t, "1"));
	assert_non_null(reserve(&t, "2"));
	txn_drop(&t);
	assert_non_null(reserve(&t, "3"));
	txn_end(&t);
	assert_string_equal(s.p, "host::0:3:- host::0:1:- ");
}

static void the_first_error_is_reported_and_the_rest_still_runs(void **state)
{
	cleanup_str struct str s = STR_INIT;
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	t.ctx = &s;
	assert_non_null(reserve(&t, "1"));
	assert_non_null(txn_reserve(&t, &op_refuse, UNDO_HOST, NULL, "2", NULL, NULL));
	assert_non_null(txn_reserve(&t, &op_refuse, UNDO_HOST, NULL, "3", NULL, NULL));
	assert_non_null(reserve(&t, "4"));
	assert_int_equal(txn_rollback(&t, &e), -EPERM);
	assert_string_equal(e.text, "will not undo 3");
	assert_string_equal(s.p, "host::0:4:- host::0:3:- host::0:2:- host::0:1:- ");
	assert_int_equal(txn_rollback(&t, &e), 0);
	txn_end(&t);
}

static int three_verbs(struct txn *t, struct str *acts)
{
	for (int i = 1; i <= 3; i++) {
		char a[8];

		(void)snprintf(a, sizeof a, "%d", i);
		if (!reserve(t, a))
			return -EIO;
		str_addc(acts, (char)('0' + i));
	}
	return txn_point(t, "deliver", NULL);
}

static void a_fault_at_k_undoes_what_came_before_and_does_nothing_after(void **state)
{
	static const struct {
		unsigned k;
		const char *acts, *undone;
	} cases[] = {
		{ 1, "", "" },
		{ 2, "1", "host::0:1:- " },
		{ 3, "12", "host::0:2:- host::0:1:- " },
		{ 4, "123", "host::0:3:- host::0:2:- host::0:1:- " },
		{ 5, "123", "" },
		{ 0, "123", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_str struct str undone = STR_INIT, acts = STR_INIT;
		struct txn t = TXN_INIT;

		t.ctx = &undone;
		t.fail_at = cases[i].k;
		if (three_verbs(&t, &acts) == 0)
			txn_commit(&t);
		txn_end(&t);
		row_text(i, "acts", acts.p ? acts.p : "", cases[i].acts);
		row_text(i, "undone", undone.p ? undone.p : "", cases[i].undone);
	}
}

static void the_fault_says_which_verb_it_was(void **state)
{
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(setenv("NARU_FAIL_AT", "2", 1), 0);
	txn_init(&t, NULL, NULL, -1);
	assert_int_equal(unsetenv("NARU_FAIL_AT"), 0);
	assert_non_null(txn_reserve(&t, &op_note, UNDO_HOST, NULL, NULL, NULL, &e));
	assert_null(txn_reserve(&t, &op_note, UNDO_HOST, NULL, NULL, NULL, &e));
	assert_string_equal(e.text, "fault injected at step 2 (note)");
	txn_commit(&t);
	txn_end(&t);
}

/* ---- journals */

static int journal_open(struct txn *t)
{
	int fd = open(in_dir("journal"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	t->journal = fd;
	return fd;
}

static void journal_put(const char *text)
{
	cleanup_fd int fd = open(in_dir("journal"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static int replay(struct str *s, struct err *e)
{
	struct txn t = TXN_INIT;
	cleanup_fd int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	t.ctx = s;
	t.ops = own_ops;
	int r = txn_replay(&t, d, "journal", e);
	txn_end(&t);
	return r;
}

static void a_journal_has_each_record_before_its_act(void **state)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_free char *text = NULL;
	struct txn t = TXN_INIT;

	(void)state;
	cleanup_fd int fd = journal_open(&t);
	assert_true(fd >= 0);
	t.ctx = &s;
	assert_non_null(txn_reserve_at(&t, &op_note, UNDO_CONT, 7, "eth0", "a \"quoted\" \n one",
				       "b", NULL));
	assert_non_null(reserve(&t, "2"));
	assert_int_equal(file_read_at(AT_FDCWD, in_dir("journal"), 1 << 20, &text, NULL, NULL), 0);
	assert_string_equal(
		text,
		"{\"op\":\"note\",\"ns\":\"cont\",\"name\":\"eth0\",\"index\":7,\"a\":\"a \\\"quoted\\\" \\n one\",\"b\":\"b\"}\n"
		"{\"op\":\"note\",\"ns\":\"host\",\"a\":\"2\"}\n");
	txn_commit(&t); /* the journal stays: it is what rm replays */
	txn_end(&t);
	assert_null(s.p);
	assert_int_equal(replay(&s, NULL), 0);
	assert_string_equal(s.p, "host::0:2:- cont:eth0:7:a \"quoted\" \n one:b ");
}

static void a_record_taken_back_is_not_replayed(void **state)
{
	cleanup_str struct str s = STR_INIT;
	struct txn t = TXN_INIT;

	(void)state;
	cleanup_fd int fd = journal_open(&t);
	assert_true(fd >= 0);
	assert_non_null(reserve(&t, "1"));
	assert_non_null(reserve(&t, "2"));
	txn_drop(&t);
	assert_non_null(reserve(&t, "3"));
	txn_commit(&t);
	txn_end(&t);
	assert_int_equal(replay(&s, NULL), 0);
	assert_string_equal(s.p, "host::0:3:- host::0:1:- ");
}

static void replaying_twice_asks_the_same_again(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	journal_put("{\"op\":\"note\",\"a\":\"1\"}\n{\"op\":\"note\",\"a\":\"2\"}\n");
	assert_int_equal(replay(&s, NULL), 0);
	assert_int_equal(replay(&s, NULL), 0);
	assert_string_equal(s.p, "host::0:2:- host::0:1:- host::0:2:- host::0:1:- ");
}

static void a_torn_or_damaged_line_does_not_stop_the_others(void **state)
{
	static const struct {
		const char *text, *undone, *error;
	} cases[] = {
		{ "", "", NULL },
		{ "{\"op\":\"note\",\"a\":\"1\"}", "",
		  NULL }, /* no newline: the write was cut off, its act never began */
		{ "{\"op\":\"note\",\"a\":\"1\"}\n{\"op\":\"no", "host::0:1:- ", NULL },
		{ "{\"op\":\"no\n{\"op\":\"note\",\"a\":\"1\"}\n", "host::0:1:- ", NULL },
		{ "\n\n{\"op\":\"note\",\"a\":\"1\"}\n", "host::0:1:- ", NULL },
		{ "{\"op\":\"unheard of\"}\n{\"op\":\"note\",\"a\":\"1\"}\n", "host::0:1:- ",
		  "journal: unknown kind of undo \"unheard of\"" },
		{ "{\"no\":\"op\"}\n{\"op\":\"note\",\"a\":\"1\"}\n", "host::0:1:- ",
		  "journal: unknown kind of undo \"\"" },
		{ "[]\n5\nnull\n{\"op\":\"note\",\"a\":\"1\"}\n", "host::0:1:- ",
		  "journal: unknown kind of undo \"\"" },
		{ "{\"op\":5}\n", "", "journal: unknown kind of undo \"\"" },
		{ "{\"op\":\"note\",\"ns\":5,\"name\":[],\"index\":\"x\",\"a\":1}\n",
		  "host::0:-:- ", NULL },
		{ "{\"op\":\"note\",\"name\":\"a name that is too long\",\"index\":4294967295}\n",
		  "host:a name that is :4294967295:-:- ", NULL },
		{ "{\"op\":\"sysctl\",\"a\":\"net/x\"}\n", "",
		  "journal: \"sysctl\" without its operand \"b\"" },
		{ "{\"op\":\"file unlink\"}\n", "",
		  "journal: \"file unlink\" without its operand \"a\"" },
		{ "{\"op\":\"drop\"}\n{\"op\":\"note\"}\n{\"op\":\"drop\"}\n{\"op\":\"drop\"}\n",
		  "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_str struct str s = STR_INIT;
		struct err e = ERR_INIT;

		journal_put(cases[i].text);
		row_int(i, cases[i].text, replay(&s, &e), cases[i].error ? -EINVAL : 0);
		row_text(i, "undone", s.p ? s.p : "", cases[i].undone);
		row_text(i, "error", e.text, cases[i].error ? cases[i].error : "");
	}
}

static void a_missing_journal_is_told_apart(void **state)
{
	cleanup_str struct str s = STR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(replay(&s, &e), -ENOENT);
	assert_string_equal(e.text, "open journal: No such file or directory");
}

static void every_kind_of_undo_survives_the_journal(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct undo_op *const *op = txn_undo_ops; *op; op++, n++) {
		struct undo u = { .op = *op,
				  .ns = n % 2 ? UNDO_CONT : UNDO_HOST,
				  .index = (uint32_t)n * 1000000000U,
				  .name = "eth0",
				  .a = (char *)"10.1.0.2/16 \"x\" \xc3\xa4",
				  .b = (char *)"1" },
			    back = { 0 };
		cleanup_json struct json_object *o = undo_encode(&u);
		cleanup_str struct str s = STR_INIT, again = STR_INIT;
		cleanup_doc struct doc d = DOC_INIT;
		struct err e = ERR_INIT;

		json_print(&s, o, 0, false);
		assert_int_equal(doc_parse(&d, s.p, s.len, NULL), 0);
		if (undo_decode(NULL, d.root, &back, &e) < 0)
			fail_msg("%s: %s", u.op->name, e.text);
		assert_ptr_equal(back.op, u.op);
		assert_int_equal(back.ns, u.ns);
		assert_int_equal(back.index, u.index);
		cleanup_json struct json_object *o2 = undo_encode(&back);
		json_print(&again, o2, 0, false);
		assert_string_equal(again.p, s.p);
		undo_clear(&back);
	}
	assert_true(n >= 10);
}

static void a_line_that_could_not_be_written_whole_is_cut_off_again(void **state)
{
	struct rlimit old, tight = { .rlim_max = RLIM_INFINITY };
	cleanup_str struct str s = STR_INIT;
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	cleanup_fd int fd = journal_open(&t);
	assert_true(fd >= 0);
	assert_non_null(reserve(&t, "1"));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight.rlim_cur = (rlim_t)st.st_size + 5;
	tight.rlim_max = old.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_null(txn_reserve(&t, &op_note, UNDO_HOST, NULL, "2", NULL, &e));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_string_equal(e.text, "write the journal: File too large");
	assert_int_equal(t.n, 1);
	assert_non_null(reserve(&t, "3"));
	txn_commit(&t);
	txn_end(&t);
	assert_int_equal(replay(&s, NULL), 0);
	assert_string_equal(s.p, "host::0:3:- host::0:1:- ");
}

/* ---- verbs on files */

static void files_go_again(void **state)
{
	struct txn t = TXN_INIT;
	char file[128], other[128];

	(void)state;
	(void)snprintf(file, sizeof file, "%s/file", dir);
	(void)snprintf(other, sizeof other, "%s/other", dir);
	assert_int_equal(txn_file_create(&t, file, 0640, "abc", 3, NULL), 0);
	assert_int_equal(txn_file_create(&t, other, 0600, "", 0, NULL), 0);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(unlink(other), 0); /* gone already: success */
	assert_int_equal(txn_rollback(&t, NULL), 0);
	assert_int_equal(access(file, F_OK), -1);
	txn_end(&t);
}

static void what_was_there_before_is_neither_changed_nor_undone(void **state)
{
	char file[128];
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;
	cleanup_str struct str s = STR_INIT;

	(void)state;
	cleanup_fd int fd = journal_open(&t);
	assert_true(fd >= 0);
	(void)snprintf(file, sizeof file, "%s/file", dir);
	cleanup_fd int old = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(old >= 0);
	assert_int_equal(txn_file_create(&t, file, 0640, "abc", 3, &e), -EEXIST);
	assert_string_equal(e.text, "create file: File exists");
	txn_end(&t);
	assert_int_equal(access(file, F_OK), 0);
	/* nor by the journal, after a crash or by rm */
	assert_int_equal(replay(&s, NULL), 0);
	assert_int_equal(access(file, F_OK), 0);
}

static void a_path_that_is_none_is_refused(void **state)
{
	struct txn t = TXN_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(txn_file_create(&t, "relative", 0600, "", 0, &e), -EINVAL);
	assert_string_equal(e.text, "create relative: expected an absolute path below a directory");
	assert_int_equal(txn_file_create(&t, "/at-the-root", 0600, "", 0, &e), -EINVAL);
	txn_end(&t);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_committed_is_undone_newest_first),
		cmocka_unit_test(what_is_committed_stays),
		cmocka_unit_test(a_dropped_record_is_not_undone),
		cmocka_unit_test(the_first_error_is_reported_and_the_rest_still_runs),
		cmocka_unit_test(a_fault_at_k_undoes_what_came_before_and_does_nothing_after),
		cmocka_unit_test(the_fault_says_which_verb_it_was),
		IN_DIR(a_journal_has_each_record_before_its_act),
		IN_DIR(a_record_taken_back_is_not_replayed),
		IN_DIR(replaying_twice_asks_the_same_again),
		IN_DIR(a_torn_or_damaged_line_does_not_stop_the_others),
		IN_DIR(a_missing_journal_is_told_apart),
		cmocka_unit_test(every_kind_of_undo_survives_the_journal),
		IN_DIR(a_line_that_could_not_be_written_whole_is_cut_off_again),
		IN_DIR(files_go_again),
		IN_DIR(what_was_there_before_is_neither_changed_nor_undone),
		cmocka_unit_test(a_path_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
