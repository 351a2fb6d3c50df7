// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/pace.h"

#define SHORT_PAUSES 4
#define SHORT_MS 2000
#define LONG_MS 4000
#define JITTER_MS 1000
#define RENEW_MIN_MS 10000
#define FOREVER_SECONDS UINT32_C(0xffffffff)

void pace_init(struct pace *p, const struct pace_conf *c, uint32_t seed)
{
	*p = (struct pace){ .c = *c, .random = seed ? seed : 1 };
}

uint32_t pace_random(struct pace *p)
{
	uint32_t x = p->random; /* xorshift: to keep clients apart, not to be secret */

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return p->random = x;
}

int64_t pace_next(struct pace *p)
{
	int64_t ms = SHORT_MS;
	unsigned n = p->attempts++;

	if (n >= SHORT_PAUSES) {
		n -= SHORT_PAUSES;
		ms = n < 10 ? LONG_MS * (INT64_C(1) << n) : p->c.resend_max_ms;
	}
	if (ms > p->c.resend_max_ms)
		ms = p->c.resend_max_ms;
	return ms + (int64_t)(pace_random(p) % (2 * JITTER_MS + 1)) - JITTER_MS;
}

int64_t pace_renew(int64_t now, int64_t stage)
{
	int64_t half = (stage - now) / 2;

	if (half < RENEW_MIN_MS)
		half = RENEW_MIN_MS;
	return stage - now > half ? now + half : stage;
}

int64_t pace_after(int64_t now, uint32_t seconds)
{
	return seconds == FOREVER_SECONDS ? DHCP_FOREVER : now + (int64_t)seconds * 1000;
}
