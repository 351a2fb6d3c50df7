// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_calls.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/limits.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "tests/tools/stepper_tests.h"

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "stepper knows x86_64 and aarch64"
#endif

/*
 * A row: what the call is unless its test says otherwise, the argument that is the descriptor acted
 * on (or -1), and how to describe it: dN a directory descriptor for the path that follows, pN a
 * path, sN a string, fN a descriptor, nN a number, xN a number in hex.
 */
struct call {
	long nr;
	const char *name;
	enum call_class class;
	enum call_class (*test)(struct stop *s, int fd);
	signed char fd;
	const char *show;
};

#define CRASH(name, show) { SYS_##name, #name, CALL_CRASH, NULL, -1, show }
#define FAULT(name, show) { SYS_##name, #name, CALL_FAULT, NULL, -1, show }
#define ASK(name, test, show) { SYS_##name, #name, CALL_CRASH, test, -1, show }
#define ASK_FD(name, n, show) { SYS_##name, #name, CALL_CRASH, test_file, n, show }
#define ASK_WRITE(name, n) { SYS_##name, #name, CALL_CRASH, test_write, n, "f" #n }
#define ASK_FAULT(name, test, n, show) { SYS_##name, #name, CALL_FAULT, test, n, show }
/* Numbers that came after the oldest headers we build with; the same on every architecture. */
#define CRASH_NR(nr, name, show) { nr, #name, CALL_CRASH, NULL, -1, show }

static const struct call calls[] = {
#ifdef SYS_open /* the older calls some architectures never had */
	ASK(open, test_open, "p0"),
	ASK(creat, test_open, "p0"),
	CRASH(link, "p0 p1"),
	CRASH(unlink, "p0"),
	CRASH(rename, "p0 p1"),
	CRASH(mkdir, "p0"),
	CRASH(rmdir, "p0"),
	CRASH(symlink, "s0 p1"),
	CRASH(mknod, "p0"),
	CRASH(chmod, "p0"),
	CRASH(chown, "p0"),
	CRASH(lchown, "p0"),
	CRASH(utime, "p0"),
	CRASH(utimes, "p0"),
	CRASH(futimesat, "d0p1"),
	CRASH(renameat, "d0p1 d2p3"),
	FAULT(fork, ""),
	FAULT(vfork, ""),
#endif
	ASK(openat, test_open, "d0p1"),
	ASK(openat2, test_open, "d0p1"),
	CRASH(linkat, "d0p1 d2p3"),
	CRASH(unlinkat, "d0p1"),
	CRASH(renameat2, "d0p1 d2p3"),
	CRASH(mkdirat, "d0p1"),
	CRASH(symlinkat, "s0 d1p2"),
	CRASH(mknodat, "d0p1"),
	CRASH(fchmodat, "d0p1"),
	CRASH_NR(452, fchmodat2, "d0p1"),
	CRASH(fchownat, "d0p1"),
	ASK(utimensat, test_utimensat, "d0p1"),
	CRASH(truncate, "p0"),
	CRASH(setxattr, "p0 s1"),
	CRASH(lsetxattr, "p0 s1"),
	CRASH(removexattr, "p0 s1"),
	CRASH(lremovexattr, "p0 s1"),
	CRASH_NR(463, setxattrat, "d0p1 s3"),
	CRASH_NR(466, removexattrat, "d0p1 s3"),
	ASK_FD(ftruncate, 0, "f0"),
	ASK_FD(fallocate, 0, "f0"),
	ASK_FD(fchmod, 0, "f0"),
	ASK_FD(fchown, 0, "f0"),
	ASK_FD(fsetxattr, 0, "f0 s1"),
	ASK_FD(fremovexattr, 0, "f0 s1"),
	ASK_WRITE(write, 0),
	ASK_WRITE(writev, 0),
	ASK_WRITE(pwrite64, 0),
	ASK_WRITE(pwritev, 0),
	ASK_WRITE(pwritev2, 0),
	ASK_WRITE(sendfile, 0),
	ASK_WRITE(splice, 2),
	ASK_WRITE(copy_file_range, 2),
	{ SYS_sendto, "sendto", CALL_CRASH, test_send, 0, "" },
	{ SYS_sendmsg, "sendmsg", CALL_CRASH, test_send, 0, "" },
	{ SYS_sendmmsg, "sendmmsg", CALL_CRASH, test_send, 0, "" },
	CRASH(mount, "p0 p1 s2"),
	CRASH(umount2, "p0"),
	CRASH(move_mount, "d0p1 d2p3"),
	CRASH(pivot_root, "p0 p1"),
	CRASH(mount_setattr, "d0p1"),
	ASK(fsconfig, test_fsconfig, "f0 n1 s2"),
	CRASH(sethostname, "s0"),
	CRASH(setdomainname, "s0"),
	CRASH(init_module, ""),
	CRASH(finit_module, "f0"),
	CRASH(delete_module, "s0"),
	ASK(kill, test_kill, "n0 signal n1"),
	ASK(tkill, test_kill, "n0 signal n1"),
	ASK(tgkill, test_kill, "n0 n1 signal n2"),
	ASK(rt_sigqueueinfo, test_kill, "n0 signal n1"),
	{ SYS_pidfd_send_signal, "pidfd_send_signal", CALL_CRASH, test_kill, 0, "f0 signal n1" },
	ASK(bind, test_bind, "f0"),
	ASK(ioctl, test_ioctl, "f0 x1"),
	ASK(setsockopt, test_setsockopt, "f0 n1 n2"),
	ASK(bpf, test_bpf, "n0"),

	FAULT(open_tree, "d0p1"),
	FAULT(fsopen, "s0"),
	FAULT(fsmount, "f0"),
	FAULT(fspick, "d0p1"),
	FAULT(chroot, "p0"),
	ASK_FAULT(clone, test_clone, -1, "x0"),
	ASK_FAULT(clone3, test_clone, -1, ""),
	FAULT(execve, "p0"),
	FAULT(execveat, "d0p1"),
	FAULT(setns, "f0 x1"),
	FAULT(unshare, "x0"),
	FAULT(flock, "f0 x1"),
	ASK_FAULT(fcntl, test_fcntl, -1, "f0 n1"),
	FAULT(socket, "n0 n1 n2"),
	FAULT(connect, "f0"),
	FAULT(memfd_create, "s0"),
	FAULT(fsync, "f0"),
	FAULT(fdatasync, "f0"),
	FAULT(syncfs, "f0"),
	ASK_FAULT(read, test_read, 0, "f0"),
	ASK_FAULT(pread64, test_read, 0, "f0"),
	ASK_FAULT(readv, test_read, 0, "f0"),
	ASK_FAULT(recvfrom, test_read, 0, "f0"),
	ASK_FAULT(recvmsg, test_read, 0, "f0"),
	ASK_FAULT(recvmmsg, test_read, 0, "f0"),
	ASK_FAULT(getdents64, test_read, 0, "f0"),
};

#define NCALLS (sizeof calls / sizeof calls[0])

const struct call *call_find(long nr)
{
	for (size_t i = 0; i < NCALLS; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

const char *call_name(const struct call *c)
{
	return c->name;
}

long call_number(const struct call *c)
{
	return c->nr;
}

static void show(struct stop *s)
{
	char name[PATH_MAX + PATH_MAX];
	int dirfd = AT_FDCWD;

	for (const char *p = s->call->show; *p; p++) {
		uint64_t arg = p[1] >= '0' && p[1] <= '5' ? s->arg[p[1] - '0'] : 0;

		switch (*p) {
		case 'd':
			dirfd = (int)arg;
			break;
		case 'p':
			peek_path(s->tid, dirfd, arg, name, sizeof name);
			text_add(&s->detail, "%s", name);
			dirfd = AT_FDCWD;
			break;
		case 's':
			if (arg && peek_str(s->tid, arg, name, 256) == 0)
				text_add(&s->detail, "%s", name);
			break;
		case 'f':
			peek_fd_name(s->tid, (int)arg, name, sizeof name);
			text_add(&s->detail, "%s", name);
			break;
		case 'n':
			text_add(&s->detail, "%d", (int)arg);
			break;
		case 'x':
			text_add(&s->detail, "0x%llx", (unsigned long long)arg);
			break;
		default:
			text_add(&s->detail, "%c", *p);
			continue;
		}
		p++;
	}
}

enum call_class call_classify(struct stop *s)
{
	const struct call *c = s->call;
	enum call_class class = c->class;

	s->detail.len = 0;
	s->detail.buf[0] = 0;
	if (c->test)
		class = c->test(s, c->fd < 0 ? -1 : (int)s->arg[(int)c->fd]);
	if (class == CALL_FAULT && !s->faults)
		class = CALL_NONE;
	if (class != CALL_NONE && !s->detail.len)
		show(s);
	return class;
}

unsigned short call_filter(struct sock_filter *prog, bool faults)
{
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_filter trace = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0), allow,
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
	};
	unsigned short n = 0;

	_Static_assert(4 + 2 * NCALLS + 1 <= CALL_FILTER_MAX, "the filter outgrew its buffer");
	for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
		prog[n++] = head[i];
	for (size_t i = 0; i < NCALLS; i++) {
		if (calls[i].class == CALL_FAULT && !faults)
			continue;
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (uint32_t)calls[i].nr, 0, 1);
		prog[n++] = trace;
	}
	prog[n++] = allow;
	return n;
}
