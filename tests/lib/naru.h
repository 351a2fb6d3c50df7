/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_NARU_H
#define TESTS_LIB_NARU_H

#include "tests/lib/lab_cmd.h"

/*
 * The runner from outside: command lines for the shell, with `naru` found in the build. In a
 * laboratory only (lab_enter).
 */
void naru_call(struct lab_result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What a command that must succeed writes to stdout, without its last newline; the caller frees it.
 */
char *naru_out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A command that must succeed. */
void naru_ok(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Fails the test unless the command exits with status and says exactly err on stderr. */
void naru_refuses(int status, const char *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Imports an image of busybox as bb:1, once for the laboratory; skips the test when the machine has
 * no static busybox. The root it was made from stays at NARU_ROOTFS.
 */
#define NARU_ROOTFS "/run/rootfs"
void naru_image(void);

/*
 * The machine, without what is meant to stay or to go by itself: the address given last, and the
 * process that closes a firewall socket. The caller frees it.
 */
char *naru_snapshot(void);

/* Removes every container and calls naru gc: what is left then is residue. */
void naru_sweep(void);

#endif
