// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tuning: sysctls and settings of a container's interface, put back by DEL. CNI_SPEC.md "tuning".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/jsondup.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/allowlist.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/net/link.h"
#include "netlib/net/sysctl.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/txn.h"
#include "plugins/tuning/attrs.h"

#define DATA_DIR "/run/cni/tuning"
#define ALLOWLIST "/etc/cni/tuning/allowlist.conf"
#define BACKUP_MAX (256 * 1024)
#define SYSCTL_NAME_MAX 256

struct sysctl {
	const char *key; /* as the configuration spells it */
	char name[SYSCTL_NAME_MAX];
	const char *value;
	struct json_object *from; /* the object it stands in */
};

struct cni_args {
	struct attrs attrs;
};

struct tuning_conf {
	const char *data_dir, *runtime_mac;
	struct attrs want; /* the keys, then with the arguments applied */
	struct attrs args; /* args.cni */
	struct sysctl *sysctls;
	size_t nsysctls;
	struct json_object *backup; /* ADD: what was there, as it stands in the file */
};

struct runtime {
	const char *mac;
};

static const struct field cni_fields[] = { ATTR_FIELDS(struct attrs, ), FIELD_END };
static const struct field args_fields[] = {
	FIELD_OBJ("cni", struct cni_args, attrs, cni_fields),
	FIELD_END,
};
static const struct field runtime_fields[] = {
	FIELD_STR("mac", struct runtime, mac),
	FIELD_END,
};
static const struct field tuning_fields[] = {
	ATTR_FIELDS(struct tuning_conf, want.),
	FIELD_STR("dataDir", struct tuning_conf, data_dir),
	FIELD_OBJ("args", struct tuning_conf, args, args_fields),
	FIELD_OBJ("runtimeConfig", struct tuning_conf, runtime_mac, runtime_fields),
	FIELD_END,
};

static void tuning_conf_clear(void *conf)
{
	free(((struct tuning_conf *)conf)->sysctls);
	json_put(((struct tuning_conf *)conf)->backup);
}

/* ---- deciding: what is asked for */

/*
 * "net.ipv4.conf.IFNAME.arp_filter" as a path below /proc/sys. Dots become slashes first: those of
 * the interface's name, put in afterwards, stay.
 */
static int sysctl_name(const char *key, const char *ifname, char name[SYSCTL_NAME_MAX])
{
	static const char mark[] = "IFNAME";
	cleanup_free char *path = strdup(key);
	size_t n = 0;

	if (!path)
		return -ENOMEM;
	for (char *p = path; (p = strchr(p, '.'));)
		*p = '/';
	char *at = strstr(path, mark);
	cleanup_free char *full =
		at ? str_fmt("%.*s%s%s", (int)(at - path), path, ifname, at + strlen(mark)) :
		     strdup(path);
	if (!full)
		return -ENOMEM;
	for (const char *p = full; *p; p++) {
		if (*p == '/' && (n == 0 || name[n - 1] == '/'))
			continue;
		if (n == SYSCTL_NAME_MAX - 1)
			return -EINVAL;
		name[n++] = *p;
	}
	name[n] = 0;
	return str_starts(name, "net/") && name[n - 1] != '/' ? 0 : -EINVAL;
}

struct collect {
	struct cni_op *op;
	struct json_object *from;
	const char *path;
	struct err *e;
};

static struct sysctl *slot_for(struct collect *c, const char *name, struct err *e)
{
	struct tuning_conf *conf = c->op->conf;

	for (size_t i = 0; i < conf->nsysctls; i++) {
		struct sysctl *s = &conf->sysctls[i];

		if (strcmp(s->name, name) != 0)
			continue;
		if (s->from != c->from)
			return s; /* args.cni overrides */
		(void)err_conf(e, c->path,
			       "duplicated sysctl keys are not allowed: \"%.80s\" stands twice",
			       name);
		return NULL;
	}
	struct sysctl *s = vec_add(&conf->sysctls, &conf->nsysctls);
	if (!s)
		(void)err_set(e, -ENOMEM, "collect sysctls");
	return s;
}

static int collect_sysctl(const char *key, struct json_object *v, void *arg)
{
	struct collect *c = arg;
	char name[SYSCTL_NAME_MAX], got[96];
	int r = sysctl_name(key, c->op->env->ifname, name);

	if (r == -EINVAL)
		return err_conf(c->e, c->path,
				"invalid net sysctl key: \"%.100s\"; expected a name that begins "
				"with \"net.\"",
				key);
	if (r < 0)
		return err_set(c->e, r, "collect sysctls");
	if (!json_text(v)) {
		json_describe(v, got, sizeof got);
		return err_conf(c->e, c->path, "%.100s: expected string, got %s", key, got);
	}
	struct sysctl *s = slot_for(c, name, c->e);
	if (!s)
		return -EINVAL;
	*s = (struct sysctl){ .key = key, .value = json_text(v), .from = c->from };
	memcpy(s->name, name, sizeof name);
	return 0;
}

static int collect_all(struct cni_op *op, struct json_object *from, const char *path, struct err *e)
{
	struct collect c = { op, from, path, e };

	if (!from)
		return 0;
	if (!json_is_object(from))
		return err_conf(e, path, "expected object of sysctls and their values");
	return json_each(from, collect_sysctl, &c);
}

/* MAC address: mac < CNI_ARGS < runtimeConfig < args.cni, the reference's order. */
static int settle_mac(struct tuning_conf *c, struct cni_op *op, struct err *e)
{
	struct attrs *a = &c->want;
	char from_args[64] = "";
	int r = cni_arg(op->env->args, "MAC", from_args, sizeof from_args, e);

	if (r < 0)
		return r;
	if (*from_args && !c->args.mac_text && !(c->runtime_mac && *c->runtime_mac)) {
		if (mac_parse(from_args, &a->mac) == 0)
			return 0;
		return err_conf(e, "CNI_ARGS/MAC", "invalid args %s for MAC addr: expected %s",
				from_args, "02:11:22:33:44:55 or the like");
	}
	if (c->runtime_mac && *c->runtime_mac)
		a->mac_text = c->runtime_mac;
	if (c->args.mac_text)
		a->mac_text = c->args.mac_text;
	if (a->mac_text && *a->mac_text && mac_parse(a->mac_text, &a->mac) < 0)
		return err_conf(e, "/mac",
				"invalid args %.40s for MAC addr: expected one like "
				"02:11:22:33:44:55",
				a->mac_text);
	return 0;
}

static int tuning_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct tuning_conf *c = conf;
	char dup[96];
	int r;

	if (!c->data_dir || !*c->data_dir)
		c->data_dir = DATA_DIR;
	if (op->env->verb != CNI_ADD && op->env->verb != CNI_CHECK) {
		(void)settle_mac(c, op, NULL); /* to know the interface again */
		return 0;
	}
	if (*c->data_dir != '/')
		return err_conf(e, "/dataDir", "expected an absolute path, got \"%.100s\"",
				c->data_dir);
	if ((r = settle_mac(c, op, e)) < 0)
		return r;
	attrs_override(&c->want, &c->args);
	/* 0 and false ask for nothing */
	c->want.mtu.given = c->want.mtu.v != 0;
	c->want.promisc.given = c->want.promisc.on;
	attrs_settle(&c->want);
	if ((r = json_duplicate(op->cc->text, op->cc->len, "sysctl", dup, sizeof dup)) > 0)
		return err_conf(e, "/sysctl",
				"duplicated sysctl keys are not allowed: \"%s\" stands twice", dup);
	if (r < 0)
		return err_set(e, r, "look for duplicated sysctl keys");
	if ((r = collect_all(op, c->want.sysctl, "/sysctl", e)) < 0)
		return r;
	return collect_all(op, c->args.sysctl, "/args/cni/sysctl", e);
}

/* ---- the backup file: the reference's members, and ours that it passes over */

static const struct field backup_fields[] = { ATTR_FIELDS(struct attrs, ), FIELD_END };

/*
 * Old values of the sysctls. One that can only be written (route.flush) or was never set
 * (stable_secret) has none.
 */
static int note_sysctls(struct cni_op *op, struct json_object *o, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	char old[SYSCTL_VALUE_MAX];

	for (size_t i = 0; i < c->nsysctls; i++) {
		struct err one = ERR_INIT;
		int r = sysctl_read_in(op->netns, c->sysctls[i].name, old, &one);

		if (r == -EACCES || r == -EIO)
			continue;
		if (r < 0) {
			*e = one;
			return r;
		}
		json_set_str(o, c->sysctls[i].name, old);
	}
	return 0;
}

static void backup_name(const char *container, const char *ifname, char *name, size_t size)
{
	(void)str_copyf(name, size, "%s_%s.json", container, ifname);
}

static int restore_sysctl(const char *name, struct json_object *old, void *arg)
{
	const struct cni_op *op = arg;

	if (json_text(old))
		(void)sysctl_write_in(op->netns, name, json_text(old), NULL);
	return 0;
}

/*
 * The path of a namespace may have been recycled: an interface whose MAC is neither the one ADD
 * reported nor the one we gave is another attachment's.
 */
static bool is_anothers(const struct cni_op *op, const struct link *l)
{
	const struct tuning_conf *c = op->conf;

	if (op->env->verb != CNI_DEL || (c->want.mac.set && mac_eq(&c->want.mac, &l->mac)))
		return false;
	for (size_t i = 0; op->has_prev && i < op->prev.nifaces; i++) {
		const struct cni_iface *f = &op->prev.ifaces[i];

		if (f->sandbox && *f->sandbox && !strcmp(f->name, op->env->ifname) && f->mac.set &&
		    !mac_eq(&f->mac, &l->mac))
			return true;
	}
	return false;
}

/*
 * Puts back what a backup says as far as that can be done: an interface that refuses an old MTU is
 * no reason to keep a container.
 */
static void restore(struct cni_op *op, struct json_object *backup)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct attrs was = { 0 };
	struct nlmsg m;
	struct link l;

	if (!op->cont || decode(&d, backup, backup_fields, &was, "", NULL) < 0)
		return;
	attrs_settle(&was);
	if (was.mac_text)
		(void)mac_parse(was.mac_text, &was.mac);
	if (link_get(op->cont, op->env->ifname, &l, NULL) == 0) {
		if (is_anothers(op, &l))
			return;
		nlmsg_init(&m);
		attrs_put(&m, l.index, &was, NULL);
		if (m.count)
			(void)nl_talk(op->cont, &m, NULL);
	}
	if (json_is_object(was.sysctl))
		(void)json_each(was.sysctl, restore_sysctl, op);
}

static int remove_backup(struct cni_op *op, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	cleanup_free char *path =
		str_fmt("%s/%s_%s.json", c->data_dir, op->env->container, op->env->ifname);

	if (!path)
		return err_set(e, -ENOMEM, "remove a backup");
	int r = file_remove_at(AT_FDCWD, path);
	return r < 0 && r != -ENOTDIR ? err_set(e, r, "remove %s", path) : 0;
}

static int undo_tuning(const struct undo *u, struct txn *t, struct err *e)
{
	struct cni_op *op = t->ctx;

	(void)u;
	restore(op, ((struct tuning_conf *)op->conf)->backup);
	return remove_backup(op, e);
}

static const struct undo_op op_tuning = { "tuning restore", undo_tuning };

/* From here on DEL can put back what follows. */
static int write_backup(struct cni_op *op, struct err *e)
{
	struct tuning_conf *c = op->conf;
	cleanup_str struct str s = STR_INIT;
	char name[1100];
	int r;

	if (file_noted("write a backup in", c->data_dir))
		return 0;
	r = file_mkdirs(c->data_dir, 0700, e);

	if (r < 0)
		return err_wrap(e, "failed to create backup directory"), r;
	cleanup_fd int dir = file_open_dir(AT_FDCWD, c->data_dir, e);
	if (dir < 0)
		return dir;
	json_print(&s, c->backup, 1, false);
	if (s.bad || !s.p)
		return err_set(e, -ENOMEM, "write a backup");
	backup_name(op->env->container, op->env->ifname, name, sizeof name);
	/* what is there belonged to an earlier container of this id, whose DEL was lost */
	(void)file_remove_at(dir, name);
	if (!txn_reserve(op->txn, &op_tuning, UNDO_CONT, op->env->ifname, NULL, NULL, e))
		return -EIO;
	if ((r = file_create_at(dir, name, 0600, s.p, s.len, e)) < 0) {
		txn_drop(op->txn);
		return err_wrap(e, "write the backup %s/%s", c->data_dir, name), r;
	}
	return 0;
}

/* ---- the rows */

static int apply_link(struct cni_op *op, const struct link *l, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	const char *keys[ATTRS_MESSAGES];
	unsigned failed = 0;
	struct nlmsg m;
	int r = txn_point(op->txn, "settings of the interface", e);

	if (r < 0)
		return r;
	nlmsg_init(&m);
	attrs_put(&m, l->index, &c->want, keys);
	if ((r = nl_talk_at(op->cont, &m, &failed, e)) < 0)
		return err_wrap(e, "/%s: %s in the container does not take it", keys[failed],
				op->env->ifname),
		       r;
	for (size_t i = 0; i < op->res.nifaces; i++) {
		struct cni_iface *f = &op->res.ifaces[i];

		if (!f->sandbox || !*f->sandbox || strcmp(f->name, op->env->ifname) != 0)
			continue;
		if (c->want.mac.set)
			f->mac = c->want.mac;
		if (c->want.mtu.given && f->mtu)
			f->mtu = c->want.mtu.v;
	}
	return 0;
}

static int tune_add(struct cni_op *op, struct err *e)
{
	struct tuning_conf *c = op->conf;
	struct link l = { 0 };
	int r = 0;

	if (!attrs_any(&c->want) && !c->nsysctls)
		return 0;
	for (size_t i = 0; i < c->nsysctls && r == 0; i++)
		r = allowlist_check(ALLOWLIST, c->sysctls[i].key, e);
	if (r < 0 || (attrs_any(&c->want) && (r = link_get(op->cont, op->env->ifname, &l, e)) < 0))
		return r;
	c->backup = json_obj();
	attrs_note(c->backup, &c->want, &l);
	struct json_object *old = json_obj();
	json_set(c->backup, "sysctl", old);
	json_set_str(c->backup, "network", op->cc->name);
	if ((r = note_sysctls(op, old, e)) < 0 || (r = write_backup(op, e)) < 0)
		return r;
	for (size_t i = 0; i < c->nsysctls; i++)
		if ((r = txn_point(op->txn, c->sysctls[i].name, e)) < 0 ||
		    (r = sysctl_write_in(op->netns, c->sysctls[i].name, c->sysctls[i].value, e)) <
			    0)
			return r;
	return attrs_any(&c->want) ? apply_link(op, &l, e) : 0;
}

static int tune_del(struct cni_op *op, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_free char *text = NULL;
	size_t len;
	cleanup_free char *path =
		str_fmt("%s/%s_%s.json", c->data_dir, op->env->container, op->env->ifname);

	if (!path)
		return err_set(e, -ENOMEM, "read a backup");
	if (file_read_at(AT_FDCWD, path, BACKUP_MAX, &text, &len, NULL) == 0 &&
	    doc_parse(&d, text, len, NULL) == 0)
		restore(op, d.root);
	return remove_backup(op, e);
}

/* The kernel separates by tabs what was written with blanks. */
static bool same_value(const char *a, const char *b)
{
	static const char blank[] = " \t\n";

	for (;;) {
		a += strspn(a, blank);
		b += strspn(b, blank);
		size_t n = strcspn(a, blank);
		if (n != strcspn(b, blank) || memcmp(a, b, n) != 0)
			return false;
		if (!n)
			return true;
		a += n;
		b += n;
	}
}

static int check_sysctls(struct cni_op *op, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	char now[SYSCTL_VALUE_MAX];

	for (size_t i = 0; i < c->nsysctls; i++) {
		const struct sysctl *s = &c->sysctls[i];
		int r = sysctl_read_in(op->netns, s->name, now, e);

		if (r == -EACCES) /* it can only be written */
			continue;
		if (r < 0)
			return r;
		if (!same_value(s->value, now))
			return cni_check_fail(e,
					      "Error: Tuning configured value of %s is %s, "
					      "current value is %s",
					      s->name, s->value, now);
	}
	return 0;
}

static int tune_check(struct cni_op *op, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	struct link l;
	int r = check_sysctls(op, e);

	if (r < 0 || (r = link_get(op->cont, op->env->ifname, &l, e)) < 0)
		return r == -ENODEV ?
			       cni_check_fail(e, "Cannot find container link %s", op->env->ifname) :
			       r;
	return attrs_check(&c->want, &l, e);
}

/* ---- GC: backups of this network that no valid attachment has */

static bool is_valid(const struct cni_op *op, const char *file)
{
	char name[1100];

	for (size_t i = 0; i < op->cc->nvalid; i++) {
		backup_name(op->cc->valid[i].container, op->cc->valid[i].ifname, name, sizeof name);
		if (!strcmp(name, file))
			return true;
	}
	return false;
}

/* The reference's own files do not tell the network: they are nobody's to collect. */
static bool is_ours(const struct cni_op *op, int dir, const char *file)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_free char *text = NULL;
	size_t len;

	if (file_read_at(dir, file, BACKUP_MAX, &text, &len, NULL) < 0 ||
	    doc_parse(&d, text, len, NULL) < 0)
		return false;
	const char *network = json_text(json_get(d.root, "network"));
	return network && !strcmp(network, op->cc->name);
}

static int tune_gc(struct cni_op *op, struct err *e)
{
	const struct tuning_conf *c = op->conf;
	struct err first = ERR_INIT;
	cleanup_dir DIR *d = opendir(c->data_dir);

	if (!d)
		return errno == ENOENT ? 0 : err_set(e, -errno, "read %s", c->data_dir);
	for (struct dirent *ent; (ent = readdir(d));) {
		struct err one = ERR_INIT;

		if (ent->d_name[0] == '.' || is_valid(op, ent->d_name) ||
		    !is_ours(op, dirfd(d), ent->d_name))
			continue;
		int r = file_remove_at(dirfd(d), ent->d_name);

		if (r < 0) {
			(void)err_set(&one, r, "remove %s/%s", c->data_dir, ent->d_name);
			err_keep_first(&first, &one);
		}
	}
	if (first.no)
		*e = first;
	return -first.no;
}

static int tune_status(struct cni_op *op, struct err *e)
{
	int r = allowlist_check(ALLOWLIST, NULL, e);

	(void)op;
	if (r < 0)
		e->code = CNI_E_UNAVAILABLE;
	return r;
}

static const struct cni_step tuning_steps[] = {
	{ "tune", NULL, tune_add, tune_del, tune_check, tune_gc, tune_status }, { 0 }
};

const struct cni_plugin cni_plugin_tuning = {
	.name = "tuning",
	.about = "sets sysctls, MAC address, MTU and flags of a container's interface",
	.flags = CNI_CHAINED,
	.fields = tuning_fields,
	.conf_size = sizeof(struct tuning_conf),
	.conf_check = tuning_conf_check,
	.conf_clear = tuning_conf_clear,
	.steps = tuning_steps,
};
