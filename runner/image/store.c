// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/image/config.h"
#include "runner/image/ref.h"
#include "runner/opt.h"

#define LOCK_WAIT_MS 10000
#define SHOWN_MAX 8 /* names in "images here: ..." */

const char *image_root(void)
{
	const char *root = getenv("NARU_ROOT");

	return root && *root ? root : IMAGE_ROOT;
}

static void strings_free(char **v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		free(v[i]);
	free(v);
}

void image_clear(struct image *i)
{
	strings_free(i->layers, i->nlayers);
	strings_free(i->diff_ids, i->nlayers);
	free(i->name);
	doc_free(&i->doc);
	doc_free(&i->manifest_doc);
	*i = (struct image)IMAGE_INIT;
}

void image_list_clear(struct image_list *l)
{
	free(l->v);
	*l = (struct image_list){ 0 };
}

/* ---------------------------------------------------------------- reading */

static int read_at_root(const char *root, const char *name, char **out, size_t *len, struct err *e)
{
	char path[4096];

	root = root ?: image_root();
	if (*root != '/')
		return err_say(e, -EINVAL, "NARU_ROOT is \"%s\"; expected an absolute path", root);
	int r = str_copyf(path, sizeof path, "%s/images/%s", root, name);
	return r < 0 ? err_set(e, r, "read %s", name) :
		       file_read_at(AT_FDCWD, path, IMAGE_DOC_MAX, out, len, e);
}

static int read_blob(const char *root, const char *hex, char **out, size_t *len, struct err *e)
{
	char name[96];

	(void)snprintf(name, sizeof name, "blobs/sha256/%s", hex);
	return read_at_root(root, name, out, len, e);
}

static int add_entry(struct image_list *l, struct json_object *o, size_t at, struct err *e)
{
	const char *name =
		json_text(json_get(json_get(o, "annotations"), "io.containerd.image.name"));
	struct image_entry one = { 0 }, *slot;

	if (image_digest_hex(json_text(json_get(o, "digest")), one.manifest) < 0)
		return err_say(e, -EBADMSG,
			       "images/index.json: /manifests/%zu/digest: expected sha256:HEX", at);
	if (str_copyf(one.name, sizeof one.name, "%s", name ?: "") < 0)
		return err_say(e, -EBADMSG,
			       "images/index.json: /manifests/%zu: the name is too long", at);
	slot = vec_add(&l->v, &l->n);
	if (!slot)
		return err_set(e, -ENOMEM, "list images");
	*slot = one;
	return 0;
}

int image_list(const char *root, struct image_list *out, struct err *e)
{
	cleanup_images struct image_list l = { 0 };
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_free char *text = NULL;
	struct err why = ERR_INIT;
	size_t len = 0;
	int r = read_at_root(root, "index.json", &text, &len, &why);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && (r = doc_parse(&d, text, len, &why)) < 0)
		(void)err_wrap(&why, "%s/images/index.json", root ?: image_root());
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	struct json_object *list = json_get(d.root, "manifests");
	for (size_t i = 0; i < json_len(list); i++)
		if ((r = add_entry(&l, json_at(list, i), i, e)) < 0)
			return r;
	*out = l;
	l = (struct image_list){ 0 };
	return 0;
}

static int find_layers(const char *root, struct image *i, struct err *e)
{
	struct stat st;

	i->layers = calloc(i->nlayers + 1, sizeof *i->layers);
	if (!i->layers)
		return err_set(e, -ENOMEM, "find the layers");
	for (size_t k = 0; k < i->nlayers; k++) {
		i->layers[k] = str_fmt("%s/images/layers/%s", root ?: image_root(), i->diff_ids[k]);
		if (!i->layers[k])
			return err_set(e, -ENOMEM, "find the layers");
		if (stat(i->layers[k], &st) < 0)
			return err_set(e, -errno, "layer %s", i->layers[k]);
		if (!S_ISDIR(st.st_mode))
			return err_say(e, -ENOTDIR,
				       "layer %s: expected a directory; import the image again",
				       i->layers[k]);
	}
	return 0;
}

static int open_entry(const char *root, const struct image_entry *entry, struct image *i,
		      struct err *e)
{
	cleanup_free char *manifest = NULL, *config = NULL;
	size_t mlen = 0, clen = 0;
	int r;

	memcpy(i->manifest, entry->manifest, sizeof i->manifest);
	if ((r = read_blob(root, entry->manifest, &manifest, &mlen, e)) < 0 ||
	    (r = image_manifest_decode(i, manifest, mlen, e)) < 0)
		return err_wrap(e, "manifest");
	if ((r = read_blob(root, i->id, &config, &clen, e)) < 0 ||
	    (r = image_config_decode(i, config, clen, e)) < 0)
		return err_wrap(e, "configuration");
	if (entry->name[0] && !(i->name = strdup(entry->name)))
		return err_set(e, -ENOMEM, "read it");
	return find_layers(root, i, e);
}

static void shorten(const char *full, char buf[REF_TEXT_MAX])
{
	struct image_ref r;

	if (image_ref_parse(full, &r, NULL) == 0)
		image_ref_short(&r, buf);
	else
		(void)str_copyf(buf, REF_TEXT_MAX, "%s", full);
}

int image_open(const char *root, const struct image_entry *entry, struct image *out, struct err *e)
{
	cleanup_image struct image i = IMAGE_INIT;
	char shown[REF_TEXT_MAX];
	int r = open_entry(root, entry, &i, e);

	if (r < 0) {
		shorten(entry->name, shown);
		return err_wrap(e, "image %s", entry->name[0] ? shown : entry->manifest);
	}
	*out = i;
	i = (struct image)IMAGE_INIT;
	return 0;
}

/* ---------------------------------------------------------------- looking for one */

struct near {
	const char *name;
	unsigned rank; /* 0: same repository */
	size_t at;
};

static int by_rank(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) :
				    (x->at > y->at) - (x->at < y->at);
}

static unsigned rank(const struct image_ref *want, const char *full)
{
	struct image_ref r;

	if (!want || image_ref_parse(full, &r, NULL) < 0)
		return 4;
	return opt_distance(image_ref_short_name(want), image_ref_short_name(&r));
}

/* "no such image busybox:2; images here: busybox:1, alpine:3; import one with ..." */
static int not_found(const char *text, const struct image_ref *want, const struct image_list *l,
		     struct err *e)
{
	cleanup_free struct near *near = NULL;
	cleanup_str struct str s = STR_INIT;
	char shown[REF_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct near *slot = l->v[i].name[0] ? vec_add(&near, &n) : NULL;

		if (slot)
			*slot = (struct near){ l->v[i].name, rank(want, l->v[i].name), i };
	}
	if (n)
		qsort(near, n, sizeof *near, by_rank);
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		shorten(near[i].name, shown);
		str_addf(&s, "%s%s", i ? ", " : "", shown);
	}
	if (n > SHOWN_MAX)
		str_addf(&s, " and %zu more", n - SHOWN_MAX);
	return err_say(e, -ENOENT, "no such image %s; %s%s; import one with naru import FILE %s",
		       text, n ? "images here: " : "there are none here yet", s.p ?: "",
		       want ? text : "NAME");
}

static bool matches(const struct image_ref *want, const struct image_entry *entry)
{
	struct image_ref r;

	if (image_ref_parse(entry->name, &r, NULL) < 0 || strcmp(r.name, want->name))
		return false;
	if (want->digest[0])
		return !strcmp(want->digest + strlen("sha256:"), entry->manifest);
	return !strcmp(r.tag, want->tag);
}

/* Which entry has an id that begins like this? The number of different images that do. */
static int match_ids(const char *root, const struct image_list *l, const char *prefix,
		     const struct image_entry **out)
{
	char first[IMAGE_ID_SIZE] = "";
	int count = 0;

	for (size_t k = 0; k < l->n; k++) {
		cleanup_image struct image i = IMAGE_INIT;
		cleanup_free char *text = NULL;
		size_t len = 0;

		if (read_blob(root, l->v[k].manifest, &text, &len, NULL) < 0 ||
		    image_manifest_decode(&i, text, len, NULL) < 0 || !str_starts(i.id, prefix) ||
		    !strcmp(i.id, first))
			continue;
		memcpy(first, i.id, sizeof first);
		*out = &l->v[k];
		count++;
	}
	return count;
}

static int lookup_id(const char *root, const struct image_list *l, const char *text,
		     const struct image_entry **out, struct err *e)
{
	const char *hex = str_starts(text, "sha256:") ? text + strlen("sha256:") : text;
	size_t n = strlen(hex);

	if (!n || n > 64 || strspn(hex, "0123456789abcdef") != n)
		return 0;
	int found = match_ids(root, l, hex, out);
	if (found > 1)
		return err_say(
			e, -EINVAL,
			"image id %s is the beginning of %d images; give more digits or a name",
			text, found);
	return found;
}

int image_lookup(const char *root, const char *text, struct image *out, struct err *e)
{
	cleanup_images struct image_list l = { 0 };
	struct image_ref want;
	struct err bad_name = ERR_INIT;
	const struct image_entry *entry = NULL;
	bool named = image_ref_parse(text, &want, &bad_name) == 0, by_id = false;
	int r = image_list(root, &l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; named && i < l.n && !entry; i++)
		if (matches(&want, &l.v[i]))
			entry = &l.v[i];
	if (!entry) {
		if ((r = lookup_id(root, &l, text, &entry, e)) < 0)
			return r;
		by_id = r > 0;
	}
	if (!entry) {
		bool id_like =
			strspn(text, "0123456789abcdef") == 64 || str_starts(text, "sha256:");

		if (named || id_like)
			return not_found(text, named ? &want : NULL, &l, e);
		if (e)
			*e = bad_name;
		return -EINVAL;
	}
	if ((r = image_open(root, entry, out, e)) < 0)
		return r;
	if (by_id) {
		free(out->name);
		out->name = NULL;
	}
	return 0;
}

/* ---------------------------------------------------------------- what dead writers left */

int image_lock(const char *root, struct err *e)
{
	char path[4096];
	int r;

	if ((r = str_copyf(path, sizeof path, "%s/images/lock", root ?: image_root())) < 0)
		return err_set(e, r, "lock the image store");
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, -errno, "open %s", path);
	r = file_lock(fd, LOCK_WAIT_MS, path, e);
	return r < 0 ? r : take_fd(fd);
}

/* A writer holds a lock on its temporary directory as long as it lives. */
static bool is_dead_temp(int layers, const char *name)
{
	cleanup_fd int fd =
		str_starts(name, ".tmp-") ?
			openat(layers, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) :
			-1;

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

struct sweep {
	char (*used)[IMAGE_ID_SIZE];
	size_t n;
	size_t removed;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_used(const struct sweep *s, const char *name)
{
	return s->n && bsearch(name, s->used, s->n, sizeof *s->used, by_id);
}

static int mark(struct sweep *s, const char *hex, struct err *e)
{
	char(*slot)[IMAGE_ID_SIZE] = vec_add(&s->used, &s->n);

	if (!slot)
		return err_set(e, -ENOMEM, "list what is used");
	memcpy(*slot, hex, strlen(hex) + 1);
	return 0;
}

static int mark_all(const char *root, struct sweep *s, struct err *e)
{
	cleanup_images struct image_list l = { 0 };
	int r = image_list(root, &l, e);

	for (size_t k = 0; r == 0 && k < l.n; k++) {
		cleanup_image struct image i = IMAGE_INIT;

		if ((r = image_open(root, &l.v[k], &i, e)) < 0 ||
		    (r = mark(s, i.manifest, e)) < 0 || (r = mark(s, i.id, e)) < 0)
			return r;
		for (size_t j = 0; r == 0 && j < i.nlayers; j++)
			r = mark(s, i.diff_ids[j], e);
	}
	if (r == 0 && s->n)
		qsort(s->used, s->n, sizeof *s->used, by_id);
	return r;
}

/*
 * Removes what is_used does not know below dir; with temps_only just the temporary directories of
 * dead writers.
 */
static int sweep_dir(int dir, struct sweep *s, bool temps_only, struct err *e)
{
	cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return err_set(e, -errno, "read the image store");
	(void)take_fd(fd);
	for (struct dirent *ent; (ent = readdir(d));) {
		const char *name = ent->d_name;
		bool temp = *name == '.';

		if (temps_only || temp ? !is_dead_temp(dir, name) : is_used(s, name))
			continue;
		int r = file_remove_tree(dir, name, e);
		if (r < 0)
			return err_wrap(e, "clean the image store");
		s->removed++;
	}
	return 0;
}

int image_gc_temps(int layers, size_t *removed, struct err *e)
{
	struct sweep s = { 0 };
	int r = sweep_dir(layers, &s, true, e);

	if (removed)
		*removed = s.removed;
	return r;
}

int image_gc(const char *root, size_t *removed, struct err *e)
{
	static const char *const dirs[] = { "layers", "blobs/sha256" };
	struct sweep s = { 0 };
	struct err why = ERR_INIT;
	cleanup_fd int lock = image_lock(root, &why);
	int r = lock < 0 && lock != -ENOENT ? lock : 0;

	if (r == 0 && lock >= 0)
		r = mark_all(root, &s, &why);
	char path[4096];
	if (lock >= 0 &&
	    str_copyf(path, sizeof path, "%s/images/.index.json.new", root ?: image_root()) == 0)
		(void)unlink(path);
	for (size_t i = 0; r == 0 && lock >= 0 && i < ARRAY_LEN(dirs); i++) {
		(void)str_copyf(path, sizeof path, "%s/images/%s", root ?: image_root(), dirs[i]);
		cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir >= 0)
			r = sweep_dir(dir, &s, false, &why);
	}
	free(s.used);
	if (r < 0 && e)
		*e = why;
	if (r == 0 && removed)
		*removed = s.removed;
	return r;
}
