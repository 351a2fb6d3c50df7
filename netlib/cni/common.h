/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_H
#define NARU_CNI_COMMON_H

#include <stdbool.h>

#include "netlib/cni/plugin.h"
#include "netlib/fw/fw.h"
#include "netlib/net/link.h"
#include "netlib/net/route.h"

/*
 * Rows and pieces that interface plugins share. The ipam row stands twice in a plugin's table:
 * before the links when the IPAM plugin runs in process and needs no interface (an exhausted pool
 * is found before anything exists), after them otherwise (dhcp).
 */
bool common_has_ipam(const struct cni_op *op);
/*
 * For conf_check: finds the IPAM plugin, which decides between the two ipam rows. For ADD a missing
 * one is an error, before anything is changed; for the other verbs the row reports it, so that the
 * rest still runs.
 */
int common_ipam_find(struct cni_op *op, struct err *e);

/*
 * DEL or GC: they come after an ADD that was refused, too, and must succeed then. Rules about
 * values are for the verbs that would act on them.
 */
bool common_is_removal(const struct cni_op *op);

bool common_ipam_early(const struct cni_op *op);
bool common_ipam_late(const struct cni_op *op);
int common_ipam_add(struct cni_op *op, struct err *e); /* fills op->res ips, routes, dns */
int common_ipam_del(struct cni_op *op, struct err *e);
int common_ipam_check(struct cni_op *op, struct err *e);
int common_ipam_gc(struct cni_op *op, struct err *e);
int common_ipam_status(struct cni_op *op, struct err *e);

/*
 * Applies config dns over IPAM's. replace_always: as macvlan & co; else only when any field was
 * given, as bridge and ptp.
 */
int common_dns(struct cni_op *op, bool replace_always, struct err *e);

/* MAC from CNI_ARGS < args.cni.mac < runtimeConfig.mac (bridge's order). */
int common_mac(const struct cni_op *op, struct mac *out, struct err *e);

/* Masquerade of the result's addresses; the same for bridge, veth and masquerade. */
int common_masq_add(struct cni_op *op, struct err *e);
int common_masq_del(struct cni_op *op, struct err *e);
int common_masq_check(struct cni_op *op, struct err *e);
int common_masq_gc(struct cni_op *op, struct err *e);
int common_masq_status(struct cni_op *op, struct err *e);
/*
 * Keys of the reference that this version lacks, NULL-terminated: one that asks for something
 * (true, a number, a text, a list with elements) is refused by name with code 2, never ignored.
 * unset (false, 0, "", [], null) is what we do anyway.
 */
int common_refuse(const struct cni_op *op, const char *const *keys, struct err *e);

/* ipMasqBackend: 0, or an error that says what can be had. */
int common_masq_backend(const char *text, struct err *e);
struct fw_owner common_owner(const struct cni_op *op);
/* valid attachments of GC as firewall owners; malloc'd array of op->cc->nvalid */
struct fw_owner *common_valid_owners(const struct cni_op *op);

/*
 * Configures addresses and routes of op->res on the container interface and sets it up; IPv6 with
 * NODAD unless dad.
 */
int common_address_add(struct cni_op *op, uint32_t index, bool dad, struct err *e);
/*
 * The same with more address flags (IFA_F_NOPREFIXROUTE) and routes that come before the result's.
 */
int common_address_add_with(struct cni_op *op, uint32_t index, bool dad, uint32_t flags,
			    const struct route *extra, size_t nextra, struct err *e);
/*
 * CHECK: prevResult's interface (of this MTU unless 0), addresses with the routes to their subnets,
 * and routes are in the container.
 */
int common_address_check(struct cni_op *op, const char *kind, uint32_t mtu, struct err *e);

/* The last row: the container's IPv6 addresses can be used, and are nobody else's. */
bool common_has_v6(const struct cni_op *op);
int common_addresses_await(struct cni_op *op, struct err *e);
#define COMMON_SETTLE_MS 5000

/* IPv4 / IPv6 forwarding on, where needed by the families of op->res. */
int common_forwarding(struct cni_op *op, struct err *e);
/* A sysctl of the host that attachments share (furniture.h): one fault point, not undone. */
int common_shared_sysctl(struct cni_op *op, const char *name, const char *value, struct err *e);
int common_forwarding_check(struct cni_op *op, struct err *e);

/* Is the address on the container interface this operation is about (or on none in particular)? */
bool common_ip_is_mine(const struct cni_op *op, const struct cni_result *res,
		       const struct cni_ip *ip);

/*
 * Creates the pair under a derived host name: v's mtu, master, MAC and hairpin are the caller's,
 * the rest is filled in. Refuses an interface name that the container has already, and a second
 * attachment under the same name.
 */
int common_veth_add(struct cni_op *op, struct veth_spec *v, struct err *e);
void common_veth_name(const struct cni_op *op, unsigned salt, char out[IFNAME_MAX]);
/* Deletes the container's end when the host's was not found by name (made by another suite). */
int common_container_del(struct cni_op *op, struct err *e);

/* The host end of a veth: its derived name if it exists and is ours. 0, or -ENODEV. */
int common_host_veth(struct cni_op *op, struct link *out, struct err *e);
int common_veth_del(struct cni_op *op, struct err *e);
/*
 * The same, but a short-lived child waits for the kernel: the link is gone some 20 ms after our
 * exit.
 */
int common_veth_del_deferred(struct cni_op *op, struct err *e);
/* GC: removes veths of this network whose attachment is not valid. */
int common_veth_gc(struct cni_op *op, struct err *e);
/* "naru:HASH NETWORK/CONTAINER/IFNAME": alias of host ends. */
void common_alias(const struct cni_op *op, char *buf, size_t size);
/* Does an alias name an attachment to this network? */
bool common_alias_in_network(const char *alias, const char *network);

#endif
