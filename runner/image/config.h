/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_CONFIG_H
#define NARU_IMAGE_CONFIG_H

#include <stddef.h>

#include "runner/image/store.h"

struct err;

/* The documents of an image, decoded; pure. Paths in errors are JSON pointers. */

/* "sha256:HEX": the 64 digits into out, or -EINVAL. */
int image_digest_hex(const char *digest, char out[IMAGE_ID_SIZE]);

/*
 * Fills os ... config, diff_ids and nlayers of *i from an image configuration (OCI image
 * specification, config.md). i->doc is taken.
 */
int image_config_decode(struct image *i, const char *text, size_t len, struct err *e);

/* Fills id and size of *i from a manifest; i->manifest_doc is taken. */
int image_manifest_decode(struct image *i, const char *text, size_t len, struct err *e);

#endif
