/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_PLUGIN_H
#define NARU_CNI_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/base/decode.h"
#include "netlib/cni/conf.h"
#include "netlib/cni/env.h"
#include "netlib/cni/result.h"
#include "netlib/fw/fw.h"
#include "netlib/nl/nl.h"
#include "netlib/txn/txn.h"

struct cni_target;
struct err;

/* One operation on one attachment: what rows work on. */
struct cni_op {
	const struct cni_plugin *plugin;
	const struct cni_env *env;
	struct cni_conf *cc; /* common keys */
	void *conf;	     /* the plugin's own struct, conf_size bytes */
	struct nl *host;     /* rtnetlink of the plugin's own namespace */
	/* rtnetlink of CNI_NETNS; NULL when there is none (DEL) or the plugin needs none */
	struct nl *cont;
	int netns;		/* descriptor of CNI_NETNS, or -1 */
	struct txn *txn;	/* ADD */
	struct cni_result prev; /* decoded prevResult; valid when has_prev */
	bool has_prev;
	struct cni_result res; /* ADD: what will be printed */
	/* the IPAM delegate once it is resolved, or NULL; see common.c */
	struct cni_target *ipam;
	uint32_t cont_index; /* ADD: the container's interface, once it exists */
	/* of the firewall rows: what the plugin's key says, FW_AUTO without */
	enum fw_backend fw_backend;
};

/*
 * A row: one thing the plugin makes, with the ways to make, take away, verify and collect it. Rows
 * run forward for ADD, CHECK, GC and STATUS, backward for DEL. Any function may be NULL.
 */
struct cni_step {
	const char *name;
	bool (*when)(const struct cni_op *op);	      /* NULL = always */
	int (*add)(struct cni_op *op, struct err *e); /* inside op->txn */
	/* absence is success; op->cont may be NULL */
	int (*del)(struct cni_op *op, struct err *e);
	/* code 102, "expected .., found .." */
	int (*check)(struct cni_op *op, struct err *e);
	int (*gc)(struct cni_op *op, struct err *e);	 /* op->cc->valid is what may stay */
	int (*status)(struct cni_op *op, struct err *e); /* code 50 or 51 */
	/*
	 * Puts back what check missed on a living attachment, inside op->txn; op->res is what ADD
	 * reported. Mostly add itself, where that may run twice.
	 */
	int (*reload)(struct cni_op *op, struct err *e);
};

/* CNI_SPEC.md "Private requests": CHECK with this variable set repairs what it can. */
#define RELOAD_VAR "NARU_CNI_RELOAD"

enum cni_plugin_flags {
	CNI_CHAINED = 1, /* ADD and CHECK need prevResult; it is passed through */
	/* an IPAM plugin: no namespace is opened, the result has no interfaces */
	CNI_IPAM = 2,
	CNI_NO_NETNS = 4,    /* never needs CNI_NETNS opened (portmap, masquerade) */
	CNI_CHECK_ALONE = 8, /* CHECK works without prevResult (loopback) */
	/* a prevResult, if there is one, is what ADD starts from (loopback in a chain) */
	CNI_PASS_PREV = 16,
	/* without capability arguments there is nothing to do (portmap) */
	CNI_BY_CAPABILITY = 32,
	/* an IPAM plugin that needs the interface to be there: never run in process (dhcp) */
	CNI_LATE = 64,
};

struct cni_plugin {
	const char *name;
	const char *about; /* for the line printed when CNI_COMMAND is unset */
	unsigned flags;
	enum cni_version min;	    /* oldest version supported */
	const struct field *fields; /* of the plugin's own struct; may be NULL */
	size_t conf_size;
	void (*conf_init)(void *conf); /* defaults; NULL = zeros */
	/* pure; before the first change */
	int (*conf_check)(void *conf, struct cni_op *op, struct err *e);
	void (*conf_clear)(void *conf);
	const struct cni_step *steps; /* ends with { 0 } */
	/* keys of the reference that conf_check refuses by name; NULL-terminated, may be NULL */
	const char *const *refused;
	/* adds to a description what there is to tell of a good configuration; only looks */
	void (*tell)(struct cni_op *op, struct json_object *out);
	/* what `PLUGIN daemon` is, argv[0] being "daemon"; NULL: there is no such thing */
	int (*daemon)(int argc, char **argv);
};

/*
 * The whole life of a plugin process. Returns the exit status. Prints to stdout (result, error) and
 * stderr (about).
 */
int cni_main(const struct cni_plugin *p);
/* The same, or the plugin's daemon when argv[1] asks for it. */
int cni_enter(const struct cni_plugin *p, int argc, char **argv);

/*
 * Runs one operation in process on an already read document: what cni_main does after reading, and
 * how an interface plugin runs a built-in IPAM plugin. text is copied. ADD happens inside txn when
 * one is given (its records are the caller's then, to commit or to roll back), else in a
 * transaction of its own. out (may be NULL) gets the result of ADD.
 */
int cni_run(const struct cni_plugin *p, const struct cni_env *env, const char *text, size_t len,
	    struct txn *txn, struct cni_result *out, struct err *e);

/*
 * Decides only: what the operation would refuse in a document before its first change. text is
 * copied; a prevResult is not asked for. told gets what the plugin has to tell.
 */
int cni_examine(const struct cni_plugin *p, const struct cni_env *env, const char *text, size_t len,
		struct json_object *told, struct err *e);

/* Helpers for CHECK rows: an error with code CNI_E_CHECK. Returns -EBADMSG. */
int cni_check_fail(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
