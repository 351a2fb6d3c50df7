/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_FORWARD_H
#define NARU_CNI_COMMON_FORWARD_H

struct cni_op;
struct err;

/* IPv4 / IPv6 forwarding on, where needed by the families of op->res. */
int common_forwarding(struct cni_op *op, struct err *e);
/* A sysctl of the host that attachments share (furniture.h): one fault point, not undone. */
int common_shared_sysctl(struct cni_op *op, const char *name, const char *value, struct err *e);
int common_forwarding_check(struct cni_op *op, struct err *e);

#endif
