// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

#define SYSTEM_BUS "/run/dbus/system_bus_socket"
#define LINE_MAX_BYTES 256  /* of the talk before the first message */
#define STRANGERS_MAX 10000 /* messages that are not for us, before an answer */
#define CALL_MAX 4096

void dbus_close(struct dbus *d)
{
	cleanup_fd_p(&d->fd);
	d->fd = -1;
}

/* ---- bytes, with a deadline */

static int await(int fd, short what, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = what };
	int r;

	do {
		int64_t left = deadline - clock_ms();

		r = left <= 0 ? 0 : poll(&p, 1, (int)left);
	} while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}

static int send_all(int fd, const void *data, size_t n, int64_t deadline)
{
	const char *p = data;

	while (n) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
		int r = done < 0 && errno == EAGAIN ? await(fd, POLLOUT, deadline) : 0;

		if (r < 0 || (done < 0 && errno != EAGAIN && errno != EINTR))
			return r < 0 ? r : -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

static int recv_all(int fd, void *data, size_t n, int64_t deadline)
{
	char *p = data;

	while (n) {
		int r = await(fd, POLLIN, deadline);
		ssize_t got = r < 0 ? 0 : recv(fd, p, n, 0);

		if (r < 0)
			return r;
		if (got == 0)
			return -ECONNRESET;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

/* ---- connecting */

/* The first address of "unix:path=/x,guid=...;unix:...": its socket, or -EINVAL. */
static int bus_address(struct sockaddr_un *sa, socklen_t *len)
{
	const char *text = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	bool abstract = false;

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!text || !*text) {
		text = SYSTEM_BUS;
	} else if (str_starts(text, "unix:path=")) {
		text += strlen("unix:path=");
	} else if (str_starts(text, "unix:abstract=")) {
		text += strlen("unix:abstract=");
		abstract = true;
	} else {
		return -EINVAL;
	}
	size_t n = strcspn(text, ",;");
	if (!n || n + abstract >= sizeof sa->sun_path)
		return -EINVAL;
	memcpy(sa->sun_path + abstract, text, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return 0;
}

/* A line that ends in CR LF, byte by byte: messages may follow. */
static int read_line(int fd, char line[LINE_MAX_BYTES], int64_t deadline)
{
	for (size_t n = 0; n + 1 < LINE_MAX_BYTES; n++) {
		int r = recv_all(fd, line + n, 1, deadline);

		if (r < 0)
			return r;
		if (line[n] == '\n') {
			line[n] = 0;
			return 0;
		}
	}
	return -EBADMSG;
}

/* "I am the user that you see at the other end of this socket", in D-Bus's words. */
static int authenticate(int fd, int64_t deadline)
{
	char hello[LINE_MAX_BYTES], line[LINE_MAX_BYTES], uid[16];
	int n = snprintf(uid, sizeof uid, "%u", (unsigned)geteuid()), at, r;

	hello[0] = 0;
	at = 1 + snprintf(hello + 1, sizeof hello - 1, "AUTH EXTERNAL ");
	for (int i = 0; i < n; i++)
		at += snprintf(hello + at, sizeof hello - (size_t)at, "%02x", (unsigned)uid[i]);
	at += snprintf(hello + at, sizeof hello - (size_t)at, "\r\n");
	if ((r = send_all(fd, hello, (size_t)at, deadline)) < 0 ||
	    (r = read_line(fd, line, deadline)) < 0)
		return r;
	if (!str_starts(line, "OK "))
		return -EACCES;
	return send_all(fd, "BEGIN\r\n", strlen("BEGIN\r\n"), deadline);
}

static int say_hello(struct dbus *d, struct err *e)
{
	const struct dbus_call hello = { "org.freedesktop.DBus",
					 "/org/freedesktop/DBus",
					 "org.freedesktop.DBus",
					 "Hello",
					 { NULL } };
	struct dbus_reply reply;
	int r = dbus_call(d, &hello, &reply, e);

	if (r == 0 && reply.error)
		return err_say(e, -EACCES, "the system bus does not greet us: %s (%s)", reply.text,
			       reply.name);
	return r;
}

int dbus_open(struct dbus *d, struct err *e)
{
	int64_t deadline = clock_ms() + DBUS_PATIENCE_MS;
	struct sockaddr_un sa;
	socklen_t len;

	if (bus_address(&sa, &len) < 0)
		return err_say(e, -EINVAL,
			       "DBUS_SYSTEM_BUS_ADDRESS: expected unix:path=... or "
			       "unix:abstract=..., got %.80s",
			       getenv("DBUS_SYSTEM_BUS_ADDRESS"));
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "connect to the system bus");
	if (connect(fd, (const struct sockaddr *)&sa, len) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ?
			       DBUS_NO_BUS :
			       err_set(e, -errno, "connect to the system bus");
	int r = authenticate(fd, deadline);
	if (r < 0)
		return err_set(e, r, "say to the system bus who we are");
	struct dbus bus = { .fd = fd };
	if ((r = say_hello(&bus, e)) < 0)
		return r;
	*d = bus;
	fd = -1;
	return 0;
}

/* ---- calls */

/* The next message, whoever it is for. */
static int read_message(int fd, struct dbus_message *m, int64_t deadline)
{
	uint8_t head[DBUS_HEAD];
	int r = recv_all(fd, head, sizeof head, deadline);
	size_t len = r < 0 ? 0 : dbus_message_len(head);

	if (r < 0 || len < sizeof head)
		return r < 0 ? r : -EBADMSG;
	cleanup_free uint8_t *buf = malloc(len);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, head, sizeof head);
	r = recv_all(fd, buf + sizeof head, len - sizeof head, deadline);
	return r < 0 ? r : dbus_parse(buf, len, m);
}

int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_reply *out, struct err *e)
{
	int64_t deadline = clock_ms() + DBUS_PATIENCE_MS;
	struct dbus_message m = { 0 };
	uint8_t buf[CALL_MAX];
	uint32_t serial = ++d->serial;
	size_t len = dbus_write_call(c, serial, buf, sizeof buf);
	int r = len ? send_all(d->fd, buf, len, deadline) : -EMSGSIZE;

	for (int i = 0; r == 0 && i < STRANGERS_MAX; i++) {
		r = read_message(d->fd, &m, deadline);
		if (r == 0 && m.type != DBUS_OTHER && m.reply_to == serial) {
			*out = m.reply;
			return 0;
		}
	}
	if (r == -ETIMEDOUT)
		return err_say(e, r, "%s did not answer %s within %d s", c->dest, c->member,
			       DBUS_PATIENCE_MS / 1000);
	return err_set(e, r < 0 ? r : -EBADMSG, "ask %s for %s over D-Bus", c->dest, c->member);
}
