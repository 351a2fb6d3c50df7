/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_DEVICES_H
#define NARU_ENGINE_DEVICES_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct spec_device_rule;

#define DEVICES_INSNS_MAX 2048

/*
 * Whether the rules ask for docker's default devices and nothing else (or there are none): then the
 * filter of the parent group serves all containers, and none has to be loaded for this one.
 */
bool devices_are_default(const struct spec_device_rule *rules, size_t n);

/*
 * The program of a version 2 group (BPF_PROG_TYPE_CGROUP_DEVICE) for a list of rules, of which the
 * last that matches decides; docker's default devices are allowed after them, as runc does, and
 * mknod is allowed for every device. Pure. Returns the number of instructions or -E2BIG.
 */
int devices_program(const struct spec_device_rule *rules, size_t n, struct bpf_insn *insn,
		    size_t max);

/*
 * Loads it and attaches it to a version 2 group. 0; -EPERM and the like when this kernel has no
 * such filter.
 */
int devices_restrict(int cgroup, const struct spec_device_rule *rules, size_t n, struct err *e);
/* Whether a version 2 group has a filter of its own. */
bool devices_restricted(int cgroup);

/* The same for a version 1 devices group, by its directory. */
int devices_restrict_v1(int dir, const struct spec_device_rule *rules, size_t n, struct err *e);
bool devices_restricted_v1(int dir);

#endif
