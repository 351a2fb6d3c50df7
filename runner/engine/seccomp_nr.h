/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_SECCOMP_NR_H
#define NARU_ENGINE_SECCOMP_NR_H

#include <stddef.h>
#include <stdint.h>

/* The calling conventions of a container's processes; each has its own numbers. */
enum seccomp_abi {
	SECCOMP_ABI_X86_64,
	SECCOMP_ABI_X86,
	SECCOMP_ABI_X32, /* shares the audit architecture of x86_64; numbers carry bit 30 */
	SECCOMP_ABI_AARCH64,
	SECCOMP_ABI_ARM,
	SECCOMP_ABIS,
};

enum seccomp_machine { SECCOMP_MACHINE_X86_64 = 1, SECCOMP_MACHINE_AARCH64 = 2 };

#if defined(__aarch64__)
#define SECCOMP_MACHINE_NATIVE SECCOMP_MACHINE_AARCH64
#else
#define SECCOMP_MACHINE_NATIVE SECCOMP_MACHINE_X86_64
#endif

#define SECCOMP_NR_NONE (-1) /* this convention has no such call */
#define SECCOMP_NR_ROWS_MAX 512

struct seccomp_nr {
	char name[30];
	int32_t nr[SECCOMP_ABIS];
};

/* Sorted by name. */
const struct seccomp_nr *seccomp_nr_rows(size_t *len);

/* NULL when no convention has a call of that name; name need not be terminated. */
const struct seccomp_nr *seccomp_nr_find(const char *name, size_t len);

#endif
