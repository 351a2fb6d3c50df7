// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nftables backend among many: processes at once, foreign commits, ten thousand elements, a
 * close that does not wait.
 */
#include "tests/lib/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/nftelem.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/ip/port.h"
#include "netlib/nl/nl.h"

#define BOTH (FW_MASQ | FW_DNAT)
#define CROWD 32
#ifdef __SANITIZE_ADDRESS__
#define CLOSE_US_MAX 50000 /* forking takes 10 ms with the sanitizer's memory */
#else
#define CLOSE_US_MAX 5000 /* the kernel's grace period is 17 ms */
#endif

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* The i-th attachment: 10.1.x.y, host port 10000 + i, hairpin and masquerade. */
struct guest {
	struct fw_plan p;
	struct fw_masq masq;
	struct fw_dnat dnat;
	char container[16];
};

static void guest_init(struct guest *g, unsigned i)
{
	(void)snprintf(g->container, sizeof g->container, "c%u", i);
	g->masq.addr = (struct ip_prefix){
		{ AF_INET, { 10, 1, (uint8_t)((i + 2) >> 8), (uint8_t)(i + 2) } }, 16
	};
	g->dnat = (struct fw_dnat){ .map = { IPPROTO_TCP, (uint16_t)(10000 + i), 80, 1 },
				    .to = g->masq.addr,
				    .snat = true };
	g->p = (struct fw_plan){ { "mynet", g->container, "eth0" }, &g->masq, 1, &g->dnat, 1 };
}

typedef int verb_fn(struct fw *fw, const struct fw_plan *p, struct err *e);

static int del_hinted(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	return fw_del(fw, &p->owner, BOTH, p, e);
}

static int del_blind(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	return fw_del(fw, &p->owner, BOTH, NULL, e);
}

/* A verb as a process of its own does it, without the process; returns the time it took. */
static int64_t once(verb_fn *fn, unsigned i)
{
	struct err e = ERR_INIT;
	struct guest g;
	struct fw *fw;
	int64_t began = now_us();

	guest_init(&g, i);
	int r = fw_open(&fw, FW_NFTABLES, &e);
	if (r == 0) {
		r = fn(fw, &g.p, &e);
		fw_close(fw);
	}
	if (r < 0)
		lab_fail("%s: %s", g.container, e.text);
	return now_us() - began;
}

struct crowd {
	verb_fn *fn;
	unsigned each; /* attachments a process handles */
};

/* CROWD processes at once, held back until all are there; returns how many failed. */
static int crowd(struct crowd c)
{
	int gate[2], failed = 0;
	pid_t pid[CROWD];

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i])
			continue;
		char b;

		lab_child();
		(void)close(gate[1]);
		(void)!read(gate[0], &b, 1); /* ends when the parent opens the gate */
		for (unsigned k = 0; k < c.each; k++)
			(void)once(c.fn, i * c.each + k);
		_exit(0);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (unsigned i = 0; i < CROWD; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		failed += status != 0;
	}
	return failed;
}

static int fresh(void **state)
{
	(void)state;
	(void)lab_try("nft flush ruleset");
	return 0;
}

static int count(const char *what)
{
	cleanup_free char *n = lab_out("nft list ruleset | grep -o '%s' | wc -l", what);

	return atoi(n);
}

static void a_crowd_on_a_fresh_host_makes_one_table_and_loses_nothing(void **state)
{
	for (int round = 0; round < 10; round++) {
		(void)fresh(state);
		assert_int_equal(crowd((struct crowd){ fw_add, 4 }), 0);
		assert_int_equal(count("mynet/c"), CROWD * 4 * 3);
		assert_int_equal(count("jump hostports"), 2);
		assert_int_equal(count("jump hairpin"), 1);
		assert_int_equal(count("map @dnat4_ip"), 1);
		assert_int_equal(count("@masq-10.1.0.0-16 masquerade"), 1);
		assert_int_equal(count("@snat-10.1.0.0-16 meta mark set"), 2);
		assert_int_equal(crowd((struct crowd){ fw_check, 4 }), 0);
		assert_int_equal(crowd((struct crowd){ round % 2 ? del_hinted : del_blind, 4 }), 0);
		assert_int_equal(count("mynet/c"), 0);
	}
}

static void of_a_crowd_that_wants_one_port_one_gets_it(void **state)
{
	static const char *const maps[] = { "80:80", "127.0.0.1:80:80", "79-81:79-81" };
	int gate[2], won = 0;
	pid_t pid[CROWD];

	(void)state;
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i])
			continue;
		cleanup_fw struct fw *fw = NULL;
		struct guest g;
		char b;

		lab_child();
		guest_init(&g, i);
		assert_int_equal(port_map_parse(maps[i % ARRAY_LEN(maps)], &g.dnat.map, NULL), 0);
		(void)close(gate[1]);
		(void)!read(gate[0], &b, 1);
		assert_int_equal(fw_open(&fw, FW_AUTO, NULL), 0);
		int r = fw_add(fw, &g.p, NULL);
		_exit(r == 0 ? 0 : r == -EADDRINUSE ? 1 : 2);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (unsigned i = 0; i < CROWD; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		won += status == 0;
	}
	assert_int_equal(won, 1);
	assert_int_equal(count("mynet/c"), 3);
}

/*
 * Somebody else who commits some thousand times a second for as long as the test runs; it puts an
 * element into one of our sets and takes it away, which to the kernel's generation is the same as
 * any other change. Its commits are counted in shared memory.
 */
static pid_t disturb(volatile unsigned *commits)
{
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	cleanup_nl struct nl nl = NL_INIT;
	const struct fw_elem x = { .set = { FW_KIND_MASQ, AF_INET, { { AF_INET, { 10, 1 } }, 16 } },
				   .ip = { AF_INET, { 10, 1, 255, 1 } } };

	lab_child();
	(void)alarm(60);
	assert_int_equal(nl_open(&nl, NETLINK_NETFILTER, -1, "host", NULL), 0);
	for (unsigned i = 0;; i++) {
		cleanup_batch struct nft_batch b = NFT_BATCH_INIT;

		if (i % 2)
			nft_elem_del(&b, &x, 0);
		else
			nft_elem_add(&b, &x, "noise", 0);
		assert_int_equal(nft_batch_send(&nl, &b, NULL, NULL), 0);
		++*commits;
		(void)usleep(100);
	}
}

static void two_hundred_deletions_survive_foreign_commits(void **state)
{
	enum { N = 200 };
	volatile unsigned *commits = mmap(NULL, sizeof *commits, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(commits != MAP_FAILED);
	for (unsigned i = 0; i < N; i++)
		(void)once(fw_add, i);
	pid_t noise = disturb(commits);
	int64_t longest = 0, began = now_us();
	for (unsigned i = 0; i < N; i++) {
		int64_t us = once(i % 2 ? del_hinted : del_blind, i);

		longest = us > longest ? us : longest;
		(void)once(fw_add, N + i); /* under the generation as well */
	}
	int64_t took = now_us() - began;
	unsigned n = *commits;

	(void)kill(noise, SIGKILL);
	(void)waitpid(noise, NULL, 0);
	(void)munmap((void *)(uintptr_t)commits, sizeof *commits);
	printf("# %u foreign commits in %lld ms, longest deletion %lld us\n", n,
	       (long long)took / 1000, (long long)longest);
	assert_true(n > N);
	assert_int_equal(count("mynet/c"), N * 3);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

#define SAMPLES 51
static int64_t median(verb_fn *fn, unsigned first)
{
	int64_t us[SAMPLES];

	for (unsigned i = 0; i < SAMPLES; i++)
		us[i] = once(fn, first + i);
	qsort(us, SAMPLES, sizeof us[0], by_value);
	return us[SAMPLES / 2];
}

static void adding_costs_the_same_among_ten_thousand(void **state)
{
	enum { MANY = 10000 };

	(void)state;
	(void)once(fw_add, 0);
	int64_t few = median(fw_add, 1);
	for (unsigned i = 1 + SAMPLES; i < MANY; i++)
		(void)once(fw_add, i);
	int64_t many = median(fw_add, MANY), del = median(del_hinted, MANY);
	printf("# add %lld us among none, %lld us among %d; deletion with a hint %lld us\n",
	       (long long)few, (long long)many, MANY, (long long)del);
	assert_true(many < 3 * few + 50);
	assert_int_equal(count("mynet/c"), MANY * 3);
}

static void closing_after_a_deletion_does_not_wait(void **state)
{
	int64_t us[SAMPLES];
	int out[2];

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++)
		(void)once(fw_add, i);
	assert_int_equal(pipe2(out, 0), 0);
	int saved = dup(1);
	(void)fflush(stdout);
	(void)dup2(out[1], 1);
	(void)close(out[1]);
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct guest g;
		struct fw *fw;

		guest_init(&g, i);
		if (fw_open(&fw, FW_AUTO, NULL) < 0 || fw_del(fw, &g.p.owner, BOTH, &g.p, NULL) < 0)
			break;
		us[i] = now_us();
		fw_close(fw);
		us[i] = now_us() - us[i];
	}
	(void)dup2(saved, 1);
	(void)close(saved);
	int64_t closed = now_us();
	char b;
	/* end of file: nobody holds the other end */
	assert_int_equal(read(out[0], &b, 1), 0);
	assert_true(now_us() - closed < 30000);
	(void)close(out[0]);
	qsort(us, SAMPLES, sizeof us[0], by_value);
	printf("# close after a deletion: median %lld us\n", (long long)us[SAMPLES / 2]);
	assert_true(us[SAMPLES / 2] < CLOSE_US_MAX);
}

static volatile sig_atomic_t children;

static void count_child(int sig)
{
	(void)sig;
	children++;
}

static void the_holder_is_no_child_of_the_caller(void **state)
{
	const struct sigaction sa = { .sa_handler = count_child }, dfl = { .sa_handler = SIG_DFL };
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) { /* away from the laboratory, whose children orphans become */
		lab_child();
		assert_int_equal(sigaction(SIGCHLD, &sa, NULL), 0);
		(void)once(fw_add, 1);
		(void)once(del_hinted, 1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		assert_int_equal(children, 0);
		assert_int_equal(sigaction(SIGCHLD, &dfl, NULL), 0);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_held_lock_is_told_with_its_holder(void **state)
{
	struct err e = ERR_INIT;
	cleanup_fw struct fw *fw = NULL;
	char want[128];
	struct guest g;

	(void)state;
	(void)once(fw_add, 1);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lab_child();
		(void)execlp("flock", "flock", "/run/naru/fw.lock", "sleep", "8", (char *)NULL);
		_exit(127);
	}
	(void)usleep(200000);
	guest_init(&g, 1);
	assert_int_equal(fw_open(&fw, FW_AUTO, NULL), 0);
	assert_int_equal(fw_del(fw, &g.p.owner, BOTH, NULL, &e), -EAGAIN);
	assert_int_equal(e.code, 11);
	(void)snprintf(want, sizeof want, "lock /run/naru/fw.lock: still held by process %d", pid);
	assert_memory_equal(e.text, want, strlen(want));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_crowd_on_a_fresh_host_makes_one_table_and_loses_nothing,
				       fresh),
		cmocka_unit_test_setup(of_a_crowd_that_wants_one_port_one_gets_it, fresh),
		cmocka_unit_test_setup(two_hundred_deletions_survive_foreign_commits, fresh),
		cmocka_unit_test_setup(adding_costs_the_same_among_ten_thousand, fresh),
		cmocka_unit_test_setup(closing_after_a_deletion_does_not_wait, fresh),
		cmocka_unit_test_setup(the_holder_is_no_child_of_the_caller, fresh),
		cmocka_unit_test_setup(a_held_lock_is_told_with_its_holder, fresh)
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
