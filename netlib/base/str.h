/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_STR_H
#define NARU_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable text. Remembers the first failure (out of memory), so only str_take needs checking. */
struct str {
	char *p; /* NUL-terminated once anything was added; NULL when empty */
	size_t len;
	bool bad;
};

#define STR_INIT { 0 }
#define cleanup_str __attribute__((cleanup(str_free)))

void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const char *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Hands the text over (never NULL on success; "" when nothing was added). Returns NULL when memory
 * ran out on the way.
 */
char *str_take(struct str *s);
void str_free(struct str *s);

/* malloc'd printf; NULL when memory is out. */
char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* snprintf that reports truncation: 0, or -ENAMETOOLONG (buf then holds the cut text). */
int str_copyf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

bool str_starts(const char *s, const char *prefix);
/*
 * The same text, but for the case of ASCII letters: what keys and words of protocols are compared
 * by. No locale is asked, whose tables would be 64 KB more of every process.
 */
bool str_same(const char *a, const char *b);
bool str_same_n(const char *a, size_t n, const char *b); /* a has n bytes, no terminator */

/*
 * Bytes of the UTF-8 sequence that s begins with (1..4; s has n bytes), or 0: overlong forms and
 * surrogates are none.
 */
unsigned utf8_len(const char *s, size_t n);

/* Whole decimal number without sign, blanks or leading "+": 0 or -EINVAL / -ERANGE (above max). */
int str_u64(const char *s, uint64_t max, uint64_t *out);

/*
 * 64-bit name hash (FNV-1a with a final mix). Feed parts one after the other; parts are kept apart,
 * so ("ab","c") and ("a","bc") differ. Not a cryptographic hash: whoever derives a name from it
 * checks the owner behind the name.
 */
#define HASH_INIT UINT64_C(0xcbf29ce484222325)
uint64_t hash_part(uint64_t h, const char *s);
uint64_t hash_end(uint64_t h);

#endif
