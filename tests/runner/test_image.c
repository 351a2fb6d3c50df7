// SPDX-License-Identifier: GPL-2.0-or-later
/* Layers as they are unpacked: what archives hold, and what overlayfs wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/image/import.h"
#include "runner/image/store.h"
#include "tests/lib/imglab.h"

static void owners_modes_times_and_links_survive(void **state)
{
	cleanup_image struct image i = IMAGE_INIT;
	struct stat st, copy;
	char link[64] = "";

	(void)state;
	imglab_open(imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0), &i);
	assert_int_equal(stat(imglab_layer(&i, "etc/motd"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(stat(imglab_layer(&i, "etc/copy"), &copy), 0);
	assert_int_equal(copy.st_ino, st.st_ino);
	assert_int_equal(stat(imglab_layer(&i, "etc"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtime, 1000);
	assert_true(readlink(imglab_layer(&i, "etc/link"), link, sizeof link - 1) > 0);
	assert_string_equal(link, "/nowhere/at/all");
	assert_int_equal(stat(imglab_layer(&i, "run/fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	/* a parent the archive did not mention */
	assert_int_equal(stat(imglab_layer(&i, "run"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(access(imglab_layer(&i, "dev/null"), F_OK), -1);
}

static void every_packing_gives_the_same_layer(void **state)
{
	static const int filters[] = { 0,
				       ARCHIVE_FILTER_GZIP,
				       ARCHIVE_FILTER_BZIP2,
				       ARCHIVE_FILTER_XZ,
				       ARCHIVE_FILTER_ZSTD,
				       ARCHIVE_FILTER_LZ4 };
	struct import_result first = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct import_result res = { 0 };
		struct err e = ERR_INIT;

		if (imglab_import(imglab_archive("a", imglab_small, IMGLAB_SMALL, filters[i]),
				  "test:1", &res, &e) < 0)
			fail_msg("filter %d: %s", filters[i], e.text);
		assert_int_equal(res.stats.entries, IMGLAB_SMALL);
		assert_int_equal(res.stats.devices_left_out, 1);
		if (!i)
			first = res;
		assert_string_equal(res.diff_id, first.diff_id);
		/* the time is fixed: made twice, the image is the same */
		assert_string_equal(res.id, first.id);
	}
	assert_int_equal(imglab_count("images/layers"), 1);
}

static void the_digest_is_that_of_the_tar_file(void **state)
{
	struct import_result res;
	char command[256], sum[80] = "";
	struct err e = ERR_INIT;

	(void)state;
	(void)snprintf(
		command, sizeof command,
		"mkdir -p %s/t/d && echo x > %s/t/d/f && tar -C %s/t -cf %s/r.tar . && sha256sum %s/r.tar",
		imglab_dir(), imglab_dir(), imglab_dir(), imglab_dir(), imglab_dir());
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(sum, 65, f));
	(void)pclose(f);
	assert_int_equal(imglab_import(imglab_at("r.tar"), "test:1", &res, &e), 0);
	assert_string_equal(res.diff_id, sum);
}

static bool is_whiteout(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *path)
{
	char v = 0;

	return getxattr(path, "trusted.overlay.opaque", &v, 1) == 1 && v == 'y';
}

static void whiteouts_take_the_form_of_overlayfs(void **state)
{
	static const struct imglab_item items[] = {
		{ "a/", AE_IFDIR },
		{ "a/.wh.gone" },
		{ "b/", AE_IFDIR },
		{ "b/kept", .data = "x" },
		{ "b/.wh..wh..opq" },
		/* whiteout first: the new directory hides the old one; and the other way round */
		{ ".wh.c" },
		{ "c/", AE_IFDIR },
		{ "c/new", .data = "x" },
		{ "d/", AE_IFDIR },
		{ ".wh.d" },
		/* a directory that is never mentioned itself */
		{ ".wh.e" },
		{ "e/child", .data = "x" },
		{ ".wh.f" },
		{ "f", .data = "file" },
		/* aufs' book-keeping */
		{ "g/.wh..wh.plnk", .data = "" },
	};
	cleanup_image struct image i = IMAGE_INIT;

	(void)state;
	imglab_open(imglab_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	assert_true(is_whiteout(imglab_layer(&i, "a/gone")));
	assert_false(is_opaque(imglab_layer(&i, "a")));
	assert_true(is_opaque(imglab_layer(&i, "b")));
	assert_true(is_opaque(imglab_layer(&i, "c")));
	assert_int_equal(access(imglab_layer(&i, "c/new"), F_OK), 0);
	assert_true(is_opaque(imglab_layer(&i, "d")));
	assert_true(is_opaque(imglab_layer(&i, "e")));
	assert_false(is_whiteout(imglab_layer(&i, "f")));
	assert_int_equal(access(imglab_layer(&i, "g/.wh..wh.plnk"), F_OK), -1);
}

static void later_entries_replace_earlier_ones(void **state)
{
	static const struct imglab_item items[] = {
		{ "f", .data = "old" },
		{ "f", .data = "new!" },
		{ "d/", AE_IFDIR },
		{ "d/x", .data = "x" },
		{ "d", .data = "a file now" },
		{ "l", AE_IFLNK, "/etc" },
		{ "l/", AE_IFDIR },
		{ "l/in", .data = "x" },
		{ "m/", AE_IFDIR, .mode = 0700 },
		{ "m/", AE_IFDIR, .mode = 0711 },
	};
	cleanup_image struct image i = IMAGE_INIT;
	struct stat st;

	(void)state;
	imglab_open(imglab_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	assert_int_equal(stat(imglab_layer(&i, "f"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(stat(imglab_layer(&i, "d"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(access(imglab_layer(&i, "l/in"), F_OK), 0);
	assert_int_equal(stat(imglab_layer(&i, "m"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

static void attributes_of_the_overlay_are_never_taken(void **state)
{
	static const struct imglab_item items[] = {
		{ "a/", AE_IFDIR, .xattr = "trusted.overlay.opaque" },
		{ "b/", AE_IFDIR, .xattr = "user.overlay.opaque" },
		{ "c", .data = "x", .xattr = "trusted.other" },
	};
	cleanup_image struct image i = IMAGE_INIT;

	(void)state;
	imglab_open(imglab_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	for (const char *const *n = (const char *const[]){ "a", "b", "c", NULL }; *n; n++)
		assert_int_equal(listxattr(imglab_layer(&i, *n), NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMGLAB(owners_modes_times_and_links_survive),
		IMGLAB(every_packing_gives_the_same_layer),
		IMGLAB(the_digest_is_that_of_the_tar_file),
		IMGLAB(whiteouts_take_the_form_of_overlayfs),
		IMGLAB(later_entries_replace_earlier_ones),
		IMGLAB(attributes_of_the_overlay_are_never_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
