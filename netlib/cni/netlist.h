/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_NETLIST_H
#define NARU_CNI_NETLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/base/decode.h"
#include "netlib/cni/conf.h"
#include "netlib/cni/result.h"
#include "netlib/cni/version.h"

struct err;
struct json_object;

#define NETLIST_PLUGINS_MAX 64
#define NETLIST_CONF_DIR "/etc/cni/net.d" /* where libcni looks */
#define NETLIST_CACHE_DIR "/var/lib/cni"

/* One plugin of a network. Borrows from the list's documents. */
struct netlist_plugin {
	const char *type;
	/* the plugin's own "name" key, or NULL; only for error texts */
	const char *name;
	struct json_object *conf; /* the object as it stands in the file */
};

/*
 * A network as libcni reads it from a .conflist, or a .conf turned into a list of one (CNI_SPEC.md
 * "Network lists", CNI 1.1.0 section 1).
 */
struct netlist {
	struct doc doc;	    /* the list */
	struct doc **extra; /* documents of DIR/NAME; pointers, as docs must not move */
	size_t nextra;
	/* the list's bytes, as the result cache keeps them; owned */
	char *text;
	size_t len;
	char *file; /* where it was read from; NULL when parsed from memory */
	const char *name;
	enum cni_version version; /* the one chosen among cniVersion and cniVersions */
	bool disable_check, disable_gc, only_inlined;
	struct netlist_plugin *plugins;
	size_t nplugins;
};

#define NETLIST_INIT { 0 }
#define cleanup_netlist __attribute__((cleanup(netlist_clear)))
void netlist_clear(struct netlist *n);

/*
 * Reads the network called name from directory dir (NULL = NETLIST_CONF_DIR): *.conflist by file
 * name, then *.conf and *.json. A malformed file met on the way is an error, as in libcni. -ENOENT:
 * `no net configuration with name "x" in DIR` with the names that are there in the sentence.
 */
int netlist_load(const char *dir, const char *name, struct netlist *out, struct err *e);

/*
 * Parses one list (or a single plugin's configuration) from memory; nothing is appended from
 * directories. text is copied.
 */
int netlist_parse(const char *text, size_t len, struct netlist *out, struct err *e);

/*
 * Reads one file, whatever its network is called; DIR/NAME are appended unless the list says
 * loadOnlyInlinedPlugins.
 */
int netlist_load_file(const char *file, struct netlist *out, struct err *e);

struct netlist_arg {
	const char *key, *value;
};

/* One attachment, as the runtime sees it. Everything is borrowed. */
struct netlist_rt {
	const char *container;
	const char *netns; /* path; NULL or "" = gone (DEL) */
	const char *ifname;
	const struct netlist_arg *args; /* CNI_ARGS */
	size_t nargs;
	/* capability arguments, {"portMappings": [...]}; NULL = none */
	struct json_object *caps;
	const char *path;      /* CNI_PATH: where plugins are, colon-separated */
	const char *cache_dir; /* NULL = NETLIST_CACHE_DIR */
	/* DEL after a failed ADD: what that ADD failed with; see netlist_del. NULL = none */
	const struct err *failed_add;
};

/*
 * Runs the chain. Each plugin gets the list's name and version, the result of the one before it and
 * the capability arguments it declared. Errors read `plugin type="bridge" failed (add): SENTENCE`
 * and keep the plugin's code.
 *
 * add    the result of the last plugin into *out, and into the cache. When one fails, or the cache
 *        cannot be written, DEL is run on what ran so far, newest first (libcni leaves that to the
 *        caller) - unless the attachment was in the cache before: then it is not this call's to
 *        undo. What the undoing could not do is in the error's details.
 * del    newest first; goes on after an error and returns the first; the cached result is given as
 *        prevResult (0.4.0 and newer) and the cache entry removed only when all succeeded. Absent,
 *        empty and corrupt cache files are no error. A plugin that refuses DEL in the words in
 *        which it refused the ADD (a wrong key, say) did nothing then and has nothing to take back:
 *        that is success.
 * check  -ENOTSUP below 0.4.0; nothing when the list says disableCheck; needs the cached result.
 * gc     DEL for every cached attachment of the network that is not in valid, then GC on each
 *        plugin (1.1.0 and newer); goes on after errors and returns the first. Nothing when the
 *        list says disableGC. Only path and cache_dir of rt are used.
 * status 1.1.0 and newer: the first plugin that is not ready, its code kept; needs only path of rt
 */
int netlist_add(const struct netlist *n, const struct netlist_rt *rt, struct cni_result *out,
		struct err *e);
int netlist_del(const struct netlist *n, const struct netlist_rt *rt, struct err *e);
int netlist_check(const struct netlist *n, const struct netlist_rt *rt, struct err *e);
/*
 * CHECK that repairs: our plugins put back what they miss of what may be made anew on a living
 * attachment (firewall elements, routes, settings), and repaired is told which rows; others only
 * check. Also when the list says disableCheck.
 */
int netlist_reload(const struct netlist *n, const struct netlist_rt *rt,
		   void (*repaired)(const char *type, const char *rows, void *arg), void *arg,
		   struct err *e);
int netlist_gc(const struct netlist *n, const struct netlist_rt *rt,
	       const struct cni_attachment *valid, size_t nvalid, struct err *e);
int netlist_status(const struct netlist *n, const struct netlist_rt *rt, struct err *e);

/*
 * Asks each plugin for its versions (VERSION) and calls each(type, versions) with them, separated
 * by blanks. An error when a plugin is missing or does not speak the list's version. Only path of
 * rt is used.
 */
int netlist_versions(const struct netlist *n, const struct netlist_rt *rt,
		     void (*each)(const char *type, const char *versions, void *arg), void *arg,
		     struct err *e);

/* "K=V;K=V" of args; malloc'd; NULL when memory is out. */
char *netlist_args_text(const struct netlist_rt *rt);

#endif
