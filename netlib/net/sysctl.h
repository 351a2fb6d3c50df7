/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_SYSCTL_H
#define NARU_NET_SYSCTL_H

#include <stddef.h>

struct err;

#define SYSCTL_VALUE_MAX 1024 /* with terminator; what is longer is refused, not cut */

/*
 * Sysctls of the *calling thread's* network namespace; wrap in netns_run for another. name is the
 * path below /proc/sys with slashes ("net/ipv6/conf/eth0/accept_ra"); it must start with "net/" and
 * no component may be "..".
 */
int sysctl_read(const char *name, char value[SYSCTL_VALUE_MAX],
		struct err *e); /* without the newline */
int sysctl_write(const char *name, const char *value, struct err *e);

/* The same inside netns_fd (-1 = here). */
int sysctl_read_in(int netns_fd, const char *name, char value[SYSCTL_VALUE_MAX], struct err *e);
int sysctl_write_in(int netns_fd, const char *name, const char *value, struct err *e);

#endif
