/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_VOLUME_H
#define NARU_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct spec_bind;

/* One -v of the command line, taken apart: SRC:DST[:OPTION[,OPTION]...]. */
struct volume {
	char *source, *target; /* owned; source made absolute and free of symbolic links */
	const char *mode;      /* the options as given, or ""; borrowed */
	bool read_only;
	const char *propagation; /* "rprivate" unless an option says otherwise */
};

/*
 * Parses and looks for the source, which must exist (a directory nobody asked for is not made).
 * Errors are whole sentences naming the text. Named and anonymous volumes are refused by name.
 */
int volume_parse(const char *text, struct volume *out, struct err *e);
void volume_clear(struct volume *v);

/*
 * The text cut at its colons, without looking at the disk: for inspect. 0 or -EINVAL; out has
 * source, target, mode, read_only.
 */
int volume_split(const char *text, struct volume *out, struct err *e);

#endif
