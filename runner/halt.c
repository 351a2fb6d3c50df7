// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/halt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/engine/cgroup.h"
#include "runner/engine/engine.h"
#include "runner/life.h"

#define RUNNER_WAIT_MS 15000 /* for the runner to clean up after the end of its container */
#define KILL_WAIT_MS 10000   /* for the kernel to take a killed process apart */

int halt_signal_parse(const char *text, struct err *e)
{
	uint64_t n;

	if (str_u64(text, SIGRTMAX, &n) == 0 && n > 0)
		return (int)n;
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && !strcasecmp(known, name))
			return i;
	}
	if (!strncasecmp(name, "RTMIN+", 6) &&
	    str_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &n) == 0)
		return SIGRTMIN + (int)n;
	return err_say(e, -EINVAL, "expected a signal such as SIGTERM or 15, got \"%s\"", text);
}

/* 1: ended within the time */
static int wait_end(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

/* The descriptor is opened before the identity is checked, so it stands for that very process. */
static int open_process(const struct ctr *c)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)c->live.pid, 0);

	if (fd >= 0 && !engine_alive((pid_t)c->live.pid, c->live.start_time)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

int halt_process(const struct ctr *c, int timeout_ms, struct err *e)
{
	cleanup_fd int fd = open_process(c);
	int sig = SIGTERM;

	if (fd < 0)
		return 0;
	if (timeout_ms > 0) {
		if (*c->rec.stop_signal && (sig = halt_signal_parse(c->rec.stop_signal, NULL)) < 0)
			sig = SIGTERM;
		(void)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
		if (wait_end(fd, timeout_ms))
			return 0;
	}
	(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	if (*c->live.cgroup)
		(void)cgroup_kill_all(c->live.cgroup, NULL);
	if (wait_end(fd, KILL_WAIT_MS))
		return 0;
	return err_say(
		e, -ETIMEDOUT,
		"process %lld of container %s has not ended %d s after SIGKILL; it hangs in the kernel",
		(long long)c->live.pid, c->rec.name, KILL_WAIT_MS / 1000);
}

int halt_lock(const struct state *s, const char *id, struct ctr_dir *d, struct err *e)
{
	int r = ctr_dir_lock(d, s, id, RUNNER_WAIT_MS, e);

	if (r != CTR_BUSY)
		return r;
	ctr_dir_close(d);
	return err_say(e, -EBUSY,
		       "another naru has been working on container %.12s for %d s; try again later",
		       id, RUNNER_WAIT_MS / 1000);
}

int halt(const struct state *s, const struct ctr *c, int timeout_ms, struct err *e)
{
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr now = CTR_INIT;
	struct err busy = ERR_INIT;
	int r;

	if (c->status == CTR_RUNNING && (r = halt_process(c, timeout_ms, e)) < 0)
		return r;
	if ((r = halt_lock(s, c->id, &d, &busy)) == -ENOENT)
		return 0;
	if (r < 0) {
		err_keep_first(e, &busy);
		return r;
	}
	if (ctr_load(&now, s, c->id, NULL) < 0)
		return 0;
	if (!now.has_live &&
	    now.has_end) /* its runner has done everything; the lock made the directory anew */
		return ctr_dir_remove_run(&d, s, e);
	return life_reclaim(s, &d, &now, now.rec.auto_remove, e);
}
