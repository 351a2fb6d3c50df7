/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_FURNITURE_H
#define NARU_CNI_FURNITURE_H

#include <stdbool.h>
#include <stddef.h>

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
 * The port of a bridge at whose other end a VLAN has its gateway is told by its alias,
 * "naru:gateway NETWORK". It does not count as a user of its bridge.
 */
void furniture_gateway_alias(const char *network, char *buf, size_t size);
bool furniture_is_gateway(const char *alias);

/*
 * While the returned descriptor is open nobody clears away what was found or made: an attachment in
 * the making holds it, together with others. Negative when there is no lock to be had (five seconds
 * of a sweep, no /proc): work goes on without.
 */
int furniture_hold(void);

/*
 * Collects what nobody uses any more, in the caller's network namespace: gateway ports of bridges
 * without attachments, our bridges without ports, the firewall tables when they are empty, and,
 * when no bridge or veth of ours is left, the noted sysctls. Somebody who holds the furniture is
 * waited for, two seconds at most; then it is in use, and nothing is collected. A veth of ours that
 * is down is taken as on its way out (deferDel) and waited for, 300 ms at most. Goes on after
 * errors, returns the first. *removed counts.
 */
int furniture_sweep(struct nl *host, unsigned *removed, struct err *e);

#endif
