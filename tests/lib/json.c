// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *blank(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Past the string that starts at p, or NULL. */
static const char *past_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && !*++p)
			return NULL;
	return *p ? p + 1 : NULL;
}

/* Past the value that starts at p, or NULL. */
static const char *past_value(const char *p)
{
	int depth = 0;

	p = blank(p);
	if (*p != '{' && *p != '[' && *p != '"') {
		size_t n = strcspn(p, ",]} \t\r\n");

		return n ? p + n : NULL;
	}
	do {
		if (*p == '"') {
			p = past_string(p);
			if (!p)
				return NULL;
			continue;
		}
		if (!*p)
			return NULL;
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
	} while (depth);
	return p;
}

/* One element of an array or member of an object. */
struct item {
	const char *key; /* at its opening quote; NULL in an array */
	size_t key_len;
	const char *value, *end;
};

/*
 * Steps to the next item; *p is first the container's opening bracket, then what the last call
 * left.
 */
static bool next_item(const char **p, struct item *it)
{
	bool object = **p == '{' || (it->key && **p == ',');
	const char *q = blank(*p + 1);

	if ((**p != '{' && **p != '[' && **p != ',') || *q == '}' || *q == ']')
		return false;
	it->key = NULL;
	if (object) {
		const char *end = *q == '"' ? past_string(q) : NULL;

		if (!end || *blank(end) != ':')
			return false;
		it->key = q;
		it->key_len = (size_t)(end - q);
		q = blank(end) + 1;
	}
	it->value = blank(q);
	it->end = past_value(it->value);
	if (!it->end)
		return false;
	*p = blank(it->end);
	return true;
}

static bool find(const char *text, const char *path, struct item *it)
{
	*it = (struct item){ .value = blank(text) };
	it->end = past_value(it->value);
	while (it->end && *path == '/') {
		size_t len = strcspn(++path, "/");
		const char *p = it->value;
		char *rest;
		long index = strtol(path, &rest, 10), n = 0;
		bool found = false;

		if (*p != '{' && *p != '[')
			return false;
		*it = (struct item){ 0 };
		for (; !found && next_item(&p, it); n++)
			found = it->key ?
					it->key_len == len + 2 && !strncmp(it->key + 1, path, len) :
					rest == path + len && n == index;
		if (!found)
			return false;
		path += len;
	}
	return it->end;
}

static char *copy(const char *from, const char *end)
{
	char *s = strndup(from, (size_t)(end - from));

	if (!s)
		abort();
	return s;
}

char *json_find(const char *text, const char *path)
{
	struct item it;

	if (!find(text, path, &it))
		return NULL;
	return *it.value == '"' ? copy(it.value + 1, it.end - 1) : copy(it.value, it.end);
}

bool json_is(const char *text, const char *path, const char *value)
{
	char *got = json_find(text, path);
	bool same = got && !strcmp(got, value);

	free(got);
	return same;
}

int json_count(const char *text, const char *path)
{
	struct item it, sub = { 0 };
	int n = 0;

	if (!find(text, path, &it) || (*it.value != '{' && *it.value != '['))
		return -1;
	for (const char *p = it.value; next_item(&p, &sub);)
		n++;
	return n;
}

char *json_key(const char *text, const char *path, int n)
{
	struct item it, sub = { 0 };

	if (!find(text, path, &it) || *it.value != '{')
		return NULL;
	for (const char *p = it.value; next_item(&p, &sub);)
		if (n-- == 0)
			return copy(sub.key + 1, sub.key + sub.key_len - 1);
	return NULL;
}

char *json_with(const char *object, const char *key, const char *value)
{
	const char *last = strrchr(object, '}'), *start = blank(object);
	char path[256], *out;
	struct item it;
	int n;

	snprintf(path, sizeof path, "/%s", key);
	if (find(object, path, &it))
		n = asprintf(&out, "%.*s%s%s", (int)(it.value - object), object, value, it.end);
	else if (last)
		n = asprintf(&out, "%.*s%s\"%s\":%s%s", (int)(last - object), object,
			     blank(start + 1) == last ? "" : ",", key, value, last);
	else
		n = asprintf(&out, "%s", object);
	if (n < 0)
		abort();
	return out;
}
