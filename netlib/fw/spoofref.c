// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/spoofref.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define TABLE "nat"
#define CHAIN "PREROUTING"
#define NAME_MAX_LEN 256 /* of a chain in the kernel, with terminator */

static void begin(struct nlmsg *m, uint16_t msg, uint16_t flags)
{
	nlmsg_init(m);
	nft_begin_in(m, NFT_BRIDGE, msg, flags);
}

static int ignore(const struct nlmsghdr *h, void *arg)
{
	(void)h, (void)arg;
	return 0;
}

/* 1, 0, or negative. */
static int has_chain(struct nl *nl, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	begin(&m, NFT_MSG_GETCHAIN, 0);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, TABLE);
	nlmsg_str(&m, NFTA_CHAIN_NAME, name);
	int r = nl_get(nl, &m, ignore, NULL, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && e) {
		*e = why;
		(void)err_wrap(e, "nftables: look for a chain in table bridge " TABLE);
	}
	return r < 0 ? r : 1;
}

struct rule {
	char table[NFT_NAME_LEN], chain[NFT_NAME_LEN], comment[128];
	uint64_t handle;
};

static int take_handle(const void *data, size_t len, void *obj)
{
	struct rule *r = obj;

	if (len != sizeof r->handle)
		return -EBADMSG;
	memcpy(&r->handle, data, sizeof r->handle); /* handed back as it is */
	return 0;
}

static int take_comment(const void *data, size_t len, void *obj)
{
	struct rule *r = obj;

	nft_comment_get(data, len, r->comment, sizeof r->comment);
	return 0;
}

static int take_table(const void *data, size_t len, void *obj)
{
	(void)str_copyf(((struct rule *)obj)->table, NFT_NAME_LEN, "%.*s", (int)strnlen(data, len),
			(const char *)data);
	return 0;
}

static int take_chain(const void *data, size_t len, void *obj)
{
	(void)str_copyf(((struct rule *)obj)->chain, NFT_NAME_LEN, "%.*s", (int)strnlen(data, len),
			(const char *)data);
	return 0;
}

static const struct attr_spec rule_attrs[] = {
	[NFTA_RULE_TABLE] = ATTR_FN(take_table),
	[NFTA_RULE_CHAIN] = ATTR_FN(take_chain),
	[NFTA_RULE_HANDLE] = ATTR_FN(take_handle),
	[NFTA_RULE_USERDATA] = ATTR_FN(take_comment),
};

struct listing {
	const char *comment;
	struct nft_batch *b;
};

static void delete_rule(struct nft_batch *b, const char *chain, const uint64_t *handle)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_DELRULE, 0);
	nlmsg_str(&m, NFTA_RULE_TABLE, TABLE);
	nlmsg_str(&m, NFTA_RULE_CHAIN, chain);
	if (handle)
		nlmsg_data(&m, NFTA_RULE_HANDLE, handle, sizeof *handle);
	nft_batch_add(b, &m, "delete", handle ? "a rule of chain" : "the rules of chain", chain,
		      NFT_NO_TAG);
}

static void delete_chain(struct nft_batch *b, const char *chain)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_DELCHAIN, 0);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, TABLE);
	nlmsg_str(&m, NFTA_CHAIN_NAME, chain);
	nft_batch_add(b, &m, "delete", "chain", chain, NFT_NO_TAG);
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct listing *l = arg;
	struct rule r = { 0 };

	if (!nft_is_in(h, NFT_BRIDGE, NFT_MSG_NEWRULE))
		return 0;
	int rc = attr_decode_msg(h, nft_hdr_len, rule_attrs, &r);
	if (rc == 0 && !strcmp(r.table, TABLE) && !strcmp(r.chain, CHAIN) &&
	    !strcmp(r.comment, l->comment))
		delete_rule(l->b, CHAIN, &r.handle);
	return rc;
}

static void restart(void *arg)
{
	struct listing *l = arg;

	l->b->n = l->b->len = l->b->deletions = 0;
}

static int find_jumps(struct nl *nl, struct listing *l, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	begin(&m, NFT_MSG_GETRULE, 0);
	nlmsg_str(&m, NFTA_RULE_TABLE, TABLE);
	nlmsg_str(&m, NFTA_RULE_CHAIN, CHAIN);
	int r = nl_dump(nl, &m, take_rule, restart, l, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && e) {
		*e = why;
		(void)err_wrap(e, "nftables: list chain " CHAIN " of table bridge " TABLE);
	}
	return r;
}

int spoofref_find(struct nl *nl, const struct fw_owner *owner, struct nft_batch *b, struct err *e)
{
	char chains[2][NAME_MAX_LEN], comment[NAME_MAX_LEN];
	struct listing l = { .comment = comment, .b = b };
	int has[2], r;

	/* longer than the kernel takes them: never made */
	if (str_copyf(chains[0], NAME_MAX_LEN, "cni-br-iface-%s-%s", owner->container,
		      owner->ifname) < 0 ||
	    str_copyf(chains[1], NAME_MAX_LEN, "%s-mac", chains[0]) < 0 ||
	    str_copyf(comment, sizeof comment, "macspoofchk-%s-%s", owner->container,
		      owner->ifname) < 0)
		return 0;
	b->table = "bridge " TABLE;
	for (int i = 0; i < 2; i++)
		if ((has[i] = has_chain(nl, chains[i], e)) < 0)
			return has[i];
	if (!has[0] && !has[1])
		return 0;
	if ((r = find_jumps(nl, &l, e)) < 0)
		return r;
	for (int i = 0; i < 2; i++)
		if (has[i])
			delete_rule(b, chains[i], NULL);
	for (int i = 0; i < 2; i++)
		if (has[i])
			delete_chain(b, chains[i]);
	return 0;
}
