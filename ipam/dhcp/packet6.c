// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/packet6.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum code {
	CLIENT_ID = 1,
	SERVER_ID = 2,
	IA_NA = 3,
	IA_ADDR = 5,
	OPTION_REQUEST = 6,
	ELAPSED = 8,
	STATUS = 13,
	DNS = 23,
	DOMAINS = 24,
};

#define HEAD_BYTES 4
#define IA_BYTES 12   /* of an association before its options */
#define ADDR_BYTES 24 /* of an address before its options */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

bool duid_eq(const struct duid *a, const struct duid *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

/* ---- build */

struct out {
	uint8_t *p;
	size_t at, size;
	bool full;
};

static void put(struct out *o, const void *v, size_t n)
{
	if (o->at + n > o->size) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->at, v, n);
	o->at += n;
}

static void put16(struct out *o, uint32_t v)
{
	put(o, (const uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put32(struct out *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o, v & 0xffff);
}

static void put_option(struct out *o, enum code code, const void *v, size_t n)
{
	put16(o, code);
	put16(o, (uint32_t)n);
	put(o, v, n);
}

/* The association, with the address that is asked for; its times are the server's to say. */
static void put_ia(struct out *o, const struct dhcp6_head *h)
{
	put16(o, IA_NA);
	put16(o, IA_BYTES + (h->address ? 4 + ADDR_BYTES : 0));
	put32(o, h->iaid);
	put32(o, 0);
	put32(o, 0);
	if (!h->address)
		return;
	put16(o, IA_ADDR);
	put16(o, ADDR_BYTES);
	put(o, h->address->b, 16);
	put32(o, 0);
	put32(o, 0);
}

int dhcp6_build(uint8_t *buf, size_t size, const struct dhcp6_head *h)
{
	static const uint8_t wanted[] = { 0, DNS, 0, DOMAINS };
	struct out o = { .p = buf, .size = size };

	put32(&o, (uint32_t)h->type << 24 | (h->xid & 0xffffff));
	put_option(&o, CLIENT_ID, h->client->b, h->client->len);
	if (h->server)
		put_option(&o, SERVER_ID, h->server->b, h->server->len);
	put_ia(&o, h);
	put16(&o, ELAPSED);
	put16(&o, 2);
	put16(&o, h->elapsed);
	if (h->type != DHCP6_RELEASE)
		put_option(&o, OPTION_REQUEST, wanted, sizeof wanted);
	return o.full ? -E2BIG : (int)o.at;
}

/* ---- parse */

typedef int option_fn(uint16_t code, const uint8_t *v, size_t n, struct dhcp6_packet *out);

static int each_option(const uint8_t *p, size_t len, option_fn *fn, struct dhcp6_packet *out)
{
	for (size_t at = 0; at < len;) {
		if (at + 4 > len || at + 4 + get16(p + at + 2) > len)
			return -EBADMSG;
		size_t n = get16(p + at + 2);
		int r = fn(get16(p + at), p + at + 4, n, out);
		if (r < 0)
			return r;
		at += 4 + n;
	}
	return 0;
}

static int take_status(const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	if (n < 2)
		return -EBADMSG;
	if (get16(v))
		out->status = get16(v);
	return 0;
}

static int in_address(uint16_t code, const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	return code == STATUS ? take_status(v, n, out) : 0;
}

/* The first address with a lifetime counts. */
static int in_ia(uint16_t code, const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	if (code == STATUS)
		return take_status(v, n, out);
	if (code != IA_ADDR)
		return 0;
	if (n < ADDR_BYTES)
		return -EBADMSG;
	if (!ip_is_set(&out->address) || !out->valid) {
		out->address = (struct ip_addr){ .family = AF_INET6 };
		memcpy(out->address.b, v, 16);
		out->valid = get32(v + 20);
	}
	return each_option(v + ADDR_BYTES, n - ADDR_BYTES, in_address, out);
}

static int take_ia(const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	if (n < IA_BYTES)
		return -EBADMSG;
	if (out->has_ia)
		return 0;
	out->has_ia = true;
	out->iaid = get32(v);
	out->t1 = get32(v + 4);
	out->t2 = get32(v + 8);
	return each_option(v + IA_BYTES, n - IA_BYTES, in_ia, out);
}

static int take_duid(const uint8_t *v, size_t n, struct duid *out)
{
	if (!n || n > sizeof out->b)
		return -EBADMSG;
	memcpy(out->b, v, n);
	out->len = (uint16_t)n;
	return 0;
}

static int take_dns(const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	for (size_t i = 0; i + 16 <= n && out->ndns < DHCP6_DNS_MAX; i += 16) {
		struct ip_addr *a = &out->dns[out->ndns++];

		a->family = AF_INET6;
		memcpy(a->b, v + i, 16);
	}
	return 0;
}

static int in_packet(uint16_t code, const uint8_t *v, size_t n, struct dhcp6_packet *out)
{
	switch (code) {
	case CLIENT_ID:
		return take_duid(v, n, &out->client);
	case SERVER_ID:
		return take_duid(v, n, &out->server);
	case IA_NA:
		return take_ia(v, n, out);
	case STATUS:
		return take_status(v, n, out);
	case DNS:
		return take_dns(v, n, out);
	case DOMAINS:
		out->nnames = n < sizeof out->names ? n : sizeof out->names;
		memcpy(out->names, v, out->nnames);
		return 0;
	default:
		return 0;
	}
}

int dhcp6_parse(const uint8_t *buf, size_t len, struct dhcp6_packet *out)
{
	if (len < HEAD_BYTES || len > DHCP6_BYTES_MAX)
		return -EBADMSG;
	*out = (struct dhcp6_packet){ .type = buf[0], .xid = get32(buf) & 0xffffff };
	return each_option(buf + HEAD_BYTES, len - HEAD_BYTES, in_packet, out);
}
