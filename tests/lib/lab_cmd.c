// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab_cmd.h"

#include "tests/lib/lab.h"
#include "tests/lib/lab_needs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPTURE_MAX (16u << 20)
#define ENV_MAX 256

extern char **environ;

/* One captured stream. */
struct tap {
	int fd;
	char *buf;
	size_t len, cap;
};

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

bool lab_sanitizer_report(const char *text)
{
	static const char *const marks[] = { "ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
					     "runtime error: ", "MemorySanitizer:",
					     "ThreadSanitizer:" };

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (strstr(text, marks[i]))
			return true;
	return false;
}

/*
 * The child's environment: what was asked for and the sanitizers' options, so that a run under them
 * behaves alike.
 */
static void child_env(char *const *asked, char **env)
{
	static const char *const pass[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
					    "LLVM_PROFILE_FILE=" };
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t n = 0;

	for (; asked && asked[n]; n++) {
		if (n >= ENV_MAX - 8)
			lab_fail("lab_run takes at most %d environment entries", ENV_MAX - 8);
		env[n] = asked[n];
	}
	if (!asked)
		env[n++] = path;
	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < sizeof pass / sizeof *pass; i++)
			if (n < ENV_MAX - 1 && !strncmp(*e, pass[i], strlen(pass[i])))
				env[n++] = *e;
	env[n] = NULL;
}

static int stdin_fd(const struct lab_cmd *c)
{
	if (!c->in)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);

	int fd = memfd_create("stdin", MFD_CLOEXEC);

	for (size_t done = 0; fd >= 0 && done < c->in_len;) {
		ssize_t n = write(fd, (const char *)c->in + done, c->in_len - done);

		if (n < 0)
			lab_fail("cannot store %zu bytes of stdin for %s: %s", c->in_len, c->path,
				 strerror(errno));
		done += (size_t)n;
	}
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static void child(const struct lab_cmd *c, char **env, const int fds[3]) __attribute__((noreturn));
static void child(const struct lab_cmd *c, char **env, const int fds[3])
{
	lab_child();
	(void)setpgid(0, 0);
	if (c->netns)
		lab_join(c->netns);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(126);
	execve(c->path, c->argv, env);
	_exit(127);
}

/* Reads what is there; closes the tap at its end. */
static void drain(struct tap *t)
{
	char sink[65536];

	/* bounded, so that an endless writer cannot keep us from looking at the clock */
	for (int i = 0; t->fd >= 0 && i < 64; i++) {
		ssize_t n = read(t->fd, sink, sizeof sink);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		if (n == 0) {
			close(t->fd);
			t->fd = -1;
			return;
		}
		size_t take = t->len + (size_t)n > CAPTURE_MAX ? CAPTURE_MAX - t->len : (size_t)n;

		if (t->len + take + 1 > t->cap) {
			t->cap = (t->len + take + 1) * 2;
			t->buf = realloc(t->buf, t->cap);
			if (!t->buf)
				abort();
		}
		memcpy(t->buf + t->len, sink, take);
		t->len += take;
	}
}

/* Collects output until the process is gone or the time is up. */
static void collect(pid_t pid, int pidfd, struct tap taps[2], long until_us, struct lab_result *out)
{
	for (bool gone = false; !gone;) {
		struct pollfd p[3] = { { pidfd, POLLIN, 0 },
				       { taps[0].fd, POLLIN, 0 },
				       { taps[1].fd, POLLIN, 0 } };
		long left = out->timed_out ? 5000 : (until_us - now_us() + 999) / 1000;

		if (left <= 0) {
			out->timed_out = true;
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
			continue;
		}
		int n = poll(p, 3, (int)left);

		if (n == 0 && out->timed_out)
			lab_fail("process %d did not go within 5 s of SIGKILL", (int)pid);
		gone = n > 0 && p[0].revents;
		drain(&taps[0]);
		drain(&taps[1]);
	}
	drain(&taps[0]);
	drain(&taps[1]);
	out->held_open = taps[0].fd >= 0 || taps[1].fd >= 0;
}

static void finish(struct tap *t, char **text, size_t *len)
{
	if (t->fd >= 0)
		close(t->fd);
	if (!t->buf && !(t->buf = malloc(1)))
		abort();
	t->buf[t->len] = '\0';
	*text = t->buf;
	*len = t->len;
}

/* A program in the virtual machine takes longer, but not for ever. */
static long timeout_us(const struct lab_cmd *c)
{
	return (c->timeout_ms ? c->timeout_ms : 30000) * 1000L * (lab_in_vm() ? 10 : 1);
}

void lab_run(const struct lab_cmd *c, struct lab_result *out)
{
	char *env[ENV_MAX];
	int so[2], se[2], in = stdin_fd(c), status = 0;
	struct rusage ru = { 0 };

	*out = (struct lab_result){ 0 };
	child_env(c->env, env);
	if (in < 0 || pipe2(so, O_CLOEXEC) < 0 || pipe2(se, O_CLOEXEC) < 0)
		lab_fail("cannot set up the streams of %s: %s", c->path, strerror(errno));
	if (access(c->path, X_OK) < 0)
		lab_fail("cannot run %s: %s", c->path, strerror(errno));
	fflush(NULL);

	long start = now_us();
	pid_t pid = fork();

	if (pid == 0)
		child(c, env, (const int[]){ in, so[1], se[1] });
	if (pid < 0)
		lab_fail("cannot fork for %s: %s", c->path, strerror(errno));
	(void)setpgid(pid, pid);
	close(in);
	close(so[1]);
	close(se[1]);
	(void)fcntl(so[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(se[0], F_SETFL, O_NONBLOCK);

	struct tap taps[2] = { { .fd = so[0] }, { .fd = se[0] } };
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		lab_fail("cannot watch %s: pidfd_open: %s", c->path, strerror(errno));
	collect(pid, pidfd, taps, start + timeout_us(c), out);
	close(pidfd);
	while (wait4(pid, &status, 0, &ru) < 0 && errno == EINTR)
		;
	out->wall_us = now_us() - start;
	out->rss_kib = ru.ru_maxrss;
	out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	out->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	finish(&taps[0], &out->out, &out->out_len);
	finish(&taps[1], &out->err, &out->err_len);
	if (!c->no_sanitizer_check && lab_sanitizer_report(out->err))
		lab_fail("%s: a sanitizer reports:\n%s", c->path, out->err);
}

void lab_result_clear(struct lab_result *r)
{
	free(r->out);
	free(r->err);
	*r = (struct lab_result){ 0 };
}

long lab_rss_floor(void)
{
	static char name[] = "true";
	char *argv[] = { name, NULL };
	struct lab_cmd c = { .path = "/bin/true", .argv = argv };
	struct lab_result r;

	lab_run(&c, &r);

	long kib = r.rss_kib;

	lab_result_clear(&r);
	return kib;
}
