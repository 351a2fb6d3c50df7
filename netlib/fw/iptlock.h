/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTLOCK_H
#define NARU_FW_IPTLOCK_H

/*
 * The lock that iptables and everybody who edits legacy tables take: whoever writes a table writes
 * all of it, so two at once would lose a change. The file is /run/xtables.lock, or what the
 * environment variable XTABLES_LOCKFILE names.
 */
struct err;

/*
 * Waits at most 5 s. Returns the descriptor whose closing unlocks; -EAGAIN, code 11, naming the
 * process that holds the lock and its command.
 */
int ipt_lock(struct err *e);

#endif
