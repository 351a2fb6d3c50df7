// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The default filter in the kernel: each probe is a child that loads the filter and makes one call.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/err.h"
#include "runner/engine/caps.h"
#include "runner/engine/seccomp.h"

#define X32 0x40000000L

struct probe {
	const char *what;
	long nr;
	long args[3];
	int want; /* errno; 0: the call succeeds */
};

static long call_native(const struct probe *p)
{
	long r = syscall(p->nr, p->args[0], p->args[1], p->args[2], 0L, 0L, 0L);

	return r < 0 ? -errno : r;
}

#ifdef __x86_64__
/* As a 32 bit program would: the numbers are x86's. */
static long call_int80(const struct probe *p)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(p->nr), "b"(p->args[0]), "c"(p->args[1]), "d"(p->args[2]), "S"(0L),
			   "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}
#endif

/* The errno of a probe behind a filter, 0 for success, 255 when the child was killed. */
static int probe_errno(const struct sock_fprog *filter, const struct probe *p,
		       long (*call)(const struct probe *))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		long r;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(filter) < 0)
			_exit(254);
		r = call(p);
		_exit(r < 0 ? (int)-r : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void expect(const struct sock_fprog *filter, const struct probe *probes, size_t n,
		   long (*call)(const struct probe *))
{
	for (size_t i = 0; i < n; i++) {
		int got = probe_errno(filter, &probes[i], call);

		if (got != probes[i].want)
			fail_msg("%s: errno %d (%s), expected %d", probes[i].what, got,
				 strerror(got), probes[i].want);
	}
}
#define EXPECT(filter, probes, call) expect(filter, probes, sizeof(probes) / sizeof *(probes), call)

static void the_dangerous_calls_are_refused_and_the_usual_ones_work(void **state)
{
	static const struct probe probes[] = {
		{ "getpid", SYS_getpid, { 0 }, 0 },
		{ "socket AF_INET", SYS_socket, { AF_INET, SOCK_STREAM }, 0 },
		{ "socket AF_UNIX", SYS_socket, { AF_UNIX, SOCK_DGRAM }, 0 },
		{ "socket AF_NETLINK", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 }, 0 },
		{ "socket AF_ALG", SYS_socket, { AF_ALG, SOCK_SEQPACKET }, EPERM },
		{ "socket AF_VSOCK", SYS_socket, { AF_VSOCK, SOCK_STREAM }, EPERM },
		{ "socket AF_VSOCK above 32 bits", SYS_socket, { 0x100000000L | AF_VSOCK }, EPERM },
		{ "personality query", SYS_personality, { 0xffffffffL }, 0 },
		{ "personality ADDR_NO_RANDOMIZE", SYS_personality, { 0x0040000 }, EPERM },
		{ "chroot", SYS_chroot, { (long)"/no/such" }, ENOENT },
		{ "unshare NEWUSER", SYS_unshare, { CLONE_NEWUSER }, EPERM },
		{ "clone NEWUSER", SYS_clone, { CLONE_NEWUSER | 17 }, EPERM },
		{ "clone3", SYS_clone3, { 0 }, ENOSYS },
		{ "setns", SYS_setns, { -1 }, EPERM },
		{ "mount", SYS_mount, { 0 }, EPERM },
		{ "umount2", SYS_umount2, { 0 }, EPERM },
		{ "pivot_root", SYS_pivot_root, { 0 }, EPERM },
		{ "fsopen", SYS_fsopen, { 0 }, EPERM },
		{ "open_tree", SYS_open_tree, { 0 }, EPERM },
		{ "move_mount", SYS_move_mount, { 0 }, EPERM },
		{ "mount_setattr", SYS_mount_setattr, { 0 }, EPERM },
		{ "bpf", SYS_bpf, { 0 }, EPERM },
		{ "perf_event_open", SYS_perf_event_open, { 0 }, EPERM },
		{ "io_uring_setup", SYS_io_uring_setup, { 0 }, EPERM },
		{ "userfaultfd", SYS_userfaultfd, { 0 }, EPERM },
		{ "keyctl", SYS_keyctl, { 0 }, EPERM },
		{ "add_key", SYS_add_key, { 0 }, EPERM },
		{ "kexec_load", SYS_kexec_load, { 0 }, EPERM },
		{ "init_module", SYS_init_module, { 0 }, EPERM },
		{ "open_by_handle_at", SYS_open_by_handle_at, { 0 }, EPERM },
		{ "reboot", SYS_reboot, { 0 }, EPERM },
		{ "swapon", SYS_swapon, { 0 }, EPERM },
		{ "syslog", SYS_syslog, { 0 }, EPERM },
		{ "settimeofday", SYS_settimeofday, { 0 }, EPERM },
		{ "a call of the future", 900, { 0 }, ENOSYS },
	};

	(void)state;
	EXPECT(seccomp_default_prebuilt(), probes, call_native);
}

static void x86_and_x32_numbers_are_no_way_around(void **state)
{
	(void)state;
#ifdef __x86_64__
	static const struct probe x32[] = {
		{ "x32 mount", X32 | SYS_mount, { 0 }, EPERM },
		{ "x32 unshare", X32 | SYS_unshare, { CLONE_NEWUSER }, EPERM },
		{ "x32 socket AF_VSOCK", X32 | SYS_socket, { AF_VSOCK, SOCK_STREAM }, EPERM },
		{ "x32 clone3", X32 | SYS_clone3, { 0 }, ENOSYS },
	};
	static const struct probe x86[] = {
		{ "x86 mount", 21, { 0 }, EPERM },
		{ "x86 unshare", 310, { CLONE_NEWUSER }, EPERM },
		{ "x86 socket AF_VSOCK", 359, { AF_VSOCK, SOCK_STREAM }, EPERM },
		{ "x86 clone3", 435, { 0 }, ENOSYS },
		{ "x86 keyctl", 288, { 0 }, EPERM },
		{ "x86 getpid", 20, { 0 }, 0 },
	};

	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };

	EXPECT(seccomp_default_prebuilt(), x32, call_native);
	if (probe_errno(&(struct sock_fprog){ 1, &allow }, &x86[5], call_int80) != 0) {
		print_message("the kernel runs no 32 bit programs\n");
		skip();
	}
	EXPECT(seccomp_default_prebuilt(), x86, call_int80);
#else
	skip();
#endif
}

static void a_capability_opens_its_calls(void **state)
{
	static const struct probe probes[] = {
		{ "unshare of nothing", SYS_unshare, { 0 }, 0 },
		{ "clone3 of nothing", SYS_clone3, { 0 }, EINVAL },
		{ "bpf", SYS_bpf, { 9999 }, EINVAL },
		{ "keyctl", SYS_keyctl, { 0 }, EPERM },
		{ "settimeofday", SYS_settimeofday, { 0 }, EPERM },
	};
	struct sock_filter insns[SECCOMP_PROG_MAX];
	struct sock_fprog filter = { 0 };

	(void)state;
	if (geteuid() != 0 || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0) {
		print_message("needs root outside of any seccomp filter\n");
		skip();
	}
	assert_int_equal(seccomp_default(CAPS_DOCKER | CAP_BIT(CAP_SYS_ADMIN), insns,
					 SECCOMP_PROG_MAX, &filter, NULL),
			 0);
	EXPECT(&filter, probes, call_native);
}

static int drop_after_filter(void)
{
	const struct caps want = { CAPS_DOCKER, CAPS_DOCKER, CAPS_DOCKER, 0, 0 };
	uint64_t lacking;

	if (seccomp_install(seccomp_default_prebuilt()) < 0)
		return 1;
	return caps_apply(&want, &lacking, NULL) == 0 ? 0 : 2;
}

static void capabilities_can_be_dropped_behind_the_filter(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(drop_after_filter());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_program_runs_behind_the_filter(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		    seccomp_install(seccomp_default_prebuilt()) == 0)
			execl("/bin/true", "true", (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int install_unprivileged(void)
{
	const struct caps none = { CAPS_ALL, 0, 0, 0, 0 };
	uint64_t lacking;

	if (caps_set(&none, &lacking, NULL) < 0)
		return 1;
	return seccomp_install(seccomp_default_prebuilt()) == -EACCES ? 0 : 2;
}

static void without_privilege_and_no_new_privs_it_is_refused(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(install_unprivileged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dangerous_calls_are_refused_and_the_usual_ones_work),
		cmocka_unit_test(x86_and_x32_numbers_are_no_way_around),
		cmocka_unit_test(a_capability_opens_its_calls),
		cmocka_unit_test(capabilities_can_be_dropped_behind_the_filter),
		cmocka_unit_test(a_program_runs_behind_the_filter),
		cmocka_unit_test(without_privilege_and_no_new_privs_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
