/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_IMPORT_H
#define NARU_IMAGE_IMPORT_H

#include <stdint.h>

#include "runner/cli/cli.h"
#include "runner/image/store.h"
#include "runner/image/unpack.h"

struct err;

/* A root file system in a tar archive becomes an image of one layer. */
struct import_spec {
	const char *root;     /* NULL = image_root() */
	const char *file;     /* path, or "-" for standard input */
	const char *name;     /* NAME[:TAG] */
	const char **changes; /* Dockerfile instructions, see change.h */
	size_t nchanges;
	const char *message;  /* NULL = "Imported from FILE" */
	const char *platform; /* "linux/arm64"; NULL = this machine's */
	/* called now and then while it works: bytes read, and of how many (0 = unknown) */
	void (*progress)(uint64_t done, uint64_t total, void *arg);
	void *progress_arg;
};

struct import_result {
	char id[IMAGE_ID_SIZE], manifest[IMAGE_ID_SIZE], diff_id[IMAGE_ID_SIZE];
	struct unpack_stats stats;
	uint64_t read, unpacked; /* bytes of the file as it came, and of the plain archive */
};

/*
 * The layer is unpacked under a temporary name and synced before the image gets its name. A failure
 * leaves nothing; what a kill leaves is taken away by the next import and by image_gc. Packed
 * archives (gzip, bzip2, xz, zstd, lz4) are recognised by their content; one that grows beyond 100
 * times its size is refused. The time is SOURCE_DATE_EPOCH's when that is set, so that an image can
 * be made twice.
 */
int image_import(const struct import_spec *spec, struct import_result *out, struct err *e);

/*
 * The options of `naru import`, shared by the verb (runner/cli/import.c) and the program that does
 * the work (main.c): rows for a table over struct import_opts.
 */
struct import_opts {
	const char **changes;
	size_t nchanges;
	const char *message, *platform;
	bool quiet;
	enum out_format output;
};

#define IMPORT_OPTIONS \
	OPT_LIST('c', "change", struct import_opts, changes, nchanges, "TEXT", \
		 "apply a Dockerfile instruction, such as 'CMD [\"sh\"]'"), \
		OPT_TEXT('m', "message", struct import_opts, message, "TEXT", \
			 "comment kept in the image's history"), \
		OPT_TEXT(0, "platform", struct import_opts, platform, "OS/ARCH", \
			 "platform of the image (this machine's)"), \
		OPT_FLAG('q', "quiet", struct import_opts, quiet, "print the image's id only"), \
		OPT_OUTPUT(struct import_opts, output)

#endif
