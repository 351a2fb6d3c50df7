/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_LINT_H
#define NARU_CNI_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/base/decode.h"
#include "netlib/base/jsonpos.h"
#include "netlib/cni/version.h"

struct err;
struct json_object;

/*
 * Network configurations judged before anything runs (CNI_SPEC.md "naru cni lint"). What keys there
 * are is asked of the plugins themselves (netlib/cni/describe.h); one that does not know the
 * question gets the checks that need no answer.
 */
struct lint_finding {
	const char *file; /* borrowed from struct lint_file */
	struct json_pos at;
	bool error;	  /* else a warning: it would run, but not as it reads */
	const char *rule; /* "unknown-key": static */
	char *path;	  /* JSON pointer; owned */
	char *text;	  /* owned */
};

struct lint_file {
	char *name, *text; /* owned */
	size_t len;
	struct doc doc;
};

/* A plugin of a network, where it stands, and what it says of itself. */
struct lint_plugin {
	const struct lint_file *file;
	char *base; /* JSON pointer of its object; owned */
	const char *type;
	struct json_object *conf;
	struct doc about, ipam_about;	 /* the answers */
	struct json_object *desc, *ipam; /* members "naru" of them; NULL: it did not say */
	const char *kind;		 /* of desc, or "" */
};

struct lint_net {
	const struct lint_file *file;
	const char *name;
	enum cni_version version;
	struct lint_plugin *v;
	size_t n;
};

struct lint {
	const char *plugin_path; /* CNI_PATH; borrowed */
	struct lint_finding *v;
	size_t n;
	struct lint_file **files;
	size_t nfiles;
	struct lint_net *nets;
	size_t nnets;
};
#define cleanup_lint __attribute__((cleanup(lint_clear)))
void lint_clear(struct lint *l);

/*
 * Judges a file, a directory as libcni would read it, or standard input ("-"). Findings are sorted
 * by file and place. Negative only when there is nothing to judge.
 */
int lint_run(struct lint *l, const char *what, struct err *e);
size_t lint_errors(const struct lint *l);

/* ---- between its files */

/*
 * Adds a finding about what path leads to in f; at_key: about the key itself. One that says the
 * same of the same place is not added.
 */
__attribute__((format(printf, 7, 8))) void lint_add(struct lint *l, const struct lint_file *f,
						    bool error, const char *rule, const char *path,
						    bool at_key, const char *fmt, ...);

/* Compares one object with lists of keys ("keys" of descriptions); lint_keys.c. */
#define LINT_LISTS 4
struct lint_lists {
	struct json_object *v[LINT_LISTS];
	size_t n;
};
void lint_keys(struct lint *l, const struct lint_file *f, struct json_object *o,
	       const struct lint_lists *lists, const char *path, const char *whose);
/* The lists of a network list's own keys and of what all plugins have in common; borrowed. */
struct json_object *lint_list_keys(void);
struct json_object *lint_common_keys(void);
/* The entry for a key in a list, or NULL. */
struct json_object *lint_key_of(struct json_object *list, const char *key);

/* How the plugins of a network go together; networks with each other; lint_chain.c. */
void lint_chain(struct lint *l, const struct lint_net *n);
void lint_networks(struct lint *l);

/* Asks the plugins and judges their keys; lint_plugin.c. */
void lint_plugin(struct lint *l, const struct lint_net *n, struct lint_plugin *p);

#endif
