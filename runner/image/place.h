/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_PLACE_H
#define NARU_IMAGE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

struct err;

#define PLACE_PATH_MAX 4096

/*
 * Where the next entry of a layer goes: a cleaned relative path, the directory it lies in and its
 * name there. Nothing is ever resolved through a symbolic link or out of the layer.
 */
/* a directory whose mode and time are set when all is unpacked */
struct place_dir {
	char *path;
	mode_t mode;
	struct timespec mtime;
	bool has_time;
	size_t order;
};

struct place {
	int root;		     /* the layer's directory; borrowed */
	int dir;		     /* O_PATH of the current parent, or -1 */
	char path[PLACE_PATH_MAX];   /* "" for the root itself */
	char parent[PLACE_PATH_MAX]; /* what dir stands for */
	const char *base;	     /* into path */
	struct place_dir *late;
	size_t nlate;
};

void place_init(struct place *p, int root);
void place_clear(struct place *p);

/*
 * Cleans a name of an archive: no "/" in front, no "..", at most depth parts. out is "" for the
 * root. Half a sentence on errors.
 */
int place_clean(const char *name, unsigned depth, char out[PLACE_PATH_MAX], struct err *e);

/*
 * Goes to a cleaned path: dir and base are valid after that. Missing parents are made, whited-out
 * ones become opaque directories.
 */
int place_go(struct place *p, const char *path, struct err *e);

/*
 * Takes away what is at the place, for something that is no directory; or, with keep_dir, unless it
 * is a directory. Returns what was there: 0 nothing (any more), PLACE_DIR a directory that was
 * kept, PLACE_WHITEOUT a whiteout, now gone.
 */
enum { PLACE_DIR = 1, PLACE_WHITEOUT = 2 };
int place_empty(struct place *p, bool keep_dir, struct err *e);

/* Hides what is below: the directory base in dir becomes opaque; and a whiteout for name in dir. */
int place_opaque(int dir, const char *name, struct err *e);
int place_whiteout(struct place *p, const char *name, struct err *e);

/*
 * Opens the current parent's or another directory of the layer by path, never through a link.
 * flags: as open(2).
 */
int place_open(int root, const char *path, int flags);

/*
 * Remembers a directory's mode and time; place_finish sets them, children before parents, the last
 * word on each.
 */
int place_later(struct place *p, const char *path, mode_t mode, const struct timespec *mtime,
		struct err *e);
int place_finish(struct place *p, struct err *e);

#endif
