/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_MANIFEST_H
#define NARU_CNI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What an installation (install.h) wrote down about itself: {"plugins": [NAME], "kept": [NAME],
 * "conf": [{"file", "dir", "sha512", "kept", "was"}]}. Pure; a manifest may be NULL. Results are
 * borrowed.
 */
struct json_object;

#define MANIFEST_SUM_MAX 129 /* of a file, as text */
void manifest_sum(const char *text, size_t len, char out[MANIFEST_SUM_MAX]);

/* The array under key; NULL when there is none. */
struct json_object *manifest_list(struct json_object *manifest, const char *key);
bool manifest_lists(struct json_object *manifest, const char *key, const char *name);

/* The entry of a configuration, by the name of its file; NULL. */
struct json_object *manifest_conf(struct json_object *manifest, const char *name);

/* Is this what an entry says was written, now or, by a killed installation, not yet? */
bool manifest_wrote(struct json_object *entry, const char *text, size_t len);

/* The sum that may still stand in the file until this one does; NULL. */
const char *manifest_before(struct json_object *entry, const char *sum);

#endif
