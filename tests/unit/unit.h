/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* cmocka with what it needs before it, and what every table of cases uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"

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
		fail_msg("case %zu (%s):\nexpected %s\ngot      %s", i, what, want,
			 got ? got : "nothing");
}

/*
 * The text of a golden file, to the byte. GOLDEN=write makes the file anew; look at the difference
 * before committing it.
 */
static inline void assert_golden(const char *path, const char *text)
{
	const char *mode = getenv("GOLDEN");
	cleanup_free char *want = NULL;
	struct err e = ERR_INIT;

	if (mode && !strcmp(mode, "write")) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	if (file_read_at(AT_FDCWD, path, 1 << 20, &want, NULL, &e) < 0)
		fail_msg("%s", e.text);
	if (strcmp(text, want))
		fail_msg("%s:\nexpected %s\ngot      %s", path, want, text);
}

#endif
