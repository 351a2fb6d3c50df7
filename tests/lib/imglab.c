// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/imglab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/image/import.h"
#include "runner/image/store.h"

/* A directory for one test: archives, and the store below it. */
static char lab[64];

int imglab_make(void **state)
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

int imglab_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, lab, NULL);
}

const char *imglab_dir(void)
{
	return lab;
}

const char *imglab_at(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", lab, name);
	return p;
}

/*
 * In $NARU_BIN, or in "bin" of the build directory this program lies in
 * (BUILD/tests/runner/test_image).
 */
char *imglab_program(void)
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

static void write_item(struct archive *a, const struct imglab_item *i)
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

const char *imglab_archive(const char *name, const struct imglab_item *items, size_t n, int filter)
{
	struct archive *a = archive_write_new();
	const char *path = imglab_at(name);

	archive_write_set_format_pax(a);
	if (filter)
		archive_write_add_filter(a, filter);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		write_item(a, &items[i]);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	return path;
}

int imglab_import(const char *file, const char *name, struct import_result *res, struct err *e)
{
	const struct import_spec spec = { .file = file, .name = name };

	return image_import(&spec, res, e);
}

size_t imglab_count(const char *dir)
{
	cleanup_dir DIR *d = opendir(imglab_at(dir));
	size_t n = 0;

	for (struct dirent *ent; d && (ent = readdir(d));)
		n += strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..");
	return n;
}

char *imglab_layer(const struct image *i, const char *name)
{
	static char paths[4][768];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", i->layers[0], name);
	return p;
}

void imglab_open(const char *file, struct image *out)
{
	struct import_result res;
	struct err e = ERR_INIT;

	if (imglab_import(file, "test:1", &res, &e) < 0 ||
	    image_lookup(NULL, "test:1", out, &e) < 0)
		fail_msg("%s", e.text);
}

const struct imglab_item imglab_small[IMGLAB_SMALL] = {
	{ "./", AE_IFDIR },
	{ "./etc/", AE_IFDIR, .mode = 0750, .uid = 7 },
	{ "./etc/motd", .data = "hello\n", .mode = 04755, .uid = 7 },
	{ "./etc/copy", .data = "./etc/motd", .hardlink = true },
	{ "./etc/link", AE_IFLNK, "/nowhere/at/all" },
	{ "./run/fifo", AE_IFIFO, .mode = 0600 },
	{ "./dev/null", AE_IFCHR, .dev = 259 },
};
