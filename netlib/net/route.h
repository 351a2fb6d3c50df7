/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_ROUTE_H
#define NARU_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

struct err;
struct nl;
struct nlmsg;

#define ROUTE_EXISTS 1

struct route {
	struct ip_prefix dst; /* length 0 = default */
	struct ip_addr gw;    /* unset = on link */
	struct ip_addr src;   /* preferred source; unset = kernel's choice */
	uint32_t oif;
	uint32_t table;	      /* 0 = main */
	uint32_t priority;    /* metric; 0 = default */
	uint32_t mtu, advmss; /* 0 = none */
	/* RT_SCOPE_*; used when has_scope, else universe with a gateway, link without */
	uint8_t scope;
	bool has_scope;
	bool onlink; /* the gateway is a neighbour although no route says so */
	/* RTPROT_*; 0 = RTPROT_BOOT when adding, as ip(8) and the reference have it */
	uint8_t protocol;
	uint8_t type; /* RTN_*; 0 = RTN_UNICAST when adding */
};

/* ROUTE_EXISTS when the same destination, table and metric is taken (NLM_F_EXCL). */
int route_add(struct nl *nl, const struct route *r, struct err *e);
/* The message alone, for a batch. append: beside others to the same destination. */
void route_put(struct nlmsg *m, const struct route *r, bool append);
/* The same with several gateways that share what goes there; r's own gateway does not count. */
struct route_hop {
	struct ip_addr gw;
	bool onlink;
};
void route_put_shared(struct nlmsg *m, const struct route *r, const struct route_hop *hops,
		      size_t n);
int route_del(struct nl *nl, const struct route *r, struct err *e); /* absence is success */
/* Calls fn for each route, and for each next hop of one that is shared; non-zero stops. */
int route_each(struct nl *nl, uint8_t family, int (*fn)(const struct route *r, void *arg),
	       void *arg, struct err *e);
/*
 * Asks the kernel through which interface a packet of ours to that address would leave; ROUTE_NONE
 * when it would not.
 */
#define ROUTE_NONE 1
int route_towards(struct nl *nl, const struct ip_addr *to, uint32_t *oif, struct err *e);
/* "10.0.0.0/8 via 10.1.0.1": for errors. buf holds 2 * IP_TEXT_MAX + 8. */
#define ROUTE_TEXT_MAX (2 * IP_TEXT_MAX + 8)
const char *route_text(const struct route *r, char *buf);

#endif
