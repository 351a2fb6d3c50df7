// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/clock.h"

#include <time.h>

int64_t clock_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
