// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_tests.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/tools/stepper_netlink.h"

#define NETLINK_BYTES_MAX (256u << 10) /* of one send that are decoded */
#define IOV_PIECES_MAX 64

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * Places where opening creates and empties nothing, whatever the flags say: the write is the
 * change.
 */
static bool is_pseudo(const char *path)
{
	static const char *const trees[] = { "/proc/", "/sys/", "/dev/pts/", "/dev/fd/" };
	static const char *const nodes[] = {
		"/dev/null",   "/dev/zero",   "/dev/full",    "/dev/tty",
		"/dev/stdout", "/dev/stderr", "/dev/net/tun", "/dev/kmsg",
	};

	for (size_t i = 0; i < COUNT(trees); i++)
		if (starts_with(path, trees[i]))
			return true;
	for (size_t i = 0; i < COUNT(nodes); i++)
		if (!strcmp(path, nodes[i]))
			return true;
	return false;
}

/*
 * What a program start reads by itself: when a library fails, the exec failed, and that is a point
 * already.
 */
static bool is_start_file(const char *path)
{
	static const char *const names[] = {
		"/etc/ld.so.",
		"/etc/locale.alias",
		"/usr/lib/locale/",
		"/usr/share/locale/",
	};
	const char *so = strstr(path, ".so");

	for (size_t i = 0; i < COUNT(names); i++)
		if (starts_with(path, names[i]))
			return true;
	return (so && (!so[3] || so[3] == '.')) || strstr(path, "/gconv/");
}

static uint64_t open_flags(const struct stop *s)
{
	struct open_how how = { 0 };

	switch (call_number(s->call)) {
#ifdef SYS_open
	case SYS_open:
		return s->arg[1];
	case SYS_creat:
		return O_CREAT | O_TRUNC;
#endif
	case SYS_openat2:
		(void)peek_mem(s->tid, s->arg[2], &how, sizeof how);
		return how.flags;
	default:
		return s->arg[2];
	}
}

enum call_class test_open(struct stop *s, int fd)
{
	uint64_t flags = open_flags(s);
	bool makes = flags & (O_CREAT | O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE;
	char path[2 * PATH_MAX];
	bool at = true;

	(void)fd;
	if (!makes && !s->faults)
		return CALL_NONE;
#ifdef SYS_open
	at = call_number(s->call) != SYS_open && call_number(s->call) != SYS_creat;
#endif
	peek_path(s->tid, at ? (int)s->arg[0] : AT_FDCWD, s->arg[at], path, sizeof path);
	if (makes && !is_pseudo(path))
		return CALL_CRASH;
	return is_start_file(path) ? CALL_NONE : CALL_FAULT;
}

/* A file without a name (O_TMPFILE, unlinked, memfd) is seen by nobody yet. */
enum call_class test_file(struct stop *s, int fd)
{
	struct stat st;

	if (peek_fd_stat(s->tid, fd, &st) < 0)
		return CALL_FAULT;
	if (S_ISREG(st.st_mode))
		return st.st_nlink ? CALL_CRASH : CALL_FAULT;
	return S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) ? CALL_CRASH : CALL_FAULT;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_rdev == b->st_rdev;
}

static bool is_state_device(dev_t dev)
{
	unsigned maj = major(dev);

	if (maj == 1)
		return minor(dev) == 11; /* kmsg, but not null, zero, full, random */
	return maj != 4 && maj != 5 && (maj < 136 || maj > 143); /* terminals */
}

static size_t gather(pid_t tid, uint64_t at, uint64_t pieces, char *buf)
{
	struct iovec iov[IOV_PIECES_MAX];
	size_t done = 0;

	if (pieces > IOV_PIECES_MAX)
		pieces = IOV_PIECES_MAX;
	pieces = peek_mem(tid, at, iov, pieces * sizeof *iov) / sizeof *iov;
	for (size_t i = 0; i < pieces; i++) {
		size_t want = iov[i].iov_len;

		if (want > NETLINK_BYTES_MAX - done)
			want = NETLINK_BYTES_MAX - done;
		done += peek_mem(tid, (uint64_t)(uintptr_t)iov[i].iov_base, buf + done, want);
	}
	return done;
}

/* What a call that sends is about to send; sendmmsg: its first message. */
static size_t payload(const struct stop *s, char *buf)
{
	struct msghdr msg;
	size_t len = s->arg[2];

	switch (call_number(s->call)) {
	case SYS_write:
	case SYS_sendto:
		return peek_mem(s->tid, s->arg[1], buf,
				len < NETLINK_BYTES_MAX ? len : NETLINK_BYTES_MAX);
	case SYS_writev:
		return gather(s->tid, s->arg[1], s->arg[2], buf);
	case SYS_sendmsg:
	case SYS_sendmmsg:
		if (peek_mem(s->tid, s->arg[1], &msg, sizeof msg) != sizeof msg)
			return 0;
		return gather(s->tid, (uint64_t)(uintptr_t)msg.msg_iov, msg.msg_iovlen, buf);
	default:
		return 0;
	}
}

enum call_class test_send(struct stop *s, int fd)
{
	static char buf[NETLINK_BYTES_MAX];
	int family, protocol;

	if (peek_socket(s->tgid, fd, &family, &protocol) < 0 || family != AF_NETLINK)
		return CALL_NONE;
	size_t len = payload(s, buf);

	return netlink_changes(protocol, buf, len, &s->detail) ? CALL_CRASH : CALL_FAULT;
}

/*
 * Standard output and error count by what they are, not by where the caller of the tool sent them.
 */
enum call_class test_write(struct stop *s, int fd)
{
	struct stat st;

	if (peek_fd_stat(s->tid, fd, &st) < 0)
		return CALL_NONE;
	bool out = same_file(&st, s->out), err = same_file(&st, s->err);

	if (out && err)
		out = fd != STDERR_FILENO;
	if (out && s->delivers) {
		text_add(&s->detail, "standard output");
		return CALL_CRASH;
	}
	if (out || err)
		return CALL_NONE;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return st.st_nlink ? CALL_CRASH : CALL_FAULT;
	case S_IFBLK:
		return CALL_CRASH;
	case S_IFCHR:
		return is_state_device(st.st_rdev) ? CALL_CRASH : CALL_NONE;
	case S_IFSOCK:
		return test_send(s, fd);
	default:
		return CALL_NONE;
	}
}

/*
 * Files, directories, netlink sockets and the command's standard input; pipes and events come as
 * they like.
 */
enum call_class test_read(struct stop *s, int fd)
{
	char path[PATH_MAX];
	int family, protocol;
	struct stat st;

	if (s->is_root && fd == STDIN_FILENO)
		return CALL_FAULT;
	if (peek_fd_stat(s->tid, fd, &st) < 0)
		return CALL_NONE;
	if (S_ISSOCK(st.st_mode))
		return peek_socket(s->tgid, fd, &family, &protocol) == 0 && family == AF_NETLINK ?
			       CALL_FAULT :
			       CALL_NONE;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return CALL_NONE;
	peek_fd_name(s->tid, fd, path, sizeof path);
	return is_start_file(path) ? CALL_NONE : CALL_FAULT;
}

enum call_class test_utimensat(struct stop *s, int fd)
{
	(void)fd;
	return s->arg[1] ? CALL_CRASH : test_file(s, (int)s->arg[0]);
}

enum call_class test_fsconfig(struct stop *s, int fd)
{
	(void)fd;
	/* create and reconfigure, not the keys set before */
	return s->arg[1] >= 6 ? CALL_CRASH : CALL_FAULT;
}

/* Signal 0 is a question, and a process that signals itself changes nobody else. */
enum call_class test_kill(struct stop *s, int fd)
{
	bool tgkill = call_number(s->call) == SYS_tgkill;
	int sig = (int)s->arg[tgkill ? 2 : 1], target = (int)s->arg[0];

	if (!sig)
		return CALL_FAULT;
	if (fd >= 0)
		return CALL_CRASH;
	if (call_number(s->call) == SYS_tkill)
		return target == peek_status(s->tid, "NSpid:") ? CALL_NONE : CALL_CRASH;
	return target == peek_status(s->tid, "NStgid:") ? CALL_NONE : CALL_CRASH;
}

/* Only a socket with a name in the file system is seen from outside. */
enum call_class test_bind(struct stop *s, int fd)
{
	struct sockaddr_un un = { 0 };
	size_t len = s->arg[2] < sizeof un ? s->arg[2] : sizeof un - 1;

	(void)fd;
	if (peek_mem(s->tid, s->arg[1], &un, len) < sizeof un.sun_family)
		return CALL_FAULT;
	if (un.sun_family != AF_UNIX || !un.sun_path[0])
		return CALL_FAULT;
	text_add(&s->detail, "%.*s", (int)sizeof un.sun_path, un.sun_path);
	return CALL_CRASH;
}

enum call_class test_ioctl(struct stop *s, int fd)
{
	static const unsigned changes[] = {
		SIOCADDRT,
		SIOCDELRT,
		SIOCSIFFLAGS,
		SIOCSIFADDR,
		SIOCSIFDSTADDR,
		SIOCSIFBRDADDR,
		SIOCSIFNETMASK,
		SIOCSIFMETRIC,
		SIOCSIFMTU,
		SIOCSIFNAME,
		SIOCSIFHWADDR,
		SIOCADDMULTI,
		SIOCDELMULTI,
		SIOCDIFADDR,
		SIOCSIFTXQLEN,
		SIOCSARP,
		SIOCDARP,
		SIOCBRADDBR,
		SIOCBRDELBR,
		SIOCBRADDIF,
		SIOCBRDELIF,
		SIOCETHTOOL,
		TUNSETIFF,
		TUNSETPERSIST,
		LOOP_SET_FD,
		LOOP_CLR_FD,
		LOOP_CONFIGURE,
		LOOP_CTL_ADD,
		LOOP_CTL_REMOVE,
		LOOP_CTL_GET_FREE,
		0x40086602 /* FS_IOC_SETFLAGS */,
		0x40049409 /* FICLONE */,
	};

	(void)fd;
	for (size_t i = 0; i < COUNT(changes); i++)
		if ((unsigned)s->arg[1] == changes[i])
			return CALL_CRASH;
	return CALL_NONE;
}

/* The old iptables interface: replacing a table and everything else from its base number on. */
enum call_class test_setsockopt(struct stop *s, int fd)
{
	(void)fd;
	if ((s->arg[1] == IPPROTO_IP || s->arg[1] == IPPROTO_IPV6) && s->arg[2] == 64)
		return CALL_CRASH;
	return CALL_NONE;
}

enum call_class test_bpf(struct stop *s, int fd)
{
	(void)fd;
	switch (s->arg[0]) {
	case BPF_OBJ_PIN:
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
	case BPF_LINK_CREATE:
		return CALL_CRASH;
	default:
		return CALL_FAULT;
	}
}

enum call_class test_clone(struct stop *s, int fd)
{
	uint64_t flags = s->arg[0];

	(void)fd;
	if (call_number(s->call) == SYS_clone3) {
		flags = 0;
		(void)peek_mem(s->tid, s->arg[0], &flags, sizeof flags);
		text_add(&s->detail, "0x%llx", (unsigned long long)flags);
	}
	return flags & CLONE_THREAD ? CALL_NONE : CALL_FAULT;
}

enum call_class test_fcntl(struct stop *s, int fd)
{
	(void)fd;
	switch ((int)s->arg[1]) {
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_SETLEASE:
		return CALL_FAULT;
	default:
		return CALL_NONE;
	}
}
