/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTMATCH_H
#define NARU_FW_IPTMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/fw/iptrule.h"

/* What each match is called, how large the kernel's part of it is, and how it is written. */
struct ipt_match_spec {
	const char *name;
	uint8_t revision;
	size_t size; /* not padded */
	void (*encode)(const struct ipt_match *m, void *data);
	bool (*decode)(struct ipt_match *m, const void *data); /* false: says more than we know */
	void (*text)(struct str *s, const struct ipt_match *m);
};
extern const struct ipt_match_spec ipt_match_specs[IPT_MATCHES];

/* Names of bits, in the order in which iptables-save lists them; the last has no name. */
struct ipt_bit {
	const char *name;
	uint16_t bit;
};
extern const struct ipt_bit ipt_states[], ipt_addrtypes[];

/* Names of -p, the one that iptables-save prints before others of its number; 0 is "all". */
struct ipt_protocol {
	const char *name;
	uint8_t number;
};
extern const struct ipt_protocol ipt_protocols[];

/* As iptables-save quotes: bare when it is a word, else between quotes. */
void ipt_quote(struct str *s, const char *text);

#endif
