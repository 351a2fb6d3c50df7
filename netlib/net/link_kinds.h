/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_LINK_KINDS_H
#define NARU_NET_LINK_KINDS_H

#include <stddef.h>
#include <stdint.h>

#include "netlib/net/link.h"

/* Links that stand on another one (macvlan, ipvlan, vlan) or on none (dummy, vrf). */
struct link_child {
	const char *name; /* its final one */
	const char *kind;
	uint32_t lower; /* index of what it stands on, in the socket's namespace; 0 = nothing */
	int netns;	/* where it is born; -1 = the socket's namespace */
	uint32_t mtu;	/* 0 = as the lower link's */
	struct mac mac; /* unset = kernel's choice */
	/* macvlan and ipvlan: mode; vlan: id; vrf: table; dummy: nothing */
	uint32_t value;
	uint32_t bcqueuelen; /* macvlan; 0 = default */
};

/*
 * Creates it, down, in one RTM_NEWLINK: it is born in its namespace under its name and never seen
 * elsewhere, so a crash leaves nothing behind. LINK_EXISTS when the name is taken there (target is
 * a socket of that namespace). -EOPNOTSUPP, code 104, names the module that the kernel lacks.
 */
int link_add_child(struct nl *nl, struct nl *target, const struct link_child *c, struct err *e);

/* Does the kernel know the kind (loading its module where it can)? 0, or -EOPNOTSUPP as above. */
int link_kind_ready(struct nl *nl, const char *kind, struct err *e);

/*
 * Modes of macvlan and ipvlan by their names in configurations. 0, or -EINVAL; NULL when the kind
 * has no such mode.
 */
int link_mode_parse(const char *kind, const char *text, uint32_t *out);
const char *link_mode_text(const char *kind, uint32_t mode);

/* For link.c: reads the attributes of IFLA_INFO_DATA that belong to the link's kind. */
int link_kind_decode(const void *data, size_t len, struct link *l);

#endif
