/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_PEEK_H
#define TESTS_TOOLS_STEPPER_PEEK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define TEXT_MAX 512

/* A line of text that grows to TEXT_MAX - 1 bytes and then stays as it is. Always terminated. */
struct text {
	size_t len;
	char buf[TEXT_MAX];
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads up to len bytes at addr of a stopped thread; returns how many were readable. */
size_t peek_mem(pid_t tid, uint64_t addr, void *buf, size_t len);

/*
 * Reads a string; cut at size - 1, always terminated. Returns 0, or -1 when nothing was readable.
 */
int peek_str(pid_t tid, uint64_t addr, char *buf, size_t size);

/*
 * A path argument as a name a reader knows: relative to a directory descriptor it is joined with
 * the name of that directory, relative to the working directory it stays as it was given.
 */
void peek_path(pid_t tid, int dirfd, uint64_t addr, char *buf, size_t size);

int peek_fd_stat(pid_t tid, int fd, struct stat *st);
void peek_fd_name(pid_t tid, int fd, char *buf, size_t size);

/* Family and protocol of a socket in another process; returns 0, or -1 when it is none. */
int peek_socket(pid_t tgid, int fd, int *family, int *protocol);

/*
 * A numeric column of /proc/TID/status, for instance "Tgid:"; the last one of several. -1 when
 * absent.
 */
long peek_status(pid_t tid, const char *key);

/* Base name of the program (at most 15 bytes, as it was called) and of the file behind it. */
void peek_program(pid_t tid, char comm[16], char *exe, size_t size);

#endif
