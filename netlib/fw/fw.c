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

static int choose(enum fw_backend *backend, struct err *e)
{
	const char *env = getenv("NARU_FW_BACKEND");

	if (*backend != FW_AUTO)
		return 0;
	*backend = FW_NFTABLES;
	if (!env || !*env || !strcmp(env, "nftables"))
		return 0;
	if (strcmp(env, "iptables") != 0)
		return err_say(e, -EINVAL,
			       "NARU_FW_BACKEND: expected nftables or iptables, got %.40s", env);
	*backend = FW_IPTABLES;
	return 0;
}

int fw_open(struct fw **out, enum fw_backend backend, struct err *e)
{
	int r = choose(&backend, e);

	if (r < 0)
		return r;
	if (backend == FW_IPTABLES)
		return err_say(
			e, -EOPNOTSUPP,
			"this build has no iptables backend yet; unset NARU_FW_BACKEND or set it to nftables");
	r = backend == FW_FIREWALLD ? firewalld_open(out, e) : nft_open(out, e);
	if (r == 0)
		(*out)->backend = backend;
	return r;
}

enum fw_backend fw_backend_of(const struct fw *fw)
{
	return fw->backend;
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
	return fw->ops->add(fw, p, e);
}

int fw_del(struct fw *fw, const struct fw_owner *owner, unsigned parts, const struct fw_plan *hint,
	   struct err *e)
{
	return fw->ops->del(fw, owner, parts, hint, e);
}

int fw_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	return fw->ops->check(fw, p, e);
}

int fw_intact(struct fw *fw, struct err *e)
{
	return fw->ops->intact ? fw->ops->intact(fw, e) : 0;
}

int fw_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
	  unsigned parts, struct err *e)
{
	return fw->ops->gc(fw, network, valid, nvalid, parts, e);
}

int fw_sweep(struct fw *fw, struct err *e)
{
	return fw->ops->sweep(fw, e);
}

int fw_each(struct fw *fw,
	    int (*fn)(const char *owner, const char *what, const char *text, void *arg), void *arg,
	    struct err *e)
{
	return fw->ops->each(fw, fn, arg, e);
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
