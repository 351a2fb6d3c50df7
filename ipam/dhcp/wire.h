/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_WIRE_H
#define NARU_IPAM_DHCP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"
#include "netlib/net/netns.h"

struct dhcp4_packet;
struct dhcp6_packet;
struct err;

/*
 * A container's interface as the daemon reaches it: sockets made inside the namespace, a packet
 * socket for IPv4, one of UDP for IPv6. They work on from outside, and keep the namespace alive for
 * as long as they are open.
 */
struct wire {
	int fd4, fd6; /* -1: not open */
	uint32_t index;
	struct mac mac;
	struct netns_id ns;
};

#define WIRE_INIT { .fd4 = -1, .fd6 = -1 }
void wire_close(struct wire *w);

/* No descriptor or no memory: that shows nothing of what was to be looked at. */
bool wire_is_shortage(int r);

/* Opens it and sets the interface up. The namespace or interface missing: -ENOENT, -ENODEV. */
int wire_open(const char *netns, const char *ifname, bool ipv4, bool ipv6, struct wire *out,
	      struct err *e);
/* Is it still the namespace at that path? Yes, too, when there is no means to look. */
bool wire_is_there(const struct wire *w, const char *netns);
/* Sets the interface down: its address must not be used any more. */
int wire_down(const struct wire *w, const char *netns, struct err *e);

/* Takes an IPv6 address off the interface. */
int wire_without6(const struct wire *w, const char *netns, const struct ip_addr *a, struct err *e);

/* An IPv4 packet to a link address: 0 or -errno. */
int wire_send4(const struct wire *w, const uint8_t *packet, size_t len, const struct mac *to);
/* The next DHCP packet: 1, 0 when there is none, -EBADMSG for one that is none, -errno. */
int wire_receive4(const struct wire *w, struct dhcp4_packet *out, struct mac *from);
/* The same for IPv6: payloads to and from the servers of the link. */
int wire_send6(const struct wire *w, const uint8_t *payload, size_t len);
int wire_receive6(const struct wire *w, struct dhcp6_packet *out);

#endif
