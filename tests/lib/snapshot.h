/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_SNAPSHOT_H
#define TESTS_LIB_SNAPSHOT_H

#include <sys/types.h>

/*
 * The state of the machine as sorted text, one fact per line, so that the difference of two
 * snapshots is the list of what was left behind (or taken away). What the kernel chooses by itself
 * is left out: indexes, MAC addresses, link-local addresses and their routes, counters, timers,
 * carrier.
 *
 * A line starts with the namespace it was seen in ("host", or the name given) or with "machine" for
 * what has no network namespace: mounts, pinned namespaces, processes, control groups, files.
 */
enum snapshot_flags {
	SNAPSHOT_NET = 1 << 0, /* links, addresses, routes, rules, neighbours, qdiscs */
	SNAPSHOT_FW = 1 << 1,  /* nft ruleset, legacy iptables */
	SNAPSHOT_SYSCTL = 1 << 2,
	SNAPSHOT_CT = 1 << 3, /* UDP and SCTP conntrack entries whose destination was translated */
	SNAPSHOT_MOUNTS = 1 << 4, /* mounts and pinned network namespaces */
	SNAPSHOT_PROCS = 1 << 5,  /* living descendants of the process that takes the snapshot */
	SNAPSHOT_CGROUPS =
		1 << 6, /* groups named naru..., in every hierarchy, and who is in them */
	SNAPSHOT_FILES =
		1 << 7, /* below /run, /var/lib/cni, /var/lib/naru: type, mode, owner, size, hash */
	SNAPSHOT_ALL = 0xff,

	SNAPSHOT_MAC = 1 << 8, /* also: MAC addresses */
	SNAPSHOT_CT_ALL =
		1 << 9, /* also: UDP and SCTP entries without translation of the destination */
	SNAPSHOT_FOLD_VETH = 1 << 10, /* write random names (veth + 8 hex digits) as veth* */
};

/*
 * Takes a snapshot of the calling process's namespaces and of the network namespaces named (names
 * below /run/netns, or paths). Returns text the caller frees. A part that cannot be read appears as
 * a line with the word "unreadable" and the reason, so that it shows in a difference; only
 * exhausted memory ends the program.
 *
 *	char *before = snapshot_take(SNAPSHOT_ALL, "c1", "outside");
 */
#define snapshot_take(flags, ...) \
	snapshot_take_list(flags, (const char *const[]){ NULL, ##__VA_ARGS__, NULL } + 1)
char *snapshot_take_list(unsigned flags, const char *const *netns);

/*
 * The same, for a tool that looks from outside: the descendants of parent (0: leave processes out).
 */
char *snapshot_take_of(unsigned flags, const char *const *netns, pid_t parent);

/*
 * What changed, as lines that start with "-" (gone) or "+" (new), in the order of the snapshots;
 * NULL when nothing did. The caller frees it.
 */
char *snapshot_diff(const char *before, const char *after);

#endif
