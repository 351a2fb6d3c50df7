/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_LOGFILE_H
#define NARU_ENGINE_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct logfile;

/*
 * A log file behind a buffer of a megabyte and a thread that writes it, so that a disk that does
 * not answer holds nobody up. Entries that find the buffer full and no progress for 100 ms, or that
 * the file system refuses, are dropped and counted; when writing works again an entry says how
 * many.
 */
int logfile_open(int fd, struct logfile **out, struct err *e); /* fd: O_APPEND, borrowed */
/* One complete entry, newline included. */
void logfile_add(struct logfile *l, const char *entry, size_t len);
/*
 * Waits for the rest to be written, at most timeout_ms; frees (unless the writer hangs in the
 * kernel). Returns what was dropped.
 */
uint64_t logfile_close(struct logfile *l, int timeout_ms);

#endif
