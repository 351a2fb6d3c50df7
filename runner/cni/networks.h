/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_NETWORKS_H
#define NARU_CNI_NETWORKS_H

#include "netlib/cni/netlist.h"

struct err;

/*
 * Networks of an operator's call: the one called name, or (NULL) all: of dir, in the order of
 * libcni, then those of naru run, at last the one that is built in; of a name that stands twice the
 * first. fn gets where the plugins are, which is path but for naru's own. A file that cannot be
 * read does not hold up the others: the first error is returned at the end.
 */
typedef int networks_fn(const struct netlist *n, const char *path, void *arg, struct err *e);
int networks_each(const char *dir, const char *path, const char *name, networks_fn *fn, void *arg,
		  struct err *e);

#endif
