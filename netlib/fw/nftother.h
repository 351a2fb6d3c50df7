/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFTOTHER_H
#define NARU_FW_NFTOTHER_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct fw_owner;
struct nft_batch;
struct nl;

/*
 * What the reference plugins leave in nf_tables for a container, of which nothing is ours:
 *
 *	ip, ip6 cni_hostport            portmap through nft: rules whose comment is the container
 *	inet cni_plugins_masquerade     ipMasq through nft: rules whose comment begins with hashes
 *	ip, ip6 nat                     either through an iptables that writes nf_tables
 *	                                (iptables-nft), where legacy tables do not show it
 */
struct nft_other {
	const struct fw_owner *owner; /* one attachment; or, NULL, a network without the valid */
	const char *network;
	const struct fw_owner *valid;
	size_t nvalid;
	unsigned parts; /* FW_MASQ | FW_DNAT */
};

/* 1 when any of the tables is there; one request. */
int nft_other_tables(struct nl *nl, struct err *e);

/*
 * Appends what takes it away. A container's rules in cni_hostport do not say their network: they
 * go with its DEL, and are left by GC.
 */
int nft_other_find(struct nl *nl, const struct nft_other *who, struct nft_batch *b, struct err *e);

/* Has the host's iptables its table nat in nf_tables? 1, 0, or negative. */
int nft_other_has_iptables(struct nl *nl, struct err *e);

#endif
