// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"

static int wait_readable(int fd, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until_ms - clock_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int fd_read_all(int fd, size_t max, int timeout_ms, char **out, size_t *len)
{
	int64_t until = clock_ms() + timeout_ms;
	size_t cap = 4096, n = 0;
	cleanup_free char *buf = malloc(cap);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		int r = timeout_ms >= 0 ? wait_readable(fd, until) : 0;

		if (r < 0)
			return r;
		ssize_t got = read(fd, buf + n, cap - n - 1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max)
			return -EFBIG;
		if (cap - n < 2) {
			char *p = realloc(buf, cap * 2);

			if (!p)
				return -ENOMEM;
			buf = p;
			cap *= 2;
		}
	}
	buf[n] = 0;
	*out = take_ptr(buf);
	if (len)
		*len = n;
	return 0;
}

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EAGAIN) /* somebody else's pipe may not block */
			(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_sanitize(void)
{
	int fd;

	do {
		/* not O_CLOEXEC: it stands in for a standard stream */
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= 2);
	(void)close(fd);
	if (close_range(3, ~0U, 0) < 0 && errno != ENOSYS)
		return -errno;
	return 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}
