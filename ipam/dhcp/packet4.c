// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/packet4.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_BYTES 236 /* up to the cookie */
#define COOKIE_BYTES 4
#define BUILD_BYTES_MIN 300
#define SNAME_OFF 44
#define SNAME_BYTES 64
#define FILE_OFF 108
#define FILE_BYTES 128
#define JUMPS_MAX 16 /* of a compressed name */
#define TTL 64

static const uint8_t cookie[COOKIE_BYTES] = { 99, 130, 83, 99 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static struct ip_addr get_addr(const uint8_t *p)
{
	struct ip_addr a = { .family = AF_INET };

	memcpy(a.b, p, 4);
	return a;
}

static struct ip_addr get_addr_or_none(const uint8_t *p)
{
	return get32(p) ? get_addr(p) : (struct ip_addr){ 0 };
}

/* ---- build */

int dhcp4_build(uint8_t *buf, size_t size, const struct dhcp4_head *h, const struct dhcp4_option *v,
		size_t n)
{
	size_t at = HEAD_BYTES + COOKIE_BYTES;

	if (size < BUILD_BYTES_MIN)
		return -E2BIG;
	memset(buf, 0, size);
	buf[0] = 1; /* to a server */
	buf[1] = 1; /* Ethernet */
	buf[2] = sizeof h->chaddr.b;
	put32(buf + 4, h->xid);
	put16(buf + 8, h->secs);
	put16(buf + 10, h->broadcast ? 0x8000 : 0);
	if (ip_is_set(&h->ciaddr))
		memcpy(buf + 12, h->ciaddr.b, 4);
	memcpy(buf + 28, h->chaddr.b, sizeof h->chaddr.b);
	memcpy(buf + HEAD_BYTES, cookie, sizeof cookie);
	buf[at++] = DHCP4_TYPE;
	buf[at++] = 1;
	buf[at++] = h->type;
	for (size_t i = 0; i < n; i++) {
		if (at + 2 + v[i].len + 1 > size)
			return -E2BIG;
		buf[at++] = v[i].code;
		buf[at++] = v[i].len;
		memcpy(buf + at, v[i].data, v[i].len);
		at += v[i].len;
	}
	buf[at++] = DHCP4_END;
	return at < BUILD_BYTES_MIN ? BUILD_BYTES_MIN : (int)at;
}

/* ---- parse */

typedef void option_fn(struct dhcp4_options *o, uint8_t code, const uint8_t *v, size_t len);

/* Calls fn for each option of an area that may be cut short: what does not fit is not there. */
static void each_option(const uint8_t *p, size_t len, option_fn *fn, struct dhcp4_options *o)
{
	for (size_t i = 0; i < len && p[i] != DHCP4_END;) {
		if (p[i] == 0) {
			i++;
			continue;
		}
		if (i + 2 > len || i + 2 + p[i + 1] > len)
			return;
		fn(o, p[i], p + i + 2, p[i + 1]);
		i += 2 + (size_t)p[i + 1];
	}
}

static void count(struct dhcp4_options *o, uint8_t code, const uint8_t *v, size_t len)
{
	(void)v;
	o->has[code] = true;
	o->len[code] = (uint16_t)(o->len[code] + len);
}

static void append(struct dhcp4_options *o, uint8_t code, const uint8_t *v, size_t len)
{
	memcpy(o->data + o->off[code] + o->len[code], v, len);
	o->len[code] = (uint16_t)(o->len[code] + len);
}

/* The areas options may lie in: at the end, and, if they say so there, in two fields before. */
static void each_area(const uint8_t *buf, size_t len, uint8_t overload, option_fn *fn,
		      struct dhcp4_options *o)
{
	each_option(buf + HEAD_BYTES + COOKIE_BYTES, len - HEAD_BYTES - COOKIE_BYTES, fn, o);
	if (overload & 1)
		each_option(buf + FILE_OFF, FILE_BYTES, fn, o);
	if (overload & 2)
		each_option(buf + SNAME_OFF, SNAME_BYTES, fn, o);
}

static void note_overload(struct dhcp4_options *o, uint8_t code, const uint8_t *v, size_t len)
{
	if (code == DHCP4_OVERLOAD && len == 1)
		o->data[0] = v[0];
}

static void parse_options(const uint8_t *buf, size_t len, struct dhcp4_options *o)
{
	size_t used = 0;

	each_area(buf, len, 0, note_overload, o);
	uint8_t overload = o->data[0];
	each_area(buf, len, overload, count, o);
	for (size_t code = 0; code < 256; code++) {
		o->off[code] = (uint16_t)used;
		used += o->len[code];
		o->len[code] = 0;
	}
	each_area(buf, len, overload, append, o);
}

int dhcp4_parse(const uint8_t *buf, size_t len, struct dhcp4_packet *out)
{
	size_t n;

	if (len < HEAD_BYTES + COOKIE_BYTES || len > DHCP4_BYTES_MAX ||
	    memcmp(buf + HEAD_BYTES, cookie, sizeof cookie) || buf[1] != 1 || buf[2] != 6)
		return -EBADMSG;
	*out = (struct dhcp4_packet){
		.op = buf[0],
		.xid = get32(buf + 4),
		.secs = get16(buf + 8),
		.broadcast = buf[10] & 0x80,
		.ciaddr = get_addr_or_none(buf + 12),
		.yiaddr = get_addr_or_none(buf + 16),
		.chaddr.set = true,
	};
	memcpy(out->chaddr.b, buf + 28, sizeof out->chaddr.b);
	parse_options(buf, len, &out->opts);
	const uint8_t *type = dhcp4_option(&out->opts, DHCP4_TYPE, 1, &n);
	if (!type || n != 1)
		return -EBADMSG;
	out->type = *type;
	return 0;
}

const uint8_t *dhcp4_option(const struct dhcp4_options *o, enum dhcp4_code code, size_t min,
			    size_t *len)
{
	if (!o->has[code] || o->len[code] < min)
		return NULL;
	*len = o->len[code];
	return o->data + o->off[code];
}

int dhcp4_option_addr(const struct dhcp4_options *o, enum dhcp4_code code, size_t n,
		      struct ip_addr *out)
{
	size_t len;
	const uint8_t *v = dhcp4_option(o, code, (n + 1) * 4, &len);

	if (!v)
		return -ENOENT;
	*out = get_addr(v + n * 4);
	return 0;
}

int dhcp4_option_u32(const struct dhcp4_options *o, enum dhcp4_code code, uint32_t *out)
{
	size_t len;
	const uint8_t *v = dhcp4_option(o, code, 4, &len);

	if (!v || len != 4)
		return -ENOENT;
	*out = get32(v);
	return 0;
}

/* ---- IPv4 and UDP */

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (; len > 1; len -= 2, p += 2)
		s += get16(p);
	return len ? s + ((uint32_t)*p << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Of UDP: pseudo header, header, payload; 0 when what is there is right. */
static uint16_t udp_sum(const uint8_t *ip, const uint8_t *udp, size_t len)
{
	return fold(sum(udp, len, sum(ip + 12, 8, IPPROTO_UDP + (uint32_t)len)));
}

int dhcp4_wrap(uint8_t *buf, size_t size, const struct ip_addr *from, const struct ip_addr *to,
	       const uint8_t *payload, size_t len)
{
	const size_t head = sizeof(struct iphdr), udp_len = sizeof(struct udphdr) + len;
	uint8_t *udp = buf + head;

	if (head + udp_len > size)
		return -E2BIG;
	memset(buf, 0, head + sizeof(struct udphdr));
	buf[0] = 0x45;
	put16(buf + 2, (uint16_t)(head + udp_len));
	buf[8] = TTL;
	buf[9] = IPPROTO_UDP;
	if (ip_is_set(from))
		memcpy(buf + 12, from->b, 4);
	memcpy(buf + 16, to->b, 4);
	put16(buf + 10, fold(sum(buf, head, 0)));
	put16(udp, DHCP4_CLIENT_PORT);
	put16(udp + 2, DHCP4_SERVER_PORT);
	put16(udp + 4, (uint16_t)udp_len);
	memcpy(udp + sizeof(struct udphdr), payload, len);
	uint16_t s = udp_sum(buf, udp, udp_len);
	put16(udp + 6, s ? s : 0xffff);
	return (int)(head + udp_len);
}

int dhcp4_unwrap(const uint8_t *buf, size_t len, bool checked, const uint8_t **payload,
		 size_t *payload_len)
{
	if (len < sizeof(struct iphdr) || buf[0] >> 4 != 4)
		return -EBADMSG;
	size_t head = (size_t)(buf[0] & 15) * 4, total = get16(buf + 2);
	if (head < sizeof(struct iphdr) || total > len || total < head + sizeof(struct udphdr) ||
	    buf[9] != IPPROTO_UDP || get16(buf + 6) & 0x3fff || fold(sum(buf, head, 0)))
		return -EBADMSG;
	const uint8_t *udp = buf + head;
	size_t udp_len = get16(udp + 4);
	if (udp_len < sizeof(struct udphdr) || udp_len > total - head ||
	    get16(udp + 2) != DHCP4_CLIENT_PORT ||
	    (checked && get16(udp + 6) && udp_sum(buf, udp, udp_len)))
		return -EBADMSG;
	*payload = udp + sizeof(struct udphdr);
	*payload_len = udp_len - sizeof(struct udphdr);
	return 0;
}

/* ---- lists of names */

/* Reads one name at *at into buf (may be NULL) and moves *at behind it. */
static int read_name(const uint8_t *v, size_t len, size_t *at, char *buf)
{
	size_t p = *at, n = 0;
	unsigned jumps = 0;

	while (p < len && v[p]) {
		if ((v[p] & 0xc0) == 0xc0) {
			if (p + 2 > len || ++jumps > JUMPS_MAX)
				return -EBADMSG;
			if (jumps == 1)
				*at = p + 2;
			p = get16(v + p) & 0x3fff;
			continue;
		}
		size_t label = v[p];
		if (label > 63 || p + 1 + label >= len || n + label + 2 > DHCP_NAME_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < label; i++) { /* nothing that a resolv.conf cannot hold */
			char c = (char)v[p + 1 + i];

			if (c <= ' ' || c >= 127 || c == '.')
				return -EBADMSG;
			if (buf)
				buf[n + i] = c;
		}
		n += label;
		if (buf)
			buf[n] = '.';
		n++;
		p += 1 + label;
	}
	if (p >= len || !n)
		return -EBADMSG;
	if (!jumps)
		*at = p + 1;
	if (buf)
		buf[n - 1] = 0; /* the last dot */
	return 0;
}

int dhcp_name_at(const uint8_t *v, size_t len, size_t n, char buf[DHCP_NAME_MAX])
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i <= n; i++) {
		if (at >= len)
			return -ENOENT;
		r = read_name(v, len, &at, i == n ? buf : NULL);
	}
	return r;
}
