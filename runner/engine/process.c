// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/txn/txn.h"
#include "runner/engine/engine.h"

#define GONE_MS 3000

pid_t process_clone(uint64_t flags, int into_cgroup, int *pidfd)
{
	struct clone_args a = {
		.flags = flags | CLONE_PIDFD | (into_cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = into_cgroup >= 0 ? (uint64_t)into_cgroup : 0,
	};
	long pid = syscall(SYS_clone3, &a, sizeof a);

	return pid < 0 ? -errno : (pid_t)pid;
}

/*
 * Field 22 of /proc/PID/stat, counted behind the command's name, which may hold anything; field 3
 * is the state.
 */
static int read_stat(pid_t pid, uint64_t *start_time, char *state)
{
	char path[32], text[1024], *p;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return -ESRCH;
	*state = p[2];
	for (int field = 2; field < 22 && p; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -ESRCH;
	*start_time = strtoull(p + 1, NULL, 10);
	return 0;
}

int engine_start_time(pid_t pid, uint64_t *start_time)
{
	char state;

	return read_stat(pid, start_time, &state);
}

bool engine_alive(pid_t pid, uint64_t start_time)
{
	uint64_t now;
	char state;

	return pid > 0 && read_stat(pid, &now, &state) == 0 && now == start_time && state != 'Z' &&
	       state != 'X';
}

/*
 * The descriptor is taken first and the start time compared then, so that the signal reaches that
 * process or none.
 */
static int open_process(pid_t pid, uint64_t start_time)
{
	uint64_t now;
	cleanup_fd int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return pid > 0 ? -errno : -ESRCH;
	if (engine_start_time(pid, &now) < 0 || now != start_time)
		return -ESRCH;
	return take_fd(fd);
}

int engine_signal(pid_t pid, uint64_t start_time, int signal)
{
	cleanup_fd int fd = open_process(pid, start_time);

	if (fd < 0)
		return fd;
	return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_record(struct txn *t, pid_t pid, uint64_t start_time, struct err *e)
{
	char a[16], b[24];

	(void)snprintf(a, sizeof a, "%d", (int)pid);
	(void)snprintf(b, sizeof b, "%" PRIu64, start_time);
	return txn_reserve(t, &process_undo_kill, UNDO_HOST, NULL, a, b, e) ?
		       0 :
		       -(e && e->no ? e->no : EIO);
}

static int undo_kill(const struct undo *u, struct txn *t, struct err *e)
{
	uint64_t pid, start;

	(void)t;
	if (!u->a || !u->b || str_u64(u->a, INT32_MAX, &pid) < 0 ||
	    str_u64(u->b, UINT64_MAX, &start) < 0)
		return err_say(
			e, -EINVAL,
			"process kill: expected a process id and a start time in the record");
	cleanup_fd int fd = open_process((pid_t)pid, start);
	if (fd < 0)
		return fd == -ESRCH ? 0 : err_set(e, fd, "open process %s", u->a);
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : err_set(e, -errno, "kill process %s", u->a);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, GONE_MS) == 0)
		return err_say(e, -ETIMEDOUT,
			       "process %s does not end after SIGKILL; it hangs in the kernel",
			       u->a);
	(void)waitid(P_PIDFD, (id_t)fd, &(siginfo_t){ 0 },
		     WEXITED | WNOHANG); /* when it is our own child */
	return 0;
}

const struct undo_op process_undo_kill = { "process kill", undo_kill };
