// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine in trouble: full disks, ports of others, leftovers of the killed. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "tests/lib/lab.h"
#include "tests/lib/naru.h"
#include "tests/lib/snapshot.h"

static int set_up(void **state)
{
	lab_enter();
	naru_image();
	naru_ok("naru run --rm bb:1 true && naru gc"); /* makes the directories that stay */
	*state = naru_snapshot();
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int nothing_stays(void **state)
{
	naru_sweep();
	cleanup_free char *after = naru_snapshot();
	cleanup_free char *diff = snapshot_diff(*state, after);
	if (diff)
		lab_fail("left behind:\n%s", diff);
	return 0;
}

static void prints(const char *expected, const char *line)
{
	cleanup_free char *out = naru_out("%s", line);

	if (strcmp(out, expected) != 0)
		lab_fail("%s: expected \"%s\", got \"%s\"", line, expected, out);
}

static void a_root_with_very_deep_directories_is_removed(void **state)
{
	(void)state;
	naru_ok("naru run --name deep --network none bb:1 sh -c "
		"'i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit; i=$((i + 1)); done'");
	naru_ok("naru rm deep");
	prints("", "ls /var/lib/naru/containers");
}

static void gc_takes_what_a_killed_import_left(void **state)
{
	(void)state;
	naru_ok("mkdir -p /var/lib/naru/images/layers/.tmp-0123 && touch /var/lib/naru/images/blobs/sha256/00");
	prints("removed 2 layers and blobs that no image names", "naru gc");
	prints("hello", "naru run --rm --network none bb:1");
}

#define SLOW "export NARU_CONF=/run/slow CNI_PATH=/run/slow; "

/* A network of one plugin that is not ours, and what it does for ADD. */
static void foreign_network(const char *body)
{
	naru_ok("mkdir -p /run/slow && cd /run/slow && rm -f pid odd && echo '{\"cniVersion\":\"1.1.0\","
		"\"name\":\"slow\",\"plugins\":[{\"type\":\"odd\"}]}' > slow.conflist");
	FILE *out = fopen("/run/slow/odd", "we");

	assert_non_null(out);
	(void)fprintf(out, "#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\n%s\n", body);
	assert_int_equal(fclose(out), 0);
	naru_ok("chmod 755 /run/slow/odd");
}

/* The container's process is there already when its network comes, or does not come. */
static void a_network_that_does_not_come_takes_the_process_away(void **state)
{
	static const char *const signals[] = { "TERM", "KILL" };

	(void)state;
	foreign_network("echo '{\"code\":11,\"msg\":\"not now\"}'; exit 1");
	naru_refuses(125, "naru: plugin type=\"odd\" failed (add): not now\n",
		     SLOW "naru run --rm --network slow bb:1 sleep 61");
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		foreign_network("echo $$ > /run/slow/pid; exec sleep 62");
		naru_ok(SLOW "naru run --rm --network slow bb:1 sleep 61 & p=$!; i=0; "
			     "while [ ! -s /run/slow/pid ] && [ $i -lt 100 ]; do i=$((i + 1)); "
			     "busybox sleep 0.05; done; kill -%s $p; wait $p; "
			     "kill $(cat /run/slow/pid) && naru gc",
			signals[i]);
	}
	prints("", "busybox pgrep -f 'sleep [6]1' || true");
	naru_ok("rm -r /run/slow");
}

/* The container fills the disk that its own record is on. */
static void a_container_on_a_full_disk_stops_gives_back_its_port_and_is_removed(void **state)
{
	struct lab_result r;

	(void)state;
	naru_ok("mkdir /run/small && busybox mount -t tmpfs -o size=4m small /run/small && "
		"export NARU_ROOT=/run/small && tar -C " NARU_ROOTFS
		" -c . | naru import -q - q:1 && "
		"for n in one two; do naru run -d --name $n --network none q:1 sleep 60; done && "
		"naru run -d --name web -p 8080:80 q:1 sleep 60 && "
		"! cat /dev/zero > /run/small/full 2> /dev/null");
	naru_call(&r, "NARU_ROOT=/run/small naru run q:1 true");
	assert_int_equal(r.status, 125);
	assert_non_null(strstr(r.err, ": No space left on device\n      containers are kept in "
				      "/run/small and /run/naru; NARU_ROOT and NARU_RUN name other "
				      "places\n"));
	lab_result_clear(&r);
	naru_ok("NARU_ROOT=/run/small naru rm -f one");
	naru_call(&r, "NARU_ROOT=/run/small naru stop -t 0 web"); /* cannot note how it ended */
	lab_result_clear(&r);
	prints("free", "naru run --rm -p 8080:80 bb:1 echo free");
	naru_ok("export NARU_ROOT=/run/small; naru rm -f two web && naru gc && "
		"[ -z \"$(naru ps -aq)\" ]");
	/* what ends in the background lets go of its files a moment after rm and gc returned */
	naru_ok("for i in $(seq 100); do busybox umount /run/small 2> /dev/null && break; "
		"sleep 0.05; done; rmdir /run/small");
}

/* A socket of this very program, which is a process of "the host". */
static int serve(int family, int type, const void *address, socklen_t len, int port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .any.sa_family = (sa_family_t)family };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET) {
		a.v4.sin_port = htons((uint16_t)port);
		memcpy(&a.v4.sin_addr, address, len);
	} else {
		a.v6.sin6_port = htons((uint16_t)port);
		memcpy(&a.v6.sin6_addr, address, len);
	}
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.any, family == AF_INET ? sizeof a.v4 : sizeof a.v6), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void a_port_that_a_program_of_the_host_serves_is_not_taken_from_it(void **state)
{
	const struct in_addr any = { INADDR_ANY }, local = { htonl(INADDR_LOOPBACK) };
	const int fds[] = {
		serve(AF_INET, SOCK_STREAM, &local, sizeof local, 7001),
		serve(AF_INET6, SOCK_STREAM, &in6addr_any, sizeof in6addr_any, 7002),
		serve(AF_INET6, SOCK_DGRAM, &in6addr_loopback, sizeof in6addr_loopback, 7003),
		serve(AF_INET, SOCK_DGRAM, &any, sizeof any, 7004),
	};
	static const struct {
		const char *p, *port; /* NULL: nobody serves it */
	} cases[] = {
		{ "7001:80", "7001/tcp" },
		{ "127.0.0.1:7001:80", "7001/tcp" },
		{ "127.0.0.2:7001:80", NULL },
		{ "7001:80/udp", NULL },
		{ "7000-7001:80-81", "7001/tcp" },
		{ "7002:80", "7002/tcp" },
		{ "[::1]:7002:80", "7002/tcp" },
		{ "7003:80/udp", "7003/udp" },
		{ "0.0.0.0:7003:80/udp", NULL },
		{ "7004:80/udp", "7004/udp" },
		{ "7005:80", NULL },
	};
	char err[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(
			err, sizeof err,
			"naru: host port %s is taken by process %d (test_trouble) of this host\n"
			"      choose another port for -p, or end what serves it\n",
			cases[i].port, (int)getpid());
		naru_refuses(cases[i].port ? 125 : 0, cases[i].port ? err : "",
			     "naru run --rm -p %s bb:1 true", cases[i].p);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		assert_int_equal(close(fds[i]), 0);
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_stays)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_root_with_very_deep_directories_is_removed),
		TEST(gc_takes_what_a_killed_import_left),
		TEST(a_network_that_does_not_come_takes_the_process_away),
		TEST(a_port_that_a_program_of_the_host_serves_is_not_taken_from_it),
		TEST(a_container_on_a_full_disk_stops_gives_back_its_port_and_is_removed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
