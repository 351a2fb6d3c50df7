/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_TRACE_H
#define NARU_BASE_TRACE_H

#include <stdint.h>

/*
 * Events as JSON lines, appended to the file that CNI_TRACE (plugins) or NARU_TRACE (runner) names;
 * off without it, and then nothing but a comparison. doc/STATE.md has the members.
 *
 * Processes of one operation belong together by W3C trace context: TRACEPARENT of the environment
 * is where this one came from, and is replaced by this one for those that it starts.
 */
void trace_open(const char *file, const char *prog); /* file NULL or "": off */
int trace_on(void);

/* What all further events are about; borrowed, NULL leaves one out. */
struct trace_about {
	const char *verb, *network, *container, *ifname;
};
void trace_about(const struct trace_about *about);

/* us < 0: it has no duration. */
void trace_event(const char *ev, const char *name, int64_t us, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
