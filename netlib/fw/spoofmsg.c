// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/spoofmsg.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/nftexpr.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define TABLE NFT_TABLE
#define CHAIN "prerouting"
#define PORTS "ports"
#define SENDERS "senders"
#define PRIORITY (-300) /* the reference's: before anything else looks at the frame */
#define HOOK 0		/* NF_BR_PRE_ROUTING */
#define DROP 0		/* NF_DROP */

/* Numbers of nft's data types; a concatenation is its fields' numbers, six bits each. */
enum { TYPE_ETHER = 9, TYPE_IFNAME = 41, TYPE_BITS = 6 };
enum { PORT_LEN = IFNAME_MAX, MAC_LEN = 6, MAC_PADDED = 8, SENDER_LEN = PORT_LEN + MAC_PADDED };

void spoof_elems_clear(struct spoof_elems *l)
{
	free(l->v);
	*l = (struct spoof_elems)SPOOF_ELEMS_INIT;
}

static void begin(struct nlmsg *m, uint16_t msg, uint16_t flags)
{
	nlmsg_init(m);
	nft_begin_in(m, NFT_BRIDGE, msg, flags);
}

void spoof_batch_init(struct nft_batch *b)
{
	*b = (struct nft_batch)NFT_BATCH_INIT;
	b->table = "bridge " TABLE;
}

/* ---- the rule: iifname @ports iifname . ether saddr != @senders drop */

static void put_meta_iifname(struct nlmsg *m)
{
	nlmsg_nest(m, NFTA_LIST_ELEM) {
		nlmsg_str(m, NFTA_EXPR_NAME, "meta");
		nlmsg_nest(m, NFTA_EXPR_DATA) {
			nlmsg_u32be(m, NFTA_META_KEY, NFT_META_IIFNAME);
			nlmsg_u32be(m, NFTA_META_DREG, NFT_REG_1);
		}
	}
}

static void put_ether_saddr(struct nlmsg *m)
{
	nlmsg_nest(m, NFTA_LIST_ELEM) {
		nlmsg_str(m, NFTA_EXPR_NAME, "payload");
		nlmsg_nest(m, NFTA_EXPR_DATA) {
			/* the register behind the sixteen bytes of the name */
			nlmsg_u32be(m, NFTA_PAYLOAD_DREG, NFT_REG_2);
			nlmsg_u32be(m, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
			nlmsg_u32be(m, NFTA_PAYLOAD_OFFSET, MAC_LEN);
			nlmsg_u32be(m, NFTA_PAYLOAD_LEN, MAC_LEN);
		}
	}
}

static void put_lookup(struct nlmsg *m, const char *set, uint32_t flags)
{
	nlmsg_nest(m, NFTA_LIST_ELEM) {
		nlmsg_str(m, NFTA_EXPR_NAME, "lookup");
		nlmsg_nest(m, NFTA_EXPR_DATA) {
			nlmsg_str(m, NFTA_LOOKUP_SET, set);
			nlmsg_u32be(m, NFTA_LOOKUP_SREG, NFT_REG_1);
			if (flags)
				nlmsg_u32be(m, NFTA_LOOKUP_FLAGS, flags);
		}
	}
}

static void put_drop(struct nlmsg *m)
{
	nlmsg_nest(m, NFTA_LIST_ELEM) {
		nlmsg_str(m, NFTA_EXPR_NAME, "immediate");
		nlmsg_nest(m, NFTA_EXPR_DATA) {
			nlmsg_u32be(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
			nlmsg_nest(m, NFTA_IMMEDIATE_DATA)
				nlmsg_nest(m, NFTA_DATA_VERDICT)
					nlmsg_u32be(m, NFTA_VERDICT_CODE, DROP);
		}
	}
}

static void put_exprs(struct nlmsg *m)
{
	put_meta_iifname(m);
	put_lookup(m, PORTS, 0);
	put_meta_iifname(m);
	put_ether_saddr(m);
	put_lookup(m, SENDERS, NFT_LOOKUP_F_INV);
	put_drop(m);
}

static bool is_the_rule(const void *exprs, size_t len)
{
	struct nlmsg want;

	nlmsg_init(&want);
	nlmsg_nest(&want, NFTA_RULE_EXPRESSIONS)
		put_exprs(&want);
	return nft_exprs_match(want.buf, want.len, exprs, len);
}

/* ---- furniture */

/* For nft, which else takes a name for a number: user data of type 0, keys in the host's order. */
struct key_order {
	uint8_t type, len;
	char order[4];
};

static void put_set(struct nft_batch *b, const char *name, uint32_t type, uint32_t len)
{
	const uint32_t host_order = 1;
	struct key_order hint = { .type = 0, .len = sizeof hint.order };
	struct nlmsg m;

	memcpy(hint.order, &host_order, sizeof hint.order);

	begin(&m, NFT_MSG_NEWSET, NLM_F_CREATE);
	nlmsg_str(&m, NFTA_SET_TABLE, TABLE);
	nlmsg_str(&m, NFTA_SET_NAME, name);
	nlmsg_u32be(&m, NFTA_SET_FLAGS, 0);
	nlmsg_u32be(&m, NFTA_SET_KEY_TYPE, type);
	nlmsg_u32be(&m, NFTA_SET_KEY_LEN, len);
	nlmsg_u32be(&m, NFTA_SET_ID, (uint32_t)b->n + 1);
	nlmsg_data(&m, NFTA_SET_USERDATA, &hint, sizeof hint);
	nft_batch_add(b, &m, "add", "set", name, NFT_NO_TAG);
}

/* Table, chain and sets that are there are as good as made. */
void spoof_put_furniture(struct nft_batch *b, bool rule)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nlmsg_str(&m, NFTA_TABLE_NAME, TABLE);
	nft_batch_add(b, &m, "add", "table bridge", TABLE, NFT_NO_TAG);
	begin(&m, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, TABLE);
	nlmsg_str(&m, NFTA_CHAIN_NAME, CHAIN);
	nlmsg_str(&m, NFTA_CHAIN_TYPE, "filter");
	nlmsg_nest(&m, NFTA_CHAIN_HOOK) {
		nlmsg_u32be(&m, NFTA_HOOK_HOOKNUM, HOOK);
		nlmsg_u32be(&m, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
	}
	nft_batch_add(b, &m, "add", "chain", CHAIN, NFT_NO_TAG);
	put_set(b, PORTS, TYPE_IFNAME, PORT_LEN);
	put_set(b, SENDERS, TYPE_IFNAME << TYPE_BITS | TYPE_ETHER, SENDER_LEN);
	if (!rule)
		return;
	begin(&m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nlmsg_str(&m, NFTA_RULE_TABLE, TABLE);
	nlmsg_str(&m, NFTA_RULE_CHAIN, CHAIN);
	nlmsg_nest(&m, NFTA_RULE_EXPRESSIONS)
		put_exprs(&m);
	nft_batch_add(b, &m, "add", "the rule of chain", CHAIN, NFT_NO_TAG);
}

void spoof_del_table(struct nft_batch *b)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_DELTABLE, 0);
	nlmsg_str(&m, NFTA_TABLE_NAME, TABLE);
	nft_batch_add(b, &m, "delete", "table bridge", TABLE, NFT_NO_TAG);
}

/* What the kernel says of the table, a chain or a rule; each answer fills some of it. */
struct answer {
	char table[NFT_NAME_LEN], name[NFT_NAME_LEN], type[16];
	uint32_t flags, hook, priority;
	const void *exprs;
	size_t len;
};

static int take_exprs(const void *data, size_t len, void *obj)
{
	struct answer *a = obj;

	a->exprs = data;
	a->len = len;
	return 0;
}

/* Names of others may be longer than any of ours: cut, they are none of ours still. */
static int take_table_name(const void *data, size_t len, void *obj)
{
	(void)str_copyf(((struct answer *)obj)->table, NFT_NAME_LEN, "%.*s",
			(int)strnlen(data, len), (const char *)data);
	return 0;
}

static int take_name(const void *data, size_t len, void *obj)
{
	(void)str_copyf(((struct answer *)obj)->name, NFT_NAME_LEN, "%.*s", (int)strnlen(data, len),
			(const char *)data);
	return 0;
}

static const struct attr_spec table_attrs[] = {
	[NFTA_TABLE_NAME] = ATTR_FN(take_name),
	[NFTA_TABLE_FLAGS] = ATTR_U32BE(struct answer, flags),
};
static const struct attr_spec hook_attrs[] = {
	[NFTA_HOOK_HOOKNUM] = ATTR_U32BE(struct answer, hook),
	[NFTA_HOOK_PRIORITY] = ATTR_U32BE(struct answer, priority),
};
static const struct attr_spec chain_attrs[] = {
	[NFTA_CHAIN_TABLE] = ATTR_FN(take_table_name),
	[NFTA_CHAIN_NAME] = ATTR_FN(take_name),
	[NFTA_CHAIN_TYPE] = ATTR_STR(struct answer, type),
	[NFTA_CHAIN_HOOK] = ATTR_NEST(hook_attrs),
};
static const struct attr_spec rule_attrs[] = {
	[NFTA_RULE_TABLE] = ATTR_FN(take_table_name),
	[NFTA_RULE_CHAIN] = ATTR_FN(take_name),
	[NFTA_RULE_EXPRESSIONS] = ATTR_FN(take_exprs),
};

/* Kernels that do not filter a dump send everything: 1 = not about our table. */
#define TAKE(h, msg, attrs, a) \
	(nft_is_in((h), NFT_BRIDGE, (msg)) ? attr_decode_msg((h), nft_hdr_len, (attrs), (a)) : 1)

static int take_table(const struct nlmsghdr *h, void *arg)
{
	struct spoof_state *s = arg;
	struct answer a = { 0 };
	int r = TAKE(h, NFT_MSG_NEWTABLE, table_attrs, &a);

	if (r == 0 && !strcmp(a.name, TABLE)) {
		s->table = true;
		s->dormant = a.flags & NFT_TABLE_F_DORMANT;
	}
	return r < 0 ? r : 0;
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	struct spoof_state *s = arg;
	struct answer a = { 0 };
	int r = TAKE(h, NFT_MSG_NEWCHAIN, chain_attrs, &a);

	if (r == 0 && !strcmp(a.table, TABLE) && !strcmp(a.name, CHAIN))
		s->chain =
			!strcmp(a.type, "filter") && a.hook == HOOK && (int)a.priority == PRIORITY;
	return r < 0 ? r : 0;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct spoof_state *s = arg;
	struct answer a = { 0 };
	int r = TAKE(h, NFT_MSG_NEWRULE, rule_attrs, &a);

	if (r != 0 || strcmp(a.table, TABLE) != 0)
		return r < 0 ? r : 0;
	if (!strcmp(a.name, CHAIN) && is_the_rule(a.exprs, a.len))
		s->rule = true;
	else
		s->foreign = true;
	return 0;
}

static void restart_rules(void *arg)
{
	struct spoof_state *s = arg;

	s->rule = s->foreign = false;
}

static int ask_state(struct nl *nl, uint16_t msg, uint16_t attr, nl_reply_fn *fn,
		     struct spoof_state *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	begin(&m, msg, 0);
	nlmsg_str(&m, attr, TABLE);
	int r = msg == NFT_MSG_GETTABLE ? nl_get(nl, &m, fn, s, &why) :
					  nl_dump(nl, &m, fn, restart_rules, s, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && e) {
		*e = why;
		(void)err_wrap(e, "nftables: look at table bridge " TABLE);
	}
	return r;
}

int spoof_state_read(struct nl *nl, struct spoof_state *s, struct err *e)
{
	int r;

	*s = (struct spoof_state){ 0 };
	if ((r = ask_state(nl, NFT_MSG_GETTABLE, NFTA_TABLE_NAME, take_table, s, e)) < 0 ||
	    !s->table ||
	    (r = ask_state(nl, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, take_chain, s, e)) < 0)
		return r;
	return ask_state(nl, NFT_MSG_GETRULE, NFTA_RULE_TABLE, take_rule, s, e);
}

/* ---- elements */

static const char *set_of(const struct spoof_elem *x)
{
	return x->mac.set ? SENDERS : PORTS;
}

/* owner: with its comment, for adding. */
static void put_elem(struct nlmsg *m, const struct spoof_elem *x, bool owner)
{
	char key[SENDER_LEN] = { 0 }, comment[NFT_COMMENT_MAX];

	memcpy(key, x->port, strnlen(x->port, PORT_LEN - 1));
	memcpy(key + PORT_LEN, x->mac.b, MAC_LEN);
	nlmsg_str(m, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	nlmsg_str(m, NFTA_SET_ELEM_LIST_SET, set_of(x));
	nlmsg_nest(m, NFTA_SET_ELEM_LIST_ELEMENTS)
		nlmsg_nest(m, NFTA_LIST_ELEM) {
			nlmsg_nest(m, NFTA_SET_ELEM_KEY)
				nlmsg_data(m, NFTA_DATA_VALUE, key,
					   x->mac.set ? SENDER_LEN : PORT_LEN);
			if (owner)
				nlmsg_data(m, NFTA_SET_ELEM_USERDATA, comment,
					   nft_comment_put(comment, x->owner));
		}
}

void spoof_put_elem(struct nft_batch *b, const struct spoof_elem *x)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
	put_elem(&m, x, true);
	nft_batch_add(b, &m, "add", "an element of", set_of(x), 0);
}

void spoof_del_elem(struct nft_batch *b, const struct spoof_elem *x)
{
	struct nlmsg m;

	begin(&m, NFT_MSG_DELSETELEM, 0);
	put_elem(&m, x, false);
	nft_batch_add(b, &m, "delete", "an element of", set_of(x), 0);
}

struct listing {
	spoof_keep_fn *keep;
	const void *arg;
	struct spoof_elems *out;
	size_t before;
};

static int take_key(const void *data, size_t len, void *obj)
{
	struct spoof_elem *x = obj;
	const char *key = data;

	if (len != PORT_LEN && len != SENDER_LEN)
		return -EBADMSG;
	memcpy(x->port, key, strnlen(key, PORT_LEN - 1));
	x->mac.set = len == SENDER_LEN;
	if (x->mac.set)
		memcpy(x->mac.b, key + PORT_LEN, MAC_LEN);
	return 0;
}

static int take_owner(const void *data, size_t len, void *obj)
{
	struct spoof_elem *x = obj;

	nft_comment_get(data, len, x->owner, sizeof x->owner);
	return 0;
}

static const struct attr_spec key_attrs[] = { [NFTA_DATA_VALUE] = ATTR_FN(take_key) };
static const struct attr_spec elem_attrs[] = {
	[NFTA_SET_ELEM_KEY] = ATTR_NEST(key_attrs),
	[NFTA_SET_ELEM_USERDATA] = ATTR_FN(take_owner),
};

static int take_elem(const void *data, size_t len, void *obj)
{
	const struct listing *l = obj;
	struct spoof_elem x = { 0 };
	int r = attr_decode_raw(data, len, elem_attrs, ARRAY_LEN(elem_attrs), &x);

	if (r < 0 || (l->keep && !l->keep(&x, l->arg)))
		return r;
	struct spoof_elem *slot = vec_add(&l->out->v, &l->out->n);
	if (!slot)
		return -ENOMEM;
	*slot = x;
	return 0;
}

static int take_message(const struct nlmsghdr *h, void *arg)
{
	static const struct attr_spec one[] = { [NFTA_LIST_ELEM] = ATTR_FN(take_elem) };
	static const struct attr_spec attrs[] = { [NFTA_SET_ELEM_LIST_ELEMENTS] = ATTR_NEST(one) };

	return nft_is_in(h, NFT_BRIDGE, NFT_MSG_NEWSETELEM) ?
		       attr_decode_msg(h, nft_hdr_len, attrs, arg) :
		       0;
}

static void restart(void *arg)
{
	struct listing *l = arg;

	l->out->n = l->before;
}

static int failed(int r, const struct err *why, const char *set, struct err *e)
{
	if (r == -ENOENT)
		return 0;
	if (r == -EBADMSG)
		return err_say(e, r,
			       "%s in table bridge " TABLE
			       " is not ours: its elements have another type; delete the table "
			       "(nft delete table bridge " TABLE
			       ") and attach the containers again",
			       set);
	if (!why->no)
		return err_set(e, r, "nftables: list %s in table bridge " TABLE, set);
	if (e) {
		*e = *why;
		(void)err_wrap(e, "nftables: list %s in table bridge " TABLE, set);
	}
	return r;
}

int spoof_get(struct nl *nl, struct spoof_elem *x, struct err *e)
{
	cleanup_spoof_elems struct spoof_elems found = SPOOF_ELEMS_INIT;
	struct listing l = { .out = &found };
	struct err why = ERR_INIT;
	struct nlmsg m;

	begin(&m, NFT_MSG_GETSETELEM, 0);
	put_elem(&m, x, false);
	int r = nl_get(nl, &m, take_message, &l, &why);
	if (r < 0)
		return failed(r, &why, set_of(x), e);
	if (!found.n)
		return 0;
	memcpy(x->owner, found.v[0].owner, sizeof x->owner);
	return 1;
}

static int list(struct nl *nl, const char *set, struct listing *l, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	l->before = l->out->n;
	begin(&m, NFT_MSG_GETSETELEM, 0);
	nlmsg_str(&m, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	nlmsg_str(&m, NFTA_SET_ELEM_LIST_SET, set);
	int r = nl_dump(nl, &m, take_message, restart, l, &why);
	return r < 0 ? failed(r, &why, set, e) : 0;
}

int spoof_list(struct nl *nl, spoof_keep_fn *keep, const void *arg, struct spoof_elems *out,
	       struct err *e)
{
	struct listing l = { .keep = keep, .arg = arg, .out = out };
	int r = list(nl, PORTS, &l, e);

	return r < 0 ? r : list(nl, SENDERS, &l, e);
}
