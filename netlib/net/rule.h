/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_RULE_H
#define NARU_NET_RULE_H

#include <stdint.h>

#include "netlib/ip/addr.h"

struct err;
struct nl;

#define RULE_EXISTS 1

/* A routing rule: packets from src (length 0: from anywhere) are looked up in a table. */
struct rule {
	struct ip_prefix src;
	uint32_t table;
	uint32_t priority; /* 0 when adding: the kernel's choice, before the rules it has */
};

/* RULE_EXISTS when there is one that reads the same. */
int rule_add(struct nl *nl, const struct rule *r, struct err *e);
/* The first that matches source, table and, unless 0, priority; absence is success. */
int rule_del(struct nl *nl, const struct rule *r, struct err *e);
/* Rules that look into a table, of one family; non-zero stops. */
int rule_each(struct nl *nl, uint8_t family, int (*fn)(const struct rule *r, void *arg), void *arg,
	      struct err *e);

#endif
