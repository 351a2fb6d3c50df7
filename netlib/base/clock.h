/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_CLOCK_H
#define NARU_BASE_CLOCK_H

#include <stdint.h>

/* For deadlines and durations: steady, unrelated to the time of day. */
int64_t clock_us(void);
static inline int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

#endif
