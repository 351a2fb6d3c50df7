// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptname.h"

#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/sha512.h"
#include "netlib/base/str.h"

#define CUT_AT 253 /* a comment that is too long ends in ".." after so many characters */

static void cut(char out[IPT_COMMENT_MAX], char *text)
{
	if (strlen(text) >= IPT_COMMENT_MAX)
		(void)strcpy(text + CUT_AT, "..");
	(void)str_copyf(out, IPT_COMMENT_MAX, "%s", text);
}

/* Names are letters, digits, _, . and - (CNI 1.1.0): nothing in them needs escaping. */
void ipt_names(struct ipt_names *n, const char *network, const char *container)
{
	unsigned char digest[SHA512_SIZE];
	char hex[2 * SHA512_SIZE + 1];

	memset(n, 0, sizeof *n);
	cleanup_free char *both = str_fmt("%s%s", network, container);
	cleanup_free char *masq = str_fmt("name: \"%s\" id: \"%s\"", network, container);
	cleanup_free char *dnat = str_fmt("dnat name: \"%s\" id: \"%s\"", network, container);
	if (!both || !masq || !dnat)
		return; /* names that nothing has: the caller's next allocation says so */
	sha512(both, strlen(both), digest);
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	(void)str_copyf(n->masq, sizeof n->masq, "CNI-%s", hex);
	(void)str_copyf(n->dnat, sizeof n->dnat, "CNI-DN-%s", hex);
	(void)str_copyf(n->snat, sizeof n->snat, "CNI-SN-%s", hex);
	cut(n->masq_comment, masq);
	cut(n->dnat_comment, dnat);
}

/* Behind "name: \"" of either comment, or NULL. */
static const char *after_name(const char *comment)
{
	static const char dnat[] = "dnat ", name[] = "name: \"";

	if (str_starts(comment, dnat))
		comment += strlen(dnat);
	return str_starts(comment, name) ? comment + strlen(name) : NULL;
}

bool ipt_comment_in_network(const char *comment, const char *network)
{
	const char *rest = after_name(comment);
	size_t n = strlen(network);
	size_t room = rest ? CUT_AT - (size_t)(rest - comment) : 0;

	if (!rest)
		return false;
	if (n > room) /* the network's own name is cut */
		return !strncmp(rest, network, room);
	return !strncmp(rest, network, n) && (rest[n] == '"' || n == room);
}

/* The two names as they stand in the comment. */
struct part {
	const char *text;
	int len;
};
static bool take_names(const char *comment, struct part names[2])
{
	static const char between[] = "\" id: \"";
	const char *name = after_name(comment);
	const char *mid = name ? strstr(name, between) : NULL;
	const char *id = mid ? mid + strlen(between) : NULL;

	if (!id)
		return false;
	names[0] = (struct part){ name, (int)(mid - name) };
	names[1] = (struct part){ id, (int)strcspn(id, "\"") };
	return true;
}

bool ipt_comment_owner(const char *comment, char *owner, size_t size)
{
	struct part at[2];

	if (!take_names(comment, at))
		return false;
	(void)str_copyf(owner, size, "%.*s/%.*s", at[0].len, at[0].text, at[1].len, at[1].text);
	return true;
}

const char *ipt_comment_words(const char *comment, char buf[IPT_OWNER_WORDS_MAX])
{
	struct part at[2];

	if (take_names(comment, at))
		(void)str_copyf(buf, IPT_OWNER_WORDS_MAX, "container %.*s of network %.*s",
				at[1].len, at[1].text, at[0].len, at[0].text);
	else
		(void)str_copyf(buf, IPT_OWNER_WORDS_MAX, "an owner not known to us (\"%s\")",
				comment);
	return buf;
}
