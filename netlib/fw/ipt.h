/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPT_H
#define NARU_FW_IPT_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/fw/backend.h"
#include "netlib/fw/iptname.h"
#include "netlib/fw/ipttable.h"

/*
 * The iptables backend, inside: ipt.c removes, collects and lists; iptadd.c adds and checks. All of
 * it is in table nat, which each family has for itself: what fails in the second is taken back from
 * the first.
 */
#define IPT_TABLE "nat"

int ipt_add(struct fw *fw, const struct fw_plan *p, struct err *e);
int ipt_check(struct fw *fw, const struct fw_plan *p, struct err *e);

/*
 * Removes an attachment's rules from an open table. masq (may be NULL): only the masquerade of
 * these addresses; the chain goes with its last entry.
 */
int ipt_drop_ports(struct ipt_table *t, const struct ipt_names *n, struct err *e);
int ipt_drop_masq(struct ipt_table *t, const struct ipt_names *n, const struct fw_plan *masq,
		  struct err *e);

#endif
