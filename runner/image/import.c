// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/image/change.h"
#include "runner/image/ref.h"
#include "runner/image/write.h"

#define READ_BLOCK (256 * 1024)
#define RATIO_MAX 100			/* unpacked : packed ... */
#define RATIO_FREE (UINT64_C(64) << 20) /* ... once it is more than this */
#define PACKINGS "gzip, bzip2, xz, zstd or lz4"

/*
 * The archive on its way: the file, its packing taken off, the digest taken of the plain bytes, the
 * tar reader.
 */
struct source {
	const struct import_spec *spec;
	int fd;
	uint64_t total, plain;
	struct archive *raw, *tar;
	EVP_MD_CTX *sha;
};

static void source_clear(struct source *s)
{
	if (s->tar)
		(void)archive_read_free(s->tar);
	if (s->raw)
		(void)archive_read_free(s->raw);
	EVP_MD_CTX_free(s->sha);
	if (s->fd > STDERR_FILENO)
		(void)close(s->fd);
}

#define cleanup_source __attribute__((cleanup(source_clear)))

static uint64_t packed_bytes(const struct source *s)
{
	int64_t n = archive_filter_bytes(s->raw, -1);

	return n > 0 ? (uint64_t)n : 0;
}

/* The next plain block: its length, 0 at the end, -1 with the text in s->raw or in to. */
static la_ssize_t next_block(struct source *s, struct archive *to, const void **block)
{
	size_t len = 0;
	la_int64_t off;
	int r = archive_read_data_block(s->raw, block, &len, &off);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN) {
		archive_set_error(to, archive_errno(s->raw) ?: EIO, "%s",
				  archive_error_string(s->raw) ?: "read error");
		return -1;
	}
	s->plain += len;
	uint64_t packed = packed_bytes(s);
	if (s->plain > RATIO_FREE && s->plain / RATIO_MAX > packed) {
		archive_set_error(
			to, EFBIG,
			"it grows to more than %d times its size; unpack it and import the plain tar",
			RATIO_MAX);
		return -1;
	}
	if (EVP_DigestUpdate(s->sha, *block, len) != 1) {
		archive_set_error(to, EIO, "the cryptographic library refuses SHA-256");
		return -1;
	}
	if (s->spec->progress)
		s->spec->progress(packed, s->total, s->spec->progress_arg);
	return (la_ssize_t)len;
}

static la_ssize_t tar_read(struct archive *a, void *arg, const void **block)
{
	return next_block(arg, a, block);
}

static int open_file(struct source *s, struct err *e)
{
	const char *file = s->spec->file;
	struct stat st;

	if (str_starts(file, "http://") || str_starts(file, "https://"))
		return err_say(
			e, -EINVAL,
			"import %s: only files are read; fetch it first, or pipe it into naru import - NAME",
			file);
	s->fd = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	if (s->fd < 0)
		return err_set(e, -errno, "open %s", file);
	if (fstat(s->fd, &st) < 0)
		return err_set(e, -errno, "stat %s", file);
	if (S_ISDIR(st.st_mode))
		return err_say(
			e, -EISDIR,
			"import %s: it is a directory; pack it first: tar -C %s -cf - . | naru import - NAME",
			file, file);
	if (s->fd == STDIN_FILENO && isatty(s->fd))
		return err_say(e, -EINVAL,
			       "import -: standard input is a terminal; pipe an archive into it");
	s->total = S_ISREG(st.st_mode) && st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (S_ISREG(st.st_mode) && !st.st_size)
		return err_say(e, -EINVAL, "import %s: the file is empty", file);
	return 0;
}

/* Only packings that libarchive undoes itself: it would start programs for others. */
static int open_raw(struct source *s, struct err *e)
{
	struct archive_entry *ent;
	int r;

	s->raw = archive_read_new();
	if (!s->raw)
		return err_set(e, -ENOMEM, "read %s", s->spec->file);
	(void)archive_read_support_filter_gzip(s->raw);
	(void)archive_read_support_filter_bzip2(s->raw);
	(void)archive_read_support_filter_xz(s->raw);
	(void)archive_read_support_filter_zstd(s->raw);
	(void)archive_read_support_filter_lz4(s->raw);
	(void)archive_read_support_format_raw(s->raw);
	/* an empty file is of no format (EILSEQ), or at its end at once; the library decides */
	r = archive_read_open_fd(s->raw, s->fd, READ_BLOCK);
	if (r != ARCHIVE_OK && archive_errno(s->raw) == EILSEQ && !archive_filter_bytes(s->raw, -1))
		r = ARCHIVE_EOF;
	else if (r != ARCHIVE_OK ||
		 ((r = archive_read_next_header(s->raw, &ent)) != ARCHIVE_OK && r != ARCHIVE_EOF))
		return err_say(e, -EBADMSG, "import %s: %s", s->spec->file,
			       archive_error_string(s->raw) ?: "cannot be read");
	return r == ARCHIVE_EOF ?
		       err_say(e, -EINVAL, "import %s: there is nothing in it", s->spec->file) :
		       0;
}

static int open_tar(struct source *s, struct err *e)
{
	s->sha = EVP_MD_CTX_new();
	if (!s->sha || EVP_DigestInit_ex(s->sha, EVP_sha256(), NULL) != 1)
		return err_say(e, -EIO, "the cryptographic library refuses SHA-256");
	s->tar = archive_read_new();
	if (!s->tar)
		return err_set(e, -ENOMEM, "read %s", s->spec->file);
	(void)archive_read_support_format_tar(s->tar);
	if (archive_read_open(s->tar, s, NULL, tar_read, NULL) == ARCHIVE_OK)
		return 0;
	const char *why = archive_error_string(s->tar) ?: "cannot be read";
	if (strstr(why, "nrecognized"))
		return err_say(e, -EINVAL,
			       "import %s: it is no tar archive, plain or packed with " PACKINGS,
			       s->spec->file);
	return err_say(e, -EBADMSG, "import %s: %s", s->spec->file, why);
}

/* What follows the last entry belongs to the layer's digest too. */
static int finish_digest(struct source *s, char hex[IMAGE_ID_SIZE], struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	const void *block;
	la_ssize_t n;

	while ((n = next_block(s, s->tar, &block)) > 0)
		continue;
	if (n < 0)
		return err_say(e, -EBADMSG, "the archive cannot be read: %s",
			       archive_error_string(s->tar) ?: "unknown error");
	if (EVP_DigestFinal_ex(s->sha, sum, NULL) != 1)
		return err_say(e, -EIO, "the cryptographic library refuses SHA-256");
	for (int i = 0; i < 32; i++)
		(void)snprintf(hex + (ptrdiff_t)i * 2, 3, "%02x", sum[i]);
	return 0;
}

/* ---------------------------------------------------------------- configuration */

static const char *machine_arch(const char *machine)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" },	 { "armv7l", "arm" },
		{ "i686", "386" },     { "ppc64le", "ppc64le" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i][0], machine))
			return names[i][1];
	return machine;
}

/* RFC 3339 with nanoseconds. */
static int now_text(char out[64], struct err *e)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	struct timespec t = { 0 };
	struct tm tm;
	uint64_t s;

	if (fixed && *fixed) {
		if (str_u64(fixed, INT32_MAX, &s) < 0)
			return err_say(
				e, -EINVAL,
				"SOURCE_DATE_EPOCH: expected seconds since 1970, got \"%.40s\"",
				fixed);
		t.tv_sec = (time_t)s;
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &t);
	}
	if (!gmtime_r(&t.tv_sec, &tm))
		return err_say(e, -ERANGE, "the time of day is out of range");
	size_t n = strftime(out, 64, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, 64 - n, t.tv_nsec ? ".%09ldZ" : "%.0ldZ", t.tv_nsec);
	return 0;
}

static int set_platform(struct json_object *o, const char *platform, struct err *e)
{
	struct utsname u;
	const char *slash = platform ? strchr(platform, '/') : NULL;

	if (!platform) {
		(void)uname(&u);
		json_set_str(o, "architecture", machine_arch(u.machine));
		json_set_str(o, "os", "linux");
		return 0;
	}
	if (!slash || slash == platform || !slash[1] ||
	    strspn(platform, "abcdefghijklmnopqrstuvwxyz0123456789_/") != strlen(platform))
		return err_say(e, -EINVAL,
			       "platform \"%.60s\": expected OS/ARCHITECTURE such as linux/arm64",
			       platform);
	cleanup_free char *os = strndup(platform, (size_t)(slash - platform));
	const char *variant = strchr(slash + 1, '/');
	cleanup_free char *arch =
		strndup(slash + 1, variant ? (size_t)(variant - slash - 1) : strlen(slash + 1));
	json_set_str(o, "architecture", arch);
	json_set_str(o, "os", os);
	if (variant)
		json_set_str(o, "variant", variant + 1);
	return 0;
}

/*
 * Everything of the configuration that does not need the layer; also the check of what the user
 * said.
 */
static int compose_config(const struct import_spec *spec, struct json_object *o, struct err *e)
{
	struct json_object *config = json_obj();
	char created[64];
	int r = now_text(created, e);

	json_set(o, "config", config);
	json_set_str(o, "created", created);
	for (size_t i = 0; r == 0 && i < spec->nchanges; i++)
		r = image_change(config, spec->changes[i], e);
	return r < 0 ? r : set_platform(o, spec->platform, e);
}

static void add_layer(const struct import_spec *spec, struct json_object *o, const char *diff_id)
{
	struct json_object *history = json_arr(), *one = json_obj(), *rootfs = json_obj(),
			   *ids = json_arr();
	cleanup_free char *from = str_fmt("Imported from %s", spec->file),
			  *digest = str_fmt("sha256:%s", diff_id);

	json_set(one, "created", json_ref(json_get(o, "created")));
	json_set_str(one, "comment", spec->message ?: from);
	json_append(history, one);
	json_set(o, "history", history);
	json_append(ids, json_new_str(digest));
	json_set_str(rootfs, "type", "layers");
	json_set(rootfs, "diff_ids", ids);
	json_set(o, "rootfs", rootfs);
}

static struct json_object *descriptor(const char *type, const char *hex, uint64_t size)
{
	struct json_object *o = json_obj();
	cleanup_free char *digest = str_fmt("sha256:%s", hex);

	json_set_str(o, "mediaType", type);
	json_set_str(o, "digest", digest);
	json_set_int(o, "size", (int64_t)size);
	return o;
}

static void compose_manifest(const struct import_result *res, size_t config_size, struct str *out)
{
	cleanup_json struct json_object *o = json_obj();
	struct json_object *layers = json_arr(), *notes = json_obj();
	struct json_object *layer =
		descriptor("application/vnd.oci.image.layer.v1.tar", res->diff_id, res->unpacked);
	char bytes[32];

	(void)snprintf(bytes, sizeof bytes, "%" PRIu64, res->stats.bytes);
	json_set_str(notes, "naru.unpacked", bytes);
	json_set(layer, "annotations", notes);
	json_append(layers, layer);
	json_set_int(o, "schemaVersion", 2);
	json_set_str(o, "mediaType", "application/vnd.oci.image.manifest.v1+json");
	json_set(o, "config",
		 descriptor("application/vnd.oci.image.config.v1+json", res->id, config_size));
	json_set(o, "layers", layers);
	json_print(out, o, 0, false);
}

/* ---------------------------------------------------------------- the whole */

static int begin(const struct image_store *st, const char *root, char temp[64], struct err *e)
{
	cleanup_fd int lock = image_lock(root, e);
	int r;

	if (lock < 0)
		return lock;
	if ((r = image_gc_temps(st->layers, NULL, e)) < 0)
		return r;
	return image_store_layer_begin(st, temp, e);
}

static int publish(const struct image_store *st, const struct import_spec *spec, const char *name,
		   const char *temp, struct json_object *config, struct import_result *res,
		   struct err *e)
{
	cleanup_str struct str text = STR_INIT, manifest = STR_INIT;
	int r;

	add_layer(spec, config, res->diff_id);
	json_print(&text, config, 0, false);
	if (text.bad || !text.p)
		return err_set(e, -ENOMEM, "write the configuration");
	cleanup_fd int lock = image_lock(spec->root, e);
	if (lock < 0)
		return lock;
	if ((r = image_store_layer_commit(st, temp, res->diff_id, e)) < 0 ||
	    (r = image_store_blob(st, text.p, text.len, res->id, e)) < 0)
		return r;
	compose_manifest(res, text.len, &manifest);
	if (manifest.bad || !manifest.p)
		return err_set(e, -ENOMEM, "write the manifest");
	if ((r = image_store_blob(st, manifest.p, manifest.len, res->manifest, e)) < 0)
		return r;
	return image_store_name(st, spec->root, name, res->manifest, manifest.len, e);
}

static int take_layer(struct source *s, int layer, struct import_result *res, struct err *e)
{
	static const struct unpack_limits limits = UNPACK_LIMITS;
	int r;

	if ((r = unpack_layer(layer, s->tar, &limits, &res->stats, e)) < 0 ||
	    (r = finish_digest(s, res->diff_id, e)) < 0)
		return err_wrap(e, "import %s", s->spec->file);
	if (syncfs(layer) < 0)
		return err_set(e, -errno, "sync the layer");
	res->read = packed_bytes(s);
	res->unpacked = s->plain;
	return 0;
}

int image_import(const struct import_spec *spec, struct import_result *out, struct err *e)
{
	cleanup_source struct source s = { .spec = spec, .fd = -1 };
	cleanup_json struct json_object *config = json_obj();
	cleanup_image_store struct image_store st = IMAGE_STORE_INIT;
	struct import_result res = { 0 };
	struct image_ref ref;
	char name[REF_TEXT_MAX], temp[64];
	int r;

	if ((r = image_ref_parse(spec->name, &ref, e)) < 0)
		return r;
	if (ref.digest[0])
		return err_say(
			e, -EINVAL,
			"image name \"%.120s\": an import gets a name and a tag; its digest is not known before",
			spec->name);
	image_ref_full(&ref, name);
	if ((r = compose_config(spec, config, e)) < 0 || (r = open_file(&s, e)) < 0 ||
	    (r = open_raw(&s, e)) < 0 || (r = open_tar(&s, e)) < 0 ||
	    (r = image_store_open(spec->root, &st, e)) < 0)
		return r;
	cleanup_fd int layer = begin(&st, spec->root, temp, e);
	if (layer < 0)
		return layer;
	r = take_layer(&s, layer, &res, e);
	if (r < 0) {
		image_store_layer_drop(&st, temp);
		return r;
	}
	if ((r = publish(&st, spec, name, temp, config, &res, e)) < 0) {
		image_store_layer_drop(&st, temp);
		/* a layer or blobs that got their final name in vain */
		(void)image_gc(spec->root, NULL, NULL);
		return r;
	}
	*out = res;
	return 0;
}
