/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NL_NL_H
#define NARU_NL_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct nlmsg;
struct nlmsghdr;

/*
 * A netlink socket. It belongs to the network namespace in which it was opened and keeps working on
 * that one wherever the process goes: open one per namespace, named after it ("host", "cont"), and
 * switch no more.
 */
struct nl {
	int fd;
	uint32_t seq;
	const char *name; /* for error texts; borrowed */
};

#define NL_INIT { .fd = -1 }
#define cleanup_nl __attribute__((cleanup(nl_close)))

/* bus is NETLINK_ROUTE, NETLINK_NETFILTER, ...; netns_fd < 0: the caller's own namespace. */
int nl_open(struct nl *nl, int bus, int netns_fd, const char *name, struct err *e);
void nl_close(struct nl *nl);

/*
 * Sends every message in m at once and reads their acknowledgements. The kernel executes them in
 * order and does not stop at a failure; the first failure is returned (-errno) with the kernel's
 * extended-ack text, and *failed (may be NULL) is the index of its message. Messages must be
 * requests that are answered by an acknowledgement only.
 */
int nl_talk_at(struct nl *nl, struct nlmsg *m, unsigned *failed, struct err *e);
int nl_talk(struct nl *nl, struct nlmsg *m, struct err *e);
/*
 * The same for a caller with a use for one or two refusals (-errno; 0 = none): they are returned,
 * and *e stays untouched.
 */
int nl_talk_but(struct nl *nl, struct nlmsg *m, int refusal, int other, struct err *e);

/*
 * A callback gets each reply message; non-zero stops (the rest is drained) and is returned when
 * negative.
 */
typedef int nl_reply_fn(const struct nlmsghdr *h, void *arg);

/* One request, one answer. 0, or -errno (-ENODEV, -ENOENT: no such object). */
int nl_get(struct nl *nl, struct nlmsg *m, nl_reply_fn *fn, void *arg, struct err *e);

/*
 * A dump. When the kernel says that it changed underneath (NLM_F_DUMP_INTR) or the socket
 * overflowed, restart(arg) is called (may be NULL) and it is repeated, at most 10 times with
 * pauses that grow, some 150 ms in all, then -EAGAIN.
 */
int nl_dump(struct nl *nl, struct nlmsg *m, nl_reply_fn *fn, void (*restart)(void *arg), void *arg,
	    struct err *e);

/* Subscribes to a multicast group (RTNLGRP_LINK...) of the socket's namespace. */
int nl_subscribe(struct nl *nl, unsigned group, struct err *e);

/*
 * Gives each event to fn until it returns non-zero (negative: returned; positive: 0) or timeout_ms
 * is over (-ETIMEDOUT, without a sentence: the caller knows what it waited for). An overflow, or an
 * event that does not fit (-ENOBUFS), is reported as such: look at the state yourself then.
 */
int nl_wait(struct nl *nl, int timeout_ms, nl_reply_fn *fn, void *arg, struct err *e);

#endif
