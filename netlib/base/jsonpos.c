// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/jsonpos.h"

#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/str.h"

/*
 * A reader of a text that is known to be JSON: it only has to find where things end, and stops at
 * the end of the text whatever that holds.
 */
struct reader {
	const char *p, *end;
};

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
		r->p++;
}

static char next_char(struct reader *r)
{
	skip_blanks(r);
	return r->p < r->end ? *r->p : 0;
}

static void skip_string(struct reader *r)
{
	for (r->p++; r->p < r->end && *r->p != '"'; r->p++)
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
	if (r->p < r->end)
		r->p++;
}

static void skip_value(struct reader *r)
{
	unsigned depth = 0;

	do {
		char c = next_char(r);

		if (!c)
			return;
		if (c == '"') {
			skip_string(r);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= depth && (c == '}' || c == ']');
		r->p++;
		if (!depth)
			while (r->p < r->end && !strchr(",]}: \t\r\n", *r->p))
				r->p++;
	} while (depth);
}

/* Is a key as it stands in the text, quotes included, the token of a pointer (~0 ~1: ~ and /)? */
static bool key_is(const char *key, size_t len, const char *token, size_t ntoken)
{
	size_t k = 1, t = 0;

	while (k + 1 < len && t < ntoken) {
		char want = token[t++], have = key[k++];

		if (want == '~' && t < ntoken)
			want = token[t++] == '1' ? '/' : '~';
		if (have == '\\' && k + 1 < len)
			have = key[k++];
		if (want != have)
			return false;
	}
	return k + 1 == len && t == ntoken;
}

/* Steps into the member or element; false, with r where it was, when there is none. */
static bool enter(struct reader *r, const char *token, size_t n, const char **key)
{
	struct reader at = *r, found = { 0 };
	char open = next_char(&at), close = open == '{' ? '}' : open == '[' ? ']' : 0;
	uint64_t want = UINT64_MAX, i = 0;
	char number[24];

	if (!close)
		return false;
	if (close == ']' &&
	    (str_copyf(number, sizeof number, "%.*s", (int)(n < 23 ? n : 23), token) < 0 ||
	     str_u64(number, UINT32_MAX, &want) < 0))
		return false;
	for (at.p++; next_char(&at) && *at.p != close; i++) {
		const char *begin = at.p;
		bool mine = i == want;

		if (close == '}') {
			skip_string(&at);
			mine = key_is(begin, (size_t)(at.p - begin), token, n);
			if (next_char(&at) == ':')
				at.p++;
			(void)next_char(&at);
		}
		if (mine) {
			found = at;
			*key = close == '}' ? begin : NULL;
		}
		skip_value(&at);
		if (next_char(&at) == ',')
			at.p++;
	}
	if (!found.p)
		return false;
	*r = found;
	return true;
}

struct json_pos json_pos_at(const char *text, size_t len, size_t offset)
{
	struct json_pos pos = { 1, 1 };

	for (size_t i = 0; i < offset && i < len; i++) {
		if (text[i] == '\n')
			pos = (struct json_pos){ pos.line + 1, 1 };
		else
			pos.column += ((unsigned char)text[i] & 0xc0) != 0x80;
	}
	return pos;
}

bool json_locate(const char *text, size_t len, const char *pointer, bool key, struct json_pos *out)
{
	struct reader r = { text, text + len };
	const char *at_key = NULL;
	bool whole = true;

	(void)next_char(&r);
	while (*pointer == '/' && whole) {
		size_t n = strcspn(++pointer, "/");

		whole = enter(&r, pointer, n, &at_key);
		pointer += n;
	}
	*out = json_pos_at(text, len, (size_t)((key && at_key && whole ? at_key : r.p) - text));
	return whole;
}

/* ---- keys that stand twice */

struct search {
	const char *text;
	size_t len;
	void (*fn)(const char *pointer, struct json_pos at, void *arg);
	void *arg;
};

#define KEYS_MAX 256 /* of one object, looked at */

/* A key as a token of a pointer; escapes stay as they are written. */
static void add_token(struct str *s, const char *key, size_t len)
{
	str_addc(s, '/');
	for (size_t i = 1; i + 1 < len; i++)
		if (key[i] == '~' || key[i] == '/')
			str_add(s, key[i] == '~' ? "~0" : "~1");
		else
			str_addc(s, key[i]);
}

static void search_value(const struct search *x, struct reader *r, const char *pointer,
			 unsigned depth);

static void search_member(const struct search *x, struct reader *r, const char *pointer,
			  struct reader *seen, size_t *nseen, unsigned depth)
{
	cleanup_str struct str path = STR_INIT;
	struct reader key = { r->p, NULL };
	bool twice = false;

	skip_string(r);
	key.end = r->p;
	size_t len = (size_t)(key.end - key.p);
	str_add(&path, pointer);
	add_token(&path, key.p, len);
	for (size_t i = 0; i < *nseen; i++)
		twice |= (size_t)(seen[i].end - seen[i].p) == len && !memcmp(seen[i].p, key.p, len);
	if (twice && path.p)
		x->fn(path.p, json_pos_at(x->text, x->len, (size_t)(key.p - x->text)), x->arg);
	else if (*nseen < KEYS_MAX)
		seen[(*nseen)++] = key;
	if (next_char(r) == ':')
		r->p++;
	search_value(x, r, path.p ? path.p : "", depth);
}

static void search_object(const struct search *x, struct reader *r, const char *pointer,
			  unsigned depth)
{
	cleanup_free struct reader *seen = calloc(KEYS_MAX, sizeof *seen);
	size_t nseen = 0;

	for (r->p++; seen && next_char(r) && *r->p != '}';) {
		search_member(x, r, pointer, seen, &nseen, depth + 1);
		if (next_char(r) == ',')
			r->p++;
	}
	r->p += r->p < r->end;
}

static void search_value(const struct search *x, struct reader *r, const char *pointer,
			 unsigned depth)
{
	char c = next_char(r);

	if (c == '{' && depth < DOC_DEPTH_MAX) {
		search_object(x, r, pointer, depth);
		return;
	}
	if (c != '[' || depth >= DOC_DEPTH_MAX) {
		skip_value(r);
		return;
	}
	r->p++;
	for (size_t i = 0; next_char(r) && *r->p != ']'; i++) {
		cleanup_free char *path = str_fmt("%s/%zu", pointer, i);

		search_value(x, r, path ? path : "", depth + 1);
		if (next_char(r) == ',')
			r->p++;
	}
	r->p += r->p < r->end;
}

void json_each_twice(const char *text, size_t len,
		     void (*fn)(const char *pointer, struct json_pos at, void *arg), void *arg)
{
	const struct search x = { text, len, fn, arg };
	struct reader r = { text, text + len };

	search_value(&x, &r, "", 0);
}
