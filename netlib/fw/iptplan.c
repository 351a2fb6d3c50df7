// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptplan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/iptmatch.h"
#include "netlib/fw/rules.h"

#define QUOTED_MAX (2 * IPT_COMMENT_MAX + 3)
#define LIST_MAX 128 /* fifteen ports in words */

struct walk {
	const struct fw_plan *p;
	uint8_t family;
	struct ipt_names names;
	char masq_comment[QUOTED_MAX], dnat_comment[QUOTED_MAX];
	uint32_t mark;
	const char *set_mark;
	ipt_want_fn *fn;
	void *arg;
	struct err *e;
};

static int want(struct walk *w, const char *chain, enum ipt_place place, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int want(struct walk *w, const char *chain, enum ipt_place place, const char *fmt, ...)
{
	struct ipt_want x = { .chain = chain, .place = place };
	va_list ap;

	va_start(ap, fmt);
	int r = ipt_rule_vline(&x.rule, w->family, w->e, fmt, ap);
	va_end(ap);
	return r < 0 ? r : w->fn(&x, w->arg, w->e);
}

/* ---- masquerade */

static int masq_of(struct walk *w, const struct fw_masq *m)
{
	const char *multicast = w->family == AF_INET ? "224.0.0.0/4" : "ff00::/8";
	const char *comment = w->masq_comment, *chain = w->names.masq;
	char subnet[IP_TEXT_MAX], addr[IP_TEXT_MAX];

	(void)ip_prefix_text(&m->addr, subnet);
	(void)ip_text(&m->addr.addr, addr);
	return want(w, chain, IPT_OWN, "-d %s -m comment --comment %s -j ACCEPT", subnet, comment) ?:
		       want(w, chain, IPT_OWN, "! -d %s -m comment --comment %s -j MASQUERADE", multicast, comment) ?:
		       want(w, "POSTROUTING", IPT_ENTRY, "-s %s -m comment --comment %s -j %s",
			    addr, comment, chain);
}

/* ---- host ports: what everybody's share */

static bool wants_mark(const struct walk *w)
{
	for (size_t i = 0; i < w->p->ndnat; i++)
		if (w->p->dnat[i].to.addr.family == w->family && w->p->dnat[i].snat)
			return true;
	return false;
}

static int mark_chains(struct walk *w)
{
	return want(w, IPT_SETMARK_CHAIN, IPT_SHARED,
		    "-m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark "
		    "0x%x/0x%x",
		    w->mark, w->mark) ?:
	       want(w, IPT_MASQ_CHAIN, IPT_SHARED, "-m mark --mark 0x%x/0x%x -j MASQUERADE",
		    w->mark, w->mark) ?:
	       want(w, "POSTROUTING", IPT_FRONT,
		    "-m comment --comment \"CNI portfwd requiring masquerade\" -j " IPT_MASQ_CHAIN);
}

static int top_chain(struct walk *w)
{
	static const char jump[] = "-m addrtype --dst-type LOCAL -j " IPT_DNAT_CHAIN;

	return want(w, "PREROUTING", IPT_SHARED, "%s", jump) ?:
		       want(w, "OUTPUT", IPT_SHARED, "%s", jump);
}

/* ---- host ports: the attachment's own chain */

static const char *address_of(const struct ip_addr *a, char buf[IP_TEXT_MAX + 8])
{
	char text[IP_TEXT_MAX];

	*buf = 0;
	if (ip_is_set(a) && !ip_is_any(a))
		(void)str_copyf(buf, IP_TEXT_MAX + 8, " -d %s", ip_text(a, text));
	return buf;
}

/* One to three rules: mark what must look as if it came from us, then redirect. */
static int mapping(struct walk *w, const struct fw_dnat *d, struct ipt_span host, unsigned to_port)
{
	const char *chain = w->names.dnat;
	char where[IP_TEXT_MAX + 8], base[2 * IP_TEXT_MAX], near[IP_TEXT_MAX], to[IP_TEXT_MAX];
	char span[16];
	bool v6 = w->family == AF_INET6;
	int r = 0;

	(void)snprintf(span, sizeof span, host.first == host.last ? "%u" : "%u:%u", host.first,
		       host.last);
	(void)str_copyf(base, sizeof base, "-p %s --dport %s%s", proto_name(d->map.proto), span,
			address_of(&d->map.host_ip, where));
	(void)ip_prefix_text(&d->to, near);
	(void)ip_text(&d->to.addr, to);
	if (d->snat)
		r = d->masq_all ?
			    want(w, chain, IPT_OWN, "%s -j %s", base, w->set_mark) :
			    want(w, chain, IPT_OWN, "%s -s %s -j %s", base, near, w->set_mark);
	if (d->snat && !v6)
		r = r ?: want(w, chain, IPT_OWN, "%s -s 127.0.0.1 -j %s", base, w->set_mark);
	if (r)
		return r;
	if (!to_port)
		return want(w, chain, IPT_OWN, "%s -j DNAT --to-destination %s", base, to);
	return want(w, chain, IPT_OWN,
		    v6 ? "%s -j DNAT --to-destination [%s]:%u" :
			 "%s -j DNAT --to-destination %s:%u",
		    base, to, to_port);
}

/* A range that keeps its numbers is one mapping, else there is one for each port. */
static int mappings(struct walk *w, const struct fw_dnat *d)
{
	const struct port_map *m = &d->map;
	unsigned last = m->host_port + m->count - 1u;
	int r = 0;

	if (m->count > 1 && m->host_port == m->container_port)
		return mapping(w, d, (struct ipt_span){ m->host_port, (uint16_t)last }, 0);
	for (unsigned i = 0; i < m->count && r == 0; i++) {
		uint16_t port = (uint16_t)(m->host_port + i);

		r = mapping(w, d, (struct ipt_span){ port, port }, m->container_port + i);
	}
	return r;
}

/* ---- host ports: what leads there */

static int add_conditions(struct walk *w, struct ipt_rule *r)
{
	const struct fw_ipt *x = w->p->ipt;
	size_t f = w->family == AF_INET6;
	struct ipt_target none = { 0 }, target = r->target;
	struct err why = ERR_INIT;

	if (!x || !x->nconditions[f])
		return 0;
	r->target = none;
	int rc = ipt_rule_more(r, x->conditions[f], x->nconditions[f], &why);
	if (rc == 0 && r->target.kind != IPT_NO_TARGET)
		rc = err_say(&why, -EINVAL, "-j and -g cannot stand in conditions");
	r->target = target;
	return rc < 0 ? err_conf(w->e, f ? "/conditionsV6" : "/conditionsV4", "%s", why.text) : 0;
}

static int entry(struct walk *w, uint8_t proto, const char *list)
{
	struct ipt_want x = { .chain = IPT_DNAT_CHAIN, .place = IPT_ENTRY };
	int r = ipt_rule_line(&x.rule, w->family, w->e,
			      "-p %s -m comment --comment %s -m multiport --dports %s -j %s",
			      proto_name(proto), w->dnat_comment, list, w->names.dnat);

	if (r == 0)
		r = add_conditions(w, &x.rule);
	return r < 0 ? r : w->fn(&x, w->arg, w->e);
}

struct list {
	char text[LIST_MAX];
	size_t len;
	unsigned places;
};

static int add_to_list(struct walk *w, struct list *l, const struct port_map *m)
{
	unsigned need = m->count > 1 ? 2 : 1;
	int r = 0;

	if (l->places + need > IPT_PORTS_MAX) {
		r = entry(w, m->proto, l->text);
		*l = (struct list){ .len = 0 };
	}
	int n = snprintf(l->text + l->len, sizeof l->text - l->len,
			 m->count > 1 ? "%s%u:%u" : "%s%u", l->places ? "," : "", m->host_port,
			 m->host_port + m->count - 1u);
	l->len += (size_t)n;
	l->places += need;
	return r;
}

/* One rule for each fifteen ports of a protocol. */
static int entries_of(struct walk *w, uint8_t proto)
{
	const struct fw_ipt *x = w->p->ipt;
	const struct port_map *asked = x ? x->asked : NULL;
	size_t n = asked ? x->nasked : w->p->ndnat;
	struct list l = { .len = 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct port_map *m = asked ? &asked[i] : &w->p->dnat[i].map;

		if (!asked && w->p->dnat[i].to.addr.family != w->family)
			continue;
		if (m->proto == proto)
			r = add_to_list(w, &l, m);
	}
	return r || !l.places ? r : entry(w, proto, l.text);
}

/* Each mapping of the family, as it was asked for. */
static int all_mappings(struct walk *w)
{
	const struct fw_plan *p = w->p;
	const struct fw_dnat *like = NULL;
	int r = 0;

	for (size_t i = 0; i < p->ndnat && r == 0; i++) {
		if (p->dnat[i].to.addr.family != w->family)
			continue;
		like = like ?: &p->dnat[i];
		if (!p->ipt || !p->ipt->asked)
			r = mappings(w, &p->dnat[i]);
	}
	for (size_t i = 0; like && p->ipt && p->ipt->asked && i < p->ipt->nasked && r == 0; i++) {
		struct fw_dnat d = *like;

		d.map = p->ipt->asked[i];
		if (!ip_is_set(&d.map.host_ip) || d.map.host_ip.family == w->family)
			r = mappings(w, &d);
	}
	return r;
}

static int ports(struct walk *w)
{
	static const uint8_t protos[] = { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP };
	const struct fw_plan *p = w->p;
	bool external = p->ipt && p->ipt->set_mark_chain && *p->ipt->set_mark_chain;
	int r = 0;

	w->mark = p->ipt && p->ipt->mark ? p->ipt->mark : FW_MARK;
	w->set_mark = external ? p->ipt->set_mark_chain : IPT_SETMARK_CHAIN;
	if (!external && wants_mark(w))
		r = mark_chains(w);
	if (r == 0)
		r = top_chain(w);
	if (r == 0)
		r = all_mappings(w);
	for (size_t i = 0; i < ARRAY_LEN(protos) && r == 0; i++)
		r = entries_of(w, protos[i]);
	return r;
}

/* ---- the whole */

bool ipt_plan_has(const struct fw_plan *p, uint8_t family, unsigned parts)
{
	for (size_t i = 0; parts & FW_MASQ && i < p->nmasq; i++)
		if (p->masq[i].addr.addr.family == family)
			return true;
	for (size_t i = 0; parts & FW_DNAT && i < p->ndnat; i++)
		if (p->dnat[i].to.addr.family == family)
			return true;
	return false;
}

static void quote(char out[QUOTED_MAX], const char *text)
{
	cleanup_str struct str s = STR_INIT;

	ipt_quote(&s, text);
	(void)str_copyf(out, QUOTED_MAX, "%s", s.p ? s.p : "");
}

int ipt_plan_each(const struct fw_plan *p, uint8_t family, unsigned parts, ipt_want_fn *fn,
		  void *arg, struct err *e)
{
	struct walk w = { .p = p, .family = family, .fn = fn, .arg = arg, .e = e };
	int r = 0;

	ipt_names(&w.names, p->owner.network, p->owner.container);
	quote(w.masq_comment, w.names.masq_comment);
	quote(w.dnat_comment, w.names.dnat_comment);
	if (ipt_plan_has(p, family, parts & FW_DNAT))
		r = ports(&w);
	for (size_t i = 0; parts & FW_MASQ && i < p->nmasq && r == 0; i++)
		if (p->masq[i].addr.addr.family == family)
			r = masq_of(&w, &p->masq[i]);
	return r;
}
