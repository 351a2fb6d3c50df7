/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_STORE_H
#define NARU_IMAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/base/decode.h"

struct err;
struct json_object;

/*
 * The images of this machine, below ROOT/images (doc/images.md):
 *
 *   oci-layout, index.json          names and the manifests they mean
 *   blobs/sha256/HEX                manifests and configurations
 *   layers/HEX/                     a layer, unpacked, as an overlay lower directory; HEX is its
 *                                   diff id
 *   layers/.tmp-*                   a layer being unpacked; locked by its writer
 *   lock                            taken by writers for the moment of a change
 *
 * Everything appears under its final name complete and synced, so readers take no lock.
 */
#define IMAGE_ROOT "/var/lib/naru" /* unless NARU_ROOT says otherwise */
#define IMAGE_LAYERS_MAX 128
#define IMAGE_DOC_MAX DOC_BYTES_MAX /* of a manifest, a configuration or the index */
#define IMAGE_ID_SIZE 65	    /* 64 hex digits */

const char *image_root(void);

/* Strings borrow from the documents kept inside. */
struct image {
	char id[IMAGE_ID_SIZE]; /* of the configuration, as docker counts */
	char manifest[IMAGE_ID_SIZE];
	/* full name it was found by, "docker.io/library/busybox:1"; NULL when found by id */
	char *name;
	char **layers;	 /* absolute directories, bottom to top */
	char **diff_ids; /* hex, same order */
	size_t nlayers;
	int64_t size;			 /* bytes in its files */
	const char *os, *arch, *created; /* created: RFC 3339, "" when unknown */
	const char **entrypoint, **cmd, **env;
	size_t nentrypoint, ncmd, nenv;
	const char *workdir, *user, *stop_signal; /* NULL when not given */
	const char **ports;			  /* "80/tcp" */
	size_t nports;
	const char **volumes;
	size_t nvolumes;
	struct json_object *labels; /* object or NULL */
	struct json_object *config; /* "config" as it stands, or NULL */
	struct doc doc, manifest_doc;
};

#define IMAGE_INIT { 0 }
#define cleanup_image __attribute__((cleanup(image_clear)))
void image_clear(struct image *i);

/*
 * Finds an image by name (NAME[:TAG][@DIGEST]), by id or by the beginning of an id. Every layer
 * directory is checked to exist. -ENOENT: "no such image busybox:2; images here: busybox:1,
 * alpine:3; import one with naru import FILE busybox:2"; names that resemble the one asked for come
 * first. -EINVAL: the text is no image name, or the beginning of several ids. root: NULL =
 * image_root().
 */
int image_lookup(const char *root, const char *text, struct image *out, struct err *e);

/* One name in the index. */
struct image_entry {
	char name[512]; /* full name; "" for an image that lost its name */
	char manifest[IMAGE_ID_SIZE];
};

struct image_list {
	struct image_entry *v; /* newest first, as they were named */
	size_t n;
};

#define cleanup_images __attribute__((cleanup(image_list_clear)))
void image_list_clear(struct image_list *l);

/* An absent store is an empty list. */
int image_list(const char *root, struct image_list *out, struct err *e);
/* Reads what an entry means; as image_lookup without the search. */
int image_open(const char *root, const struct image_entry *entry, struct image *out, struct err *e);

/* Locks the store for a change; the descriptor is the lock. -ENOENT when there is no store. */
int image_lock(const char *root, struct err *e);

/*
 * Removes what writers that died left: temporary layers nobody holds, and layers and blobs that no
 * image in the index uses. *removed (may be NULL) counts them. An absent store is clean.
 */
int image_gc(const char *root, size_t *removed, struct err *e);
/* The temporary layers alone, with the lock held: what a new writer does first. */
int image_gc_temps(int layers, size_t *removed, struct err *e);

#endif
