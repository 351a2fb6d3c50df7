// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/str.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *s, struct mac *out)
{
	struct mac m = { .set = true };

	if (strlen(s) != MAC_TEXT_MAX - 1)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++) {
		int hi = hex(s[3 * i]), lo = hex(s[3 * i + 1]);
		char sep = s[3 * i + 2];

		if (hi < 0 || lo < 0 || (i < 5 && sep != ':' && sep != '-'))
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*out = m;
	return 0;
}

int mac_parse_field(const char *s, void *member)
{
	return mac_parse(s, member);
}

const char *mac_text(const struct mac *m, char *buf)
{
	if (!m->set)
		buf[0] = 0;
	else
		(void)snprintf(buf, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1],
			       m->b[2], m->b[3], m->b[4], m->b[5]);
	return buf;
}

bool mac_eq(const struct mac *a, const struct mac *b)
{
	return !memcmp(a->b, b->b, sizeof a->b);
}

bool mac_is_zero(const struct mac *m)
{
	static const uint8_t zero[6];

	return !memcmp(m->b, zero, sizeof zero);
}

struct mac mac_derive(const char *name)
{
	uint64_t h = hash_end(hash_part(hash_part(HASH_INIT, "mac"), name));
	struct mac m = { .set = true };

	for (unsigned i = 0; i < 6; i++)
		m.b[i] = (uint8_t)(h >> 8 * i);
	m.b[0] = (uint8_t)((m.b[0] & 0xfe) | 0x02);
	return m;
}
