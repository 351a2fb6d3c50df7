/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_ENV_H
#define NARU_CNI_ENV_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * CNI 1.1.0 section "Parameters": what the runtime says by environment. All strings are borrowed.
 */
enum cni_verb { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION, CNI_VERBS };

struct cni_env {
	enum cni_verb verb;
	const char *container; /* CNI_CONTAINERID */
	const char *netns;     /* CNI_NETNS; NULL when empty or unset */
	const char *ifname;    /* CNI_IFNAME */
	const char *args;      /* CNI_ARGS or "" */
	const char *path;      /* CNI_PATH */
	bool netns_override;   /* CNI_NETNS_OVERRIDE: skip the "is this my own namespace" test */
};

extern const char *const cni_verb_names[CNI_VERBS];

/*
 * Reads the environment. Missing variables are reported together in the reference's words and
 * order: "required env variables [A,B] missing", code 4. An unknown command: -ENOSYS with *e set
 * but reported only later (the reference reads stdin first): out->verb is CNI_VERBS then.
 */
int cni_env_read(struct cni_env *out, struct err *e);

/* Container ids and network names: ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$, at most 1024. */
bool cni_name_ok(const char *s);

/*
 * CNI_ARGS, "K=V;K=V": the value of key copied into buf (size), 1 when found, 0 when not, -EINVAL
 * when the text is malformed.
 */
int cni_arg(const char *args, const char *key, char *buf, unsigned size, struct err *e);

/*
 * Refuses unknown keys unless IgnoreUnknown is true: "ARGS: unknown args [...]". known is
 * NULL-terminated.
 */
int cni_args_check(const char *args, const char *const *known, struct err *e);

#endif
