/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_H
#define NARU_CNI_COMMON_H

#include <stdbool.h>

#include "netlib/cni/plugin.h"
#include "netlib/fw/fw.h"
#include "netlib/net/link.h"

/*
 * Rows and pieces that interface plugins share. The ipam row stands twice in a plugin's table: before the links when the IPAM plugin
 * runs in process and needs no interface (an exhausted pool is found before anything exists), after them otherwise (dhcp).
 */
bool common_has_ipam(const struct cni_op *op);
bool common_ipam_early(const struct cni_op *op);
bool common_ipam_late(const struct cni_op *op);
int common_ipam_add(struct cni_op *op, struct err *e);		/* fills op->res ips, routes, dns */
int common_ipam_del(struct cni_op *op, struct err *e);
int common_ipam_check(struct cni_op *op, struct err *e);
int common_ipam_gc(struct cni_op *op, struct err *e);
int common_ipam_status(struct cni_op *op, struct err *e);

/* Applies config dns over IPAM's. replace_always: as macvlan & co; else only when any field was given, as bridge and ptp. */
int common_dns(struct cni_op *op, bool replace_always, struct err *e);

/* MAC from CNI_ARGS < args.cni.mac < runtimeConfig.mac (bridge's order). */
int common_mac(const struct cni_op *op, struct mac *out, struct err *e);

/* Masquerade of the result's addresses; the same for bridge, veth and masquerade. */
int common_masq_add(struct cni_op *op, struct err *e);
int common_masq_del(struct cni_op *op, struct err *e);
int common_masq_check(struct cni_op *op, struct err *e);
int common_masq_gc(struct cni_op *op, struct err *e);
int common_masq_status(struct cni_op *op, struct err *e);
struct fw_owner common_owner(const struct cni_op *op);
/* valid attachments of GC as firewall owners; malloc'd array of op->cc->nvalid */
struct fw_owner *common_valid_owners(const struct cni_op *op);

/* Configures addresses and routes of op->res on the container interface and sets it up; IPv6 with NODAD unless dad. */
int common_address_add(struct cni_op *op, uint32_t index, bool dad, struct err *e);
/* CHECK: prevResult's interface, addresses and routes are in the container. */
int common_address_check(struct cni_op *op, const char *kind, struct err *e);

/* IPv4 / IPv6 forwarding on, where needed by the families of op->res. */
int common_forwarding(struct cni_op *op, struct err *e);
int common_forwarding_check(struct cni_op *op, struct err *e);

/* The host end of a veth: its derived name if it exists and is ours. 0, or -ENODEV. */
int common_host_veth(struct cni_op *op, struct link *out, struct err *e);
int common_veth_del(struct cni_op *op, struct err *e);
/* GC: removes veths of this network whose attachment is not valid. */
int common_veth_gc(struct cni_op *op, struct err *e);
/* "naru:NETWORK/CONTAINER/IFNAME": alias of host ends. */
void common_alias(const struct cni_op *op, char *buf, size_t size);

#endif
