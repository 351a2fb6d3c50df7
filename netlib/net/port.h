/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_PORT_H
#define NARU_NET_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct nl;

/* A bridge port's own settings (IFLA_PROTINFO). */
struct port_state {
	uint8_t state; /* BR_STATE_*: 3 = forwarding */
	uint8_t hairpin;
	uint8_t isolated;
};

int port_get(struct nl *nl, uint32_t index, struct port_state *out, struct err *e);

/* Isolated ports of a bridge do not see each other, on whatever layer. */
int port_isolate(struct nl *nl, uint32_t index, bool isolated, struct err *e);

/*
 * Waits until the link is operationally up and, as a bridge port, forwarding: looks once, then
 * listens to link events on a socket of its own opened on nl's namespace (netns_fd, or -1 for the
 * caller's). -ETIMEDOUT with the state found.
 */
int port_await(struct nl *nl, int netns_fd, uint32_t index, int timeout_ms, struct err *e);

#endif
