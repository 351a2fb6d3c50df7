/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_ADDRESS_H
#define NARU_CNI_COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cni_op;
struct cni_result;
struct err;
struct link;
struct route;

/* Addresses and routes of the container's interface, set from a result and checked against it. */

bool common_has_family(const struct cni_result *res, uint8_t family);

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

/* Of these, the interface alone. */
enum common_state { COMMON_UP, COMMON_UP_OR_DOWN };
int common_container_check(struct cni_op *op, const char *kind, uint32_t mtu,
			   enum common_state state, struct link *out, struct err *e);

/* The last row: the container's IPv6 addresses can be used, and are nobody else's. */
bool common_has_v6(const struct cni_op *op);
int common_addresses_await(struct cni_op *op, struct err *e);
#define COMMON_SETTLE_MS 5000

#endif
