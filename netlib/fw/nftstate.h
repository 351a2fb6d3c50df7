/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFTSTATE_H
#define NARU_FW_NFTSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/fw/nftmsg.h"
#include "netlib/fw/rules.h"

/*
 * The furniture of table inet naru: what the kernel has of it, what is missing, and the messages
 * that put it there.
 */
struct err;
struct nl;

struct nft_seen_rule {
	char chain[NFT_NAME_LEN];
	uint64_t handle;
	void *exprs; /* payload of NFTA_RULE_EXPRESSIONS */
	size_t len;
	bool ours;
};

enum nft_chain_state { NFT_CHAIN_MISSING, NFT_CHAIN_RIGHT, NFT_CHAIN_WRONG };

struct nft_state {
	bool table, dormant;
	bool refuses; /* a chain of ours has got the policy drop */
	enum nft_chain_state chain[FW_CHAINS];
	struct fw_set *set; /* those that are ours by name */
	size_t nset;
	struct nft_seen_rule *rule;
	size_t nrule;
};
#define NFT_STATE_INIT { 0 }
#define cleanup_state __attribute__((cleanup(nft_state_clear)))
void nft_state_clear(struct nft_state *s);

/* Appends our sets; none without the table. */
int nft_sets_list(struct nl *nl, struct fw_set **v, size_t *n, struct err *e);
int nft_state_read(struct nl *nl, struct nft_state *s, struct err *e);

/*
 * Appends what is missing for the elements in need (may be NULL: the fixed part) to the batch;
 * nothing when all is there. The chains of forwarding belong to the fixed part when an element in
 * need has a use for them. A chain that has lost a fixed rule gets all of ours anew, in order;
 * rules of others stay. -EBADMSG for what cannot be put right by adding.
 */
int nft_state_complete(struct nft_state *s, const struct fw_elems *need, struct nft_batch *b,
		       struct err *e);

/* Rules, or a policy, in our table that are not ours: they keep it from being removed. */
int nft_state_has_foreign_rules(struct nft_state *s, bool *yes, struct err *e);

/* Deletes a set that comes and goes, with its rules. */
int nft_state_drop_set(struct nft_state *s, const struct fw_set *set, struct nft_batch *b,
		       struct err *e);

void nft_table_del(struct nft_batch *b);

/*
 * Has a chain of ours fewer rules than it is made with? Asks for the chains only, so that an ADD
 * can afford it. Without the table nothing is lost.
 */
int nft_rules_lost(struct nl *nl, bool *lost, struct err *e);

#endif
