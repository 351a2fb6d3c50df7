// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/jsondup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

struct key {
	const char *p;
	size_t len;
};

struct walk {
	const char *member;
	bool in_object[DOC_DEPTH_MAX + 1]; /* by depth: an object, not an array */
	size_t depth;
	bool key_next; /* a string that comes now is a key */
	bool inside;   /* of the object that is looked for */
	bool named;    /* the last key of the root was its name */
	struct key *keys;
	size_t nkeys;
	bool oom;
};

static void take_key(struct walk *w, const char *p, size_t len)
{
	if (w->depth == 1)
		w->named = str_same_n(p, len, w->member);
	if (w->depth != 2 || !w->inside)
		return;
	struct key *k = vec_add(&w->keys, &w->nkeys);
	if (k)
		*k = (struct key){ p, len };
	w->oom |= !k;
}

/* The length of the string that begins at p, without its quotation marks. */
static size_t string_len(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && *q != '"')
		q += *q == '\\' && q + 1 < end ? 2 : 1;
	return (size_t)(q - p);
}

static void open_one(struct walk *w, char c)
{
	if (w->depth == 1 && w->named && c == '{') {
		w->inside = true;
		w->nkeys = 0; /* the last one of that name counts */
	}
	if (w->depth < DOC_DEPTH_MAX)
		w->in_object[++w->depth] = c == '{';
	w->key_next = c == '{';
}

static void close_one(struct walk *w)
{
	if (w->depth)
		w->depth--;
	if (w->depth == 1)
		w->inside = false;
	w->key_next = false;
}

static void walk(struct walk *w, const char *text, size_t len)
{
	for (const char *p = text, *end = text + len; p < end; p++) {
		if (*p == '"') {
			size_t n = string_len(p + 1, end);

			if (w->key_next)
				take_key(w, p + 1, n);
			w->key_next = false;
			p += n + 1;
		} else if (*p == '{' || *p == '[') {
			open_one(w, *p);
		} else if (*p == '}' || *p == ']') {
			close_one(w);
		} else if (*p == ',') {
			w->key_next = w->in_object[w->depth];
		}
	}
}

static int by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int c = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

int json_duplicate(const char *text, size_t len, const char *member, char *dup, size_t size)
{
	struct walk w = { .member = member };
	int r = 0;

	walk(&w, text, len);
	if (w.nkeys > 1)
		qsort(w.keys, w.nkeys, sizeof *w.keys, by_text);
	for (size_t i = 1; i < w.nkeys && r == 0; i++)
		if (!by_text(&w.keys[i - 1], &w.keys[i])) {
			(void)str_copyf(dup, size, "%.*s", (int)w.keys[i].len, w.keys[i].p);
			r = 1;
		}
	free(w.keys);
	return w.oom ? -ENOMEM : r;
}
