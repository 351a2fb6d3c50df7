/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NL_NLMSG_H
#define NARU_NL_NLMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_addr;
struct mac;

/*
 * One or more netlink messages being written into one buffer, sent together. The builder remembers
 * the first failure (buffer full), so only the send is checked. Attributes are written as blocks:
 *
 * 	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE, &ifi, sizeof ifi);
 * 	nlmsg_nest(&m, IFLA_LINKINFO) {
 * 		nlmsg_str(&m, IFLA_INFO_KIND, "veth");
 * 	}
 *
 * A further nlmsg_begin starts the next message of the batch.
 */
#define NLMSG_SIZE 8192

struct nlmsg {
	size_t len;	/* bytes written */
	size_t at;	/* offset of the message being written */
	unsigned count; /* messages begun */
	int bad;	/* first failure, -errno */
	_Alignas(8) char buf[NLMSG_SIZE];
};

/* Always start with this (no initialiser, so that the buffer is not cleared for nothing). */
static inline void nlmsg_init(struct nlmsg *m)
{
	m->len = m->at = m->count = 0;
	m->bad = 0;
}

/* NLM_F_REQUEST is always added, NLM_F_ACK by nl_talk. */
void nlmsg_begin(struct nlmsg *m, uint16_t type, uint16_t flags, const void *hdr, size_t hdr_len);

void nlmsg_data(struct nlmsg *m, uint16_t attr, const void *data, size_t len);
/* Bytes without a header of their own, inside a nest (next hops). */
void nlmsg_raw(struct nlmsg *m, const void *data, size_t len);
void nlmsg_flag(struct nlmsg *m, uint16_t attr);
void nlmsg_u8(struct nlmsg *m, uint16_t attr, uint8_t v);
void nlmsg_u16(struct nlmsg *m, uint16_t attr, uint16_t v);
void nlmsg_u32(struct nlmsg *m, uint16_t attr, uint32_t v);
/* value in host order, written in network order */
void nlmsg_u32be(struct nlmsg *m, uint16_t attr, uint32_t v);
void nlmsg_u16be(struct nlmsg *m, uint16_t attr, uint16_t v);
void nlmsg_str(struct nlmsg *m, uint16_t attr, const char *s); /* with terminator */
void nlmsg_ip(struct nlmsg *m, uint16_t attr, const struct ip_addr *a);
void nlmsg_mac(struct nlmsg *m, uint16_t attr, const struct mac *mac); /* nothing when not set */

/* Returns the offset to hand to nlmsg_nest_end. Prefer the blocks below. */
size_t nlmsg_nest_begin(struct nlmsg *m, uint16_t attr, const void *hdr, size_t hdr_len);
void nlmsg_nest_end(struct nlmsg *m, size_t at);

#define nlmsg_nest_(m, attr, hdr, len, it) \
	for (size_t it = nlmsg_nest_begin((m), (attr), (hdr), (len)), it##_once = 1; it##_once; \
	     nlmsg_nest_end((m), it), it##_once = 0)
#define nlmsg_nest_id2(m, attr, hdr, len, n) nlmsg_nest_(m, attr, hdr, len, nest_##n)
#define nlmsg_nest_id(m, attr, hdr, len, n) nlmsg_nest_id2(m, attr, hdr, len, n)
#define nlmsg_nest(m, attr) nlmsg_nest_id(m, attr, NULL, 0, __COUNTER__)
#define nlmsg_nest_hdr(m, attr, hdr) nlmsg_nest_id(m, attr, hdr, sizeof *(hdr), __COUNTER__)

#endif
