// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "netlib/base/err.h"
#include "runner/spec.h"

static const char *const names[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = "memory", [CGROUP_CPU] = "cpu",	  [CGROUP_PIDS] = "pids",
	[CGROUP_CPUSET] = "cpuset", [CGROUP_DEVICES] = "devices", [CGROUP_FREEZER] = "freezer",
};

const char *cgroup_controller_name(enum cgroup_controller c)
{
	return names[c];
}

/* ---------------------------------------------------------------- shares to weight */

/* The two logarithms of the formula, without a mathematics library for one call. */
static double log2_of(double x)
{
	double r = 0, bit = 1;

	while (x >= 2) {
		x /= 2;
		r++;
	}
	for (int i = 0; i < 48; i++) {
		bit /= 2;
		x *= x;
		if (x >= 2) {
			x /= 2;
			r += bit;
		}
	}
	return r;
}

static double power_of_ten(double y)
{
	double z = y * 2.302585092994045684, term = 1, sum = 1; /* ln 10 */

	for (int i = 1; i < 64; i++) {
		term *= z / i;
		sum += term;
	}
	return sum;
}

unsigned limits_cpu_weight(uint64_t shares)
{
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of((double)shares);
	double w = power_of_ten((l * l + 125 * l) / 612 - 7.0 / 34);
	unsigned n = (unsigned)w;

	return n + (w - n > 1e-9); /* rounded up */
}

/* ---------------------------------------------------------------- one limit, two spellings */

typedef void value_fn(char *buf, size_t size, const struct spec_resources *r);

static void number(char *buf, size_t size, int64_t n, const char *unlimited)
{
	if (n < 0)
		(void)snprintf(buf, size, "%s", unlimited);
	else
		(void)snprintf(buf, size, "%" PRId64, n);
}

static void memory_v1(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->memory, "-1");
}
static void memory_v2(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->memory, "max");
}
static void swap_v1(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->swap, "-1");
}
static void reservation(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->reservation, "-1");
}
static void low_v2(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->reservation, "max");
}
static void shares_v1(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->cpu_shares, "1024");
}
static void period_v1(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->cpu_period, "100000");
}
static void quota_v1(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->cpu_quota, "-1");
}
static void pids_max(char *b, size_t n, const struct spec_resources *r)
{
	number(b, n, r->pids, "max");
}

/* Version 2 counts swap alone, the document memory and swap together. */
static void swap_v2(char *b, size_t n, const struct spec_resources *r)
{
	int64_t only = r->swap < 0 || r->memory < 0 ? -1 : r->swap - r->memory;

	number(b, n, only < 0 && r->swap >= 0 && r->memory >= 0 ? 0 : only, "max");
}

static void weight_v2(char *b, size_t n, const struct spec_resources *r)
{
	(void)snprintf(b, n, "%u", limits_cpu_weight((uint64_t)r->cpu_shares));
}

static void max_v2(char *b, size_t n, const struct spec_resources *r)
{
	char quota[24];

	number(quota, sizeof quota, r->cpu_quota, "max");
	(void)snprintf(b, n, "%s %" PRId64, quota, r->cpu_period > 0 ? r->cpu_period : 100000);
}

static bool has_memory(const struct spec_resources *r)
{
	return r->memory != SPEC_NO_LIMIT;
}
static bool has_swap(const struct spec_resources *r)
{
	return r->swap != SPEC_NO_LIMIT;
}
static bool has_reservation(const struct spec_resources *r)
{
	return r->reservation != SPEC_NO_LIMIT;
}
static bool has_shares(const struct spec_resources *r)
{
	return r->cpu_shares > 0;
}
static bool has_quota(const struct spec_resources *r)
{
	return r->cpu_quota != SPEC_NO_LIMIT && r->cpu_quota != 0;
}
static bool has_period(const struct spec_resources *r)
{
	return r->cpu_period > 0;
}
static bool has_max(const struct spec_resources *r)
{
	return has_quota(r) || has_period(r);
}
static bool has_pids(const struct spec_resources *r)
{
	return r->pids != SPEC_NO_LIMIT && r->pids != 0;
}
static bool has_cpus(const struct spec_resources *r)
{
	return r->cpus && *r->cpus;
}
static bool has_mems(const struct spec_resources *r)
{
	return r->mems && *r->mems;
}
static const char *cpus(const struct spec_resources *r)
{
	return r->cpus;
}
static const char *mems(const struct spec_resources *r)
{
	return r->mems;
}

static const struct {
	const char *what; /* for the error */
	enum cgroup_controller controller;
	bool (*wanted)(const struct spec_resources *r);
	const char *v1_file, *v2_file; /* NULL: not written there */
	value_fn *v1_value, *v2_value;
	const char *(*text)(const struct spec_resources *r);
	bool optional;
} table[] = {
	{ "memory limit", CGROUP_MEMORY, has_memory, "memory.limit_in_bytes", "memory.max",
	  memory_v1, memory_v2, NULL, false },
	{ "swap limit", CGROUP_MEMORY, has_swap, "memory.memsw.limit_in_bytes", "memory.swap.max",
	  swap_v1, swap_v2, NULL, true },
	{ "memory reservation", CGROUP_MEMORY, has_reservation, "memory.soft_limit_in_bytes",
	  "memory.low", reservation, low_v2, NULL, false },
	{ "CPU shares", CGROUP_CPU, has_shares, "cpu.shares", "cpu.weight", shares_v1, weight_v2,
	  NULL, false },
	{ "CPU limit", CGROUP_CPU, has_period, "cpu.cfs_period_us", NULL, period_v1, NULL, NULL,
	  false },
	{ "CPU limit", CGROUP_CPU, has_quota, "cpu.cfs_quota_us", NULL, quota_v1, NULL, NULL,
	  false },
	{ "CPU limit", CGROUP_CPU, has_max, NULL, "cpu.max", NULL, max_v2, NULL, false },
	{ "limit of processes", CGROUP_PIDS, has_pids, "pids.max", "pids.max", pids_max, pids_max,
	  NULL, false },
	{ "choice of CPUs", CGROUP_CPUSET, has_cpus, "cpuset.cpus", "cpuset.cpus", NULL, NULL, cpus,
	  false },
	{ "choice of memory nodes", CGROUP_CPUSET, has_mems, "cpuset.mems", "cpuset.mems", NULL,
	  NULL, mems, false },
};

int limits_plan(const struct spec_resources *res, unsigned v1, unsigned v2,
		struct cgroup_write *out, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		unsigned bit = 1u << table[i].controller;
		bool use_v2 = v2 & bit;
		const char *file = use_v2 ? table[i].v2_file : table[i].v1_file;
		value_fn *value = use_v2 ? table[i].v2_value : table[i].v1_value;

		if (!table[i].wanted(res))
			continue;
		if (!((v1 | v2) & bit))
			return err_say(
				e, -ENOTSUP,
				"%s: no limits available, this machine has no \"%s\" controller (neither a version 1 hierarchy "
				"in /sys/fs/cgroup nor in cgroup.controllers of version 2); leave the limit out",
				table[i].what, names[table[i].controller]);
		if (!file)
			continue;
		out[n] = (struct cgroup_write){
			table[i].controller, use_v2, file,
			table[i].optional,   "",     table[i].text ? table[i].text(res) : NULL
		};
		if (value)
			value(out[n].value, sizeof out[n].value, res);
		n++;
	}
	return n;
}
