// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"

extern char **environ;

#define OUT_MAX_DEFAULT (1024 * 1024)
#define TIMEOUT_DEFAULT_MS 60000
#define TXTBSY_RETRIES 20
#define TXTBSY_NAP_MS 50

void proc_result_clear(struct proc_result *res)
{
	free(res->out);
	*res = (struct proc_result){ 0 };
}

/*
 * The child starts with default signal handling and nothing blocked, whatever we do with signals
 * ourselves.
 */
static int start_program(const struct proc_spec *s, int in, int out, pid_t *pid)
{
	const char *base = strrchr(s->path, '/');
	char *const own_argv[] = { (char *)(base ? base + 1 : s->path), NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int r = 0;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if ((r = posix_spawn_file_actions_init(&fa)) != 0)
		return -r;
	if ((r = posix_spawnattr_init(&at)) != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return -r;
	}
	(void)posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&at, &none);
	(void)posix_spawnattr_setsigdefault(&at, &all);
	(void)posix_spawn_file_actions_adddup2(&fa, in, 0);
	(void)posix_spawn_file_actions_adddup2(&fa, out, 1);
	for (int i = 0;; i++) {
		r = posix_spawn(pid, s->path, &fa, &at, s->argv ? s->argv : own_argv, s->envp);
		if (r != ETXTBSY || i == TXTBSY_RETRIES)
			break;
		(void)nanosleep(&(struct timespec){ .tv_nsec = TXTBSY_NAP_MS * 1000000L }, NULL);
	}
	(void)posix_spawnattr_destroy(&at);
	(void)posix_spawn_file_actions_destroy(&fa);
	return -r;
}

static void copy_main(const struct proc_spec *s, int in, int out) __attribute__((noreturn));
static void copy_main(const struct proc_spec *s, int in, int out)
{
	const char *base = strrchr(s->path, '/');
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NAME, base ? base + 1 : s->path);
	/* what an exec would have closed: locks above all */
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, UINT_MAX, 0) < 0)
		_exit(127);
	environ = (char **)s->envp;
	_exit(s->main(s->arg));
}

static int start(const struct proc_spec *s, int in, int out, pid_t *pid)
{
	if (!s->main)
		return start_program(s, in, out, pid);
	*pid = fork();
	if (*pid == 0)
		copy_main(s, in, out);
	return *pid < 0 ? -errno : 0;
}

struct pump {
	int in, out; /* our ends; in is -1 once all was written */
	const char *src;
	size_t left;
	char *buf;
	size_t len, cap, max;
};

static int pump_out(struct pump *p)
{
	if (p->cap - p->len < 2) {
		size_t cap = p->cap ? p->cap * 2 : 4096;
		char *b = realloc(p->buf, cap);

		if (!b)
			return -ENOMEM;
		p->buf = b;
		p->cap = cap;
	}
	ssize_t n = read(p->out, p->buf + p->len, p->cap - p->len - 1);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	if (n == 0)
		return 0;
	p->len += (size_t)n;
	return p->len > p->max ? -EFBIG : 1;
}

static void pump_in(struct pump *p)
{
	ssize_t n = write(p->in, p->src, p->left);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		p->src += n;
		p->left -= (size_t)n;
	}
	if (n < 0 || !p->left) { /* EPIPE: the child does not want to read on */
		(void)close(p->in);
		p->in = -1;
	}
}

static int pump(struct pump *p, int64_t until)
{
	for (;;) {
		struct pollfd f[2] = { { .fd = p->out, .events = POLLIN },
				       { .fd = p->in, .events = POLLOUT } };
		int64_t left = until - clock_ms();
		int r = poll(f, 2, left > 0 ? (int)left : 0);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0)
			continue;
		if (f[1].revents)
			pump_in(p);
		if (f[0].revents && (r = pump_out(p)) <= 0)
			return r;
	}
}

static int reap(pid_t pid, int64_t until, bool kill_first, struct proc_result *res)
{
	int st;

	if (kill_first)
		(void)kill(pid, SIGKILL);
	for (;;) {
		pid_t r = waitpid(pid, &st, kill_first ? 0 : WNOHANG);

		if (r == pid)
			break;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && clock_ms() > until)
			return -ETIMEDOUT;
		if (r == 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
	res->status = WIFEXITED(st) ? WEXITSTATUS(st) : -1;
	res->signal = WIFSIGNALED(st) ? WTERMSIG(st) : 0;
	return 0;
}

static int pipe_cloexec(int *rd, int *wr)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*rd = p[0];
	*wr = p[1];
	return 0;
}

int proc_run(const struct proc_spec *spec, struct proc_result *res, struct err *e)
{
	int timeout_ms = spec->timeout_ms ? spec->timeout_ms : TIMEOUT_DEFAULT_MS;
	int64_t until = clock_ms() + timeout_ms;
	cleanup_fd int in_rd = -1, in_wr = -1, out_rd = -1, out_wr = -1;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct sigaction keep = { .sa_handler = SIG_DFL }, old_child;
	pid_t pid;
	int r;

	if ((r = pipe_cloexec(&in_rd, &in_wr)) < 0 || (r = pipe_cloexec(&out_rd, &out_wr)) < 0)
		return err_set(e, r, "run %s: pipe", spec->path);
	/* whoever ignores SIGCHLD never hears how a child ended, and that is inherited */
	(void)sigaction(SIGCHLD, &keep, &old_child);
	if ((r = start(spec, in_rd, out_wr, &pid)) < 0) {
		(void)sigaction(SIGCHLD, &old_child, NULL);
		return err_set(e, r, "run %s", spec->path);
	}
	(void)close(take_fd(in_rd));
	(void)close(take_fd(out_wr));
	(void)fcntl(in_wr, F_SETFL, O_NONBLOCK);
	(void)sigaction(SIGPIPE, &ignore, &old);
	struct pump p = {
		.in = in_wr,
		.out = out_rd,
		.src = spec->in,
		.left = spec->in_len,
		.max = spec->out_max ? spec->out_max : OUT_MAX_DEFAULT,
	};
	if (!p.left)
		pump_in(&p);
	r = pump(&p, until);
	in_wr = p.in;
	struct proc_result got = { 0 };
	int rr = reap(pid, until, r < 0, &got);
	if (rr == -ETIMEDOUT) {
		r = r < 0 ? r : rr;
		(void)reap(pid, until, true, &got);
	}
	if (rr < 0 && r == 0)
		r = rr;
	(void)sigaction(SIGPIPE, &old, NULL);
	(void)sigaction(SIGCHLD, &old_child, NULL);
	if (r < 0) {
		free(p.buf);
		if (r == -ETIMEDOUT)
			return err_say(e, r, "run %s: no answer within %d ms; killed", spec->path,
				       timeout_ms);
		return err_set(e, r, "run %s: read its output", spec->path);
	}
	if (!p.buf && !(p.buf = calloc(1, 1)))
		return err_set(e, -ENOMEM, "run %s", spec->path);
	p.buf[p.len] = 0;
	got.out = p.buf;
	got.out_len = p.len;
	*res = got;
	return 0;
}
