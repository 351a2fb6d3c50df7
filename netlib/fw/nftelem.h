/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFTELEM_H
#define NARU_FW_NFTELEM_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/fw/owner.h"
#include "netlib/fw/rules.h"

/* Elements of our sets in nf_tables: written, asked for, listed. */
struct err;
struct nft_batch;
struct nl;

/* An element as the kernel holds it. */
struct nft_found {
	struct fw_elem x;
	char owner[FW_OWNER_MAX]; /* its comment, "" without one */
};

struct nft_founds {
	struct nft_found *f;
	size_t n;
};
#define NFT_FOUNDS_INIT { 0 }
#define cleanup_founds __attribute__((cleanup(nft_founds_clear)))
void nft_founds_clear(struct nft_founds *l);

/* tag comes back in the batch's note. */
void nft_elem_add(struct nft_batch *b, const struct fw_elem *x, const char *owner, size_t tag);
void nft_elem_del(struct nft_batch *b, const struct fw_elem *x, size_t tag);

/* The element with x's key: 1 and *out, 0 when there is none (or no set, no table), negative. */
int nft_elem_get(struct nl *nl, const struct fw_elem *x, struct nft_found *out, struct err *e);

/*
 * Appends the elements of a set for which keep says yes (NULL: all). A missing set or table:
 * NFT_NO_SET, nothing appended.
 */
#define NFT_NO_SET 1
typedef bool nft_keep_fn(const struct nft_found *f, const void *arg);
int nft_elems_list(struct nl *nl, const struct fw_set *set, nft_keep_fn *keep, const void *arg,
		   struct nft_founds *out, struct err *e);

#endif
