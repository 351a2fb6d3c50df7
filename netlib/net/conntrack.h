/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_CONNTRACK_H
#define NARU_NET_CONNTRACK_H

#include <stddef.h>

struct err;
struct port_map;

/*
 * Deletes the conntrack entries of family (AF_INET, AF_INET6) whose original destination port falls
 * into one of the mappings and, when a mapping has a host IP, whose original destination is that;
 * so that packets of an old flow meet the new rules. Only UDP and SCTP mappings matter (TCP
 * reconnects); others are skipped. One dump, filtered by the kernel where it can. A kernel without
 * conntrack is success.
 */
int conntrack_flush(int family, const struct port_map *maps, size_t n, struct err *e);

#endif
