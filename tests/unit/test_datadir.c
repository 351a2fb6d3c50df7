// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipam/datadir.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

static char root[] = "/tmp/naru-test-datadir-XXXXXX";

static int fresh(void **state)
{
	(void)state;
	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	return mkdtemp(root) ? 0 : -1;
}

static int wipe(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, root, NULL);
}

static void an_untrusted_directory_is_refused(void **state)
{
	cleanup_free char *open_dir = str_fmt("%s/open", root),
			  *below = str_fmt("%s/open/below", root);
	cleanup_free char *sticky = str_fmt("%s/sticky", root),
			  *in_sticky = str_fmt("%s/sticky/net", root);
	cleanup_free char *link = str_fmt("%s/link", root), *through = str_fmt("%s/link/net", root);
	cleanup_free char *file = str_fmt("%s/file", root);
	const struct {
		const char *path, *error;
		int code;
	} cases[] = {
		{ "relative/path", "dataDir \"relative/path\": expected an absolute path",
		  CNI_E_CONFIG },
		{ open_dir,
		  " has mode 0777; reservations are kept only where nobody but root can write: run \"chmod go-w\" on it or "
		  "choose another \"dataDir\"",
		  CNI_E_CONFIG },
		{ below, " has mode 0777; ", CNI_E_CONFIG },
		{ sticky, " has mode 1777; ", CNI_E_CONFIG },
		{ in_sticky, NULL, 0 },
		{ through, NULL, 0 },
		{ file, "Not a directory", 0 },
	};

	(void)state;
	assert_int_equal(mkdir(open_dir, 0755) | chmod(open_dir, 0777), 0);
	assert_int_equal(mkdir(sticky, 0755) | chmod(sticky, 01777), 0);
	assert_int_equal(symlink("sticky", link), 0);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		cleanup_fd int fd = datadir_open(cases[i].path, true, &e);

		assert_true(cases[i].error ? fd < 0 : fd >= 0);
		if (cases[i].error && !strstr(e.text, cases[i].error))
			fail_msg("%s", e.text);
		assert_int_equal(e.code, cases[i].code);
	}
	if (geteuid())
		return;
	struct err e = ERR_INIT;
	assert_int_equal(chown(in_sticky, 12345, 0), 0);
	assert_true(datadir_open(in_sticky, true, &e) < 0);
	assert_non_null(strstr(e.text, "belongs to user 12345; "));
	assert_int_equal(lchown(link, 12345, 0), 0); /* a link somebody else made */
	assert_true(datadir_open(through, true, &e) < 0);
	assert_non_null(strstr(e.text, "belongs to user 12345; "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_untrusted_directory_is_refused, fresh, wipe)
	};

	return cmocka_run_group_tests_name("datadir", tests, NULL, NULL);
}
