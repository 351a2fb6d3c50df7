// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptforward.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/ipttable.h"
#include "netlib/fw/note.h"

#define TABLE "filter"
#define NOTES IPT_FORWARD_NOTES
#define RULES_COMMENT "CNI firewall plugin rules"
#define ADMIN_COMMENT "CNI firewall plugin admin overrides"
#define POLICY_COMMENT \
	"CNI firewall plugin rules (ingressPolicy: " /* how those of isolation begin */
#define SAME_BRIDGE "CNI firewall plugin rules (ingressPolicy: same-bridge)"
#define ISOLATED "CNI firewall plugin rules (ingressPolicy: isolated)"
#define WORDS_MAX 12

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* ---- which rules: one list for adding, checking and removing */

typedef int rule_fn(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
		    struct err *e);

static int rule(struct ipt_table *t, rule_fn *fn, const char *chain, uint32_t at,
		const char *const words[WORDS_MAX], struct err *e)
{
	struct ipt_rule r = { 0 };
	size_t n = 0;

	while (words[n])
		n++;
	int rc = ipt_rule_words(&r, t->family, words, n, e);
	return rc < 0 ? rc : fn(t, chain, &r, at, e);
}
#define RULE(t, fn, chain, at, e, ...) \
	rule(t, fn, chain, at, (const char *const[WORDS_MAX]){ __VA_ARGS__ }, e)

static int entry_rules(struct ipt_table *t, rule_fn *fn, const char *admin, struct err *e)
{
	int r = RULE(t, fn, "FORWARD", IPT_FIRST, e, "-m", "comment", "--comment", RULES_COMMENT,
		     "-j", IPT_FORWARD_CHAIN);

	return r < 0 ? r :
		       RULE(t, fn, IPT_FORWARD_CHAIN, IPT_FIRST, e, "-m", "comment", "--comment",
			    ADMIN_COMMENT, "-j", admin);
}

static int address_rules(struct ipt_table *t, rule_fn *fn, const char *ip, struct err *e)
{
	int r = RULE(t, fn, IPT_FORWARD_CHAIN, IPT_LAST, e, "-d", ip, "-m", "conntrack",
		     "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT");

	return r < 0 ? r : RULE(t, fn, IPT_FORWARD_CHAIN, IPT_LAST, e, "-s", ip, "-j", "ACCEPT");
}

/* What is inserted last stands first: the drop between neighbours before the jump. */
static int bridge_rules(struct ipt_table *t, rule_fn *fn, const char *br, bool alone, struct err *e)
{
	int r;

	if ((r = RULE(t, fn, "FORWARD", IPT_FIRST, e, "-m", "comment", "--comment", SAME_BRIDGE,
		      "-j", IPT_STAGE_1)) < 0 ||
	    (r = RULE(t, fn, IPT_STAGE_1, IPT_FIRST, e, "-i", br, "!", "-o", br, "-m", "comment",
		      "--comment", SAME_BRIDGE, "-j", IPT_STAGE_2)) < 0 ||
	    (alone && (r = RULE(t, fn, IPT_STAGE_1, IPT_FIRST, e, "-i", br, "-o", br, "-m",
				"comment", "--comment", ISOLATED, "-j", "DROP")) < 0) ||
	    (r = RULE(t, fn, IPT_STAGE_1, IPT_LAST, e, "-m", "comment", "--comment", SAME_BRIDGE,
		      "-j", "RETURN")) < 0 ||
	    (r = RULE(t, fn, IPT_STAGE_2, IPT_FIRST, e, "-o", br, "-m", "comment", "--comment",
		      SAME_BRIDGE, "-j", "DROP")) < 0)
		return r;
	return RULE(t, fn, IPT_STAGE_2, IPT_LAST, e, "-m", "comment", "--comment", SAME_BRIDGE,
		    "-j", "RETURN");
}

static const char *admin_of(const struct fw_plan *p)
{
	return p->admin_chain && *p->admin_chain ? p->admin_chain : IPT_ADMIN_CHAIN;
}

static bool accepts(const struct fw_plan *p, uint8_t family)
{
	for (size_t i = 0; i < p->naccept; i++)
		if (p->accept[i].family == family)
			return true;
	return false;
}

static bool isolates(const struct fw_plan *p, uint8_t family)
{
	for (size_t i = 0; i < p->nisolate; i++)
		if (p->isolate[i].addr.family == family)
			return true;
	return false;
}

/* All that a plan has in the family of an open table. */
static int plan_rules(struct ipt_table *t, rule_fn *fn, const struct fw_plan *p, struct err *e)
{
	char ip[IP_TEXT_MAX];
	int r = accepts(p, t->family) ? entry_rules(t, fn, admin_of(p), e) : 0;

	for (size_t i = 0; i < p->naccept && r >= 0; i++)
		if (p->accept[i].family == t->family)
			r = address_rules(t, fn, ip_text(&p->accept[i], ip), e);
	for (size_t i = 0; i < p->nisolate && r >= 0; i++)
		if (p->isolate[i].addr.family == t->family)
			r = bridge_rules(t, fn, p->isolate[i].bridge, p->isolate[i].alone, e);
	return r < 0 ? r : 0;
}

/* ---- adding */

static int ensure(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
		  struct err *e)
{
	return ipt_ensure(t, chain, r, at, e);
}

static int add_chains(struct ipt_table *t, const struct fw_plan *p, struct err *e)
{
	int r = 0;

	if (accepts(p, t->family) && ((r = ipt_chain_add(t, IPT_FORWARD_CHAIN, e)) < 0 ||
				      (r = ipt_chain_add(t, admin_of(p), e)) < 0))
		return r;
	if (isolates(p, t->family) && ((r = ipt_chain_add(t, IPT_STAGE_1, e)) < 0 ||
				       (r = ipt_chain_add(t, IPT_STAGE_2, e)) < 0))
		return r;
	return 0;
}

static int add_plan(struct ipt_table *t, void *arg, struct err *e)
{
	int r = add_chains(t, arg, e);

	return r < 0 ? r : plan_rules(t, ensure, arg, e);
}

static int note_plan(const struct fw_plan *p, struct err *e)
{
	struct fw_note n;
	int r = 0;

	for (size_t i = 0; i < p->naccept && r >= 0; i++)
		if ((r = fw_note_of(p, i, "", &n, e)) >= 0)
			r = fw_note_write(NOTES, &n, e);
	return r;
}

int ipt_forward_add(const struct fw_plan *p, struct err *e)
{
	int r = note_plan(p, e);

	for (size_t i = 0; i < ARRAY_LEN(families) && r >= 0; i++)
		if (accepts(p, families[i]) || isolates(p, families[i]))
			r = ipt_edit(families[i], TABLE, add_plan, (void *)(uintptr_t)p, e);
	if (r < 0)
		(void)ipt_forward_del(&p->owner, FW_ACCEPT, NULL, NULL);
	return r < 0 ? r : 0;
}

/* ---- checking */

static int find(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
		struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	(void)at;
	if (ipt_find(t, chain, r) >= 0)
		return 0;
	ipt_rule_text(&s, chain, r);
	return err_say(e, -ENOENT,
		       "%s: expected rule \"%s\" in table " TABLE ", found it missing; attach the "
		       "container anew to bring it back",
		       t->family == AF_INET6 ? "ip6tables" : "iptables", s.p ?: chain);
}

static int check_plan(struct ipt_table *t, void *arg, struct err *e)
{
	return plan_rules(t, find, arg, e);
}

int ipt_forward_check(const struct fw_plan *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && r >= 0; i++) {
		if (!accepts(p, families[i]) && !isolates(p, families[i]))
			continue;
		if (!ipt_table_exists(families[i], TABLE))
			return err_say(e, -ENOENT,
				       "%s: table " TABLE " is missing; attach the container anew "
				       "to bring it back",
				       families[i] == AF_INET6 ? "ip6tables" : "iptables");
		r = ipt_read(families[i], TABLE, check_plan, (void *)(uintptr_t)p, e);
	}
	return r;
}

/* ---- removing */

static bool of_family(const struct fw_note *n, const struct ipt_table *t)
{
	return (strchr(n->address, ':') != NULL) == (t->family == AF_INET6);
}

static int there(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
		 struct err *e)
{
	(void)at;
	(void)e;
	return ipt_find(t, chain, r) >= 0 ? -EEXIST : 0;
}

static int look_for_notes(struct ipt_table *t, void *arg, struct err *e)
{
	const struct fw_notes *l = arg;

	(void)e;
	for (size_t i = 0; i < l->n; i++)
		if (of_family(&l->note[i], t) &&
		    address_rules(t, there, l->note[i].address, NULL) == -EEXIST)
			return 1;
	return 0;
}

static int drop(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
		struct err *e)
{
	(void)at;
	return ipt_has_chain(t, chain) ? ipt_delete(t, chain, r, e) : 0;
}

static int drop_notes(struct ipt_table *t, void *arg, struct err *e)
{
	const struct fw_notes *l = arg;
	int r = 0;

	for (size_t i = 0; i < l->n && r >= 0; i++)
		if (of_family(&l->note[i], t))
			r = address_rules(t, drop, l->note[i].address, e);
	return r < 0 ? r : 0;
}

/* The rules first, then the notes. */
static int remove_notes(struct fw_notes *l, struct err *e)
{
	int r = l->n ? ipt_edit_both(TABLE, look_for_notes, drop_notes, l, e) : 0;

	for (size_t i = 0; i < l->n && r >= 0; i++)
		fw_note_drop(NOTES, l->note[i].address);
	return r;
}

int ipt_forward_del(const struct fw_owner *owner, unsigned parts, const struct fw_plan *hint,
		    struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	int r;

	if (!(parts & FW_ACCEPT))
		return 0;
	if ((r = fw_notes_owned(NOTES, owner, &l, e)) < 0 ||
	    (r = fw_notes_unnoted(NOTES, hint, "", &l, e)) < 0)
		return r;
	return remove_notes(&l, e);
}

/* A rule of isolation about an interface that is no more. */
static int is_dead(const struct ipt_rule *r, void *arg)
{
	const char *name = *r->in ? r->in : r->out;

	(void)arg;
	return str_starts(ipt_rule_comment(r), POLICY_COMMENT) && *name &&
	       if_nametoindex(name) == 0 && errno == ENODEV;
}

static int look_for_dead(struct ipt_table *t, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	return ipt_each(t, IPT_STAGE_1, is_dead, NULL) || ipt_each(t, IPT_STAGE_2, is_dead, NULL);
}

static int drop_dead(struct ipt_table *t, void *arg, struct err *e)
{
	int r = ipt_delete_if(t, IPT_STAGE_1, is_dead, NULL, e);

	(void)arg;
	if (r >= 0)
		r = ipt_delete_if(t, IPT_STAGE_2, is_dead, NULL, e);
	return r < 0 ? r : 0;
}

int ipt_forward_gc(const char *network, const struct fw_owner *valid, size_t nvalid, unsigned parts,
		   struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	struct err why = ERR_INIT;
	int r = 0, r2 = 0;

	if (parts & FW_ACCEPT && (r = fw_notes_stale(NOTES, network, valid, nvalid, &l, e)) >= 0)
		r = remove_notes(&l, e);
	if (parts & FW_ISOLATE)
		r2 = ipt_edit_both(TABLE, look_for_dead, drop_dead, NULL, &why);
	if (r >= 0 && r2 < 0 && e)
		*e = why;
	return r < 0 ? r : r2;
}

/* ---- chains that nobody needs any more */

static int is_admin_entry(const struct ipt_rule *r)
{
	return !strcmp(ipt_rule_comment(r), ADMIN_COMMENT);
}

static int any(const struct ipt_rule *r, void *arg)
{
	(void)r;
	(void)arg;
	return 1;
}

/* ipt_each ends at what is not 0: anything but an entry to an operator's chain that is empty. */
static int is_needed(const struct ipt_rule *r, void *arg)
{
	return !is_admin_entry(r) || ipt_each(arg, r->target.name, any, NULL) != 0;
}

static int is_live(const struct ipt_rule *r, void *arg)
{
	return r->target.kind != IPT_VERDICT || *r->in || *r->out ? !is_dead(r, arg) : 0;
}

static bool forward_unused(struct ipt_table *t)
{
	return ipt_has_chain(t, IPT_FORWARD_CHAIN) && !ipt_each(t, IPT_FORWARD_CHAIN, is_needed, t);
}

static bool isolation_unused(struct ipt_table *t)
{
	return ipt_has_chain(t, IPT_STAGE_1) && !ipt_each(t, IPT_STAGE_1, is_live, NULL) &&
	       !ipt_each(t, IPT_STAGE_2, is_live, NULL);
}

static int look_for_unused(struct ipt_table *t, void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	return forward_unused(t) || isolation_unused(t);
}

static int leads_to(const struct ipt_rule *r, void *arg)
{
	return !strcmp(r->target.name, arg);
}

/* A chain of ours with the rules of another one that lead to it. */
static int drop_chain(struct ipt_table *t, const char *from, const char *chain, struct err *e)
{
	int r = ipt_has_chain(t, from) ?
			ipt_delete_if(t, from, leads_to, (void *)(uintptr_t)chain, e) :
			0;

	return r < 0 || !ipt_has_chain(t, chain) ? r : ipt_chain_del(t, chain, e);
}

static int keep_name(const struct ipt_rule *r, void *arg)
{
	return str_copyf(arg, IPT_NAME_MAX, "%s", r->target.name) < 0 ? -EINVAL : 1;
}

static int drop_forward(struct ipt_table *t, struct err *e)
{
	char admin[IPT_NAME_MAX];
	int r = 0;

	while (r >= 0 && ipt_each(t, IPT_FORWARD_CHAIN, keep_name, admin) > 0)
		r = drop_chain(t, IPT_FORWARD_CHAIN, admin, e);
	return r < 0 ? r : drop_chain(t, "FORWARD", IPT_FORWARD_CHAIN, e);
}

static int drop_unused(struct ipt_table *t, void *arg, struct err *e)
{
	int r = forward_unused(t) ? drop_forward(t, e) : 0;

	if (r >= 0 && isolation_unused(t) && (r = drop_chain(t, "FORWARD", IPT_STAGE_1, e)) >= 0 &&
	    ipt_has_chain(t, IPT_STAGE_2))
		r = ipt_chain_del(t, IPT_STAGE_2, e);
	*(bool *)arg = true;
	return r < 0 ? r : 0;
}

int ipt_forward_sweep(struct err *e)
{
	bool removed = false;
	int r = ipt_edit_both(TABLE, look_for_unused, drop_unused, &removed, e);

	return r < 0 ? r : removed;
}

int ipt_forward_each(int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		     void *arg, struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	int r = fw_notes_all(NOTES, &l, e);

	for (size_t i = 0; i < l.n && r == 0; i++) {
		cleanup_free char *text = str_fmt("%s forwarded", l.note[i].address);

		r = fn(fw_owner_names(l.note[i].owner), "accept", text ?: "", arg);
	}
	return r;
}
