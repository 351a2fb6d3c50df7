// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/write.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"

#define TEMP_TRIES 1000
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"

static int open_made(const char *root, const char *below, struct err *e)
{
	char path[4096];
	int r;

	if ((r = str_copyf(path, sizeof path, "%s/images%s", root, below)) < 0)
		return err_set(e, r, "open the image store in %s", root);
	if ((r = file_mkdirs(path, 0711, e)) < 0)
		return r;
	return file_open_dir(AT_FDCWD, path, e);
}

void image_store_close(struct image_store *s)
{
	int fds[] = { s->dir, s->layers, s->blobs };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	*s = (struct image_store)IMAGE_STORE_INIT;
}

int image_store_open(const char *root, struct image_store *s, struct err *e)
{
	cleanup_image_store struct image_store n = IMAGE_STORE_INIT;
	int r;

	root = root ?: image_root();
	if (*root != '/')
		return err_say(e, -EINVAL, "NARU_ROOT is \"%s\"; expected an absolute path", root);
	if ((r = n.dir = open_made(root, "", e)) < 0 ||
	    (r = n.layers = open_made(root, "/layers", e)) < 0 ||
	    (r = n.blobs = open_made(root, "/blobs/sha256", e)) < 0)
		return r;
	r = file_create_at(n.dir, "oci-layout", 0644, LAYOUT, strlen(LAYOUT), NULL);
	if (r < 0 && r != -EEXIST)
		return err_set(e, r, "write %s/images/oci-layout", root);
	*s = n;
	n = (struct image_store)IMAGE_STORE_INIT;
	return 0;
}

int image_store_layer_begin(const struct image_store *s, char name[64], struct err *e)
{
	for (int i = 0; i < TEMP_TRIES; i++) {
		(void)snprintf(name, 64, ".tmp-%d-%d", (int)getpid(), i);
		if (mkdirat(s->layers, name, 0755) < 0) {
			if (errno == EEXIST)
				continue;
			return err_set(e, -errno, "create a layer");
		}
		cleanup_fd int fd = file_open_dir(s->layers, name, e);
		if (fd < 0)
			return fd;
		if (fchmod(fd, 0755) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			return err_set(e, -errno, "create a layer");
		return take_fd(fd);
	}
	return err_say(e, -EEXIST, "create a layer: no free temporary name");
}

void image_store_layer_drop(const struct image_store *s, const char *name)
{
	(void)file_remove_tree(s->layers, name, NULL);
}

int image_store_layer_commit(const struct image_store *s, const char *name, const char *diff_id,
			     struct err *e)
{
	if (renameat2(s->layers, name, s->layers, diff_id, RENAME_NOREPLACE) == 0)
		return fsync(s->layers) < 0 ? err_set(e, -errno, "sync the layers") : 0;
	if (errno != EEXIST)
		return err_set(e, -errno, "name layer %s", diff_id);
	image_store_layer_drop(s, name);
	return 0;
}

int image_store_blob(const struct image_store *s, const char *text, size_t len,
		     char hex[IMAGE_ID_SIZE], struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text, len, sum, NULL, EVP_sha256(), NULL) != 1)
		return err_say(e, -EIO, "the cryptographic library refuses SHA-256");
	for (int i = 0; i < 32; i++)
		(void)snprintf(hex + (ptrdiff_t)i * 2, 3, "%02x", sum[i]);
	int r = file_create_at(s->blobs, hex, 0644, text, len, NULL);
	return r < 0 && r != -EEXIST ? err_set(e, r, "write blob %s", hex) : 0;
}

static struct json_object *entry(const char *name, const char *manifest, size_t size)
{
	struct json_object *o = json_obj(), *notes = json_obj();
	const char *tag = strrchr(name, ':');
	char digest[80];

	(void)snprintf(digest, sizeof digest, "sha256:%s", manifest);
	json_set_str(o, "mediaType", MEDIA_MANIFEST);
	json_set_str(o, "digest", digest);
	json_set_int(o, "size", (int64_t)size);
	json_set_str(notes, "io.containerd.image.name", name);
	json_set_str(notes, "org.opencontainers.image.ref.name", tag ? tag + 1 : "latest");
	json_set(o, "annotations", notes);
	return o;
}

/*
 * The other entries: the one that had the name goes when it means the same image or is still named
 * elsewhere, else it loses the name.
 */
static void keep_others(struct json_object *from, struct json_object *to, const char *name,
			const char *manifest)
{
	size_t n = json_len(from);
	char digest[80];

	(void)snprintf(digest, sizeof digest, "sha256:%s", manifest);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_at(from, i);
		struct json_object *notes = json_get(o, "annotations");
		const char *its = json_text(json_get(notes, "io.containerd.image.name")) ?: "";
		const char *what = json_text(json_get(o, "digest")) ?: "";
		bool elsewhere = false;

		if (!strcmp(what, digest) && (!*its || !strcmp(its, name)))
			continue;
		if (strcmp(its, name)) {
			json_append(to, json_ref(o));
			continue;
		}
		for (size_t k = 0; k < n; k++)
			elsewhere |= k != i &&
				     !strcmp(json_text(json_get(json_at(from, k), "digest")) ?: "",
					     what);
		if (elsewhere)
			continue;
		struct json_object *nameless = json_obj();
		json_set_str(nameless, "mediaType", MEDIA_MANIFEST);
		json_set_str(nameless, "digest", what);
		json_set(nameless, "size", json_ref(json_get(o, "size")));
		json_append(to, nameless);
	}
}

int image_store_name(const struct image_store *s, const char *root, const char *name,
		     const char *manifest, size_t size, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_json struct json_object *index = json_obj();
	cleanup_free char *text = NULL;
	cleanup_str struct str out = STR_INIT;
	struct json_object *list = json_arr();
	struct err why = ERR_INIT;
	size_t len = 0;
	int r = file_read_at(s->dir, "index.json", IMAGE_DOC_MAX, &text, &len, &why);

	if (r == 0)
		r = doc_parse(&d, text, len, &why);
	json_append(list, entry(name, manifest, size)); /* newest first */
	if (r == 0)
		keep_others(json_get(d.root, "manifests"), list, name, manifest);
	json_set_int(index, "schemaVersion", 2);
	json_set_str(index, "mediaType", "application/vnd.oci.image.index.v1+json");
	json_set(index, "manifests", list);
	if (r < 0 && r != -ENOENT) {
		if (e)
			*e = why;
		return err_wrap(e, "%s/images/index.json", root ?: image_root());
	}
	json_print(&out, index, 0, false);
	if (out.bad || !out.p)
		return err_set(e, -ENOMEM, "write the index of images");
	return file_replace_at(s->dir, "index.json", 0644, out.p, out.len, e);
}
