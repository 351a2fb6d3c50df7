// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipam/collect.h"
#include "ipam/store.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"

#define NETWORK "net"

static char root[] = "/tmp/naru-test-store-XXXXXX";

static int fresh(void **state)
{
	(void)state;
	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	return mkdtemp(root) ? 0 : -1;
}

static int wipe(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, root, NULL);
}

static const char *path_of(const char *name)
{
	static char buf[2][256];
	static unsigned turn;
	char *p = buf[turn++ % 2];

	snprintf(p, sizeof buf[0], "%s/" NETWORK "/%s", root, name);
	return p;
}

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static void opened(struct store *s)
{
	struct err e = ERR_INIT;

	if (store_open(s, root, NETWORK, true, &e) != 0 || store_lock(s, &e) != 0)
		fail_msg("%s", e.text);
}

/* What somebody else does to the directory. */
static void put(const char *name, const void *text, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void puts_lease(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void claim(struct store *s, const char *container, const char *ifname, const char *a)
{
	const struct lease_owner o = { container, ifname };
	struct ip_addr x = addr(a);

	assert_int_equal(store_claim(s, &o, &x, 1, NULL, 0, NULL), 0);
	store_seal(s);
}

static size_t owned(struct store *s, const char *container, const char *ifname)
{
	struct ip_addr *v;
	size_t n;

	assert_int_equal(store_owned(s, &(struct lease_owner){ container, ifname }, &v, &n, NULL),
			 0);
	free(v);
	return n;
}

static bool there(const char *name)
{
	struct stat st;

	return lstat(path_of(name), &st) == 0;
}

static void a_reservation_is_byte_for_byte_what_the_reference_writes(void **state)
{
	cleanup_store struct store s = STORE_INIT;
	const struct ip_addr v[] = { addr("10.1.0.2"), addr("fd00::2") };
	cleanup_free char *text = NULL;
	struct stat st;
	size_t len;

	(void)state;
	opened(&s);
	assert_int_equal(store_claim(&s, &(struct lease_owner){ "c1", "eth0" }, v, 2, NULL, 0,
				     NULL),
			 0);
	assert_int_equal(store_mark(&s, 0, &v[0], NULL), 0);
	assert_int_equal(file_read_at(AT_FDCWD, path_of("10.1.0.2"), 100, &text, &len, NULL), 0);
	assert_int_equal(len, 8);
	assert_memory_equal(text, "c1\r\neth0", 8);
	free(text);
	assert_int_equal(file_read_at(AT_FDCWD, path_of("fd00::2"), 100, &text, &len, NULL), 0);
	assert_memory_equal(text, "c1\r\neth0", 8);
	free(text);
	assert_int_equal(file_read_at(AT_FDCWD, path_of("last_reserved_ip.0"), 100, &text, &len,
				      NULL),
			 0);
	assert_string_equal(text, "10.1.0.2");
	assert_int_equal(lstat(path_of("fd00::2"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(lstat(path_of("lock"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(lstat(path_of(""), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

/* As on file systems without unnamed files. */
static void a_reservation_can_also_be_made_without_an_unnamed_file(void **state)
{
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = { "c1", "eth0" };
	cleanup_free char *text = NULL;

	(void)state;
	assert_int_equal(store_open(&s, root, NETWORK, true, NULL), 0);
	assert_int_equal(store_draft(&s, &o, NULL), 0);
	assert_int_equal(store_lock(&s, NULL), 0);
	claim(&s, "c1", "eth0", "10.1.0.2");
	close(take_fd(s.draft));
	claim(&s, "c1", "eth0", "10.1.0.3");
	store_unlock(&s);
	assert_int_equal(store_sync(&s, NULL), 0);
	for (const char *const *n = (const char *const[]){ "10.1.0.2", "10.1.0.3", NULL }; *n;
	     n++) {
		free(take_ptr(text));
		assert_int_equal(file_read_at(AT_FDCWD, path_of(*n), 100, &text, NULL, NULL), 0);
		assert_string_equal(text, "c1\r\neth0");
	}
}

static void what_somebody_else_wrote_is_found(void **state)
{
	cleanup_store struct store s = STORE_INIT;

	(void)state;
	opened(&s);
	claim(&s, "c1", "eth0", "10.1.0.2");
	store_close(&s);
	puts_lease("10.1.0.3", "c2\r\neth0");
	puts_lease("10.1.0.4", "old"); /* of the oldest form: all interfaces */
	opened(&s);
	assert_int_equal(owned(&s, "c1", "eth0"), 1);
	assert_int_equal(owned(&s, "c2", "eth0"), 1);
	assert_int_equal(owned(&s, "c2", "eth1"), 0);
	assert_int_equal(owned(&s, "old", "eth7"), 1);
	store_close(&s);
	unlink(path_of("10.1.0.3"));
	opened(&s);
	assert_int_equal(owned(&s, "c2", "eth0"), 0);
	assert_int_equal(store_release(&s, &(struct lease_owner){ "old", "eth3" }, NULL), 0);
	assert_false(there("10.1.0.4"));
	assert_true(there("10.1.0.2"));
}

static void a_change_that_was_cut_short_is_found_by_the_next_call(void **state)
{
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = { "c1", "eth0" };
	char key[INDEX_KEY_MAX];
	struct ip_addr a = addr("10.1.0.2");

	(void)state;
	index_key(&o, key);
	/* killed behind the index entry, before the reservation: nothing is owned */
	opened(&s);
	assert_int_equal(index_put(&s.ix, key, &a, 1, s.ix.boot, NULL), 0);
	store_close(&s);
	opened(&s);
	assert_int_equal(owned(&s, "c1", "eth0"), 0);
	/* killed behind the reservation, and the index lost with it */
	assert_int_equal(store_claim(&s, &o, &a, 1, NULL, 0, NULL), 0);
	index_drop(&s.ix, key);
	store_close(&s);
	opened(&s);
	assert_int_equal(owned(&s, "c1", "eth0"), 1);
	assert_int_equal(store_release(&s, &o, NULL), 0);
	assert_false(there("10.1.0.2"));
	store_close(&s);
	/* the whole index deleted by hand */
	opened(&s);
	claim(&s, "c1", "eth0", "10.1.0.2");
	store_close(&s);
	int dir = file_open_dir(AT_FDCWD, root, NULL);
	assert_int_equal(file_remove_tree(dir, ".naru", NULL), 0);
	close(dir);
	opened(&s);
	assert_int_equal(owned(&s, "c1", "eth0"), 1);
}

static void an_undisturbed_directory_is_not_read_again(void **state)
{
	cleanup_store struct store s = STORE_INIT;

	(void)state;
	opened(&s);
	claim(&s, "c1", "eth0", "10.1.0.2");
	assert_true(index_sealed(&s.ix));
	store_close(&s);
	opened(&s);
	assert_true(index_sealed(&s.ix));
	puts_lease("10.1.0.3", "c2\r\neth0");
	assert_false(index_sealed(&s.ix));
	index_seal(&s.ix);
	assert_true(index_sealed(&s.ix));
	unlink(path_of("10.1.0.3"));
	assert_false(index_sealed(&s.ix));
	index_seal(&s.ix);
	memcpy(s.ix.boot, "00000000", 8); /* another boot */
	assert_false(index_sealed(&s.ix));
}

static void strange_files_among_the_reservations_do_no_harm(void **state)
{
	cleanup_store struct store s = STORE_INIT;
	char garbage[3000];
	struct ip_range r = { .subnet = { addr("10.1.0.0"), 28 } };
	struct range_set set = { &r, 1, NULL };
	struct ip_addr got;

	(void)state;
	memset(garbage, 'x', sizeof garbage);
	assert_int_equal(range_set_fill(&set, NULL), 0);
	opened(&s);
	store_close(&s);
	put("10.1.0.2", garbage, sizeof garbage);
	assert_int_equal(mkfifo(path_of("10.1.0.3"), 0600), 0);
	assert_int_equal(symlink("/etc/passwd", path_of("10.1.0.4")), 0);
	assert_int_equal(mkdir(path_of("10.1.0.5"), 0700), 0);
	puts_lease("10.1.0.6", "");
	puts_lease("10.1.0.06", "c1\r\neth0");
	puts_lease("README", "c1\r\neth0");
	opened(&s);
	assert_int_equal(owned(&s, "c1", "eth0"), 0);
	assert_false(there("10.1.0.6")); /* empty: nobody's */
	assert_int_equal(store_find_free(&s, &set, NULL, &got, NULL), 1);
	assert_true(ip_eq(&got, &(struct ip_addr){ 2, { 10, 1, 0, 6 } }));
	puts_lease("10.1.0.6", "");
	assert_int_equal(store_find_free(&s, &set, NULL, &got, NULL), 1);
	assert_true(ip_eq(&got, &(struct ip_addr){ 2, { 10, 1, 0, 6 } }));
	for (const char *const *n =
		     (const char *const[]){ "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", NULL };
	     *n; n++)
		assert_true(there(*n));
}

static void a_marker_that_makes_no_sense_is_ignored_and_replaced(void **state)
{
	static const char *const texts[] = {
		"",
		"garbage",
		"10.1.0.2\n",
		"999.1.1.1",
		"10.1.0.2000000000000000000000000000000000000000000000000000000000000000000",
	};
	cleanup_store struct store s = STORE_INIT;
	struct ip_addr a = addr("10.1.0.9"), got;
	cleanup_free char *victim = str_fmt("%s/victim", root), *text = NULL;

	(void)state;
	opened(&s);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		puts_lease("last_reserved_ip.0", texts[i]);
		got = store_last(&s, 0);
		assert_false(ip_is_set(&got));
		assert_int_equal(store_mark(&s, 0, &a, NULL), 0);
		got = store_last(&s, 0);
		assert_true(ip_eq(&got, &a));
	}
	/* a link elsewhere is neither read nor written through */
	int fd = open(victim, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "10.1.0.5", 8), 8);
	close(fd);
	unlink(path_of("last_reserved_ip.0"));
	assert_int_equal(symlink(victim, path_of("last_reserved_ip.0")), 0);
	got = store_last(&s, 0);
	assert_false(ip_is_set(&got));
	assert_int_equal(store_mark(&s, 0, &a, NULL), 0);
	got = store_last(&s, 0);
	assert_true(ip_eq(&got, &a));
	assert_int_equal(file_read_at(AT_FDCWD, victim, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "10.1.0.5");
	unlink(path_of("last_reserved_ip.0"));
	assert_int_equal(mkfifo(path_of("last_reserved_ip.0"), 0600), 0);
	got = store_last(&s, 0);
	assert_false(ip_is_set(&got));
	assert_int_equal(store_mark(&s, 0, &a, NULL), 0);
}

/* Makes an owner's entry one of an earlier boot. */
static void age(struct store *s, const char *container, const char *a)
{
	struct ip_addr x = addr(a);
	char key[INDEX_KEY_MAX];

	index_key(&(struct lease_owner){ container, "eth0" }, key);
	assert_int_equal(index_put(&s->ix, key, &x, 1, "00000000", NULL), 0);
	store_seal(s);
}

static void what_an_earlier_boot_left_is_given_back_but_not_what_the_reference_left(void **state)
{
	cleanup_store struct store s = STORE_INIT;
	size_t n;

	(void)state;
	opened(&s);
	claim(&s, "old", "eth0", "10.1.0.2");
	claim(&s, "new", "eth0", "10.1.0.3");
	assert_false(collect_has_stale(&s));
	age(&s, "old", "10.1.0.2");
	store_close(&s);
	puts_lease("10.1.0.4", "go\r\neth0");
	opened(&s); /* looks at everything, and keeps what it knows of boots */
	assert_true(collect_has_stale(&s));
	assert_true(collect_is_stale(&s, "old", "eth0"));
	assert_false(collect_is_stale(&s, "new", "eth0"));
	assert_false(collect_is_stale(&s, "go", "eth0"));
	assert_int_equal(collect_reclaim(&s, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_false(there("10.1.0.2"));
	assert_true(there("10.1.0.3"));
	assert_true(there("10.1.0.4"));
	/* an old entry whose address has passed to somebody else is only an entry */
	claim(&s, "old", "eth0", "10.1.0.5");
	age(&s, "old", "10.1.0.3");
	assert_int_equal(collect_reclaim(&s, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_true(there("10.1.0.3"));
}

static void a_network_directory_that_is_a_link_is_not_entered(void **state)
{
	cleanup_free char *elsewhere = str_fmt("%s/elsewhere", root),
			  *link = str_fmt("%s/" NETWORK, root);
	cleanup_store struct store s = STORE_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(elsewhere, 0755) | symlink("elsewhere", link), 0);
	assert_true(store_open(&s, root, NETWORK, true, &e) < 0);
	assert_non_null(strstr(e.text, "open directory " NETWORK ": Not a directory"));
}

static void looking_writes_nothing(void **state)
{
	cleanup_store struct store s = STORE_INIT;

	(void)state;
	assert_int_equal(store_look(&s, root, NETWORK, NULL), 1);
	store_close(&s);
	assert_int_equal(store_open(&s, root, NETWORK, false, NULL), 1);
	store_close(&s);
	assert_int_equal(rmdir(root), 0); /* still empty */
	assert_int_equal(store_look(&s, root, NETWORK, NULL), 1);
	assert_int_equal(mkdir(root, 0700), 0);
}

static void an_owner_of_very_many_addresses_is_found_too(void **state)
{
	enum { N = 500 };
	cleanup_store struct store s = STORE_INIT;
	const struct lease_owner o = { "many", "eth0" };
	struct ip_addr v[N], a = addr("fd00:1111:2222:3333:4444:5555:6666:1000");

	(void)state;
	for (int i = 0; i < N; i++, a = ip_next(&a))
		v[i] = a;
	opened(&s);
	assert_int_equal(store_claim(&s, &o, v, N, NULL, 0, NULL), 0);
	store_seal(&s);
	store_close(&s);
	opened(&s);
	assert_int_equal(owned(&s, "many", "eth0"), N);
	puts_lease("10.1.0.9", "x\r\neth0");
	store_close(&s);
	opened(&s);
	assert_int_equal(store_release(&s, &o, NULL), 0);
	assert_int_equal(owned(&s, "many", "eth0"), 0);
}

/* ---- random operations against a model: who has which address */

#define OWNERS 24
#define ADDRS 40

struct model {
	int owner[ADDRS]; /* -1: free */
	unsigned seed;
	struct range_set set;
	struct ip_range range;
};

static unsigned pick(struct model *m, unsigned n)
{
	return (unsigned)rand_r(&m->seed) % n;
}

static const char *name_of(int owner)
{
	static char buf[16];

	snprintf(buf, sizeof buf, "c%d", owner);
	return buf;
}

static int addr_no(const struct ip_addr *a)
{
	return a->b[3] - 2;
}

static const char *addr_name(int i)
{
	static char buf[32];

	snprintf(buf, sizeof buf, "10.1.0.%d", i + 2);
	return buf;
}

static size_t model_count(const struct model *m, int owner)
{
	size_t n = 0;

	for (int i = 0; i < ADDRS; i++)
		n += m->owner[i] == owner;
	return n;
}

static void model_add(struct model *m, bool whole)
{
	cleanup_store struct store s = STORE_INIT;
	int owner = (int)pick(m, OWNERS);
	const struct lease_owner o = { name_of(owner), "eth0" };
	struct ip_addr last, a;

	opened(&s);
	assert_int_equal(owned(&s, o.container, o.ifname), model_count(m, owner));
	if (model_count(m, owner))
		return;
	last = store_last(&s, 0);
	int r = store_find_free(&s, &m->set, &last, &a, NULL);
	assert_int_equal(r, model_count(m, -1) > 0);
	if (!r)
		return;
	assert_int_equal(m->owner[addr_no(&a)], -1);
	assert_int_equal(store_claim(&s, &o, &a, 1, NULL, 0, NULL), 0);
	m->owner[addr_no(&a)] = owner;
	if (!whole)
		return; /* killed here */
	assert_int_equal(store_mark(&s, 0, &a, NULL), 0);
	store_seal(&s);
}

static void model_del(struct model *m, bool whole)
{
	cleanup_store struct store s = STORE_INIT;
	int owner = (int)pick(m, OWNERS);

	opened(&s);
	assert_int_equal(store_release(&s, &(struct lease_owner){ name_of(owner), "eth0" }, NULL),
			 0);
	for (int i = 0; i < ADDRS; i++)
		if (m->owner[i] == owner)
			m->owner[i] = -1;
	if (whole)
		store_seal(&s);
}

/* The reference comes by. */
static void model_foreign(struct model *m)
{
	int i = (int)pick(m, ADDRS), owner = (int)pick(m, OWNERS);
	char text[32];

	if (m->owner[i] >= 0) {
		assert_int_equal(unlink(path_of(addr_name(i))), 0);
		m->owner[i] = -1;
		return;
	}
	snprintf(text, sizeof text, "%s\r\neth0", name_of(owner));
	puts_lease(addr_name(i), text);
	m->owner[i] = owner;
}

static bool even(const char *container, const char *ifname, const void *arg)
{
	(void)ifname;
	(void)arg;
	return atoi(container + 1) % 2 == 0;
}

static void model_gc(struct model *m)
{
	cleanup_store struct store s = STORE_INIT;

	opened(&s);
	assert_int_equal(collect_dead(&s, even, NULL, NULL), 0);
	store_seal(&s);
	for (int i = 0; i < ADDRS; i++)
		if (m->owner[i] % 2 == 1)
			m->owner[i] = -1;
}

static void random_operations_agree_with_a_model(void **state)
{
	struct model m = { .seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) :
						    (unsigned)getpid() };

	(void)state;
	print_message("# seed %u\n", m.seed);
	m.range = (struct ip_range){ .subnet = { addr("10.1.0.0"), 24 }, .end = addr("10.1.0.41") };
	m.set = (struct range_set){ &m.range, 1, NULL };
	assert_int_equal(range_set_fill(&m.set, NULL), 0);
	for (int i = 0; i < ADDRS; i++)
		m.owner[i] = -1;
	struct store s = STORE_INIT;
	opened(&s);
	store_close(&s);
	for (int i = 0; i < 2000; i++) {
		unsigned what = pick(&m, 100);

		if (what < 45)
			model_add(&m, pick(&m, 8));
		else if (what < 85)
			model_del(&m, pick(&m, 8));
		else if (what < 98)
			model_foreign(&m);
		else
			model_gc(&m);
	}
	for (int i = 0; i < ADDRS; i++)
		assert_int_equal(there(addr_name(i)), m.owner[i] >= 0);
}

#define with_dir(test) cmocka_unit_test_setup_teardown(test, fresh, wipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_dir(a_reservation_is_byte_for_byte_what_the_reference_writes),
		with_dir(a_reservation_can_also_be_made_without_an_unnamed_file),
		with_dir(what_somebody_else_wrote_is_found),
		with_dir(a_change_that_was_cut_short_is_found_by_the_next_call),
		with_dir(an_undisturbed_directory_is_not_read_again),
		with_dir(strange_files_among_the_reservations_do_no_harm),
		with_dir(a_marker_that_makes_no_sense_is_ignored_and_replaced),
		with_dir(what_an_earlier_boot_left_is_given_back_but_not_what_the_reference_left),
		with_dir(a_network_directory_that_is_a_link_is_not_entered),
		with_dir(looking_writes_nothing),
		with_dir(an_owner_of_very_many_addresses_is_found_too),
		with_dir(random_operations_agree_with_a_model),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
