// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/image/import.h"
#include "runner/image/store.h"

/* A directory for one test: archives, and the store below it. */
static char lab[64];

static int lab_make(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	strcpy(lab, "/tmp/naru-test-image-XXXXXX");
	return mkdtemp(lab) && setenv("NARU_ROOT", lab, 1) == 0 &&
			       setenv("SOURCE_DATE_EPOCH", "86400", 1) == 0 ?
		       0 :
		       -1;
}

static int lab_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, lab, NULL);
}

static const char *at(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", lab, name);
	return p;
}

/*
 * naru-image: in $NARU_BIN, or in "bin" of the build directory this program lies in
 * (BUILD/tests/runner/test_image).
 */
static char *program_path(void)
{
	const char *set = getenv("NARU_BIN");
	char self[2048] = "";

	if (set && *set)
		return str_fmt("%s/naru-image", set);
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	*strrchr(self, '/') = 0;
	return str_fmt("%s/../../bin/naru-image", self);
}

/* ---------------------------------------------------------------- archives */

struct item {
	const char *path;
	unsigned type;	  /* AE_IF...; 0 = regular file */
	const char *data; /* content, or where a link leads */
	bool hardlink;
	unsigned mode; /* 0 = 0644, directories 0755 */
	int64_t uid;
	const char *xattr;
	dev_t dev;
};

static void write_item(struct archive *a, const struct item *i)
{
	struct archive_entry *e = archive_entry_new();
	size_t n = i->data && !i->hardlink && i->type != AE_IFLNK ? strlen(i->data) : 0;

	archive_entry_set_pathname(e, i->path);
	archive_entry_set_filetype(e, i->type ? i->type : AE_IFREG);
	archive_entry_set_perm(e, i->mode ? i->mode : i->type == AE_IFDIR ? 0755 : 0644);
	archive_entry_set_uid(e, i->uid);
	archive_entry_set_mtime(e, 1000, 0);
	archive_entry_set_size(e, (int64_t)n);
	if (i->hardlink)
		archive_entry_set_hardlink(e, i->data);
	else if (i->type == AE_IFLNK)
		archive_entry_set_symlink(e, i->data);
	if (i->xattr)
		archive_entry_xattr_add_entry(e, i->xattr, "y", 1);
	if (i->type == AE_IFCHR || i->type == AE_IFBLK)
		archive_entry_set_rdev(e, i->dev);
	assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
	if (n)
		assert_int_equal(archive_write_data(a, i->data, n), n);
	archive_entry_free(e);
}

static const char *make_archive(const char *name, const struct item *items, size_t n, int filter)
{
	struct archive *a = archive_write_new();
	const char *path = at(name);

	archive_write_set_format_pax(a);
	if (filter)
		archive_write_add_filter(a, filter);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		write_item(a, &items[i]);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	return path;
}

static int import(const char *file, const char *name, struct import_result *res, struct err *e)
{
	const struct import_spec spec = { .file = file, .name = name };

	return image_import(&spec, res, e);
}

/* Names in a directory, for "nothing is left". */
static size_t count(const char *dir)
{
	cleanup_dir DIR *d = opendir(at(dir));
	size_t n = 0;

	for (struct dirent *ent; d && (ent = readdir(d));)
		n += strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..");
	return n;
}

static char *layer_path(const struct image *i, const char *name)
{
	static char paths[4][768];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", i->layers[0], name);
	return p;
}

static void import_and_open(const char *file, struct image *out)
{
	struct import_result res;
	struct err e = ERR_INIT;

	if (import(file, "test:1", &res, &e) < 0 || image_lookup(NULL, "test:1", out, &e) < 0)
		fail_msg("%s", e.text);
}

/* ---------------------------------------------------------------- tests */

static const struct item small[] = {
	{ "./", AE_IFDIR },
	{ "./etc/", AE_IFDIR, .mode = 0750, .uid = 7 },
	{ "./etc/motd", .data = "hello\n", .mode = 04755, .uid = 7 },
	{ "./etc/copy", .data = "./etc/motd", .hardlink = true },
	{ "./etc/link", AE_IFLNK, "/nowhere/at/all" },
	{ "./run/fifo", AE_IFIFO, .mode = 0600 },
	{ "./dev/null", AE_IFCHR, .dev = 259 },
};

static void owners_modes_times_and_links_survive(void **state)
{
	cleanup_image struct image i = IMAGE_INIT;
	struct stat st, copy;
	char link[64] = "";

	(void)state;
	import_and_open(make_archive("a.tar", small, ARRAY_LEN(small), 0), &i);
	assert_int_equal(stat(layer_path(&i, "etc/motd"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(stat(layer_path(&i, "etc/copy"), &copy), 0);
	assert_int_equal(copy.st_ino, st.st_ino);
	assert_int_equal(stat(layer_path(&i, "etc"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtime, 1000);
	assert_true(readlink(layer_path(&i, "etc/link"), link, sizeof link - 1) > 0);
	assert_string_equal(link, "/nowhere/at/all");
	assert_int_equal(stat(layer_path(&i, "run/fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	/* a parent the archive did not mention */
	assert_int_equal(stat(layer_path(&i, "run"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(access(layer_path(&i, "dev/null"), F_OK), -1);
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

		if (import(make_archive("a", small, ARRAY_LEN(small), filters[i]), "test:1", &res,
			   &e) < 0)
			fail_msg("filter %d: %s", filters[i], e.text);
		assert_int_equal(res.stats.entries, ARRAY_LEN(small));
		assert_int_equal(res.stats.devices_left_out, 1);
		if (!i)
			first = res;
		assert_string_equal(res.diff_id, first.diff_id);
		/* the time is fixed: made twice, the image is the same */
		assert_string_equal(res.id, first.id);
	}
	assert_int_equal(count("images/layers"), 1);
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
		lab, lab, lab, lab, lab);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(sum, 65, f));
	(void)pclose(f);
	assert_int_equal(import(at("r.tar"), "test:1", &res, &e), 0);
	assert_string_equal(res.diff_id, sum);
}

static void an_image_is_found_by_name_id_and_beginning(void **state)
{
	static const char *const changes[] = {
		"CMD [\"/bin/httpd\",\"-f\"]",
		"ENTRYPOINT /bin/init x",
		"ENV A=1 B=\"two words\"",
		"env A 3",
		"EXPOSE 80 53/udp 8000-8001",
		"WORKDIR /srv",
		"WORKDIR www",
		"USER 7:8",
		"STOPSIGNAL SIGINT",
		"LABEL k=v",
		"VOLUME /data",
	};
	const struct import_spec spec = {
		.file = make_archive("a.tar", small, ARRAY_LEN(small), 0),
		.name = "me/app:2",
		.message = "hi",
		.platform = "linux/arm64/v8",
		.changes = (const char **)(void *)(uintptr_t)changes,
		.nchanges = ARRAY_LEN(changes),
	};
	struct import_result res;
	struct err e = ERR_INIT;
	char digest[160], begin[13];

	(void)state;
	if (image_import(&spec, &res, &e) < 0)
		fail_msg("%s", e.text);
	(void)snprintf(digest, sizeof digest, "me/app@sha256:%s", res.manifest);
	(void)snprintf(begin, sizeof begin, "%.12s", res.id);
	const char *const names[] = { "me/app:2", "docker.io/me/app:2", digest, res.id, begin };
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		cleanup_image struct image i = IMAGE_INIT;

		if (image_lookup(NULL, names[k], &i, &e) < 0)
			fail_msg("%s: %s", names[k], e.text);
		assert_string_equal(i.id, res.id);
		assert_int_equal(i.nlayers, 1);
		assert_int_equal(i.size, 6);
		assert_string_equal(i.os, "linux");
		assert_string_equal(i.arch, "arm64");
		assert_string_equal(i.created, "1970-01-02T00:00:00Z");
		assert_int_equal(i.ncmd, 2);
		assert_string_equal(i.cmd[0], "/bin/httpd");
		assert_int_equal(i.nentrypoint, 3);
		assert_string_equal(i.entrypoint[2], "/bin/init x");
		assert_int_equal(i.nenv, 2);
		assert_string_equal(i.env[0], "A=3");
		assert_string_equal(i.env[1], "B=two words");
		assert_int_equal(i.nports, 4);
		assert_string_equal(i.ports[1], "53/udp");
		assert_string_equal(i.ports[3], "8001/tcp");
		assert_string_equal(i.workdir, "/srv/www");
		assert_string_equal(i.user, "7:8");
		assert_string_equal(i.stop_signal, "SIGINT");
		assert_string_equal(json_text(json_get(i.labels, "k")), "v");
		assert_string_equal(i.volumes[0], "/data");
	}
}

static void an_unknown_image_is_answered_with_what_is_here(void **state)
{
	cleanup_image struct image i = IMAGE_INIT;
	const char *file = make_archive("a.tar", small, ARRAY_LEN(small), 0);
	struct import_result res;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(image_lookup(NULL, "busybox:1", &i, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"no such image busybox:1; there are none here yet; import one with naru import FILE busybox:1");
	assert_int_equal(import(file, "busybox:2", &res, &e), 0);
	assert_int_equal(import(file, "alpine:3", &res, &e), 0);
	assert_int_equal(image_lookup(NULL, "busybos:2", &i, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"no such image busybos:2; images here: busybox:2, alpine:3; import one with naru import FILE busybos:2");
	assert_int_equal(image_lookup(NULL, "Busybox", &i, &e), -EINVAL);
	assert_string_equal(e.text, "image name \"Busybox\": the repository must be in lower case");
}

static void a_name_given_again_leaves_the_old_image_nameless(void **state)
{
	static const struct item other[] = { { "x", .data = "y" } };
	cleanup_images struct image_list l = { 0 };
	cleanup_image struct image i = IMAGE_INIT;
	struct import_result old, now;

	(void)state;
	assert_int_equal(import(make_archive("a.tar", small, ARRAY_LEN(small), 0), "test:1", &old,
				NULL),
			 0);
	assert_int_equal(import(make_archive("b.tar", other, ARRAY_LEN(other), 0), "test:1", &now,
				NULL),
			 0);
	assert_int_equal(image_list(NULL, &l, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[0].name, "docker.io/library/test:1");
	assert_string_equal(l.v[1].name, "");
	assert_int_equal(image_lookup(NULL, "test:1", &i, NULL), 0);
	assert_string_equal(i.id, now.id);
	image_clear(&i);
	assert_int_equal(image_lookup(NULL, old.id, &i, NULL), 0);
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
	static const struct item items[] = {
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
	import_and_open(make_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	assert_true(is_whiteout(layer_path(&i, "a/gone")));
	assert_false(is_opaque(layer_path(&i, "a")));
	assert_true(is_opaque(layer_path(&i, "b")));
	assert_true(is_opaque(layer_path(&i, "c")));
	assert_int_equal(access(layer_path(&i, "c/new"), F_OK), 0);
	assert_true(is_opaque(layer_path(&i, "d")));
	assert_true(is_opaque(layer_path(&i, "e")));
	assert_false(is_whiteout(layer_path(&i, "f")));
	assert_int_equal(access(layer_path(&i, "g/.wh..wh.plnk"), F_OK), -1);
}

static void later_entries_replace_earlier_ones(void **state)
{
	static const struct item items[] = {
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
	import_and_open(make_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	assert_int_equal(stat(layer_path(&i, "f"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(stat(layer_path(&i, "d"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(access(layer_path(&i, "l/in"), F_OK), 0);
	assert_int_equal(stat(layer_path(&i, "m"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

static void attributes_of_the_overlay_are_never_taken(void **state)
{
	static const struct item items[] = {
		{ "a/", AE_IFDIR, .xattr = "trusted.overlay.opaque" },
		{ "b/", AE_IFDIR, .xattr = "user.overlay.opaque" },
		{ "c", .data = "x", .xattr = "trusted.other" },
	};
	cleanup_image struct image i = IMAGE_INIT;

	(void)state;
	import_and_open(make_archive("a.tar", items, ARRAY_LEN(items), 0), &i);
	for (const char *const *n = (const char *const[]){ "a", "b", "c", NULL }; *n; n++)
		assert_int_equal(listxattr(layer_path(&i, *n), NULL, 0), 0);
}

static char long_part[600]; /* filled by main */

static void hostile_entries_are_refused_by_name_and_leave_nothing(void **state)
{
	static const struct {
		struct item items[3];
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
		const char *file = make_archive("hostile.tar", cases[i].items, n, 0);
		assert_true(import(file, "test:1", &res, &e) < 0);
		cleanup_free char *want =
			str_fmt("import %s: entry %s", file, cases[i].error ?: "");
		if (cases[i].error)
			assert_string_equal(e.text, want);
		else
			assert_non_null(
				strstr(e.text, "a part of the path is longer than 255 bytes"));
		assert_int_equal(count("images/layers"), 0);
		assert_int_equal(count("images/blobs/sha256"), 0);
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
	cleanup_fd int fd = open(at("big.tar"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, block, sizeof block), 0);
	assert_true(import(at("big.tar"), "test:1", &res, &e) < 0);
	cleanup_free char *want = str_fmt(
		"import %s: entry 1 \"big\": it states 1152921504606846976 bytes; a layer may have 1099511627776 "
		"altogether",
		at("big.tar"));
	assert_string_equal(e.text, want);
	assert_int_equal(count("images/layers"), 0);
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
		cleanup_free char *want = str_fmt("import %s: %s", at("f"), cases[i].error ?: "");
		cleanup_fd int fd = open(at("f"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		size_t n = i == 2 ? 24 : strlen(cases[i].bytes);

		assert_int_equal(fd_write_all(fd, cases[i].bytes, n), 0);
		assert_true(import(at("f"), "test:1", &res, &e) < 0);
		if (cases[i].error)
			assert_string_equal(e.text, want);
	}
	struct err e = ERR_INIT;
	assert_int_equal(import(at("absent"), "test:1", &res, &e), -ENOENT);
	assert_int_equal(import(lab, "test:1", &res, &e), -EISDIR);
	assert_non_null(strstr(e.text, "it is a directory; pack it first"));
	assert_int_equal(import("http://x/y", "test:1", &res, &e), -EINVAL);
	assert_int_equal(count("images/layers"), 0);
}

static void a_truncated_archive_leaves_nothing(void **state)
{
	static char data[100001];
	const struct item items[] = { { "f", .data = data }, { "g", .data = data } };
	struct import_result res;

	(void)state;
	memset(data, 'x', sizeof data - 1);
	for (int gz = 0; gz < 2; gz++) {
		const char *file = make_archive("a.tar", items, 2, gz ? ARCHIVE_FILTER_GZIP : 0);
		struct err e = ERR_INIT;
		struct stat st;

		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(truncate(file, st.st_size / 2), 0);
		assert_true(import(file, "test:1", &res, &e) < 0);
		assert_non_null(strstr(e.text, "the archive cannot be read: "));
		assert_int_equal(count("images/layers"), 0);
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
	assert_int_equal(archive_write_open_filename(a, at("bomb.tar.gz")), ARCHIVE_OK);
	archive_entry_set_pathname(ent, "zeros");
	archive_entry_set_filetype(ent, AE_IFREG);
	archive_entry_set_size(ent, 400 << 20);
	archive_write_header(a, ent);
	for (int i = 0; i < 400; i++)
		assert_int_equal(archive_write_data(a, zeros, sizeof zeros), sizeof zeros);
	archive_entry_free(ent);
	archive_write_free(a);
	assert_true(import(at("bomb.tar.gz"), "test:1", &res, &e) < 0);
	assert_non_null(strstr(
		e.text,
		"it grows to more than 100 times its size; unpack it and import the plain tar"));
	assert_int_equal(count("images/layers"), 0);
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
	cleanup_free char *file = strdup(make_archive("a.tar", small, ARRAY_LEN(small), 0));

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

/*
 * Starts naru-image on a pipe that gives it half an archive; returns its pid once a layer is being
 * unpacked.
 */
static pid_t start_half(const char *file, int *writer)
{
	cleanup_free char *text = NULL, *program = program_path();
	size_t len = 0;
	int p[2];

	assert_int_equal(file_read_at(AT_FDCWD, file, 64 << 20, &text, &len, NULL), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(p[0], STDIN_FILENO);
		(void)execl(program, "naru-image", "import", "-q", "-", "test:1", (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	(void)close(p[0]);
	assert_int_equal(fd_write_all(p[1], text, len / 2), 0);
	for (int i = 0; i < 500 && count("images/layers") == 0; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(count("images/layers"), 1);
	*writer = p[1];
	return pid;
}

static void a_killed_import_is_cleaned_up_by_the_next_one_or_by_gc(void **state)
{
	static char data[1000001];
	const struct item items[] = { { "f", .data = data }, { "g", .data = data } };
	struct import_result res;
	size_t removed = 0;

	(void)state;
	memset(data, 'x', sizeof data - 1);
	cleanup_free char *file = strdup(make_archive("a.tar", items, 2, 0));
	for (int round = 0; round < 2; round++) {
		cleanup_fd int writer = -1;
		pid_t pid = start_half(file, &writer);

		assert_int_equal(image_gc(NULL, &removed, NULL), 0);
		assert_int_equal(removed, 0); /* its writer lives */
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (round == 0) {
			assert_int_equal(image_gc(NULL, &removed, NULL), 0);
			assert_int_equal(removed, 1);
			assert_int_equal(count("images/layers"), 0);
		}
	}
	assert_int_equal(import(file, "test:1", &res, NULL), 0);
	assert_int_equal(count("images/layers"), 1);
}

static void gc_takes_layers_and_blobs_nobody_names(void **state)
{
	struct import_result res;
	size_t removed = 0;

	(void)state;
	assert_int_equal(image_gc(NULL, &removed, NULL), 0); /* no store at all */
	assert_int_equal(import(make_archive("a.tar", small, ARRAY_LEN(small), 0), "test:1", &res,
				NULL),
			 0);
	assert_int_equal(file_mkdirs(at("images/layers/0000/dir"), 0755, NULL), 0);
	assert_int_equal(close(open(at("images/blobs/sha256/1111"), O_WRONLY | O_CREAT | O_CLOEXEC,
				    0600)),
			 0);
	assert_int_equal(image_gc(NULL, &removed, NULL), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(count("images/layers"), 1);
	assert_int_equal(count("images/blobs/sha256"), 2);
	cleanup_image struct image i = IMAGE_INIT;
	assert_int_equal(image_lookup(NULL, "test:1", &i, NULL), 0);
}

static void concurrent_imports_all_arrive(void **state)
{
	cleanup_free char *file = strdup(make_archive("a.tar", small, ARRAY_LEN(small), 0));
	cleanup_free char *program = program_path();
	cleanup_images struct image_list l = { 0 };
	pid_t pids[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "test:%zu", i);
		pids[i] = fork();
		if (pids[i] == 0) {
			int null = open("/dev/null", O_WRONLY);

			(void)dup2(null, STDOUT_FILENO);
			(void)execl(program, "naru-image", "import", "-q", file, name,
				    (char *)NULL);
			_exit(127);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		int st = -1;

		assert_int_equal(waitpid(pids[i], &st, 0), pids[i]);
		assert_int_equal(st, 0);
	}
	assert_int_equal(image_list(NULL, &l, NULL), 0);
	assert_int_equal(l.n, ARRAY_LEN(pids));
	assert_int_equal(count("images/layers"), 1);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, lab_make, lab_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(owners_modes_times_and_links_survive),
		LAB(every_packing_gives_the_same_layer),
		LAB(the_digest_is_that_of_the_tar_file),
		LAB(an_image_is_found_by_name_id_and_beginning),
		LAB(an_unknown_image_is_answered_with_what_is_here),
		LAB(a_name_given_again_leaves_the_old_image_nameless),
		LAB(whiteouts_take_the_form_of_overlayfs),
		LAB(later_entries_replace_earlier_ones),
		LAB(attributes_of_the_overlay_are_never_taken),
		LAB(hostile_entries_are_refused_by_name_and_leave_nothing),
		LAB(a_file_of_an_exabyte_is_refused_before_it_is_made),
		LAB(what_is_no_archive_is_said_so),
		LAB(a_truncated_archive_leaves_nothing),
		LAB(a_bomb_is_stopped_at_a_hundred_times_its_size),
		LAB(wrong_options_are_quoted),
		LAB(a_killed_import_is_cleaned_up_by_the_next_one_or_by_gc),
		LAB(gc_takes_layers_and_blobs_nobody_names),
		LAB(concurrent_imports_all_arrive),
	};

	memset(long_part, 'p', sizeof long_part - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
