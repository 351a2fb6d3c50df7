/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* cmocka with what it needs before it, and what every table of cases uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"

/* Which row of a table failed: cmocka's message alone does not say. */
#define row_fail(i, what) fail_msg("case %zu: %s", (size_t)(i), (what))

static inline void row_int(size_t i, const char *what, long long got, long long want)
{
	if (got != want)
		fail_msg("case %zu (%s): expected %lld, got %lld", i, what, want, got);
}

static inline void row_text(size_t i, const char *what, const char *got, const char *want)
{
	if (!got || strcmp(got, want))
		fail_msg("case %zu (%s):\nexpected %s\ngot      %s", i, what, want, got ? got : "nothing");
}

#endif
