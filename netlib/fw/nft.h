/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFT_H
#define NARU_FW_NFT_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/fw/backend.h"
#include "netlib/fw/nftelem.h"
#include "netlib/nl/nl.h"

/* The nftables backend, inside: nft.c deletes, collects and lists; nftadd.c adds and checks. */
struct nft {
	struct fw fw;
	struct nl nl;
	/* something was: closing the socket would wait for the kernel's grace period */
	bool deleted;
};

int nft_add(struct fw *fw, const struct fw_plan *p, struct err *e);
int nft_check(struct fw *fw, const struct fw_plan *p, struct err *e);

struct nft_batch;
/*
 * nft_batch_send, remembering deletions. With lock (a descriptor, -1 at first), takes the lock
 * before, unless it is held or the batch is empty; what was read without it is guarded by gen.
 */
int nft_commit(struct nft *nft, struct nft_batch *b, const uint32_t *gen, int *lock, struct err *e);

#endif
