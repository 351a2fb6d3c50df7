/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_LIMITS_H
#define NARU_ENGINE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct spec_resources;

/* The controllers we know; the bit of a hierarchy or of a version 2 controller is 1 << this. */
enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_PIDS,
	CGROUP_CPUSET,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_CONTROLLERS
};

const char *cgroup_controller_name(enum cgroup_controller c);

struct cgroup_write {
	enum cgroup_controller controller;
	bool v2;
	const char *file;
	/* a kernel without that file has nothing to limit there (swap accounting off) */
	bool optional;
	char value[64];
	const char *text; /* instead of value, when longer; borrowed */
};

#define CGROUP_WRITES_MAX 16

/*
 * What to write where for the limits asked for, in an order without invalid states in between.
 * Pure.
 *
 *   v1, v2   controllers there are as version 1 hierarchies and in the version 2 tree; version 2 is
 * preferred
 *
 * Returns the number of writes; -ENOTSUP naming the limit and the controller that is missing.
 */
int limits_plan(const struct spec_resources *res, unsigned v1, unsigned v2,
		struct cgroup_write *out, struct err *e);

/* cpu.weight for cpu.shares: 2 -> 1, 1024 -> 100, 262144 -> 10000, as crun and runc convert. */
unsigned limits_cpu_weight(uint64_t shares);

#endif
