/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_EBOX_H
#define TESTS_LIB_EBOX_H

#include "netlib/base/err.h"
#include "netlib/txn/txn.h"
#include "runner/engine/engine.h"
#include "runner/spec.h"
#include "runner/spec_compose.h"

/*
 * A container of busybox straight from the engine, without images, networks or records. In a
 * laboratory only; ebox_set_up, for a group of tests, makes one and the root file system: two
 * layers, users root and web, a few files that cannot be executed.
 */
#define EBOX_PLACE "/run/engine"
#define EBOX_LOWER EBOX_PLACE "/lower"
#define EBOX_BUNDLE EBOX_PLACE "/bundle"
#define EBOX_OUT_MAX 65536

struct ebox {
	struct spec_request rq;
	struct engine_start start;
	struct spec spec;
	struct txn txn;
	struct engine_proc proc;
	struct err err;
	int out;		 /* read end of its stdout and stderr */
	char text[EBOX_OUT_MAX]; /* what it printed */
	const char *cpus;	 /* for the spec */
	int r, status;
};

#define cleanup_ebox __attribute__((cleanup(ebox_free_p)))

int ebox_set_up(void **state);

/* One at a time: the bundle is made anew. Members may be changed before ebox_create. */
struct ebox *ebox_new(const char *const *args);
#define ebox_sh(script) ebox_new((const char *const[]){ "/bin/sh", "-c", script, NULL })
void ebox_create(struct ebox *b); /* engine_create; the outcome is in r */
void ebox_begin(struct ebox *b);  /* that and engine_begin */
void ebox_read(struct ebox *b);	  /* its output to the end, into text */
void ebox_run(struct ebox *b);	  /* to its end; it must have started */
/* Kills what runs, takes everything back. */
void ebox_free(struct ebox *b);
void ebox_free_p(struct ebox **b);

/* Runs a script and compares its output. */
void ebox_expect(const char *script, const char *want);
void ebox_nothing_left(void);

#endif
