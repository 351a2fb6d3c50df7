// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/rawnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "tests/bench/lib/sample.h"

int rawnl_open(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		die("netlink socket of protocol %d", protocol);
	return fd;
}

void rawnl_reset(struct rawnl *b)
{
	b->len = 0;
}

struct nlmsghdr *rawnl_msg(struct rawnl *b, int type, int flags, const void *hdr, size_t len)
{
	struct nlmsghdr *h = (void *)(b->buf + b->len);

	memset(h, 0, NLMSG_HDRLEN + NLMSG_ALIGN(len));
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++b->seq;
	h->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(len));
	memcpy(NLMSG_DATA(h), hdr, len);
	b->len += h->nlmsg_len;
	return h;
}

struct rtattr *rawnl_attr(struct rawnl *b, struct nlmsghdr *h, int type, const void *data,
			  size_t len)
{
	struct rtattr *a = (void *)(b->buf + b->len);
	size_t all = RTA_LENGTH(len);

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)all;
	if (len)
		memcpy(RTA_DATA(a), data, len);
	memset((char *)a + all, 0, RTA_ALIGN(all) - all);
	b->len += RTA_ALIGN(all);
	h->nlmsg_len = (uint32_t)(b->buf + b->len - (char *)h);
	return a;
}

void rawnl_str(struct rawnl *b, struct nlmsghdr *h, int type, const char *s)
{
	rawnl_attr(b, h, type, s, strlen(s) + 1);
}

void rawnl_end(struct rawnl *b, struct nlmsghdr *h, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)(b->buf + b->len - (char *)nest);
	h->nlmsg_len = (uint32_t)(b->buf + b->len - (char *)h);
}

int rawnl_talk(int fd, struct rawnl *b, uint32_t seq)
{
	static char reply[65536];

	if (send(fd, b->buf, b->len, 0) != (ssize_t)b->len)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, reply, sizeof reply, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size_t left = (size_t)n;
		struct nlmsghdr *h = (void *)reply;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			if (e->error || h->nlmsg_seq == seq)
				return e->error;
		}
	}
}
