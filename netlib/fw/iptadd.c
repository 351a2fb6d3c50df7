// SPDX-License-Identifier: GPL-2.0-or-later
/* Adding a plan to the legacy tables and comparing them with a plan. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/ipt.h"
#include "netlib/fw/iptplan.h"
#include "netlib/fw/rules.h"

struct job {
	const struct fw_plan *p;
	struct fw_elems elems; /* the plan's ports, for comparing them with those of others */
	struct ipt_names names;
	struct ipt_table *t;
};

static void job_clear(struct job *j)
{
	fw_elems_clear(&j->elems);
}
#define cleanup_job __attribute__((cleanup(job_clear)))

/* ---- comparing */

/* Own chains are compared in order, which is quick; only what differs is looked for. */
struct compare {
	struct job *j;
	struct ipt_entries masq, dnat;
	size_t masq_at, dnat_at, entries;
	unsigned missing;
	char first[512]; /* that is missing, in words */
};

static void compare_clear(struct compare *c)
{
	ipt_entries_clear(&c->masq);
	ipt_entries_clear(&c->dnat);
}
#define cleanup_compare __attribute__((cleanup(compare_clear)))

static bool is_next(struct compare *c, const struct ipt_want *w)
{
	bool masq = !strcmp(w->chain, c->j->names.masq);
	const struct ipt_entries *l = masq ? &c->masq : &c->dnat;
	size_t *at = masq ? &c->masq_at : &c->dnat_at;

	return w->place == IPT_OWN && *at < l->n && ipt_entry_is(c->j->t, l->v[(*at)++], &w->rule);
}

static int compare_one(const struct ipt_want *w, void *arg, struct err *e)
{
	struct compare *c = arg;

	(void)e;
	c->entries += w->place == IPT_ENTRY && !strcmp(w->chain, IPT_DNAT_CHAIN);
	if (is_next(c, w) || ipt_find(c->j->t, w->chain, &w->rule) >= 0)
		return 0;
	if (!c->missing++) {
		cleanup_str struct str s = STR_INIT;

		ipt_rule_text(&s, w->chain, &w->rule);
		(void)str_copyf(c->first, sizeof c->first, "%s", s.p ? s.p : "");
	}
	return 0;
}

static int compare(struct job *j, unsigned parts, struct compare *c, struct err *e)
{
	int r;

	c->j = j;
	if ((r = ipt_entries_of(j->t, j->names.masq, &c->masq)) < 0 ||
	    (r = ipt_entries_of(j->t, j->names.dnat, &c->dnat)) < 0)
		return err_set(e, r, "compare a legacy table");
	return ipt_plan_each(j->p, j->t->family, parts, compare_one, c, e);
}

static int count_it(const struct ipt_rule *r, void *arg)
{
	struct compare *c = arg;

	c->entries -= !strcmp(r->target.name, c->j->names.dnat);
	return 0;
}

/* Everything is there, and the port's chain has nothing else in it or leading to it. */
static int is_right(struct job *j, bool *right, struct err *e)
{
	cleanup_compare struct compare c = { 0 };
	int r = compare(j, FW_MASQ | FW_DNAT, &c, e);

	if (r < 0)
		return r;
	if (j->p->ndnat)
		(void)ipt_each(j->t, IPT_DNAT_CHAIN, count_it, &c);
	*right = !c.missing && (!j->p->ndnat || (!c.entries && c.dnat_at == c.dnat.n));
	return 0;
}

/* ---- ports that others have */

struct rival {
	struct job *j;
	const struct ipt_rule *entry; /* of theirs, in CNI-HOSTPORT-DNAT */
	struct err *e;
};

static int taken(const struct rival *v, const struct fw_elem *mine, const struct fw_elem *theirs)
{
	char key[FW_KEY_WORDS_MAX], other[FW_KEY_WORDS_MAX], who[IPT_OWNER_WORDS_MAX];

	(void)fw_elem_key_words(mine, key);
	(void)fw_elem_key_words(theirs, other);
	(void)ipt_comment_words(ipt_rule_comment(v->entry), who);
	if (!strcmp(key, other))
		(void)err_say(v->e, -EADDRINUSE, "host port %s is taken by %s", key, who);
	else
		(void)err_say(v->e, -EADDRINUSE, "host port %s is taken by %s, which has %s", key,
			      who, other);
	err_details(v->e, "choose another port or remove that container; if it is gone without a "
			  "DEL, its runtime's GC (naru gc) frees the port");
	return -EADDRINUSE;
}

/* A DNAT rule of theirs as an element, so that it can be compared with ours. */
static bool as_element(const struct ipt_rule *r, struct fw_elem *x)
{
	const struct ipt_match *m = NULL;

	for (enum ipt_match_kind k = IPT_TCP; k <= IPT_SCTP && !m; k++)
		m = ipt_rule_match(r, k);
	if (r->target.kind != IPT_DNAT || !m)
		return false;
	*x = (struct fw_elem){ .set = { .kind = FW_KIND_DNAT, .family = r->family },
			       .ip = r->dst.addr,
			       .proto = r->proto,
			       .port = m->port[IPT_DEST].first,
			       .last = m->port[IPT_DEST].last };
	if (ip_is_set(&x->ip))
		x->set.kind = FW_KIND_DNAT_IP;
	if (x->port != x->last)
		x->set.kind = FW_KIND_RANGE;
	return true;
}

static int refuse_mapping(const struct ipt_rule *r, void *arg)
{
	struct rival *v = arg;
	struct fw_elem x;

	if (!as_element(r, &x))
		return 0;
	for (size_t i = 0; i < v->j->elems.n; i++)
		if (fw_elem_overlaps(&v->j->elems.elem[i], &x))
			return taken(v, &v->j->elems.elem[i], &x);
	return 0;
}

/* What an entry asks beyond its ports: "-i eth1"; as text, "" for nothing. */
static void conditions_of(const struct ipt_rule *r, struct str *s)
{
	struct ipt_rule rest = *r;

	rest.target = (struct ipt_target){ 0 };
	rest.nmatch = 0;
	rest.proto = 0;
	for (size_t i = 0; i < r->nmatch; i++)
		if (r->match[i].kind != IPT_COMMENT && r->match[i].kind != IPT_MULTIPORT)
			rest.match[rest.nmatch++] = r->match[i];
	ipt_rule_text(s, NULL, &rest);
}

static int ours_conditions(const struct ipt_want *w, void *arg, struct err *e)
{
	(void)e;
	if (w->place != IPT_ENTRY)
		return 0;
	conditions_of(&w->rule, arg);
	return 1;
}

/* Two conditions that differ are taken to keep their packets apart. */
static bool kept_apart(const struct rival *v)
{
	cleanup_str struct str a = STR_INIT, b = STR_INIT;
	const struct job *j = v->j;

	conditions_of(v->entry, &a);
	(void)ipt_plan_each(j->p, j->t->family, FW_DNAT, ours_conditions, &b, NULL);
	return a.len && b.len && strcmp(a.p, b.p) != 0;
}

static bool ports_meet(const struct job *j, const struct ipt_rule *entry)
{
	const struct ipt_match *m = ipt_rule_match(entry, IPT_MULTIPORT);

	for (size_t i = 0; m && i < j->elems.n; i++) {
		const struct fw_elem *x = &j->elems.elem[i];

		for (unsigned k = 0; x->proto == entry->proto && k < m->multi.n; k++)
			if (x->port <= m->multi.port[k].last && x->last >= m->multi.port[k].first)
				return true;
	}
	return !m;
}

static int refuse_entry(const struct ipt_rule *r, void *arg)
{
	struct rival *v = arg;

	v->entry = r;
	if (!strcmp(r->target.name, v->j->names.dnat) || !ports_meet(v->j, r) || kept_apart(v))
		return 0;
	return ipt_each(v->j->t, r->target.name, refuse_mapping, v);
}

/* ---- masquerade that is somebody's no more */

struct stale {
	const struct job *j;
	char chain[IPT_NAME_MAX]; /* the first one met, whose entries go together */
};

/* An address has one owner: another chain's entry for one of ours is left over. */
static int is_stale(const struct ipt_rule *r, void *arg)
{
	struct stale *s = arg;
	const struct fw_plan *p = s->j->p;

	if (!str_starts(r->target.name, "CNI-") || !strcmp(r->target.name, s->j->names.masq) ||
	    !str_starts(ipt_rule_comment(r), "name: \"") || !ip_is_set(&r->src.addr) ||
	    r->src.len != ip_bits(&r->src.addr) ||
	    (*s->chain && strcmp(r->target.name, s->chain) != 0))
		return 0;
	for (size_t i = 0; i < p->nmasq; i++)
		if (ip_eq(&p->masq[i].addr.addr, &r->src.addr)) {
			(void)str_copyf(s->chain, sizeof s->chain, "%s", r->target.name);
			return 1;
		}
	return 0;
}

/* One chain after the other. */
static int drop_stale(struct job *j, struct err *e)
{
	int r;

	do {
		struct stale s = { .j = j };
		int r2 = 0;

		r = ipt_delete_if(j->t, "POSTROUTING", is_stale, &s, e);
		if (r > 0 && !ipt_is_used(j->t, s.chain))
			r2 = ipt_chain_del(j->t, s.chain, e);
		r = r2 < 0 ? r2 : r;
	} while (r > 0);
	return r;
}

/* ---- adding */

/* A chain that a rule leads to must be there first; those of others are not made. */
static int chain_for(struct job *j, const char *chain, struct err *e)
{
	const struct fw_ipt *x = j->p->ipt;

	if (x && x->set_mark_chain && !strcmp(chain, x->set_mark_chain)) {
		if (ipt_has_chain(j->t, chain))
			return 0;
		return err_conf(e, "/externalSetMarkChain",
				"table nat of %s has no chain %s; whoever owns it must create it "
				"first",
				j->t->family == AF_INET ? "iptables" : "ip6tables", chain);
	}
	int r = ipt_chain_add(j->t, chain, e);
	return r < 0 ? r : 0;
}

static int add_one(const struct ipt_want *w, void *arg, struct err *e)
{
	struct job *j = arg;
	bool rebuilt =
		!strcmp(w->chain, j->names.dnat) || !strcmp(w->rule.target.name, j->names.dnat);
	int r = chain_for(j, w->chain, e);

	if (r == 0 && w->rule.target.kind == IPT_JUMP)
		r = chain_for(j, w->rule.target.name, e);
	if (r < 0)
		return r;
	r = rebuilt ? ipt_insert(j->t, w->chain, &w->rule, IPT_LAST, e) :
		      ipt_ensure(j->t, w->chain, &w->rule,
				 w->place == IPT_FRONT ? IPT_FIRST : IPT_LAST, e);
	return r < 0 ? r : 0;
}

/* 1: all of it is there. */
static int add_family(struct ipt_table *t, void *arg, struct err *e)
{
	struct job *j = arg;
	struct rival v = { .j = j, .e = e };
	bool right = false;
	int r;

	j->t = t;
	if ((r = is_right(j, &right, e)) < 0 || right)
		return r < 0 ? r : 1;
	if (j->p->ndnat && ((r = ipt_each(t, IPT_DNAT_CHAIN, refuse_entry, &v)) < 0 ||
			    (r = ipt_drop_ports(t, &j->names, e)) < 0))
		return r;
	if ((r = drop_stale(j, e)) < 0)
		return r;
	return ipt_plan_each(j->p, t->family, FW_MASQ | FW_DNAT, add_one, j, e);
}

static int take_back(struct ipt_table *t, void *arg, struct err *e)
{
	struct job *j = arg;
	int r = j->p->ndnat ? ipt_drop_ports(t, &j->names, e) : 0;

	return r < 0 || !j->p->nmasq ? r : ipt_drop_masq(t, &j->names, j->p, e);
}

static int job_init(struct job *j, const struct fw_plan *p, struct err *e)
{
	struct fw_plan ports = { .owner = p->owner, .dnat = p->dnat, .ndnat = p->ndnat };

	j->p = p;
	ipt_names(&j->names, p->owner.network, p->owner.container);
	return fw_plan_elements(&ports, &j->elems, e);
}

int ipt_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	cleanup_job struct job j = { 0 };
	bool v4 = ipt_plan_has(p, AF_INET, FW_MASQ | FW_DNAT);
	int r = job_init(&j, p, e), first = 1;

	(void)fw;
	if (r == 0 && v4)
		first = r = ipt_edit(AF_INET, IPT_TABLE, add_family, &j, e);
	if (r < 0 || !ipt_plan_has(p, AF_INET6, FW_MASQ | FW_DNAT))
		return r < 0 ? r : 0;
	r = ipt_edit(AF_INET6, IPT_TABLE, add_family, &j, e);
	if (r < 0 && first == 0)
		(void)ipt_edit(AF_INET, IPT_TABLE, take_back, &j, NULL);
	return r < 0 ? r : 0;
}

/* ---- checking */

static int check_family(struct ipt_table *t, void *arg, struct err *e)
{
	cleanup_compare struct compare c = { 0 };
	struct job *j = arg;
	int r;

	j->t = t;
	if ((r = compare(j, FW_MASQ | FW_DNAT, &c, e)) < 0 || !c.missing)
		return r;
	return err_say(e, -ENOENT,
		       "%s: table nat lacks %u of the rules, the first is \"%s\"; attach the "
		       "container anew or restart it to bring them back",
		       t->family == AF_INET ? "iptables" : "ip6tables", c.missing, c.first);
}

int ipt_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	cleanup_job struct job j = { 0 };
	int r = job_init(&j, p, e);

	(void)fw;
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
		if (!ipt_plan_has(p, families[i], FW_MASQ | FW_DNAT))
			continue;
		if (!ipt_table_exists(families[i], IPT_TABLE))
			return err_say(e, -ENOENT,
				       "%s: there is no table nat; attach the container anew or "
				       "restart it to bring its rules back",
				       families[i] == AF_INET ? "iptables" : "ip6tables");
		r = ipt_read(families[i], IPT_TABLE, check_family, &j, e);
	}
	return r;
}
