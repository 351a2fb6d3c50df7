/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_OVERLAY_H
#define NARU_NET_OVERLAY_H

#include <stdint.h>

struct err;
struct ip_addr;
struct link;
struct nl;

/*
 * What the kernel would answer after the changes of a dry run (base/plan.h): the requests noted so
 * far are laid over the links that there are. Made links get indexes from OVERLAY_INDEX on, which
 * no kernel gives.
 */
#define OVERLAY_INDEX 0x7f000000u

enum overlay { OVERLAY_SILENT, OVERLAY_FOUND, OVERLAY_GONE };

/* The link called name (NULL: with index) in nl's namespace; SILENT: the kernel knows better. */
enum overlay overlay_link(struct nl *nl, const char *name, uint32_t index, struct link *out);

/* The planned interface that leads to an address, by the longest prefix; 0: none. */
uint32_t overlay_towards(struct nl *nl, const struct ip_addr *to);

#endif
