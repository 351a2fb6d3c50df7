/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_OWNER_H
#define NARU_FW_OWNER_H

#include <stdbool.h>
#include <stddef.h>

struct fw_owner;

/*
 * A network's name in a mark of limited length: as it is, or, when it is longer than 80, its
 * beginning, '~' (which no name has) and a hash, so that networks stay apart. Returns buf.
 */
#define FW_OWNER_NETWORK_MAX 81
const char *fw_owner_network(const char *network, char buf[FW_OWNER_NETWORK_MAX]);

/*
 * The owner as it is kept with each element, the comment that nft shows: "<16 hex digits>
 * network/container/ifname", cut to what nft accepts as a comment. The digits are a hash over the
 * three names, so that owners whose texts were cut stay apart; two texts are the same owner when
 * they are equal.
 */
#define FW_OWNER_MAX 128 /* with terminator */
void fw_owner_text(char text[FW_OWNER_MAX], const struct fw_owner *o);

/*
 * "container X of network Y (interface Z)"; a text that is not ours is given in quotes. Returns
 * buf.
 */
#define FW_OWNER_WORDS_MAX 192
const char *fw_owner_words(const char *text, char buf[FW_OWNER_WORDS_MAX]);

bool fw_owner_in_network(const char *text, const char *network);

/* The text without the hash, for listings. */
const char *fw_owner_names(const char *text);

#endif
