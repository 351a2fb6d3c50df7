// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nftstate.h"

#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/fw/nftexpr.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define POLICY_ACCEPT 1 /* NF_ACCEPT */

/* What the kernel says of a table, a chain, a set or a rule; each answer fills some of it. */
struct answer {
	char table[NFT_NAME_LEN], name[NFT_NAME_LEN], type[16];
	uint32_t flags, hook, priority, policy, use;
	uint64_t handle;
	const void *exprs;
	size_t len;
};

static int take_handle(const void *data, size_t len, void *obj)
{
	uint64_t be;

	if (len != sizeof be)
		return -EBADMSG;
	memcpy(&be, data, sizeof be);
	((struct answer *)obj)->handle = be64toh(be);
	return 0;
}

static int take_exprs(const void *data, size_t len, void *obj)
{
	struct answer *a = obj;

	a->exprs = data;
	a->len = len;
	return 0;
}

/* A name longer than any of ours is somebody else's: left empty. */
static int take_name(char *out, const void *data, size_t len)
{
	size_t n = strnlen(data, len);

	if (n < NFT_NAME_LEN)
		memcpy(out, data, n);
	return 0;
}

static int take_table(const void *data, size_t len, void *obj)
{
	return take_name(((struct answer *)obj)->table, data, len);
}

static int take_own_name(const void *data, size_t len, void *obj)
{
	return take_name(((struct answer *)obj)->name, data, len);
}

static const struct attr_spec table_attrs[] = {
	[NFTA_TABLE_NAME] = ATTR_FN(take_own_name),
	[NFTA_TABLE_FLAGS] = ATTR_U32BE(struct answer, flags),
};
static const struct attr_spec hook_attrs[] = {
	[NFTA_HOOK_HOOKNUM] = ATTR_U32BE(struct answer, hook),
	[NFTA_HOOK_PRIORITY] = ATTR_U32BE(struct answer, priority),
};
static const struct attr_spec chain_attrs[] = {
	[NFTA_CHAIN_TABLE] = ATTR_FN(take_table),
	[NFTA_CHAIN_NAME] = ATTR_FN(take_own_name),
	[NFTA_CHAIN_TYPE] = ATTR_STR(struct answer, type),
	[NFTA_CHAIN_POLICY] = ATTR_U32BE(struct answer, policy),
	[NFTA_CHAIN_USE] = ATTR_U32BE(struct answer, use),
	[NFTA_CHAIN_HOOK] = ATTR_NEST(hook_attrs),
};
static const struct attr_spec set_attrs[] = {
	[NFTA_SET_TABLE] = ATTR_FN(take_table),
	[NFTA_SET_NAME] = ATTR_FN(take_own_name),
};
static const struct attr_spec rule_attrs[] = {
	[NFTA_RULE_TABLE] = ATTR_FN(take_table),
	[NFTA_RULE_CHAIN] = ATTR_FN(take_own_name),
	[NFTA_RULE_HANDLE] = ATTR_FN(take_handle),
	[NFTA_RULE_EXPRESSIONS] = ATTR_FN(take_exprs),
};

/* Kernels that do not filter a dump by table send all of them. */
#define TAKE(h, msg, attrs, a) \
	(nft_is((h), (msg)) ? attr_decode_msg((h), nft_hdr_len, (attrs), (a)) : 1)

static int take_the_table(const struct nlmsghdr *h, void *arg)
{
	struct nft_state *s = arg;
	struct answer a = { 0 };
	int r = TAKE(h, NFT_MSG_NEWTABLE, table_attrs, &a);

	if (r == 0 && !strcmp(a.name, NFT_TABLE)) {
		s->table = true;
		s->dormant = a.flags & NFT_TABLE_F_DORMANT;
	}
	return r < 0 ? r : 0;
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	struct nft_state *s = arg;
	struct answer a = { .policy = POLICY_ACCEPT };
	int r = TAKE(h, NFT_MSG_NEWCHAIN, chain_attrs, &a);

	if (r != 0 || strcmp(a.table, NFT_TABLE) != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < FW_CHAINS; i++) {
		const struct fw_chain_spec *c = &fw_chains[i];

		if (strcmp(a.name, c->name) != 0)
			continue;
		bool right = c->type ? !strcmp(a.type, c->type) && a.hook == c->hook &&
					       (int)a.priority == c->priority :
				       !a.type[0];
		s->chain[i] = right ? NFT_CHAIN_RIGHT : NFT_CHAIN_WRONG;
		s->refuses |= a.policy != POLICY_ACCEPT;
	}
	return 0;
}

struct set_list {
	struct fw_set **v;
	size_t *n, before;
};

static int take_set(const struct nlmsghdr *h, void *arg)
{
	struct set_list *l = arg;
	struct answer a = { 0 };
	struct fw_set set, *slot;
	int r = TAKE(h, NFT_MSG_NEWSET, set_attrs, &a);

	if (r != 0 || strcmp(a.table, NFT_TABLE) != 0 || fw_set_parse(a.name, &set) < 0)
		return r < 0 ? r : 0;
	if (!(slot = vec_add(l->v, l->n)))
		return -ENOMEM;
	*slot = set;
	return 0;
}

static void restart_sets(void *arg)
{
	struct set_list *l = arg;

	*l->n = l->before;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct nft_state *s = arg;
	struct answer a = { 0 };
	struct nft_seen_rule *slot;
	int r = TAKE(h, NFT_MSG_NEWRULE, rule_attrs, &a);

	if (r != 0 || strcmp(a.table, NFT_TABLE) != 0)
		return r < 0 ? r : 0;
	if (!(slot = vec_add(&s->rule, &s->nrule)))
		return -ENOMEM;
	memcpy(slot->chain, a.name, sizeof slot->chain);
	slot->handle = a.handle;
	if (a.len && !(slot->exprs = malloc(a.len)))
		return -ENOMEM;
	if (a.len)
		memcpy(slot->exprs, a.exprs, a.len);
	slot->len = a.len;
	return 0;
}

static void drop_rules(struct nft_state *s)
{
	for (size_t i = 0; i < s->nrule; i++)
		free(s->rule[i].exprs);
	free(s->rule);
	s->rule = NULL;
	s->nrule = 0;
}

static void restart_rules(void *arg)
{
	drop_rules(arg);
}

static void restart_chains(void *arg)
{
	struct nft_state *s = arg;

	memset(s->chain, 0, sizeof s->chain);
	s->refuses = false;
}

void nft_state_clear(struct nft_state *s)
{
	drop_rules(s);
	free(s->set);
	*s = (struct nft_state)NFT_STATE_INIT;
}

/* A dump of one kind of object; without the table there are none. */
static int dump(struct nl *nl, uint16_t msg, uint16_t table_attr, nl_reply_fn *fn,
		void (*again)(void *), void *arg, const char *what, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, msg, 0);
	nlmsg_str(&m, table_attr, NFT_TABLE);
	int r = nl_dump(nl, &m, fn, again, arg, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && !why.no)
		return err_set(e, r, "nftables: list the %s of table inet " NFT_TABLE, what);
	if (r < 0 && e) {
		*e = why;
		(void)err_wrap(e, "nftables: list the %s of table inet " NFT_TABLE, what);
	}
	return r;
}

int nft_sets_list(struct nl *nl, struct fw_set **v, size_t *n, struct err *e)
{
	struct set_list l = { .v = v, .n = n, .before = *n };

	return dump(nl, NFT_MSG_GETSET, NFTA_SET_TABLE, take_set, restart_sets, &l, "sets", e);
}

static int read_table(struct nl *nl, struct nft_state *s, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_GETTABLE, 0);
	nlmsg_str(&m, NFTA_TABLE_NAME, NFT_TABLE);
	struct err why = ERR_INIT;
	int r = nl_get(nl, &m, take_the_table, s, &why);
	if (r < 0 && r != -ENOENT)
		return err_set(e, r, "nftables: look for table inet " NFT_TABLE);
	return 0;
}

int nft_state_read(struct nl *nl, struct nft_state *s, struct err *e)
{
	int r;

	if ((r = read_table(nl, s, e)) < 0 || !s->table)
		return r;
	if ((r = nft_sets_list(nl, &s->set, &s->nset, e)) < 0)
		return r;
	r = dump(nl, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, take_chain, restart_chains, s, "chains",
		 e);
	if (r < 0)
		return r;
	return dump(nl, NFT_MSG_GETRULE, NFTA_RULE_TABLE, take_rule, restart_rules, s, "rules", e);
}

/* What the kernel counts as uses of a chain: its rules, and those that jump to it. */
static uint32_t uses_at_least(size_t chain)
{
	uint32_t n = 0;

	for (size_t i = 0; i < FW_BASE_RULES; i++) {
		n += fw_base_rules[i].chain == chain;
		for (size_t k = 0; k < FW_OPS_MAX; k++)
			n += fw_base_rules[i].op[k].type == FW_OP_JUMP &&
			     fw_base_rules[i].op[k].chain == chain;
	}
	return n;
}

static int count_chain(const struct nlmsghdr *h, void *arg)
{
	struct answer a = { 0 };
	int r = TAKE(h, NFT_MSG_NEWCHAIN, chain_attrs, &a);

	if (r != 0 || strcmp(a.table, NFT_TABLE) != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < FW_CHAINS; i++)
		*(bool *)arg |= !strcmp(a.name, fw_chains[i].name) && a.use < uses_at_least(i);
	return 0;
}

int nft_rules_lost(struct nl *nl, bool *lost, struct err *e)
{
	*lost = false;
	return dump(nl, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, count_chain, NULL, lost, "chains", e);
}
