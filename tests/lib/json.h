/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_JSON_H
#define TESTS_LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Just enough JSON to look into results and to splice configurations as a runtime does, on the text
 * itself, so that what a plugin gets is byte for byte what a test wrote. Texts are expected to be
 * well formed; malformed ones are "not found", never an overrun.
 */

/*
 * The value at a path like "/ips/0/address" as newly allocated text: strings without quotes
 * (escapes are left as they are), everything else as written. "" is the whole document. NULL when
 * there is nothing there.
 */
char *json_find(const char *text, const char *path);

/* True when the value at path is there and reads exactly so. */
bool json_is(const char *text, const char *path, const char *value);

/*
 * Number of elements or members of the value at path; -1 when it is not there or has none to count.
 */
int json_count(const char *text, const char *path);

/* Name of the n-th member of the object at path, newly allocated, or NULL. */
char *json_key(const char *text, const char *path, int n);

/*
 * A copy of an object with one member added at its end, or replaced where it stands; value is JSON
 * text.
 */
char *json_with(const char *object, const char *key, const char *value);

#endif
