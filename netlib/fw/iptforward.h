/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTFORWARD_H
#define NARU_FW_IPTFORWARD_H

#include <stddef.h>

/*
 * Forwarding in the legacy table filter: accepted addresses and isolated bridges (FW_ACCEPT and
 * FW_ISOLATE of fw.h), in the chains, the comments and the shapes of the reference's firewall
 * plugin, so that either can go on with what the other made. Whose an address is stands in a note
 * (note.h), since the rules do not say. Rules of a bridge serve all its containers: they go when
 * the bridge is gone (gc, sweep).
 */
#define IPT_FORWARD_CHAIN "CNI-FORWARD"
#define IPT_ADMIN_CHAIN "CNI-ADMIN" /* unless the plan names another */
#define IPT_STAGE_1 "CNI-ISOLATION-STAGE-1"
#define IPT_STAGE_2 "CNI-ISOLATION-STAGE-2"
#define IPT_FORWARD_NOTES "/run/naru/forward"

struct err;
struct fw_owner;
struct fw_plan;

/* The contracts are those of fw_add and so on. */
int ipt_forward_add(const struct fw_plan *p, struct err *e);
int ipt_forward_del(const struct fw_owner *owner, unsigned parts, const struct fw_plan *hint,
		    struct err *e);
int ipt_forward_check(const struct fw_plan *p, struct err *e);
int ipt_forward_gc(const char *network, const struct fw_owner *valid, size_t nvalid, unsigned parts,
		   struct err *e);
int ipt_forward_sweep(struct err *e);
int ipt_forward_each(int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		     void *arg, struct err *e);

#endif
