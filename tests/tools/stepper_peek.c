// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_peek.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void text_add(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof t->buf - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t end = t->len + ((size_t)n < room ? (size_t)n : room - 1);

	for (; t->len < end; t->len++)
		if (iscntrl((unsigned char)t->buf[t->len]))
			t->buf[t->len] = '?';
}

/* Page by page: a transfer is all or nothing for each piece it is asked for. */
size_t peek_mem(pid_t tid, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = 4096 - (addr + done) % 4096;
		struct iovec here, there;

		if (part > len - done)
			part = len - done;
		here = (struct iovec){ (char *)buf + done, part };
		there = (struct iovec){ (void *)(uintptr_t)(addr + done), part };
		ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int peek_str(pid_t tid, uint64_t addr, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size - 1) {
		size_t part = 4096 - (addr + done) % 4096;

		if (part > size - 1 - done)
			part = size - 1 - done;
		size_t n = peek_mem(tid, addr + done, buf + done, part);

		if (memchr(buf + done, 0, n))
			return 0;
		done += n;
		if (n < part)
			break;
	}
	buf[done] = 0;
	return done ? 0 : -1;
}

static void read_link(const char *path, char *buf, size_t size)
{
	ssize_t n = readlink(path, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
}

static void fd_path(pid_t tid, int fd, char path[64])
{
	snprintf(path, 64, "/proc/%d/fd/%d", (int)tid, fd);
}

void peek_fd_name(pid_t tid, int fd, char *buf, size_t size)
{
	char path[64];

	fd_path(tid, fd, path);
	read_link(path, buf, size);
	if (!*buf)
		snprintf(buf, size, "fd %d", fd);
}

int peek_fd_stat(pid_t tid, int fd, struct stat *st)
{
	char path[64];

	fd_path(tid, fd, path);
	return stat(path, st);
}

void peek_path(pid_t tid, int dirfd, uint64_t addr, char *buf, size_t size)
{
	char path[PATH_MAX] = "";

	if (addr && peek_str(tid, addr, path, sizeof path) < 0)
		snprintf(path, sizeof path, "(unreadable)");
	if (dirfd == AT_FDCWD || path[0] == '/') {
		snprintf(buf, size, "%s", path);
		return;
	}
	peek_fd_name(tid, dirfd, buf, size);
	size_t len = strlen(buf);

	if (path[0])
		snprintf(buf + len, size - len, "/%s", path);
}

/* The descriptor is borrowed for the time of two questions; its owner stands still meanwhile. */
int peek_socket(pid_t tgid, int fd, int *family, int *protocol)
{
	int pidfd = (int)syscall(SYS_pidfd_open, tgid, 0);

	if (pidfd < 0)
		return -1;
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	socklen_t len = sizeof *family;
	int r = -1;

	close(pidfd);
	if (copy < 0)
		return -1;
	if (getsockopt(copy, SOL_SOCKET, SO_DOMAIN, family, &len) == 0) {
		len = sizeof *protocol;
		r = getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, protocol, &len);
	}
	close(copy);
	return r;
}

long peek_status(pid_t tid, const char *key)
{
	char path[64], line[256];
	size_t len = strlen(key);
	long value = -1;

	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof line, f)) {
		if (strncmp(line, key, len))
			continue;
		line[strcspn(line, "\n")] = 0;
		char *last = strrchr(line, '\t');

		if (last)
			value = strtol(last + 1, NULL, 10);
	}
	fclose(f);
	return value;
}

void peek_program(pid_t tid, char comm[16], char *exe, size_t size)
{
	char path[64], link[PATH_MAX];

	snprintf(path, sizeof path, "/proc/%d/comm", (int)tid);
	FILE *f = fopen(path, "re");

	comm[0] = 0;
	if (f) {
		if (fgets(comm, 16, f))
			comm[strcspn(comm, "\n")] = 0;
		fclose(f);
	}
	snprintf(path, sizeof path, "/proc/%d/exe", (int)tid);
	read_link(path, link, sizeof link);
	const char *base = strrchr(link, '/');

	snprintf(exe, size, "%s", base ? base + 1 : link);
}
