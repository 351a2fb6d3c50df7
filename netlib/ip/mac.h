/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IP_MAC_H
#define NARU_IP_MAC_H

#include <stdbool.h>
#include <stdint.h>

#define MAC_TEXT_MAX 18

struct mac {
	uint8_t b[6];
	bool set;
};

/* "aa:bb:cc:dd:ee:ff", also with '-'; 0 or -EINVAL */
int mac_parse(const char *s, struct mac *out);
int mac_parse_field(const char *s, void *member);
const char *mac_text(const struct mac *m, char *buf); /* lower case; "" when not set */
bool mac_eq(const struct mac *a, const struct mac *b);
bool mac_is_zero(const struct mac *m);
/* A stable, locally administered unicast address made from a name. */
struct mac mac_derive(const char *name);

#endif
