/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CTR_DIR_H
#define NARU_CTR_DIR_H

#include <stdbool.h>

#include "runner/state.h"

struct err;

/* The directories of a container being worked on; the lock is held as long as this lives. */
struct ctr_dir {
	char id[ID_LEN + 1];
	int root, run; /* ROOT/containers/ID (-1 when not there), RUN/containers/ID */
	int lock, journal;
	int docs;  /* borrowed: root or run, where container.json and config.json are */
	bool sync; /* documents go to stable storage (not for --rm) */
};

#define CTR_DIR_INIT { .root = -1, .run = -1, .lock = -1, .journal = -1, .docs = -1 }
#define cleanup_ctr_dir __attribute__((cleanup(ctr_dir_close)))

/*
 * A new container: fresh id, locked, both directories, upper/ and work/. auto_remove: see above. On
 * failure nothing is left; afterwards ctr_dir_remove takes everything back.
 */
int ctr_dir_create(struct ctr_dir *d, const struct state *s, bool auto_remove, struct err *e);
/*
 * An existing one. CTR_BUSY when somebody else has held the lock for all of timeout_ms; -ENOENT
 * when it is gone. The RUN directory is made when a reboot has taken it.
 */
#define CTR_BUSY 1
int ctr_dir_lock(struct ctr_dir *d, const struct state *s, const char *id, int timeout_ms,
		 struct err *e);
void ctr_dir_close(struct ctr_dir *d);

/* Removes RUN/containers/ID: nothing in the kernel belongs to it any more. */
int ctr_dir_remove_run(struct ctr_dir *d, const struct state *s, struct err *e);
/* Removes ROOT/containers/ID and RUN/containers/ID, the record first. The name is the caller's. */
int ctr_dir_remove(struct ctr_dir *d, const struct state *s, struct err *e);

int ctr_write_record(const struct ctr_dir *d, const struct ctr_record *r, struct err *e);
int ctr_write_live(const struct ctr_dir *d, const struct ctr_live *l, struct err *e);
int ctr_write_exit(const struct ctr_dir *d, const struct ctr_exit *x, struct err *e);
/* A text into d->docs ("config.json"). */
int ctr_write_doc(const struct ctr_dir *d, const char *name, const char *text, size_t len,
		  struct err *e);

#endif
