// SPDX-License-Identifier: GPL-2.0-or-later
/* Adding a plan to the kernel and comparing the kernel with a plan. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/fw/nft.h"
#include "netlib/fw/nftmsg.h"
#include "netlib/fw/nftstate.h"

/* beside NFT_MOVED: this attempt taught us something, the next one may follow at once */
#define AGAIN 2
#define TEACHINGS_MAX 32

/*
 * What to do with an element: the kernel had one of its key when we tried, so look before the next
 * attempt.
 */
enum todo { TODO_ADD, TODO_LOOK, TODO_REPLACE, TODO_NOTHING };

struct job {
	struct nft *nft;
	struct fw_elems l;
	enum todo *todo; /* for each element */
	char owner[FW_OWNER_MAX];
	bool ports;	/* host ports are asked for: they may be taken */
	bool look;	/* some todo is not TODO_ADD */
	bool furniture; /* something of the table is missing */
	int lock;
};

static void job_clear(struct job *j)
{
	fw_elems_clear(&j->l);
	free(j->todo);
	cleanup_fd_p(&j->lock);
}
#define cleanup_job __attribute__((cleanup(job_clear)))

static int job_init(struct job *j, struct nft *nft, const struct fw_plan *p, struct err *e)
{
	int r = fw_plan_elements(p, &j->l, e);

	if (r < 0)
		return r;
	j->nft = nft;
	fw_owner_text(j->owner, &p->owner);
	j->ports = p->ndnat > 0;
	if (!(j->todo = calloc(j->l.n + 1, sizeof *j->todo)))
		return err_set(e, -ENOMEM, "add firewall elements");
	return 0;
}

static int taken(const struct fw_elem *x, const struct nft_found *f, struct err *e)
{
	char mine[FW_KEY_WORDS_MAX], theirs[FW_KEY_WORDS_MAX], who[FW_OWNER_WORDS_MAX];

	(void)fw_elem_key_words(x, mine);
	(void)fw_elem_key_words(&f->x, theirs);
	(void)fw_owner_words(f->owner, who);
	if (!strcmp(mine, theirs))
		(void)err_say(e, -EADDRINUSE, "host port %s is taken by %s", mine, who);
	else
		(void)err_say(e, -EADDRINUSE, "host port %s is taken by %s, which has %s", mine,
			      who, theirs);
	err_details(e, "choose another port or remove that container; if it is gone without a DEL, "
		       "its runtime's GC (naru gc) frees the port");
	return -EADDRINUSE;
}

static const struct fw_elem *rival(const struct job *j, const struct nft_found *f)
{
	if (!strcmp(f->owner, j->owner))
		return NULL;
	for (size_t i = 0; i < j->l.n; i++)
		if (fw_elem_overlaps(&j->l.elem[i], &f->x))
			return &j->l.elem[i];
	return NULL;
}

static bool keep_rival(const struct nft_found *f, const void *arg)
{
	return rival(arg, f) != NULL;
}

/*
 * Two mappings may meet without having the same key: any address and a certain one, a port and a
 * range. The maps of addresses and ranges are listed, being small; the one of ports, which is not,
 * only for a new range.
 */
static bool must_list(const struct job *j, const struct fw_set *set)
{
	if (!fw_shapes[set->kind].to)
		return false;
	for (size_t i = 0; i < j->l.n; i++) {
		const struct fw_elem *x = &j->l.elem[i];

		if (x->set.family != set->family || !fw_shapes[x->set.kind].to)
			continue;
		if (set->kind == FW_KIND_RANGE || x->set.kind == FW_KIND_RANGE ||
		    (set->kind == FW_KIND_DNAT_IP && x->set.kind == FW_KIND_DNAT))
			return true;
	}
	return false;
}

static int refuse_listed(const struct job *j, const struct fw_set *set, struct err *e)
{
	cleanup_founds struct nft_founds rivals = NFT_FOUNDS_INIT;
	int r = nft_elems_list(&j->nft->nl, set, keep_rival, j, &rivals, e);

	if (r == 0 && rivals.n)
		return taken(rival(j, &rivals.f[0]), &rivals.f[0], e);
	return r;
}

/* 0, NFT_NO_SET when furniture is missing, or negative. */
static int refuse_taken(const struct job *j, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < FW_BASE_SETS && r == 0; i++)
		if (must_list(j, &fw_base_sets[i]))
			r = refuse_listed(j, &fw_base_sets[i], e);
	for (size_t i = 0; i < j->l.n && r == 0; i++) {
		struct fw_elem any = j->l.elem[i];
		struct nft_found f;

		if (any.set.kind != FW_KIND_DNAT_IP)
			continue;
		any.set.kind = FW_KIND_DNAT;
		r = nft_elem_get(&j->nft->nl, &any, &f, e);
		if (r == 1)
			r = rival(j, &f) ? taken(rival(j, &f), &f, e) : 0;
	}
	return r;
}

static bool same_key(const struct fw_elem *a, const struct fw_elem *b)
{
	return a->port == b->port && a->last == b->last && ip_eq(&a->ip, &b->ip);
}

static int own_overlap(const struct fw_elem *x, struct err *e)
{
	char key[FW_KEY_WORDS_MAX];

	return err_say(
		e, -EADDRINUSE,
		"host ports %s overlap another range that this attachment already has; remove that first",
		fw_elem_key_words(x, key));
}

/* The kernel had an element of this key: whose is it, and what does it say? */
static int look(struct job *j, size_t i, struct err *e)
{
	const struct fw_elem *x = &j->l.elem[i];
	struct nft_found f;
	int r = nft_elem_get(&j->nft->nl, x, &f, e);

	if (r < 0)
		return r;
	if (r == 0) {
		j->todo[i] = TODO_ADD;
		return 0;
	}
	if (strcmp(f.owner, j->owner) != 0 && fw_shapes[x->set.kind].to)
		return taken(x, &f, e);
	if (!same_key(x, &f.x))
		return own_overlap(x, e);
	j->todo[i] =
		strcmp(f.owner, j->owner) == 0 && fw_elem_eq(x, &f.x) ? TODO_NOTHING : TODO_REPLACE;
	return 0;
}

/* Everything the next batch rests on, read in one generation. */
static int prepare(struct job *j, struct nft_batch *b, struct err *e)
{
	cleanup_state struct nft_state state = NFT_STATE_INIT;
	int r = 0;

	if ((j->furniture || j->look) && j->lock < 0 && (r = fw_lock(&j->lock, e)) < 0)
		return r;
	if (j->ports && !j->furniture && (r = refuse_taken(j, e)) != 0) {
		j->furniture = r == NFT_NO_SET;
		return j->furniture ? AGAIN : r;
	}
	if (j->furniture) {
		if ((r = nft_state_read(&j->nft->nl, &state, e)) < 0 ||
		    (state.table && j->ports && (r = refuse_taken(j, e)) < 0) ||
		    (r = nft_state_complete(&state, &j->l, b, e)) < 0)
			return r;
	}
	for (size_t i = 0; i < j->l.n && r >= 0; i++)
		if (j->todo[i] != TODO_ADD)
			r = look(j, i, e);
	return r < 0 ? r : 0;
}

/* What the kernel refused tells what to do better. */
static int learn(struct job *j, const struct nft_batch *b, int r, struct err *e)
{
	bool learned = false;

	for (size_t i = 0; i < b->n; i++) {
		const struct nft_note *n = &b->note[i];

		if (n->err == -ENOENT) {
			learned |= !j->furniture || n->tag == NFT_NO_TAG || n->act[0] == 'd';
			j->furniture = true;
		} else if (n->err == -EEXIST && n->tag == NFT_NO_TAG) {
			learned = true; /* somebody else put the furniture there */
		} else if (n->err == -EEXIST) {
			j->todo[n->tag] = TODO_LOOK;
			learned = j->look = true;
		} else if (n->err == -ENOTEMPTY && n->tag != NFT_NO_TAG) {
			return own_overlap(&j->l.elem[n->tag], e);
		} else if (n->err) {
			return r;
		}
	}
	return learned ? AGAIN : r;
}

/* One attempt: 0, AGAIN, NFT_MOVED, or negative. */
static int add_once(struct job *j, struct err *e)
{
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	bool careful = j->ports || j->furniture || j->look;
	uint32_t gen = 0;
	int r;

	if (careful && (r = nft_generation(&j->nft->nl, &gen, e)) < 0)
		return r;
	if (careful && (r = prepare(j, &b, e)) != 0)
		return r == -EAGAIN && j->lock >= 0 ? NFT_MOVED : r;
	for (size_t i = 0; i < j->l.n; i++) {
		if (j->todo[i] == TODO_REPLACE)
			nft_elem_del(&b, &j->l.elem[i], i);
		if (j->todo[i] != TODO_NOTHING)
			nft_elem_add(&b, &j->l.elem[i], j->owner, i);
	}
	r = nft_commit(j->nft, &b, careful ? &gen : NULL, NULL, e);
	return r < 0 ? learn(j, &b, r, e) : r;
}

int nft_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	cleanup_job struct job j = { .lock = -1 };
	struct fw_retry t = FW_RETRY_INIT;
	unsigned teachings = 0;
	int r = job_init(&j, (struct nft *)fw, p, e);

	/*
	 * a flush by somebody else leaves sets and chains, so that no refusal would tell; who may
	 * not look will hear it from the change
	 */
	if (r == 0 && j.l.n)
		(void)nft_rules_lost(&j.nft->nl, &j.furniture, NULL);

	while (r == 0 && j.l.n) {
		struct err why = ERR_INIT;

		r = add_once(&j, &why);
		if (r == AGAIN && ++teachings < TEACHINGS_MAX) {
			r = 0;
			continue;
		}
		if (r < 0)
			err_keep_first(e, &why);
		if (r <= 0)
			return r;
		r = fw_retry_wait(&t, "add an attachment's firewall elements", e);
	}
	return r;
}

static int check_furniture(struct job *j, struct err *e)
{
	cleanup_state struct nft_state state = NFT_STATE_INIT;
	cleanup_batch struct nft_batch b = NFT_BATCH_INIT;
	int r;

	if ((r = nft_state_read(&j->nft->nl, &state, e)) < 0 ||
	    (r = nft_state_complete(&state, &j->l, &b, e)) < 0)
		return r;
	if (b.bad)
		return err_set(e, b.bad, "compare the rules of table inet " NFT_TABLE);
	for (size_t i = 0; i < b.n; i++)
		if (b.note[i].act[0] == 'a')
			return err_say(
				e, -ENOENT,
				"nftables: %s %s is missing%s; attach a container anew or restart it to bring it back",
				b.note[i].noun, b.note[i].name,
				state.table ? " in table inet " NFT_TABLE : "");
	return 0;
}

static int check_elem(struct job *j, const struct fw_elem *x, struct err *e)
{
	char want[FW_ELEM_WORDS_MAX], have[FW_ELEM_WORDS_MAX], name[FW_NAME_MAX],
		who[FW_OWNER_WORDS_MAX];
	struct nft_found f;
	int r = nft_elem_get(&j->nft->nl, x, &f, e);

	if (r < 0)
		return r;
	fw_set_name(&x->set, name);
	(void)fw_elem_words(x, want);
	if (r == 0)
		return err_say(e, -ENOENT,
			       "nftables: %s (%s) is missing in %s of table inet " NFT_TABLE, want,
			       fw_elem_what(x), name);
	if (strcmp(f.owner, j->owner) != 0)
		return err_say(e, -EBADMSG,
			       "nftables: %s (%s) in %s of table inet " NFT_TABLE " belongs to %s",
			       want, fw_elem_what(x), name, fw_owner_words(f.owner, who));
	if (!fw_elem_eq(x, &f.x))
		return err_say(e, -EBADMSG,
			       "nftables: %s of table inet " NFT_TABLE ": expected %s, got %s",
			       name, want, fw_elem_words(&f.x, have));
	return 0;
}

int nft_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	cleanup_job struct job j = { .lock = -1 };
	uint32_t gen;
	int r = job_init(&j, (struct nft *)fw, p, e);

	if (r < 0 || (r = nft_generation(&j.nft->nl, &gen, e)) < 0 ||
	    (r = check_furniture(&j, e)) < 0)
		return r;
	for (size_t i = 0; i < j.l.n && r == 0; i++)
		r = check_elem(&j, &j.l.elem[i], e);
	return r;
}
