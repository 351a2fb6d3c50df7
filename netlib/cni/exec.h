/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_EXEC_H
#define NARU_CNI_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/cni/env.h"
#include "netlib/cni/result.h"

struct cni_plugin;
struct err;
struct txn;

/* Plugins linked into this executable; defined by main_one.c / main_all.c (NULL-terminated). */
extern const struct cni_plugin *const cni_builtin[];

/*
 * Finds a plugin executable: regular file named type in the entries of path (colon-separated). type
 * must have no separator. The reference's texts: `failed to find plugin "X" in path [..]`, `invalid
 * plugin name: X`, `no paths provided`.
 */
int cni_find(const char *type, const char *path, char out[4096], struct err *e);

/*
 * Is the executable at path one of ours, from the very build that is running? (note section
 * ".note.naru", exec.c)
 */
bool cni_is_ours(const char *path);
/* The same of any build: a program of this project. */
bool cni_is_naru(const char *path);

/*
 * A delegate found: its path, and the plugin itself when it can run in process (built in, and the
 * file found is of our own build).
 */
struct cni_target {
	const struct cni_plugin *builtin;
	char path[4096];
};

int cni_resolve(const char *type, const char *path, struct cni_target *out, struct err *e);

/*
 * Runs a delegate as the specification says: same environment with CNI_COMMAND replaced, text on
 * stdin; in process when it is built in, its ADD then inside txn (may be NULL; an executed one has
 * its own). ADD decodes the result into *out (of the request's version). A plugin's error document
 * becomes *e, its code kept.
 */
int cni_delegate(const struct cni_target *to, enum cni_verb verb, const struct cni_env *env,
		 const char *text, size_t len, enum cni_version version, struct txn *txn,
		 struct cni_result *out, struct err *e);

/*
 * Runs the executable with an explicit environment; never in process. When the file is of our own
 * build and this program carries the plugin, a copy of this process runs it, which is what loading
 * the file would come to. stdout is handed back raw. For chains (libcni's side).
 */
int cni_exec(const char *path, enum cni_verb verb, const struct cni_env *env, const char *text,
	     size_t len, char **out, struct err *e);

#endif
