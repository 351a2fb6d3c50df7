// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/cli/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/fd.h"
#include "runner/engine/monitor.h"

#define EXIT_NARU 125

static int read_report(int fd, struct detach_report *rep, struct err *e)
{
	size_t got = 0;

	while (got < sizeof *rep) {
		ssize_t n = read(fd, (char *)rep + got, sizeof *rep - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_say(e, -EIO,
				       "the process in the background ended before it could "
				       "report; naru gc cleans up");
		got += (size_t)n;
	}
	return 0;
}

void detach_tell(int tell, const struct detach_report *rep)
{
	(void)fd_write_all(tell, rep, sizeof *rep);
	(void)close(tell);
}

int detach_run(void (*fn)(void *arg, int tell), void *arg, struct detach_report *rep, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, "make a pipe");
	cleanup_fd int ours = fds[0], childs = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, -errno, "start a process in the background");
	if (pid == 0) {
		struct detach_report failed = { .code = EXIT_NARU };

		(void)close(take_fd(ours));
		if (monitor_detach(&failed.err) < 0)
			detach_tell(take_fd(childs), &failed);
		else
			fn(arg, take_fd(childs));
		_exit(0);
	}
	(void)close(take_fd(childs));
	return read_report(ours, rep, e);
}
