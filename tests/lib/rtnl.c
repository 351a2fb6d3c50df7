// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REPLY_MAX (256 * 1024)

int rtnl_open(int protocol)
{
	const struct timeval limit = { .tv_sec = 5 };
	const int on = 1, room = 4 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	return fd;
}

static int request(int fd, int type, int flags, const void *body, size_t len, unsigned *seq)
{
	static unsigned counter;
	struct {
		struct nlmsghdr h;
		char body[1024];
	} m = { 0 };

	if (len > sizeof m.body)
		return -E2BIG;
	*seq = ++counter;
	m.h.nlmsg_len = NLMSG_LENGTH(len);
	m.h.nlmsg_type = (unsigned short)type;
	m.h.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	m.h.nlmsg_seq = *seq;
	memcpy(m.body, body, len);
	return send(fd, &m, m.h.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* Reads replies to seq until the kernel is done with it. */
static int replies(int fd, unsigned seq, void (*each)(const struct nlmsghdr *, void *), void *arg)
{
	static char buf[REPLY_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	int torn = 0;

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof buf, MSG_TRUNC);
		unsigned left = (unsigned)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > sizeof buf)
			return -EMSGSIZE;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != seq)
				continue;
			torn |= h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE) {
				int err = *(int *)NLMSG_DATA(h);

				return err < 0 ? err : torn ? -EINTR : 0;
			}
			if (each)
				each(h, arg);
		}
	}
}

int rtnl_dump(int fd, int type, const void *hdr, size_t hdr_len,
	      void (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
	unsigned seq;
	int r = request(fd, type, NLM_F_DUMP, hdr, hdr_len, &seq);

	return r < 0 ? r : replies(fd, seq, each, arg);
}

int rtnl_ask(int fd, int type, const void *body, size_t body_len,
	     void (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
	unsigned seq;
	int r = request(fd, type, NLM_F_ACK, body, body_len, &seq);

	return r < 0 ? r : replies(fd, seq, each, arg);
}

void rtnl_attrs(struct rtattr *tb[], unsigned max, const void *a, size_t len)
{
	unsigned left = (unsigned)len;

	memset(tb, 0, (max + 1) * sizeof *tb);
	for (struct rtattr *at = (struct rtattr *)a; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		unsigned type = at->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			tb[type] = at;
	}
}

unsigned rtnl_u32(const struct rtattr *a, unsigned missing)
{
	unsigned v;

	if (!a || RTA_PAYLOAD(a) < sizeof v)
		return missing;
	memcpy(&v, RTA_DATA(a), sizeof v);
	return v;
}

const char *rtnl_str(const struct rtattr *a, const char *missing)
{
	return a ? RTA_DATA(a) : missing;
}
