/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_JSONPOS_H
#define NARU_BASE_JSONPOS_H

#include <stdbool.h>
#include <stddef.h>

/* Where things stand in a JSON text: lines and columns from 1, columns in characters. */
struct json_pos {
	unsigned line, column;
};

/*
 * The place of what a JSON pointer leads to, in a text that doc_parse has taken: the member's key
 * when key is true and there is one, else the value. Of a key that stands twice the last counts, as
 * in decoding. Returns true when the pointer leads all the way; else *out is the deepest value on
 * the way to it. Pure.
 */
bool json_locate(const char *text, size_t len, const char *pointer, bool key, struct json_pos *out);

/* The place of an offset. */
struct json_pos json_pos_at(const char *text, size_t len, size_t offset);

/*
 * Calls fn with the pointer of each key that stands in its object a second time and with its place.
 */
void json_each_twice(const char *text, size_t len,
		     void (*fn)(const char *pointer, struct json_pos at, void *arg), void *arg);

#endif
