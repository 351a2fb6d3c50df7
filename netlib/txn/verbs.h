/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_TXN_VERBS_H
#define NARU_TXN_VERBS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "netlib/fw/fw.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/link_kinds.h"
#include "netlib/net/route.h"
#include "netlib/net/rule.h"
#include "netlib/net/tap.h"
#include "netlib/txn/txn.h"

struct nlmsg;

/*
 * The verbs that everybody shares. Each is one fault point and knows its undo; outcomes are those
 * of the function it wraps (a positive "was there already" records nothing, since nothing was
 * changed).
 */
/* The undo leaves a bridge that somebody else's port has joined. */
int txn_bridge_add(struct txn *t, const struct bridge_spec *b, struct err *e);
/* The host end goes with its peer: one record for both. */
int txn_veth_add(struct txn *t, const struct veth_spec *v, struct err *e);
/* In the container. */
int txn_tap_add(struct txn *t, const struct tap_spec *tap, struct err *e);
int txn_ifb_add(struct txn *t, const struct ifb_spec *i, struct err *e);
/*
 * A queue of a host's interface at parent (TC_H_ROOT, TC_H_INGRESS): m makes it, and what is in it,
 * which goes with it. what names it in errors. -EEXIST when there is one already.
 */
int txn_qdisc_add(struct txn *t, const struct link *l, uint32_t parent, struct nlmsg *m,
		  const char *what, struct err *e);
/*
 * A link on top of another, born in ns UNDO_CONT (c->netns is its descriptor) or made there by the
 * socket of that namespace (c->netns is -1); from is the namespace that c->lower belongs to.
 */
int txn_child_add(struct txn *t, enum undo_ns from, const struct link_child *c, struct err *e);
/* Shared addresses and routes: in ns UNDO_HOST or UNDO_CONT. */
int txn_addr_add(struct txn *t, enum undo_ns ns, uint32_t index, const struct ip_prefix *p,
		 uint32_t flags, struct err *e);
/* Deletes an address and remembers it with its flags (NODAD, NOPREFIXROUTE, ...). */
int txn_addr_del(struct txn *t, enum undo_ns ns, const struct addr *a, struct err *e);
int txn_route_add(struct txn *t, enum undo_ns ns, const struct route *r, struct err *e);
/* Deletes a route, as route_each tells it, and remembers it. */
int txn_route_del(struct txn *t, enum undo_ns ns, const struct route *r, struct err *e);
/* A rule of the container's or the host's; RULE_EXISTS records nothing. */
int txn_rule_add(struct txn *t, enum undo_ns ns, const struct rule *r, struct err *e);
/* Up or down with the previous state as undo; no record when it already is. */
int txn_link_up(struct txn *t, enum undo_ns ns, const struct link *l, struct err *e);
/* The same for a bridge of the host: the undo leaves one up that somebody's port has joined. */
int txn_bridge_up(struct txn *t, const struct link *l, struct err *e);
/* Writes a sysctl when it differs and remembers the old value. */
int txn_sysctl(struct txn *t, enum undo_ns ns, const char *name, const char *value, struct err *e);
/* One firewall transaction; undone by removing the owner's parts. */
int txn_fw_add(struct txn *t, struct fw *fw, const struct fw_plan *p, struct err *e);
/* One MAC address for a bridge's port; undone by removing the owner's elements. */
struct fw_spoof;
int txn_spoof_add(struct txn *t, const struct fw_spoof *s, struct err *e);
/* A file by its absolute path. */
int txn_file_create(struct txn *t, const char *path, mode_t mode, const void *buf, size_t len,
		    struct err *e);
/* Every kind of undo above, for reading journals. NULL-terminated. */
extern const struct undo_op *const txn_undo_ops[];

int txn_netns_create(struct txn *t, const char *path, struct err *e);

#endif
