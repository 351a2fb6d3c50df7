/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_SPOOFMSG_H
#define NARU_FW_SPOOFMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/fw/nftmsg.h"
#include "netlib/fw/owner.h"
#include "netlib/ip/ifname.h"
#include "netlib/ip/mac.h"

/* Table "bridge naru" in nf_tables: written, asked for, listed. */
struct err;
struct nl;

/* A port, with an address unless it is an element of the first set. */
struct spoof_elem {
	char port[IFNAME_MAX];
	struct mac mac;
	char owner[FW_OWNER_MAX];
};

struct spoof_elems {
	struct spoof_elem *v;
	size_t n;
};
#define SPOOF_ELEMS_INIT { 0 }
#define cleanup_spoof_elems __attribute__((cleanup(spoof_elems_clear)))
void spoof_elems_clear(struct spoof_elems *l);

/* What the kernel has of the furniture. */
struct spoof_state {
	bool table, dormant, chain, rule;
	bool foreign; /* rules that are not ours */
};
int spoof_state_read(struct nl *nl, struct spoof_state *s, struct err *e);

void spoof_batch_init(struct nft_batch *b);
void spoof_put_furniture(struct nft_batch *b, bool rule);
void spoof_put_elem(struct nft_batch *b, const struct spoof_elem *x);
void spoof_del_elem(struct nft_batch *b, const struct spoof_elem *x);
void spoof_del_table(struct nft_batch *b);

/* Looks x's port (and address) up: 1 and the owner in x, 0 when it is not there. */
int spoof_get(struct nl *nl, struct spoof_elem *x, struct err *e);

/* Appends the elements of both sets for which keep says yes. No table, no elements. */
typedef bool spoof_keep_fn(const struct spoof_elem *x, const void *arg);
int spoof_list(struct nl *nl, spoof_keep_fn *keep, const void *arg, struct spoof_elems *out,
	       struct err *e);

#endif
