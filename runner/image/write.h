/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_WRITE_H
#define NARU_IMAGE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "runner/image/store.h"

struct err;
struct json_object;

/* The writing half of the store. Nothing becomes visible before it is whole and synced. */
struct image_store {
	int dir, layers, blobs; /* ROOT/images and below */
};

#define IMAGE_STORE_INIT { -1, -1, -1 }
#define cleanup_image_store __attribute__((cleanup(image_store_close)))

/* Makes what is missing. root: NULL = image_root(). */
int image_store_open(const char *root, struct image_store *s, struct err *e);
void image_store_close(struct image_store *s);

/*
 * A new empty directory for a layer: descriptor, locked while it is open; name is of its temporary
 * place.
 */
int image_store_layer_begin(const struct image_store *s, char name[64], struct err *e);
/*
 * Gives it its final name, or drops it when that layer is there already. The caller holds the
 * store's lock.
 */
int image_store_layer_commit(const struct image_store *s, const char *name, const char *diff_id,
			     struct err *e);
void image_store_layer_drop(const struct image_store *s, const char *name);

/* Writes a blob; its SHA-256 into hex. */
int image_store_blob(const struct image_store *s, const char *text, size_t len,
		     char hex[IMAGE_ID_SIZE], struct err *e);

/*
 * Gives name (full form) to a manifest. An image that had the name before stays, without one. The
 * caller holds the lock.
 */
int image_store_name(const struct image_store *s, const char *root, const char *name,
		     const char *manifest, size_t size, struct err *e);

#endif
