/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_MACHINE6_H
#define NARU_IPAM_DHCP_MACHINE6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipam/dhcp/pace.h"
#include "ipam/dhcp/packet6.h"

/*
 * A DHCPv6 client for one address (RFC 8415 section 18.2), without sockets and clocks, as
 * machine4.h. Everything goes to the group of all servers.
 */
enum dhcp6_state {
	DHCP6_IDLE,
	DHCP6_SOLICITING,
	DHCP6_REQUESTING,
	DHCP6_BOUND,
	DHCP6_RENEWING,
	DHCP6_REBINDING,
	DHCP6_LOST,
};

struct dhcp6_lease {
	struct ip_addr address;
	struct duid server;
	int64_t t1, t2, expire; /* DHCP_FOREVER: never */
};

struct dhcp6_machine {
	struct duid client;
	uint32_t iaid;
	struct pace pace;
	enum dhcp6_state state;
	uint32_t xid;
	int64_t started, next;
	int64_t request_until;
	struct dhcp6_lease lease;
	struct dhcp6_packet last; /* the last reply: DNS */
	uint8_t out[DHCP6_BYTES_MAX];
	size_t out_len; /* 0: nothing to send */
};

/* id names the attachment: the client's DUID and the association follow from it. */
void dhcp6_start(struct dhcp6_machine *m, const char *id, const struct pace_conf *c, uint32_t seed,
		 int64_t now);
void dhcp6_resume(struct dhcp6_machine *m, const char *id, const struct pace_conf *c, uint32_t seed,
		  const struct dhcp6_lease *l, int64_t now);
enum dhcp_event dhcp6_tick(struct dhcp6_machine *m, int64_t now);
enum dhcp_event dhcp6_receive(struct dhcp6_machine *m, const struct dhcp6_packet *in, int64_t now);
/* What was to be sent could not be: the interface has no address of its own yet. */
void dhcp6_unsent(struct dhcp6_machine *m, int64_t now);
void dhcp6_release(struct dhcp6_machine *m);

#endif
