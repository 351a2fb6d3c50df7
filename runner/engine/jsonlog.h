/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_JSONLOG_H
#define NARU_ENGINE_JSONLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define JSONLOG_LINE_MAX \
	16384 /* docker cuts longer lines into parts; only the last ends with "\n" */
#define JSONLOG_ENTRY_MAX (JSONLOG_LINE_MAX * 6 + 128)

/*
 * One entry of docker's json-file log:
 * {"log":"hello\n","stream":"stdout","time":"2026-11-24T22:00:00.123456789Z"} and a newline. Bytes
 * that are not UTF-8 become U+FFFD, as Go's encoder has it. Pure. out has room for
 * JSONLOG_ENTRY_MAX; returns the length.
 */
size_t jsonlog_entry(char *out, const char *line, size_t len, const char *stream,
		     const struct timespec *when);

/* The bytes of one stream on their way to becoming lines. */
struct jsonlog_stream {
	char part[JSONLOG_LINE_MAX];
	size_t len;
};

/*
 * Calls fn for each line (with its "\n") or full part in what has come; at the end of the stream
 * call it with n 0.
 */
void jsonlog_feed(struct jsonlog_stream *s, const char *bytes, size_t n,
		  void (*fn)(void *arg, const char *line, size_t len), void *arg);

#endif
