// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/ctr_dir.h"
#include "runner/engine/engine.h"
#include "runner/state.h"

/* Both roots below a directory of its own for each test; nothing else of the machine is touched. */
struct place {
	char base[64];
	struct state state;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	char path[96];

	*p = (struct place){ .base = "/tmp/naru-test-state-XXXXXX", .state = STATE_INIT };
	if (!mkdtemp(p->base))
		return -1;
	(void)snprintf(path, sizeof path, "%s/root", p->base);
	(void)setenv("NARU_ROOT", path, 1);
	(void)snprintf(path, sizeof path, "%s/run", p->base);
	(void)setenv("NARU_RUN", path, 1);
	*state = p;
	return state_open(&p->state, STATE_CREATE, NULL);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	state_close(&p->state);
	(void)file_remove_tree(AT_FDCWD, p->base, NULL);
	free(p);
	return 0;
}

static void reboot(struct place *p)
{
	char run[96];

	state_close(&p->state);
	(void)snprintf(run, sizeof run, "%s/run", p->base);
	assert_int_equal(file_remove_tree(AT_FDCWD, run, NULL), 0);
	assert_int_equal(state_open(&p->state, STATE_CHANGE, NULL), 0);
}

/* A container with all its documents, as a run leaves it; its process is this one. */
static void make(struct place *p, struct ctr_dir *d, const char *name, bool auto_remove)
{
	struct ctr_record rec = { .name = name,
				  .created = "2026-01-02T03:04:05.000000006Z",
				  .image = "busybox:1",
				  .image_id = "sha256:1",
				  .network = "none",
				  .hostname = "h",
				  .user = "",
				  .working_dir = "",
				  .stop_signal = "",
				  .auto_remove = auto_remove };
	struct ctr_live live = {
		.pid = getpid(), .started = "2026-01-02T03:04:06Z", .cgroup = "", .ifname = ""
	};
	char boot[40];

	assert_int_equal(ctr_dir_create(d, &p->state, auto_remove, NULL), 0);
	rec.id = d->id;
	live.boot = boot_id_text(boot);
	assert_int_equal(engine_start_time(getpid(), &live.start_time), 0);
	assert_int_equal(state_name_add(&p->state, name, d->id, NULL), 0);
	assert_int_equal(ctr_write_live(d, &live, NULL), 0);
	assert_int_equal(ctr_write_record(d, &rec, NULL), 0);
}

static size_t count(struct place *p)
{
	struct ctr *v;
	size_t n;

	assert_int_equal(ctrs_load(&p->state, &v, &n, NULL), 0);
	ctrs_free(v, n);
	return n;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void a_machine_without_containers_has_none(void **state)
{
	struct place *p = *state;
	cleanup_state struct state other = STATE_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	struct err e = ERR_INIT;

	(void)setenv("NARU_ROOT", "/nonexistent/root", 1);
	(void)setenv("NARU_RUN", "/nonexistent/run", 1);
	assert_int_equal(state_open(&other, STATE_CHANGE, NULL), 0);
	assert_int_equal(ctr_find(&c, &other, "web", &e), -ENOENT);
	assert_string_equal(e.text, "no such container: web");
	assert_string_equal(e.details, "there are no containers on this machine");
	assert_int_equal(state_names_sweep(&other, NULL), 0);
	assert_int_equal(count(p), 0);
}

static void roots_must_be_absolute(void **state)
{
	cleanup_state struct state other = STATE_INIT;
	struct err e = ERR_INIT;

	(void)state;
	(void)setenv("NARU_ROOT", "relative", 1);
	assert_int_equal(state_open(&other, STATE_READ, &e), -EINVAL);
	assert_string_equal(e.text, "NARU_ROOT: expected an absolute path, got \"relative\"");
}

static void a_container_is_there_when_its_record_is(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir half = CTR_DIR_INIT, whole = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	char(*ids)[ID_LEN + 1];
	size_t n;

	assert_int_equal(ctr_dir_create(&half, &p->state, false, NULL), 0);
	make(p, &whole, "web", false);
	assert_int_equal(count(p), 1);
	assert_int_equal(state_ids(&p->state, &ids, &n, NULL), 0); /* gc sees both */
	free(ids);
	assert_int_equal(n, 2);
	assert_int_equal(ctr_find(&c, &p->state, half.id, NULL), -ENOENT);
	assert_int_equal(ctr_find(&c, &p->state, whole.id, NULL), 0);
	assert_string_equal(c.rec.image, "busybox:1");
	assert_int_equal(c.status, CTR_RUNNING);
}

static void containers_are_found_by_name_id_and_unique_beginning(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	char id[ID_LEN + 1], head[13];
	struct err e = ERR_INIT;

	make(p, &d, "web", false);
	assert_int_equal(state_find(&p->state, "web", id, NULL), 0);
	assert_string_equal(id, d.id);
	assert_int_equal(state_find(&p->state, d.id, id, NULL), 0);
	(void)snprintf(head, sizeof head, "%.12s", d.id);
	assert_int_equal(state_find(&p->state, head, id, NULL), 0);
	assert_string_equal(id, d.id);

	assert_int_equal(state_find(&p->state, "wbe", id, &e), -ENOENT);
	assert_string_equal(e.text, "no such container: wbe");
	assert_string_equal(e.details, "did you mean web?");
	assert_int_equal(state_find(&p->state, "../root", id, NULL), -ENOENT);
	assert_int_equal(state_find(&p->state, "", id, NULL), -ENOENT);
}

static void a_beginning_that_several_have_is_refused(void **state)
{
	struct place *p = *state;
	struct ctr_dir d[17] = { 0 };
	char id[ID_LEN + 1];
	int refused = 0;

	for (size_t i = 0; i < ARRAY_LEN(d); i++) { /* seventeen ids: two begin alike */
		d[i] = (struct ctr_dir)CTR_DIR_INIT;
		assert_int_equal(ctr_dir_create(&d[i], &p->state, true, NULL), 0);
	}
	for (const char *digit = "0123456789abcdef"; *digit; digit++) {
		char one[2] = { *digit };

		refused += state_find(&p->state, one, id, NULL) == -EINVAL;
	}
	assert_true(refused > 0);
	for (size_t i = 0; i < ARRAY_LEN(d); i++)
		ctr_dir_close(&d[i]);
}

static void a_name_has_one_owner(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir a = CTR_DIR_INIT, b = CTR_DIR_INIT;
	struct err e = ERR_INIT;
	char text[128];

	make(p, &a, "web", false);
	assert_int_equal(ctr_dir_create(&b, &p->state, false, NULL), 0);
	assert_int_equal(state_name_add(&p->state, "web", b.id, &e), -EEXIST);
	(void)snprintf(text, sizeof text, "the name web is taken by container %.12s", a.id);
	assert_string_equal(e.text, text);
	state_name_del(&p->state, "web", b.id); /* not b's to give away */
	assert_int_equal(state_name_add(&p->state, "web", b.id, NULL), -EEXIST);
	state_name_del(&p->state, "web", a.id);
	assert_int_equal(state_name_add(&p->state, "web", b.id, NULL), 0);
}

static void names_are_dockers(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{ "web", true },	{ "w1", true },	   { "a_b.c-d", true }, { "0x", true },
		{ "w", false },		{ "", false },	   { "-web", false },	{ ".web", false },
		{ "we b", false },	{ "we/b", false }, { "..", false },	{ "w\n", false },
		{ "w\xc3\xa9", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(state_name_ok(cases[i].name), cases[i].ok);
}

static void whoever_works_on_a_container_has_it_alone(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT, other = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;

	make(p, &d, "web", false);
	assert_int_equal(ctr_dir_lock(&other, &p->state, d.id, 0, NULL), CTR_BUSY);
	assert_int_equal(ctr_dir_lock(&other, &p->state, d.id, 20, NULL), CTR_BUSY);
	assert_int_equal(ctr_load(&c, &p->state, d.id, NULL), 0); /* reading never waits */
	ctr_dir_close(&other);
	(void)close(take_fd(d.lock));
	assert_int_equal(ctr_dir_lock(&other, &p->state, d.id, 0, NULL), 0);
	assert_int_equal(ctr_dir_remove(&other, &p->state, NULL), 0);
	assert_int_equal(ctr_dir_lock(&d, &p->state, c.id, 0, NULL), -ENOENT);
}

static void one_that_removes_itself_does_not_outlive_a_reboot(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	char path[CTR_PATH_MAX], id[ID_LEN + 1];

	make(p, &d, "web", true);
	memcpy(id, d.id, sizeof id);
	assert_true(exists(ctr_run_path(&p->state, id, "container.json", path)));
	assert_false(exists(ctr_root_path(&p->state, id, "container.json", path)));
	assert_true(exists(ctr_root_path(&p->state, id, "upper", path)));
	ctr_dir_close(&d);
	reboot(p);
	assert_int_equal(ctr_load(&c, &p->state, id, NULL), -ENOENT);
	assert_int_equal(ctr_dir_lock(&d, &p->state, id, 0, NULL),
			 0); /* what is left of it can be removed */
	assert_int_equal(ctr_dir_remove(&d, &p->state, NULL), 0);
	assert_false(exists(ctr_root_path(&p->state, id, "", path)));
	assert_int_equal(state_names_sweep(&p->state, NULL), 1);
}

static void one_that_is_kept_was_not_seen_ending_when_the_machine_went_down(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;

	make(p, &d, "web", false);
	ctr_dir_close(&d);
	reboot(p);
	assert_int_equal(ctr_find(&c, &p->state, "web", NULL), 0);
	assert_int_equal(c.status, CTR_EXITED);
	assert_true(c.end.lost);
	assert_int_equal(c.end.code, 255);
}

static void a_process_of_another_boot_is_not_the_containers(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	struct ctr_live live = {
		.pid = getpid(), .boot = "another", .started = "", .cgroup = "", .ifname = ""
	};

	make(p, &d, "web", false);
	assert_int_equal(engine_start_time(getpid(), &live.start_time), 0);
	assert_int_equal(ctr_write_live(&d, &live, NULL), 0);
	assert_int_equal(ctr_find(&c, &p->state, "web", NULL), 0);
	assert_int_equal(c.status, CTR_EXITED);
	assert_false(c.has_live);
}

static void a_process_with_the_same_number_started_later_is_not_the_containers(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	struct ctr_live live = { .pid = getpid(), .started = "", .cgroup = "", .ifname = "" };
	char boot[40];

	make(p, &d, "web", false);
	live.boot = boot_id_text(boot);
	assert_int_equal(engine_start_time(getpid(), &live.start_time), 0);
	live.start_time--;
	assert_int_equal(ctr_write_live(&d, &live, NULL), 0);
	assert_int_equal(ctr_find(&c, &p->state, "web", NULL), 0);
	assert_int_equal(c.status, CTR_EXITED);
}

static void the_end_is_kept(void **state)
{
	struct place *p = *state;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	const struct ctr_exit x = { .code = 137,
				    .oom = true,
				    .started = "2026-01-02T03:04:06Z",
				    .finished = "2026-01-02T03:04:07Z",
				    .error = "" };

	make(p, &d, "web", false);
	assert_int_equal(ctr_write_exit(&d, &x, NULL), 0);
	assert_int_equal(ctr_dir_remove_run(&d, &p->state, NULL), 0);
	assert_int_equal(ctr_find(&c, &p->state, "web", NULL), 0);
	assert_int_equal(c.status, CTR_EXITED);
	assert_int_equal(c.end.code, 137);
	assert_true(c.end.oom);
	assert_false(c.end.lost);
	assert_string_equal(c.end.finished, "2026-01-02T03:04:07Z");
}

static void removing_can_be_taken_up_again_wherever_it_stopped(void **state)
{
	struct place *p = *state;
	static const char *const gone[] = { "container.json", "upper", "work", NULL };
	char path[CTR_PATH_MAX], id[ID_LEN + 1];

	for (size_t k = 0; k <= 3; k++) { /* the first k are gone already */
		cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT, again = CTR_DIR_INIT;
		cleanup_ctr struct ctr c = CTR_INIT;

		make(p, &d, "web", false);
		memcpy(id, d.id, sizeof id);
		state_name_del(&p->state, "web", id);
		for (size_t i = 0; i < k; i++)
			assert_int_equal(file_remove_tree(d.root, gone[i], NULL), 0);
		ctr_dir_close(&d);
		assert_int_equal(ctr_load(&c, &p->state, id, NULL), k ? -ENOENT : 0);
		assert_int_equal(ctr_dir_lock(&again, &p->state, id, 0, NULL), 0);
		assert_int_equal(ctr_dir_remove(&again, &p->state, NULL), 0);
		assert_false(exists(ctr_root_path(&p->state, id, "", path)));
		assert_false(exists(ctr_run_path(&p->state, id, "", path)));
	}
}

static void times_are_read_back(void **state)
{
	char now[TIME_TEXT_MAX];

	(void)state;
	assert_int_equal(time_parse_text("1970-01-02T00:00:01.5Z"), 86401);
	assert_int_equal(time_parse_text(""), 0);
	assert_int_equal(time_parse_text(NULL), 0);
	assert_true(time_parse_text(time_now_text(now)) > 1700000000);
	assert_int_equal(strlen(now), strlen("2026-01-02T03:04:05.000000006Z"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_machine_without_containers_has_none),
		TEST(roots_must_be_absolute),
		TEST(a_container_is_there_when_its_record_is),
		TEST(containers_are_found_by_name_id_and_unique_beginning),
		TEST(a_beginning_that_several_have_is_refused),
		TEST(a_name_has_one_owner),
		TEST(names_are_dockers),
		TEST(whoever_works_on_a_container_has_it_alone),
		TEST(one_that_removes_itself_does_not_outlive_a_reboot),
		TEST(one_that_is_kept_was_not_seen_ending_when_the_machine_went_down),
		TEST(a_process_of_another_boot_is_not_the_containers),
		TEST(a_process_with_the_same_number_started_later_is_not_the_containers),
		TEST(the_end_is_kept),
		TEST(removing_can_be_taken_up_again_wherever_it_stopped),
		TEST(times_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
