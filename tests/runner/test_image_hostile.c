// SPDX-License-Identifier: GPL-2.0-or-later
/* Archives that are damaged, or mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/image/import.h"
#include "runner/image/store.h"
#include "tests/lib/imglab.h"

static char long_part[600]; /* filled by main */

static void hostile_entries_are_refused_by_name_and_leave_nothing(void **state)
{
	static const struct {
		struct imglab_item items[3];
		const char *error; /* after "import FILE: entry " */
	} cases[] = {
		{ { { "../x", .data = "x" } }, "1 \"../x\": the path has a \"..\" in it" },
		{ { { "a/../../x", .data = "x" } },
		  "1 \"a/../../x\": the path has a \"..\" in it" },
		{ { { "/etc/passwd", .data = "x" } },
		  "1 \"/etc/passwd\": the path is absolute; make the archive with relative names (tar -C DIR .)" },
		{ { { ".", .data = "x" } }, "1 \".\": the root of a layer must be a directory" },
		{ { { "l", AE_IFLNK, "/tmp" }, { "l/x", .data = "x" } },
		  "2 \"l/x\": the path leads through the symbolic link \"l\" of the same layer" },
		{ { { "d/", AE_IFDIR }, { "d/l", AE_IFLNK, ".." }, { "d/l/l/x", .data = "x" } },
		  "3 \"d/l/l/x\": the path leads through the symbolic link \"d/l\" of the same layer" },
		{ { { "f", .data = "x" }, { "f/x", .data = "x" } },
		  "2 \"f/x\": its parent \"f\" is no directory" },
		{ { { "h", .data = "/etc/passwd", .hardlink = true } },
		  "1 \"h\": hard link to \"/etc/passwd\": the path is absolute; make the archive with relative names (tar -C DIR .)" },
		{ { { "h", .data = "../../etc/passwd", .hardlink = true } },
		  "1 \"h\": hard link to \"../../etc/passwd\": the path has a \"..\" in it" },
		{ { { "h", .data = "later", .hardlink = true } },
		  "1 \"h\": hard link to \"later\", which is no earlier entry of the layer" },
		{ { { "l", AE_IFLNK, "/etc" }, { "h", .data = "l/passwd", .hardlink = true } },
		  "2 \"h\": hard link to \"l/passwd\", which is no earlier entry of the layer (what is on the way is no directory)" },
		{ { { "d/", AE_IFDIR }, { "h", .data = "d", .hardlink = true } },
		  "2 \"h\": hard link to \"d\", which is no file" },
		{ { { "sda", AE_IFBLK, .dev = 2048 } },
		  "1 \"sda\": device nodes are accepted below dev/ only (and left out there); make the archive without it (tar "
		  "--exclude)" },
		{ { { "hidden", AE_IFCHR, .dev = 0 } },
		  "1 \"hidden\": device nodes are accepted below dev/ only (and left out there); make the archive without it (tar "
		  "--exclude)" },
		{ { { ".wh.", .data = "" } }, "1 \".wh.\": a whiteout of \"\" is not accepted" },
		{ { { "d/.wh..", .data = "" } },
		  "1 \"d/.wh..\": a whiteout of \".\" is not accepted" },
		{ { { "d/.wh...", .data = "" } },
		  "1 \"d/.wh...\": a whiteout of \"..\" is not accepted" },
		{ { { ".wh.d/", AE_IFDIR } },
		  "1 \".wh.d/\": only an empty file may have a name beginning with \".wh.\"" },
		{ { { ".wh.d/x", .data = "x" } }, "1 \".wh.d/x\": a whiteout holds no entries" },
		{ { { "f", .data = "x", .uid = 4294967295 } },
		  "1 \"f\": owner 4294967295:0 is out of range" },
		{ { { "f", .data = "x", .uid = 4294967296 } },
		  "1 \"f\": owner 4294967296:0 is out of range" },
		{ { { "a\033[31m\nb/../x", .data = "x" } },
		  "1 \"a\\x1b[31m\\x0ab/../x\": the path has a \"..\" in it" },
		{ { { long_part, .data = "x" } }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct import_result res;
		struct err e = ERR_INIT;
		size_t n = 0;

		while (n < 3 && cases[i].items[n].path)
			n++;
		const char *file = imglab_archive("hostile.tar", cases[i].items, n, 0);
		assert_true(imglab_import(file, "test:1", &res, &e) < 0);
		cleanup_free char *want =
			str_fmt("import %s: entry %s", file, cases[i].error ?: "");
		if (cases[i].error)
			assert_string_equal(e.text, want);
		else
			assert_non_null(
				strstr(e.text, "a part of the path is longer than 255 bytes"));
		assert_int_equal(imglab_count("images/layers"), 0);
		assert_int_equal(imglab_count("images/blobs/sha256"), 0);
	}
}

/* One header that states 2^60 bytes and has none of them. */
static void a_file_of_an_exabyte_is_refused_before_it_is_made(void **state)
{
	unsigned char block[1024] = "big";
	unsigned sum = 0;
	struct import_result res;
	struct err e = ERR_INIT;

	(void)state;
	memcpy(block + 100, "0000644", 8);
	memcpy(block + 108, "0000000", 8);
	memcpy(block + 116, "0000000", 8);
	block[124] = 0x80; /* the size, base 256, big end first */
	block[128] = 0x10;
	memcpy(block + 136, "00000000000", 12);
	memcpy(block + 148, "        ", 8);
	block[156] = '0';
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	(void)snprintf((char *)block + 148, 8, "%06o", sum);
	cleanup_fd int fd =
		open(imglab_at("big.tar"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, block, sizeof block), 0);
	assert_true(imglab_import(imglab_at("big.tar"), "test:1", &res, &e) < 0);
	cleanup_free char *want = str_fmt(
		"import %s: entry 1 \"big\": it states 1152921504606846976 bytes; a layer may have 1099511627776 "
		"altogether",
		imglab_at("big.tar"));
	assert_string_equal(e.text, want);
	assert_int_equal(imglab_count("images/layers"), 0);
}

static void what_is_no_archive_is_said_so(void **state)
{
	static const struct {
		const char *bytes, *error;
	} cases[] = {
		{ "", "the file is empty" },
		{ "hello, world\n",
		  "it is no tar archive, plain or packed with gzip, bzip2, xz, zstd or lz4" },
		{ "\x1f\x8b\x08\x00garbage, not deflate", NULL },
	};
	struct import_result res;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		cleanup_free char *want =
			str_fmt("import %s: %s", imglab_at("f"), cases[i].error ?: "");
		cleanup_fd int fd =
			open(imglab_at("f"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		size_t n = i == 2 ? 24 : strlen(cases[i].bytes);

		assert_int_equal(fd_write_all(fd, cases[i].bytes, n), 0);
		assert_true(imglab_import(imglab_at("f"), "test:1", &res, &e) < 0);
		if (cases[i].error)
			assert_string_equal(e.text, want);
	}
	struct err e = ERR_INIT;
	assert_int_equal(imglab_import(imglab_at("absent"), "test:1", &res, &e), -ENOENT);
	assert_int_equal(imglab_import(imglab_dir(), "test:1", &res, &e), -EISDIR);
	assert_non_null(strstr(e.text, "it is a directory; pack it first"));
	assert_int_equal(imglab_import("http://x/y", "test:1", &res, &e), -EINVAL);
	assert_int_equal(imglab_count("images/layers"), 0);
}

static void a_truncated_archive_leaves_nothing(void **state)
{
	static char data[100001];
	const struct imglab_item items[] = { { "f", .data = data }, { "g", .data = data } };
	struct import_result res;

	(void)state;
	memset(data, 'x', sizeof data - 1);
	for (int gz = 0; gz < 2; gz++) {
		const char *file = imglab_archive("a.tar", items, 2, gz ? ARCHIVE_FILTER_GZIP : 0);
		struct err e = ERR_INIT;
		struct stat st;

		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(truncate(file, st.st_size / 2), 0);
		assert_true(imglab_import(file, "test:1", &res, &e) < 0);
		assert_non_null(strstr(e.text, "the archive cannot be read: "));
		assert_int_equal(imglab_count("images/layers"), 0);
	}
}

/* 400 MB of zeros in 400 kB: stopped long before the disk notices. */
static void a_bomb_is_stopped_at_a_hundred_times_its_size(void **state)
{
	struct archive *a = archive_write_new();
	struct archive_entry *ent = archive_entry_new();
	static char zeros[1 << 20];
	struct import_result res;
	struct err e = ERR_INIT;

	(void)state;
	archive_write_set_format_pax(a);
	archive_write_add_filter_gzip(a);
	assert_int_equal(archive_write_open_filename(a, imglab_at("bomb.tar.gz")), ARCHIVE_OK);
	archive_entry_set_pathname(ent, "zeros");
	archive_entry_set_filetype(ent, AE_IFREG);
	archive_entry_set_size(ent, 400 << 20);
	archive_write_header(a, ent);
	for (int i = 0; i < 400; i++)
		assert_int_equal(archive_write_data(a, zeros, sizeof zeros), sizeof zeros);
	archive_entry_free(ent);
	archive_write_free(a);
	assert_true(imglab_import(imglab_at("bomb.tar.gz"), "test:1", &res, &e) < 0);
	assert_non_null(strstr(
		e.text,
		"it grows to more than 100 times its size; unpack it and import the plain tar"));
	assert_int_equal(imglab_count("images/layers"), 0);
}

static void wrong_options_are_quoted(void **state)
{
	static const struct {
		const char *change, *platform, *error;
	} cases[] = {
		{ "FROM x", NULL,
		  "change \"FROM x\": unknown instruction; expected CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR" },
		{ "CMD", NULL, "change \"CMD\": a value is missing" },
		{ "CMD [\"a\"", NULL,
		  "change \"CMD [\"a\"\": invalid JSON at offset 4: the document ends too early" },
		{ "ENV A", NULL, "change \"ENV A\": expected NAME=VALUE" },
		{ "ENV A=1 B", NULL, "change \"ENV A=1 B\": expected NAME=VALUE, got \"B\"" },
		{ "ENV A=\"1", NULL, "change \"ENV A=\"1\": a \" is not closed" },
		{ "EXPOSE 0", NULL,
		  "change \"EXPOSE 0\": expected a port or a range of ports 1..65535, got \"0\"" },
		{ "EXPOSE 9-8", NULL,
		  "change \"EXPOSE 9-8\": expected a port or a range of ports 1..65535, got \"9-8\"" },
		{ "EXPOSE 80/xyz", NULL,
		  "change \"EXPOSE 80/xyz\": expected tcp, udp or sctp after the '/', got \"xyz\"" },
		{ "VOLUME data", NULL,
		  "change \"VOLUME data\": expected an absolute path, got \"data\"" },
		{ "USER a b", NULL, "change \"USER a b\": expected one value, got 2" },
		{ "USER root\n", NULL,
		  "change \"USER root\n\": control characters are not accepted" },
		{ NULL, "linux",
		  "platform \"linux\": expected OS/ARCHITECTURE such as linux/arm64" },
	};
	cleanup_free char *file = strdup(imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *changes[] = { cases[i].change };
		const struct import_spec spec = {
			.file = file,
			.name = "test:1",
			.changes = changes,
			.nchanges = cases[i].change != NULL,
			.platform = cases[i].platform,
		};
		struct import_result res;
		struct err e = ERR_INIT;

		assert_true(image_import(&spec, &res, &e) < 0);
		assert_string_equal(e.text, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMGLAB(hostile_entries_are_refused_by_name_and_leave_nothing),
		IMGLAB(a_file_of_an_exabyte_is_refused_before_it_is_made),
		IMGLAB(what_is_no_archive_is_said_so),
		IMGLAB(a_truncated_archive_leaves_nothing),
		IMGLAB(a_bomb_is_stopped_at_a_hundred_times_its_size),
		IMGLAB(wrong_options_are_quoted),
	};

	memset(long_part, 'p', sizeof long_part - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
