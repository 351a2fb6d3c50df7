// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nftelem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/vec.h"
#include "netlib/base/trace.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define VALUE_MAX 64 /* the kernel's limit for keys and values */
#define WORD 4	     /* every field is padded to a register */

/* A key or value being written or read, field by field. */
struct value {
	size_t len;
	uint8_t b[VALUE_MAX];
};

static void put(struct value *v, const void *data, size_t len)
{
	memcpy(v->b + v->len, data, len);
	v->len += (len + WORD - 1) / WORD * WORD;
}

static void put_addr(struct value *v, const struct ip_addr *a, uint8_t family, uint8_t fill)
{
	struct ip_addr whole = { .family = family };

	memset(whole.b, fill, sizeof whole.b);
	put(v, ip_is_set(a) ? a->b : whole.b, ip_bytes(&whole));
}

static void put_port(struct value *v, uint16_t port)
{
	uint16_t be = htons(port);

	put(v, &be, sizeof be);
}

static struct value key_of(const struct fw_elem *x, bool end)
{
	const struct fw_shape *s = &fw_shapes[x->set.kind];
	struct value v = { 0 };

	if (s->host || !s->port)
		put_addr(&v, &x->ip, x->set.family, end ? 0xff : 0);
	if (s->port) {
		put(&v, &x->proto, 1);
		put_port(&v, end ? x->last : x->port);
	}
	return v;
}

static struct value data_of(const struct fw_elem *x)
{
	struct value v = { 0 };

	put_addr(&v, &x->to, x->set.family, 0);
	if (fw_shapes[x->set.kind].to_port)
		put_port(&v, x->to_port);
	return v;
}

static void put_value(struct nlmsg *m, uint16_t attr, struct value v)
{
	nlmsg_nest(m, attr)
		nlmsg_data(m, NFTA_DATA_VALUE, v.b, v.len);
}

/* owner NULL: only the key, for asking and deleting. */
static void put_elem(struct nlmsg *m, const struct fw_elem *x, const char *owner)
{
	const struct fw_shape *s = &fw_shapes[x->set.kind];
	char name[FW_NAME_MAX], comment[NFT_COMMENT_MAX];

	fw_set_name(&x->set, name);
	nlmsg_str(m, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	nlmsg_str(m, NFTA_SET_ELEM_LIST_SET, name);
	nlmsg_nest(m, NFTA_SET_ELEM_LIST_ELEMENTS)
		nlmsg_nest(m, NFTA_LIST_ELEM) {
			put_value(m, NFTA_SET_ELEM_KEY, key_of(x, false));
			if (s->interval)
				put_value(m, NFTA_SET_ELEM_KEY_END, key_of(x, true));
			if (owner && s->to)
				put_value(m, NFTA_SET_ELEM_DATA, data_of(x));
			if (owner)
				nlmsg_data(m, NFTA_SET_ELEM_USERDATA, comment,
					   nft_comment_put(comment, owner));
		}
}

static void batch_elem(struct nft_batch *b, uint16_t msg, uint16_t flags, const char *act,
		       const struct fw_elem *x, const char *owner, size_t tag)
{
	char words[FW_ELEM_WORDS_MAX];
	char name[FW_NAME_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, msg, flags);
	put_elem(&m, x, owner);
	fw_set_name(&x->set, name);
	nft_batch_add(b, &m, act, "an element of", name, tag);
	if (trace_on() || plan_on())
		nft_batch_words(b, fw_elem_words(x, words));
}

void nft_elem_add(struct nft_batch *b, const struct fw_elem *x, const char *owner, size_t tag)
{
	batch_elem(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, "add", x, owner, tag);
}

void nft_elem_del(struct nft_batch *b, const struct fw_elem *x, size_t tag)
{
	batch_elem(b, NFT_MSG_DELSETELEM, 0, "delete", x, NULL, tag);
}

/* What an answer's attributes become before they are understood. */
struct raw {
	struct value key, end, data;
	char owner[FW_OWNER_MAX];
	uint32_t flags;
};

static int take_value(struct value *v, const void *data, size_t len)
{
	if (len > sizeof v->b)
		return -EBADMSG;
	memcpy(v->b, data, len);
	v->len = len;
	return 0;
}

static int take_key(const void *data, size_t len, void *obj)
{
	return take_value(&((struct raw *)obj)->key, data, len);
}

static int take_end(const void *data, size_t len, void *obj)
{
	return take_value(&((struct raw *)obj)->end, data, len);
}

static int take_data(const void *data, size_t len, void *obj)
{
	return take_value(&((struct raw *)obj)->data, data, len);
}

static int take_comment(const void *data, size_t len, void *obj)
{
	struct raw *raw = obj;

	nft_comment_get(data, len, raw->owner, sizeof raw->owner);
	return 0;
}

static const struct attr_spec key_attrs[] = { [NFTA_DATA_VALUE] = ATTR_FN(take_key) };
static const struct attr_spec end_attrs[] = { [NFTA_DATA_VALUE] = ATTR_FN(take_end) };
static const struct attr_spec data_attrs[] = { [NFTA_DATA_VALUE] = ATTR_FN(take_data) };
static const struct attr_spec elem_attrs[] = {
	[NFTA_SET_ELEM_KEY] = ATTR_NEST(key_attrs),
	[NFTA_SET_ELEM_KEY_END] = ATTR_NEST(end_attrs),
	[NFTA_SET_ELEM_DATA] = ATTR_NEST(data_attrs),
	[NFTA_SET_ELEM_FLAGS] = ATTR_U32BE(struct raw, flags),
	[NFTA_SET_ELEM_USERDATA] = ATTR_FN(take_comment),
};

static const uint8_t *take_field(const struct value *v, size_t *at, size_t len)
{
	size_t padded = (len + WORD - 1) / WORD * WORD;

	if (v->len - *at < padded)
		return NULL;
	*at += padded;
	return v->b + *at - padded;
}

static int take_addr(const struct value *v, size_t *at, uint8_t family, struct ip_addr *out)
{
	*out = (struct ip_addr){ .family = family };
	const uint8_t *p = take_field(v, at, ip_bytes(out));

	if (!p)
		return -EBADMSG;
	memcpy(out->b, p, ip_bytes(out));
	return 0;
}

static int take_port(const struct value *v, size_t *at, uint16_t *out)
{
	const uint8_t *p = take_field(v, at, 2);

	if (!p)
		return -EBADMSG;
	*out = (uint16_t)(p[0] << 8 | p[1]);
	return 0;
}

static int read_key(const struct value *v, const struct fw_shape *s, uint8_t family,
		    struct ip_addr *ip, uint8_t *proto, uint16_t *port)
{
	const uint8_t *p;
	size_t at = 0;

	if ((s->host || !s->port) && take_addr(v, &at, family, ip) < 0)
		return -EBADMSG;
	if (s->port) {
		if (!(p = take_field(v, &at, 1)) || take_port(v, &at, port) < 0)
			return -EBADMSG;
		*proto = *p;
	}
	return at == v->len ? 0 : -EBADMSG;
}

static int understand(const struct raw *raw, const struct fw_set *set, struct nft_found *out)
{
	const struct fw_shape *s = &fw_shapes[set->kind];
	struct fw_elem x = { .set = *set };
	struct ip_addr end = { 0 };
	uint8_t proto;
	size_t at = 0;

	if (read_key(&raw->key, s, set->family, &x.ip, &x.proto, &x.port) < 0)
		return -EBADMSG;
	x.last = x.port;
	if (s->interval) {
		if (read_key(&raw->end, s, set->family, &end, &proto, &x.last) < 0)
			return -EBADMSG;
		if (ip_is_any(&x.ip) && !ip_eq(&x.ip, &end))
			x.ip = (struct ip_addr){ 0 }; /* the whole family */
	}
	if (s->to && take_addr(&raw->data, &at, set->family, &x.to) < 0)
		return -EBADMSG;
	if (s->to_port && take_port(&raw->data, &at, &x.to_port) < 0)
		return -EBADMSG;
	out->x = x;
	memcpy(out->owner, raw->owner, sizeof out->owner);
	return 0;
}

struct listing {
	const struct fw_set *set;
	nft_keep_fn *keep;
	const void *arg;
	struct nft_founds *out;
	size_t before; /* in out when the listing began */
};

static int take_elem(const void *data, size_t len, void *obj)
{
	struct listing *l = obj;
	struct nft_found f;
	struct raw raw = { 0 };

	if (attr_decode_raw(data, len, elem_attrs, sizeof elem_attrs / sizeof elem_attrs[0], &raw) <
	    0)
		return -EBADMSG;
	if (!raw.key.len) /* a catch-all element: not ours */
		return 0;
	if (understand(&raw, l->set, &f) < 0)
		return -EBADMSG;
	if (l->keep && !l->keep(&f, l->arg))
		return 0;
	struct nft_found *slot = vec_add(&l->out->f, &l->out->n);
	if (!slot)
		return -ENOMEM;
	*slot = f;
	return 0;
}

static int take_message(const struct nlmsghdr *h, void *arg)
{
	static const struct attr_spec one[] = { [NFTA_LIST_ELEM] = ATTR_FN(take_elem) };
	static const struct attr_spec attrs[] = { [NFTA_SET_ELEM_LIST_ELEMENTS] = ATTR_NEST(one) };

	return nft_is(h, NFT_MSG_NEWSETELEM) ? attr_decode_msg(h, nft_hdr_len, attrs, arg) : 0;
}

static void restart(void *arg)
{
	struct listing *l = arg;

	l->out->n = l->before;
}

static int failed(int r, const struct err *why, const struct fw_set *set, struct err *e)
{
	char name[FW_NAME_MAX];

	fw_set_name(set, name);
	if (r == -EBADMSG)
		return err_say(e, r,
			       "%s in table inet " NFT_TABLE
			       " is not ours: its elements have another type; delete the table "
			       "(nft delete table inet " NFT_TABLE
			       ") and attach the containers again",
			       name);
	if (!why->no)
		return err_set(e, r, "nftables: list %s in table inet " NFT_TABLE, name);
	if (e) {
		*e = *why;
		(void)err_wrap(e, "nftables: list %s in table inet " NFT_TABLE, name);
	}
	return r;
}

int nft_elem_get(struct nl *nl, const struct fw_elem *x, struct nft_found *out, struct err *e)
{
	cleanup_founds struct nft_founds found = NFT_FOUNDS_INIT;
	struct listing l = { .set = &x->set, .out = &found };
	struct err why = ERR_INIT;
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_GETSETELEM, 0);
	put_elem(&m, x, NULL);
	int r = nl_get(nl, &m, take_message, &l, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return failed(r, &why, &x->set, e);
	if (found.n)
		*out = found.f[0];
	return found.n > 0;
}

int nft_elems_list(struct nl *nl, const struct fw_set *set, nft_keep_fn *keep, const void *arg,
		   struct nft_founds *out, struct err *e)
{
	struct listing l = { .set = set, .keep = keep, .arg = arg, .out = out, .before = out->n };
	struct err why = ERR_INIT;
	char name[FW_NAME_MAX];
	struct nlmsg m;

	fw_set_name(set, name);
	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_GETSETELEM, 0);
	nlmsg_str(&m, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	nlmsg_str(&m, NFTA_SET_ELEM_LIST_SET, name);
	int r = nl_dump(nl, &m, take_message, restart, &l, &why);
	if (r == -ENOENT)
		return NFT_NO_SET;
	return r < 0 ? failed(r, &why, set, e) : 0;
}

void nft_founds_clear(struct nft_founds *l)
{
	free(l->f);
	*l = (struct nft_founds)NFT_FOUNDS_INIT;
}
