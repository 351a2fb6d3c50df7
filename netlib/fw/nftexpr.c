// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nftexpr.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/fw/rules.h"

#define RULE_SIZE 8192 /* one of our rules takes less than 1 KiB */
#define NFPROTO_4 2
#define NFPROTO_6 10
#define LO_INDEX 1 /* in every namespace */
/* bits of ct state, as nft numbers them: linux/netfilter/nf_conntrack_common.h */
#define ESTABLISHED_OR_RELATED (1u << 1 | 1u << 2)

/* A rule being built; remembers that memory ran out. */
struct build {
	struct nftnl_rule *r;
	uint8_t family; /* already compared with the packet's */
	bool bad;
};

struct val {
	uint16_t attr;
	uint32_t v;
};
#define VALS_MAX 6

static struct nftnl_expr *add(struct build *b, const char *name, const struct val vals[VALS_MAX])
{
	struct nftnl_expr *x = b->bad ? NULL : nftnl_expr_alloc(name);

	if (!x) {
		b->bad = true;
		return NULL;
	}
	for (size_t i = 0; i < VALS_MAX && vals[i].attr; i++)
		nftnl_expr_set_u32(x, vals[i].attr, vals[i].v);
	nftnl_rule_add_expr(b->r, x);
	return x;
}
#define ADD(b, name, ...) add(b, name, (const struct val[VALS_MAX]){ __VA_ARGS__ })

static void set(struct build *b, struct nftnl_expr *x, uint16_t attr, const void *data, size_t len)
{
	if (x && nftnl_expr_set(x, attr, data, (uint32_t)len) < 0)
		b->bad = true;
}

/*
 * Registers are counted in words of four bytes; the kernel reports a 16-byte boundary by its old
 * name.
 */
static uint32_t reg(unsigned word)
{
	return word % 4 ? NFT_REG32_00 + word : NFT_REG_1 + word / 4;
}

static void cmp(struct build *b, uint32_t op, const void *data, size_t len)
{
	struct nftnl_expr *x =
		ADD(b, "cmp", { NFTNL_EXPR_CMP_SREG, reg(0) }, { NFTNL_EXPR_CMP_OP, op });

	set(b, x, NFTNL_EXPR_CMP_DATA, data, len);
}

static void cmp_u32(struct build *b, uint32_t op, uint32_t v)
{
	cmp(b, op, &v, sizeof v);
}

static void meta(struct build *b, uint32_t key, unsigned word)
{
	(void)ADD(b, "meta", { NFTNL_EXPR_META_KEY, key }, { NFTNL_EXPR_META_DREG, reg(word) });
}

static void family(struct build *b, uint8_t af)
{
	uint8_t proto = af == AF_INET6 ? NFPROTO_6 : NFPROTO_4;

	if (b->family == af)
		return;
	b->family = af;
	meta(b, NFT_META_NFPROTO, 0);
	cmp(b, NFT_CMP_EQ, &proto, sizeof proto);
}

static void payload(struct build *b, uint32_t base, uint32_t offset, uint32_t len, unsigned word)
{
	(void)ADD(b, "payload", { NFTNL_EXPR_PAYLOAD_DREG, reg(word) },
		  { NFTNL_EXPR_PAYLOAD_BASE, base }, { NFTNL_EXPR_PAYLOAD_OFFSET, offset },
		  { NFTNL_EXPR_PAYLOAD_LEN, len });
}

static void address(struct build *b, uint8_t af, bool source, uint32_t len, unsigned word)
{
	uint32_t offset = af == AF_INET6 ? (source ? 8 : 24) : (source ? 12 : 16);

	payload(b, NFT_PAYLOAD_NETWORK_HEADER, offset, len, word);
}

static void bitwise(struct build *b, const void *mask, const void * xor, size_t len)
{
	struct nftnl_expr *x =
		ADD(b, "bitwise", { NFTNL_EXPR_BITWISE_SREG, reg(0) },
		    { NFTNL_EXPR_BITWISE_DREG, reg(0) }, { NFTNL_EXPR_BITWISE_LEN, (uint32_t)len });

	set(b, x, NFTNL_EXPR_BITWISE_MASK, mask, len);
	set(b, x, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

static void interface(struct build *b, uint32_t which, uint32_t op, const char *name)
{
	char whole[IFNAME_MAX] = "";

	memcpy(whole, name, strlen(name));
	meta(b, which, 0);
	cmp(b, op, whole, sizeof whole);
}

static void established(struct build *b)
{
	const uint32_t states = ESTABLISHED_OR_RELATED, none = 0;

	(void)ADD(b, "ct", { NFTNL_EXPR_CT_DREG, reg(0) }, { NFTNL_EXPR_CT_KEY, NFT_CT_STATE });
	bitwise(b, &states, &none, sizeof states);
	cmp_u32(b, NFT_CMP_NEQ, 0);
}

/* Whole bytes are compared as they are, other lengths through a mask. */
static void prefix(struct build *b, const struct ip_prefix *p, bool source, uint32_t op)
{
	static const uint8_t zero[16];
	uint8_t mask[16] = { 0 };
	uint32_t len = ip_bytes(&p->addr);
	bool whole = p->len % 8 == 0 && p->len;

	family(b, p->addr.family);
	if (whole)
		len = p->len / 8;
	address(b, p->addr.family, source, len, 0);
	for (unsigned i = 0; i < p->len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (!whole)
		bitwise(b, mask, zero, len);
	cmp(b, op, p->addr.b, len);
}

/* The packet's key for a set into the registers from 0 on. */
static void key(struct build *b, const struct fw_set *s, bool to)
{
	const struct fw_shape *shape = &fw_shapes[s->kind];
	const struct ip_addr any = { .family = s->family };
	unsigned word = 0;

	if (shape->host || !shape->port) {
		family(b, s->family);
		address(b, s->family, !shape->port && !to, ip_bytes(&any), 0);
		word = ip_bytes(&any) / 4;
	}
	if (shape->port) {
		meta(b, NFT_META_L4PROTO, word);
		payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, word + 1);
	}
}

static void lookup(struct build *b, const struct fw_set *s, bool map, bool to)
{
	char name[FW_NAME_MAX];
	struct nftnl_expr *x;

	key(b, s, to);
	fw_set_name(s, name);
	x = ADD(b, "lookup", { NFTNL_EXPR_LOOKUP_SREG, reg(0) },
		{ map ? NFTNL_EXPR_LOOKUP_DREG : 0, reg(0) });
	set(b, x, NFTNL_EXPR_LOOKUP_SET, name, strlen(name) + 1);
}

static void dnat(struct build *b, const struct fw_op *o)
{
	const struct ip_addr any = { .family = o->family };

	lookup(b, &o->set, true, false);
	(void)ADD(b, "nat", { NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT },
		  { NFTNL_EXPR_NAT_FAMILY, o->family == AF_INET6 ? NFPROTO_6 : NFPROTO_4 },
		  { NFTNL_EXPR_NAT_REG_ADDR_MIN, reg(0) },
		  { fw_shapes[o->set.kind].to_port ? NFTNL_EXPR_NAT_REG_PROTO_MIN : 0,
		    reg(ip_bytes(&any) / 4) });
}

static void verdict(struct build *b, int code, const char *chain)
{
	struct nftnl_expr *x = ADD(b, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT },
				   { NFTNL_EXPR_IMM_VERDICT, (uint32_t)code });

	if (chain)
		set(b, x, NFTNL_EXPR_IMM_CHAIN, chain, strlen(chain) + 1);
}

static void mark(struct build *b, const struct fw_op *o)
{
	const uint32_t bit = FW_MARK, others = ~FW_MARK, none = 0;

	meta(b, NFT_META_MARK, 0);
	if (o->type == FW_OP_MARKED) {
		bitwise(b, &bit, &none, sizeof bit);
		cmp_u32(b, NFT_CMP_EQ, bit);
	} else {
		bitwise(b, &others, &bit, sizeof bit);
		(void)ADD(b, "meta", { NFTNL_EXPR_META_KEY, NFT_META_MARK },
			  { NFTNL_EXPR_META_SREG, reg(0) });
	}
}

static void build_op(struct build *b, const struct fw_op *o)
{
	switch (o->type) {
	case FW_OP_END:
		break;
	case FW_OP_FAMILY:
		family(b, o->family);
		break;
	case FW_OP_SADDR:
	case FW_OP_DADDR:
		prefix(b, &o->prefix, o->type == FW_OP_SADDR, NFT_CMP_EQ);
		break;
	case FW_OP_NOT_DADDR:
		prefix(b, &o->prefix, false, NFT_CMP_NEQ);
		break;
	case FW_OP_LOCAL:
		(void)ADD(b, "fib", { NFTNL_EXPR_FIB_DREG, reg(0) },
			  { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE },
			  { NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR });
		cmp_u32(b, NFT_CMP_EQ, RTN_LOCAL);
		break;
	case FW_OP_NOT_LO:
		meta(b, NFT_META_IIF, 0);
		cmp_u32(b, NFT_CMP_NEQ, LO_INDEX);
		break;
	case FW_OP_MARKED:
	case FW_OP_SET_MARK:
		mark(b, o);
		break;
	case FW_OP_IN:
	case FW_OP_TO_IN:
		lookup(b, &o->set, false, o->type == FW_OP_TO_IN);
		break;
	case FW_OP_IIF:
		interface(b, NFT_META_IIFNAME, NFT_CMP_EQ, o->set.bridge);
		break;
	case FW_OP_OIF:
		interface(b, NFT_META_OIFNAME, NFT_CMP_EQ, o->set.bridge);
		break;
	case FW_OP_NOT_OIF:
		interface(b, NFT_META_OIFNAME, NFT_CMP_NEQ, o->set.bridge);
		break;
	case FW_OP_ESTABLISHED:
		established(b);
		break;
	case FW_OP_MASQ:
		(void)ADD(b, "masq", { 0 });
		break;
	case FW_OP_DNAT:
		dnat(b, o);
		break;
	case FW_OP_ACCEPT:
		verdict(b, 1 /* NF_ACCEPT */, NULL);
		break;
	case FW_OP_DROP:
		verdict(b, 0 /* NF_DROP */, NULL);
		break;
	case FW_OP_RETURN:
		verdict(b, NFT_RETURN, NULL);
		break;
	case FW_OP_JUMP:
		verdict(b, NFT_JUMP, fw_chains[o->chain].name);
		break;
	}
}

static void *copy_attr(const struct nlmsghdr *h, size_t *len)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, 0)
	{
		if (mnl_attr_get_type(a) != NFTA_RULE_EXPRESSIONS)
			continue;
		void *copy = malloc(a->nla_len);
		if (copy)
			memcpy(copy, a, a->nla_len);
		*len = a->nla_len;
		return copy;
	}
	return NULL;
}

void *nft_exprs(const struct fw_rule *r, size_t *len)
{
	struct build b = { .r = nftnl_rule_alloc() };
	cleanup_free char *buf = malloc(RULE_SIZE);
	void *attr = NULL;

	if (!b.r)
		return NULL;
	for (size_t i = 0; i < FW_OPS_MAX && r->op[i].type != FW_OP_END; i++)
		build_op(&b, &r->op[i]);
	if (!b.bad && buf) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

		nftnl_rule_nlmsg_build_payload(h, b.r);
		attr = copy_attr(h, len);
	}
	nftnl_rule_free(b.r);
	return attr;
}

/* Steps over attributes in memory that may be malformed; NULL at the end. */
static const struct nlattr *next_attr(const char **p, size_t *left)
{
	const struct nlattr *a = (const void *)*p;

	if (*left < NLA_HDRLEN || a->nla_len < NLA_HDRLEN || a->nla_len > *left)
		return NULL;
	size_t step = NLA_ALIGN((size_t)a->nla_len) < *left ? NLA_ALIGN((size_t)a->nla_len) : *left;
	*p += step;
	*left -= step;
	return a;
}

static const char *attr_data(const struct nlattr *a, size_t *len)
{
	*len = a->nla_len - (size_t)NLA_HDRLEN;
	return (const char *)a + NLA_HDRLEN;
}

static const struct nlattr *find_attr(const char *p, size_t left, unsigned type)
{
	const struct nlattr *a;

	while ((a = next_attr(&p, &left)))
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* Every attribute of want is in have; ours say themselves where they are nested. */
static bool attrs_within(const struct nlattr *want, const struct nlattr *have)
{
	size_t wl, hl;
	const char *w = attr_data(want, &wl), *h = attr_data(have, &hl);
	const struct nlattr *a;

	if (!(want->nla_type & NLA_F_NESTED))
		return wl == hl && !memcmp(w, h, wl);
	while ((a = next_attr(&w, &wl))) {
		const struct nlattr *b = find_attr(h, hl, a->nla_type & NLA_TYPE_MASK);

		if (!b || !attrs_within(a, b))
			return false;
	}
	return true;
}

/*
 * nft puts a conversion of one byte's order, which does nothing, before looking up a protocol in a
 * set with intervals; we do not. A rule that went through nft (saved and restored) is still ours.
 */
static bool does_nothing(const struct nlattr *expr)
{
	size_t len, name_len;
	const char *p = attr_data(expr, &len);
	const struct nlattr *name = find_attr(p, len, NFTA_EXPR_NAME);

	if (!name)
		return false;
	p = attr_data(name, &name_len);
	return name_len == sizeof "byteorder" && !memcmp(p, "byteorder", name_len);
}

bool nft_exprs_match(const void *want, size_t want_len, const void *have, size_t have_len)
{
	const char *w = (const char *)want + NLA_HDRLEN, *h = have;
	size_t wl = want_len - NLA_HDRLEN, hl = have_len;
	const struct nlattr *a, *b;

	do {
		a = next_attr(&w, &wl);
		do
			b = next_attr(&h, &hl);
		while (b && does_nothing(b));
		if (a && b && !attrs_within(a, b))
			return false;
	} while (a && b);
	return !a && !b;
}
