// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/json.h"
#include "tests/lib/lab.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define DIR_NET "/var/lib/cni/networks/net"
#define REFERENCE "/usr/lib/cni/host-local"
#define OURS "host-local"

#define IPAM(keys) \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"none\",\"ipam\":{\"type\":\"host-local\"," keys \
	"}}"
#define DUAL "\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]]"
#define SMALL "\"ranges\":[[{\"subnet\":\"10.1.0.0/29\"}]]" /* .2 to .6 */

static struct lab_result last;

/* Status of one call; what it said is in last. */
static int call(const char *plugin, const char *verb, const char *cid, const char *args,
		const char *conf)
{
	const struct lab_call c = { .plugin = plugin,
				    .verb = verb,
				    .cid = cid,
				    .netns = "/run/netns/none",
				    .ifname = "eth0",
				    .args = args,
				    .conf = conf };

	lab_result_clear(&last);
	lab_call(&c, &last);
	return last.status;
}

static void must(const char *verb, const char *cid, const char *conf)
{
	if (call(OURS, verb, cid, "", conf) != 0)
		lab_fail("%s %s: %s%s", verb, cid, last.out, last.err);
}

static void must_fail(const char *verb, const char *cid, const char *args, const char *conf,
		      const char *code, const char *msg)
{
	if (call(OURS, verb, cid, args, conf) == 0)
		lab_fail("%s succeeded, expected %s", verb, msg);
	char *got = json_find(last.out, "/msg");

	if (!got || strcmp(got, msg) || !json_is(last.out, "/code", code))
		lab_fail("expected %s %s, got %s", code, msg, last.out);
	free(got);
}

static bool address_is(const char *path, const char *want)
{
	return json_is(last.out, path, want);
}

static void need_reference(void)
{
	if (access(REFERENCE, X_OK) < 0)
		lab_skip("no %s on this machine", REFERENCE);
}

static int clean(void **state)
{
	(void)state;
	lab_enter();
	lab_sh("rm -rf /var/lib/cni/networks");
	return 0;
}

/* ---- together with others */

static int hold_lock(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	lab_child();
	int fd = open(DIR_NET "/lock", O_RDWR);

	_exit(fd >= 0 && flock(fd, LOCK_EX) == 0 ? (raise(SIGSTOP), 0) : 1);
}

static void a_lock_that_a_stopped_process_holds_is_waited_for_ten_seconds(void **state)
{
	char msg[256];
	int status;

	(void)state;
	must("ADD", "c1", IPAM(SMALL));
	pid_t pid = hold_lock();

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	snprintf(msg, sizeof msg,
		 "lock " DIR_NET ": still held by process %d (test_host_local) after ", pid);
	int r = call(OURS, "ADD", "c2", "", IPAM(SMALL));
	long us = last.wall_us;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(r, 1);
	assert_true(json_is(last.out, "/code", "11"));
	assert_non_null(strstr(last.out, msg));
	assert_in_range(us, 9900000, 10500000);
	must("CHECK", "c1", IPAM(SMALL));
}

/* n processes at once, each one ADD; returns how many succeeded. all answers go to out. */
static int crowd(int n, const char *conf, char *out, size_t size)
{
	int done = 0, pipes[2];

	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < n; i++) {
		if (fork())
			continue;
		lab_child();
		char cid[16], line[64] = "";

		snprintf(cid, sizeof cid, "x%d", i);
		int r = call(OURS, "ADD", cid, "", conf);
		char *a = json_find(last.out, r ? "/code" : "/ips/0/address");

		snprintf(line, sizeof line, "%s\n", a ? a : "nothing");
		if (write(pipes[1], line, strlen(line)) < 0)
			_exit(2);
		_exit(r);
	}
	close(pipes[1]);
	for (int i = 0, status; i < n; i++)
		if (wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			done++;
	size_t len = 0;

	for (ssize_t k; (k = read(pipes[0], out + len, size - 1 - len)) > 0;)
		len += (size_t)k;
	out[len] = 0;
	close(pipes[0]);
	return done;
}

static void sixty_four_at_once_get_sixty_four_addresses(void **state)
{
	static char out[64 * 64];

	(void)state;
	assert_int_equal(crowd(64, IPAM(DUAL), out, sizeof out), 64);
	lab_sh("[ $(ls " DIR_NET " | grep -c '^10\\.') = 64 ] && [ $(ls " DIR_NET
	       " | grep -c ^fd00) = 64 ]");
	lab_sh("[ $(ls /var/lib/cni/networks/.naru/net | wc -l) = 64 ]");
}

static void the_last_address_is_given_once(void **state)
{
	static char out[64 * 64];
	int refused = 0;

	(void)state;
	assert_int_equal(crowd(40, IPAM("\"subnet\":\"10.1.0.0/27\""), out, sizeof out), 29);
	for (char *p = out; (p = strstr(p, "101\n")); p++)
		refused++;
	assert_int_equal(refused, 11);
	lab_sh("[ $(ls " DIR_NET " | grep -c '^10\\.') = 29 ]");
}

static void the_reference_and_we_can_follow_each_other(void **state)
{
	(void)state;
	need_reference();
	static const char conf[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"ipam\":{" DUAL "}}";

	assert_int_equal(call(REFERENCE, "ADD", "g1", "", conf), 0);
	must("ADD", "n1", conf);
	assert_true(address_is("/ips/0/address", "10.1.0.3/24"));
	assert_true(address_is("/ips/1/address", "fd00:1::3/64"));
	assert_int_equal(call(REFERENCE, "ADD", "g2", "", conf), 0);
	assert_true(address_is("/ips/0/address", "10.1.0.4/24"));
	assert_int_equal(call(REFERENCE, "CHECK", "n1", "", conf), 0);
	must("CHECK", "g1", conf);
	must_fail("ADD", "g1", "", conf, "100",
		  "failed to allocate for range 0: 10.1.0.2 has been allocated to g1, duplicate "
		  "allocation is not allowed");
	assert_int_equal(call(REFERENCE, "ADD", "n1", "", conf), 1);
	assert_non_null(
		strstr(last.out,
		       "10.1.0.3 has been allocated to n1, duplicate allocation is not allowed"));
	must("DEL", "g1", conf);
	assert_int_equal(call(REFERENCE, "DEL", "n1", "", conf), 0);
	must("DEL", "n1", conf);
	must("DEL", "g2", conf);
	lab_sh("[ \"$(ls -A " DIR_NET
	       " | xargs)\" = 'last_reserved_ip.0 last_reserved_ip.1 lock' ]");
	lab_sh("[ -z \"$(ls -A /var/lib/cni/networks/.naru/net)\" ]");
}

static void random_calls_of_both_agree_with_a_model(void **state)
{
	static const char conf[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"ipam\":{\"subnet\":\"10.1.0.0/28\"}}";
	enum { OWNERS = 18, ADDRS = 13 }; /* .2 to .14 */
	unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)getpid();
	int has[OWNERS] = { 0 }, used[16] = { 0 }, n = 0;

	(void)state;
	need_reference();
	print_message("# seed %u\n", seed);
	for (int i = 0; i < 600; i++) {
		int o = rand_r(&seed) % OWNERS, add = rand_r(&seed) % 5 < 3, r;
		const char *plugin = rand_r(&seed) % 2 ? OURS : REFERENCE;
		char cid[16], *a;

		snprintf(cid, sizeof cid, "c%d", o);
		r = call(plugin, add ? "ADD" : "DEL", cid, "", conf);
		if (!add) {
			assert_int_equal(r, 0);
			n -= has[o] != 0;
			used[has[o]] = 0;
			has[o] = 0;
			continue;
		}
		if (r != (has[o] || n == ADDRS))
			lab_fail("step %d: %s ADD %s with %d in use: %s", i, plugin, cid, n,
				 last.out);
		if (r)
			continue;
		a = json_find(last.out, "/ips/0/address");
		has[o] = atoi(a + strlen("10.1.0."));
		assert_int_equal(used[has[o]], 0);
		used[has[o]] = 1;
		n++;
		free(a);
	}
}

static void twenty_thousand_reservations_cost_an_add_nothing(void **state)
{
	static const char conf[] = IPAM("\"subnet\":\"10.1.0.0/16\"");
	long best[2] = { 1000000, 1000000 };

	(void)state;
	must("ADD", "c1", conf);
	must("DEL", "c1", conf);
	for (int full = 0; full < 2; full++) {
		if (full)
			lab_sh("cd " DIR_NET
			       "; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); n=$((i + 300)); "
			       "printf 'y%%d\\r\\neth0' $i > 10.1.$((n / 256)).$((n %% 256)); done; "
			       "printf 10.1.$((n / 256)).$((n %% 256)) > last_reserved_ip.0");
		must("ADD", "c1", conf); /* looks at everything once */
		must("DEL", "c1", conf);
		for (int i = 0; i < 20; i++) {
			must("ADD", "c1", conf);
			if (last.wall_us < best[full])
				best[full] = last.wall_us;
			must("DEL", "c1", conf);
		}
	}
	print_message("# ADD with 0 reservations %ld us, with 20000 %ld us\n", best[0], best[1]);
	assert_true(best[1] < 2 * best[0]); /* the figure proper is measured by the benchmark */
}

#define lab_test(test) cmocka_unit_test_setup(test, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lab_test(a_lock_that_a_stopped_process_holds_is_waited_for_ten_seconds),
		lab_test(sixty_four_at_once_get_sixty_four_addresses),
		lab_test(the_last_address_is_given_once),
		lab_test(the_reference_and_we_can_follow_each_other),
		lab_test(random_calls_of_both_agree_with_a_model),
		lab_test(twenty_thousand_reservations_cost_an_add_nothing),
	};

	return cmocka_run_group_tests_name("host-local, shared", tests, lab_setup, NULL);
}
