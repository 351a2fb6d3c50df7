// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses as text, RFC 4291 section 2.2 and RFC 5952. libc's own functions read and write the
 * same but for one case (below); they lie far from everything else that a plugin needs of libc.
 */
#include "netlib/ip/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GROUPS6 8
#define NO_GAP 17

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Leading zeros are refused, as Go does: some read them as octal. */
static bool parse4(const char *s, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		for (; *s >= '0' && *s <= '9' && digits < 4; s++, digits++)
			v = v * 10 + (unsigned)(*s - '0');
		if (!digits || v > 255 || (digits > 1 && s[-(int)digits] == '0') ||
		    *s != (i < 3 ? '.' : '\0'))
			return false;
		out[i] = (uint8_t)v;
		s++;
	}
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

/* One group of up to four digits; returns how many, 5 for too many. */
static unsigned parse_group(const char *s, unsigned *v)
{
	unsigned n = 0;

	for (*v = 0; n < 5 && hex(s[n]) >= 0; n++)
		*v = *v << 4 | (unsigned)hex(s[n]);
	return n;
}

/* "::" stands for at least one group. */
static bool parse6(const char *s, uint8_t b[16])
{
	unsigned n = 0, gap = NO_GAP, v;

	if (!strncmp(s, "::", 2)) {
		gap = 0;
		s += 2;
	}
	while (*s) {
		unsigned digits = parse_group(s, &v);

		if (!digits || digits > 4 || n == 16)
			return false;
		if (s[digits] == '.') {
			if (n > 12 || !parse4(s, b + n))
				return false;
			n += 4;
			break;
		}
		b[n++] = (uint8_t)(v >> 8);
		b[n++] = (uint8_t)v;
		s += digits;
		if (!*s)
			break;
		if (*s++ != ':' || !*s)
			return false;
		if (*s == ':') {
			if (gap != NO_GAP)
				return false;
			gap = n;
			s++;
		}
	}
	if (gap == NO_GAP)
		return n == 16;
	if (n == 16)
		return false;
	memmove(b + 16 - (n - gap), b + gap, n - gap);
	memset(b + gap, 0, 16 - n);
	return true;
}

int ip_parse(const char *s, struct ip_addr *out)
{
	struct ip_addr a = { .family = AF_INET };
	uint8_t b[16] = { 0 };

	if (parse4(s, b)) {
		memcpy(a.b, b, 4);
	} else if (!parse6(s, b)) {
		return -EINVAL;
	} else if (!memcmp(b, mapped, sizeof mapped)) {
		memcpy(a.b, b + sizeof mapped, 4);
	} else {
		a.family = AF_INET6;
		memcpy(a.b, b, sizeof a.b);
	}
	*out = a;
	return 0;
}

/* The first of the longest runs of at least two zero groups; *len 0: there is none. */
static unsigned longest_run(const unsigned g[GROUPS6], unsigned *len)
{
	unsigned best = 0;

	*len = 1;
	for (unsigned i = 0, run = 0; i < GROUPS6; i++) {
		run = g[i] ? 0 : run + 1;
		if (run > *len) {
			*len = run;
			best = i + 1 - run;
		}
	}
	if (*len == 1)
		*len = 0;
	return best;
}

/* libc writes the obsolete ::a.b.c.d where Go writes ::hhhh:hhhh. */
static void text6(const uint8_t b[16], char *buf)
{
	unsigned g[GROUPS6], len, at;
	char *p = buf;

	for (unsigned i = 0; i < GROUPS6; i++)
		g[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
	if (!memcmp(b, mapped, sizeof mapped)) {
		(void)snprintf(buf, IP_TEXT_MAX, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
		return;
	}
	at = longest_run(g, &len);
	for (unsigned i = 0; i < GROUPS6; i++) {
		if (len && i == at) {
			p += snprintf(p, 3, i + len == GROUPS6 ? "::" : ":");
			i += len - 1;
			continue;
		}
		p += snprintf(p, 6, "%s%x", i ? ":" : "", g[i]);
	}
}

const char *ip_text(const struct ip_addr *a, char *buf)
{
	if (a->family == AF_INET)
		(void)snprintf(buf, IP_TEXT_MAX, "%u.%u.%u.%u", a->b[0], a->b[1], a->b[2], a->b[3]);
	else if (a->family == AF_INET6)
		text6(a->b, buf);
	else
		(void)snprintf(buf, IP_TEXT_MAX, "<nil>");
	return buf;
}
