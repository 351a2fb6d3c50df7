// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/str.h"

int ip_parse_field(const char *s, void *member)
{
	return ip_parse(s, member);
}

int ip_prefix_parse(const char *s, struct ip_prefix *out)
{
	const char *slash = strchr(s, '/');
	char text[IP_TEXT_MAX];
	struct ip_prefix p;
	uint64_t len;

	if (!slash || (size_t)(slash - s) >= sizeof text)
		return -EINVAL;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = 0;
	if (ip_parse(text, &p.addr) < 0 || str_u64(slash + 1, ip_bits(&p.addr), &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

int ip_prefix_parse_field(const char *s, void *member)
{
	return ip_prefix_parse(s, member);
}

const char *ip_prefix_text(const struct ip_prefix *p, char *buf)
{
	size_t n = strlen(ip_text(&p->addr, buf));

	(void)snprintf(buf + n, IP_TEXT_MAX - n, "/%u", p->len);
	return buf;
}

unsigned ip_bits(const struct ip_addr *a)
{
	return a->family == AF_INET6 ? 128 : 32;
}

unsigned ip_bytes(const struct ip_addr *a)
{
	return ip_bits(a) / 8;
}

int ip_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, ip_bytes(a));
}

bool ip_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_cmp(a, b) == 0;
}

bool ip_is_any(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return ip_is_set(a) && !memcmp(a->b, zero, ip_bytes(a));
}

bool ip_is_loopback(const struct ip_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == AF_INET ? a->b[0] == 127 :
				      a->family == AF_INET6 && !memcmp(a->b, one, sizeof one);
}

struct ip_addr ip_add(const struct ip_addr *a, uint64_t n)
{
	struct ip_addr r = *a;
	uint64_t left = n;

	for (unsigned i = ip_bytes(a), carry = 0; i-- && (left || carry); left >>= 8) {
		carry += r.b[i] + (unsigned)(left & 0xff);
		r.b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return r;
}

struct ip_addr ip_next(const struct ip_addr *a)
{
	return ip_add(a, 1);
}

struct ip_addr ip_prev(const struct ip_addr *a)
{
	struct ip_addr r = *a;

	for (unsigned i = ip_bytes(a); i--;)
		if (r.b[i]-- != 0)
			break;
	return r;
}

uint64_t ip_distance(const struct ip_addr *a, const struct ip_addr *b)
{
	unsigned n = ip_bytes(a);
	uint64_t low = 0;
	int borrow = 0, high = 0;

	for (unsigned i = n, shift = 0; i--; shift += 8) {
		int d = b->b[i] - a->b[i] - borrow;

		borrow = d < 0;
		if (shift < 64)
			low |= (uint64_t)(d & 0xff) << shift;
		else
			high |= d & 0xff;
	}
	return high ? UINT64_MAX : low;
}

static struct ip_addr masked(const struct ip_prefix *p, uint8_t fill)
{
	struct ip_addr r = p->addr;

	for (unsigned i = 0; i < ip_bytes(&r); i++) {
		unsigned bits = p->len > i * 8 ? p->len - i * 8 : 0;
		uint8_t m = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		r.b[i] = (uint8_t)((r.b[i] & m) | (fill & ~m));
	}
	return r;
}

struct ip_addr ip_network(const struct ip_prefix *p)
{
	return masked(p, 0);
}

struct ip_addr ip_last(const struct ip_prefix *p)
{
	return masked(p, 0xff);
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_prefix other = { .addr = *a, .len = p->len };
	struct ip_addr x = ip_network(p), y = ip_network(&other);

	return p->addr.family == a->family && ip_eq(&x, &y);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? ip_prefix_contains(a, &b->addr) : ip_prefix_contains(b, &a->addr);
}

bool ip_prefix_eq(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_eq(&a->addr, &b->addr);
}

bool ip_prefix_is_default(const struct ip_prefix *p)
{
	return ip_is_set(&p->addr) && p->len == 0;
}
