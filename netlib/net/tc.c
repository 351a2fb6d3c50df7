// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define USEC_PER_SEC 1000000.0
#define TICKS_PER_USEC 15.625 /* a tick is 64 ns; /proc/net/psched says the same everywhere */
#define HTB_VERSION 3
#define RATE_TO_QUANTUM 10
#define QUANTUM_MIN 1000 /* outside these the kernel complains in its log */
#define QUANTUM_MAX 200000

/* ---- numbers */

static uint32_t saturated(double n)
{
	return n >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

struct tc_rate tc_rate(uint64_t bytes_ps, uint64_t burst)
{
	uint32_t usec = saturated((double)burst * USEC_PER_SEC / (double)bytes_ps);

	return (struct tc_rate){ bytes_ps, saturated((double)usec * TICKS_PER_USEC) };
}

uint32_t tc_limit(uint64_t bytes_ps, unsigned latency_ms, uint64_t burst)
{
	uint64_t waiting = saturated((double)bytes_ps * latency_ms / 1000.0);

	return saturated((double)(waiting + (burst < UINT32_MAX ? burst : UINT32_MAX)));
}

static struct tc_ratespec ratespec(uint64_t bytes_ps)
{
	return (struct tc_ratespec){
		.linklayer = TC_LINKLAYER_ETHERNET,
		.rate = bytes_ps < UINT32_MAX ? (uint32_t)bytes_ps : UINT32_MAX,
	};
}

/* ---- writing */

static void begin(struct nlmsg *m, uint16_t type, uint32_t index, uint32_t parent, uint32_t handle,
		  uint32_t info, const char *kind)
{
	const struct tcmsg tc = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)index,
		.tcm_parent = parent,
		.tcm_handle = handle,
		.tcm_info = info,
	};

	nlmsg_begin(m, type, NLM_F_CREATE | NLM_F_EXCL, &tc, sizeof tc);
	nlmsg_str(m, TCA_KIND, kind);
}

void tc_put_tbf(struct nlmsg *m, uint32_t index, const struct tc_rate *r, uint32_t limit)
{
	const struct tc_tbf_qopt q = {
		.rate = ratespec(r->bytes_ps),
		.limit = limit,
		.buffer = r->buffer,
	};

	begin(m, RTM_NEWQDISC, index, TC_H_ROOT, TC_ROOT_HANDLE, 0, "tbf");
	nlmsg_nest(m, TCA_OPTIONS) {
		nlmsg_data(m, TCA_TBF_PARMS, &q, sizeof q);
		if (r->bytes_ps > UINT32_MAX)
			nlmsg_data(m, TCA_TBF_RATE64, &r->bytes_ps, sizeof r->bytes_ps);
	}
}

void tc_put_htb(struct nlmsg *m, uint32_t index, uint32_t defcls)
{
	const struct tc_htb_glob g = {
		.version = HTB_VERSION,
		.rate2quantum = RATE_TO_QUANTUM,
		.defcls = defcls,
	};

	begin(m, RTM_NEWQDISC, index, TC_H_ROOT, TC_ROOT_HANDLE, 0, "htb");
	nlmsg_nest(m, TCA_OPTIONS)
		nlmsg_data(m, TCA_HTB_INIT, &g, sizeof g);
}

void tc_put_htb_class(struct nlmsg *m, uint32_t index, uint32_t classid, const struct tc_rate *r)
{
	uint64_t quantum = r->bytes_ps / RATE_TO_QUANTUM;
	const struct tc_htb_opt o = {
		.rate = ratespec(r->bytes_ps),
		.ceil = ratespec(r->bytes_ps),
		.buffer = r->buffer,
		.cbuffer = r->buffer,
		.quantum = quantum < QUANTUM_MIN ? QUANTUM_MIN :
			   quantum > QUANTUM_MAX ? QUANTUM_MAX :
						   (uint32_t)quantum,
	};

	begin(m, RTM_NEWTCLASS, index, TC_ROOT_HANDLE, classid, 0, "htb");
	nlmsg_nest(m, TCA_OPTIONS) {
		nlmsg_data(m, TCA_HTB_PARMS, &o, sizeof o);
		if (r->bytes_ps > UINT32_MAX) {
			nlmsg_data(m, TCA_HTB_RATE64, &r->bytes_ps, sizeof r->bytes_ps);
			nlmsg_data(m, TCA_HTB_CEIL64, &r->bytes_ps, sizeof r->bytes_ps);
		}
	}
}

/* Keys of a u32 filter, one for each four bytes that a prefix covers. */
struct selector {
	_Alignas(4) unsigned char bytes[sizeof(struct tc_u32_sel) + 4 * sizeof(struct tc_u32_key)];
};

/* The bytes of a selector of n keys. */
static size_t selector_len(struct selector *s, unsigned n)
{
	struct tc_u32_sel *sel = (struct tc_u32_sel *)(void *)s->bytes;

	sel->flags = TC_U32_TERMINAL;
	sel->nkeys = (unsigned char)n;
	return sizeof *sel + n * sizeof(struct tc_u32_key);
}

static size_t select_subnet(struct selector *s, const struct ip_prefix *p, bool source)
{
	static const struct {
		uint8_t family;
		int source, destination; /* in the header */
	} offsets[] = { { AF_INET, 12, 16 }, { AF_INET6, 8, 24 } };
	bool v6 = p->addr.family == AF_INET6;
	int at = source ? offsets[v6].source : offsets[v6].destination;
	struct tc_u32_key *key = ((struct tc_u32_sel *)(void *)s->bytes)->keys;
	struct ip_addr net = ip_network(p);
	unsigned n = 0;

	for (unsigned bits = p->len; n == 0 || bits; n++) {
		unsigned here = bits < 32 ? bits : 32;

		key[n].mask = here ? htonl(UINT32_MAX << (32 - here)) : 0;
		memcpy(&key[n].val, net.b + 4 * n, 4);
		key[n].off = at + 4 * (int)n;
		bits -= here;
	}
	return selector_len(s, n);
}

static uint32_t filter_info(unsigned priority, uint16_t protocol)
{
	return TC_H_MAKE(priority << 16, htons(protocol));
}

void tc_put_subnet(struct nlmsg *m, uint32_t index, const struct ip_prefix *subnet, bool source,
		   uint32_t classid)
{
	bool v6 = subnet->addr.family == AF_INET6;
	struct selector s = { 0 };
	size_t len = select_subnet(&s, subnet, source);

	begin(m, RTM_NEWTFILTER, index, TC_ROOT_HANDLE, 0,
	      filter_info(v6 ? 17 : 16, v6 ? ETH_P_IPV6 : ETH_P_IP), "u32");
	nlmsg_nest(m, TCA_OPTIONS) {
		nlmsg_u32(m, TCA_U32_CLASSID, classid);
		nlmsg_data(m, TCA_U32_SEL, s.bytes, len);
	}
}

void tc_put_ingress(struct nlmsg *m, uint32_t index)
{
	begin(m, RTM_NEWQDISC, index, TC_H_INGRESS, TC_HANDLE(0xffff, 0), 0, "ingress");
}

void tc_put_redirect(struct nlmsg *m, uint32_t index, uint32_t to)
{
	struct selector all = { 0 }; /* one key without a bit */
	size_t len = selector_len(&all, 1);
	const struct tc_mirred redirect = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = to,
	};

	begin(m, RTM_NEWTFILTER, index, TC_HANDLE(0xffff, 0), 0, filter_info(1, ETH_P_ALL), "u32");
	nlmsg_nest(m, TCA_OPTIONS) {
		nlmsg_u32(m, TCA_U32_CLASSID, TC_HANDLE(1, 1));
		nlmsg_data(m, TCA_U32_SEL, all.bytes, len);
		nlmsg_nest(m, TCA_U32_ACT)
			nlmsg_nest(m, 1) {
				nlmsg_str(m, TCA_ACT_KIND, "mirred");
				nlmsg_nest(m, TCA_ACT_OPTIONS)
					nlmsg_data(m, TCA_MIRRED_PARMS, &redirect, sizeof redirect);
			}
	}
}

int qdisc_del(struct nl *nl, uint32_t index, uint32_t parent, struct err *e)
{
	const struct tcmsg tc = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)index,
		.tcm_parent = parent,
	};
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_DELQDISC, 0, &tc, sizeof tc);
	int r = nl_talk_but(nl, &m, -ENOENT, -ENODEV, e);
	/* nothing there but the kernel's default, or not even the interface */
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	return r < 0 ? err_wrap(e, "delete the %s queue of interface %u in the %s namespace",
				parent == TC_H_ROOT ? "root" : "ingress", index, nl->name),
	       r : 0;
}

/* ---- reading */

/* What is in TCA_OPTIONS depends on the kind, which comes before. */
struct reply {
	char kind[16];
	struct tc_rate rate;
	uint32_t limit, defcls, classid, redirect;
	bool redirects;
};

static int take_tbf(const void *data, size_t len, void *obj)
{
	struct reply *r = obj;
	struct tc_tbf_qopt q;

	if (len < sizeof q)
		return -EBADMSG;
	memcpy(&q, data, sizeof q);
	r->rate = (struct tc_rate){ q.rate.rate, q.buffer };
	r->limit = q.limit;
	return 0;
}

static int take_rate64(const void *data, size_t len, void *obj)
{
	if (len == sizeof(uint64_t))
		memcpy(&((struct reply *)obj)->rate.bytes_ps, data, len);
	return 0;
}

static int take_htb(const void *data, size_t len, void *obj)
{
	struct tc_htb_glob g;

	if (len < sizeof g)
		return -EBADMSG;
	memcpy(&g, data, sizeof g);
	((struct reply *)obj)->defcls = g.defcls;
	return 0;
}

static int take_class(const void *data, size_t len, void *obj)
{
	struct tc_htb_opt o;

	if (len < sizeof o)
		return -EBADMSG;
	memcpy(&o, data, sizeof o);
	((struct reply *)obj)->rate = (struct tc_rate){ o.rate.rate, o.buffer };
	return 0;
}

static int take_mirred(const void *data, size_t len, void *obj)
{
	struct tc_mirred m;

	if (len < sizeof m)
		return -EBADMSG;
	memcpy(&m, data, sizeof m);
	if (m.eaction == TCA_EGRESS_REDIR) {
		((struct reply *)obj)->redirects = true;
		((struct reply *)obj)->redirect = m.ifindex;
	}
	return 0;
}

static const struct attr_spec tbf_attrs[] = {
	[TCA_TBF_PARMS] = ATTR_FN(take_tbf),
	[TCA_TBF_RATE64] = ATTR_FN(take_rate64),
};
static const struct attr_spec htb_attrs[] = {
	[TCA_HTB_PARMS] = ATTR_FN(take_class),
	[TCA_HTB_INIT] = ATTR_FN(take_htb),
	[TCA_HTB_RATE64] = ATTR_FN(take_rate64),
};
static const struct attr_spec mirred_attrs[] = { [TCA_MIRRED_PARMS] = ATTR_FN(take_mirred) };
static const struct attr_spec act_attrs[] = { [TCA_ACT_OPTIONS] = ATTR_NEST(mirred_attrs) };
static const struct attr_spec acts[] = { [1] = ATTR_NEST(act_attrs) };
static const struct attr_spec u32_attrs[] = {
	[TCA_U32_CLASSID] = ATTR_U32(struct reply, classid),
	[TCA_U32_ACT] = ATTR_NEST(acts),
};

static const struct {
	const char *kind;
	const struct attr_spec *attrs;
	size_t n;
} kinds[] = {
	{ "tbf", tbf_attrs, ARRAY_LEN(tbf_attrs) },
	{ "htb", htb_attrs, ARRAY_LEN(htb_attrs) },
	{ "u32", u32_attrs, ARRAY_LEN(u32_attrs) },
};

static int take_options(const void *data, size_t len, void *obj)
{
	struct reply *r = obj;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].kind, r->kind))
			return attr_decode_raw(data, len, kinds[i].attrs, kinds[i].n, r);
	return 0;
}

static const struct attr_spec attrs[] = {
	[TCA_KIND] = ATTR_STR(struct reply, kind),
	[TCA_OPTIONS] = ATTR_FN(take_options),
};

/* A dump of qdiscs, classes or filters; the kernel filters by interface only where it likes. */
struct each {
	uint16_t type;
	uint32_t index;
	int (*qdisc)(const struct qdisc *q, void *arg);
	int (*class)(const struct tc_class *c, void *arg);
	int (*filter)(const struct tc_filter *f, void *arg);
	void *arg;
};

static int each_one(const struct nlmsghdr *h, void *arg)
{
	const struct tcmsg *tc = NLMSG_DATA(h);
	struct each *x = arg;
	struct reply r = { 0 };

	if (h->nlmsg_type != x->type || h->nlmsg_len < NLMSG_LENGTH(sizeof *tc) ||
	    tc->tcm_ifindex != (int)x->index)
		return 0;
	int rc = attr_decode_msg(h, sizeof *tc, attrs, &r);
	if (rc < 0)
		return rc;
	if (x->class)
		return x->class(&(struct tc_class){ tc->tcm_handle, r.rate }, x->arg);
	if (x->filter)
		return x->filter(&(struct tc_filter){ .classid = r.classid,
						      .redirects = r.redirects,
						      .redirect = r.redirect,
						      .protocol = ntohs(
							      (uint16_t)TC_H_MIN(tc->tcm_info)) },
				 x->arg);
	struct qdisc q = {
		.index = x->index,
		.handle = tc->tcm_handle,
		.parent = tc->tcm_parent,
		.rate = r.rate,
		.limit = r.limit,
		.defcls = r.defcls,
	};
	memcpy(q.kind, r.kind, sizeof q.kind);
	return x->qdisc(&q, x->arg);
}

static int each(struct nl *nl, uint16_t get, uint32_t parent, struct each *x, const char *what,
		struct err *e)
{
	const struct tcmsg tc = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)x->index,
		.tcm_parent = parent,
	};
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, get, 0, &tc, sizeof tc);
	int r = nl_dump(nl, &m, each_one, NULL, x, e);
	return r < 0 ? err_wrap(e, "read the %s of interface %u", what, x->index), r : 0;
}

struct find {
	uint32_t parent;
	struct qdisc *out;
	bool found;
};

static int find_qdisc(const struct qdisc *q, void *arg)
{
	struct find *f = arg;

	if (q->parent != f->parent || !q->handle)
		return 0;
	*f->out = *q;
	f->found = true;
	return 0;
}

int qdisc_get(struct nl *nl, uint32_t index, uint32_t parent, struct qdisc *out, struct err *e)
{
	struct find f = { parent, out, false };
	struct each x = { .type = RTM_NEWQDISC, .index = index, .qdisc = find_qdisc, .arg = &f };
	int r = each(nl, RTM_GETQDISC, 0, &x, "queues", e);

	return r < 0 ? r : f.found ? 0 : QDISC_NONE;
}

int class_each(struct nl *nl, uint32_t index, int (*fn)(const struct tc_class *c, void *arg),
	       void *arg, struct err *e)
{
	struct each x = { .type = RTM_NEWTCLASS, .index = index, .class = fn, .arg = arg };

	return each(nl, RTM_GETTCLASS, 0, &x, "classes", e);
}

int filter_each(struct nl *nl, uint32_t index, uint32_t parent,
		int (*fn)(const struct tc_filter *f, void *arg), void *arg, struct err *e)
{
	struct each x = { .type = RTM_NEWTFILTER, .index = index, .filter = fn, .arg = arg };

	return each(nl, RTM_GETTFILTER, parent, &x, "filters", e);
}
