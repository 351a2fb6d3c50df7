/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_SPEC_CHECK_H
#define NARU_SPEC_CHECK_H

struct err;
struct spec;

/* Rules across the keys of a decoded config.json. Pure. -EINVAL names the path in it. */
int spec_check(const struct spec *s, struct err *e);

/*
 * Which filter the container gets: s->seccomp from linux.seccomp or the annotation. A profile that
 * is written out is taken when it is docker's default one or allows everything.
 */
int spec_check_seccomp(struct spec *s, struct err *e);

#endif
