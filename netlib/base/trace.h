/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_TRACE_H
#define NARU_BASE_TRACE_H

#include <stdint.h>

/*
 * Events as JSON lines, appended to the file that CNI_TRACE (plugins) or NARU_TRACE (runner) names;
 * off without it. {"t":<CLOCK_REALTIME us>,"pid":..,"prog":..,"ev":"row","name":"veth","us":812}
 */
void trace_open(const char *file, const char *prog); /* file NULL or "": off */
int trace_on(void);
void trace_event(const char *ev, const char *name, int64_t us, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
