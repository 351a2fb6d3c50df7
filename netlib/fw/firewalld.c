// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/firewalld.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/fw/backend.h"
#include "netlib/fw/dbus.h"
#include "netlib/fw/note.h"
#include "netlib/fw/owner.h"

#define SERVICE "org.fedoraproject.FirewallD1"
#define OBJECT "/org/fedoraproject/FirewallD1"
#define QUERY "querySource"
#define NOTES FIREWALLD_NOTES
/* CNI 1.1.0 "Error": an invalid configuration, not available; and our own, something is taken */
#define CODE_CONFIG 7
#define CODE_UNAVAILABLE 50
#define CODE_IN_USE 100

struct firewalld {
	struct fw fw;
	struct dbus bus;
};

/* ---- the service */

/* 1: nobody answers to its name, so none of our sources is in force; 0 with the answer. */
#define NOT_RUNNING 1
static int reach(struct firewalld *f, struct err *e)
{
	int r = f->bus.fd < 0 ? dbus_open(&f->bus, e) : 0;

	return r == DBUS_NO_BUS ? NOT_RUNNING : r;
}

static int ask(struct firewalld *f, const char *method, const char *zone, const char *source,
	       struct dbus_reply *out, struct err *e)
{
	const struct dbus_call c = { SERVICE, OBJECT, SERVICE ".zone", method, { zone, source } };
	int r = reach(f, e);

	if (r != 0)
		return r;
	if (plan_on() && strcmp(method, QUERY) != 0) { /* a dry run */
		*out = (struct dbus_reply){ 0 };
		plan_note("firewalld", "host", "%s %s %s", method, zone, source);
		return 0;
	}
	if ((r = dbus_call(&f->bus, &c, out, e)) < 0) {
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
	return err_code(e, -EHOSTDOWN, CODE_UNAVAILABLE,
			"firewalld is not running: nobody owns " SERVICE
			" on the system bus; start it, or choose another backend");
}

/* What it refuses, under which code we hand that on, and what to do about it. */
static const struct refusal {
	const char *text;
	int no, code;
	const char *remedy;
} refusals[] = {
	{ "INVALID_ZONE", -EINVAL, CODE_CONFIG,
	  "name a zone that firewalld has (firewall-cmd --get-zones)" },
	{ "ZONE_CONFLICT", -EADDRINUSE, CODE_IN_USE,
	  "take the address out of its other zone (firewall-cmd --get-zone-of-source)" },
	{ "", -EIO, 0, "" },
};

static int refused(const struct dbus_reply *reply, const char *what, const char *source,
		   const char *zone, struct err *e)
{
	const struct refusal *f = refusals;

	while (!str_starts(reply->text, f->text))
		f++;
	(void)err_code(e, f->no, f->code, "firewalld: %s %s zone %s: %s", what, source, zone,
		       *reply->text ? reply->text : reply->name);
	if (*f->remedy)
		err_details(e, "%s", f->remedy);
	return f->no;
}

/* ---- adding */

static const char *source_text(const char *address, char buf[IP_TEXT_MAX])
{
	(void)str_copyf(buf, IP_TEXT_MAX, "%s/%d", address, strchr(address, ':') ? 128 : 32);
	return buf;
}

/* Takes it out of the zone; that it is not in there, or nobody runs who has zones, is success. */
static int source_remove(struct firewalld *f, const struct fw_note *n, struct err *e)
{
	static const char *const gone[] = { "UNKNOWN_SOURCE", "NOT_ENABLED", "ZONE_CONFLICT",
					    "INVALID_ZONE" };
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	int r = ask(f, "removeSource", n->extra, source_text(n->address, source), &reply, e);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; reply.error && i < ARRAY_LEN(gone); i++)
		if (str_starts(reply.text, gone[i]))
			return 0;
	return reply.error ? refused(&reply, "remove", source, n->extra, e) : 0;
}

/* An address is in one zone: what we noted for another one is taken out there first. */
static int source_add(struct firewalld *f, const struct fw_note *n, struct err *e)
{
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	struct fw_note old;
	int r = reach(f, e); /* before anything is noted */

	if (r != 0)
		return r < 0 ? r : not_running(e);
	if (fw_note_read(NOTES, n->address, &old) == 0 && strcmp(old.extra, n->extra) != 0)
		r = source_remove(f, &old, e);
	if (r < 0 || (r = fw_note_write(NOTES, n, e)) < 0)
		return r;
	r = ask(f, "addSource", n->extra, source_text(n->address, source), &reply, e);
	if (r != 0)
		return r < 0 ? r : not_running(e);
	if (!reply.error || str_starts(reply.text, "ZONE_ALREADY_SET") ||
	    str_starts(reply.text, "ALREADY_ENABLED"))
		return 0;
	return refused(&reply, "add", source, n->extra, e);
}

static const char *zone_of(const struct fw_plan *p)
{
	return p->zone && *p->zone ? p->zone : "trusted";
}

static int fwd_add(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	struct firewalld *f = (struct firewalld *)fw;
	struct fw_note n;
	int r = 0;

	for (size_t i = 0; i < p->naccept && r == 0; i++)
		if ((r = fw_note_of(p, i, zone_of(p), &n, e)) == 0)
			r = source_add(f, &n, e);
	/* who does not answer would not answer that either; the notes stay for DEL */
	if (r < 0 && r != -ETIMEDOUT)
		(void)fw_del(fw, &p->owner, FW_ACCEPT, NULL, NULL);
	return r;
}

/* ---- removing */

static int remove_all(struct firewalld *f, const struct fw_notes *l, struct err *e)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		struct err one = ERR_INIT;

		if (source_remove(f, &l->note[i], &one) < 0)
			err_keep_first(&first, &one);
		else
			fw_note_drop(NOTES, l->note[i].address);
	}
	if (first.no && e)
		*e = first;
	return -first.no;
}

static int fwd_del(struct fw *fw, const struct fw_owner *owner, unsigned parts,
		   const struct fw_plan *hint, struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	int r;

	if (!(parts & FW_ACCEPT))
		return 0;
	if ((r = fw_notes_owned(NOTES, owner, &l, e)) < 0 ||
	    (hint && (r = fw_notes_unnoted(NOTES, hint, zone_of(hint), &l, e)) < 0))
		return r;
	return remove_all((struct firewalld *)fw, &l, e);
}

static int fwd_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
		  unsigned parts, struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	int r = parts & FW_ACCEPT ? fw_notes_stale(NOTES, network, valid, nvalid, &l, e) : 0;

	return r < 0 ? r : remove_all((struct firewalld *)fw, &l, e);
}

/* ---- looking */

static int fwd_check(struct fw *fw, const struct fw_plan *p, struct err *e)
{
	char source[IP_TEXT_MAX];
	struct dbus_reply reply;
	struct fw_note n;
	int r = 0;

	for (size_t i = 0; i < p->naccept && r == 0; i++) {
		if ((r = fw_note_of(p, i, zone_of(p), &n, e)) < 0)
			return r;
		r = ask((struct firewalld *)fw, QUERY, n.extra, source_text(n.address, source),
			&reply, e);
		if (r != 0)
			return r < 0 ? r : not_running(e);
		if (reply.error)
			return refused(&reply, "look for", source, n.extra, e);
		if (!reply.yes)
			return err_say(e, -ENOENT,
				       "firewalld: expected %s among the sources of zone %s, found "
				       "it missing; attach the container anew to bring it back",
				       source, n.extra);
	}
	return r;
}

static int fwd_ready(struct fw *fw, struct err *e)
{
	(void)fw;
	return firewalld_running() ? 0 : not_running(e);
}

static int fwd_each(struct fw *fw,
		    int (*fn)(const char *owner, const char *what, const char *text, void *arg),
		    void *arg, struct err *e)
{
	cleanup_notes struct fw_notes l = { 0 };
	int r = fw_notes_all(NOTES, &l, e);

	(void)fw;
	for (size_t i = 0; i < l.n && r == 0; i++) {
		cleanup_free char *text =
			str_fmt("%s in zone %s of firewalld", l.note[i].address, l.note[i].extra);

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
	.parts = FW_ACCEPT,
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
