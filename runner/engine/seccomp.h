/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SECCOMP_H
#define NARU_ENGINE_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/engine/seccomp_compose.h"

/* Docker's default profile for docker's default capabilities, ready to load: made by the build. */
const struct sock_fprog *seccomp_default_prebuilt(void);

/*
 * Docker's default profile for a bounding set: the prebuilt filter when the set selects the same
 * rules as docker's default capabilities, else composed into prog (SECCOMP_PROG_MAX is enough). For
 * the parent. out points into prog or at the prebuilt filter. Returns 0 or -E2BIG.
 */
int seccomp_default(uint64_t bounding, struct sock_filter *prog, size_t max, struct sock_fprog *out,
		    struct err *e);

/*
 * Puts the filter on the calling thread, for good. For the child: no allocation. Needs no_new_privs
 * or CAP_SYS_ADMIN, so without no_new_privs it comes before the capabilities are dropped; the
 * default profile allows what dropping them needs. Returns 0 or a negative errno.
 */
int seccomp_install(const struct sock_fprog *prog);

#endif
