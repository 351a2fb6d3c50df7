/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_TAP_H
#define NARU_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct nl;

#define TAP_EXISTS 1

/* A tap that stays when nobody has it open. */
struct tap_spec {
	const char *name;
	bool multi_queue;
	bool has_owner, has_group; /* who may open it besides root; without: nobody's */
	uint32_t owner, group;
	const char *selinux; /* context that its device has, or NULL */
};

/*
 * Creates it in a namespace, which nl belongs to. A process that ends on the way leaves nothing.
 * TAP_EXISTS when the name is taken; -EOPNOTSUPP when the kernel has no SELinux for the context.
 */
int tap_add(struct nl *nl, int netns_fd, const struct tap_spec *t, struct err *e);

/* What the kernel says of one; -ENODEV. owner and group are those of tap_spec. */
struct tap {
	uint8_t type; /* IFF_TAP */
	uint8_t multi_queue, persist;
	uint32_t owner, group; /* UINT32_MAX: nobody */
};
int tap_get(struct nl *nl, uint32_t index, struct tap *out, struct err *e);

#endif
