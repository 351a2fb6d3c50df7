// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/ipt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/iptforward.h"
#include "netlib/fw/iptlib.h"
#include "netlib/fw/rules.h"

static const uint8_t families[] = { AF_INET, AF_INET6 };

static void ipt_close(struct fw *fw)
{
	free(fw);
}

/* ---- taking away, in an open table */

static int leads_to(const struct ipt_rule *r, void *arg)
{
	return !strcmp(r->target.name, arg);
}

struct everywhere {
	struct ipt_table *t;
	char *chain;
	struct err *e;
};

static int unlink_from(const char *chain, void *arg)
{
	struct everywhere *w = arg;
	int r = ipt_delete_if(w->t, chain, leads_to, w->chain, w->e);

	return r < 0 ? r : 0;
}

/* A chain with the rules that lead to it: those we know, and when others do as well, those too. */
static int drop_chain(struct ipt_table *t, const char *const *from, char *chain, struct err *e)
{
	struct everywhere w = { t, chain, e };
	int r = 0;

	if (!ipt_has_chain(t, chain))
		return 0;
	for (; *from && r >= 0; from++)
		r = ipt_delete_if(t, *from, leads_to, chain, e);
	if (r >= 0 && ipt_is_used(t, chain))
		r = ipt_each_chain(t, unlink_from, &w);
	if (r >= 0)
		r = ipt_chain_del(t, chain, e);
	return r < 0 ? r : 0;
}

static const char *const port_entries[] = { IPT_DNAT_CHAIN, NULL };
static const char *const old_entries[] = { IPT_OLD_SNAT_CHAIN, NULL };
static const char *const masq_entries[] = { "POSTROUTING", NULL };

int ipt_drop_ports(struct ipt_table *t, const struct ipt_names *n, struct err *e)
{
	struct ipt_names copy = *n;
	int r = drop_chain(t, port_entries, copy.dnat, e);

	return r < 0 ? r : drop_chain(t, old_entries, copy.snat, e);
}

struct of_addresses {
	const char *chain;
	const struct fw_plan *p;
};

/* By the address alone, or as releases before 0.8 had it, by the subnet. */
static int is_of_addresses(const struct ipt_rule *r, void *arg)
{
	const struct of_addresses *m = arg;

	for (size_t i = 0; !strcmp(r->target.name, m->chain) && i < m->p->nmasq; i++) {
		struct ip_prefix subnet = m->p->masq[i].addr;

		subnet.addr = ip_network(&subnet);
		if (ip_eq(&r->src.addr, &m->p->masq[i].addr.addr) || ip_prefix_eq(&r->src, &subnet))
			return 1;
	}
	return 0;
}

int ipt_drop_masq(struct ipt_table *t, const struct ipt_names *n, const struct fw_plan *masq,
		  struct err *e)
{
	struct of_addresses m = { n->masq, masq };
	struct ipt_names copy = *n;
	int r;

	if (!masq || !masq->nmasq)
		return drop_chain(t, masq_entries, copy.masq, e);
	r = ipt_delete_if(t, "POSTROUTING", is_of_addresses, &m, e);
	if (r < 0 || ipt_is_used(t, n->masq))
		return r < 0 ? r : 0;
	return drop_chain(t, masq_entries, copy.masq, e);
}

/* ---- deletion */

struct search {
	struct ipt_names names;
	unsigned parts;
	const struct fw_plan *hint;
	const char *network; /* GC */
	struct ipt_names *valid;
	size_t nvalid;
	struct ipt_names *stale; /* found: those of this family */
	size_t nstale;
};

static int look_for_owner(struct ipt_table *t, void *arg, struct err *e)
{
	const struct search *s = arg;

	(void)e;
	return (s->parts & FW_MASQ && ipt_has_chain(t, s->names.masq)) ||
	       (s->parts & FW_DNAT &&
		(ipt_has_chain(t, s->names.dnat) || ipt_has_chain(t, s->names.snat)));
}

static int drop_owner(struct ipt_table *t, void *arg, struct err *e)
{
	const struct search *s = arg;
	int r = s->parts & FW_DNAT ? ipt_drop_ports(t, &s->names, e) : 0;

	return r < 0 || !(s->parts & FW_MASQ) ? r : ipt_drop_masq(t, &s->names, s->hint, e);
}

static int ipt_del(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		   const struct fw_plan *hint, struct err *e)
{
	struct search s = { .parts = parts, .hint = hint };

	(void)fw;
	ipt_names(&s.names, owner->network, owner->container);
	return parts & (FW_MASQ | FW_DNAT) ?
		       ipt_edit_both(IPT_TABLE, look_for_owner, drop_owner, &s, e) :
		       0;
}

/* ---- collection */

static bool is_valid(const struct search *s, const char *chain)
{
	for (size_t i = 0; i < s->nvalid; i++)
		if (!strcmp(chain, s->valid[i].masq) || !strcmp(chain, s->valid[i].dnat))
			return true;
	return false;
}

static bool is_known(const struct search *s, const char *chain)
{
	for (size_t i = 0; i < s->nstale; i++)
		if (!strcmp(chain, s->stale[i].masq) || !strcmp(chain, s->stale[i].dnat))
			return true;
	return false;
}

/* Entries of a network's containers that are not valid; the chain's name is remembered. */
static int note_stale(const struct ipt_rule *r, void *arg)
{
	struct search *s = arg;
	bool dnat = str_starts(r->target.name, "CNI-DN-");

	if (!str_starts(r->target.name, "CNI-") ||
	    !ipt_comment_in_network(ipt_rule_comment(r), s->network) ||
	    is_valid(s, r->target.name) || is_known(s, r->target.name))
		return 0;
	struct ipt_names *n = vec_add(&s->stale, &s->nstale);
	if (!n)
		return -ENOMEM;
	(void)str_copyf(dnat ? n->dnat : n->masq, IPT_NAME_MAX, "%s", r->target.name);
	return 0;
}

static int look_for_stale(struct ipt_table *t, void *arg, struct err *e)
{
	struct search *s = arg;
	int r = 0;

	s->nstale = 0;
	if (s->parts & FW_MASQ)
		r = ipt_each(t, "POSTROUTING", note_stale, s);
	if (r == 0 && s->parts & FW_DNAT)
		r = ipt_each(t, IPT_DNAT_CHAIN, note_stale, s);
	return r < 0 ? err_set(e, r, "collect rules of table nat") : s->nstale > 0;
}

static int drop_stale(struct ipt_table *t, void *arg, struct err *e)
{
	struct search *s = arg;
	int r = look_for_stale(t, s, e);

	for (size_t i = 0; i < s->nstale && r >= 0; i++)
		r = *s->stale[i].dnat ? ipt_drop_ports(t, &s->stale[i], e) :
					ipt_drop_masq(t, &s->stale[i], NULL, e);
	return r < 0 ? r : 0;
}

static int ipt_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		  unsigned parts, struct err *e)
{
	struct search s = { .network = network, .nvalid = nvalid, .parts = parts };
	cleanup_free struct ipt_names *names = calloc(nvalid + 1, sizeof *names);

	(void)fw;
	if (!names)
		return err_set(e, -ENOMEM, "collect rules of network %s", network);
	for (size_t i = 0; i < nvalid; i++)
		ipt_names(&names[i], valid[i].network, valid[i].container);
	s.valid = names;
	int r = ipt_edit_both(IPT_TABLE, look_for_stale, drop_stale, &s, e);
	free(s.stale);
	return r;
}

/* ---- chains that nobody needs any more */

static int look_for_unused(struct ipt_table *t, void *arg, struct err *e)
{
	cleanup_ipt_entries struct ipt_entries l = { 0 };
	int r = ipt_entries_of(t, IPT_DNAT_CHAIN, &l);

	(void)arg;
	return r < 0 ? err_set(e, r, "look for unused chains") :
		       ipt_has_chain(t, IPT_DNAT_CHAIN) && !l.n;
}

static int drop_unused(struct ipt_table *t, void *arg, struct err *e)
{
	static const char *const top[] = { "PREROUTING", "OUTPUT", NULL };
	char dnat[] = IPT_DNAT_CHAIN, masq[] = IPT_MASQ_CHAIN;
	int r = look_for_unused(t, NULL, e);

	if (r <= 0 || (r = drop_chain(t, top, dnat, e)) < 0 ||
	    (r = drop_chain(t, masq_entries, masq, e)) < 0)
		return r;
	if (!ipt_is_used(t, IPT_SETMARK_CHAIN)) /* chains of others may mark with it */
		r = ipt_chain_del(t, IPT_SETMARK_CHAIN, e);
	*(bool *)arg = true;
	return r < 0 ? r : 0;
}

static int ipt_sweep(struct fw *fw, struct err *e)
{
	bool removed = false;
	int r = ipt_edit_both(IPT_TABLE, look_for_unused, drop_unused, &removed, e);

	(void)fw;
	return r < 0 ? r : removed;
}

/* ---- listing */

struct listing {
	int (*fn)(const char *owner, const char *what, const char *text, void *arg);
	void *arg;
	const struct ipt_table *t;
	char owner[IPT_COMMENT_MAX];
	uint8_t proto;
};

static int list_mapping(const struct ipt_rule *r, void *arg)
{
	struct listing *l = arg;
	char text[FW_ELEM_WORDS_MAX];
	const struct ipt_match *m = NULL;

	for (enum ipt_match_kind k = IPT_TCP; k <= IPT_SCTP && !m; k++)
		m = ipt_rule_match(r, k);
	if (r->target.kind != IPT_DNAT || r->proto != l->proto || !m)
		return 0;
	struct fw_elem x = { .set = { FW_KIND_DNAT, r->family },
			     .ip = r->dst.addr,
			     .proto = r->proto,
			     .port = m->port[IPT_DEST].first,
			     .last = m->port[IPT_DEST].last,
			     .to = r->target.to,
			     .to_port = r->target.to_port.first };
	x.set.kind = x.port != x.last ? FW_KIND_RANGE :
		     ip_is_set(&x.ip) ? FW_KIND_DNAT_IP :
					FW_KIND_DNAT;
	return l->fn(l->owner, "dnat", fw_elem_words(&x, text), l->arg);
}

static int list_entry(const struct ipt_rule *r, void *arg)
{
	struct listing *l = arg;
	char ip[IP_TEXT_MAX];

	if (!str_starts(r->target.name, "CNI-") ||
	    !ipt_comment_owner(ipt_rule_comment(r), l->owner, sizeof l->owner))
		return 0;
	if (!str_starts(r->target.name, "CNI-DN-"))
		return l->fn(l->owner, "masquerade", ip_text(&r->src.addr, ip), l->arg);
	l->proto = r->proto;
	return ipt_each(l->t, r->target.name, list_mapping, l);
}

static int list_table(struct ipt_table *t, void *arg, struct err *e)
{
	struct listing *l = arg;

	(void)e;
	l->t = t;
	int r = ipt_each(t, "POSTROUTING", list_entry, l);
	return r ? r : ipt_each(t, IPT_DNAT_CHAIN, list_entry, l);
}

static int ipt_each_element(struct fw *fw,
			    int (*fn)(const char *owner, const char *what, const char *text,
				      void *arg),
			    void *arg, struct err *e)
{
	struct listing l = { .fn = fn, .arg = arg };
	int r = 0;

	(void)fw;
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++)
		r = ipt_look(families[i], IPT_TABLE, list_table, &l, e);
	return r;
}

/* ---- opening */

bool ipt_is_in_use(void)
{
	/* a chain is an entry, too */
	return ipt_table_exists(AF_INET, IPT_TABLE) && ipt_lib_has_rules(AF_INET, IPT_TABLE);
}

/* Opening a table would make it: what can be seen from outside has to do. */
static int ipt_ready(struct fw *fw, struct err *e)
{
	const struct ipt_lib *lib;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++)
		r = ipt_lib_load(&lib, families[i], e);
	if (r < 0)
		return r;
	if (access("/proc/thread-self/net/ip_tables_names", R_OK) < 0)
		return err_say(e, -EOPNOTSUPP,
			       "this kernel has no legacy iptables; load the module ip_tables or "
			       "use the nftables backend");
	if (!fw->chosen && !ipt_is_in_use() && nft_holds_iptables())
		return err_say(
			e, -EOPNOTSUPP,
			"the iptables backend is configured, but this host's iptables keeps "
			"its rules in nf_tables (iptables-nft, table ip nat), apart from the "
			"legacy tables that the backend writes; use the nftables backend");
	return 0;
}

/* ---- both tables: nat, and filter for forwarding */

/* What fails in the second is taken back from the first. */
static int both_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	unsigned nat = fw_plan_parts(p) & (FW_MASQ | FW_DNAT);
	int r = nat ? ipt_add(fw, p, e) : 0;

	if (r < 0 || nat == fw_plan_parts(p))
		return r;
	r = ipt_forward_add(p, e);
	if (r < 0 && nat)
		(void)ipt_del(fw, &p->owner, nat, NULL, NULL);
	return r;
}

static int both_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	int r = ipt_check(fw, p, e);

	return r < 0 ? r : ipt_forward_check(p, e);
}

/* The second is done whatever the first says; the first error is told. */
static int both(int first, int second, const struct err *why, struct err *e)
{
	if (first >= 0 && second < 0 && e)
		*e = *why;
	return first < 0 ? first : second < 0 ? second : first | second;
}

static int both_del(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		    const struct fw_plan *hint, struct err *e)
{
	struct err why = ERR_INIT;
	int r = ipt_del(fw, owner, parts, hint, e);

	return both(r, ipt_forward_del(owner, parts, hint, &why), &why, e);
}

static int both_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		   unsigned parts, struct err *e)
{
	struct err why = ERR_INIT;
	int r = ipt_gc(fw, network, valid, nvalid, parts, e);

	return both(r, ipt_forward_gc(network, valid, nvalid, parts, &why), &why, e);
}

static int both_sweep(struct fw *fw, struct err *e)
{
	struct err why = ERR_INIT;
	int r = ipt_sweep(fw, e);

	return both(r, ipt_forward_sweep(&why), &why, e);
}

static int both_each(struct fw *fw,
		     int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		     void *arg, struct err *e)
{
	return ipt_each_element(fw, fn, arg, e) ?: ipt_forward_each(fn, arg, e);
}

static const struct fw_ops ipt_ops = {
	.name = "iptables",
	.parts = FW_ALL,
	.close = ipt_close,
	.ready = ipt_ready,
	.add = both_add,
	.del = both_del,
	.check = both_check,
	.gc = both_gc,
	.sweep = both_sweep,
	.each = both_each,
};

int ipt_open(struct fw **out, struct err *e)
{
	struct fw *fw = calloc(1, sizeof *fw);

	if (!fw)
		return err_set(e, -ENOMEM, "open iptables");
	fw->ops = &ipt_ops;
	*out = fw;
	return 0;
}
