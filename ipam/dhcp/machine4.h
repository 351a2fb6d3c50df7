/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_MACHINE4_H
#define NARU_IPAM_DHCP_MACHINE4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipam/dhcp/packet4.h"
#include "ipam/dhcp/pace.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"

/*
 * A DHCP client as RFC 2131 section 4.4 has it, without sockets and clocks: it is told the time and
 * what came, and says what to send and when to be asked again. Times are milliseconds of a clock
 * of the caller's.
 */
enum dhcp4_state {
	DHCP4_IDLE,
	DHCP4_SELECTING,
	DHCP4_REQUESTING,
	DHCP4_BOUND,
	DHCP4_RENEWING,
	DHCP4_REBINDING,
	DHCP4_LOST, /* expired or taken away: the address must not be used any more */
};

struct dhcp4_params {
	struct mac mac;
	bool broadcast; /* ask for answers by broadcast */
	uint8_t request[255];
	size_t nrequest;
	struct dhcp4_option *provide; /* with the client identifier; borrowed */
	size_t nprovide;
};

/* What must be known to keep an address, also after a restart. */
struct dhcp4_lease {
	struct ip_prefix address;
	struct ip_addr server;
	struct mac server_mac;	/* where its frames come from: itself, or a relay */
	int64_t t1, t2, expire; /* DHCP_FOREVER: never */
};

struct dhcp4_machine {
	struct dhcp4_params p;
	struct pace pace;
	enum dhcp4_state state;
	uint32_t xid;
	int64_t started, next; /* next: when dhcp4_tick is due; DHCP_FOREVER */
	int64_t request_until;
	struct dhcp4_lease lease;
	struct dhcp4_options opts; /* of the last ACK */

	/* What to send now: an IPv4 packet for a link address; out_len 0 = nothing. */
	uint8_t out[DHCP4_BYTES_MAX];
	size_t out_len;
	struct mac out_mac;
};

void dhcp4_start(struct dhcp4_machine *m, const struct dhcp4_params *p, const struct pace_conf *c,
		 uint32_t seed, int64_t now);
/* Goes on with a lease that an earlier process had. */
void dhcp4_resume(struct dhcp4_machine *m, const struct dhcp4_params *p, const struct pace_conf *c,
		  uint32_t seed, const struct dhcp4_lease *l, int64_t now);
enum dhcp_event dhcp4_tick(struct dhcp4_machine *m, int64_t now);
enum dhcp_event dhcp4_receive(struct dhcp4_machine *m, const struct dhcp4_packet *in,
			      const struct mac *from, int64_t now);
/* Gives the address back, if there is one: out is what tells the server. */
void dhcp4_release(struct dhcp4_machine *m);

#endif
