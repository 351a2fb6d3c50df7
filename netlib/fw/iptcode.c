// SPDX-License-Identifier: GPL-2.0-or-later
/* A rule as the kernel's bytes, and back. */
#include <arpa/inet.h>
#include <limits.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <string.h>

/* old names for programs of others; ours are structs of their own */
#undef ipt_match
#undef ipt_target

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/fw/iptmatch.h"
#include "netlib/fw/iptrule.h"

/* Parts of an entry that both families have, wherever each has them. */
struct head {
	size_t size;
	void *src, *dst, *smask, *dmask;
	char *in, *out;
	unsigned char *in_mask, *out_mask;
	uint8_t *invflags;
	__u16 *target_offset, *next_offset;
};

static struct head head4(struct ipt_entry *x)
{
	return (struct head){ XT_ALIGN(sizeof *x), &x->ip.src,	       &x->ip.dst,
			      &x->ip.smsk,	   &x->ip.dmsk,	       x->ip.iniface,
			      x->ip.outiface,	   x->ip.iniface_mask, x->ip.outiface_mask,
			      &x->ip.invflags,	   &x->target_offset,  &x->next_offset };
}

static struct head head6(struct ip6t_entry *x)
{
	return (struct head){ XT_ALIGN(sizeof *x), &x->ipv6.src,	 &x->ipv6.dst,
			      &x->ipv6.smsk,	   &x->ipv6.dmsk,	 x->ipv6.iniface,
			      x->ipv6.outiface,	   x->ipv6.iniface_mask, x->ipv6.outiface_mask,
			      &x->ipv6.invflags,   &x->target_offset,	 &x->next_offset };
}

static struct head head_of(uint8_t family, void *entry)
{
	return family == AF_INET ? head4(entry) : head6(entry);
}

/* ours to the kernel's; the same numbers in both families */
static const struct {
	uint8_t ours, kernel;
} inversions[] = {
	{ IPT_NOT_SRC, IPT_INV_SRCIP },	  { IPT_NOT_DST, IPT_INV_DSTIP },
	{ IPT_NOT_IN, IPT_INV_VIA_IN },	  { IPT_NOT_OUT, IPT_INV_VIA_OUT },
	{ IPT_NOT_PROTO, IPT_INV_PROTO },
};

/* ---- encoding */

static void put_prefix(const struct ip_prefix *p, void *addr, void *mask)
{
	struct ip_addr net = ip_network(p);
	uint8_t *m = mask;

	if (!ip_is_set(&p->addr))
		return;
	memcpy(addr, net.b, ip_bytes(&net));
	for (unsigned i = 0; i < p->len; i++)
		m[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

/* The mask covers the terminator of a whole name, and what stands before '+' of a beginning. */
static void put_ifname(const char *name, char *out, unsigned char *mask)
{
	size_t n = strlen(name);

	if (!n)
		return;
	memcpy(out, name, n);
	memset(mask, 0xff, name[n - 1] == '+' ? n - 1 : n + 1);
}

static void put_proto(const struct ipt_rule *r, void *entry)
{
	if (r->family == AF_INET) {
		struct ipt_entry *x = entry;

		x->ip.proto = r->proto;
		x->ip.flags = r->target.kind == IPT_GOTO ? IPT_F_GOTO : 0;
	} else {
		struct ip6t_entry *x = entry;

		x->ipv6.proto = r->proto;
		x->ipv6.flags = (uint8_t)((r->proto ? IP6T_F_PROTO : 0) |
					  (r->target.kind == IPT_GOTO ? IP6T_F_GOTO : 0));
	}
}

static size_t put_match(const struct ipt_match *m, void *at)
{
	const struct ipt_match_spec *spec = &ipt_match_specs[m->kind];
	struct xt_entry_match *x = at;
	size_t size = XT_ALIGN(sizeof *x) + XT_ALIGN(spec->size);

	x->u.match_size = (__u16)size;
	x->u.user.revision = spec->revision;
	(void)str_copyf(x->u.user.name, sizeof x->u.user.name, "%s", spec->name);
	spec->encode(m, x->data);
	return size;
}

static void put_dnat(const struct ipt_target *t, void *data)
{
	struct nf_nat_range2 *n = data;

	if (ip_is_set(&t->to)) {
		n->flags |= NF_NAT_RANGE_MAP_IPS;
		memcpy(&n->min_addr, t->to.b, ip_bytes(&t->to));
		n->max_addr = n->min_addr;
	}
	if (t->to_port.first) {
		n->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
		n->min_proto.all = htons(t->to_port.first);
		n->max_proto.all = htons(t->to_port.last);
	}
}

/* rangesize 1 and a range that says nothing: the interface's own address */
static void put_masquerade4(const struct ipt_target *t, void *data)
{
	(void)t;
	((struct nf_nat_ipv4_multi_range_compat *)data)->rangesize = 1;
}

static void put_mark(const struct ipt_target *t, void *data)
{
	*(struct xt_mark_tginfo2 *)data = (struct xt_mark_tginfo2){ t->mark, t->mask };
}

struct target_spec {
	enum ipt_target_kind kind;
	uint8_t family; /* 0 = both */
	const char *name;
	uint8_t revision;
	size_t size;
	void (*encode)(const struct ipt_target *t, void *data);
};
static const struct target_spec target_specs[] = {
	{ IPT_MASQUERADE, AF_INET, "MASQUERADE", 0, sizeof(struct nf_nat_ipv4_multi_range_compat),
	  put_masquerade4 },
	{ IPT_MASQUERADE, AF_INET6, "MASQUERADE", 0, sizeof(struct nf_nat_range), NULL },
	{ IPT_DNAT, 0, "DNAT", 2, sizeof(struct nf_nat_range2), put_dnat },
	{ IPT_SET_MARK, 0, "MARK", 2, sizeof(struct xt_mark_tginfo2), put_mark },
};
/* verdicts, jumps and nothing at all: libiptc turns the name into the verdict */
static const struct target_spec standard = { .name = NULL, .size = sizeof(int) };

static const struct target_spec *spec_of(const struct ipt_rule *r)
{
	for (size_t i = 0; i < ARRAY_LEN(target_specs); i++)
		if (target_specs[i].kind == r->target.kind &&
		    (!target_specs[i].family || target_specs[i].family == r->family))
			return &target_specs[i];
	return &standard;
}

static size_t put_target(const struct ipt_rule *r, void *at)
{
	const struct target_spec *spec = spec_of(r);
	struct xt_entry_target *x = at;
	size_t size = XT_ALIGN(sizeof *x) + XT_ALIGN(spec->size);

	x->u.target_size = (__u16)size;
	x->u.user.revision = spec->revision;
	(void)str_copyf(x->u.user.name, sizeof x->u.user.name, "%s",
			spec->name ? spec->name : r->target.name);
	if (spec->encode)
		spec->encode(&r->target, x->data);
	return size;
}

size_t ipt_rule_encode(const struct ipt_rule *r, uint8_t buf[IPT_ENTRY_MAX])
{
	struct head h = head_of(r->family, buf);
	size_t at = h.size;

	memset(buf, 0, IPT_ENTRY_MAX);
	put_prefix(&r->src, h.src, h.smask);
	put_prefix(&r->dst, h.dst, h.dmask);
	put_ifname(r->in, h.in, h.in_mask);
	put_ifname(r->out, h.out, h.out_mask);
	put_proto(r, buf);
	for (size_t i = 0; i < ARRAY_LEN(inversions); i++)
		if (r->neg & inversions[i].ours)
			*h.invflags |= inversions[i].kernel;
	for (size_t i = 0; i < r->nmatch; i++)
		at += put_match(&r->match[i], buf + at);
	*h.target_offset = (__u16)at;
	at += put_target(r, buf + at);
	*h.next_offset = (__u16)at;
	return at;
}

/* ---- decoding */

static bool take_prefix(uint8_t family, const void *addr, const void *mask, struct ip_prefix *out)
{
	struct ip_addr a = { .family = family };
	const uint8_t *m = mask;
	unsigned len = 0, bits = ip_bits(&a);

	while (len < bits && m[len / 8] & 0x80 >> len % 8)
		len++;
	for (unsigned i = len; i < bits; i++)
		if (m[i / 8] & 0x80 >> i % 8)
			return false; /* a mask with holes */
	if (!len)
		return true;
	memcpy(a.b, addr, ip_bytes(&a));
	*out = (struct ip_prefix){ a, (uint8_t)len };
	return true;
}

static void take_ifname(const char *name, const unsigned char *mask, char out[IPT_IFNAME_MAX])
{
	if (mask[0])
		(void)str_copyf(out, IPT_IFNAME_MAX, "%.*s", IPT_IFNAME_MAX - 1, name);
}

static bool take_proto(struct ipt_rule *r, const void *entry, bool *is_goto)
{
	if (r->family == AF_INET) {
		const struct ipt_entry *x = entry;

		r->proto = (uint8_t)x->ip.proto;
		*is_goto = x->ip.flags & IPT_F_GOTO;
		return !(x->ip.flags & IPT_F_FRAG) && x->ip.proto <= UINT8_MAX;
	}
	const struct ip6t_entry *x = entry;
	r->proto = (uint8_t)x->ipv6.proto;
	*is_goto = x->ipv6.flags & IP6T_F_GOTO;
	return !(x->ipv6.flags & IP6T_F_TOS) && x->ipv6.proto <= UINT8_MAX;
}

static bool take_match(struct ipt_match *m, const struct xt_entry_match *x)
{
	size_t have = x->u.match_size - XT_ALIGN(sizeof *x);

	for (enum ipt_match_kind k = 0; k < IPT_MATCHES; k++) {
		const struct ipt_match_spec *spec = &ipt_match_specs[k];

		if (strncmp(spec->name, x->u.user.name, sizeof x->u.user.name) != 0 ||
		    spec->revision != x->u.user.revision || XT_ALIGN(spec->size) != have)
			continue;
		*m = (struct ipt_match){ .kind = k };
		return spec->decode(m, x->data);
	}
	*m = (struct ipt_match){ .kind = IPT_UNKNOWN };
	(void)str_copyf(m->name, sizeof m->name, "%.*s", IPT_NAME_MAX - 1, x->u.user.name);
	return false;
}

static bool take_matches(struct ipt_rule *r, const uint8_t *entry, size_t from, size_t to)
{
	bool known = true;

	while (from + sizeof(struct xt_entry_match) <= to) {
		const struct xt_entry_match *x = (const void *)(entry + from);

		if (x->u.match_size < sizeof *x || from + x->u.match_size > to ||
		    r->nmatch == IPT_MATCHES_MAX)
			return false;
		known &= take_match(&r->match[r->nmatch++], x);
		from += x->u.match_size;
	}
	return known;
}

/* As rev 2 has it, and as older programs wrote it. */
static bool take_dnat(struct ipt_rule *r, const struct xt_entry_target *x)
{
	const struct nf_nat_ipv4_multi_range_compat *old = (const void *)x->data;
	const struct nf_nat_range2 *now = (const void *)x->data;
	bool v4_only = x->u.user.revision == 0;
	unsigned flags = v4_only ? old->range[0].flags : now->flags;
	struct ipt_target *t = &r->target;

	if (flags & NF_NAT_RANGE_MAP_IPS) {
		t->to.family = r->family;
		memcpy(t->to.b, v4_only ? (const void *)&old->range[0].min_ip : &now->min_addr,
		       ip_bytes(&t->to));
	}
	if (flags & NF_NAT_RANGE_PROTO_SPECIFIED) {
		t->to_port.first = ntohs(v4_only ? old->range[0].min.all : now->min_proto.all);
		t->to_port.last = ntohs(v4_only ? old->range[0].max.all : now->max_proto.all);
	}
	return x->u.user.revision == 2 &&
	       !(flags & ~(unsigned)(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)) &&
	       !memcmp(now->min_addr.all, now->max_addr.all, sizeof now->min_addr.all);
}

static bool take_target(struct ipt_rule *r, const struct xt_entry_target *x)
{
	static const struct xt_mark_tginfo2 none;
	const struct xt_mark_tginfo2 *mark = x->u.target_size >= XT_ALIGN(sizeof *x) + sizeof none ?
						     (const void *)x->data :
						     &none;
	unsigned flags;

	switch (r->target.kind) {
	case IPT_DNAT:
		return take_dnat(r, x);
	case IPT_SET_MARK:
		r->target.mark = mark->mark;
		r->target.mask = mark->mask;
		return x->u.user.revision == 2;
	case IPT_MASQUERADE:
		flags = r->family == AF_INET ?
				((const struct nf_nat_ipv4_multi_range_compat *)(const void *)
					 x->data)
					->range[0]
					.flags :
				((const struct nf_nat_range *)(const void *)x->data)->flags;
		return !flags;
	default:
		return true;
	}
}

void ipt_rule_decode(struct ipt_rule *r, uint8_t family, const void *entry, const char *target,
		     bool is_chain)
{
	struct head h = head_of(family, (void *)(uintptr_t)entry);
	const struct xt_entry_target *x = (const void *)((const uint8_t *)entry + *h.target_offset);
	bool is_goto;

	memset(r, 0, sizeof *r);
	r->family = family;
	r->foreign = !take_prefix(family, h.src, h.smask, &r->src);
	r->foreign |= !take_prefix(family, h.dst, h.dmask, &r->dst);
	take_ifname(h.in, h.in_mask, r->in);
	take_ifname(h.out, h.out_mask, r->out);
	r->foreign |= !take_proto(r, entry, &is_goto);
	for (size_t i = 0; i < ARRAY_LEN(inversions); i++)
		if (*h.invflags & inversions[i].kernel)
			r->neg |= inversions[i].ours;
	r->foreign |= !take_matches(r, entry, h.size, *h.target_offset);
	if (!*target)
		return;
	ipt_rule_jump(r, target);
	if (r->target.kind == IPT_JUMP)
		r->target.kind = !is_chain ? IPT_OTHER_TARGET : is_goto ? IPT_GOTO : IPT_JUMP;
	r->foreign |= r->target.kind == IPT_OTHER_TARGET || !take_target(r, x);
}
