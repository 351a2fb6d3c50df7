// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/spoof.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/backend.h"
#include "netlib/fw/holder.h"
#include "netlib/fw/spoofmsg.h"
#include "netlib/fw/spoofref.h"
#include "netlib/nl/nl.h"

#define MORE 2 /* beside NFT_MOVED: something was done, or learned: look again */

struct work {
	struct nl nl;
	int lock;
};

/* One attempt at a change that rests on what it reads: 0, MORE, NFT_MOVED, or negative. */
typedef int attempt_fn(struct work *w, void *arg, struct err *e);

static int open_work(struct work *w, struct err *e)
{
	*w = (struct work){ .nl = NL_INIT, .lock = -1 };
	int r = nl_open(&w->nl, NETLINK_NETFILTER, -1, "host", e);
	return r == -EPROTONOSUPPORT ? err_say(e, -EOPNOTSUPP, "this kernel has no nfnetlink") : r;
}

/*
 * Closing waits for the kernel's work on any deletion, and there mostly was one just before: of
 * this port, of its masquerade, or by the plugin of the chain that ran before us.
 */
static void close_work(struct work *w)
{
	if (w->nl.fd >= 0)
		fw_hold_socket(w->nl.fd);
	nl_close(&w->nl);
	cleanup_fd_p(&w->lock);
}
#define cleanup_work __attribute__((cleanup(close_work)))

static int commit(struct work *w, struct nft_batch *b, const uint32_t *gen, struct err *e)
{
	int r = w->lock < 0 && b->n ? fw_lock(&w->lock, e) : 0;

	if (r < 0)
		return r;
	return nft_batch_send(&w->nl, b, gen, e);
}

static int settle(attempt_fn *once, void *arg, const char *what, struct err *e)
{
	struct fw_retry t = FW_RETRY_INIT;
	cleanup_work struct work w;
	int r = open_work(&w, e);

	if (r < 0)
		return r;
	for (r = MORE; r > 0;) {
		struct err why = ERR_INIT;

		r = once(&w, arg, &why);
		if (r < 0)
			err_keep_first(e, &why);
		if (r == NFT_MOVED)
			r = fw_retry_wait(&t, what, e) ?: MORE;
	}
	return r;
}

/* ---- adding */

struct adding {
	struct spoof_elem port, sender;
	bool replace; /* somebody left an element of this port */
};

static bool keep_port(const struct spoof_elem *x, const void *arg)
{
	return !strcmp(x->port, arg);
}

static int elems_of(const struct fw_spoof *s, struct adding *a, struct err *e)
{
	*a = (struct adding){ 0 };
	if (!s->mac.set || str_copyf(a->port.port, sizeof a->port.port, "%s", s->port) < 0)
		return err_say(e, -EINVAL, "guard port %.40s: expected a name and an address",
			       s->port);
	fw_owner_text(a->port.owner, &s->owner);
	a->sender = a->port;
	a->sender.mac = s->mac;
	return 0;
}

static int check_state(const struct spoof_state *s, struct err *e)
{
	if (s->dormant)
		return err_say(e, -EBADMSG,
			       "table bridge " NFT_TABLE
			       " is dormant: nothing in it is in force; wake it with "
			       "nft add table bridge " NFT_TABLE);
	return 0;
}

static int add_once(struct work *w, void *arg, struct err *e)
{
	cleanup_spoof_elems struct spoof_elems stale = SPOOF_ELEMS_INIT;
	cleanup_batch struct nft_batch b;
	struct adding *a = arg;
	struct spoof_state s;
	uint32_t gen = 0;
	int r;

	spoof_batch_init(&b);
	if ((r = nft_generation(&w->nl, &gen, e)) < 0 ||
	    (r = spoof_state_read(&w->nl, &s, e)) < 0 || (r = check_state(&s, e)) < 0 ||
	    (a->replace && (r = spoof_list(&w->nl, keep_port, a->port.port, &stale, e)) < 0))
		return r == -EAGAIN ? NFT_MOVED : r;
	if (!s.rule || !s.chain)
		spoof_put_furniture(&b, !s.rule);
	for (size_t i = 0; i < stale.n; i++)
		spoof_del_elem(&b, &stale.v[i]);
	spoof_put_elem(&b, &a->port);
	spoof_put_elem(&b, &a->sender);
	r = commit(w, &b, &gen, e);
	if (r != -EEXIST || a->replace)
		return r;
	a->replace = true;
	return MORE;
}

int fw_spoof_add(const struct fw_spoof *s, struct err *e)
{
	struct adding a;
	int r = elems_of(s, &a, e);

	return r < 0 ? r : settle(add_once, &a, "guard a bridge port's MAC address", e);
}

/* ---- removing */

struct search {
	char owner[FW_OWNER_MAX]; /* one owner; or, for GC: */
	const char *network;
	char (*valid)[FW_OWNER_MAX];
	size_t nvalid;
	/* where one owner's elements may be */
	const char (*ports)[IFNAME_MAX];
	size_t nports;
	const struct mac *mac;
};

static bool keep_owner(const struct spoof_elem *x, const void *arg)
{
	return !strcmp(x->owner, ((const struct search *)arg)->owner);
}

static bool keep_stale(const struct spoof_elem *x, const void *arg)
{
	const struct search *s = arg;

	if (!fw_owner_in_network(x->owner, s->network))
		return false;
	for (size_t i = 0; i < s->nvalid; i++)
		if (!strcmp(x->owner, s->valid[i]))
			return false;
	return true;
}

static int keep(struct spoof_elems *l, const struct spoof_elem *x, struct err *e)
{
	struct spoof_elem *slot = vec_add(&l->v, &l->n);

	if (!slot)
		return err_set(e, -ENOMEM, "look for guarded ports");
	*slot = *x;
	return 0;
}

/* 1: port and address were looked up; 0: the owner has none; MORE: list. */
static int look_up(struct work *w, const struct search *s, struct spoof_elems *found, struct err *e)
{
	struct spoof_elem x = { 0 };
	int r = 0;

	for (size_t i = 0; i < s->nports && r == 0; i++) {
		memcpy(x.port, s->ports[i], sizeof x.port);
		r = spoof_get(&w->nl, &x, e);
		if (r > 0 && !keep_owner(&x, s))
			r = 0;
	}
	if (r <= 0)
		return r;
	if (!s->mac || !s->mac->set)
		return MORE;
	if ((r = keep(found, &x, e)) < 0)
		return r;
	x.mac = *s->mac;
	if ((r = spoof_get(&w->nl, &x, e)) < 0)
		return r;
	return r && keep_owner(&x, s) ? keep(found, &x, e) ?: 1 : MORE;
}

static int remove_once(struct work *w, void *arg, struct err *e)
{
	cleanup_spoof_elems struct spoof_elems found = SPOOF_ELEMS_INIT;
	cleanup_batch struct nft_batch b;
	const struct search *s = arg;
	uint32_t gen = 0;
	int r, how = MORE;

	spoof_batch_init(&b);
	if ((r = nft_generation(&w->nl, &gen, e)) < 0 ||
	    (!s->network && (how = r = look_up(w, s, &found, e)) < 0))
		return r == -EAGAIN ? NFT_MOVED : r;
	if (how == MORE) {
		found.n = 0;
		if ((r = spoof_list(&w->nl, s->network ? keep_stale : keep_owner, s, &found, e)) <
		    0)
			return r == -EAGAIN ? NFT_MOVED : r;
	}
	for (size_t i = 0; i < found.n; i++)
		spoof_del_elem(&b, &found.v[i]);
	r = commit(w, &b, &gen, e);
	if (r == -ENOENT)
		return NFT_MOVED;
	/* a table that grows while it is listed does not show everything */
	return r == 0 && how == MORE && found.n && !plan_on() ? MORE : r;
}

static int reference_once(struct work *w, void *arg, struct err *e)
{
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	uint32_t gen = 0;
	int r;

	if ((r = nft_generation(&w->nl, &gen, e)) < 0 ||
	    (r = spoofref_find(&w->nl, arg, &b, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	r = commit(w, &b, &gen, e);
	return r == -ENOENT ? NFT_MOVED : r;
}

/* A kernel without nf_tables holds nothing. */
static int but_nothing(int r)
{
	return r == -EOPNOTSUPP ? 0 : r;
}

int fw_spoof_del(const struct fw_owner *owner, const char (*ports)[IFNAME_MAX], size_t nports,
		 const struct mac *mac, struct err *e)
{
	struct search s = { .ports = ports, .nports = nports, .mac = mac };
	struct fw_owner who = *owner;
	struct err one = ERR_INIT;
	int r;

	fw_owner_text(s.owner, owner);
	r = but_nothing(settle(remove_once, &s, "let go of a bridge port's MAC address", &one));
	if (r < 0) {
		err_keep_first(e, &one);
		return r;
	}
	one = (struct err)ERR_INIT;
	r = but_nothing(settle(reference_once, &who,
			       "remove the reference's rules of a bridge port", &one));
	if (r < 0)
		err_keep_first(e, &one);
	return r;
}

int fw_spoof_gc(const char *network, const struct fw_owner *valid, size_t nvalid, struct err *e)
{
	cleanup_free char(*texts)[FW_OWNER_MAX] = calloc(nvalid ? nvalid : 1, sizeof *texts);
	struct search s = { .network = network, .valid = texts, .nvalid = nvalid };
	struct err one = ERR_INIT;

	if (!texts)
		return err_set(e, -ENOMEM, "collect guarded ports of network %s", network);
	for (size_t i = 0; i < nvalid; i++)
		fw_owner_text(texts[i], &valid[i]);
	int r = but_nothing(settle(remove_once, &s, "collect a network's guarded ports", &one));
	if (r < 0)
		err_keep_first(e, &one);
	return r;
}

static int sweep_once(struct work *w, void *arg, struct err *e)
{
	cleanup_spoof_elems struct spoof_elems all = SPOOF_ELEMS_INIT;
	cleanup_batch struct nft_batch b;
	struct spoof_state s;
	uint32_t gen = 0;
	int r;

	spoof_batch_init(&b);
	if ((r = nft_generation(&w->nl, &gen, e)) < 0 ||
	    (r = spoof_state_read(&w->nl, &s, e)) < 0 ||
	    (r = spoof_list(&w->nl, NULL, NULL, &all, e)) < 0)
		return r == -EAGAIN ? NFT_MOVED : r;
	if (!s.table || s.foreign || all.n)
		return 0;
	spoof_del_table(&b);
	r = commit(w, &b, &gen, e);
	*(bool *)arg = r == 0;
	return r;
}

int fw_spoof_sweep(struct err *e)
{
	struct err one = ERR_INIT;
	bool removed = false;
	int r = but_nothing(settle(sweep_once, &removed, "remove table bridge " NFT_TABLE, &one));

	if (r < 0)
		err_keep_first(e, &one);
	return r < 0 ? r : removed;
}

/* ---- looking */

static int check_elem(struct work *w, const struct spoof_elem *want, struct err *e)
{
	char mac[MAC_TEXT_MAX], who[FW_OWNER_WORDS_MAX];
	struct spoof_elem x = *want;
	const char *address = want->mac.set ? mac_text(&want->mac, mac) : "any address";
	int r = spoof_get(&w->nl, &x, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_say(e, -ENOENT,
			       "nftables: port %s with %s is missing in table bridge " NFT_TABLE,
			       want->port, address);
	if (strcmp(x.owner, want->owner) != 0)
		return err_say(e, -EBADMSG,
			       "nftables: port %s with %s in table bridge " NFT_TABLE
			       " belongs to %s",
			       want->port, address, fw_owner_words(x.owner, who));
	return 0;
}

int fw_spoof_check(const struct fw_spoof *s, struct err *e)
{
	cleanup_work struct work w;
	struct spoof_state state;
	struct adding a;
	int r = open_work(&w, e);

	if (r < 0 || (r = elems_of(s, &a, e)) < 0 || (r = spoof_state_read(&w.nl, &state, e)) < 0 ||
	    (r = check_state(&state, e)) < 0)
		return r;
	if (!state.chain || !state.rule)
		return err_say(
			e, -ENOENT,
			"nftables: %s of table bridge " NFT_TABLE
			" is missing; attach a container anew or restart it to bring it back",
			state.chain ? "the rule of chain prerouting" : "chain prerouting");
	if ((r = check_elem(&w, &a.port, e)) < 0)
		return r;
	return check_elem(&w, &a.sender, e);
}

int fw_spoof_ready(struct err *e)
{
	cleanup_work struct work w;
	uint32_t gen;
	int r = open_work(&w, e);

	return r < 0 ? r : nft_generation(&w.nl, &gen, e);
}
