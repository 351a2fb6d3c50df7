/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_CHAINLAB_H
#define TESTS_LIB_CHAINLAB_H

#include "netlib/cni/netlist.h"

/*
 * A directory for one test of chains: configurations, plugins one, two and three that are shell
 * scripts, and what these wrote down: a line for each call in "log", stdin in NAME.VERB.in. A
 * plugin answers with NAME.VERB.out, fails with NAME.VERB.fail, and dies of NAME.VERB.kill.
 */
int chainlab_make(void **state);
int chainlab_drop(void **state);
#define CHAINLAB(f) cmocka_unit_test_setup_teardown(f, chainlab_make, chainlab_drop)

const char *chainlab_dir(void);
char *chainlab_at(const char *name); /* a path in it; the last four stay valid */
void chainlab_put(const char *name, const char *text);
char *chainlab_get(const char *name); /* "" when there is no such file; the caller frees it */

/* A list of the three; more: members of it, each with a comma. */
#define CHAINLAB_LIST(version, more) \
	"{\"cniVersion\":\"" version "\",\"name\":\"net\"," more "\"plugins\":[" \
	"{\"type\":\"one\",\"capabilities\":{\"portMappings\":true,\"mac\":false}}," \
	"{\"type\":\"two\",\"name\":\"second\"},{\"type\":\"three\",\"capabilities\":{\"mac\":true}}]}"

/* What a plugin notes of a verb on the attachment below. */
#define CHAINLAB_LINE(plugin, verb) plugin " " verb " c1 /run/netns/x eth0 \n"

void chainlab_parse(const char *text, struct netlist *n);
struct netlist_rt chainlab_attachment(void);
/* The log, or a file, holds exactly that. */
void chainlab_log(const char *want);
void chainlab_file(const char *name, const char *want);

#endif
