/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_IDENTITY_H
#define NARU_ENGINE_IDENTITY_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runner/engine/caps.h"

struct err;
struct spec;

/*
 * Who the process is and what it may do. For the child, after it stands in its root; nothing is
 * allocated.
 */
struct identity {
	const struct spec *spec;
	struct caps caps;
	const struct sock_fprog *filter; /* NULL: none */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	const char *cwd;
};

/* Notes gather what the host could not give: one sentence each, cut when full. */
struct notes {
	char text[512];
};

void note_add(struct notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Resource limits, and oom_score_adj through the /proc of the container (a descriptor; -1: not
 * set).
 */
int identity_limits(const struct spec *s, int proc, struct notes *n, struct err *e);

/*
 * Working directory, seccomp, capabilities, user, in the order that lets each of them happen. Pipes
 * that are the standard descriptors are given to the user.
 */
int identity_apply(const struct identity *id, struct notes *n, struct err *e);

/*
 * Fills the first free slot of env, which ends with two NULLs, with HOME when it has none: of uid
 * by the container's /etc/passwd, else "/root" or "/". root is a descriptor of the container's
 * root.
 */
void identity_home(int root, uid_t uid, const char **env);

#endif
