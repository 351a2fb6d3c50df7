// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/sample.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

void sample(const char *variant, const char *op, const char *unit, double value)
{
	const char *section = getenv("BENCH_SECTION");

	printf("%s\t%s\t%s\t%s\t%.1f\n", section ? section : "-", variant, op, unit, value);
	fflush(stdout);
}

void require_private(void)
{
	if (getenv("BENCH_PRIVATE"))
		return;
	fprintf(stderr,
		"%s: runs in private namespaces only, start it through "
		"tests/bench/private\n",
		program_invocation_short_name);
	exit(2);
}
