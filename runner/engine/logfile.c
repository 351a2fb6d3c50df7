// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/logfile.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "runner/engine/jsonlog.h"

#define BUFFER (1024 * 1024)
#define STALL_MS 100
#define STACK (64 * 1024)

struct logfile {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t writer;
	int fd;
	char *buf;
	size_t head, len;  /* what is to be written: len bytes from head on, around the end */
	uint64_t progress; /* counts writes, so that waiting can tell slow from dead */
	uint64_t dropped, told;
	bool stalled, closing, done;
	bool abandoned; /* nobody waits any more: the writer frees when it comes back */
};

static void deadline(struct timespec *t, int ms)
{
	(void)clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_nsec += ms % 1000 * 1000000L;
	t->tv_sec += ms / 1000 + t->tv_nsec / 1000000000L;
	t->tv_nsec %= 1000000000L;
}

/* ---------------------------------------------------------------- the writer */

/* All or nothing: what a full disk took of an entry is taken back. */
static int write_entry(int fd, const char *p, size_t len)
{
	struct stat st;
	size_t at = 0;

	while (at < len) {
		ssize_t n = write(fd, p + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -EIO;

			if (at && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
			    st.st_size >= (off_t)at)
				(void)!ftruncate(fd, st.st_size - (off_t)at);
			return r;
		}
		at += (size_t)n;
	}
	return 0;
}

static size_t count_lines(const char *p, size_t len)
{
	size_t n = 0;

	for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

static int tell_dropped(int fd, uint64_t n)
{
	static char entry[JSONLOG_ENTRY_MAX];
	struct timespec now;
	char line[80];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(line, sizeof line, "naru: %llu lines could not be logged here\n",
		       (unsigned long long)n);
	return write_entry(fd, entry, jsonlog_entry(entry, line, strlen(line), "stderr", &now));
}

/* Everything up to the last complete entry, copied out: the lock is not held while writing. */
static size_t take(struct logfile *l, char *out)
{
	size_t first = BUFFER - l->head < l->len ? BUFFER - l->head : l->len, n = l->len;

	memcpy(out, l->buf + l->head, first);
	memcpy(out + first, l->buf, n - first);
	return n;
}

static size_t waiting_lines(const struct logfile *l)
{
	size_t first = BUFFER - l->head < l->len ? BUFFER - l->head : l->len;

	return count_lines(l->buf + l->head, first) + count_lines(l->buf, l->len - first);
}

static void logfile_free(struct logfile *l)
{
	(void)pthread_mutex_destroy(&l->lock);
	(void)pthread_cond_destroy(&l->changed);
	free(l->buf);
	free(l);
}

static void *writer(void *arg)
{
	static char out[BUFFER];
	struct logfile *l = arg;

	(void)pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->len && !l->closing)
			(void)pthread_cond_wait(&l->changed, &l->lock);
		if (!l->len)
			break;
		size_t n = take(l, out);
		uint64_t missing = l->dropped - l->told;

		(void)pthread_mutex_unlock(&l->lock);
		bool told = missing && tell_dropped(l->fd, missing) == 0;
		int r = write_entry(l->fd, out, n);
		(void)pthread_mutex_lock(&l->lock);

		l->told += told ? missing : 0;
		l->head = (l->head + n) % BUFFER;
		l->len -= n;
		l->dropped += r < 0 ? count_lines(out, n) : 0;
		l->progress++;
		l->stalled = false;
		(void)pthread_cond_broadcast(&l->changed);
	}
	l->done = true;
	(void)pthread_cond_broadcast(&l->changed);
	bool abandoned = l->abandoned;
	(void)pthread_mutex_unlock(&l->lock);
	if (abandoned)
		logfile_free(l);
	return NULL;
}

/* ---------------------------------------------------------------- its user */

static int start(struct logfile *l)
{
	pthread_condattr_t ca;
	pthread_attr_t a;
	sigset_t all, old;
	int r;

	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_condattr_init(&ca);
	(void)pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->changed, &ca);
	(void)pthread_attr_init(&a);
	(void)pthread_attr_setstacksize(&a, STACK);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
	r = pthread_create(&l->writer, &a, writer, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&a);
	(void)pthread_condattr_destroy(&ca);
	return -r;
}

int logfile_open(int fd, struct logfile **out, struct err *e)
{
	struct logfile *l = calloc(1, sizeof *l);
	int r = l && (l->buf = malloc(BUFFER)) ? 0 : -ENOMEM;

	if (r == 0) {
		l->fd = fd;
		r = start(l);
	}
	if (r < 0) {
		free(l ? l->buf : NULL);
		free(l);
		return err_set(e, r, "start the writer of the log");
	}
	*out = l;
	return 0;
}

/*
 * Room for len bytes: true, or false when the writer makes no progress. Slow is waited for, dead is
 * not.
 */
static bool await_room(struct logfile *l, size_t len)
{
	while (BUFFER - l->len < len && !l->stalled) {
		uint64_t before = l->progress;
		struct timespec until;

		deadline(&until, STALL_MS);
		while (l->progress == before &&
		       pthread_cond_timedwait(&l->changed, &l->lock, &until) != ETIMEDOUT)
			;
		l->stalled = l->progress == before;
	}
	return BUFFER - l->len >= len;
}

void logfile_add(struct logfile *l, const char *entry, size_t len)
{
	(void)pthread_mutex_lock(&l->lock);
	if (await_room(l, len)) {
		size_t at = (l->head + l->len) % BUFFER,
		       first = BUFFER - at < len ? BUFFER - at : len;

		memcpy(l->buf + at, entry, first);
		memcpy(l->buf, entry + first, len - first);
		l->len += len;
	} else {
		l->dropped++;
	}
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

uint64_t logfile_close(struct logfile *l, int timeout_ms)
{
	struct timespec until;
	uint64_t dropped;
	bool done;

	deadline(&until, timeout_ms);
	(void)pthread_mutex_lock(&l->lock);
	l->closing = true;
	(void)pthread_cond_broadcast(&l->changed);
	while (!l->done && pthread_cond_timedwait(&l->changed, &l->lock, &until) != ETIMEDOUT)
		;
	done = l->done;
	l->abandoned = !done;
	dropped = l->dropped + (done ? 0 : waiting_lines(l));
	pthread_t thread = l->writer;
	(void)pthread_mutex_unlock(&l->lock);
	if (!done) {
		(void)pthread_detach(thread);
		return dropped;
	}
	(void)pthread_join(thread, NULL);
	logfile_free(l);
	return dropped;
}
