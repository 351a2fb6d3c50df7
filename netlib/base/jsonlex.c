// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/jsonlex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

#define CODE_DECODE 6

struct lex {
	const char *text;
	size_t len, at;
	struct err *e;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct lex *l, const char *fmt, ...)
{
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_code(l->e, -EINVAL, CODE_DECODE, "invalid JSON at offset %zu: %s", l->at, what);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char peek(const struct lex *l)
{
	return l->at < l->len ? l->text[l->at] : '\0';
}

static int unexpected(struct lex *l)
{
	unsigned char c = (unsigned char)l->text[l->at];

	if (!c)
		return refuse(l, "NUL byte");
	if (l->at == 0 && l->len >= 3 && !memcmp(l->text, "\xef\xbb\xbf", 3))
		return refuse(l, "byte order mark; expected plain UTF-8");
	if (c <= ' ' || c >= 0x7f)
		return refuse(l, "unexpected byte 0x%02x", c);
	return refuse(l, "unexpected character '%c'", c);
}

/* The four digits of \uXXXX at offset at; -1 when they are none (json-c says so) or cut off. */
static int hex4(const struct lex *l, size_t at)
{
	int v = 0;

	if (l->len - at < 6 || l->text[at] != '\\' || l->text[at + 1] != 'u')
		return -1;
	for (size_t i = at + 2; i < at + 6; i++) {
		char c = l->text[i], low = (char)(c | 0x20);
		int d = is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static int escape(struct lex *l)
{
	int v = hex4(l, l->at);

	if (v == 0)
		return refuse(l, "\\u0000 is not accepted in strings");
	if (v >= 0xdc00 && v <= 0xdfff)
		return refuse(l, "\\u%04x is the second half of a surrogate pair without the first",
			      (unsigned)v);
	if (v >= 0xd800 && v <= 0xdbff) {
		int low = hex4(l, l->at + 6 < l->len ? l->at + 6 : l->len);

		if (low < 0xdc00 || low > 0xdfff)
			return refuse(
				l,
				"\\u%04x is the first half of a surrogate pair without the second",
				(unsigned)v);
		l->at += 6;
	}
	l->at += v >= 0 ? 6 : 2;
	return 0;
}

static int string(struct lex *l)
{
	for (l->at++; l->at < l->len;) {
		unsigned char c = (unsigned char)l->text[l->at];
		unsigned n;

		if (c == '"') {
			l->at++;
			return 0;
		}
		if (c == '\\') {
			if (escape(l) < 0)
				return -EINVAL;
			continue;
		}
		if (!c)
			return refuse(l, "NUL byte");
		if (c < ' ')
			return refuse(l, "control character 0x%02x in a string; expected \\u%04x",
				      c, c);
		if (!(n = utf8_len(l->text + l->at, l->len - l->at)))
			return refuse(l, "invalid UTF-8 in a string");
		l->at += n;
	}
	return 0;
}

static bool digits(struct lex *l)
{
	size_t start = l->at;

	while (is_digit(peek(l)))
		l->at++;
	return l->at > start;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static int number(struct lex *l)
{
	bool ok;

	if (peek(l) == '-')
		l->at++;
	if (peek(l) == '0') {
		l->at++;
		ok = !is_digit(peek(l));
	} else {
		ok = digits(l);
	}
	if (ok && peek(l) == '.') {
		l->at++;
		ok = digits(l);
	}
	if (ok && (peek(l) == 'e' || peek(l) == 'E')) {
		l->at++;
		if (peek(l) == '+' || peek(l) == '-')
			l->at++;
		ok = digits(l);
	}
	return ok || l->at == l->len ? 0 : refuse(l, "malformed number");
}

static int word(struct lex *l)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t left = l->len - l->at;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if (!memcmp(l->text + l->at, words[i], left < n ? left : n)) {
			l->at += left < n ? left : n;
			return 0;
		}
	}
	return unexpected(l);
}

int json_lex(const char *text, size_t len, struct err *e)
{
	struct lex l = { text, len, 0, e };
	size_t values = 1;
	int r = 0;

	while (r == 0 && l.at < len) {
		char c = text[l.at], low = (char)(c | 0x20);

		values += c == ',' || c == '[' || c == '{';
		if (values > JSON_VALUES_MAX)
			r = refuse(&l, "more than %d values", JSON_VALUES_MAX);
		else if (c == '"')
			r = string(&l);
		else if (c == '-' || is_digit(c))
			r = number(&l);
		else if (low >= 'a' && low <= 'z' && (c & 0x80) == 0)
			r = word(&l);
		else if (c && strchr(" \t\r\n{}[]:,", c))
			l.at++;
		else
			r = unexpected(&l);
	}
	return r;
}
