/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_BACKEND_H
#define NARU_FW_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/fw/fw.h"

/*
 * What stands behind fw.h: one table of functions for each backend. A backend's object begins with
 * struct fw.
 */
struct fw_ops {
	const char *name;
	unsigned parts; /* what can be added: FW_MASQ ... */
	void (*close)(struct fw *fw);
	int (*ready)(struct fw *fw, struct err *e);
	int (*add)(struct fw *fw, const struct fw_plan *p, struct err *e);
	int (*del)(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		   const struct fw_plan *hint, struct err *e);
	int (*check)(struct fw *fw, const struct fw_plan *p, struct err *e);
	int (*gc)(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		  unsigned parts, struct err *e);
	int (*sweep)(struct fw *fw, struct err *e);
	int (*each)(struct fw *fw,
		    int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		    void *arg, struct err *e);
	int (*intact)(struct fw *fw, struct err *e); /* may be NULL */
};

struct fw {
	const struct fw_ops *ops;
	enum fw_backend backend;
	bool chosen; /* by FW_AUTO */
};

int nft_open(struct fw **out, struct err *e);
int firewalld_open(struct fw **out, struct err *e);
int ipt_open(struct fw **out, struct err *e);
/* Has anybody rules in the legacy table nat? Makes no table and loads no library. */
bool ipt_is_in_use(void);
/* Does the host's iptables write nf_tables (iptables-nft)? By its table nat. */
bool nft_holds_iptables(void);

/*
 * The lock around changes that depend on what was read before: /run/naru/fw.lock, at most 5 s, then
 * -EAGAIN with code 11. Returns the descriptor whose closing unlocks. It only keeps our own
 * processes from disturbing each other; what makes a change safe is the kernel's generation number.
 * So where it cannot be made (a read-only /run) the descriptor is -1 and work goes on.
 */
int fw_lock(int *fd, struct err *e);

/* Pauses between attempts, growing and random, and an end to them. */
struct fw_retry {
	int64_t began_us;
	unsigned attempts;
};
#define FW_RETRY_INIT { 0 }
/*
 * Sleeps a little: 0; or -EAGAIN, code 11, when 5 s are over: "<what>: the rule set kept
 * changing..."
 */
int fw_retry_wait(struct fw_retry *t, const char *what, struct err *e);

#endif
