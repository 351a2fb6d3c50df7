/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_SPOOFREF_H
#define NARU_FW_SPOOFREF_H

struct err;
struct fw_owner;
struct nft_batch;
struct nl;

/*
 * What the reference's bridge plugin leaves in nf_tables for a container with macspoofchk: in table
 * "bridge nat" the chains "cni-br-iface-<container>-<ifname>" and the same with "-mac", and the
 * rule of chain PREROUTING that leads there, whose comment is "macspoofchk-<container>-<ifname>".
 * Appends what takes them away. Nothing there is success.
 */
int spoofref_find(struct nl *nl, const struct fw_owner *owner, struct nft_batch *b, struct err *e);

#endif
