// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/ctr_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"

#define CREATE_TRIES 8
#define LOCK_TRIES 8

static int new_id(char id[ID_LEN + 1], struct err *e)
{
	uint8_t raw[ID_LEN / 2];

	if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
		return err_set(e, -errno, "make a container id");
	for (size_t i = 0; i < sizeof raw; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Opens the lock file and takes the lock. gc may take a directory away between its making and its
 * locking, and a remover takes it away while we wait: then the locked file has no name any more,
 * and -ENOENT says so.
 */
static int take_lock(struct ctr_dir *d, int timeout_ms, struct err *e)
{
	struct stat st;
	int r;

	d->lock = openat(d->run, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock < 0)
		return errno == ENOENT ?
			       -ENOENT :
			       err_set(e, -errno, "open the lock of container %.12s", d->id);
	if (flock(d->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_set(e, -errno, "lock container %.12s", d->id);
		if (timeout_ms <= 0)
			return CTR_BUSY;
		if ((r = file_lock(d->lock, timeout_ms, "the container", e)) < 0)
			return r == -EAGAIN ? CTR_BUSY : r;
	}
	if (fstat(d->lock, &st) < 0 || !st.st_nlink)
		return -ENOENT;
	return 0;
}

static int open_journal(struct ctr_dir *d, struct err *e)
{
	d->journal = openat(d->run, "journal", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	return d->journal < 0 ? err_set(e, -errno, "open the journal of container %.12s", d->id) :
				0;
}

/* 0, or -ENOENT / -EEXIST / CTR_BUSY without a sentence when the id has to be given up. */
static int claim_run(struct ctr_dir *d, const struct state *s, struct err *e)
{
	if (mkdirat(s->live, d->id, 0700) < 0)
		return errno == EEXIST ?
			       -EEXIST :
			       err_set(e, -errno, "create %s/containers/%.12s...", s->run, d->id);
	if ((d->run = open_dir(s->live, d->id)) < 0)
		return d->run == -ENOENT ?
			       -ENOENT :
			       err_set(e, d->run, "open %s/containers/%.12s...", s->run, d->id);
	return take_lock(d, 0, e);
}

static int make_root(struct ctr_dir *d, const struct state *s, struct err *e)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = { { "upper", 0755 }, { "work", 0700 } };

	if (mkdirat(s->containers, d->id, 0700) < 0 ||
	    (d->root = open_dir(s->containers, d->id)) < 0)
		return err_set(e, -errno, "create %s/containers/%.12s...", s->root, d->id);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(d->root, dirs[i].name, dirs[i].mode) < 0 ||
		    fchmodat(d->root, dirs[i].name, dirs[i].mode, 0) < 0)
			return err_set(e, -errno, "create %s/containers/%.12s.../%s", s->root,
				       d->id, dirs[i].name);
	return 0;
}

int ctr_dir_create(struct ctr_dir *d, const struct state *s, bool auto_remove, struct err *e)
{
	int r = -EEXIST;

	for (int i = 0; i < CREATE_TRIES; i++) {
		ctr_dir_close(d);
		if ((r = new_id(d->id, e)) < 0 || (r = claim_run(d, s, e)) == 0)
			break;
		if (r != -ENOENT && r != -EEXIST && r != CTR_BUSY)
			return r;
	}
	if (r > 0)
		r = -EEXIST;
	if (r < 0)
		return err_set(e, r, "claim a container id in %s/containers after %d tries", s->run,
			       CREATE_TRIES);
	if ((r = open_journal(d, e)) < 0 || (r = make_root(d, s, e)) < 0) {
		(void)ctr_dir_remove(d, s, NULL);
		return r;
	}
	d->docs = auto_remove ? d->run : d->root;
	d->sync = !auto_remove;
	return 0;
}

/*
 * RUN/containers/ID, made anew when a reboot or a finished runner has taken it and ROOT is there.
 */
static int open_run(struct ctr_dir *d, const struct state *s, struct err *e)
{
	d->run = open_dir(s->live, d->id);
	if (d->run == -ENOENT) {
		if (s->containers < 0 ||
		    faccessat(s->containers, d->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(e, -ENOENT, "container %.12s", d->id);
		if (mkdirat(s->live, d->id, 0700) < 0 && errno != EEXIST)
			return err_set(e, -errno, "create %s/containers/%.12s...", s->run, d->id);
		d->run = open_dir(s->live, d->id);
	}
	return d->run < 0 ? err_set(e, d->run, "container %.12s", d->id) : 0;
}

int ctr_dir_lock(struct ctr_dir *d, const struct state *s, const char *id, int timeout_ms,
		 struct err *e)
{
	char wanted[ID_LEN + 1];
	int r = -ENOENT;

	(void)str_copyf(wanted, sizeof wanted, "%s", id); /* id may be d->id */
	if (s->live < 0)
		return err_set(e, -ENOENT, "container %.12s", wanted);
	/* the runner we waited for takes RUN away when it has finished; ROOT may still be there */
	for (int i = 0; r == -ENOENT && i < LOCK_TRIES; i++) {
		ctr_dir_close(d);
		(void)str_copyf(d->id, sizeof d->id, "%s", wanted);
		if ((r = open_run(d, s, e)) < 0)
			return r;
		r = take_lock(d, timeout_ms, e);
	}
	if (r != 0)
		return r == -ENOENT ? err_set(e, -ENOENT, "container %.12s", wanted) : r;
	if ((r = open_journal(d, e)) < 0)
		return r;
	d->root = s->containers < 0 ? -1 : open_dir(s->containers, wanted);
	if (d->root < 0)
		d->root = -1;
	d->sync = d->root >= 0 && faccessat(d->root, "container.json", F_OK, 0) == 0;
	d->docs = d->sync ? d->root : d->run;
	return 0;
}

void ctr_dir_close(struct ctr_dir *d)
{
	int fds[] = { d->root, d->run, d->journal, d->lock }; /* the lock last */

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	*d = (struct ctr_dir)CTR_DIR_INIT;
}

int ctr_dir_remove_run(struct ctr_dir *d, const struct state *s, struct err *e)
{
	/* the journal and the lock last: the next gc needs them when something does not go */
	static const char *const files[] = { "container.json", "state.json", "config.json",
					     "hostname",       "hosts",	     "resolv.conf",
					     "journal",	       "lock" };
	int r = file_remove_tree(d->run, "netns", e);

	if (r == 0 && unlinkat(d->run, "merged", AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = file_remove_tree(d->run, "merged", e);
	if (r < 0)
		return err_wrap(e, "container %.12s", d->id);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)unlinkat(d->run, files[i], 0);
	if (unlinkat(s->live, d->id, AT_REMOVEDIR) == 0)
		return 0;
	if ((r = file_remove_tree(s->live, d->id, e)) < 0) /* there was more in it */
		return err_wrap(e, "container %.12s", d->id);
	return 0;
}

int ctr_dir_remove(struct ctr_dir *d, const struct state *s, struct err *e)
{
	int r;

	if (d->root >= 0) {
		if (d->sync && unlinkat(d->root, "container.json", 0) < 0 && errno != ENOENT)
			return err_set(e, -errno, "remove the record of container %.12s", d->id);
		if ((r = file_remove_tree(s->containers, d->id, e)) < 0)
			return err_wrap(e, "container %.12s", d->id);
	}
	return ctr_dir_remove_run(d, s, e);
}

/* --- documents --- */

/*
 * What is written for the first time is written in place: nobody asks for it before container.json
 * is there, and of half of that a reader understands nothing. What is there already is replaced.
 */
static int write_text(const struct ctr_dir *d, int dir, const char *name, const char *text,
		      size_t len, bool sync, struct err *e)
{
	cleanup_fd int fd = -1;
	int r;

	if (!sync)
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		r = file_replace_at(dir, name, 0600, text, len, e);
	else if ((r = fd_write_all(fd, text, len)) < 0)
		(void)err_set(e, r, "write %s", name);
	if (r < 0)
		(void)err_wrap(e, "container %.12s", d->id);
	return r;
}

static int write_json(const struct ctr_dir *d, int dir, const char *name, struct json_object *o,
		      bool sync, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	json_print(&s, o, sync ? 2 : 0, false);
	str_addc(&s, '\n');
	if (s.bad)
		return err_set(e, -ENOMEM, "write %s", name);
	return write_text(d, dir, name, s.p, s.len, sync, e);
}

int ctr_write_doc(const struct ctr_dir *d, const char *name, const char *text, size_t len,
		  struct err *e)
{
	return write_text(d, d->docs, name, text, len, d->sync, e);
}

int ctr_write_record(const struct ctr_dir *d, const struct ctr_record *r, struct err *e)
{
	cleanup_json struct json_object *o = record_encode(r);

	return write_json(d, d->docs, "container.json", o, d->sync, e);
}

int ctr_write_live(const struct ctr_dir *d, const struct ctr_live *l, struct err *e)
{
	cleanup_json struct json_object *o = live_encode(l);

	return write_json(d, d->run, "state.json", o, false, e);
}

int ctr_write_exit(const struct ctr_dir *d, const struct ctr_exit *x, struct err *e)
{
	cleanup_json struct json_object *o = exit_encode(x);

	if (d->root < 0)
		return err_set(e, -ENOENT, "write exit.json of container %.12s", d->id);
	return write_json(d, d->root, "exit.json", o, true, e);
}
