// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define COLUMNS_MAX 16
#define INDENT 4 /* docker's */

int out_format_parse(const char *text, void *out_format_member, struct err *e)
{
	enum out_format *format = out_format_member;

	if (!strcmp(text, "json"))
		*format = OUT_JSON;
	else if (!strcmp(text, "text"))
		*format = OUT_TEXT;
	else
		return err_say(e, -EINVAL, "expected text or json, got \"%s\"", text);
	return 0;
}

int out_format_json(const char *nothing, void *out_format_member, struct err *e)
{
	if (nothing)
		return err_say(e, -EINVAL, "expected no value, got \"%s\"", nothing);
	*(enum out_format *)out_format_member = OUT_JSON;
	return 0;
}

struct json_object *out_container(const char *id, const char *name)
{
	struct json_object *o = json_obj();

	json_set_str(o, "id", id);
	if (name && *name)
		json_set_str(o, "name", name);
	return o;
}

void out_done_add(struct out_done *d, const char *word, const char *id, const char *name)
{
	if (d->format == OUT_TEXT) {
		(void)printf("%s\n", word);
		return;
	}
	if (!d->list)
		d->list = json_arr();
	json_append(d->list, out_container(id, name));
}

int out_done_end(struct out_done *d, struct err *e)
{
	if (d->format == OUT_TEXT)
		return 0;
	if (!d->list)
		d->list = json_arr();
	return out_json(d->list, e);
}

void out_done_clear(struct out_done *d)
{
	json_put(d->list);
	d->list = NULL;
}

int out_text(const char *text, size_t len, struct err *e)
{
	int r = fd_write_all(STDOUT_FILENO, text, len);

	return r < 0 ? err_set(e, r, "write to standard output") : 0;
}

int out_json(struct json_object *v, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	json_print(&s, v, INDENT, false);
	str_addc(&s, '\n');
	return s.bad ? err_set(e, -ENOMEM, "print JSON") : out_text(s.p, s.len, e);
}

void out_table_add(struct out_table *t, const char *cell)
{
	char **slot = vec_add(&t->cells, &t->n);

	if (slot) /* a cell that memory has no room for is an empty one */
		*slot = strdup(cell);
}

/* Columns on the terminal: bytes that do not continue a UTF-8 character. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; s && *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int out_table_print(const struct out_table *t, struct err *e)
{
	cleanup_str struct str s = STR_INIT;
	size_t widths[COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		size_t w = width(t->cells[i]), *max = &widths[i % t->columns % COLUMNS_MAX];

		*max = w > *max ? w : *max;
	}
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->columns,
		       pad = widths[column % COLUMNS_MAX] + 2 - width(t->cells[i]);

		str_add(&s, t->cells[i] ? t->cells[i] : "");
		if (column + 1 == t->columns)
			str_addc(&s, '\n');
		else
			while (pad--)
				str_addc(&s, ' ');
	}
	return s.bad ? err_set(e, -ENOMEM, "print a table") : out_text(s.p ? s.p : "", s.len, e);
}

void out_table_clear(struct out_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->n = 0;
}

bool out_colour(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fd);
}

const char *out_age(int64_t seconds, char *buf)
{
	static const struct {
		int64_t below, unit;
		const char *name;
	} ages[] = {
		{ 60, 1, "second" },
		{ 3600, 60, "minute" },
		{ 86400, 3600, "hour" },
		{ 86400 * 14, 86400, "day" },
		{ 86400 * 60, 604800, "week" },
		{ INT64_MAX, 86400 * 30, "month" },
	};
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (i + 1 < ARRAY_LEN(ages) && seconds >= ages[i].below)
		i++;
	int64_t n = seconds / ages[i].unit;
	(void)snprintf(buf, 32, "%lld %s%s", (long long)n, ages[i].name, n == 1 ? "" : "s");
	return buf;
}
