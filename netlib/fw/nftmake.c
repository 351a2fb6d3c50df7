// SPDX-License-Identifier: GPL-2.0-or-later
/* Completing the furniture: what the state lacks becomes messages of a batch. */
#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/nftexpr.h"
#include "netlib/fw/nftstate.h"
#include "netlib/nl/nlmsg.h"

/* Numbers of nft's data types; a concatenation is its fields' numbers, six bits each. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTO = 12, TYPE_SERVICE = 13, TYPE_BITS = 6 };
#define FIELDS_MAX 3

/* A key or value as the kernel wants it described. */
struct layout {
	uint32_t type, len;
	uint32_t field[FIELDS_MAX];
	size_t n;
};

static void add_field(struct layout *l, uint32_t type, uint32_t len)
{
	l->type = l->type << TYPE_BITS | type;
	l->len += (len + 3) / 4 * 4;
	l->field[l->n++] = len;
}

static void add_addr(struct layout *l, uint8_t family)
{
	const struct ip_addr any = { .family = family };

	add_field(l, ip_bytes(&any) == 16 ? TYPE_IPV6 : TYPE_IPV4, ip_bytes(&any));
}

static void table_add(struct nft_batch *b)
{
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nlmsg_str(&m, NFTA_TABLE_NAME, NFT_TABLE);
	nft_batch_add(b, &m, "add", "table inet", NFT_TABLE, NFT_NO_TAG);
}

void nft_table_del(struct nft_batch *b)
{
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_DELTABLE, 0);
	nlmsg_str(&m, NFTA_TABLE_NAME, NFT_TABLE);
	nft_batch_add(b, &m, "delete", "table inet", NFT_TABLE, NFT_NO_TAG);
}

static void chain_add(struct nft_batch *b, const struct fw_chain_spec *c)
{
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_CHAIN_NAME, c->name);
	if (c->type) {
		nlmsg_str(&m, NFTA_CHAIN_TYPE, c->type);
		nlmsg_nest(&m, NFTA_CHAIN_HOOK) {
			nlmsg_u32be(&m, NFTA_HOOK_HOOKNUM, c->hook);
			nlmsg_u32be(&m, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
		}
	}
	nft_batch_add(b, &m, "add", "chain", c->name, NFT_NO_TAG);
}

static void set_add(struct nft_batch *b, const struct fw_set *set)
{
	const struct fw_shape *s = &fw_shapes[set->kind];
	struct layout key = { 0 }, data = { 0 };
	char name[FW_NAME_MAX];
	struct nlmsg m;

	if (s->host || !s->port)
		add_addr(&key, set->family);
	if (s->port) {
		add_field(&key, TYPE_PROTO, 1);
		add_field(&key, TYPE_SERVICE, 2);
	}
	if (s->to)
		add_addr(&data, set->family);
	if (s->to_port)
		add_field(&data, TYPE_SERVICE, 2);
	fw_set_name(set, name);
	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
	nlmsg_str(&m, NFTA_SET_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_SET_NAME, name);
	nlmsg_u32be(&m, NFTA_SET_FLAGS,
		    (s->to ? NFT_SET_MAP : 0) |
			    (s->interval ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0));
	nlmsg_u32be(&m, NFTA_SET_KEY_TYPE, key.type);
	nlmsg_u32be(&m, NFTA_SET_KEY_LEN, key.len);
	if (s->to) {
		nlmsg_u32be(&m, NFTA_SET_DATA_TYPE, data.type);
		nlmsg_u32be(&m, NFTA_SET_DATA_LEN, data.len);
	}
	if (s->interval)
		nlmsg_nest(&m, NFTA_SET_DESC)
			nlmsg_nest(&m, NFTA_SET_DESC_CONCAT)
				for (size_t i = 0; i < key.n; i++)
					nlmsg_nest(&m, NFTA_LIST_ELEM)
						nlmsg_u32be(&m, NFTA_SET_FIELD_LEN, key.field[i]);
	/* asked for, though we refer to sets by name */
	nlmsg_u32be(&m, NFTA_SET_ID, (uint32_t)b->n + 1);
	nft_batch_add(b, &m, "add", s->to ? "map" : "set", name, NFT_NO_TAG);
}

static void rule_add(struct nft_batch *b, enum fw_chain chain, const void *exprs, size_t len)
{
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nlmsg_str(&m, NFTA_RULE_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_RULE_CHAIN, fw_chains[chain].name);
	nlmsg_data(&m, NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, (const char *)exprs + NLA_HDRLEN,
		   len - NLA_HDRLEN);
	nft_batch_add(b, &m, "add", "a rule of chain", fw_chains[chain].name, NFT_NO_TAG);
}

static void rule_del(struct nft_batch *b, const struct nft_seen_rule *r)
{
	uint64_t handle = htobe64(r->handle);
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_DELRULE, 0);
	nlmsg_str(&m, NFTA_RULE_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_RULE_CHAIN, r->chain);
	nlmsg_data(&m, NFTA_RULE_HANDLE, &handle, sizeof handle);
	nft_batch_add(b, &m, "delete", "a rule of chain", r->chain, NFT_NO_TAG);
}

/* A rule that should be there. */
struct wanted {
	enum fw_chain chain;
	bool base;
	void *exprs;
	size_t len;
	const struct nft_seen_rule *seen;
};

struct wanteds {
	struct wanted *w;
	size_t n;
};

static void wanteds_clear(struct wanteds *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->w[i].exprs);
	free(l->w);
}
#define cleanup_wanteds __attribute__((cleanup(wanteds_clear)))

static int want(struct wanteds *l, struct nft_state *s, const struct fw_rule *r, bool base)
{
	struct wanted *w = vec_add(&l->w, &l->n);

	if (!w)
		return -ENOMEM;
	w->chain = r->chain;
	w->base = base;
	if (!(w->exprs = nft_exprs(r, &w->len)))
		return -ENOMEM;
	for (size_t i = 0; i < s->nrule && !w->seen; i++) {
		struct nft_seen_rule *seen = &s->rule[i];

		if (seen->ours || strcmp(seen->chain, fw_chains[r->chain].name) != 0 ||
		    !nft_exprs_match(w->exprs, w->len, seen->exprs, seen->len))
			continue;
		seen->ours = true;
		w->seen = seen;
	}
	return 0;
}

static int want_set_rules(struct wanteds *l, struct nft_state *s, const struct fw_set *set)
{
	struct fw_rule rules[FW_SET_RULES_MAX];
	size_t n = fw_set_rules(set, rules);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = want(l, s, &rules[i], false);
	return r;
}

/*
 * The fixed rules and those of all sets that come and go, each with the kernel's, if it has it; as
 * far as they belong to these parts.
 */
static int want_all(struct wanteds *l, struct nft_state *s, unsigned parts, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < s->nrule; i++)
		s->rule[i].ours = false;
	for (size_t i = 0; i < FW_BASE_RULES && r == 0; i++)
		if (fw_chain_belongs(fw_base_rules[i].chain, parts))
			r = want(l, s, &fw_base_rules[i], true);
	for (size_t i = 0; i < s->nset && r == 0; i++)
		if (fw_set_belongs(&s->set[i], parts))
			r = want_set_rules(l, s, &s->set[i]);
	return r < 0 ? err_set(e, r, "write the rules of table inet " NFT_TABLE) : 0;
}

static bool has_set(const struct nft_state *s, const struct fw_set *set)
{
	for (size_t i = 0; i < s->nset; i++)
		if (fw_set_eq(&s->set[i], set))
			return true;
	return false;
}

/* Adds a missing set to the batch and to the state, so that its rules are wanted as well. */
static int need_set(struct nft_state *s, const struct fw_set *set, struct nft_batch *b,
		    struct err *e)
{
	struct fw_set *slot;

	if (has_set(s, set))
		return 0;
	if (!(slot = vec_add(&s->set, &s->nset)))
		return err_set(e, -ENOMEM, "write the sets of table inet " NFT_TABLE);
	*slot = *set;
	set_add(b, set);
	return 0;
}

static int need_chains(const struct nft_state *s, unsigned parts, struct nft_batch *b,
		       struct err *e)
{
	for (size_t i = 0; i < FW_CHAINS; i++) {
		if (!fw_chain_belongs(i, parts))
			continue;
		if (s->chain[i] == NFT_CHAIN_WRONG)
			return err_say(e, -EBADMSG,
				       "chain %s in table inet " NFT_TABLE
				       " is not ours: expected %s; delete the table "
				       "(nft delete table inet " NFT_TABLE
				       ") and attach the containers again",
				       fw_chains[i].name,
				       fw_chains[i].type ? fw_chains[i].hook_text :
							   "a chain without a hook");
		if (s->chain[i] == NFT_CHAIN_MISSING)
			chain_add(b, &fw_chains[i]);
	}
	return 0;
}

static void need_rules(struct wanteds *l, struct nft_batch *b)
{
	bool anew[FW_CHAINS] = { false };

	for (size_t i = 0; i < l->n; i++)
		anew[l->w[i].chain] |= l->w[i].base && !l->w[i].seen;
	for (size_t i = 0; i < l->n; i++)
		if (anew[l->w[i].chain] && l->w[i].seen) {
			rule_del(b, l->w[i].seen);
			l->w[i].seen = NULL;
		}
	for (size_t i = 0; i < l->n; i++)
		if (!l->w[i].seen)
			rule_add(b, l->w[i].chain, l->w[i].exprs, l->w[i].len);
}

static unsigned parts_of(const struct fw_elems *need)
{
	unsigned parts = 0;

	for (size_t i = 0; need && i < need->n; i++)
		parts |= fw_shapes[need->elem[i].set.kind].part;
	return parts;
}

int nft_state_complete(struct nft_state *s, const struct fw_elems *need, struct nft_batch *b,
		       struct err *e)
{
	cleanup_wanteds struct wanteds l = { 0 };
	unsigned parts = parts_of(need);
	int r = 0;

	if (s->dormant)
		return err_say(e, -EBADMSG,
			       "table inet " NFT_TABLE
			       " is dormant: nothing in it is in force; wake it with "
			       "nft add table inet " NFT_TABLE);
	if (!s->table)
		table_add(b);
	for (size_t i = 0; i < FW_BASE_SETS && r == 0; i++)
		if (fw_set_belongs(&fw_base_sets[i], parts))
			r = need_set(s, &fw_base_sets[i], b, e);
	for (size_t i = 0; need && i < need->n && r == 0; i++)
		r = need_set(s, &need->elem[i].set, b, e);
	if (r < 0 || (r = need_chains(s, parts, b, e)) < 0 || (r = want_all(&l, s, parts, e)) < 0)
		return r;
	need_rules(&l, b);
	return 0;
}

int nft_state_has_foreign_rules(struct nft_state *s, bool *yes, struct err *e)
{
	cleanup_wanteds struct wanteds l = { 0 };
	int r = want_all(&l, s, FW_ALL, e);

	*yes = s->refuses; /* a policy is the operator's, as a rule is */
	for (size_t i = 0; i < s->nrule; i++)
		*yes |= !s->rule[i].ours;
	return r;
}

int nft_state_drop_set(struct nft_state *s, const struct fw_set *set, struct nft_batch *b,
		       struct err *e)
{
	cleanup_wanteds struct wanteds l = { 0 };
	char name[FW_NAME_MAX];
	struct nlmsg m;
	int r;

	for (size_t i = 0; i < s->nrule; i++)
		s->rule[i].ours = false;
	if ((r = want_set_rules(&l, s, set)) < 0)
		return err_set(e, r, "write the rules of table inet " NFT_TABLE);
	for (size_t i = 0; i < l.n; i++)
		if (l.w[i].seen)
			rule_del(b, l.w[i].seen);
	fw_set_name(set, name);
	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_DELSET, 0);
	nlmsg_str(&m, NFTA_SET_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_SET_NAME, name);
	nft_batch_add(b, &m, "delete", "set", name, NFT_NO_TAG);
	return 0;
}
