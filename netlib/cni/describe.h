/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_DESCRIBE_H
#define NARU_CNI_DESCRIBE_H

#include <stddef.h>

struct cni_plugin;
struct err;
struct str;

/*
 * What a plugin says of itself (CNI_SPEC.md "Private requests"): VERSION with this variable set is
 * answered with one member more, "naru". Others do not know the variable and answer VERSION.
 */
#define DESCRIBE_VAR "NARU_CNI_DESCRIBE"

/*
 * The answer, one line. conf (may be NULL) is a configuration to judge: what ADD would refuse in it
 * before its first change is the member "problem".
 */
int describe_print(const struct cni_plugin *p, const char *conf, size_t len, struct str *out,
		   struct err *e);

#endif
