/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_ORACLE_H
#define TESTS_LIB_ORACLE_H

#include "tests/lib/lab_cmd.h"

/*
 * The reference as oracle: the same configuration, environment and state of the kernel given to
 * Debian's Go plugins (1.1.1, so up to CNI 1.0.0) and to ours.
 */
#define ORACLE_DIR "/usr/lib/cni"

/* What stays the same for the questions about a plugin. Shell texts run on the host. */
struct oracle_scene {
	const char *plugin;
	const char *ifname;	     /* NULL: eth0 */
	const char *const *versions; /* NULL-terminated */
	const char *make;	     /* what is there before, beside the namespace c1 */
	const char *clean;	     /* what is to go after, beside call_reset_host */
	const char *prev;	     /* members of prevResult but cniVersion; NULL: none */
	const char *look;	     /* prints what ADD made */
	const char *left;	     /* prints what DEL has to put back; NULL: look */
	char *const *env;
};

struct oracle_question {
	const char *keys; /* each with a comma before it */
	const char *args; /* CNI_ARGS */
	const char *prev; /* instead of the scene's */
	/*
	 * The section of CNI_SPEC.md that says why ours refuses what the reference takes
	 * (ours_refuses), or takes what the reference refuses.
	 */
	const char *ours_refuses, *ours_takes;
	const char *no_ref_check; /* what is wrong with the reference's CHECK here */
};

/* Skips the running test when the reference has no such plugin here. */
void oracle_needs(const char *plugin);

/*
 * Asks each question of both suites, the first in every version, the others in turn. ADD of each on
 * a fresh host: the answers and what look prints are the same, but for MAC addresses, host names of
 * veths and, from 1.0.0 on, the order of keys. Then both suites' CHECK are content with it, and
 * the DEL of the other one leaves nothing behind; another DEL of ours succeeds.
 */
void oracle_ask(const struct oracle_scene *s, const struct oracle_question *q, size_t n);

/* The configuration of a question. */
const char *oracle_conf(const struct oracle_scene *s, const struct oracle_question *q,
			const char *version);

/* A verb of one suite (ORACLE_DIR or lab_bin()) on the attachment; returns stdout, folded. */
const char *oracle_call(const struct oracle_scene *s, const char *suite, const char *verb,
			const char *conf, const char *args, int *status);

/* The scene before ADD, and its end. */
void oracle_begin(const struct oracle_scene *s);
void oracle_end(const struct oracle_scene *s);

/* What a shell text prints, folded; short-lived. */
const char *oracle_look(const char *shell);

/*
 * Two answers are the same: to the byte before 1.0.0. From then on newer releases of the reference
 * sort the keys and leave out an empty "dns", as ours do; 1.1.1 did not yet.
 */
bool oracle_same_answer(const char *conf, const char *a, const char *b);

#endif
