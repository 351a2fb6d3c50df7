/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_TC_H
#define NARU_NET_TC_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

struct err;
struct nl;
struct nlmsg;

/* Traffic control: queueing disciplines, their classes and filters. */

#define TC_HANDLE(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define TC_ROOT_HANDLE TC_HANDLE(1, 0) /* the one that ours, and the reference's, bear */

/*
 * A rate with what may come at once: bytes per second, and the burst as the time it takes at that
 * rate, in the kernel's ticks of 64 ns.
 */
struct tc_rate {
	uint64_t bytes_ps;
	uint32_t buffer;
};

/*
 * burst in bytes; computed by way of whole microseconds, as tc and the reference do, so that their
 * CHECK finds the same number. What does not fit is the most that does.
 */
struct tc_rate tc_rate(uint64_t bytes_ps, uint64_t burst);
/* Bytes that may wait: what passes in latency_ms, and the burst. */
uint32_t tc_limit(uint64_t bytes_ps, unsigned latency_ms, uint64_t burst);

struct qdisc {
	uint32_t index, handle, parent;
	char kind[16];
	struct tc_rate rate; /* tbf */
	uint32_t limit;	     /* tbf */
	uint32_t defcls;     /* htb: minor number of the class for what no filter matches */
};

struct tc_class { /* of an htb */
	uint32_t handle;
	struct tc_rate rate;
};

struct tc_filter {
	uint32_t classid;
	bool redirects;	   /* packets are sent to another interface: */
	uint32_t redirect; /* its index; 0 when it is gone */
	uint16_t protocol;
};

/* Messages for a batch; a qdisc that is there already is refused by the kernel (EEXIST). */
void tc_put_tbf(struct nlmsg *m, uint32_t index, const struct tc_rate *r, uint32_t limit);
void tc_put_htb(struct nlmsg *m, uint32_t index, uint32_t defcls);
void tc_put_htb_class(struct nlmsg *m, uint32_t index, uint32_t classid, const struct tc_rate *r);
/* Packets from (source) or to a subnet belong to the class. */
void tc_put_subnet(struct nlmsg *m, uint32_t index, const struct ip_prefix *subnet, bool source,
		   uint32_t classid);
void tc_put_ingress(struct nlmsg *m, uint32_t index);
/* All that arrives at an interface with an ingress qdisc leaves by another one. */
void tc_put_redirect(struct nlmsg *m, uint32_t index, uint32_t to);

/* The parent of a qdisc (TC_H_ROOT, TC_H_INGRESS) and so all below it; absence is success. */
int qdisc_del(struct nl *nl, uint32_t index, uint32_t parent, struct err *e);

/* The qdisc at a parent: 0, or QDISC_NONE (the kernel's own default counts as none). */
#define QDISC_NONE 1
int qdisc_get(struct nl *nl, uint32_t index, uint32_t parent, struct qdisc *out, struct err *e);
int class_each(struct nl *nl, uint32_t index, int (*fn)(const struct tc_class *c, void *arg),
	       void *arg, struct err *e);
/* Filters at a qdisc: parent TC_ROOT_HANDLE, or TC_H_MAKE(TC_H_INGRESS, 0). */
int filter_each(struct nl *nl, uint32_t index, uint32_t parent,
		int (*fn)(const struct tc_filter *f, void *arg), void *arg, struct err *e);

#endif
