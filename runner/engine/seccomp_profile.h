/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SECCOMP_PROFILE_H
#define NARU_ENGINE_SECCOMP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/engine/seccomp_nr.h"

/*
 * Docker's default seccomp profile as a table (moby's profile as of mid 2026: names, conditions and
 * capabilities; the default action is EPERM). Pure data: seccomp_compose.c makes a filter of it, a
 * bundle's config.json lists it.
 */

struct seccomp_range {
	uint32_t first, last;
};

struct seccomp_rule {
	const char *names; /* separated by blanks; seccomp_names_next() takes them apart */
	int refuse;	   /* 0: allowed; else the errno the call fails with */
	unsigned arg;	   /* with ranges: argument 0..5 that has to lie in one of them */
	uint32_t mask;	   /* 0: all 64 bits of the argument; else only these bits of it */
	const struct seccomp_range *ranges; /* ascending, disjoint */
	unsigned nranges;		    /* 0: no condition */
	uint64_t with_cap;		    /* applies when the bounding set has all of these ... */
	uint64_t without_cap;		    /* ... and none of these */
	unsigned machines;		    /* enum seccomp_machine, or-ed; 0: all */
};

/* The rule after prev (NULL: the first) that applies here; NULL after the last. */
const struct seccomp_rule *seccomp_profile_next(const struct seccomp_rule *prev,
						enum seccomp_machine m, uint64_t bounding);

/* Takes the next of a list of names: *name is not terminated. False at the end. */
bool seccomp_names_next(const char **names, const char **name, size_t *len);

enum seccomp_op { SECCOMP_OP_NONE, SECCOMP_OP_LT, SECCOMP_OP_EQ, SECCOMP_OP_MASKED_EQ };

/* One entry of linux.syscalls[] in config.json (OCI runtime specification, "seccomp"). */
struct seccomp_call {
	const char *names;
	int refuse; /* 0: SCMP_ACT_ALLOW; else SCMP_ACT_ERRNO with this "errnoRet" */
	unsigned arg;
	enum seccomp_op op;	   /* SECCOMP_OP_NONE: no "args" */
	uint64_t value, value_two; /* MASKED_EQ: mask, expected */
};

typedef int seccomp_walk_fn(const struct seccomp_call *c, void *arg);

/* Calls fn for every entry; stops at the first non-zero answer and returns it. 0 otherwise. */
int seccomp_profile_walk(enum seccomp_machine m, uint64_t bounding, seccomp_walk_fn *fn, void *arg);

/* "SCMP_CMP_EQ" and its like; "" for SECCOMP_OP_NONE. */
const char *seccomp_op_name(enum seccomp_op op);

/* "SCMP_ARCH_X86_64", ... NULL: linux.seccomp.architectures. */
const char *const *seccomp_profile_arches(enum seccomp_machine m);

#endif
