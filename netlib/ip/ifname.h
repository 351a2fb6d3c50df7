/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IP_IFNAME_H
#define NARU_IP_IFNAME_H

#include <stddef.h>

#define IFNAME_MAX 16 /* with terminator */

/*
 * CNI 1.1.0 and the kernel: 1 to 15 bytes of UTF-8; not "." or ".."; no '/', ':', '%' or Unicode
 * white space; not "all" or "default", which name every interface and the next one under
 * /proc/sys/net. Returns NULL when good, else what is wrong as half a sentence ("is empty", ...).
 */
const char *ifname_problem(const char *name);

/*
 * "<prefix>" + 8 hex digits of a hash over the three parts and a salt: the host end's name, found
 * again by DEL without memory.
 */
void ifname_derive(char out[IFNAME_MAX], const char *prefix, const char *network,
		   const char *container, const char *ifname, unsigned salt);

#endif
