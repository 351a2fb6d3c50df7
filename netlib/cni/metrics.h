/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_METRICS_H
#define NARU_CNI_METRICS_H

#include <stdint.h>

/*
 * Counters for a node exporter (CNI_SPEC.md "Metrics"): the file that NARU_METRICS names holds them
 * in the text format of Prometheus, and is replaced as a whole under a lock beside it. Off without
 * the variable. What cannot be counted is not: no operation fails for it.
 */
#define METRICS_VAR "NARU_METRICS"
#define METRICS_MAX (256 * 1024)

/* One operation more: code 0 is success. */
void metrics_count(const char *plugin, const char *verb, int code, int64_t us);

#endif
