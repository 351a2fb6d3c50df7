// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/error.h"
#include "tests/unit/unit.h"

#include <errno.h>

#include "netlib/base/str.h"

static void errno_becomes_a_code_in_one_table(void **state)
{
	static const struct {
		int no, code;
	} cases[] = {
		{ EAGAIN, 11 },
		{ EBUSY, 11 },
		{ ETIMEDOUT, 11 },
		{ EIO, 5 },
		{ ENOSPC, 5 },
		{ EDQUOT, 5 },
		{ EROFS, 5 },
		{ EADDRINUSE, 100 },
		{ EEXIST, 100 },
		{ EPERM, 103 },
		{ EACCES, 103 },
		{ EOPNOTSUPP, 104 },
		{ EPROTONOSUPPORT, 104 },
		{ ENOSYS, 104 },
		{ EINVAL, 999 },
		{ ENOENT, 999 },
		{ ENOMEM, 999 },
		{ ENODEV, 999 },
		{ 0, 999 },
		{ 4711, 999 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { .no = cases[i].no };

		row_int(i, strerror(cases[i].no), cni_error_code(&e), cases[i].code);
		e.code = 7; /* a code of its own comes first */
		row_int(i, strerror(cases[i].no), cni_error_code(&e), 7);
	}
}

static void the_document_has_its_keys_in_order(void **state)
{
	static const struct {
		struct err e;
		const char *version, *golden;
	} cases[] = {
		{ { .no = EINVAL,
		    .code = 7,
		    .text = "/mtu: expected integer 68..65535, got 5",
		    .details = "see <the> manual & co" },
		  "1.0.0",
		  "tests/golden/errors/details" },
		{ { .no = ENODEV, .text = "no \"eth0\"\n\tin \\ here \xff" },
		  "0.3.1",
		  "tests/golden/errors/escapes" },
		{ { .no = EIO, .text = "x" }, NULL, "tests/golden/errors/no-version" },
		{ { .no = 0 }, "", "tests/golden/errors/empty" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_str struct str s = STR_INIT;

		cni_error_print(&cases[i].e, cases[i].version, &s);
		assert_golden(cases[i].golden, s.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_becomes_a_code_in_one_table),
		cmocka_unit_test(the_document_has_its_keys_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
