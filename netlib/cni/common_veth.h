/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_VETH_H
#define NARU_CNI_COMMON_VETH_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/ip/ifname.h"

struct cni_op;
struct err;
struct link;
struct veth_spec;

/*
 * The veth pair of an attachment: its host end has a name derived from network, container and
 * interface, and an alias that says whose it is.
 */

/*
 * Creates the pair under a derived host name: v's mtu, master, MAC and hairpin are the caller's,
 * the rest is filled in. Refuses an interface name that the container has already, and a second
 * attachment under the same name.
 */
int common_veth_add(struct cni_op *op, struct veth_spec *v, struct err *e);
void common_veth_name(const struct cni_op *op, unsigned salt, char out[IFNAME_MAX]);
/*
 * A namespace's path may have been recycled: what bears the interface's name there is another
 * attachment's when its MAC is not the one that ADD reported, or when its peer's alias names
 * somebody else.
 */
bool common_is_anothers(const struct cni_op *op, const struct link *l);
/* Deletes the container's end when the host's was not found by name (made by another suite). */
int common_container_del(struct cni_op *op, struct err *e);

/* The host end of a veth: its derived name if it exists and is ours. 0, or -ENODEV. */
int common_host_veth(struct cni_op *op, struct link *out, struct err *e);
/* For CHECK: that, or the nameless veth of another suite whose other end is the container's. */
int common_host_veth_any(struct cni_op *op, struct link *out, struct err *e);
int common_veth_del(struct cni_op *op, struct err *e);
/*
 * The same, but a short-lived child waits for the kernel: the link is gone some 20 ms after our
 * exit.
 */
int common_veth_del_deferred(struct cni_op *op, struct err *e);
/* GC: removes veths of this network whose attachment is not valid. */
int common_veth_gc(struct cni_op *op, struct err *e);
/* The same for host interfaces of another kind that bear such an alias. */
int common_link_gc(struct cni_op *op, const char *kind, struct err *e);
/* "naru:HASH NETWORK/CONTAINER/IFNAME": alias of host ends. */
void common_alias(const struct cni_op *op, char *buf, size_t size);
/* Does an alias name an attachment, and one to this network? */
bool common_alias_is_attachment(const char *alias);
bool common_alias_in_network(const char *alias, const char *network);

#endif
