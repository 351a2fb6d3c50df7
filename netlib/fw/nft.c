// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nft.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/vec.h"
#include "netlib/fw/holder.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/fw/nftother.h"
#include "netlib/fw/nftstate.h"

static void nft_close(struct fw *fw)
{
	struct nft *nft = (struct nft *)fw;

	if (nft->deleted)
		fw_hold_socket(nft->nl.fd);
	nl_close(&nft->nl);
	free(nft);
}

int nft_commit(struct nft *nft, struct nft_batch *b, const uint32_t *gen, int *lock, struct err *e)
{
	int r = lock && *lock < 0 && b->n ? fw_lock(lock, e) : 0;

	if (r < 0)
		return r;
	r = nft_batch_send(&nft->nl, b, gen, e);
	nft->deleted |= b->deletions && r == 0 && !plan_on();
	return r;
}

/* Who is looked for. */
struct search {
	char owner[FW_OWNER_MAX]; /* one owner; or, for gc: */
	const char *network;
	char (*valid)[FW_OWNER_MAX];
	size_t nvalid;
	unsigned parts;
	struct fw_elems hint; /* what one owner is expected to have */
};

static bool keep_owner(const struct nft_found *f, const void *arg)
{
	const struct search *s = arg;

	return !strcmp(f->owner, s->owner);
}

static bool keep_stale(const struct nft_found *f, const void *arg)
{
	const struct search *s = arg;

	if (!fw_owner_in_network(f->owner, s->network))
		return false;
	for (size_t i = 0; i < s->nvalid; i++)
		if (!strcmp(f->owner, s->valid[i]))
			return false;
	return true;
}

/* Everything in our sets that keep wants. */
static int list_all(struct nft *nft, unsigned parts, nft_keep_fn *keep, const void *arg,
		    struct nft_founds *out, struct err *e)
{
	cleanup_free struct fw_set *sets = NULL;
	size_t n = 0;
	int r = nft_sets_list(&nft->nl, &sets, &n, e);

	for (size_t i = 0; i < n && r >= 0; i++)
		if (fw_shapes[sets[i].kind].part & parts)
			r = nft_elems_list(&nft->nl, &sets[i], keep, arg, out, e);
	return r < 0 ? r : 0;
}

/*
 * 1 when every element of the hint is there and the owner's: then they are what is to be deleted.
 */
static int take_hint(struct nft *nft, const struct search *s, struct nft_founds *out, struct err *e)
{
	const struct fw_elems *hint = &s->hint;
	size_t n = 0;

	for (size_t i = 0; i < hint->n; i++) {
		struct nft_found f;

		if (!(fw_shapes[hint->elem[i].set.kind].part & s->parts))
			continue;
		int r = nft_elem_get(&nft->nl, &hint->elem[i], &f, e);
		if (r <= 0)
			return r;
		if (!keep_owner(&f, s))
			return 0;
		struct nft_found *slot = vec_add(&out->f, &out->n);
		if (!slot)
			return err_set(e, -ENOMEM, "look for firewall elements");
		*slot = f;
		n++;
	}
	return n > 0;
}

static int find(struct nft *nft, const struct search *s, struct nft_founds *out, struct err *e)
{
	int r = take_hint(nft, s, out, e);

	if (r != 0)
		return r;
	out->n = 0;
	return list_all(nft, s->parts, s->network ? keep_stale : keep_owner, s, out, e);
}

#define MORE 2 /* beside NFT_MOVED: something was done, look again */

/* One attempt at a change that rests on what it reads: 0, MORE, NFT_MOVED, or negative. */
typedef int attempt_fn(struct nft *nft, void *arg, int *lock, struct err *e);

/*
 * Attempts until the rule set stood still for one. A kernel without nf_tables has nothing to
 * change.
 */
static int settle(struct nft *nft, attempt_fn *once, void *arg, const char *what, struct err *e)
{
	struct fw_retry t = FW_RETRY_INIT;
	cleanup_fd int lock = -1;
	int r = MORE;

	while (r > 0) {
		struct err why = ERR_INIT;

		r = once(nft, arg, &lock, &why);
		if (r == -EOPNOTSUPP)
			return 0;
		if (r < 0)
			err_keep_first(e, &why);
		if (r == NFT_MOVED)
			r = fw_retry_wait(&t, what, e) ?: MORE;
	}
	return r;
}

/*
 * What is read and what is deleted belong to the same generation. A hash table that the kernel
 * enlarges while it is listed shows elements twice or not at all, without a new generation: what
 * was shown twice fails the batch and is read again, what was not shown is found by listing until
 * nothing is left. The lock is only taken when there is something to delete.
 */
static int remove_once(struct nft *nft, void *arg, int *lock, struct err *e)
{
	const struct search *s = arg;
	cleanup_founds struct nft_founds found = NFT_FOUNDS_INIT;
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	uint32_t gen = 0;
	int r;

	if ((r = nft_generation(&nft->nl, &gen, e)) < 0 || (r = find(nft, s, &found, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	bool listed = r == 0;
	for (size_t i = 0; i < found.n; i++)
		nft_elem_del(&b, &found.f[i].x, i);
	r = nft_commit(nft, &b, &gen, lock, e);
	if (r == -ENOENT)
		return NFT_MOVED;
	return r == 0 && listed && found.n && !plan_on() ? MORE : r;
}

/* ---- what other suites left in nf_tables */

static int remove_others_once(struct nft *nft, void *arg, int *lock, struct err *e)
{
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	uint32_t gen = 0;
	int r;

	if ((r = nft_generation(&nft->nl, &gen, e)) < 0 ||
	    (r = nft_other_find(&nft->nl, arg, &b, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	r = nft_commit(nft, &b, &gen, lock, e);
	return r == -ENOENT ? NFT_MOVED : r;
}

static int remove_others(struct nft *nft, struct nft_other *who, struct err *e)
{
	struct err why = ERR_INIT;
	int r = who->parts & (FW_MASQ | FW_DNAT) ? nft_other_tables(&nft->nl, &why) : 0;

	if (r > 0)
		return settle(nft, remove_others_once, who,
			      "remove what other plugins left in nf_tables", e);
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		err_keep_first(e, &why);
	return r;
}

static int nft_del(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		   const struct fw_plan *hint, struct err *e)
{
	struct search s = { .parts = parts };

	fw_owner_text(s.owner, owner);
	if (hint) /* a hint that cannot be understood is none */
		(void)fw_plan_elements(hint, &s.hint, NULL);
	int r = settle((struct nft *)fw, remove_once, &s,
		       "remove an attachment's firewall elements", e);
	fw_elems_clear(&s.hint);
	int r2 = remove_others((struct nft *)fw,
			       &(struct nft_other){ .owner = owner, .parts = parts },
			       r < 0 ? NULL : e);
	return r < 0 ? r : r2;
}

static bool set_in_use(const struct nft_founds *l, const struct fw_set *set)
{
	for (size_t i = 0; i < l->n; i++)
		if (fw_set_eq(&l->f[i].x.set, set))
			return true;
	return false;
}

/*
 * Sets by prefix or bridge that hold nothing, and their rules: subnets come and go, furniture must
 * not pile up.
 */
static int trim_once(struct nft *nft, void *arg, int *lock, struct err *e)
{
	cleanup_founds struct nft_founds all = NFT_FOUNDS_INIT;
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	cleanup_state struct nft_state state = NFT_STATE_INIT;
	uint32_t gen = 0;
	int r;

	(void)arg;
	if ((r = nft_generation(&nft->nl, &gen, e)) < 0 ||
	    (r = nft_state_read(&nft->nl, &state, e)) < 0 ||
	    (r = list_all(nft, FW_ALL, NULL, NULL, &all, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	for (size_t i = 0; i < state.nset; i++)
		if (fw_kind_comes_and_goes(state.set[i].kind) && !set_in_use(&all, &state.set[i]) &&
		    (r = nft_state_drop_set(&state, &state.set[i], &b, e)) < 0)
			return r;
	return nft_commit(nft, &b, &gen, lock, e);
}

static int nft_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		  unsigned parts, struct err *e)
{
	struct nft *nft = (struct nft *)fw;
	struct search s = { .network = network, .nvalid = nvalid, .parts = parts };
	cleanup_free char(*texts)[FW_OWNER_MAX] = calloc(nvalid ? nvalid : 1, sizeof *texts);

	if (!texts)
		return err_set(e, -ENOMEM, "collect firewall elements of network %s", network);
	for (size_t i = 0; i < nvalid; i++)
		fw_owner_text(texts[i], &valid[i]);
	s.valid = texts;
	int r = settle(nft, remove_once, &s, "collect a network's firewall elements", e);
	if (r == 0)
		r = settle(nft, trim_once, NULL, "remove unused sets of table inet " NFT_TABLE, e);
	struct nft_other others = {
		.network = network, .valid = valid, .nvalid = nvalid, .parts = parts
	};
	int r2 = remove_others(nft, &others, r < 0 ? NULL : e);
	return r < 0 ? r : r2;
}

static int sweep_once(struct nft *nft, void *arg, int *lock, struct err *e)
{
	cleanup_founds struct nft_founds all = NFT_FOUNDS_INIT;
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	cleanup_state struct nft_state state = NFT_STATE_INIT;
	bool foreign = false;
	uint32_t gen = 0;
	int r;

	if ((r = nft_generation(&nft->nl, &gen, e)) < 0 ||
	    (r = nft_state_read(&nft->nl, &state, e)) < 0 ||
	    (r = list_all(nft, FW_ALL, NULL, NULL, &all, e)) < 0 ||
	    (r = nft_state_has_foreign_rules(&state, &foreign, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	if (!state.table || all.n || foreign)
		return 0;
	nft_table_del(&b);
	r = nft_commit(nft, &b, &gen, lock, e);
	*(bool *)arg = r == 0;
	return r;
}

static int nft_sweep(struct fw *fw, struct err *e)
{
	bool removed = false;
	int r = settle((struct nft *)fw, sweep_once, &removed, "remove table inet " NFT_TABLE, e);

	return r < 0 ? r : removed;
}

static int nft_each(struct fw *fw,
		    int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		    void *arg, struct err *e)
{
	cleanup_founds struct nft_founds all = NFT_FOUNDS_INIT;
	char words[FW_ELEM_WORDS_MAX];
	int r = list_all((struct nft *)fw, FW_ALL, NULL, NULL, &all, e);

	for (size_t i = 0; i < all.n && r == 0; i++)
		r = fn(fw_owner_names(all.f[i].owner), fw_elem_what(&all.f[i].x),
		       fw_elem_words(&all.f[i].x, words), arg);
	return r;
}

bool nft_holds_iptables(void)
{
	cleanup_nl struct nl nl = NL_INIT;

	return nl_open(&nl, NETLINK_NETFILTER, -1, "host", NULL) == 0 &&
	       nft_other_has_iptables(&nl, NULL) > 0;
}

static int nft_ready(struct fw *fw, struct err *e)
{
	uint32_t gen;

	return nft_generation(&((struct nft *)fw)->nl, &gen, e);
}

static int nft_intact(struct fw *fw, struct err *e)
{
	bool lost = false;
	int r = nft_rules_lost(&((struct nft *)fw)->nl, &lost, e);

	if (r < 0 || !lost)
		return r;
	return err_say(e, -ENOENT,
		       "nftables: table inet " NFT_TABLE
		       " has lost rules; somebody has flushed it");
}

static const struct fw_ops nft_ops = {
	.name = "nftables",
	.parts = FW_ALL,
	.close = nft_close,
	.ready = nft_ready,
	.add = nft_add,
	.del = nft_del,
	.check = nft_check,
	.gc = nft_gc,
	.sweep = nft_sweep,
	.each = nft_each,
	.intact = nft_intact,
};

int nft_open(struct fw **out, struct err *e)
{
	struct nft *nft = calloc(1, sizeof *nft);
	int r;

	if (!nft)
		return err_set(e, -ENOMEM, "open nftables");
	nft->fw.ops = &nft_ops;
	if ((r = nl_open(&nft->nl, NETLINK_NETFILTER, -1, "host", e)) < 0) {
		free(nft);
		if (r == -EPROTONOSUPPORT)
			return err_say(
				e, -EOPNOTSUPP,
				"this kernel has no nfnetlink; load the module nf_tables or build it in");
		return r;
	}
	*out = &nft->fw;
	return 0;
}
