/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTPLAN_H
#define NARU_FW_IPTPLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/fw/iptname.h"
#include "netlib/fw/iptrule.h"

/* A plan as legacy rules of table nat, as the reference plugins write them. Pure. */
struct err;
struct fw_plan;

enum ipt_place {
	IPT_SHARED, /* everybody's: added at the end when it is not there */
	IPT_FRONT,  /* the same at the front */
	IPT_OWN,    /* in a chain that is the attachment's alone, in this order */
	IPT_ENTRY,  /* what leads into such a chain */
};

struct ipt_want {
	const char *chain;
	enum ipt_place place;
	struct ipt_rule rule;
};

/*
 * Calls fn with each rule that the plan's parts (FW_MASQ, FW_DNAT) need in a family, in the order
 * in which they are added: a chain's rules before those that lead to it. A value other than 0 from
 * fn ends it and is returned. -EINVAL naming the condition that is not understood.
 */
typedef int ipt_want_fn(const struct ipt_want *w, void *arg, struct err *e);
int ipt_plan_each(const struct fw_plan *p, uint8_t family, unsigned parts, ipt_want_fn *fn,
		  void *arg, struct err *e);

/* Does the plan have anything of these parts in the family? */
bool ipt_plan_has(const struct fw_plan *p, uint8_t family, unsigned parts);

#endif
