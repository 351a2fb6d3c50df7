/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_PLAN_H
#define TESTS_BENCH_LIB_PLAN_H

#include <stdbool.h>

#define VARIANTS_MAX 32
#define PLUGINS_MAX 4

struct plan_plugin {
	char *bin;
	char *conf; /* one line of JSON, with the marks that plan_fill() replaces */
};

/*
 * One way to do the work: a chain of plugins, a command, or a command with the chain's ADD before
 * and DEL after it.
 */
struct variant {
	char *name;
	char *path;	/* PATH of the plugins; NULL is the system's own */
	char *peak;	/* program that the plugins are started through; NULL without */
	char *host_cmd; /* for a shell in the host namespace, once; NULL without */
	char *command;	/* NULL when the chain is all there is */
	struct plan_plugin plugin[PLUGINS_MAX];
	int nplugin;
	int prefill;	  /* attachments made before the first round, which stay */
	int parallel;	  /* attachments made at once; 0 or 1 is one after the other */
	bool pure_cgroup; /* wants a cgroup tree that is not a mixture of both versions */

	int netns;   /* the host namespace of this variant */
	int next;    /* number of the next container */
	bool failed; /* told once, then left out */
};

struct plan {
	struct variant variant[VARIANTS_MAX];
	int nvariant;
};

/*
 * Reads a plan file; tests/bench/plans.sh writes them and names each line. A line it cannot read
 * ends the program.
 */
void plan_read(struct plan *p, const char *path);

/*
 * Returns text with "@N@" replaced by the container's number and "@P0@" to "@P9@" by host ports
 * which no other container of the variant has; allocated.
 */
char *plan_fill(const char *text, int n);

#endif
