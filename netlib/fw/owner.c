// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/owner.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/str.h"
#include "netlib/fw/fw.h"

#define HASH_DIGITS 16

const char *fw_owner_network(const char *network, char buf[FW_OWNER_NETWORK_MAX])
{
	int kept = FW_OWNER_NETWORK_MAX - 1 - 1 - HASH_DIGITS;

	if (str_copyf(buf, FW_OWNER_NETWORK_MAX, "%s", network) < 0)
		(void)str_copyf(buf, FW_OWNER_NETWORK_MAX, "%.*s~%016llx", kept, network,
				(unsigned long long)hash_end(hash_part(HASH_INIT, network)));
	return buf;
}

void fw_owner_text(char text[FW_OWNER_MAX], const struct fw_owner *o)
{
	char network[FW_OWNER_NETWORK_MAX];
	uint64_t h = HASH_INIT;

	h = hash_part(h, o->network);
	h = hash_part(h, o->container);
	h = hash_end(hash_part(h, o->ifname));
	(void)str_copyf(text, FW_OWNER_MAX, "%016llx %s/%s/%s", (unsigned long long)h,
			fw_owner_network(o->network, network), o->container, o->ifname);
	/*
	 * nft prints a comment between quotes and reads it back; whatever could break out of them
	 * is only in the hash
	 */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == 127)
			*p = '?';
}

const char *fw_owner_names(const char *text)
{
	if (strspn(text, "0123456789abcdef") != HASH_DIGITS || text[HASH_DIGITS] != ' ')
		return text;
	return text + HASH_DIGITS + 1;
}

const char *fw_owner_words(const char *text, char buf[FW_OWNER_WORDS_MAX])
{
	const char *network = fw_owner_names(text);
	const char *container = strchr(network, '/');
	const char *ifname = container ? strchr(container + 1, '/') : NULL;

	if (network == text || !container)
		(void)snprintf(buf, FW_OWNER_WORDS_MAX, "an owner not known to us (\"%s\")", text);
	else if (!ifname) /* cut */
		(void)snprintf(buf, FW_OWNER_WORDS_MAX, "container %s... of network %.*s",
			       container + 1, (int)(container - network), network);
	else
		(void)snprintf(buf, FW_OWNER_WORDS_MAX,
			       "container %.*s of network %.*s (interface %s)",
			       (int)(ifname - container - 1), container + 1,
			       (int)(container - network), network, ifname + 1);
	return buf;
}

bool fw_owner_in_network(const char *text, const char *network)
{
	const char *names = fw_owner_names(text);
	char mark[FW_OWNER_NETWORK_MAX];
	size_t n = strlen(fw_owner_network(network, mark));

	return names != text && !strncmp(names, mark, n) && names[n] == '/';
}
