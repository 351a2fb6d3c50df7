/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_NETLINK_H
#define TESTS_TOOLS_STEPPER_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

struct text;

/*
 * Names the messages of one netlink send in t ("RTM_NEWLINK veth0 (veth)") and tells whether any of
 * them changes something: gets, dumps and empty nftables batches do not. A message of an unknown
 * kind is taken as a change.
 */
bool netlink_changes(int protocol, const void *buf, size_t len, struct text *t);

#endif
