/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IP_ADDR_H
#define NARU_IP_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IP addresses and prefixes as values: no system calls, no allocation. */
#define IP_TEXT_MAX 64 /* buffer for any printed address or prefix */

struct ip_addr {
	uint8_t family; /* 0 = unset, else AF_INET or AF_INET6 */
	uint8_t b[16];	/* network order; IPv4 uses the first four */
};

struct ip_prefix {
	struct ip_addr addr; /* host bits are kept */
	uint8_t len;
};

/*
 * Text as Go's net.ParseIP reads it: dotted quad without leading zeros, or IPv6 without zone; an
 * IPv4-mapped IPv6 address is an IPv4 address. 0 or -EINVAL. The void * forms fit FIELD_TEXT.
 */
int ip_parse(const char *s, struct ip_addr *out);
int ip_parse_field(const char *s, void *member);	   /* struct ip_addr */
int ip_prefix_parse(const char *s, struct ip_prefix *out); /* CIDR, length required */
int ip_prefix_parse_field(const char *s, void *member);	   /* struct ip_prefix */

/* Canonical text (IPv6 compressed). Returns buf, which must hold IP_TEXT_MAX. */
const char *ip_text(const struct ip_addr *a, char *buf);
const char *ip_prefix_text(const struct ip_prefix *p, char *buf);

static inline bool ip_is_set(const struct ip_addr *a)
{
	return a->family != 0;
}
unsigned ip_bits(const struct ip_addr *a);  /* 32 or 128 */
unsigned ip_bytes(const struct ip_addr *a); /* 4 or 16 */
/* families apart, then as numbers */
int ip_cmp(const struct ip_addr *a, const struct ip_addr *b);
bool ip_eq(const struct ip_addr *a, const struct ip_addr *b);
bool ip_is_any(const struct ip_addr *a); /* 0.0.0.0 or :: */
bool ip_is_loopback(const struct ip_addr *a);

/* a + n, wrapping at the end of the address space. */
struct ip_addr ip_add(const struct ip_addr *a, uint64_t n);
struct ip_addr ip_next(const struct ip_addr *a);
struct ip_addr ip_prev(const struct ip_addr *a);
/* b - a for a <= b of one family, cut at UINT64_MAX. */
uint64_t ip_distance(const struct ip_addr *a, const struct ip_addr *b);

struct ip_addr ip_network(const struct ip_prefix *p); /* host bits cleared */
/* host bits set: the broadcast address for IPv4 */
struct ip_addr ip_last(const struct ip_prefix *p);
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
bool ip_prefix_eq(const struct ip_prefix *a, const struct ip_prefix *b);
bool ip_prefix_is_default(const struct ip_prefix *p); /* length 0 */

#endif
