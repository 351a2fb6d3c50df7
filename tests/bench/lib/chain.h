/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_CHAIN_H
#define TESTS_BENCH_LIB_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

struct variant;

/* /run/netns/VARIANT-N, where the container's namespace is pinned. */
void chain_netns_path(const struct variant *v, int n, char *out, size_t size);

/*
 * Runs every plugin of the variant for container n, as a runtime does: forward with the result
 * passed on for an ADD, backward with the last result for a DEL. The result is kept in a file, so
 * that any process can do the DEL.
 *
 *   cmd     "ADD" or "DEL"
 *   record  print a sample for the chain and one for each plugin
 *   us      time from the first start to the last exit; may be NULL
 *
 * Returns 0, or -1 after saying on stderr which plugin failed and what it wrote.
 */
int chain_run(struct variant *v, const char *cmd, int n, bool record, double *us);

#endif
