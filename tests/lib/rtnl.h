/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_RTNL_H
#define TESTS_LIB_RTNL_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/*
 * Raw netlink for the fixtures, independent of the netlink code under test: a mistake there must
 * not be able to hide itself from the snapshots. Sockets belong to the network namespace they were
 * opened in.
 */

/*
 * A netlink socket of the current network namespace, or -errno. Receiving gives up after five
 * seconds.
 */
int rtnl_open(int protocol);

/*
 * Dumps objects: sends a request of this type with this fixed header and calls each for every
 * reply. Returns 0; -EINTR when the kernel says the dump was torn by a concurrent change (start
 * again from nothing); the kernel's -errno otherwise (-EOPNOTSUPP and the like where a feature is
 * missing).
 */
int rtnl_dump(int fd, int type, const void *hdr, size_t hdr_len,
	      void (*each)(const struct nlmsghdr *h, void *arg), void *arg);

/*
 * One request with a reply or an acknowledgement; each may be NULL. Returns 0 or the kernel's
 * -errno.
 */
int rtnl_ask(int fd, int type, const void *body, size_t body_len,
	     void (*each)(const struct nlmsghdr *h, void *arg), void *arg);

/*
 * Fills tb[0..max] with the attributes that start at a; unknown types are skipped, flag bits of the
 * type ignored.
 */
void rtnl_attrs(struct rtattr *tb[], unsigned max, const void *a, size_t len);

unsigned rtnl_u32(const struct rtattr *a, unsigned missing);
const char *rtnl_str(const struct rtattr *a, const char *missing);

#endif
