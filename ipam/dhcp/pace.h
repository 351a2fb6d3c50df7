/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_PACE_H
#define NARU_IPAM_DHCP_PACE_H

#include <stdint.h>

/* When to send again: what both clients have in common. Pure; times are milliseconds. */
#define DHCP_FOREVER INT64_MAX

/* What a client's caller has to know about. */
enum dhcp_event {
	DHCP_NOTHING,
	/* an address was chosen: note it before out, which asks for it, is sent */
	DHCP_OFFERED,
	DHCP_GOT,   /* bound, or bound for longer */
	DHCP_ENDED, /* the address must not be used any more */
};

struct pace_conf {
	int64_t answer_ms;     /* the longest wait for the answer to a request */
	int64_t resend_max_ms; /* the longest pause between two packets */
};

struct pace {
	struct pace_conf c;
	uint32_t random;   /* of the pauses and of transaction numbers */
	unsigned attempts; /* since pace_reset */
};

void pace_init(struct pace *p, const struct pace_conf *c, uint32_t seed);
uint32_t pace_random(struct pace *p);
static inline void pace_reset(struct pace *p)
{
	p->attempts = 0;
}
/* The pause after the packet just sent: four short ones, then from four seconds doubled. */
int64_t pace_next(struct pace *p);

/*
 * Keeping a lease: half of what is left until the next stage, but not less than ten seconds, and
 * not beyond that stage.
 */
int64_t pace_renew(int64_t now, int64_t stage);

/* now + seconds of a packet; 0xffffffff is for ever. */
int64_t pace_after(int64_t now, uint32_t seconds);

#endif
