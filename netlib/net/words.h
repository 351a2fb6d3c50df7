/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_WORDS_H
#define NARU_NET_WORDS_H

#include <stdint.h>

struct nlmsghdr;
struct str;

/*
 * A change to links, addresses or routes in the words of ip(8): "addr add 10.1.0.2/24 dev eth0".
 * Other messages as nl_print has them. name gives an interface's name, or NULL. Pure.
 */
typedef const char *words_name_fn(uint32_t index, void *arg);
void words_print(struct str *s, const struct nlmsghdr *h, words_name_fn *name, void *arg);

#endif
