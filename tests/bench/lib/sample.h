/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_LIB_SAMPLE_H
#define TESTS_BENCH_LIB_SAMPLE_H

/* What every benchmark program needs: a clock, a way to give up, a way to hand over a number. */

/* CLOCK_MONOTONIC in microseconds. */
double now_us(void);

/*
 * Prints "PROGRAM: sentence: errno text" on stderr and exits 1. A benchmark has nobody to return an
 * error to.
 */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/*
 * Prints one measured value as a line of five fields separated by tabs, for report.awk:
 * section (the environment's BENCH_SECTION), variant, operation, unit, value.
 */
void sample(const char *variant, const char *op, const char *unit, double value);

/*
 * Ends the program unless tests/bench/private started it: nothing here may meet the machine's own
 * namespaces.
 */
void require_private(void);

#endif
