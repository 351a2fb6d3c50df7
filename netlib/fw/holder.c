// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/holder.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOLD_MS 60 /* the kernel's work after a deletion is done in 50 */
#define STACK_SIZE 16384

__attribute__((noreturn)) static void hold(int fd)
{
	struct timespec t = { .tv_nsec = HOLD_MS * 1000000L };

	if (fd > 0)
		(void)close_range(0, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0U, 0);
	(void)prctl(PR_SET_NAME, "naru-fw-close");
	if (chdir("/") < 0)
		_exit(0);
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	_exit(0);
}

/*
 * Runs on its own stack in the caller's memory while the caller stands still, as after vfork. The
 * copy made here is an orphan as soon as this one is gone; _Fork runs no handlers and takes no
 * locks.
 */
static int between(void *arg)
{
	int fd = *(int *)arg;

	if (_Fork() == 0)
		hold(fd);
	_exit(0);
}

void fw_hold_socket(int fd)
{
	_Alignas(16) char stack[STACK_SIZE];
	/* no exit signal: invisible to SIGCHLD handlers and to wait() without __WALL */
	int pid = clone(between, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &fd);

	if (pid < 0)
		return;
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}
