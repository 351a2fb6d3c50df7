// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/sync.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/engine/command.h"
#include "runner/engine/identity.h"

#define EXECUTING 1 /* report.r: the path is in the notes; 0 is ready, negative an error */

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

void sync_executing(int fd, const char *path)
{
	struct notes n = { "" };

	(void)str_copyf(n.text, sizeof n.text, "%s", path);
	sync_report(fd, EXECUTING, NULL, &n);
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

/* One message: its length, 0 at the end. A short one is the errno of an exec. */
static ssize_t receive(int fd, struct report *m)
{
	ssize_t len;

	while ((len = recv(fd, m, sizeof *m, 0)) < 0 && errno == EINTR)
		;
	if (len < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (len == sizeof m->r)
		return len;
	if (len && len != sizeof *m)
		return -EPROTO;
	m->err.text[sizeof m->err.text - 1] = m->err.details[sizeof m->err.details - 1] = '\0';
	m->notes.text[sizeof m->notes.text - 1] = '\0';
	return len;
}

int sync_await(int fd, struct notes *n, struct err *e)
{
	struct notes path = { "" };
	struct report m;
	ssize_t len = receive(fd, &m);

	if (len == sizeof m && m.r == EXECUTING) {
		path = m.notes;
		len = receive(fd, &m);
	}
	if (len < 0)
		return err_set(e, (int)len, "hear from the container's process");
	if (len == 0)
		return 1;
	if (len == sizeof m.r && m.r < 0)
		return command_refused(-m.r, path.text, true, e);
	if (m.r < 0) {
		if (e)
			*e = m.err;
		return m.r;
	}
	if (n)
		*n = m.notes;
	return 0;
}
