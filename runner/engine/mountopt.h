/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_MOUNTOPT_H
#define NARU_ENGINE_MOUNTOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define MOUNTOPT_DATA_MAX 32

/* The options of one mount (OCI runtime specification, "mounts", Linux), taken apart. */
struct mountopt {
	bool bind, recursive;  /* "bind", "rbind" */
	uint64_t set, clear;   /* MOUNT_ATTR_... of this mount */
	uint64_t rset, rclear; /* ... of everything below it too ("rro") */
	uint64_t propagation;  /* MS_PRIVATE, ... ; 0: not asked for */
	bool propagation_recursive;
	const char
		*data[MOUNTOPT_DATA_MAX]; /* for the file system, "key" or "key=value"; borrowed */
	size_t ndata;
};

/*
 * Pure. Words the table does not know go to the file system. -E2BIG when there are too many,
 * -ENOTSUP for idmap and tmpcopyup.
 */
int mountopt_parse(const char *const *options, size_t n, struct mountopt *out, struct err *e);

#endif
