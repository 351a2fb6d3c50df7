// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/encode.h"

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

struct json_object *json_obj(void)
{
	return json_object_new_object();
}

struct json_object *json_arr(void)
{
	return json_object_new_array();
}

struct json_object *json_new_str(const char *s)
{
	return json_object_new_string(s);
}

struct json_object *json_new_int(int64_t n)
{
	return json_object_new_int64(n);
}

struct json_object *json_new_bool(bool b)
{
	return json_object_new_boolean(b);
}

struct json_object *json_ref(struct json_object *v)
{
	return json_object_get(v);
}

void json_put(struct json_object *v)
{
	if (v)
		json_object_put(v);
}

void json_put_p(struct json_object **v)
{
	json_put(*v);
}

void json_set(struct json_object *o, const char *key, struct json_object *v)
{
	if (o && v)
		(void)json_object_object_add(o, key, v);
	else
		json_put(v);
}

void json_set_str(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_set(o, key, json_new_str(text));
}

void json_set_int(struct json_object *o, const char *key, int64_t n)
{
	json_set(o, key, json_new_int(n));
}

void json_set_bool(struct json_object *o, const char *key, bool b)
{
	json_set(o, key, json_new_bool(b));
}

void json_set_null(struct json_object *o, const char *key)
{
	if (o)
		(void)json_object_object_add(o, key, NULL);
}

void json_del(struct json_object *o, const char *key)
{
	json_object_object_del(o, key);
}

void json_append(struct json_object *array, struct json_object *v)
{
	if (array && v)
		(void)json_object_array_add(array, v);
	else
		json_put(v);
}

/*
 * Go's encoder escapes <, > and & too, writes U+2028 and U+2029 as escapes, and puts \ufffd for a
 * byte that is no UTF-8.
 */
/* How many bytes from here on stand for themselves, and are ASCII. */
static size_t plain(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= 0x20 && p[i] < 0x7f && !strchr("\"\\<>&", p[i]))
		i++;
	return i;
}

static void print_string(struct str *s, const char *p, size_t n)
{
	str_addc(s, '"');
	for (size_t i = 0, len; i < n; i += len ? len : 1) {
		unsigned char c = (unsigned char)p[i];

		if ((len = plain(p + i, n - i))) {
			str_add_n(s, p + i, len);
			continue;
		}
		len = utf8_len(p + i, n - i);
		if (c == '"' || c == '\\')
			str_addf(s, "\\%c", c);
		else if (c == '\n')
			str_add(s, "\\n");
		else if (c == '\r')
			str_add(s, "\\r");
		else if (c == '\t')
			str_add(s, "\\t");
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			str_addf(s, "\\u%04x", c);
		else if (len == 3 && !memcmp(p + i, "\xe2\x80", 2) &&
			 ((unsigned char)p[i + 2] | 1) == 0xa9)
			str_addf(s, "\\u202%x", p[i + 2] & 0xf);
		else if (len)
			str_add_n(s, p + i, len);
		else
			str_add(s, "\\ufffd");
	}
	str_addc(s, '"');
}

static void newline(struct str *s, int indent, int level)
{
	if (!indent)
		return;
	str_addc(s, '\n');
	for (int i = 0; i < indent * level; i++)
		str_addc(s, ' ');
}

struct member {
	const char *key;
	struct json_object *v;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void print(struct str *s, struct json_object *v, int indent, int level, bool sorted);

static void print_object(struct str *s, struct json_object *o, int indent, int level, bool sorted)
{
	cleanup_free struct member *m = NULL;
	size_t n = 0;

	json_object_object_foreach(o, key, v) {
		struct member *x = vec_add(&m, &n);

		if (!x) {
			s->bad = true;
			return;
		}
		*x = (struct member){ key, v };
	}
	if (sorted && n)
		qsort(m, n, sizeof *m, by_key);
	str_addc(s, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_addc(s, ',');
		newline(s, indent, level + 1);
		print_string(s, m[i].key, strlen(m[i].key));
		str_add(s, indent ? ": " : ":");
		print(s, m[i].v, indent, level + 1, sorted);
	}
	if (n)
		newline(s, indent, level);
	str_addc(s, '}');
}

static void print(struct str *s, struct json_object *v, int indent, int level, bool sorted)
{
	switch (json_object_get_type(v)) {
	case json_type_object:
		print_object(s, v, indent, level, sorted);
		break;
	case json_type_array:
		str_addc(s, '[');
		for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
			if (i)
				str_addc(s, ',');
			newline(s, indent, level + 1);
			print(s, json_object_array_get_idx(v, i), indent, level + 1, sorted);
		}
		if (json_object_array_length(v))
			newline(s, indent, level);
		str_addc(s, ']');
		break;
	case json_type_string:
		print_string(s, json_object_get_string(v), (size_t)json_object_get_string_len(v));
		break;
	default:
		str_add(s, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
	}
}

void json_print(struct str *s, struct json_object *v, int indent, bool sorted)
{
	print(s, v, indent, 0, sorted);
}
