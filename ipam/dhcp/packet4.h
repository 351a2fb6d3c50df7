/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_PACKET4_H
#define NARU_IPAM_DHCP_PACKET4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"

/* DHCP for IPv4 as bytes: RFC 2131, options of RFC 2132, 3396, 3397, 3442. Pure. */
#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP4_BYTES_MAX 1500 /* what we say we take, and the room for what we send */

enum dhcp4_type {
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER,
	DHCP4_REQUEST,
	DHCP4_DECLINE,
	DHCP4_ACK,
	DHCP4_NAK,
	DHCP4_RELEASE,
};

enum dhcp4_code {
	DHCP4_MASK = 1,
	DHCP4_ROUTER = 3,
	DHCP4_DNS = 6,
	DHCP4_HOST_NAME = 12,
	DHCP4_DOMAIN = 15,
	DHCP4_STATIC_ROUTE = 33,
	DHCP4_ADDRESS = 50,
	DHCP4_LEASE_TIME = 51,
	DHCP4_OVERLOAD = 52,
	DHCP4_TYPE = 53,
	DHCP4_SERVER_ID = 54,
	DHCP4_REQUEST_LIST = 55,
	DHCP4_MESSAGE = 56,
	DHCP4_MAX_SIZE = 57,
	DHCP4_T1 = 58,
	DHCP4_T2 = 59,
	DHCP4_VENDOR_CLASS = 60,
	DHCP4_CLIENT_ID = 61,
	DHCP4_USER_CLASS = 77,
	DHCP4_SEARCH = 119,
	DHCP4_CLASSLESS_ROUTE = 121,
	DHCP4_END = 255,
};

/* Options as they came, those in several parts put together (RFC 3396). */
struct dhcp4_options {
	uint16_t off[256], len[256];
	bool has[256];
	uint8_t data[DHCP4_BYTES_MAX];
};

struct dhcp4_packet {
	uint8_t op; /* 1: to a server, 2: to a client */
	uint8_t type;
	uint32_t xid;
	uint16_t secs;
	bool broadcast;
	struct ip_addr ciaddr, yiaddr; /* unset: 0.0.0.0 */
	struct mac chaddr;
	struct dhcp4_options opts;
};

/* One option to send. */
struct dhcp4_option {
	uint8_t code, len;
	uint8_t data[255];
};

/* What stands before the options of a packet to a server, and its type. */
struct dhcp4_head {
	uint8_t type;
	uint32_t xid;
	uint16_t secs;
	bool broadcast;
	struct ip_addr ciaddr; /* unset: 0.0.0.0 */
	struct mac chaddr;
};

/*
 * Writes a packet with type and these options (client's order), filled up to 300 bytes as old
 * relays expect. Returns its length, or -E2BIG.
 */
int dhcp4_build(uint8_t *buf, size_t size, const struct dhcp4_head *h, const struct dhcp4_option *v,
		size_t n);

/* Reads the payload of a datagram. 0, or -EBADMSG for what is no DHCP packet. */
int dhcp4_parse(const uint8_t *buf, size_t len, struct dhcp4_packet *out);

/* An option's value when it is there and has at least min bytes; *len is its length. */
const uint8_t *dhcp4_option(const struct dhcp4_options *o, enum dhcp4_code code, size_t min,
			    size_t *len);
/* The n-th address of an option: 0 or -ENOENT. */
int dhcp4_option_addr(const struct dhcp4_options *o, enum dhcp4_code code, size_t n,
		      struct ip_addr *out);
int dhcp4_option_u32(const struct dhcp4_options *o, enum dhcp4_code code, uint32_t *out);

/* IPv4 and UDP around a payload, from the client's port to the server's: length or -E2BIG. */
int dhcp4_wrap(uint8_t *buf, size_t size, const struct ip_addr *from, const struct ip_addr *to,
	       const uint8_t *payload, size_t len);
/*
 * The payload of an IPv4 packet to the client's port: 0 or -EBADMSG. checked: the sum of UDP is
 * whole (a packet that never left this host may have none yet).
 */
int dhcp4_unwrap(const uint8_t *buf, size_t len, bool checked, const uint8_t **payload,
		 size_t *payload_len);

/*
 * Names of RFC 1035 one after the other, compressed within the value, as DHCP has them in lists of
 * domains: the n-th as text into buf. 0, -ENOENT behind the last, -EBADMSG.
 */
#define DHCP_NAME_MAX 256
int dhcp_name_at(const uint8_t *v, size_t len, size_t n, char buf[DHCP_NAME_MAX]);

#endif
