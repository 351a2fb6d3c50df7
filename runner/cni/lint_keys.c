// SPDX-License-Identifier: GPL-2.0-or-later
/* Objects compared with lists of keys: which there are, of which type, within which limits. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/cni/lint.h"
#include "runner/opt.h"

/* CNI_SPEC.md "Network lists" and "Configuration", in the form of descriptions. */
static const char list_text[] =
	"[{\"key\":\"cniVersion\",\"type\":\"string\"},{\"key\":\"cniVersions\",\"type\":\"strings\"},"
	"{\"key\":\"name\",\"type\":\"string\"},{\"key\":\"disableCheck\",\"type\":\"switch\"},"
	"{\"key\":\"disableGC\",\"type\":\"switch\"},{\"key\":\"loadOnlyInlinedPlugins\",\"type\":"
	"\"switch\"},{\"key\":\"plugins\",\"type\":\"objects\"}]";
static const char common_text[] =
	"[{\"key\":\"cniVersion\",\"type\":\"string\"},{\"key\":\"name\",\"type\":\"string\"},"
	"{\"key\":\"type\",\"type\":\"string\"},{\"key\":\"capabilities\",\"type\":\"object\"},"
	"{\"key\":\"ipam\",\"type\":\"object\",\"keys\":[{\"key\":\"type\",\"type\":\"string\"}]},"
	"{\"key\":\"dns\",\"type\":\"object\",\"keys\":[{\"key\":\"nameservers\",\"type\":\"strings\"},"
	"{\"key\":\"domain\",\"type\":\"string\"},{\"key\":\"search\",\"type\":\"strings\"},"
	"{\"key\":\"options\",\"type\":\"strings\"}]},{\"key\":\"args\",\"type\":\"object\"},"
	"{\"key\":\"runtimeConfig\",\"type\":\"object\"},{\"key\":\"prevResult\",\"type\":\"any\"}]";

static struct json_object *parsed(struct doc *d, const char *text)
{
	if (!d->root)
		(void)doc_parse(d, text, strlen(text), NULL);
	return d->root;
}

struct json_object *lint_list_keys(void)
{
	static struct doc d;

	return parsed(&d, list_text);
}

struct json_object *lint_common_keys(void)
{
	static struct doc d;

	return parsed(&d, common_text);
}

static const char *member(struct json_object *o, const char *key)
{
	const char *text = json_text(json_get(o, key));

	return text ? text : "";
}

/* As the decoder matches keys: the exact spelling first, else in any case. */
struct json_object *lint_key_of(struct json_object *list, const char *key)
{
	struct json_object *loose = NULL;

	for (size_t i = 0; i < json_len(list); i++) {
		struct json_object *k = json_at(list, i);

		if (!strcmp(member(k, "key"), key))
			return k;
		if (!loose && !strcasecmp(member(k, "key"), key))
			loose = k;
	}
	return loose;
}

/* The key that was meant: names of all lists, the nearest. */
static const char *meant(const struct lint_lists *lists, const char *key)
{
	const char **words = NULL, **slot, *near = NULL;
	size_t n = 0;

	for (size_t i = 0; i < lists->n; i++)
		for (size_t k = 0; k < json_len(lists->v[i]); k++)
			if ((slot = vec_add(&words, &n)))
				*slot = member(json_at(lists->v[i], k), "key");
	if ((slot = vec_add(&words, &n))) {
		*slot = NULL;
		near = opt_nearest(key, words);
	}
	free(words);
	return near;
}

/* ---- types */

static bool is_bool(struct json_object *v)
{
	char got[128];

	json_describe(v, got, sizeof got);
	return !strcmp(got, "true") || !strcmp(got, "false");
}

static bool is_switch(struct json_object *v)
{
	const char *t = json_text(v);

	return is_bool(v) || (t && (!strcasecmp(t, "true") || !strcasecmp(t, "false")));
}

static bool is_string(struct json_object *v)
{
	return json_text(v) != NULL;
}

static bool is_integer(struct json_object *v)
{
	int64_t n;

	return json_int(v, &n) == 0;
}

static bool is_strings(struct json_object *v)
{
	for (size_t i = 0; json_is_array(v) && i < json_len(v); i++)
		if (json_at(v, i) && !json_text(json_at(v, i)))
			return false;
	return json_is_array(v);
}

static bool is_objects(struct json_object *v)
{
	for (size_t i = 0; json_is_array(v) && i < json_len(v); i++)
		if (json_at(v, i) && !json_is_object(json_at(v, i)))
			return false;
	return json_is_array(v);
}

static bool is_any(struct json_object *v)
{
	(void)v;
	return true;
}

static const struct {
	const char *name, *words;
	bool (*is)(struct json_object *v);
} types[] = {
	{ "string", "string", is_string },
	{ "boolean", "true or false", is_bool },
	{ "switch", "true or false", is_switch },
	{ "integer", "integer", is_integer },
	{ "object", "object", json_is_object },
	{ "objects", "array of objects", is_objects },
	{ "strings", "array of strings", is_strings },
	{ "any", "any", is_any },
};

static void judge_value(struct lint *l, const struct lint_file *f, struct json_object *want,
			struct json_object *v, const char *path)
{
	const char *type = member(want, "type"), *expect = member(want, "expect"), *words = NULL;
	int64_t min = 0, max = 0, n = 0;
	char got[128], limits[80] = "";
	bool fits = true;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(types[i].name, type)) {
			words = types[i].words;
			fits = types[i].is(v);
		}
	if (!strcmp(type, "integer") && json_int(json_get(want, "min"), &min) == 0 &&
	    json_int(json_get(want, "max"), &max) == 0) {
		(void)snprintf(limits, sizeof limits, " %" PRId64 "..%" PRId64, min, max);
		fits = fits && json_int(v, &n) == 0 && n >= min && n <= max;
	}
	if (fits)
		return;
	json_describe(v, got, sizeof got);
	lint_add(l, f, true, "type", path, false, "expected %s%s, got %s", *expect ? expect : words,
		 limits, got);
}

/* ---- objects */

struct walk {
	struct lint *l;
	const struct lint_file *f;
	const struct lint_lists *lists;
	const char *path, *whose;
};

static void unknown(const struct walk *w, const char *key, const char *path)
{
	const char *near = meant(w->lists, key);

	if (near)
		lint_add(w->l, w->f, false, "unknown-key", path, true,
			 "\"%s\" is not a key of %s, which ignores it; did you mean \"%s\"?", key,
			 w->whose, near);
	else
		lint_add(w->l, w->f, false, "unknown-key", path, true,
			 "\"%s\" is not a key of %s, which ignores it", key, w->whose);
}

static void walk_children(const struct walk *w, struct json_object *v,
			  const struct lint_lists *below, const char *path)
{
	if (json_is_object(v))
		lint_keys(w->l, w->f, v, below, path, w->whose);
	for (size_t i = 0; json_is_array(v) && i < json_len(v); i++) {
		cleanup_free char *one = str_fmt("%s/%zu", path, i);

		if (one && json_is_object(json_at(v, i)))
			lint_keys(w->l, w->f, json_at(v, i), below, one, w->whose);
	}
}

/* The pointer of a member; malloc'd. */
static char *pointer_to(const char *path, const char *key)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "%s/", path);
	for (; *key; key++)
		if (*key == '~' || *key == '/')
			str_add(&s, *key == '~' ? "~0" : "~1");
		else
			str_addc(&s, *key);
	return str_take(&s);
}

static int walk_key(const char *key, struct json_object *v, void *arg)
{
	const struct walk *w = arg;
	cleanup_free char *path = pointer_to(w->path, key);
	struct lint_lists below = { .n = 0 };
	bool known = false, open = false;

	for (size_t i = 0; path && i < w->lists->n; i++) {
		struct json_object *want = lint_key_of(w->lists->v[i], key);

		if (!want)
			continue;
		known = true;
		if (v)
			judge_value(w->l, w->f, want, v, path);
		/* an object of which a list tells no keys may hold any */
		if (json_get(want, "keys"))
			below.v[below.n++] = json_get(want, "keys");
		else
			open = true;
	}
	if (!path)
		return 0;
	if (!known)
		unknown(w, key, path);
	else if (v && below.n && !open)
		walk_children(w, v, &below, path);
	return 0;
}

void lint_keys(struct lint *l, const struct lint_file *f, struct json_object *o,
	       const struct lint_lists *lists, const char *path, const char *whose)
{
	struct walk w = { l, f, lists, path, whose };

	(void)json_each(o, walk_key, &w);
}
