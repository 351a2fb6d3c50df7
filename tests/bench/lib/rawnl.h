/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_RAWNL_H
#define TESTS_BENCH_LIB_RAWNL_H

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;
struct rtattr;

/*
 * The least a netlink client can be, so that the floor programs measure the kernel and not a
 * library: messages are laid one after the other into one buffer and leave in one send().
 */
struct rawnl {
	char buf[65536];
	size_t len;
	uint32_t seq;
};

/* A netlink socket in the namespace of the caller. */
int rawnl_open(int protocol);

void rawnl_reset(struct rawnl *b);
struct nlmsghdr *rawnl_msg(struct rawnl *b, int type, int flags, const void *hdr, size_t len);
struct rtattr *rawnl_attr(struct rawnl *b, struct nlmsghdr *h, int type, const void *data,
			  size_t len);
void rawnl_str(struct rawnl *b, struct nlmsghdr *h, int type, const char *s);

/* Closes a nest: fixes the lengths of the attribute and of its message. */
void rawnl_end(struct rawnl *b, struct nlmsghdr *h, struct rtattr *nest);

/*
 * Sends the buffer and waits for the acknowledgement of message seq. Returns 0 or the first error,
 * -errno.
 */
int rawnl_talk(int fd, struct rawnl *b, uint32_t seq);

#endif
