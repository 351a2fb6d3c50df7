// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/aside.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_SIZE 16384

/* Never unmapped: the process has it to its end, and the caller's is near. */
struct aside {
	_Alignas(16) char stack[STACK_SIZE];
	char arg[ASIDE_ARG_MAX];
	const char *name;
	aside_fn *fn;
	int fd;
};

static int run(void *p)
{
	const struct aside *a = p;

	if (a->fd > 0)
		(void)close_range(0, (unsigned)a->fd - 1, 0);
	(void)close_range((unsigned)a->fd + 1, ~0U, 0);
	(void)prctl(PR_SET_NAME, a->name);
	(void)setsid();
	if (chdir("/") == 0)
		a->fn(a->fd, a->arg);
	_exit(0);
}

int aside_run(const char *name, int fd, aside_fn *fn, const void *arg, size_t size)
{
	struct aside *a = size > ASIDE_ARG_MAX ?
				  MAP_FAILED :
				  mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (a == MAP_FAILED)
		return size > ASIDE_ARG_MAX ? -E2BIG : -errno;
	a->name = name;
	a->fn = fn;
	a->fd = fd;
	if (size)
		memcpy(a->arg, arg, size);
	/* no exit signal */
	if (clone(run, a->stack + sizeof a->stack, CLONE_VM, a) >= 0)
		return 0;
	int r = -errno;
	(void)munmap(a, sizeof *a);
	return r;
}
