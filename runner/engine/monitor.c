// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "runner/engine/engine.h"
#include "runner/engine/jsonlog.h"
#include "runner/engine/logfile.h"

#define CHUNK 65536
#define TEE_CHUNK 4096	  /* what a pipe that polls as writable takes without blocking */
#define AFTER_END_MS 1000 /* for output that others still hold open */
#define FLUSH_MS 2000
#define PATIENCE 3 /* the third INT or TERM is meant seriously */

static const int forwarded[] = { SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
				 SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH };

struct stream {
	int *fd;
	int *tee;
	const char *name;
	struct jsonlog_stream lines;
	struct watch *w;
};

struct watch {
	struct monitor *m;
	int signals;	     /* signalfd or -1 */
	unsigned asked;	     /* INT and TERM so far */
	struct logfile *log; /* opened with the first line */
	struct stream out[2];
	char entry[JSONLOG_ENTRY_MAX], chunk[CHUNK];
};

/* ---------------------------------------------------------------- signals */

static void forward(struct watch *w)
{
	struct signalfd_siginfo si;
	int sig;

	if (read(w->signals, &si, sizeof si) != sizeof si)
		return;
	sig = (int)si.ssi_signo;
	if ((sig == SIGINT || sig == SIGTERM) && ++w->asked >= PATIENCE)
		sig = SIGKILL;
	(void)syscall(SYS_pidfd_send_signal, w->m->proc->pidfd, sig, NULL, 0);
}

/* ---------------------------------------------------------------- output */

static void log_line(void *arg, const char *line, size_t len)
{
	struct stream *s = arg;
	struct watch *w = s->w;
	struct timespec now;

	if (!w->log && logfile_open(w->m->log, &w->log, NULL) < 0) {
		w->m->dropped++;
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	logfile_add(w->log, w->entry, jsonlog_entry(w->entry, line, len, s->name, &now));
}

/* Waits for a slow reader, but goes on listening to signals; a reader that is gone is forgotten. */
static void show(struct stream *s, const char *p, size_t n)
{
	while (n && *s->tee >= 0) {
		struct pollfd f[2] = { { .fd = *s->tee, .events = POLLOUT },
				       { .fd = s->w->signals, .events = POLLIN } };

		if (poll(f, 2, -1) < 0 && errno != EINTR)
			break;
		if (f[1].revents)
			forward(s->w);
		if (!f[0].revents)
			continue;
		ssize_t done = write(*s->tee, p, n < TEE_CHUNK ? n : TEE_CHUNK);
		if (done < 0 && errno != EINTR && errno != EAGAIN)
			*s->tee = -1;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

static void drain(struct stream *s)
{
	struct watch *w = s->w;
	ssize_t n = read(*s->fd, w->chunk, sizeof w->chunk);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		show(s, w->chunk, (size_t)n);
		if (w->m->log >= 0)
			jsonlog_feed(&s->lines, w->chunk, (size_t)n, log_line, s);
		return;
	}
	if (w->m->log >= 0)
		jsonlog_feed(&s->lines, NULL, 0, log_line, s);
	(void)close(take_fd(*s->fd));
}

/* ---------------------------------------------------------------- the loop */

static int loop(struct watch *w, int *status, struct err *e)
{
	int64_t until = 0;
	bool ended = false;

	while (!ended || *w->out[0].fd >= 0 || *w->out[1].fd >= 0) {
		struct pollfd f[4] = {
			{ .fd = ended ? -1 : w->m->proc->pidfd, .events = POLLIN },
			{ .fd = w->signals, .events = POLLIN },
			{ .fd = *w->out[0].fd, .events = POLLIN },
			{ .fd = *w->out[1].fd, .events = POLLIN },
		};
		int64_t left = ended ? until - clock_ms() : -1;

		if (ended && left <= 0)
			break;
		if (poll(f, 4, (int)left) < 0 && errno != EINTR)
			return err_set(e, -errno, "watch the container");
		if (f[1].revents)
			forward(w);
		for (int i = 0; i < 2; i++)
			if (f[2 + i].revents)
				drain(&w->out[i]);
		if (f[0].revents) {
			int r = engine_wait(w->m->proc, status, e);

			if (r < 0)
				return r;
			ended = true;
			until = clock_ms() + AFTER_END_MS;
		}
	}
	return 0;
}

static void finish(struct watch *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->m->log >= 0)
			jsonlog_feed(&w->out[i].lines, NULL, 0, log_line, &w->out[i]);
		if (*w->out[i].fd >= 0)
			(void)close(take_fd(*w->out[i].fd));
	}
	if (w->log)
		w->m->dropped += logfile_close(w->log, FLUSH_MS);
}

static int watch_output(struct monitor *m, int signals, int *status, struct err *e)
{
	struct watch *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "watch the container");
	w->m = m;
	w->signals = signals;
	w->out[0] = (struct stream){ .fd = &m->out, .tee = &m->tee_out, .name = "stdout", .w = w };
	w->out[1] = (struct stream){ .fd = &m->err, .tee = &m->tee_err, .name = "stderr", .w = w };
	r = loop(w, status, e);
	finish(w);
	free(w);
	return r;
}

int monitor_run(struct monitor *m, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_pipe;
	cleanup_fd int signals = -1;
	sigset_t set, old;
	int status = 0, r;

	(void)sigemptyset(&set);
	for (size_t i = 0; m->forward_signals && i < ARRAY_LEN(forwarded); i++)
		(void)sigaddset(&set, forwarded[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	(void)sigaction(SIGPIPE, &ignore, &old_pipe);
	if (m->forward_signals && (signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
		r = err_set(e, -errno, "listen to signals");
	else if (m->out < 0 && m->err < 0 && signals < 0)
		r = engine_wait(m->proc, &status, e);
	else
		r = watch_output(m, signals, &status, e);
	(void)sigaction(SIGPIPE, &old_pipe, NULL);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r == 0 && m->ended)
		r = m->ended(m->arg, status, e);
	return r < 0 ? r : status;
}

int monitor_detach(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_set(e, -errno, "open /dev/null");
	(void)setsid(); /* fails only for a session leader */
	(void)sigaction(SIGHUP, &ignore, NULL);
	if (chdir("/") < 0)
		return err_set(e, -errno, "go to /");
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return err_set(e, -errno, "put descriptor %d on /dev/null", i);
	if (null < 3)
		null = -1; /* dup2 on itself keeps it; it is one of them now */
	return 0;
}
