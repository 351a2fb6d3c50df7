/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_EXEC_H
#define NARU_CNI_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/cni/env.h"
#include "netlib/cni/result.h"

struct cni_plugin;
struct err;

/* Plugins linked into this executable; defined by main_one.c / main_all.c (NULL-terminated). */
extern const struct cni_plugin *const cni_builtin[];

/*
 * Finds a plugin executable: regular file named type in the entries of path (colon-separated). type must have no separator.
 * The reference's texts: `failed to find plugin "X" in path [..]`, `invalid plugin name: X`, `no paths provided`.
 */
int cni_find(const char *type, const char *path, char out[4096], struct err *e);

/* Is the executable at path one of ours, from the very build that is running? (note section ".note.naru", exec.c) */
bool cni_is_ours(const char *path);

/*
 * Runs a plugin as the specification says: same environment with CNI_COMMAND replaced, text on stdin. In process when it is built in
 * and cni_is_ours. ADD decodes the result into *out (version: of the request). A plugin's error document becomes *e, its code kept.
 */
int cni_delegate(const char *type, enum cni_verb verb, const struct cni_env *env, const char *text, size_t len,
		 enum cni_version version, struct cni_result *out, struct err *e);

/* Runs the executable with an explicit environment; never in process. stdout is handed back raw. For chains (libcni's side). */
int cni_exec(const char *path, enum cni_verb verb, const struct cni_env *env, const char *text, size_t len, char **out, struct err *e);

#endif
