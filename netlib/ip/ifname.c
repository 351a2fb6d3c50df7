// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/ip/ifname.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/str.h"

const char *ifname_problem(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= IFNAME_MAX)
		return "is longer than 15 characters";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is . or ..";
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (strchr("/:%", *p) || *p <= ' ' || *p == 0x7f || (*p == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0)))
			return "contains a character that interface names cannot have ('/', ':', '%' or white space)";
	return NULL;
}

void ifname_derive(char out[IFNAME_MAX], const char *prefix, const char *network, const char *container, const char *ifname,
		   unsigned salt)
{
	char s[16];

	(void)snprintf(s, sizeof s, "%u", salt);
	uint64_t h = hash_end(hash_part(hash_part(hash_part(hash_part(HASH_INIT, network), container), ifname), s));
	(void)snprintf(out, IFNAME_MAX, "%.7s%08x", prefix, (uint32_t)h);
}
