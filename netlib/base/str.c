// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is allocated for n bytes: the next power of two, at least 64; so it need not be kept. */
static size_t capacity(size_t n)
{
	return n <= 64 ? 64 : (size_t)1 << (8 * sizeof n - (size_t)__builtin_clzl(n - 1));
}

void str_add_n(struct str *s, const char *bytes, size_t n)
{
	size_t want = capacity(s->len + n + 1);

	if (s->bad)
		return;
	if (!s->p || want > capacity(s->len + 1)) {
		char *p = realloc(s->p, want);

		if (!p) {
			s->bad = true;
			return;
		}
		s->p = p;
	}
	if (n)
		memcpy(s->p + s->len, bytes, n);
	s->len += n;
	s->p[s->len] = 0;
}

void str_add(struct str *s, const char *text)
{
	str_add_n(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_add_n(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	char small[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s->bad = true;
	} else if ((size_t)n < sizeof small) {
		str_add_n(s, small, (size_t)n);
	} else {
		char *big = NULL;

		va_start(ap, fmt);
		n = vasprintf(&big, fmt, ap);
		va_end(ap);
		if (n < 0) {
			s->bad = true;
			return;
		}
		str_add_n(s, big, (size_t)n);
		free(big);
	}
}

char *str_take(struct str *s)
{
	if (!s->p && !s->bad)
		str_add_n(s, "", 0);
	if (s->bad) {
		str_free(s);
		return NULL;
	}
	char *p = s->p;
	*s = (struct str)STR_INIT;
	return p;
}

void str_free(struct str *s)
{
	free(s->p);
	*s = (struct str)STR_INIT;
}

char *str_fmt(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

int str_copyf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool str_same_n(const char *a, size_t n, const char *b)
{
	size_t i = 0;

	while (i < n && b[i] && lower(a[i]) == lower(b[i]))
		i++;
	return i == n && !b[i];
}

bool str_same(const char *a, const char *b)
{
	return str_same_n(a, strlen(a), b);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

unsigned utf8_len(const char *s, size_t n)
{
	/* the smallest code point that needs that many bytes: less is an overlong form */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = n ? (unsigned char)*s : 0xff;
	unsigned len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
	uint32_t v = len == 1 ? c : c & (0x7fU >> len);

	if (len > n)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	return len && v >= least[len] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff) ? len : 0;
}

int str_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

uint64_t hash_part(uint64_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	while (*s++); /* the terminator is part of the hash: it keeps neighbours apart */
	return h;
}

uint64_t hash_end(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}
