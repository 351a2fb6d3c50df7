/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_SPOOF_H
#define NARU_FW_SPOOF_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/fw/fw.h"
#include "netlib/ip/ifname.h"
#include "netlib/ip/mac.h"

/*
 * Ports of bridges that may send with one MAC address only. nftables alone can do it: a table of
 * the bridge's family, "bridge naru", with one rule; an attachment is an element in each of two
 * sets, its port, and its port with its address. doc/KERNEL.md shows it.
 *
 * Everything belongs to the network namespace of the caller. What was read before a change is
 * guarded by the kernel's generation number, attempts are bounded (then -EAGAIN, code 11).
 */
struct fw_spoof {
	struct fw_owner owner;
	const char *port;
	struct mac mac;
};

/*
 * Adds both elements in one batch, with table, sets and rule when they are missing. Elements of the
 * same port that somebody left behind are replaced: the port is the caller's.
 */
int fw_spoof_add(const struct fw_spoof *s, struct err *e);

/*
 * Removes what the owner has. ports are the names that its port may have had, looked up one by one;
 * with mac (may be NULL) nothing is listed. Rules that the reference plugin made for the container
 * go too, in its table "bridge nat". Absence is success.
 */
int fw_spoof_del(const struct fw_owner *owner, const char (*ports)[IFNAME_MAX], size_t nports,
		 const struct mac *mac, struct err *e);

/* Both elements are there, the rule is, and it is in force. -ENOENT, -EBADMSG in words. */
int fw_spoof_check(const struct fw_spoof *s, struct err *e);

/* Removes the elements of every owner of the network that is not in valid[]. */
int fw_spoof_gc(const char *network, const struct fw_owner *valid, size_t nvalid, struct err *e);

/* Removes the table when nothing is in it, foreign rules included. 1 = removed. */
int fw_spoof_sweep(struct err *e);

/* Has the kernel nf_tables? */
int fw_spoof_ready(struct err *e);

#endif
