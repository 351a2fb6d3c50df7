/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_ADDR_H
#define NARU_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

struct err;
struct nl;
struct nlmsg;

#define ADDR_EXISTS 1

struct addr {
	uint32_t index; /* interface */
	uint32_t flags; /* IFA_F_* */
	uint8_t scope;
	struct ip_prefix prefix;
};

/*
 * flags: IFA_F_* (IFA_F_NODAD is what IPv6 addresses of containers get). ADDR_EXISTS when it is
 * there already.
 */
int addr_add(struct nl *nl, uint32_t index, const struct ip_prefix *p, uint32_t flags,
	     struct err *e);
/* The message alone, for a batch. */
void addr_put(struct nlmsg *m, uint32_t index, const struct ip_prefix *p, uint32_t flags);
/* absence is success */
int addr_del(struct nl *nl, uint32_t index, const struct ip_prefix *p, struct err *e);
/* family 0 = both; index 0 = all interfaces. */
int addr_each(struct nl *nl, uint8_t family, uint32_t index,
	      int (*fn)(const struct addr *a, void *arg), void *arg, struct err *e);

/*
 * Waits until every IPv6 address of the interface can be used: the kernel sees to that a moment
 * after it was added, or, with detection of duplicates, a second or two. Looks once; then events
 * are heard on a socket of its own in nl's namespace (netns_fd, or -1 for the caller's).
 * -EADDRINUSE when somebody has one of them, -ETIMEDOUT.
 */
int addr_await(struct nl *nl, int netns_fd, uint32_t index, int timeout_ms, struct err *e);

#endif
