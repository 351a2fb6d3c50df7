// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/nlmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/mac.h"

static struct nlmsghdr *header(struct nlmsg *m)
{
	return (struct nlmsghdr *)(void *)(m->buf + m->at);
}

/* Aligned, zero-padded room for n bytes; NULL (and bad) when the buffer is full. */
static void *room(struct nlmsg *m, size_t n)
{
	size_t padded = NLMSG_ALIGN(n);

	if (m->bad)
		return NULL;
	if (padded < n || padded > NLMSG_SIZE - m->len) {
		m->bad = -EMSGSIZE;
		return NULL;
	}
	void *p = m->buf + m->len;
	memset(p, 0, padded);
	m->len += padded;
	if (m->count)
		header(m)->nlmsg_len = (uint32_t)(m->len - m->at);
	return p;
}

void nlmsg_begin(struct nlmsg *m, uint16_t type, uint16_t flags, const void *hdr, size_t hdr_len)
{
	size_t at = m->len;

	m->at = at;
	struct nlmsghdr *h = room(m, sizeof *h);
	if (!h)
		return;
	m->count++;
	*h = (struct nlmsghdr){ .nlmsg_len = sizeof *h,
				.nlmsg_type = type,
				.nlmsg_flags = NLM_F_REQUEST | flags };
	void *p = room(m, hdr_len);
	if (p && hdr_len)
		memcpy(p, hdr, hdr_len);
}

void nlmsg_data(struct nlmsg *m, uint16_t attr, const void *data, size_t len)
{
	if (len > UINT16_MAX - NLA_HDRLEN) {
		m->bad = m->bad ? m->bad : -EMSGSIZE;
		return;
	}
	struct nlattr *a = room(m, NLA_HDRLEN + len);
	if (!a)
		return;
	a->nla_type = attr;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
}

void nlmsg_raw(struct nlmsg *m, const void *data, size_t len)
{
	void *p = room(m, len);

	if (p && len)
		memcpy(p, data, len);
}

void nlmsg_flag(struct nlmsg *m, uint16_t attr)
{
	nlmsg_data(m, attr, NULL, 0);
}

void nlmsg_u8(struct nlmsg *m, uint16_t attr, uint8_t v)
{
	nlmsg_data(m, attr, &v, sizeof v);
}

void nlmsg_u16(struct nlmsg *m, uint16_t attr, uint16_t v)
{
	nlmsg_data(m, attr, &v, sizeof v);
}

void nlmsg_u32(struct nlmsg *m, uint16_t attr, uint32_t v)
{
	nlmsg_data(m, attr, &v, sizeof v);
}

void nlmsg_u32be(struct nlmsg *m, uint16_t attr, uint32_t v)
{
	nlmsg_u32(m, attr, htonl(v));
}

void nlmsg_u16be(struct nlmsg *m, uint16_t attr, uint16_t v)
{
	nlmsg_u16(m, attr, htons(v));
}

void nlmsg_str(struct nlmsg *m, uint16_t attr, const char *s)
{
	nlmsg_data(m, attr, s, strlen(s) + 1);
}

void nlmsg_ip(struct nlmsg *m, uint16_t attr, const struct ip_addr *a)
{
	nlmsg_data(m, attr, a->b, ip_bytes(a));
}

void nlmsg_mac(struct nlmsg *m, uint16_t attr, const struct mac *mac)
{
	if (mac->set)
		nlmsg_data(m, attr, mac->b, sizeof mac->b);
}

size_t nlmsg_nest_begin(struct nlmsg *m, uint16_t attr, const void *hdr, size_t hdr_len)
{
	size_t at = m->len;

	nlmsg_data(m, attr | NLA_F_NESTED, hdr, hdr_len);
	return at;
}

void nlmsg_nest_end(struct nlmsg *m, size_t at)
{
	if (m->bad)
		return;
	struct nlattr *a = (struct nlattr *)(void *)(m->buf + at);
	a->nla_len = (uint16_t)(m->len - at);
}
