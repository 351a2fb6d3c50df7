// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/manifest.h"
#include "netlib/cni/netlist.h"
#include "netlib/txn/txn.h"

#define PROGRAM_BYTES_MAX (64 << 20)
#define CONF_BYTES_MAX DOC_BYTES_MAX
#define LOCK_MS 60000
#define KEPT ".orig"	    /* after the name of what another maker had put there */
#define OLD ".naru-cni.old" /* the program before this one, until all is done */
#define NAME_LEN_MAX 255

/* What an installation works on; the directories are what undo records name by number. */
enum { AT_PLUGINS, AT_CONF, DIRS };
struct work {
	int dir[DIRS]; /* -1: not needed */
	const char *path[DIRS];
	struct txn txn;
	struct json_object *old, *new; /* manifests; owned */
	bool replace;
};

/* ---- going back: a file is removed, or what was saved of the one before takes its name again */

/* rename(2) of two names of one file does nothing: the saved one is taken away in any case. */
static int put_back(int dir, const char *save, const char *name)
{
	if (renameat(dir, save, dir, name) < 0)
		return -1;
	(void)unlinkat(dir, save, 0);
	return 0;
}

static int undo_file(const struct undo *u, struct txn *t, struct err *e)
{
	const struct work *w = t->ctx;
	int dir = w->dir[u->index];
	int r = *u->b ? put_back(dir, u->b, u->a) : unlinkat(dir, u->a, 0);

	return r < 0 && errno != ENOENT ?
		       err_set(e, -errno, "put back %s/%s", w->path[u->index], u->a) :
		       0;
}

static const struct undo_op op_file = { "file put back", undo_file, UNDO_A | UNDO_B };

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Begins a change of one name: what is there is saved under `save` (NULL: there is nothing), by a
 * second link, so that the name is never without a file.
 */
static int change(struct work *w, unsigned at, const char *name, const char *save, struct err *e)
{
	if (save) {
		if (unlinkat(w->dir[at], save, 0) < 0 && errno != ENOENT)
			return err_set(e, -errno, "remove %s/%s", w->path[at], save);
		if (linkat(w->dir[at], name, w->dir[at], save, 0) < 0)
			return err_set(e, -errno, "keep %s/%s as %s", w->path[at], name, save);
	}
	if (txn_reserve_at(&w->txn, &op_file, UNDO_HOST, at, NULL, name, save ? save : "", e))
		return 0;
	if (save)
		(void)unlinkat(w->dir[at], save, 0);
	return -EIO;
}

/* ---- the manifest */

/* A file name, as manifests and options may give it: it stays in its directory. */
static bool is_file_name(const char *s)
{
	return s && *s && strlen(s) <= NAME_LEN_MAX - sizeof KEPT && !strchr(s, '/') &&
	       strcmp(s, ".") && strcmp(s, "..");
}

static int manifest_read(struct work *w, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_free char *text = NULL;
	size_t len;

	if (!is_there(w->dir[AT_PLUGINS], INSTALL_MANIFEST))
		return 0;
	int r = file_read_at(w->dir[AT_PLUGINS], INSTALL_MANIFEST, CONF_BYTES_MAX, &text, &len, e);
	if (r < 0)
		return r;
	if ((r = doc_parse(&d, text, len, e)) < 0 || !json_is_object(d.root))
		return err_wrap(e, "%s/%s is damaged; remove it and install again",
				w->path[AT_PLUGINS], INSTALL_MANIFEST);
	w->old = json_ref(d.root);
	return 0;
}

static int manifest_write(struct work *w, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	json_print(&s, w->new, 2, false);
	str_addc(&s, '\n');
	if (s.bad)
		return err_set(e, -ENOMEM, "write the list of files");
	/* nothing to go back to: a list of files that are not there is harmless */
	if (!w->old) {
		int r = change(w, AT_PLUGINS, INSTALL_MANIFEST, NULL, e);
		if (r < 0)
			return r;
	}
	return file_replace_at(w->dir[AT_PLUGINS], INSTALL_MANIFEST, 0644, s.p, s.len, e);
}

/*
 * Under which name what stands in the way is saved: another maker's for good, ours until all is
 * done.
 */
static void save_name(char out[NAME_LEN_MAX + 1], const char *name, bool ours)
{
	(void)str_copyf(out, NAME_LEN_MAX + 1, "%s%s%s", ours ? "." : "", name,
			ours ? ".old" : KEPT);
}

static void drop_old(int dir, const char *name)
{
	char old[NAME_LEN_MAX + 1];

	save_name(old, name, true);
	(void)unlinkat(dir, old, 0);
}

/* ---- what is there already */

/* A link to our program, a file of ours, or one that the manifest has. */
static bool is_mine(const struct work *w, const char *name)
{
	char target[NAME_LEN_MAX + 1], path[4096];
	ssize_t n = readlinkat(w->dir[AT_PLUGINS], name, target, sizeof target - 1);

	if (n >= 0) {
		target[n] = 0;
		const char *base = strrchr(target, '/');
		return !strcmp(base ? base + 1 : target, INSTALL_PROGRAM) ||
		       manifest_lists(w->old, "plugins", target); /* ptp, a link to veth */
	}
	return str_copyf(path, sizeof path, "%s/%s", w->path[AT_PLUGINS], name) == 0 &&
	       cni_is_naru(path);
}

static int look_at_plugin(const struct work *w, const char *name, struct err *e)
{
	if (!is_there(w->dir[AT_PLUGINS], name) || is_mine(w, name) || w->replace)
		return 0;
	return err_code(e, -EEXIST, CNI_E_IN_USE,
			"%s/%s is another maker's; --replace keeps it as %s%s, --name-prefix naru- "
			"installs beside it",
			w->path[AT_PLUGINS], name, name, KEPT);
}

/* One configuration to install. */
struct conf {
	const char *name; /* of the file; borrows from the path given */
	char *text;
	size_t len;
	bool same; /* it is there, with this content */
	bool ours; /* what is there is of an earlier installation, or need not be kept again */
	bool kept; /* another maker's was there before */
	struct json_object *old; /* its entry in the manifest; borrowed, NULL */
};

static void confs_clear(struct conf *c)
{
	for (size_t i = 0; c && c[i].name; i++)
		free(c[i].text);
	free(c);
}

static void confs_clear_p(struct conf **c)
{
	confs_clear(*c);
}

/* What stands under its name, if anything. */
static int conf_compare(struct work *w, struct conf *c, struct err *e)
{
	cleanup_free char *there = NULL;
	char keep[NAME_LEN_MAX + 1];
	size_t n;
	int r;

	c->old = manifest_conf(w->old, c->name);
	c->kept = c->old && json_true(json_get(c->old, "kept"));
	if (!is_there(w->dir[AT_CONF], c->name))
		return 0;
	if ((r = file_read_at(w->dir[AT_CONF], c->name, CONF_BYTES_MAX, &there, &n, e)) < 0)
		return r;
	save_name(keep, c->name, false);
	c->same = n == c->len && !memcmp(there, c->text, n);
	c->ours = (c->old && manifest_wrote(c->old, there, n)) ||
		  (c->kept && is_there(w->dir[AT_CONF], keep));
	c->kept |= !c->same && !c->ours;
	if (c->same || w->replace || c->old)
		return 0;
	return err_code(e, -EEXIST, CNI_E_IN_USE,
			"%s/%s is there with another content; --replace keeps it as %s%s",
			w->path[AT_CONF], c->name, c->name, KEPT);
}

static int conf_read(struct work *w, const char *path, struct conf *c, struct err *e)
{
	cleanup_netlist struct netlist list = NETLIST_INIT;
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	int r;

	if (!is_file_name(base) || !dot || strcmp(dot, ".conflist"))
		return err_say(e, -EINVAL,
			       "%s: expected a file called NAME.conflist; runtimes read no other",
			       path);
	c->name = base;
	/* a ConfigMap's files are links */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, -errno, "open %s", path);
	if ((r = fd_read_all(fd, CONF_BYTES_MAX, -1, &c->text, &c->len)) < 0)
		return err_set(e, r, "read %s", path);
	if ((r = netlist_parse(c->text, c->len, &list, e)) < 0) {
		err_wrap(e, "%s", path);
		return r;
	}
	return conf_compare(w, c, e);
}

static int confs_read(struct work *w, const struct install *in, struct conf **out, struct err *e)
{
	size_t n = 0;
	int r = 0;

	while (in->conf && in->conf[n])
		n++;
	*out = calloc(n + 1, sizeof **out);
	if (!*out)
		return err_set(e, -ENOMEM, "read configurations");
	for (size_t i = 0; i < n && r == 0; i++)
		r = conf_read(w, in->conf[i], &(*out)[i], e);
	return r;
}

/* ---- putting there */

static int put_program(struct work *w, const char *text, size_t len, struct err *e)
{
	int dir = w->dir[AT_PLUGINS];
	cleanup_free char *back = NULL;
	size_t n;
	int r = change(w, AT_PLUGINS, INSTALL_PROGRAM, is_there(dir, INSTALL_PROGRAM) ? OLD : NULL,
		       e);

	if (r < 0 || (r = file_replace_at(dir, INSTALL_PROGRAM, 0755, text, len, e)) < 0 ||
	    (r = file_read_at(dir, INSTALL_PROGRAM, PROGRAM_BYTES_MAX, &back, &n, e)) < 0)
		return r;
	if (n != len || memcmp(back, text, n))
		return err_say(e, -EIO, "%s/%s does not read back as it was written",
			       w->path[AT_PLUGINS], INSTALL_PROGRAM);
	return 0;
}

/* A link appears under a hidden name first, so that the real one changes at once. */
static int put_link(struct work *w, const char *name, struct err *e)
{
	int dir = w->dir[AT_PLUGINS], r;
	bool there = is_there(dir, name);
	char keep[NAME_LEN_MAX + 1], next[NAME_LEN_MAX + 1], target[NAME_LEN_MAX + 1];
	ssize_t n = readlinkat(dir, name, target, sizeof target);

	if (n == (ssize_t)strlen(INSTALL_PROGRAM) && !memcmp(target, INSTALL_PROGRAM, (size_t)n))
		return 0;
	save_name(keep, name, there && is_mine(w, name));
	(void)str_copyf(next, sizeof next, ".%s.new", name);
	if ((r = change(w, AT_PLUGINS, name, there ? keep : NULL, e)) < 0)
		return r;
	(void)unlinkat(dir, next, 0);
	if (symlinkat(INSTALL_PROGRAM, dir, next) < 0 || renameat(dir, next, dir, name) < 0) {
		r = -errno;
		(void)unlinkat(dir, next, 0);
		return err_set(e, r, "create %s/%s", w->path[AT_PLUGINS], name);
	}
	return 0;
}

static int put_conf(struct work *w, const struct conf *c, struct err *e)
{
	char keep[NAME_LEN_MAX + 1];
	int r;

	if (c->same)
		return 0;
	save_name(keep, c->name, c->ours);
	if ((r = change(w, AT_CONF, c->name, is_there(w->dir[AT_CONF], c->name) ? keep : NULL, e)) <
	    0)
		return r;
	return file_replace_at(w->dir[AT_CONF], c->name, 0644, c->text, c->len, e);
}

/* Names that an earlier installation made and this one has not. */
static int drop_former(struct work *w, struct err *e)
{
	struct json_object *v = manifest_list(w->old, "plugins");

	for (size_t i = 0; v && i < json_len(v); i++) {
		const char *name = json_text(json_at(v, i));
		char keep[NAME_LEN_MAX + 1];
		int r;

		if (!is_file_name(name) || manifest_lists(w->new, "plugins", name) ||
		    !is_there(w->dir[AT_PLUGINS], name) || !is_mine(w, name))
			continue;
		(void)str_copyf(keep, sizeof keep, "%s%s", name, KEPT);
		r = manifest_lists(w->old, "kept", name) && is_there(w->dir[AT_PLUGINS], keep) ?
			    put_back(w->dir[AT_PLUGINS], keep, name) :
			    unlinkat(w->dir[AT_PLUGINS], name, 0);
		if (r < 0)
			return err_set(e, -errno, "remove %s/%s", w->path[AT_PLUGINS], name);
	}
	return 0;
}

/* ---- the whole */

static int open_dirs(struct work *w, const char *to, const char *conf_dir, struct err *e)
{
	const char *const path[DIRS] = { to, conf_dir };

	for (unsigned i = 0; i < DIRS; i++) {
		if (!path[i])
			continue;
		w->path[i] = path[i];
		w->dir[i] = open(path[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (w->dir[i] < 0)
			return err_set(e, -errno, "open directory %s; create it or mount it here",
				       path[i]);
	}
	/* two pods may overlap on one node: the second waits, and finds everything there */
	return file_lock(w->dir[AT_PLUGINS], LOCK_MS, to, e);
}

static void work_end(struct work *w)
{
	txn_end(&w->txn);
	json_put(w->old);
	json_put(w->new);
	for (unsigned i = 0; i < DIRS; i++)
		if (w->dir[i] >= 0)
			(void)close(w->dir[i]);
}

static void work_init(struct work *w)
{
	*w = (struct work){ .dir = { -1, -1 } };
	txn_init(&w->txn, NULL, NULL, -1);
	w->txn.ctx = w;
}

/* The new manifest, and with it the answer to whether every name may be used. */
static int plan(struct work *w, const struct install *in, const struct conf *confs, struct err *e)
{
	struct json_object *plugins = json_arr(), *kept = json_arr(), *list = json_arr();
	int r = 0;

	w->new = json_obj();
	json_set_str(w->new, "version", NARU_VERSION);
	json_set_str(w->new, "program", INSTALL_PROGRAM);
	json_set(w->new, "plugins", plugins);
	json_set(w->new, "kept", kept);
	json_set(w->new, "conf", list);
	for (size_t i = 0; in->names[i] && r == 0; i++) {
		cleanup_free char *name =
			str_fmt("%s%s", in->prefix ? in->prefix : "", in->names[i]);

		if (!name || !is_file_name(name))
			return err_say(e, -EINVAL, "--name-prefix %s: expected part of a file name",
				       in->prefix ? in->prefix : "");
		if ((r = look_at_plugin(w, name, e)) < 0)
			return r;
		json_append(plugins, json_new_str(name));
		if (manifest_lists(w->old, "kept", name) ||
		    (is_there(w->dir[AT_PLUGINS], name) && !is_mine(w, name)))
			json_append(kept, json_new_str(name));
	}
	for (const struct conf *c = confs; c->name; c++) {
		struct json_object *o = json_obj();
		char sum[MANIFEST_SUM_MAX];

		manifest_sum(c->text, c->len, sum);
		json_set_str(o, "file", c->name);
		json_set_str(o, "dir", in->conf_dir);
		json_set_str(o, "sha512", sum);
		if (c->kept)
			json_set_bool(o, "kept", true);
		if (c->old && !c->same)
			json_set_str(o, "was", manifest_before(c->old, sum));
		json_append(list, o);
	}
	/* those of earlier installations stay known */
	struct json_object *old = manifest_list(w->old, "conf");
	for (size_t i = 0; old && i < json_len(old); i++) {
		const char *file = json_text(json_get(json_at(old, i), "file"));

		if (file && !manifest_conf(w->new, file))
			json_append(list, json_ref(json_at(old, i)));
	}
	return r;
}

static int put_all(struct work *w, const char *program, size_t len, const struct conf *confs,
		   struct err *e)
{
	struct json_object *plugins = manifest_list(w->new, "plugins");
	int r = put_program(w, program, len, e);

	for (size_t i = 0; r == 0 && i < json_len(plugins); i++)
		r = put_link(w, json_text(json_at(plugins, i)), e);
	for (const struct conf *c = confs; r == 0 && c->name; c++)
		r = put_conf(w, c, e);
	return r;
}

/* Copies of our own former files served the way back only. */
static void drop_saved(struct work *w, const struct conf *confs)
{
	struct json_object *plugins = manifest_list(w->new, "plugins");

	(void)unlinkat(w->dir[AT_PLUGINS], OLD, 0);
	for (size_t i = 0; i < json_len(plugins); i++) {
		const char *name = json_text(json_at(plugins, i));

		drop_old(w->dir[AT_PLUGINS], name);
	}
	for (const struct conf *c = confs; c->name; c++)
		drop_old(w->dir[AT_CONF], c->name);
}

int cni_install(const struct install *in, struct json_object **manifest, struct err *e)
{
	__attribute__((cleanup(work_end))) struct work w;
	__attribute__((cleanup(confs_clear_p))) struct conf *confs = NULL;
	cleanup_free char *program = NULL;
	size_t len;
	int r;

	work_init(&w);
	w.replace = in->replace;
	cleanup_fd int fd = open(in->program, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "open %s", in->program);
	if ((r = fd_read_all(fd, PROGRAM_BYTES_MAX, -1, &program, &len)) < 0)
		return err_set(e, r, "read %s", in->program);
	if ((r = open_dirs(&w, in->to, in->conf && in->conf[0] ? in->conf_dir : NULL, e)) < 0 ||
	    (r = manifest_read(&w, e)) < 0 || (r = confs_read(&w, in, &confs, e)) < 0 ||
	    (r = plan(&w, in, confs, e)) < 0 || (r = manifest_write(&w, e)) < 0 ||
	    (r = put_all(&w, program, len, confs, e)) < 0 || (r = drop_former(&w, e)) < 0)
		return r;
	txn_commit(&w.txn);
	drop_saved(&w, confs);
	if (manifest)
		*manifest = json_ref(w.new);
	return 0;
}

/* ---- and away again */

struct removal {
	struct work w;
	struct json_object *left;
	struct err first;
};

static void leave(struct removal *x, const char *dir, const char *name)
{
	cleanup_free char *path = str_fmt("%s/%s", dir, name);

	json_append(x->left, json_new_str(path));
}

/* Restores what was kept under this name, or removes it. */
static void take_away(struct removal *x, int dir, const char *name, bool kept)
{
	char keep[NAME_LEN_MAX + 1];

	(void)str_copyf(keep, sizeof keep, "%s%s", name, KEPT);
	if ((kept && is_there(dir, keep) ? put_back(dir, keep, name) : unlinkat(dir, name, 0)) <
		    0 &&
	    errno != ENOENT && !x->first.no)
		(void)err_set(&x->first, -errno, "remove %s", name);
}

static void remove_conf(struct removal *x, struct json_object *o, const char *conf_dir)
{
	const char *name = json_text(json_get(o, "file"));
	const char *path = conf_dir ? conf_dir : json_text(json_get(o, "dir"));
	cleanup_free char *text = NULL;
	size_t len;

	if (!is_file_name(name) || !path)
		return;
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || file_read_at(dir, name, CONF_BYTES_MAX, &text, &len, NULL) < 0)
		return; /* gone */
	drop_old(dir, name);
	if (manifest_wrote(o, text, len))
		take_away(x, dir, name, json_true(json_get(o, "kept")));
	else
		leave(x, path, name);
}

static void remove_all(struct removal *x, const char *conf_dir)
{
	struct json_object *conf = manifest_list(x->w.old, "conf");
	struct json_object *plugins = manifest_list(x->w.old, "plugins");
	int dir = x->w.dir[AT_PLUGINS];

	for (size_t i = 0; conf && i < json_len(conf); i++)
		remove_conf(x, json_at(conf, i), conf_dir);
	for (size_t i = 0; plugins && i < json_len(plugins); i++) {
		const char *name = json_text(json_at(plugins, i));

		if (!is_file_name(name) || !is_there(dir, name))
			continue;
		drop_old(dir, name);
		if (is_mine(&x->w, name))
			take_away(x, dir, name, manifest_lists(x->w.old, "kept", name));
		else
			leave(x, x->w.path[AT_PLUGINS], name);
	}
	if (is_there(dir, INSTALL_PROGRAM) && is_mine(&x->w, INSTALL_PROGRAM))
		take_away(x, dir, INSTALL_PROGRAM, false);
	(void)unlinkat(dir, OLD, 0);
}

int cni_uninstall(const char *to, const char *conf_dir, struct json_object **left, struct err *e)
{
	struct removal x = { .left = json_arr() };
	int r;

	work_init(&x.w);
	if ((r = open_dirs(&x.w, to, NULL, e)) == 0 && (r = manifest_read(&x.w, e)) == 0 &&
	    x.w.old) {
		remove_all(&x, conf_dir);
		if (!x.first.no)
			take_away(&x, x.w.dir[AT_PLUGINS], INSTALL_MANIFEST, false);
		if (x.first.no) {
			r = -x.first.no;
			if (e)
				*e = x.first;
		}
	}
	work_end(&x.w);
	if (left)
		*left = take_ptr(x.left);
	json_put(x.left);
	return r;
}
