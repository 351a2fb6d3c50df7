// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"

size_t lease_text(const struct lease_owner *o, char *buf)
{
	int n = snprintf(buf, LEASE_TEXT_MAX, "%s\r\n%s", o->container, o->ifname);

	return n < 0 ? 0 : (size_t)n;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* NUL bytes are what some file systems show after power failed between the size and the data. */
static bool is_void(const char *text, size_t len)
{
	while (len && (is_blank(text[len - 1]) || !text[len - 1]))
		len--;
	return len == 0;
}

static bool copy_word(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)from[i] <= ' ')
			return false;
	memcpy(to, from, len);
	to[len] = 0;
	return true;
}

void lease_parse(const char *text, size_t len, struct lease *out)
{
	out->container[0] = out->ifname[0] = 0;
	out->state = LEASE_EMPTY;
	if (is_void(text, len))
		return;
	while (is_blank(text[len - 1]))
		len--;
	while (is_blank(*text)) {
		text++;
		len--;
	}
	const char *brk = memchr(text, '\r', len);
	size_t first = brk ? (size_t)(brk - text) : len;
	out->state = LEASE_FOREIGN;
	if (!copy_word(out->container, sizeof out->container, text, first))
		return;
	if (brk) {
		size_t skip =
			first + 2; /* CR LF; something follows, since trailing blanks are gone */

		if (brk[1] != '\n' ||
		    !copy_word(out->ifname, sizeof out->ifname, text + skip, len - skip))
			return;
	}
	out->state = LEASE_OWNED;
}

bool lease_is_of(const struct lease *l, const struct lease_owner *o)
{
	return l->state == LEASE_OWNED && !strcmp(l->container, o->container) &&
	       (!l->ifname[0] || !strcmp(l->ifname, o->ifname));
}

int lease_read(int dir, const char *name, struct lease *out)
{
	char text[LEASE_TEXT_MAX + 64];
	struct stat st;

	out->state = LEASE_FOREIGN;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		out->state = LEASE_ABSENT;
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)sizeof text)
		return 0;
	cleanup_fd int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		out->state = errno == ENOENT ? LEASE_ABSENT : LEASE_FOREIGN;
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	}
	ssize_t n = read(fd, text, sizeof text);
	if (n < 0)
		return -errno;
	lease_parse(text, (size_t)n, out);
	return 0;
}

int lease_name_parse(const char *name, struct ip_addr *out)
{
	char text[IP_TEXT_MAX];
	struct ip_addr a;

	if (ip_parse(name, &a) < 0 || strcmp(ip_text(&a, text), name) != 0)
		return -EINVAL;
	*out = a;
	return 0;
}
