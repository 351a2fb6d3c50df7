// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/note.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"

#define NOTE_MAX 512
#define NOTE_TRIES 5

void fw_notes_clear(struct fw_notes *l)
{
	free(l->note);
	*l = (struct fw_notes){ 0 };
}

int fw_note_of(const struct fw_plan *p, size_t i, const char *extra, struct fw_note *out,
	       struct err *e)
{
	struct fw_note n = { 0 };

	(void)ip_text(&p->accept[i], n.address);
	fw_owner_text(n.owner, &p->owner);
	if (str_copyf(n.extra, sizeof n.extra, "%s", extra) < 0)
		return err_say(e, -EINVAL, "note %s: \"%.40s\" is too long", n.address, extra);
	*out = n;
	return 0;
}

static int note_parse(char *text, struct fw_note *out)
{
	char *extra = strchr(text, '\n'), *end = extra ? strchr(extra + 1, '\n') : NULL;

	if (!end)
		return -EBADMSG;
	*extra++ = *end = 0;
	return str_copyf(out->owner, sizeof out->owner, "%s", text) < 0 ||
			       str_copyf(out->extra, sizeof out->extra, "%s", extra) < 0 ?
		       -EBADMSG :
		       0;
}

static int read_at(int dir, const char *address, struct fw_note *out)
{
	cleanup_free char *text = NULL;
	struct ip_addr ip;
	int r = file_read_at(dir, address, NOTE_MAX, &text, NULL, NULL);

	if (r < 0)
		return r;
	if (ip_parse(address, &ip) < 0 || note_parse(text, out) < 0)
		return -EBADMSG;
	(void)ip_text(&ip, out->address);
	return strcmp(out->address, address) ? -EBADMSG : 0;
}

int fw_note_read(const char *dir, const char *address, struct fw_note *out)
{
	cleanup_fd int fd = file_open_dir(AT_FDCWD, dir, NULL);

	return fd < 0 ? fd : read_at(fd, address, out);
}

/* What stands there instead goes first. */
static int create_at(int dir, const struct fw_note *n, struct err *e)
{
	cleanup_free char *text = str_fmt("%s\n%s\n", n->owner, n->extra);
	struct fw_note old;
	int r = -EEXIST;

	if (!text)
		return err_set(e, -ENOMEM, "note whose an address is");
	for (int i = 0; i < NOTE_TRIES && r == -EEXIST; i++) {
		r = file_create_at(dir, n->address, 0600, text, strlen(text), e);
		if (r != -EEXIST)
			return r;
		if (read_at(dir, n->address, &old) == 0 && !strcmp(old.owner, n->owner) &&
		    !strcmp(old.extra, n->extra))
			return 0;
		(void)file_remove_at(dir, n->address);
	}
	return r;
}

int fw_note_write(const char *dir, const struct fw_note *n, struct err *e)
{
	int r = -ENOENT;

	/* the directory goes with its last note, perhaps just now: then it is made again */
	for (int i = 0; i < NOTE_TRIES && r == -ENOENT; i++) {
		if ((r = file_mkdirs(dir, 0700, e)) < 0)
			return r;
		cleanup_fd int fd = file_open_dir(AT_FDCWD, dir, NULL);
		if (fd == -ENOENT && file_noted("create", n->address))
			return 0; /* in a dry run nobody made the directory */
		r = fd < 0 ? fd : create_at(fd, n, NULL);
	}
	return r < 0 ? err_set(e, r, "note %s in %s", n->address, dir) : 0;
}

/* When it is empty: by its last note, or by a crash before its first. */
static void drop_dir(const char *dir)
{
	if (!file_noted("remove directory", dir))
		(void)rmdir(dir);
}

void fw_note_drop(const char *dir, const char *address)
{
	cleanup_fd int fd = file_open_dir(AT_FDCWD, dir, NULL);

	if (fd < 0)
		return;
	(void)file_remove_at(fd, address);
	drop_dir(dir);
}

/* Whose notes are listed: one owner's; or those of a network that are not valid; or all. */
struct search {
	char owner[FW_OWNER_MAX];
	const char *network;
	const struct fw_owner *valid;
	size_t nvalid;
};

static bool wanted(const struct search *s, const struct fw_note *n)
{
	char text[FW_OWNER_MAX];

	if (*s->owner)
		return !strcmp(s->owner, n->owner);
	if (!s->network)
		return true;
	for (size_t i = 0; i < s->nvalid; i++) {
		fw_owner_text(text, &s->valid[i]);
		if (!strcmp(text, n->owner))
			return false;
	}
	return fw_owner_in_network(n->owner, s->network);
}

static int list(const char *dir, const struct search *s, struct fw_notes *out, struct err *e)
{
	int fd = file_open_dir(AT_FDCWD, dir, NULL);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	bool empty = true;

	if (!d)
		return fd < 0 && fd != -ENOENT ? err_set(e, fd, "open %s", dir) : 0;
	while ((ent = readdir(d))) {
		struct fw_note n = { 0 }, *slot;

		empty &= ent->d_name[0] == '.';
		if (read_at(fd, ent->d_name, &n) < 0 || !wanted(s, &n))
			continue;
		if (!(slot = vec_add(&out->note, &out->n)))
			return err_set(e, -ENOMEM, "list the notes in %s", dir);
		*slot = n;
	}
	if (empty)
		drop_dir(dir);
	return 0;
}

int fw_notes_owned(const char *dir, const struct fw_owner *o, struct fw_notes *out, struct err *e)
{
	struct search s = { 0 };

	fw_owner_text(s.owner, o);
	return list(dir, &s, out, e);
}

int fw_notes_stale(const char *dir, const char *network, const struct fw_owner *valid,
		   size_t nvalid, struct fw_notes *out, struct err *e)
{
	const struct search s = { .network = network, .valid = valid, .nvalid = nvalid };

	return list(dir, &s, out, e);
}

int fw_notes_all(const char *dir, struct fw_notes *out, struct err *e)
{
	const struct search s = { 0 };

	return list(dir, &s, out, e);
}

int fw_notes_unnoted(const char *dir, const struct fw_plan *p, const char *extra,
		     struct fw_notes *out, struct err *e)
{
	struct fw_note n, other, *slot;

	for (size_t i = 0; p && i < p->naccept; i++) {
		if (fw_note_of(p, i, extra, &n, NULL) < 0 ||
		    fw_note_read(dir, n.address, &other) == 0)
			continue;
		if (!(slot = vec_add(&out->note, &out->n)))
			return err_set(e, -ENOMEM, "remove the rules of an address");
		*slot = n;
	}
	return 0;
}
