// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nftother.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/sha512.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/iptname.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define TEXT_MAX 256 /* a comment of iptables, with terminator; one of nft has at most 128 */
#define DIGITS 16    /* of each of the two hashes in a comment of ipMasq */

enum other { HOSTPORT4, HOSTPORT6, MASQUERADE, NAT4, NAT6, OTHERS };

static const struct {
	uint8_t family;
	const char *name, *words;
	unsigned parts;
} tables[OTHERS] = {
	[HOSTPORT4] = { NFPROTO_IPV4, "cni_hostport", "ip cni_hostport", FW_DNAT },
	[HOSTPORT6] = { NFPROTO_IPV6, "cni_hostport", "ip6 cni_hostport", FW_DNAT },
	[MASQUERADE] = { NFPROTO_INET, "cni_plugins_masquerade", "inet cni_plugins_masquerade",
			 FW_MASQ },
	[NAT4] = { NFPROTO_IPV4, "nat", "ip nat", FW_MASQ | FW_DNAT },
	[NAT6] = { NFPROTO_IPV6, "nat", "ip6 nat", FW_MASQ | FW_DNAT },
};

/* ---- which tables there are */

struct seen {
	char name[TEXT_MAX];
	bool there[OTHERS];
};

static int take_name(const void *data, size_t len, void *obj)
{
	struct seen *s = obj;

	(void)str_copyf(s->name, sizeof s->name, "%.*s", (int)strnlen(data, len),
			(const char *)data);
	return 0;
}

static int take_table(const struct nlmsghdr *h, void *arg)
{
	static const struct attr_spec attrs[] = { [NFTA_TABLE_NAME] = ATTR_FN(take_name) };
	struct seen *s = arg;
	int r = attr_decode_msg(h, nft_hdr_len, attrs, s);

	for (size_t i = 0; i < OTHERS && r == 0; i++)
		s->there[i] |= nft_is_in(h, tables[i].family, NFT_MSG_NEWTABLE) &&
			       !strcmp(s->name, tables[i].name);
	return r;
}

static void forget_tables(void *arg)
{
	*(struct seen *)arg = (struct seen){ 0 };
}

static int see_tables(struct nl *nl, struct seen *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin_in(&m, NFPROTO_UNSPEC, NFT_MSG_GETTABLE, 0);
	int r = nl_dump(nl, &m, take_table, forget_tables, s, &why);
	return r < 0 ? err_set(e, r, "nftables: list the tables") : 0;
}

int nft_other_tables(struct nl *nl, struct err *e)
{
	struct seen s = { 0 };
	int r = see_tables(nl, &s, e);

	for (size_t i = 0; i < OTHERS && r == 0; i++)
		r = s.there[i];
	return r;
}

/* ---- rules as they are listed */

struct rule {
	char table[NFT_NAME_LEN], chain[NFT_NAME_LEN];
	char comment[TEXT_MAX]; /* of nft or of iptables */
	char jump[NFT_NAME_LEN];
	char expr[32]; /* the one being read */
	uint64_t handle;
};

static void copy(char *out, size_t size, const void *data, size_t len)
{
	(void)str_copyf(out, size, "%.*s", (int)strnlen(data, len), (const char *)data);
}

static int take_rule_table(const void *data, size_t len, void *obj)
{
	copy(((struct rule *)obj)->table, NFT_NAME_LEN, data, len);
	return 0;
}

static int take_rule_chain(const void *data, size_t len, void *obj)
{
	copy(((struct rule *)obj)->chain, NFT_NAME_LEN, data, len);
	return 0;
}

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

static int take_expr_name(const void *data, size_t len, void *obj)
{
	copy(((struct rule *)obj)->expr, sizeof((struct rule *)obj)->expr, data, len);
	return 0;
}

static int take_jump(const void *data, size_t len, void *obj)
{
	copy(((struct rule *)obj)->jump, NFT_NAME_LEN, data, len);
	return 0;
}

/* iptables' match "comment", whose data is the text */
static int take_match_name(const void *data, size_t len, void *obj)
{
	struct rule *r = obj;

	copy(r->expr, sizeof r->expr, data, len);
	return 0;
}

static int take_match_info(const void *data, size_t len, void *obj)
{
	struct rule *r = obj;

	if (!strcmp(r->expr, "comment"))
		copy(r->comment, sizeof r->comment, data, len);
	return 0;
}

static int take_expr_data(const void *data, size_t len, void *obj)
{
	static const struct attr_spec verdict[] = { [NFTA_VERDICT_CHAIN] = ATTR_FN(take_jump) };
	static const struct attr_spec value[] = { [NFTA_DATA_VERDICT] = ATTR_NEST(verdict) };
	static const struct attr_spec immediate[] = { [NFTA_IMMEDIATE_DATA] = ATTR_NEST(value) };
	static const struct attr_spec match[] = {
		[NFTA_MATCH_NAME] = ATTR_FN(take_match_name),
		[NFTA_MATCH_INFO] = ATTR_FN(take_match_info),
	};
	const struct rule *r = obj;

	if (!strcmp(r->expr, "immediate"))
		return attr_decode_raw(data, len, immediate, ARRAY_LEN(immediate), obj);
	if (!strcmp(r->expr, "match"))
		return attr_decode_raw(data, len, match, ARRAY_LEN(match), obj);
	return 0;
}

static const struct attr_spec expr_attrs[] = {
	[NFTA_EXPR_NAME] = ATTR_FN(take_expr_name),
	[NFTA_EXPR_DATA] = ATTR_FN(take_expr_data),
};
static const struct attr_spec list_attrs[] = { [NFTA_LIST_ELEM] = ATTR_NEST(expr_attrs) };
static const struct attr_spec rule_attrs[] = {
	[NFTA_RULE_TABLE] = ATTR_FN(take_rule_table),
	[NFTA_RULE_CHAIN] = ATTR_FN(take_rule_chain),
	[NFTA_RULE_HANDLE] = ATTR_FN(take_handle),
	[NFTA_RULE_EXPRESSIONS] = ATTR_NEST(list_attrs),
	[NFTA_RULE_USERDATA] = ATTR_FN(take_comment),
};

/* ---- whose a rule is */

struct hunt {
	const struct nft_other *who;
	struct nft_batch *b;
	enum other table;
	struct ipt_names names;
	char mark[2 * DIGITS + 2]; /* how the owner's comment of ipMasq begins */
	/* GC: chains of iptables that go, each once */
	char (*chains)[IPT_NAME_MAX];
	size_t nchains;
	size_t before, before_len, before_deletions; /* of the batch */
};

static void hex_begin(char *out, const char *text)
{
	unsigned char digest[SHA512_SIZE];

	sha512(text, strlen(text), digest);
	for (size_t i = 0; i < DIGITS / 2; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* "<16 digits of the network>-<16 digits of interface:container>" */
static void masq_mark(char mark[2 * DIGITS + 2], const char *network, const struct fw_owner *o)
{
	cleanup_free char *attachment = str_fmt("%s:%s", o->ifname, o->container);

	hex_begin(mark, network);
	mark[DIGITS] = '-';
	hex_begin(mark + DIGITS + 1, attachment ? attachment : "");
}

static bool is_masq_of(const struct hunt *h, const char *comment)
{
	const struct nft_other *w = h->who;
	char mark[2 * DIGITS + 2];

	if (w->owner)
		return str_starts(comment, h->mark);
	hex_begin(mark, w->network);
	mark[DIGITS] = '-';
	if (strncmp(comment, mark, DIGITS + 1) != 0)
		return false;
	for (size_t i = 0; i < w->nvalid; i++) {
		masq_mark(mark, w->network, &w->valid[i]);
		if (str_starts(comment, mark))
			return false;
	}
	return true;
}

static bool is_chain_of(const struct ipt_names *n, const char *chain, unsigned parts)
{
	return (parts & FW_MASQ && !strcmp(chain, n->masq)) ||
	       (parts & FW_DNAT && (!strcmp(chain, n->dnat) || !strcmp(chain, n->snat)));
}

static bool is_jump_of(const struct hunt *h, const struct rule *r)
{
	const struct nft_other *w = h->who;
	bool dnat = str_starts(r->jump, "CNI-DN-");

	if (w->owner)
		return is_chain_of(&h->names, r->jump, w->parts);
	if (!str_starts(r->jump, "CNI-") || !ipt_comment_in_network(r->comment, w->network) ||
	    !(w->parts & (dnat ? FW_DNAT : FW_MASQ)))
		return false;
	for (size_t i = 0; i < w->nvalid; i++) {
		struct ipt_names n;

		ipt_names(&n, w->network, w->valid[i].container);
		if (is_chain_of(&n, r->jump, w->parts))
			return false;
	}
	return true;
}

static bool is_wanted(const struct hunt *h, const struct rule *r)
{
	switch (h->table) {
	case HOSTPORT4:
	case HOSTPORT6:
		return h->who->owner && !strcmp(r->comment, h->who->owner->container);
	case MASQUERADE:
		return is_masq_of(h, r->comment);
	default:
		return is_jump_of(h, r);
	}
}

/* ---- what is to be done */

static void begin(struct nlmsg *m, const struct hunt *h, uint16_t msg)
{
	nlmsg_init(m);
	nft_begin_in(m, tables[h->table].family, msg, 0);
}

/* handle NULL: all rules of the chain */
static void delete_rules(struct hunt *h, const char *chain, const uint64_t *handle)
{
	struct nlmsg m;

	begin(&m, h, NFT_MSG_DELRULE);
	nlmsg_str(&m, NFTA_RULE_TABLE, tables[h->table].name);
	nlmsg_str(&m, NFTA_RULE_CHAIN, chain);
	if (handle)
		nlmsg_data(&m, NFTA_RULE_HANDLE, handle, sizeof *handle);
	nft_batch_add(h->b, &m, "delete", handle ? "a rule of chain" : "the rules of chain", chain,
		      NFT_NO_TAG);
}

static void delete_chain(struct hunt *h, const char *chain)
{
	struct nlmsg m;

	begin(&m, h, NFT_MSG_DELCHAIN);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, tables[h->table].name);
	nlmsg_str(&m, NFTA_CHAIN_NAME, chain);
	nft_batch_add(h->b, &m, "delete", "chain", chain, NFT_NO_TAG);
}

static int note_chain(struct hunt *h, const char *chain)
{
	for (size_t i = 0; i < h->nchains; i++)
		if (!strcmp(h->chains[i], chain))
			return 0;
	char(*slot)[IPT_NAME_MAX] = vec_add(&h->chains, &h->nchains);
	if (!slot)
		return -ENOMEM;
	(void)str_copyf(*slot, IPT_NAME_MAX, "%s", chain);
	return 0;
}

static int take_rule(const struct nlmsghdr *hdr, void *arg)
{
	struct hunt *h = arg;
	struct rule r = { 0 };

	if (!nft_is_in(hdr, tables[h->table].family, NFT_MSG_NEWRULE))
		return 0;
	int rc = attr_decode_msg(hdr, nft_hdr_len, rule_attrs, &r);
	if (rc < 0 || strcmp(r.table, tables[h->table].name) != 0 || !is_wanted(h, &r))
		return rc;
	delete_rules(h, r.chain, &r.handle);
	return h->table < NAT4 ? 0 : note_chain(h, r.jump);
}

/* A listing that is begun again: what it had appended goes. */
static void restart(void *arg)
{
	struct hunt *h = arg;

	h->b->n = h->before;
	h->b->len = h->before_len;
	h->b->deletions = h->before_deletions;
	h->nchains = 0;
}

static int ignore(const struct nlmsghdr *h, void *arg)
{
	(void)h, (void)arg;
	return 0;
}

static int has_chain(struct nl *nl, const struct hunt *h, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	begin(&m, h, NFT_MSG_GETCHAIN);
	nlmsg_str(&m, NFTA_CHAIN_TABLE, tables[h->table].name);
	nlmsg_str(&m, NFTA_CHAIN_NAME, name);
	int r = nl_get(nl, &m, ignore, NULL, &why);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_set(e, r, "nftables: look for chain %s of table %s", name,
			       tables[h->table].words) :
		       1;
}

/*
 * iptables' chains of one container, that are looked up by name before anything is listed: a
 * cluster's table nat is long. 1 when there are any.
 */
static int note_own_chains(struct nl *nl, struct hunt *h, struct err *e)
{
	const char *const own[] = { h->names.masq, h->names.dnat, h->names.snat };
	int r;

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (!is_chain_of(&h->names, own[i], h->who->parts))
			continue;
		if ((r = has_chain(nl, h, own[i], e)) > 0)
			r = note_chain(h, own[i]);
		if (r < 0)
			return r;
	}
	return h->nchains > 0;
}

static int list_rules(struct nl *nl, struct hunt *h, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	h->before = h->b->n;
	h->before_len = h->b->len;
	h->before_deletions = h->b->deletions;
	begin(&m, h, NFT_MSG_GETRULE);
	nlmsg_str(&m, NFTA_RULE_TABLE, tables[h->table].name);
	int r = nl_dump(nl, &m, take_rule, restart, h, &why);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_set(e, r, "nftables: list the rules of table %s",
			       tables[h->table].words) :
		       0;
}

static int hunt_in(struct nl *nl, struct hunt *h, struct err *e)
{
	bool iptables = h->table >= NAT4;
	int r = iptables && h->who->owner ? note_own_chains(nl, h, e) : 1;

	if (r <= 0 || (r = list_rules(nl, h, e)) < 0)
		return r;
	if (iptables && h->who->owner && (r = note_own_chains(nl, h, e)) < 0)
		return r; /* a listing that began again forgot them */
	for (size_t i = 0; i < h->nchains; i++)
		delete_rules(h, h->chains[i], NULL);
	for (size_t i = 0; i < h->nchains; i++)
		delete_chain(h, h->chains[i]);
	return 0;
}

int nft_other_find(struct nl *nl, const struct nft_other *who, struct nft_batch *b, struct err *e)
{
	struct hunt h = { .who = who, .b = b };
	struct seen s = { 0 };
	int r = see_tables(nl, &s, e);

	b->table = "of another suite";
	if (who->owner) {
		ipt_names(&h.names, who->owner->network, who->owner->container);
		masq_mark(h.mark, who->owner->network, who->owner);
	}
	for (h.table = 0; h.table < OTHERS && r >= 0; h.table++) {
		h.nchains = 0;
		if (s.there[h.table] && tables[h.table].parts & who->parts)
			r = hunt_in(nl, &h, e);
	}
	free(h.chains);
	return r < 0 ? r : 0;
}

int nft_other_has_iptables(struct nl *nl, struct err *e)
{
	struct hunt h = { .table = NAT4 };

	/* whoever writes for nft does not shout */
	return has_chain(nl, &h, "POSTROUTING", e);
}
