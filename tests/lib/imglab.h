/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_IMGLAB_H
#define TESTS_LIB_IMGLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct image;
struct import_result;

/* A directory for one test, with archives and a store of images in it. */
int imglab_make(void **state); /* set-up and tear-down of each test; skips when not root */
int imglab_drop(void **state);
#define IMGLAB(f) cmocka_unit_test_setup_teardown(f, imglab_make, imglab_drop)

const char *imglab_dir(void);
/* A path below the directory; the last four stay valid. */
const char *imglab_at(const char *name);
/* Names in a directory below, for "nothing is left". */
size_t imglab_count(const char *dir);
/* naru-image of this build; the caller frees it. */
char *imglab_program(void);

struct imglab_item {
	const char *path;
	unsigned type;	  /* AE_IF...; 0 = regular file */
	const char *data; /* content, or where a link leads */
	bool hardlink;
	unsigned mode; /* 0 = 0644, directories 0755 */
	int64_t uid;
	const char *xattr;
	dev_t dev;
};

/* A little of everything. */
#define IMGLAB_SMALL 7
extern const struct imglab_item imglab_small[IMGLAB_SMALL];

/* Writes a tar file below the directory, through a filter of libarchive when it is not 0. */
const char *imglab_archive(const char *name, const struct imglab_item *items, size_t n, int filter);
int imglab_import(const char *file, const char *name, struct import_result *res, struct err *e);
/* As test:1, which must succeed, and opens that. */
void imglab_open(const char *file, struct image *out);
/* A path in the first layer; the last four stay valid. */
char *imglab_layer(const struct image *i, const char *name);

#endif
