/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_CHILD_H
#define NARU_CNI_COMMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/net/link.h"

struct cni_op;
struct err;

/*
 * Rows of the plugins whose interface is a single link in the container: macvlan, ipvlan and vlan
 * on a master, dummy on nothing. It is born there under its final name, so it is found by its name
 * and kind; nothing is ever in the host.
 *
 * The plugin's own struct begins with this one.
 */
struct child {
	const char *kind; /* as link_kinds.h spells it */
	const char *master;
	bool in_container; /* master is looked up in the container */
	bool stands_alone; /* dummy: there is no master */
	bool any_master;   /* ipvlan in a chain: which one is known at ADD only */
	bool keeps_dns;	   /* the configuration's dns does not replace what IPAM gave */
	int32_t mtu;
	struct mac mac;
	uint32_t value, bcqueuelen; /* struct link_child */
	struct link lower;	    /* the master, once it was looked up */
};

/* Refuses a missing "ipam": what is said is the reference's sentence, where it has one. */
int child_needs_ipam(const struct cni_op *op, const char *sentence, struct err *e);

int child_add(struct cni_op *op, struct err *e);
int child_del(struct cni_op *op, struct err *e);
int child_check(struct cni_op *op, struct err *e);
/* 50: no such master, or a kernel without the kind. */
int child_status(struct cni_op *op, struct err *e);

/* Addresses and routes; without addresses the interface is only set up. */
int child_address_add(struct cni_op *op, struct err *e);
int child_address_check(struct cni_op *op, struct err *e);
/*
 * Waits until IPv6 addresses can be used; not on a master without carrier, where nobody can be
 * asked whether he has them.
 */
int child_settle(struct cni_op *op, struct err *e);

/* The rows around the plugin's own. */
#define CHILD_ROWS(name, add) \
	{ "ipam",	  common_ipam_early, common_ipam_add, common_ipam_del, common_ipam_check, \
	  common_ipam_gc, common_ipam_status }, \
		{ name, NULL, add, child_del, child_check, NULL, child_status }, \
		{ "ipam", \
		  common_ipam_late, \
		  common_ipam_add, \
		  common_ipam_del, \
		  common_ipam_check, \
		  common_ipam_gc, \
		  common_ipam_status }, \
		{ "address", NULL, child_address_add, NULL, child_address_check, NULL, NULL }, \
	{ \
		"settle", common_has_v6, child_settle, NULL, NULL, NULL, NULL \
	}

#endif
