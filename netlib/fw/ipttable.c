// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/ipttable.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/base/vec.h"
#include "netlib/fw/backend.h"
#include "netlib/fw/iptlib.h"
#include "netlib/fw/iptlock.h"

#define CODE_TRY_AGAIN 11 /* CNI 1.1.0 "Error": try again later */
#define NAMES_MAX 512	  /* of the file of a namespace's tables */
#define OURS "CNI-"	  /* how all our chains begin, as those of the reference do */
/* the table is ours by the lock; only who ignores that moves it */
#define ATTEMPTS 20

static const char *program(uint8_t family)
{
	return family == AF_INET ? "iptables" : "ip6tables";
}

bool ipt_table_exists(uint8_t family, const char *name)
{
	const char *path = family == AF_INET ? "/proc/thread-self/net/ip_tables_names" :
					       "/proc/thread-self/net/ip6_tables_names";
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char names[NAMES_MAX + 1];
	ssize_t n = fd < 0 ? -1 : read(fd, names, NAMES_MAX);
	size_t len = strlen(name);

	if (n <= 0)
		return false;
	names[n] = 0;
	for (const char *s = names; *s; s += strcspn(s, "\n") + (s[strcspn(s, "\n")] != 0))
		if (!strncmp(s, name, len) && s[len] == '\n')
			return true;
	return false;
}

/* ---- opening and writing */

static int refused(const struct ipt_table *t, const char *act, int no, struct err *e)
{
	const char *p = program(t->family);

	switch (no) {
	case ENOPROTOOPT:
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
		return err_say(e, -EOPNOTSUPP,
			       "%s: this kernel has no legacy %s; load the module ip%s_tables or "
			       "use the nftables backend",
			       p, p, t->family == AF_INET ? "" : "6");
	case EPERM:
		return err_say(e, -EPERM,
			       "%s: %s table %s: not permitted; run as root with "
			       "CAP_NET_ADMIN and CAP_NET_RAW",
			       p, act, t->name);
	case ENOENT:
		return err_say(
			e, -EOPNOTSUPP,
			"%s: %s table %s: the kernel lacks the table (module ip%stable_%s) or "
			"a match or target used in it (modules xt_*)",
			p, act, t->name, t->family == AF_INET ? "" : "6", t->name);
	default:
		return err_set(e, -(no ?: EIO), "%s: %s table %s", p, act, t->name);
	}
}

static int open_table(struct ipt_table *t, struct err *e)
{
	int r = ipt_lib_load(&t->lib, t->family, e);

	if (r < 0)
		return r;
	errno = 0;
	t->h = t->lib->init(t->name);
	return t->h ? 0 : refused(t, "read", errno, e);
}

static void close_table(struct ipt_table *t)
{
	if (t->h)
		t->lib->free(t->h);
}
#define cleanup_table __attribute__((cleanup(close_table)))

/* One attempt; 1 in *moved when somebody wrote the table since it was read. */
static int edit_once(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, bool *moved,
		     struct err *e)
{
	cleanup_table struct ipt_table t = { .family = family, .name = name };
	int r = open_table(&t, e);

	*moved = false;
	if (r < 0 || (r = fn(&t, arg, e)) != 0 || !t.changed || plan_on())
		return r;
	errno = 0;
	if (t.lib->commit(t.h))
		return 0;
	*moved = errno == EAGAIN;
	return *moved ? -EAGAIN : refused(&t, "write", errno, e);
}

/*
 * Opening a table that is not there makes it, which a dry run must not do to the host: its edit is
 * of the empty table of a namespace that ends with the edit.
 */
static int edit_nowhere(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, bool *moved,
			struct err *e)
{
	cleanup_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (here < 0 || unshare(CLONE_NEWNET) < 0)
		return err_set(e, -errno, "plan for table %s, which is not there", name);
	int r = edit_once(family, name, fn, arg, moved, e);
	if (setns(here, CLONE_NEWNET) < 0)
		abort(); /* the rest of the plan would be about another machine */
	return r;
}

int ipt_edit(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e)
{
	bool nowhere = plan_on() && !ipt_table_exists(family, name);
	cleanup_fd int lock = plan_on() ? -1 : ipt_lock(e);
	struct fw_retry pause = FW_RETRY_INIT;
	bool moved = plan_on() || lock >= 0;
	int r = lock;

	for (unsigned i = 0; moved && i < ATTEMPTS; i++) {
		if (i && (r = fw_retry_wait(&pause, "edit a legacy table", e)) < 0)
			return r;
		r = (nowhere ? edit_nowhere : edit_once)(family, name, fn, arg, &moved, e);
	}
	return moved && r < 0 ?
		       err_code(e, -EAGAIN, CODE_TRY_AGAIN,
				"%s: table %s was written by somebody who does not take the lock "
				"during each of %d attempts; try again later",
				program(family), name, ATTEMPTS) :
		       r;
}

int ipt_read(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e)
{
	cleanup_table struct ipt_table t = { .family = family, .name = name };
	int r = open_table(&t, e);

	return r < 0 ? r : fn(&t, arg, e);
}

int ipt_look(uint8_t family, const char *name, ipt_edit_fn *fn, void *arg, struct err *e)
{
	struct err one = ERR_INIT;

	if (!ipt_table_exists(family, name) || !ipt_lib_has_rules(family, name))
		return 0;
	int r = ipt_read(family, name, fn, arg, &one);
	/* rules of others, of a host without the library, are no reason to fail */
	if (r == -EOPNOTSUPP && !ipt_lib_mentions(family, name, OURS))
		return 0;
	if (r < 0)
		err_keep_first(e, &one);
	return r;
}

int ipt_edit_both(const char *name, ipt_edit_fn *look, ipt_edit_fn *edit, void *arg, struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int first = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct err one = ERR_INIT;
		int r = ipt_look(families[i], name, look, arg, &one);

		if (r > 0)
			r = ipt_edit(families[i], name, edit, arg, &one);
		if (r < 0)
			err_keep_first(e, &one);
		if (r < 0 && !first)
			first = r;
	}
	return first;
}

/* ---- chains */

/* In the words of iptables, for who asked what is done. */
static void changed(struct ipt_table *t, const char *option, const char *chain,
		    const struct ipt_rule *r)
{
	cleanup_str struct str s = STR_INIT;

	t->changed = true;
	if (!plan_on() && !trace_on())
		return;
	if (r)
		ipt_rule_text(&s, NULL, r);
	const char *words = s.p ? s.p : "";
	if (plan_on())
		plan_note("iptables", "host", "%s -t %s %s %s%s", program(t->family), t->name,
			  option, chain, words);
	trace_event("iptables", chain, -1, "%s -t %s %s %s%s", program(t->family), t->name, option,
		    chain, words);
}

static int failed(const struct ipt_table *t, const char *act, const char *chain, struct err *e)
{
	return err_set(e, -(errno ?: EIO), "%s: %s chain %s of table %s", program(t->family), act,
		       chain, t->name);
}

bool ipt_has_chain(const struct ipt_table *t, const char *chain)
{
	return t->lib->is_chain(chain, t->h);
}

/* libiptc takes an array of 32 for a name. */
struct label {
	char name[32];
};
static struct label label_of(const char *chain)
{
	struct label l = { "" };

	(void)str_copyf(l.name, sizeof l.name, "%s", chain);
	return l;
}

int ipt_chain_add(struct ipt_table *t, const char *chain, struct err *e)
{
	if (ipt_has_chain(t, chain))
		return 1;
	if (!t->lib->create_chain(label_of(chain).name, t->h))
		return failed(t, "create", chain, e);
	changed(t, "-N", chain, NULL);
	return 0;
}

int ipt_chain_flush(struct ipt_table *t, const char *chain, struct err *e)
{
	if (!ipt_has_chain(t, chain) || !t->lib->first_rule(chain, t->h))
		return 1;
	if (!t->lib->flush_entries(label_of(chain).name, t->h))
		return failed(t, "empty", chain, e);
	changed(t, "-F", chain, NULL);
	return 0;
}

int ipt_chain_del(struct ipt_table *t, const char *chain, struct err *e)
{
	int r = ipt_chain_flush(t, chain, e);

	if (r < 0 || !ipt_has_chain(t, chain))
		return r;
	if (ipt_is_used(t, chain))
		return err_say(e, -EBUSY,
			       "%s: chain %s of table %s cannot be removed: rules lead to it",
			       program(t->family), chain, t->name);
	if (!t->lib->delete_chain(label_of(chain).name, t->h))
		return failed(t, "remove", chain, e);
	changed(t, "-X", chain, NULL);
	return 0;
}

bool ipt_is_used(const struct ipt_table *t, const char *chain)
{
	unsigned n = 0;

	return t->lib->get_references(&n, label_of(chain).name, t->h) && n;
}

int ipt_each_chain(const struct ipt_table *t, int (*fn)(const char *chain, void *arg), void *arg)
{
	int r = 0;

	for (const char *c = t->lib->first_chain(t->h); c && r == 0; c = t->lib->next_chain(t->h))
		r = fn(c, arg);
	return r;
}

/* ---- rules */

static void decode(const struct ipt_table *t, const void *entry, struct ipt_rule *r)
{
	const char *target = t->lib->get_target(entry, t->h) ?: "";

	ipt_rule_decode(r, t->family, entry, target, *target && ipt_has_chain(t, target));
}

/*
 * The entries of a chain; malloc'd. The library has one place for "where was I" only, so that a
 * walk within a walk, or a deletion, would lose it.
 */
void ipt_entries_clear(struct ipt_entries *l)
{
	free(l->v);
	*l = (struct ipt_entries){ 0 };
}

int ipt_entries_of(const struct ipt_table *t, const char *chain, struct ipt_entries *out)
{
	if (!ipt_has_chain(t, chain))
		return 0;
	for (const void *x = t->lib->first_rule(chain, t->h); x; x = t->lib->next_rule(x, t->h)) {
		const void **slot = vec_add(&out->v, &out->n);

		if (!slot)
			return -ENOMEM;
		*slot = x;
	}
	return 0;
}

bool ipt_entry_is(const struct ipt_table *t, const void *entry, const struct ipt_rule *r)
{
	struct ipt_rule x;

	/* most differ in this already */
	if (strcmp(t->lib->get_target(entry, t->h) ?: "", r->target.name) != 0)
		return false;
	decode(t, entry, &x);
	return ipt_rule_eq(&x, r);
}

int ipt_each(const struct ipt_table *t, const char *chain, ipt_rule_fn *fn, void *arg)
{
	cleanup_ipt_entries struct ipt_entries l = { 0 };
	struct ipt_rule r;
	int rc = ipt_entries_of(t, chain, &l);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		decode(t, l.v[i], &r);
		rc = fn(&r, arg);
	}
	return rc;
}

int ipt_insert(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
	       struct err *e)
{
	_Alignas(8) uint8_t entry[IPT_ENTRY_MAX];
	struct label l = label_of(chain);

	(void)ipt_rule_encode(r, entry);
	if (!(at == IPT_LAST ? t->lib->append_entry(l.name, entry, t->h) :
			       t->lib->insert_entry(l.name, entry, at, t->h)))
		return failed(t, "add a rule to", chain, e);
	changed(t, at == IPT_LAST ? "-A" : "-I", chain, r);
	return 0;
}

int ipt_find(const struct ipt_table *t, const char *chain, const struct ipt_rule *r)
{
	cleanup_ipt_entries struct ipt_entries l = { 0 };
	int rc = ipt_entries_of(t, chain, &l);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (ipt_entry_is(t, l.v[i], r))
			return (int)i;
	return rc < 0 ? rc : -ENOENT;
}

int ipt_ensure(struct ipt_table *t, const char *chain, const struct ipt_rule *r, uint32_t at,
	       struct err *e)
{
	return ipt_find(t, chain, r) >= 0 ? 1 : ipt_insert(t, chain, r, at, e);
}

static int delete_at(struct ipt_table *t, const char *chain, unsigned at, const struct ipt_rule *r,
		     struct err *e)
{
	if (!t->lib->delete_num_entry(label_of(chain).name, at, t->h))
		return failed(t, "delete a rule of", chain, e);
	changed(t, "-D", chain, r);
	return 0;
}

int ipt_delete(struct ipt_table *t, const char *chain, const struct ipt_rule *r, struct err *e)
{
	int at = ipt_find(t, chain, r);

	return at < 0 ? 1 : delete_at(t, chain, (unsigned)at, r, e);
}

int ipt_delete_if(struct ipt_table *t, const char *chain, ipt_rule_fn *fn, void *arg, struct err *e)
{
	cleanup_ipt_entries struct ipt_entries l = { 0 };
	struct ipt_rule r;
	unsigned at = 0;
	int rc = ipt_entries_of(t, chain, &l);

	for (size_t i = 0; i < l.n && rc >= 0; i++) {
		decode(t, l.v[i], &r);
		if ((rc = fn(&r, arg)) == 0)
			at++;
		else if (rc > 0)
			rc = delete_at(t, chain, at, &r, e);
	}
	return rc < 0 ? rc : (int)(l.n - at);
}
