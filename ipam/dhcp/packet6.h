/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_PACKET6_H
#define NARU_IPAM_DHCP_PACKET6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

/* DHCP for IPv6 as bytes: RFC 8415, as far as one address for one interface needs it. Pure. */
#define DHCP6_SERVER_PORT 547
#define DHCP6_CLIENT_PORT 546
#define DHCP6_BYTES_MAX 1500
#define DHCP6_DUID_MAX 130
#define DHCP6_DNS_MAX 16
#define DHCP6_NAMES_MAX 512 /* bytes of a list of domains that are looked at */

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
};

enum dhcp6_status { DHCP6_SUCCESS, DHCP6_FAILED, DHCP6_NO_ADDRESS, DHCP6_NO_BINDING };

/* A DHCP unique identifier. */
struct duid {
	uint8_t b[DHCP6_DUID_MAX];
	uint16_t len;
};

struct dhcp6_packet {
	uint8_t type;
	uint32_t xid; /* 24 bits */
	struct duid client, server;
	bool has_ia;
	uint32_t iaid, t1, t2, valid; /* seconds */
	struct ip_addr address;	      /* unset: none in the association */
	uint16_t status;	      /* the worst of packet, association and address */
	struct ip_addr dns[DHCP6_DNS_MAX];
	size_t ndns;
	uint8_t names[DHCP6_NAMES_MAX]; /* of domains: dhcp_name_at */
	size_t nnames;
};

/* What a client says. */
struct dhcp6_head {
	uint8_t type;
	uint32_t xid, iaid;
	uint16_t elapsed; /* hundredths of a second */
	const struct duid *client;
	const struct duid *server;     /* NULL: any */
	const struct ip_addr *address; /* NULL: any */
};

/* Length, or -E2BIG. */
int dhcp6_build(uint8_t *buf, size_t size, const struct dhcp6_head *h);
/* 0, or -EBADMSG. */
int dhcp6_parse(const uint8_t *buf, size_t len, struct dhcp6_packet *out);

bool duid_eq(const struct duid *a, const struct duid *b);

#endif
