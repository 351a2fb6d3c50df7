// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/fw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/fw/backend.h"

#define LOCK_DIR "/run/naru"
#define LOCK_NAME "fw.lock"
#define PATIENCE_MS 5000
#define CODE_TRY_AGAIN 11 /* CNI 1.1.0 "Error": try again later */

static int (*const openers[])(struct fw **out, struct err *e) = {
	[FW_NFTABLES] = nft_open,
	[FW_IPTABLES] = ipt_open,
	[FW_FIREWALLD] = firewalld_open,
};

/*
 * Unless something says otherwise nftables; but where the host's rules live in the legacy tables,
 * ours join them.
 */
int fw_choose(enum fw_backend *backend, struct err *e)
{
	const char *env = getenv("NARU_FW_BACKEND");

	if (*backend != FW_AUTO)
		return 0;
	if (env && *env)
		return fw_backend_parse(env, backend) < 0 ?
			       err_say(e, -EINVAL,
				       "NARU_FW_BACKEND: expected nftables or iptables, got %.40s",
				       env) :
			       0;
	*backend = ipt_is_in_use() ? FW_IPTABLES : FW_NFTABLES;
	return 0;
}

int fw_backend_parse(const char *name, enum fw_backend *out)
{
	if (strcmp(name, "nftables") != 0 && strcmp(name, "iptables") != 0)
		return -EINVAL;
	*out = *name == 'n' ? FW_NFTABLES : FW_IPTABLES;
	return 0;
}

int fw_open(struct fw **out, enum fw_backend backend, struct err *e)
{
	bool chosen = backend == FW_AUTO;
	int r = fw_choose(&backend, e);

	if (r == 0)
		r = openers[backend](out, e);
	if (r == 0) {
		(*out)->backend = backend;
		(*out)->chosen = chosen;
	}
	return r;
}

enum fw_backend fw_backend_of(const struct fw *fw)
{
	return fw->backend;
}

/*
 * The other backends than this one, one after the other: what an attachment has may have been made
 * with another configuration, by an earlier version, or by another suite. One that the host does
 * not have holds nothing.
 */
typedef int each_fn(struct fw *fw, void *arg, struct err *e);

static int elsewhere(const struct fw *fw, each_fn *fn, void *arg, struct err *e)
{
	int first = 0;

	/* firewalld has no owners: it is asked only where it is configured */
	for (enum fw_backend i = FW_NFTABLES; i <= FW_IPTABLES; i++) {
		cleanup_fw struct fw *other = NULL;
		struct err one = ERR_INIT;
		int r;

		if (i == fw->backend || fw->backend == FW_FIREWALLD)
			continue;
		r = openers[i](&other, &one);
		if (r == 0)
			r = fn(other, arg, &one);
		if (!other && r == -EOPNOTSUPP)
			r = 0;
		if (r < 0)
			err_keep_first(e, &one);
		if (r != 0 && first >= 0)
			first = r;
	}
	return first;
}

void fw_close(struct fw *fw)
{
	if (fw)
		fw->ops->close(fw);
}

unsigned fw_plan_parts(const struct fw_plan *p)
{
	return (p->nmasq ? FW_MASQ : 0u) | (p->ndnat ? FW_DNAT : 0u) |
	       (p->naccept ? FW_ACCEPT : 0u) | (p->nisolate ? FW_ISOLATE : 0u);
}

int fw_ready(struct fw *fw, struct err *e)
{
	return fw->ops->ready(fw, e);
}

int fw_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	cleanup_fw struct fw *able = NULL;
	int r = 0;

	/* nobody asked for a backend that cannot do this */
	if (fw->chosen && fw_plan_parts(p) & ~fw->ops->parts)
		r = fw_open(&able, FW_NFTABLES, e);
	fw = able ? able : fw;
	return r < 0 ? r : fw->ops->add(fw, p, e);
}

/* All arguments of the verbs that look everywhere. */
struct verb {
	const struct fw_owner *owner; /* GC: the valid ones */
	size_t nvalid;
	const char *network;
	unsigned parts;
	const struct fw_plan *plan;
};

static int del_here(struct fw *fw, void *arg, struct err *e)
{
	const struct verb *v = arg;

	return fw->ops->del(fw, v->owner, v->parts, v->plan, e);
}

static int gc_here(struct fw *fw, void *arg, struct err *e)
{
	const struct verb *v = arg;

	return fw->ops->gc(fw, v->network, v->owner, v->nvalid, v->parts, e);
}

static int check_here(struct fw *fw, void *arg, struct err *e)
{
	const struct verb *v = arg;

	return fw->ops->check(fw, v->plan, e) ?: 1;
}

static int sweep_here(struct fw *fw, void *arg, struct err *e)
{
	(void)arg;
	return fw->ops->sweep(fw, e);
}

/* Here and elsewhere; the first error is told, the rest still runs. */
static int everywhere(struct fw *fw, each_fn *fn, struct verb *v, struct err *e)
{
	int here = fn(fw, v, e);
	int there = elsewhere(fw, fn, v, here < 0 ? NULL : e);

	return here < 0 ? here : there ?: here;
}

int fw_del(struct fw *fw, const struct fw_owner *owner, unsigned parts, const struct fw_plan *hint,
	   struct err *e)
{
	struct verb v = { .owner = owner, .parts = parts, .plan = hint };

	return everywhere(fw, del_here, &v, e);
}

int fw_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	struct verb v = { .plan = p };
	struct err why = ERR_INIT;
	int r = fw->ops->check(fw, p, &why);

	/* made with another backend, it is as good */
	if (r == 0 || elsewhere(fw, check_here, &v, NULL) > 0)
		return 0;
	if (e)
		*e = why;
	return r;
}

int fw_intact(struct fw *fw, struct err *e)
{
	return fw->ops->intact ? fw->ops->intact(fw, e) : 0;
}

int fw_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
	  unsigned parts, struct err *e)
{
	struct verb v = { .network = network, .owner = valid, .nvalid = nvalid, .parts = parts };

	return everywhere(fw, gc_here, &v, e);
}

int fw_sweep(struct fw *fw, struct err *e)
{
	struct verb v = { 0 };

	return everywhere(fw, sweep_here, &v, e);
}

/* What fw_each hands through. */
struct visit {
	int (*fn)(const char *owner, const char *what, const char *text, void *arg);
	void *arg;
};

static int each_here(struct fw *fw, void *arg, struct err *e)
{
	const struct visit *v = arg;

	return fw->ops->each(fw, v->fn, v->arg, e);
}

int fw_each(struct fw *fw,
	    int (*fn)(const char *owner, const char *what, const char *text, void *arg), void *arg,
	    struct err *e)
{
	struct visit v = { fn, arg };

	return each_here(fw, &v, e) ?: elsewhere(fw, each_here, &v, e);
}

int fw_lock(int *fd, struct err *e)
{
	if (plan_on()) /* nothing will be changed, and nobody kept waiting */
		return 0;
	if (mkdir(LOCK_DIR, 0700) < 0 && errno != EEXIST)
		return 0;
	cleanup_fd int dir = file_open_dir(AT_FDCWD, LOCK_DIR, NULL);
	if (dir < 0)
		return 0;
	cleanup_fd int lock = openat(dir, LOCK_NAME,
				     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (lock < 0)
		return 0;
	int r = file_lock(lock, PATIENCE_MS, LOCK_DIR "/" LOCK_NAME, e);
	if (r < 0)
		return r;
	*fd = take_fd(lock);
	return 0;
}

int fw_retry_wait(struct fw_retry *t, const char *what, struct err *e)
{
	int64_t now = clock_us();
	uint32_t dice;

	if (!t->attempts++)
		t->began_us = now;
	if (now - t->began_us > PATIENCE_MS * 1000)
		return err_code(
			e, -EAGAIN, CODE_TRY_AGAIN,
			"%s: somebody else changed the rule set during each of %u attempts in %d s; "
			"try again later",
			what, t->attempts, PATIENCE_MS / 1000);
	if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != sizeof dice)
		dice = (uint32_t)now;
	/*
	 * at first only as long as a commit takes; a busy rule set is met between two commits, not
	 * waited out
	 */
	uint32_t most_us = t->attempts < 8 ? 25u << t->attempts : 5000;
	(void)nanosleep(&(struct timespec){ .tv_nsec = (long)(dice % most_us) * 1000 }, NULL);
	return 0;
}
