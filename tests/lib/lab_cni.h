/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LAB_CNI_H
#define TESTS_LIB_LAB_CNI_H

#include "tests/lib/lab_cmd.h"

/*
 * The directory of the plugins under test: $NARU_BIN, or "bin" of the build directory this program
 * lies in (BUILD/tests/DIR/test_NAME or BUILD/tests/NAME).
 */
const char *lab_bin(void);

/* One call of one plugin. A variable whose member is NULL is not set at all. */
struct lab_call {
	const char *plugin; /* name below lab_bin(), or a path */
	const char *verb, *cid, *netns, *ifname;
	const char *args; /* CNI_ARGS */
	const char *path; /* CNI_PATH; NULL: lab_bin() */
	const char *conf; /* stdin */
	char *const *env; /* more "K=V", such as FW_BACKEND=nft; may be NULL */
	int timeout_ms;
};

void lab_call(const struct lab_call *c, struct lab_result *out);

/* The usual call: CNI_ARGS is empty, as libcni sets it. netns is a path. */
void lab_plugin(const char *plugin, const char *verb, const char *cid, const char *netns,
		const char *ifname, const char *conf, struct lab_result *out);

/*
 * A list of plugins as a runtime drives it: each configuration gets "name" and "cniVersion" of the
 * list, the "runtimeConfig" its "capabilities" ask for, and "prevResult". The members name ...
 * runtime_config belong to the test, the rest to the chain.
 */
struct lab_chain {
	const char *name, *version;	  /* NULL: "labnet", "1.1.0" */
	const char *const *plugins;	  /* configurations, NULL-terminated */
	const char *cid, *netns, *ifname; /* ifname NULL: eth0 */
	const char *runtime_config; /* e.g. {"portMappings":[...]}; handed out by capability */
	const char *args;	    /* NULL: empty */
	const char *path;	    /* NULL: lab_bin() */
	char *const *env;

	char *result;		/* of the last plugin that gave one; NULL before ADD */
	int failed;		/* index of the plugin that failed last, -1: none */
	long wall_us, rss_kib;	/* sum and peak over the plugins of the last verb */
	struct lab_result last; /* of the plugin that failed, or of the last one */
};

/*
 * ADD and CHECK in order, DEL in reverse; ADD stops at the first failure as libcni does, and so
 * does DEL. CHECK and DEL get the ADD's result as prevResult where the version has it (0.4.0).
 * Returns 0, or the failed plugin's exit status.
 */
int lab_chain_add(struct lab_chain *c);
int lab_chain_check(struct lab_chain *c);
int lab_chain_del(struct lab_chain *c);
void lab_chain_clear(struct lab_chain *c);

/*
 * The configuration the n-th plugin would get, for tests that call it themselves; the caller frees
 * it.
 */
char *lab_chain_conf(const struct lab_chain *c, int n);

#endif
