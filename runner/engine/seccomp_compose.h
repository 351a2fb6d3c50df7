/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SECCOMP_COMPOSE_H
#define NARU_ENGINE_SECCOMP_COMPOSE_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/engine/seccomp_nr.h"

struct err;

#define SECCOMP_PROG_MAX 2048 /* docker's profile needs about a fifth of it */

/*
 * The filter of docker's default profile for a machine and a capability bounding set. Pure.
 *
 *   prog, max   room for max instructions; undefined after an error
 *   len         instructions written, at the beginning of prog
 *
 * A call the profile does not know fails with EPERM, a call above the highest number of the profile
 * with ENOSYS (as runc has it: programs that try a call younger than the profile fall back). A
 * foreign calling convention kills the process. Returns 0; -E2BIG when max is too small.
 */
int seccomp_compose(enum seccomp_machine m, uint64_t bounding, struct sock_filter *prog, size_t max,
		    size_t *len, struct err *e);

#endif
