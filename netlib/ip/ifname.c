// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/ifname.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"

/* Unicode's White_Space beyond ASCII, in UTF-8. */
static bool is_space(const char *p, unsigned n)
{
	static const char *const spaces[] = {
		"\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
		"\u2004",   "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
		"\u2028",   "\u2029", "\u202f", "\u205f", "\u3000",
	};

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		if (strlen(spaces[i]) == n && !memcmp(p, spaces[i], n))
			return true;
	return false;
}

const char *ifname_problem(const char *name)
{
	unsigned n;

	if (!*name)
		return "is empty";
	if (strlen(name) >= IFNAME_MAX)
		return "is longer than 15 characters";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is . or ..";
	/* /proc/sys/net/ipv6/conf/all is every interface */
	if (!strcmp(name, "all") || !strcmp(name, "default"))
		return "is what the kernel calls the settings of all interfaces, "
		       "hence refused by it";
	for (const char *p = name; *p; p += n) {
		if (!(n = utf8_len(p, strlen(p))))
			return "is not valid UTF-8";
		if (strchr("/:%", *p) || (n == 1 && (*p <= ' ' || *p == 0x7f)) || is_space(p, n))
			return "contains a character that interface names cannot have "
			       "('/', ':', '%' or white space)";
	}
	return NULL;
}

void ifname_derive(char out[IFNAME_MAX], const char *prefix, const char *network,
		   const char *container, const char *ifname, unsigned salt)
{
	char s[16];

	(void)snprintf(s, sizeof s, "%u", salt);
	uint64_t h = hash_end(
		hash_part(hash_part(hash_part(hash_part(HASH_INIT, network), container), ifname),
			  s));
	(void)snprintf(out, IFNAME_MAX, "%.7s%08x", prefix, (uint32_t)h);
}
