/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFTEXPR_H
#define NARU_FW_NFTEXPR_H

#include <stdbool.h>
#include <stddef.h>

/* Neutral rules as nf_tables expressions. The only user of libnftnl. */
struct fw_rule;

/*
 * The attribute NFTA_RULE_EXPRESSIONS of a rule, with its header; malloc'd, *len includes the
 * header. NULL when memory is out.
 */
void *nft_exprs(const struct fw_rule *r, size_t *len);

/*
 * The expressions a kernel holds (have: payload of its NFTA_RULE_EXPRESSIONS) are those of
 * nft_exprs: as many, and everything written is there. Attributes that kernels add, and byte order
 * conversions that nft adds, do not matter.
 */
bool nft_exprs_match(const void *want, size_t want_len, const void *have, size_t have_len);

#endif
