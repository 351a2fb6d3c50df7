// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"

int image_digest_hex(const char *digest, char out[IMAGE_ID_SIZE])
{
	if (!digest || !str_starts(digest, "sha256:") || strlen(digest) != 71 ||
	    strspn(digest + 7, "0123456789abcdef") != 64)
		return -EINVAL;
	memcpy(out, digest + 7, IMAGE_ID_SIZE);
	return 0;
}

struct keys { /* an object whose keys are what counts: ExposedPorts, Volumes */
	struct doc *d;
	const char **v;
	size_t n, max;
};

static int add_key(const char *key, struct json_object *v, void *arg)
{
	struct keys *k = arg;

	(void)v;
	if (k->v && k->n < k->max)
		k->v[k->n] = key;
	k->n++;
	return 0;
}

static int decode_keys(struct doc *d, struct json_object *v, const char ***out, size_t *n,
		       const char *path, struct err *e)
{
	struct keys k = { .d = d };

	if (!json_is_object(v))
		return err_conf(e, path, "expected an object");
	(void)json_each(v, add_key, &k);
	if (k.n > DOC_ELEMENTS_MAX)
		return err_conf(e, path, "expected at most %d members, got %zu", DOC_ELEMENTS_MAX,
				k.n);
	k.max = k.n;
	k.v = doc_alloc(d, k.n + 1, sizeof *k.v);
	if (!k.v)
		return err_set(e, -ENOMEM, "decode %s", path);
	k.n = 0;
	(void)json_each(v, add_key, &k);
	*out = k.v;
	*n = k.n;
	return 0;
}

static int decode_ports(struct doc *d, struct json_object *v, void *image, const char *path,
			struct err *e)
{
	struct image *i = image;

	return decode_keys(d, v, &i->ports, &i->nports, path, e);
}

static int decode_volumes(struct doc *d, struct json_object *v, void *image, const char *path,
			  struct err *e)
{
	struct image *i = image;

	return decode_keys(d, v, &i->volumes, &i->nvolumes, path, e);
}

static const struct field process_fields[] = {
	FIELD_STRS("Entrypoint", struct image, entrypoint, nentrypoint),
	FIELD_STRS("Cmd", struct image, cmd, ncmd),
	FIELD_STRS("Env", struct image, env, nenv),
	FIELD_STR("WorkingDir", struct image, workdir),
	FIELD_STR("User", struct image, user),
	FIELD_STR("StopSignal", struct image, stop_signal),
	FIELD_RAW("Labels", struct image, labels),
	{ .key = "ExposedPorts", .type = FIELD_T_FN, .fn = decode_ports },
	{ .key = "Volumes", .type = FIELD_T_FN, .fn = decode_volumes },
	FIELD_END,
};

static const struct field image_fields[] = {
	FIELD_STR("os", struct image, os),
	FIELD_STR("architecture", struct image, arch),
	FIELD_STR("created", struct image, created),
	FIELD_RAW("config", struct image, config),
	FIELD_END,
};

struct rootfs {
	const char **diff_ids;
	size_t n;
};

static const struct field rootfs_fields[] = {
	FIELD_STRS("diff_ids", struct rootfs, diff_ids, n),
	FIELD_END,
};

static int decode_layers(struct image *i, struct err *e)
{
	struct rootfs fs = { 0 };
	int r = decode(&i->doc, json_get(i->doc.root, "rootfs"), rootfs_fields, &fs, "/rootfs", e);
	char hex[IMAGE_ID_SIZE];

	if (r < 0)
		return r;
	if (fs.n > IMAGE_LAYERS_MAX)
		return err_conf(e, "/rootfs/diff_ids", "expected at most %d layers, got %zu",
				IMAGE_LAYERS_MAX, fs.n);
	i->diff_ids = calloc(fs.n + 1, sizeof *i->diff_ids);
	if (!i->diff_ids)
		return err_set(e, -ENOMEM, "decode /rootfs/diff_ids");
	for (size_t k = 0; k < fs.n; k++) {
		if (image_digest_hex(fs.diff_ids[k], hex) < 0)
			return err_conf(e, "/rootfs/diff_ids", "expected sha256:HEX, got \"%.80s\"",
					fs.diff_ids[k]);
		i->diff_ids[k] = strdup(hex);
		if (!i->diff_ids[k])
			return err_set(e, -ENOMEM, "decode /rootfs/diff_ids");
		i->nlayers = k + 1;
	}
	return 0;
}

int image_config_decode(struct image *i, const char *text, size_t len, struct err *e)
{
	int r = doc_parse(&i->doc, text, len, e);

	if (r < 0)
		return r;
	i->os = i->arch = i->created = "";
	if ((r = decode(&i->doc, i->doc.root, image_fields, i, "", e)) < 0 ||
	    (r = decode_layers(i, e)) < 0)
		return r;
	if (!i->config)
		return 0;
	if ((r = decode(&i->doc, i->config, process_fields, i, "/config", e)) < 0)
		return r;
	if (i->labels && !json_is_object(i->labels))
		return err_conf(e, "/config/Labels", "expected an object");
	return 0;
}

int image_manifest_decode(struct image *i, const char *text, size_t len, struct err *e)
{
	struct json_object *layers;
	int64_t n;
	int r = doc_parse(&i->manifest_doc, text, len, e);

	if (r < 0)
		return r;
	if (image_digest_hex(json_text(
				     json_get(json_get(i->manifest_doc.root, "config"), "digest")),
			     i->id) < 0)
		return err_conf(e, "/config/digest", "expected sha256:HEX");
	layers = json_get(i->manifest_doc.root, "layers");
	if (!json_is_array(layers) || json_len(layers) > IMAGE_LAYERS_MAX)
		return err_conf(e, "/layers", "expected an array of at most %d layers",
				IMAGE_LAYERS_MAX);
	i->size = 0;
	for (size_t k = 0; k < json_len(layers); k++) {
		struct json_object *layer = json_at(layers, k);
		const char *unpacked =
			json_text(json_get(json_get(layer, "annotations"), "naru.unpacked"));
		uint64_t bytes;

		if (unpacked && str_u64(unpacked, INT64_MAX, &bytes) == 0)
			i->size += (int64_t)bytes;
		else if (json_int(json_get(layer, "size"), &n) == 0)
			i->size += n;
	}
	return 0;
}
