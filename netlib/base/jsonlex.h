/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_JSONLEX_H
#define NARU_BASE_JSONLEX_H

#include <stddef.h>

struct err;

#define JSON_VALUES_MAX 32768 /* json-c takes up to 800 bytes for one */

/*
 * Checks the words of a JSON text: strings, numbers, names, blanks. json-c is lenient there even
 * when it is told to be strict (NaN, "TRUE", -01, "1.", raw control characters, overlong UTF-8,
 * halves of surrogate pairs, "\u0000"); how the words stand together is left to it, and so is a
 * text that ends too early. Also counts values, so that a document of a megabyte cannot become
 * sixty in memory. 0, or -EINVAL with CNI code 6: "invalid JSON at offset 7: ...".
 */
int json_lex(const char *text, size_t len, struct err *e);

#endif
