/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_CAPS_H
#define NARU_ENGINE_CAPS_H

#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* A set of capabilities is a mask: bit n is capability n (capabilities(7)). */
#define CAP_BIT(n) (UINT64_C(1) << (n))
#define CAPS_KNOWN (CAP_CHECKPOINT_RESTORE + 1) /* numbers 0 .. CAPS_KNOWN - 1 have names */
#define CAPS_ALL (CAP_BIT(CAPS_KNOWN) - 1)

/* What docker gives a container that asks for nothing. */
#define CAPS_DOCKER \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) | \
	 CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) | \
	 CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_NET_RAW) | \
	 CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_AUDIT_WRITE) | \
	 CAP_BIT(CAP_SETFCAP))

/* "CAP_CHOWN"; NULL for a number without a name. */
const char *cap_name(unsigned n);

/* "CAP_NET_RAW", "net_raw", "ALL", in any case. *mask is set, not added to. 0 or -EINVAL. */
int caps_parse(const char *text, uint64_t *mask, struct err *e);

/*
 * --cap-add and --cap-drop as docker has them: "drop ALL" starts from nothing, "add ALL" from
 * everything; otherwise drops come off base and adds go on. Lists may be NULL when empty.
 */
int caps_tweak(uint64_t base, const char *const *add, size_t nadd, const char *const *drop,
	       size_t ndrop, uint64_t *out, struct err *e);

/* "CAP_CHOWN, CAP_KILL"; always terminated, ends in "..." when cut. Returns buf. */
char *caps_text(uint64_t mask, char *buf, size_t size);

/* Capabilities this process may hand on: its bounding set. */
uint64_t caps_bounding(void);

struct caps {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

#define CAPS_LACKING 1

/*
 * In the child, in this order around setgroups/setgid/setuid (PR_SET_KEEPCAPS set in between, when
 * the user is not root and something is to be permitted):
 *
 *   caps_drop_bounding   drops everything that is not in want->bounding, also what this kernel has
 *                        and we have no name for. Needs CAP_SETPCAP.
 *   caps_set             the other four sets.
 *   caps_apply           both, for a process whose user does not change.
 *
 * Nothing is allocated. What the host does not have to give (its bounding set lacks it, or this
 * process is not permitted it) is left out, set by set, and gathered in *lacking. Return 0;
 * CAPS_LACKING when *lacking is not 0; a negative errno when the kernel refused.
 */
int caps_drop_bounding(const struct caps *want, uint64_t *lacking, struct err *e);
int caps_set(const struct caps *want, uint64_t *lacking, struct err *e);
int caps_apply(const struct caps *want, uint64_t *lacking, struct err *e);

#endif
