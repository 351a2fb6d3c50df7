// SPDX-License-Identifier: GPL-2.0-or-later
/* bandwidth: how fast a container may receive and send. CNI_SPEC.md "bandwidth". */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/sha512.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_veth.h"
#include "netlib/cni/error.h"
#include "netlib/net/tc.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/verbs.h"

#define LATENCY_MS 25 /* the reference's numbers, from here to the next blank line */
#define UNCAPPED UINT64_C(100000000000) /* bytes per second */
#define CLASS_UNSHAPED 1
#define CLASS_SHAPED 0x30
#define IFB_NAMES 4 /* tried when somebody else has the first */

#define FILTER_MAX 256 /* a filter's message takes less */

struct limit {
	uint64_t rate, burst; /* bits per second, bits */
};

struct limits {
	struct limit in, out;
	const char **shaped, **unshaped; /* subnets of peers; at most one of the two */
	size_t nshaped, nunshaped;
	bool given[6];
};

struct runtime {
	struct limits bandwidth;
};

struct bandwidth_conf {
	struct limits keys;
	struct runtime runtime;
	const struct limits *use; /* the keys, or else the runtime's */
	struct ip_prefix *subnets;
	size_t nsubnets;
	struct link host; /* the host's end */
};

#define LIMIT_FIELDS(T, a) \
	FIELD_INT("ingressRate", T, a in.rate, 0, INT64_MAX - 1), \
		FIELD_INT("ingressBurst", T, a in.burst, 0, INT64_MAX - 1), \
		FIELD_INT("egressRate", T, a out.rate, 0, INT64_MAX - 1), \
		FIELD_INT("egressBurst", T, a out.burst, 0, INT64_MAX - 1), \
		FIELD_STRS("shapedSubnets", T, a shaped, a nshaped), \
		FIELD_STRS("unshapedSubnets", T, a unshaped, a nunshaped), \
		FIELD_GIVEN("ingressRate", T, a given[0]), \
		FIELD_GIVEN("ingressBurst", T, a given[1]), \
		FIELD_GIVEN("egressRate", T, a given[2]), \
		FIELD_GIVEN("egressBurst", T, a given[3]), \
		FIELD_GIVEN("shapedSubnets", T, a given[4]), \
		FIELD_GIVEN("unshapedSubnets", T, a given[5])

static const struct field limit_fields[] = { LIMIT_FIELDS(struct limits, ), FIELD_END };
static const struct field runtime_fields[] = {
	FIELD_OBJ("bandwidth", struct runtime, bandwidth, limit_fields),
	FIELD_END,
};
static const struct field bandwidth_fields[] = {
	LIMIT_FIELDS(struct bandwidth_conf, keys.),
	FIELD_OBJ("runtimeConfig", struct bandwidth_conf, runtime, runtime_fields),
	FIELD_END,
};

/* ---- deciding */

static bool any_given(const struct limits *l)
{
	bool any = false;

	for (size_t i = 0; i < sizeof l->given; i++)
		any |= l->given[i];
	return any;
}

static int limit_check(const struct limit *l, const char *path, struct err *e)
{
	if (l->rate && !l->burst)
		return err_conf(e, path, "if rate is set, burst must also be set");
	if (l->burst && !l->rate)
		return err_conf(e, path, "if burst is set, rate must also be set");
	if (l->burst / 8 >= UINT32_MAX)
		return err_conf(e, path, "burst cannot be more than 4GB");
	if (l->rate && (l->rate < 8 || l->burst < 8))
		return err_conf(e, path, "expected at least 8 bits of rate and of burst");
	return 0;
}

static int subnets_check(struct bandwidth_conf *c, struct cni_op *op, struct err *e)
{
	const struct limits *l = c->use;
	const char **texts = l->nshaped ? l->shaped : l->unshaped;

	if (l->nshaped && l->nunshaped)
		return err_conf(e, "/shapedSubnets",
				"unshapedSubnets and shapedSubnets cannot be both specified, one "
				"of them should be discarded");
	c->nsubnets = l->nshaped + l->nunshaped;
	c->subnets = doc_alloc(&op->cc->doc, c->nsubnets, sizeof *c->subnets);
	if (!c->subnets)
		return err_set(e, -ENOMEM, "read subnets");
	for (size_t i = 0; i < c->nsubnets; i++)
		if (ip_prefix_parse(texts[i], &c->subnets[i]) < 0)
			return err_conf(e, l->nshaped ? "/shapedSubnets" : "/unshapedSubnets",
					"bad subnet \"%.60s\" provided; expected one like "
					"10.0.0.0/8",
					texts[i]);
	return 0;
}

static int bandwidth_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct bandwidth_conf *c = conf;
	int r;

	/* any key of the configuration beats the runtime's whole object */
	c->use = any_given(&c->keys) ? &c->keys : &c->runtime.bandwidth;
	if (common_is_removal(op))
		return 0;
	if ((r = limit_check(&c->use->in, "/ingressRate", e)) < 0 ||
	    (r = limit_check(&c->use->out, "/egressRate", e)) < 0)
		return r;
	return subnets_check(c, op, e);
}

static bool shapes_in(const struct cni_op *op)
{
	return common_is_removal(op) || ((const struct bandwidth_conf *)op->conf)->use->in.rate;
}

static bool shapes_out(const struct cni_op *op)
{
	return common_is_removal(op) || ((const struct bandwidth_conf *)op->conf)->use->out.rate;
}

static bool shapes(const struct cni_op *op)
{
	return shapes_in(op) || shapes_out(op);
}

/*
 * The reference's name, "bwp" and a hash over network and container, then ones that know the
 * interface too: two attachments of a container to one network each have their own.
 */
static void ifb_name(const struct cni_op *op, unsigned salt, char name[IFNAME_MAX])
{
	unsigned char sum[SHA512_SIZE];
	char text[2300], salted[48] = "";

	if (salt)
		(void)str_copyf(salted, sizeof salted, "/%s/%u", op->env->ifname, salt);
	(void)str_copyf(text, sizeof text, "%s%s%s", op->cc->name, op->env->container, salted);
	sha512(text, strlen(text), sum);
	(void)str_copyf(name, IFNAME_MAX, "bwp%02x%02x%02x%02x%02x%02x", sum[0], sum[1], sum[2],
			sum[3], sum[4], sum[5]);
}

/* ---- the host's end of the container's interface */

/* 0, or -ENODEV with a sentence: the peer of the container's interface, seen from both sides. */
static int find_host_end(struct cni_op *op, struct link *host, struct err *e)
{
	struct link cont;
	int r = link_get(op->cont, op->env->ifname, &cont, e);

	if (r < 0)
		return r == -ENODEV ? err_say(e, r,
					      "container interface %s has no veth peer: there "
					      "is no such interface",
					      op->env->ifname) :
				      r;
	if (strcmp(cont.kind, "veth") || !cont.peer)
		return err_say(e, -ENODEV,
			       "container interface %s has no veth peer: it is a %s; only the rate "
			       "of a veth can be limited",
			       op->env->ifname, *cont.kind ? cont.kind : "physical one");
	if (common_is_removal(op) && common_is_anothers(op, &cont))
		return err_say(e, -ENODEV, "interface %s is another attachment's", cont.name);
	r = link_get_index(op->host, cont.peer, host, e);
	if (r == -ENODEV || (r == 0 && (strcmp(host->kind, "veth") || host->peer != cont.index)))
		return err_say(e, -ENODEV, "veth peer with index %u is not in host ns", cont.peer);
	return r;
}

static int host_add(struct cni_op *op, struct err *e)
{
	struct bandwidth_conf *c = op->conf;
	const struct cni_result *res = op->env->verb == CNI_ADD ? &op->res : &op->prev;
	int r;

	if (!res->nifaces)
		return err_say(e, -EINVAL, "no interfaces provided by the plugin before");
	if ((r = find_host_end(op, &c->host, e)) < 0)
		return r;
	for (size_t i = 0; i < res->nifaces; i++)
		if ((!res->ifaces[i].sandbox || !*res->ifaces[i].sandbox) &&
		    !strcmp(res->ifaces[i].name, c->host.name))
			return 0;
	return err_say(e, -EINVAL,
		       "no veth peer of container interface found in host ns: prevResult does not "
		       "tell of %s",
		       c->host.name);
}

/* ---- a queue that limits */

static struct tc_rate rate_of(const struct limit *l)
{
	return tc_rate(l->rate / 8, l->burst / 8);
}

/*
 * Without subnets a token bucket; with them two classes, one of them limited. source: the peers
 * are where packets come from.
 */
static int limit_add(struct cni_op *op, const struct link *l, const struct limit *limit,
		     bool source, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	const struct tc_rate rate = rate_of(limit), uncapped = { UNCAPPED, 0 };
	uint16_t matched = c->use->nshaped ? CLASS_SHAPED : CLASS_UNSHAPED;
	struct nlmsg m;
	int r;

	nlmsg_init(&m);
	if (!c->nsubnets) {
		tc_put_tbf(&m, l->index, &rate,
			   tc_limit(rate.bytes_ps, LATENCY_MS, limit->burst / 8));
		return txn_qdisc_add(op->txn, l, TC_H_ROOT, &m, "limit the rate", e);
	}
	tc_put_htb(&m, l->index, c->use->nshaped ? CLASS_UNSHAPED : CLASS_SHAPED);
	tc_put_htb_class(&m, l->index, TC_HANDLE(1, CLASS_UNSHAPED), &uncapped);
	tc_put_htb_class(&m, l->index, TC_HANDLE(1, CLASS_SHAPED), &rate);
	if ((r = txn_qdisc_add(op->txn, l, TC_H_ROOT, &m, "limit the rate", e)) < 0)
		return r;
	nlmsg_init(&m);
	for (size_t i = 0; i < c->nsubnets && r == 0; i++) {
		tc_put_subnet(&m, l->index, &c->subnets[i], source, TC_HANDLE(1, matched));
		if (i + 1 < c->nsubnets && NLMSG_SIZE - m.len >= FILTER_MAX)
			continue;
		r = nl_talk(op->host, &m, e);
		nlmsg_init(&m);
	}
	return r < 0 ? err_wrap(e, "tell subnets apart on %s", l->name), r : 0;
}

struct tally {
	const struct limit *limit;
	const char *ifname;
	struct err *e;
	unsigned shaped, matches;
	uint32_t want;
};

static int rate_check(const char *ifname, const struct tc_rate *want, const struct tc_rate *found,
		      struct err *e)
{
	if (want->bytes_ps != found->bytes_ps)
		return cni_check_fail(e,
				      "Rate doesn't match on %s: expected %llu bytes per second, "
				      "found %llu",
				      ifname, (unsigned long long)want->bytes_ps,
				      (unsigned long long)found->bytes_ps);
	if (want->buffer != found->buffer)
		return cni_check_fail(e, "Buffer doesn't match on %s: expected %u ticks, found %u",
				      ifname, want->buffer, found->buffer);
	return 0;
}

static int class_check(const struct tc_class *cl, void *arg)
{
	struct tally *t = arg;
	struct tc_rate want = rate_of(t->limit);

	if (cl->handle != TC_HANDLE(1, CLASS_SHAPED))
		return 0;
	t->shaped++;
	return rate_check(t->ifname, &want, &cl->rate, t->e);
}

static int count_matches(const struct tc_filter *f, void *arg)
{
	struct tally *t = arg;

	t->matches += f->classid == t->want;
	return 0;
}

static int classes_check(struct cni_op *op, const struct link *l, const struct qdisc *q,
			 const struct limit *limit, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	uint16_t def = c->use->nshaped ? CLASS_UNSHAPED : CLASS_SHAPED;
	uint16_t matched = c->use->nshaped ? CLASS_SHAPED : CLASS_UNSHAPED;
	struct tally t = { limit, l->name, e, 0, 0, TC_HANDLE(1, matched) };
	int r;

	if (q->defcls != def)
		return cni_check_fail(e,
				      "Default class does not match on %s: expected %x, found %x",
				      l->name, def, q->defcls);
	if ((r = class_each(op->host, l->index, class_check, &t, e)) < 0 ||
	    (r = filter_each(op->host, l->index, TC_ROOT_HANDLE, count_matches, &t, e)) < 0)
		return r;
	if (!t.shaped)
		return cni_check_fail(e, "class 1:%x on %s: expected the limited one, found none",
				      CLASS_SHAPED, l->name);
	if (c->nsubnets && t.matches < c->nsubnets)
		return cni_check_fail(e, "filters on %s: expected %zu subnets, found %u", l->name,
				      c->nsubnets, t.matches);
	return 0;
}

/* The reference's newer releases have classes also without subnets. */
static int limit_is_there(struct cni_op *op, const struct link *l, const struct limit *limit,
			  struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	struct tc_rate want = rate_of(limit);
	struct qdisc q;
	int r = qdisc_get(op->host, l->index, TC_H_ROOT, &q, e);

	if (r < 0)
		return r;
	if (r == 0 && !strcmp(q.kind, "htb"))
		return classes_check(op, l, &q, limit, e);
	if (r == QDISC_NONE || strcmp(q.kind, "tbf") || c->nsubnets)
		return cni_check_fail(e, "Failed to find qdisc: expected %s on %s, found %s",
				      c->nsubnets ? "htb" : "tbf", l->name,
				      r == QDISC_NONE ? "none" : q.kind);
	if ((r = rate_check(l->name, &want, &q.rate, e)) < 0)
		return r;
	uint32_t waiting = tc_limit(want.bytes_ps, LATENCY_MS, limit->burst / 8);
	return q.limit == waiting ? 0 :
				    cni_check_fail(e,
						   "Limit doesn't match on %s: expected %u bytes, "
						   "found %u",
						   l->name, waiting, q.limit);
}

/* ---- what the container receives: a queue on the host's end */

static int in_add(struct cni_op *op, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;

	return limit_add(op, &c->host, &c->use->in, true, e);
}

/* Ours bears the handle 1:, which the kernel gives to none of its own. */
static int in_del(struct cni_op *op, struct err *e)
{
	struct link host;
	struct qdisc q;
	int r;

	if (!op->cont || find_host_end(op, &host, NULL) < 0)
		return 0;
	if ((r = qdisc_get(op->host, host.index, TC_H_ROOT, &q, e)) != 0)
		return r < 0 ? r : 0;
	if (q.handle != TC_ROOT_HANDLE || (strcmp(q.kind, "tbf") && strcmp(q.kind, "htb")))
		return 0;
	return qdisc_del(op->host, host.index, TC_H_ROOT, e);
}

static int in_check(struct cni_op *op, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;

	return limit_is_there(op, &c->host, &c->use->in, e);
}

/* ---- what it sends: handed to an interface of its own, which has the queue */

/*
 * Its number salt, if it is there and ours. One without an alias is the reference's, or its
 * creation was cut off between two messages.
 */
static int ifb_get(struct cni_op *op, unsigned salt, struct link *out, struct err *e)
{
	char name[IFNAME_MAX], alias[LINK_ALIAS_MAX];
	struct link l;
	int r;

	common_alias(op, alias, sizeof alias);
	ifb_name(op, salt, name);
	if ((r = link_get(op->host, name, &l, e)) < 0)
		return r;
	if (strcmp(l.kind, "ifb") || (strcmp(l.alias, alias) && *l.alias))
		return -ENODEV;
	*out = l;
	return 0;
}

static int ifb_add(struct cni_op *op, struct link *ifb, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	char alias[LINK_ALIAS_MAX];
	struct ifb_spec spec = { .mtu = c->host.mtu, .txqlen = c->host.txqlen, .alias = alias };

	common_alias(op, alias, sizeof alias);
	for (unsigned salt = 0; salt < IFB_NAMES; salt++) {
		ifb_name(op, salt, spec.name);
		int r = txn_ifb_add(op->txn, &spec, e);

		if (r == 0)
			return link_get(op->host, spec.name, ifb, e);
		if (r < 0)
			return r;
		if (link_get(op->host, spec.name, ifb, NULL) == 0 && !strcmp(ifb->alias, alias))
			return err_code(e, -EEXIST, CNI_E_IN_USE,
					"the rate of container %.64s, interface %s is limited "
					"already (%s)",
					op->env->container, op->env->ifname, spec.name);
	}
	return err_code(e, -EEXIST, CNI_E_IN_USE,
			"no free name for the interface that egress traffic waits on");
}

static int out_add(struct cni_op *op, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	struct link ifb;
	struct nlmsg m;
	int r;

	if ((r = ifb_add(op, &ifb, e)) < 0 || (r = limit_add(op, &ifb, &c->use->out, false, e)) < 0)
		return r;
	nlmsg_init(&m);
	tc_put_ingress(&m, c->host.index);
	tc_put_redirect(&m, c->host.index, ifb.index);
	if ((r = txn_qdisc_add(op->txn, &c->host, TC_H_INGRESS, &m,
			       "hand over what the container sends", e)) < 0)
		return r;
	return cni_result_add_iface(&op->res, ifb.name, NULL, &ifb.mac) ?
		       0 :
		       err_set(e, -ENOMEM, "report %s", ifb.name);
}

struct hand_over {
	uint32_t to;
	bool found;
};

static int is_hand_over(const struct tc_filter *f, void *arg)
{
	struct hand_over *h = arg;

	h->found |= f->redirects && f->redirect == h->to;
	return h->found;
}

/* 1: what arrives at the host's end is handed to the interface with index to (0: that is gone). */
static int hands_over(struct cni_op *op, const struct link *host, uint32_t to, struct err *e)
{
	struct hand_over h = { .to = to };
	int r = filter_each(op->host, host->index, TC_H_MAKE(TC_H_INGRESS, 0), is_hand_over, &h, e);

	return r < 0 ? r : h.found;
}

static int stop_hand_over(struct cni_op *op, const struct link *host, uint32_t to, struct err *e)
{
	int r = hands_over(op, host, to, e);

	return r == 1 ? qdisc_del(op->host, host->index, TC_H_INGRESS, e) : r;
}

/* First the hand-over: packets for an interface that is gone are lost. */
static int out_del(struct cni_op *op, struct err *e)
{
	struct link host, ifb;
	bool there = op->cont && find_host_end(op, &host, NULL) == 0;
	int r = there ? stop_hand_over(op, &host, 0, e) : 0;

	for (unsigned salt = 0; salt < IFB_NAMES && r == 0; salt++) {
		struct err one = ERR_INIT;

		if ((r = ifb_get(op, salt, &ifb, &one)) == -ENODEV) {
			r = 0;
			continue;
		}
		if (r == 0 && there)
			r = stop_hand_over(op, &host, ifb.index, &one);
		if (r == 0)
			r = link_del(op->host, ifb.index, &one);
		if (r < 0)
			*e = one;
	}
	return r;
}

static int out_check(struct cni_op *op, struct err *e)
{
	const struct bandwidth_conf *c = op->conf;
	struct link ifb;
	int r = -ENODEV;

	for (unsigned salt = 0; salt < IFB_NAMES && r == -ENODEV; salt++)
		r = ifb_get(op, salt, &ifb, NULL);
	if (r < 0)
		return cni_check_fail(e,
				      "get ifb device: expected one for container %.64s, interface "
				      "%s, found none",
				      op->env->container, op->env->ifname);
	if (!(ifb.flags & 1))
		return cni_check_fail(e, "interface %s: expected up, found down", ifb.name);
	if ((r = hands_over(op, &c->host, ifb.index, e)) < 0)
		return r;
	if (!r)
		return cni_check_fail(e,
				      "host interface %s: expected its traffic handed to %s, found "
				      "it not so",
				      c->host.name, ifb.name);
	return limit_is_there(op, &ifb, &c->use->out, e);
}

static int out_gc(struct cni_op *op, struct err *e)
{
	return common_link_gc(op, "ifb", e);
}

static const struct cni_step bandwidth_steps[] = {
	{ "host end", shapes, host_add, NULL, host_add, NULL, NULL },
	{ "ingress", shapes_in, in_add, in_del, in_check, NULL, NULL },
	{ "egress", shapes_out, out_add, out_del, out_check, out_gc, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_bandwidth = {
	.name = "bandwidth",
	.about = "limits how fast a container receives and sends",
	.flags = CNI_CHAINED,
	.min = CNI_V_0_3_0,
	.fields = bandwidth_fields,
	.conf_size = sizeof(struct bandwidth_conf),
	.conf_check = bandwidth_conf_check,
	.steps = bandwidth_steps,
};
