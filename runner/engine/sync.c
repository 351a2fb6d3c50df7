// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/sync.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "runner/engine/identity.h"

struct report {
	int32_t r;
	struct err err;
	struct notes notes;
};

int sync_pair(int *parent, int *child, struct err *e)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(e, -errno, "make a pair of sockets to the container");
	*parent = sv[0];
	*child = sv[1];
	return 0;
}

void sync_report(int fd, int r, const struct err *e, const struct notes *n)
{
	struct report m;

	memset(&m, 0, sizeof m);
	m.r = r;
	if (e)
		m.err = *e;
	if (n)
		m.notes = *n;
	while (send(fd, &m, sizeof m, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

int sync_await_go(int fd)
{
	char go;
	ssize_t n;

	while ((n = recv(fd, &go, 1, 0)) < 0 && errno == EINTR)
		;
	return n == 1 ? 0 : -ECANCELED;
}

int sync_go(int fd, struct err *e)
{
	if (send(fd, "g", 1, MSG_NOSIGNAL) == 1)
		return 0;
	return err_set(e, -errno, "tell the container's process to start (it is gone)");
}

int sync_await(int fd, struct notes *n, struct err *e)
{
	struct report m;
	ssize_t len;

	while ((len = recv(fd, &m, sizeof m, 0)) < 0 && errno == EINTR)
		;
	if (len == 0 || (len < 0 && errno == ECONNRESET))
		return 1;
	if (len < 0)
		return err_set(e, -errno, "hear from the container's process");
	if (len != sizeof m)
		return err_say(e, -EPROTO,
			       "the container's process sent %zd bytes instead of a report", len);
	m.err.text[sizeof m.err.text - 1] = m.err.details[sizeof m.err.details - 1] = '\0';
	if (m.r < 0) {
		if (e)
			*e = m.err;
		return m.r;
	}
	m.notes.text[sizeof m.notes.text - 1] = '\0';
	if (n)
		*n = m.notes;
	return 0;
}
