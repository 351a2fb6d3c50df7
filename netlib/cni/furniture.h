/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_FURNITURE_H
#define NARU_CNI_FURNITURE_H

struct err;
struct nl;

/*
 * Things that attachments share and DEL therefore leaves: bridges, the firewall table, forwarding.
 * Each is told apart as ours (a bridge by its alias "naru:NETWORK", the table by its name, a sysctl
 * by a note of its old value under /run/naru/sysctl), so that it can be collected when nobody is
 * left.
 */

/*
 * Writes a host sysctl when it differs, and notes the old value the first time. Not undone by a
 * rollback: others rely on it by then.
 */
int furniture_sysctl(const char *name, const char *value, struct err *e);

/*
 * Collects what nobody uses any more, in the caller's network namespace: our bridges without ports,
 * the firewall table when it is empty, and, when no bridge or veth of ours is left, the noted
 * sysctls. A veth of ours that is down is taken as on its way out (deferDel) and waited for, 300 ms
 * at most. Goes on after errors, returns the first. *removed counts.
 */
int furniture_sweep(struct nl *host, unsigned *removed, struct err *e);

#endif
