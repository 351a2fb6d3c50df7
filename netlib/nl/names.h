/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NL_NAMES_H
#define NARU_NL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;
struct str;

/*
 * rtnetlink messages as text, by the names of linux/rtnetlink.h and friends: one printer for
 * traces, golden tests and inspection. Pure.
 *
 * 	RTM_NEWADDR request create excl
 * 	  family inet prefixlen 24 scope universe index 5
 * 	  IFA_LOCAL 10.1.0.2
 *
 * What is not in the tables is printed by number and as bytes; a malformed message is printed as
 * far as it goes and says so.
 */

/*
 * One message: as lines with a newline at the end, or, lines false, on one line without one and
 * nests in braces.
 */
void nl_print(struct str *s, const struct nlmsghdr *h, bool lines);

/* All messages of a buffer, as lines. */
void nl_print_all(struct str *s, const void *buf, size_t len);

/* "RTM_NEWLINK"; NULL when it has no name here. */
const char *nl_type_name(uint16_t type);

#endif
