// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/holder.h"

#include <time.h>

#include "netlib/base/aside.h"
#include "netlib/base/plan.h"

#define HOLD_MS 60 /* the kernel's work after a deletion is done in 50 */

static void hold(int fd, const void *arg)
{
	const struct timespec t = { .tv_nsec = HOLD_MS * 1000000L };

	(void)fd;
	(void)arg;
	(void)nanosleep(&t, NULL);
}

void fw_hold_socket(int fd)
{
	if (plan_on()) /* nothing was deleted */
		return;
	(void)aside_run("naru-fw-close", fd, hold, NULL, 0);
}
