/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_FLOOR_H
#define TESTS_BENCH_LIB_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/lib/rawnl.h"

/*
 * The kernel requests of a container's network, each as small as it can be. One address plan:
 * container i has 10.88.0.10 + i in 10.88.0.0/16 behind the bridge "nbr0" with 10.88.0.1.
 */

uint32_t floor_addr(int i); /* network byte order */

/* Makes the bridge and gives it its address; returns its index. */
int floor_bridge(int rt);

/* One request: the host end on the bridge and up, "eth0" with index 2 born inside netns. */
void floor_veth(int rt, const char *name, int bridge, int netns);

/*
 * One request: lo up, eth0 up, address, default route; ct is a socket of the container's namespace.
 */
void floor_container(int ct, uint32_t addr);

int floor_veth_del(int rt, const char *name);

/* Makes the table, the set, the map and the three chains of nat; once in a namespace. */
void floor_nft_setup(void);

/* A batch of nftables requests: begin, any number of elements, commit. */
void floor_nft_begin(struct rawnl *b);
void floor_nft_masquerade(struct rawnl *b, bool del, uint32_t addr);
void floor_nft_port(struct rawnl *b, bool del, uint16_t host_port, uint32_t addr);
int floor_nft_commit(int nf, struct rawnl *b);

#endif
