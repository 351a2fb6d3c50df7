// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/decode.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <json-c/json_util.h>
#include <json-c/linkhash.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/jsonlex.h"
#include "netlib/base/str.h"

#define PATH_MAX_JSON 256
#define CODE_DECODE 6

struct doc_block {
	struct doc_block *next;
	max_align_t data[];
};

void *doc_alloc(struct doc *d, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	struct doc_block *b = calloc(1, sizeof *b + (bytes ? bytes : 1));
	if (!b)
		return NULL;
	b->next = d->blocks;
	d->blocks = b;
	return b->data;
}

void doc_free(struct doc *d)
{
	for (struct doc_block *b = d->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	if (d->root)
		json_object_put(d->root);
	*d = (struct doc)DOC_INIT;
}

int doc_parse(struct doc *d, const char *text, size_t len, struct err *e)
{
	if (len > DOC_BYTES_MAX)
		return err_code(e, -EFBIG, CODE_DECODE,
				"JSON document of %zu bytes; at most %d are accepted", len,
				DOC_BYTES_MAX);
	int r = json_lex(text, len, e);
	if (r < 0)
		return r;
	struct json_tokener *t = json_tokener_new_ex(DOC_DEPTH_MAX);
	if (!t)
		return err_set(e, -ENOMEM, "parse JSON");
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	struct json_object *root = json_tokener_parse_ex(t, text, (int)len);
	enum json_tokener_error te = json_tokener_get_error(t);
	size_t at = json_tokener_get_parse_end(t);
	/* a number or a word at the top ends with the blank after it */
	if (te == json_tokener_continue) {
		root = json_tokener_parse_ex(t, " ", 1);
		if (json_tokener_get_error(t) == json_tokener_success)
			te = json_tokener_success;
		at = len;
	}
	json_tokener_free(t);
	if (te == json_tokener_continue)
		return err_code(e, -EINVAL, CODE_DECODE,
				"invalid JSON at offset %zu: the document ends too early", len);
	if (te != json_tokener_success)
		return err_code(e, -EINVAL, CODE_DECODE, "invalid JSON at offset %zu: %s", at,
				json_tokener_error_desc(te));
	while (at < len && strchr(" \t\r\n", text[at]))
		at++;
	if (at < len) {
		json_object_put(root);
		return err_code(e, -EINVAL, CODE_DECODE,
				"invalid JSON at offset %zu: text after the document", at);
	}
	doc_free(d);
	d->root = root;
	return 0;
}

void json_describe(struct json_object *v, char *buf, size_t size)
{
	switch (json_object_get_type(v)) {
	case json_type_string:
		(void)snprintf(buf, size, "string \"%.80s\"", json_object_get_string(v));
		break;
	case json_type_int:
	case json_type_double:
		(void)snprintf(buf, size, "%s %.40s",
			       json_object_get_type(v) == json_type_int ? "integer" : "number",
			       json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
		break;
	case json_type_boolean:
		(void)snprintf(buf, size, "%s", json_object_get_boolean(v) ? "true" : "false");
		break;
	default:
		(void)snprintf(buf, size, "%s", json_type_to_name(json_object_get_type(v)));
	}
}

static int wrong(struct json_object *v, const char *path, struct err *e, const char *expected)
{
	char got[128];

	json_describe(v, got, sizeof got);
	return err_conf(e, path, "expected %s, got %s", expected, got);
}

/* json-c clamps integers that do not fit: what is at the edge of int64 is taken as out of range. */
static bool is_int(struct json_object *v, int64_t *out)
{
	if (!json_object_is_type(v, json_type_int))
		return false;
	*out = json_object_get_int64(v);
	return *out != INT64_MAX && *out != INT64_MIN;
}

static int decode_int(struct json_object *v, const struct field *f, void *member, const char *path,
		      struct err *e)
{
	char expected[64];
	int64_t n;

	(void)snprintf(expected, sizeof expected, "integer %" PRId64 "..%" PRId64, f->min, f->max);
	if (!is_int(v, &n))
		return wrong(v, path, e, expected);
	if (n < f->min || n > f->max) {
		char got[64];

		json_describe(v, got, sizeof got);
		return err_conf(e, path, "expected %s, got %s", expected, strchr(got, ' ') + 1);
	}
	switch (f->size) {
	case 1:
		*(uint8_t *)member = (uint8_t)n;
		break;
	case 2:
		*(uint16_t *)member = (uint16_t)n;
		break;
	case 4:
		*(uint32_t *)member = (uint32_t)n;
		break;
	default:
		*(int64_t *)member = n;
	}
	return 0;
}

static int decode_strs(struct doc *d, struct json_object *v, const char ***out, size_t *n,
		       const char *path, struct err *e)
{
	char item[PATH_MAX_JSON];

	if (!json_object_is_type(v, json_type_array))
		return wrong(v, path, e, "array of strings");
	size_t len = json_object_array_length(v);
	if (len > DOC_ELEMENTS_MAX)
		return err_conf(e, path, "expected at most %d elements, got %zu", DOC_ELEMENTS_MAX,
				len);
	const char **strs = doc_alloc(d, len + 1, sizeof *strs);
	if (!strs)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		struct json_object *s = json_object_array_get_idx(v, i);

		(void)snprintf(item, sizeof item, "%s/%zu", path, i);
		if (!json_object_is_type(s, json_type_string))
			return wrong(s, item, e, "string");
		strs[i] = json_object_get_string(s);
	}
	*out = strs;
	*n = len;
	return 0;
}

int decode_array(struct doc *d, struct json_object *v, const struct field *fields, size_t size,
		 void **out, size_t *n, const char *path, struct err *e)
{
	char item[PATH_MAX_JSON];

	if (!json_object_is_type(v, json_type_array))
		return wrong(v, path, e, "array of objects");
	size_t len = json_object_array_length(v);
	if (len > DOC_ELEMENTS_MAX)
		return err_conf(e, path, "expected at most %d elements, got %zu", DOC_ELEMENTS_MAX,
				len);
	char *elems = doc_alloc(d, len, size);
	if (!elems)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		(void)snprintf(item, sizeof item, "%s/%zu", path, i);
		int r = decode(d, json_object_array_get_idx(v, i), fields, elems + i * size, item,
			       e);
		if (r < 0)
			return r;
	}
	*out = elems;
	*n = len;
	return 0;
}

static int decode_text(struct json_object *v, const struct field *f, void *member, const char *path,
		       struct err *e)
{
	if (!json_object_is_type(v, json_type_string))
		return wrong(v, path, e, f->expect);
	const char *s = json_object_get_string(v);
	if (*s && f->text(s, member) < 0)
		return wrong(v, path, e, f->expect);
	return 0;
}

static int decode_field(struct doc *d, struct json_object *v, const struct field *f, char *base,
			const char *path, struct err *e)
{
	void *member = base + f->off;
	size_t *count = (size_t *)(void *)(base + f->count_off);

	switch (f->type) {
	case FIELD_T_STR:
		if (!json_object_is_type(v, json_type_string))
			return wrong(v, path, e, "string");
		*(const char **)member = json_object_get_string(v);
		return 0;
	case FIELD_T_BOOL:
		if (!json_object_is_type(v, json_type_boolean))
			return wrong(v, path, e, "true or false");
		*(bool *)member = json_object_get_boolean(v);
		return 0;
	case FIELD_T_INT:
		return decode_int(v, f, member, path, e);
	case FIELD_T_OBJ:
		return decode(d, v, f->sub, member, path, e);
	case FIELD_T_ARRAY:
		return decode_array(d, v, f->sub, f->size, member, count, path, e);
	case FIELD_T_STRS:
		return decode_strs(d, v, member, count, path, e);
	case FIELD_T_RAW:
		*(struct json_object **)member = v;
		return 0;
	case FIELD_T_GIVEN:
		*(bool *)member = true;
		return 0;
	case FIELD_T_TEXT:
		return decode_text(v, f, member, path, e);
	case FIELD_T_FN:
		return f->fn(d, v, member, path, e);
	}
	return 0;
}

/* Exact spelling first, else ignoring case: what Go does for one key of the document. */
static bool matches(const struct field *fields, const struct field *f, const char *key)
{
	if (!strcmp(f->key, key))
		return true;
	if (!str_same(f->key, key))
		return false;
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return false;
	return true;
}

int decode(struct doc *d, struct json_object *o, const struct field *fields, void *base,
	   const char *path, struct err *e)
{
	char sub[PATH_MAX_JSON];

	if (!json_object_is_type(o, json_type_object))
		return wrong(o, *path ? path : "/", e, "object");
	json_object_object_foreach(o, key, v) {
		if (!v)
			continue;
		for (const struct field *f = fields; f->key; f++) {
			if (!matches(fields, f, key))
				continue;
			(void)snprintf(sub, sizeof sub, "%s/%s", path, f->key);
			int r = decode_field(d, v, f, base, sub, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

struct json_object *json_get(struct json_object *o, const char *key)
{
	struct json_object *found = NULL;

	if (!json_object_is_type(o, json_type_object))
		return NULL;
	json_object_object_foreach(o, k, v) {
		if (v && str_same(k, key))
			found = v;
	}
	return found;
}

const char *json_text(struct json_object *v)
{
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

bool json_is_array(struct json_object *v)
{
	return json_object_is_type(v, json_type_array);
}

bool json_is_object(struct json_object *v)
{
	return json_object_is_type(v, json_type_object);
}

size_t json_len(struct json_object *array)
{
	return json_is_array(array) ? json_object_array_length(array) : 0;
}

struct json_object *json_at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

int json_int(struct json_object *v, int64_t *out)
{
	return is_int(v, out) ? 0 : -EINVAL;
}

bool json_true(struct json_object *v)
{
	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

int json_each(struct json_object *o, int (*fn)(const char *key, struct json_object *v, void *arg),
	      void *arg)
{
	if (!json_is_object(o))
		return 0;
	json_object_object_foreach(o, key, v) {
		int r = fn(key, v, arg);

		if (r)
			return r;
	}
	return 0;
}
