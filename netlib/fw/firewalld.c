// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/firewalld.h"

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
#include "netlib/fw/backend.h"
#include "netlib/fw/dbus.h"
#include "netlib/fw/owner.h"

#define SERVICE "org.fedoraproject.FirewallD1"
#define OBJECT "/org/fedoraproject/FirewallD1"
#define NOTE_MAX 512
#define NOTE_TRIES 5

struct firewalld {
	struct fw fw;
	struct dbus bus;
};

/* ---- the service */

/* 1: nobody answers to its name, so none of our sources is in force; 0 with the answer. */
#define NOT_RUNNING 1
static int ask(struct firewalld *f, const char *method, const char *zone, const char *source,
	       struct dbus_reply *out, struct err *e)
{
	const struct dbus_call c = { SERVICE, OBJECT, SERVICE ".zone", method, { zone, source } };
	int r = f->bus.fd < 0 ? dbus_open(&f->bus, e) : 0;

	if (r == DBUS_NO_BUS)
		return NOT_RUNNING;
	if (r < 0 || (r = dbus_call(&f->bus, &c, out, e)) < 0) {
		dbus_close(&f->bus); /* a late answer must not be taken for another's */
		return r;
	}
	return out->error && (!strcmp(out->name, "org.freedesktop.DBus.Error.ServiceUnknown") ||
			      !strcmp(out->name, "org.freedesktop.DBus.Error.NameHasNoOwner")) ?
		       NOT_RUNNING :
		       0;
}

bool firewalld_running(void)
{
	const struct dbus_call c = { "org.freedesktop.DBus",
				     "/org/freedesktop/DBus",
				     "org.freedesktop.DBus",
				     "NameHasOwner",
				     { SERVICE } };
	cleanup_dbus struct dbus bus = DBUS_INIT;
	struct dbus_reply reply;

	return dbus_open(&bus, NULL) == 0 && dbus_call(&bus, &c, &reply, NULL) == 0 && reply.yes;
}

bool firewalld_zone_valid(const char *zone)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-/";
	size_t n = strspn(zone, letters);

	return n && !zone[n] && n < FIREWALLD_ZONE_MAX;
}

static int not_running(struct err *e)
{
	return err_say(e, -EHOSTDOWN,
		       "firewalld is not running: nobody owns " SERVICE
		       " on the system bus; start it, or choose another backend");
}

static int refused(const struct dbus_reply *reply, const char *what, const char *source,
		   const char *zone, struct err *e)
{
	return err_say(e, -EINVAL, "firewalld: %s %s zone %s: %s", what, source, zone,
		       *reply->text ? reply->text : reply->name);
}

/* ---- notes */

struct note {
	char address[IP_TEXT_MAX], owner[FW_OWNER_MAX], zone[FIREWALLD_ZONE_MAX];
};

struct notes {
	struct note *note;
	size_t n;
};

static void notes_clear(struct notes *l)
{
	free(l->note);
}
#define cleanup_notes __attribute__((cleanup(notes_clear)))

static int notes_open(void)
{
	return file_open_dir(AT_FDCWD, FIREWALLD_NOTES, NULL);
}

/* A note that does not read as ours is no note. */
static int note_read(int dir, const char *address, struct note *out)
{
	cleanup_free char *text = NULL;
	struct ip_addr ip;
	int r = file_read_at(dir, address, NOTE_MAX, &text, NULL, NULL);

	if (r < 0)
		return r;
	char *zone = strchr(text, '\n'), *end = zone ? strchr(zone + 1, '\n') : NULL;
	if (!end || ip_parse(address, &ip) < 0)
		return -EBADMSG;
	*zone++ = *end = 0;
	if (str_copyf(out->owner, sizeof out->owner, "%s", text) < 0 ||
	    str_copyf(out->zone, sizeof out->zone, "%s", zone) < 0 ||
	    !firewalld_zone_valid(out->zone) ||
	    str_copyf(out->address, sizeof out->address, "%s", address) < 0)
		return -EBADMSG;
	return 0;
}

/* What stands there instead, of another owner or zone, goes first: an address has one note. */
static int note_create(int dir, const struct note *n, struct err *e)
{
	cleanup_free char *text = str_fmt("%s\n%s\n", n->owner, n->zone);
	struct note old;
	int r = -EEXIST;

	if (!text)
		return err_set(e, -ENOMEM, "note a source of firewalld");
	for (int i = 0; i < NOTE_TRIES && r == -EEXIST; i++) {
		r = file_create_at(dir, n->address, 0600, text, strlen(text), e);
		if (r != -EEXIST)
			return r;
		if (note_read(dir, n->address, &old) == 0 && !strcmp(old.owner, n->owner) &&
		    !strcmp(old.zone, n->zone))
			return 0;
		(void)unlinkat(dir, n->address, 0);
	}
	return r;
}

/* The directory goes with its last note, perhaps just now: then it is made again. */
static int note_write(const struct note *n, struct err *e)
{
	struct err why = ERR_INIT;
	int r = -ENOENT;

	for (int i = 0; i < NOTE_TRIES && r == -ENOENT; i++) {
		why = (struct err)ERR_INIT;
		if ((r = file_mkdirs(FIREWALLD_NOTES, 0700, e)) < 0)
			return r;
		cleanup_fd int dir = notes_open();
		r = dir < 0 ? dir : note_create(dir, n, &why);
	}
	return r < 0 ? err_set(e, r, "note %s in " FIREWALLD_NOTES, n->address) : 0;
}

static void note_drop(const char *address)
{
	cleanup_fd int dir = notes_open();

	if (dir < 0)
		return;
	(void)unlinkat(dir, address, 0);
	(void)rmdir(FIREWALLD_NOTES); /* when it was the last one */
}

typedef bool keep_fn(const struct note *n, const void *arg);

static int notes_list(keep_fn *keep, const void *arg, struct notes *out, struct err *e)
{
	int fd = notes_open();
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d)
		return fd < 0 && fd != -ENOENT ? err_set(e, fd, "open " FIREWALLD_NOTES) : 0;
	while ((ent = readdir(d))) {
		struct note n, *slot;

		if (note_read(fd, ent->d_name, &n) < 0 || !keep(&n, arg))
			continue;
		if (!(slot = vec_add(&out->note, &out->n)))
			return err_set(e, -ENOMEM, "list the sources of firewalld");
		*slot = n;
	}
	return 0;
}

/* ---- adding */

static const char *source_text(const char *address, char buf[IP_TEXT_MAX])
{
	(void)str_copyf(buf, IP_TEXT_MAX, "%s/%d", address, strchr(address, ':') ? 128 : 32);
	return buf;
}

/* Takes it out of the zone; that it is not in there, or nobody runs who has zones, is success. */
static int source_remove(struct firewalld *f, const struct note *n, struct err *e)
{
	static const char *const gone[] = { "UNKNOWN_SOURCE", "NOT_ENABLED", "ZONE_CONFLICT",
					    "INVALID_ZONE" };
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	int r = ask(f, "removeSource", n->zone, source_text(n->address, source), &reply, e);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; reply.error && i < ARRAY_LEN(gone); i++)
		if (str_starts(reply.text, gone[i]))
			return 0;
	return reply.error ? refused(&reply, "remove", source, n->zone, e) : 0;
}

/* An address is in one zone: what we noted for another one is taken out there first. */
static int source_add(struct firewalld *f, const struct note *n, struct err *e)
{
	cleanup_fd int dir = notes_open();
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	struct note old;
	int r = 0;

	if (dir >= 0 && note_read(dir, n->address, &old) == 0 && strcmp(old.zone, n->zone) != 0)
		r = source_remove(f, &old, e);
	/* noted before it is done: whoever cleans up after a crash finds it */
	if (r < 0 || (r = note_write(n, e)) < 0)
		return r;
	r = ask(f, "addSource", n->zone, source_text(n->address, source), &reply, e);
	if (r != 0)
		return r < 0 ? r : not_running(e);
	if (!reply.error || str_starts(reply.text, "ZONE_ALREADY_SET") ||
	    str_starts(reply.text, "ALREADY_ENABLED"))
		return 0;
	return refused(&reply, "add", source, n->zone, e);
}

static const char *zone_of(const struct fw_plan *p)
{
	return p->zone && *p->zone ? p->zone : "trusted";
}

static int note_of(const struct fw_plan *p, size_t i, struct note *n, struct err *e)
{
	*n = (struct note){ 0 };
	(void)ip_text(&p->accept[i], n->address);
	fw_owner_text(n->owner, &p->owner);
	if (!firewalld_zone_valid(zone_of(p)))
		return err_say(e, -EINVAL, "\"%.40s\" is no name of a zone of firewalld",
			       zone_of(p));
	return str_copyf(n->zone, sizeof n->zone, "%s", zone_of(p));
}

static int fwd_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	struct firewalld *f = (struct firewalld *)fw;
	struct note n;
	int r = 0;

	for (size_t i = 0; i < p->naccept && r == 0; i++)
		if ((r = note_of(p, i, &n, e)) == 0)
			r = source_add(f, &n, e);
	/* who does not answer would not answer that either; the notes stay for DEL */
	if (r < 0 && r != -ETIMEDOUT)
		(void)fw_del(fw, &p->owner, FW_ACCEPT, NULL, NULL);
	return r;
}

/* ---- removing */

static int remove_all(struct firewalld *f, const struct notes *l, struct err *e)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		struct err one = ERR_INIT;

		if (source_remove(f, &l->note[i], &one) < 0)
			err_keep_first(&first, &one);
		else
			note_drop(l->note[i].address);
	}
	if (first.no && e)
		*e = first;
	return -first.no;
}

static bool keep_owner(const struct note *n, const void *arg)
{
	return !strcmp(n->owner, arg);
}

/*
 * Addresses that the plan knows and nobody noted: another suite's firewall plugin may have given
 * them to firewalld.
 */
static int add_unnoted(const struct fw_plan *hint, struct notes *l, struct err *e)
{
	cleanup_fd int dir = notes_open();
	struct note n, other, *slot;

	for (size_t i = 0; hint && i < hint->naccept; i++) {
		if (note_of(hint, i, &n, NULL) < 0 ||
		    (dir >= 0 && note_read(dir, n.address, &other) == 0))
			continue;
		if (!(slot = vec_add(&l->note, &l->n)))
			return err_set(e, -ENOMEM, "remove sources of firewalld");
		*slot = n;
	}
	return 0;
}

static int fwd_del(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		   const struct fw_plan *hint, struct err *e)
{
	cleanup_notes struct notes l = { 0 };
	char text[FW_OWNER_MAX];
	int r;

	if (!(parts & FW_ACCEPT))
		return 0;
	fw_owner_text(text, owner);
	if ((r = notes_list(keep_owner, text, &l, e)) < 0 || (r = add_unnoted(hint, &l, e)) < 0)
		return r;
	return remove_all((struct firewalld *)fw, &l, e);
}

struct search {
	const char *network;
	const struct fw_owner *valid;
	size_t nvalid;
};

static bool keep_stale(const struct note *n, const void *arg)
{
	const struct search *s = arg;
	char text[FW_OWNER_MAX];

	for (size_t i = 0; i < s->nvalid; i++) {
		fw_owner_text(text, &s->valid[i]);
		if (!strcmp(text, n->owner))
			return false;
	}
	return fw_owner_in_network(n->owner, s->network);
}

static int fwd_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		  unsigned parts, struct err *e)
{
	const struct search s = { network, valid, nvalid };
	cleanup_notes struct notes l = { 0 };
	int r = parts & FW_ACCEPT ? notes_list(keep_stale, &s, &l, e) : 0;

	return r < 0 ? r : remove_all((struct firewalld *)fw, &l, e);
}

/* ---- looking */

static int fwd_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	struct note n;
	int r = 0;

	for (size_t i = 0; i < p->naccept && r == 0; i++) {
		if ((r = note_of(p, i, &n, e)) < 0)
			return r;
		r = ask((struct firewalld *)fw, "querySource", n.zone,
			source_text(n.address, source), &reply, e);
		if (r != 0)
			return r < 0 ? r : not_running(e);
		if (reply.error)
			return refused(&reply, "look for", source, n.zone, e);
		if (!reply.yes)
			return err_say(e, -ENOENT,
				       "firewalld: expected %s among the sources of zone %s, found "
				       "it missing; attach the container anew to bring it back",
				       source, n.zone);
	}
	return r;
}

static int fwd_ready(struct fw *fw, struct err *e)
{
	(void)fw;
	return firewalld_running() ? 0 : not_running(e);
}

static bool keep_all(const struct note *n, const void *arg)
{
	(void)n;
	(void)arg;
	return true;
}

static int fwd_each(struct fw *fw,
		    int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		    void *arg, struct err *e)
{
	cleanup_notes struct notes l = { 0 };
	int r = notes_list(keep_all, NULL, &l, e);

	(void)fw;
	for (size_t i = 0; i < l.n && r == 0; i++) {
		cleanup_free char *text =
			str_fmt("%s in zone %s of firewalld", l.note[i].address, l.note[i].zone);

		r = fn(fw_owner_names(l.note[i].owner), "accept", text ?: "", arg);
	}
	return r;
}

/* The directory goes with its last note; there is nothing else of ours. */
static int fwd_sweep(struct fw *fw, struct err *e)
{
	(void)fw;
	(void)e;
	return 0;
}

static void fwd_close(struct fw *fw)
{
	dbus_close(&((struct firewalld *)fw)->bus);
	free(fw);
}

static const struct fw_ops fwd_ops = {
	.name = "firewalld",
	.close = fwd_close,
	.ready = fwd_ready,
	.add = fwd_add,
	.del = fwd_del,
	.check = fwd_check,
	.gc = fwd_gc,
	.sweep = fwd_sweep,
	.each = fwd_each,
};

int firewalld_open(struct fw **out, struct err *e)
{
	struct firewalld *f = calloc(1, sizeof *f);

	if (!f)
		return err_set(e, -ENOMEM, "open firewalld");
	f->fw.ops = &fwd_ops;
	f->bus = (struct dbus)DBUS_INIT;
	*out = &f->fw;
	return 0;
}
