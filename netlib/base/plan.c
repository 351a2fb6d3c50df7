// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"

#define TEXT_MAX 4096

static struct {
	int fd;
	const char *plugin, *row;
} plan = { .fd = -1 };

int plan_open(const char *file, const char *plugin, struct err *e)
{
	if (!file || !*file)
		return 0;
	plan.fd = open(file, O_RDWR | O_APPEND | O_CLOEXEC);
	if (plan.fd < 0)
		return err_set(e, -errno, PLAN_VAR ": open %s", file);
	plan.plugin = plugin;
	return 0;
}

bool plan_on(void)
{
	return plan.fd >= 0;
}

void plan_row(const char *row)
{
	plan.row = row;
}

void plan_note_raw(const char *kind, const char *where, const char *text, const void *raw,
		   size_t len)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT, hex = STR_INIT;

	for (size_t i = 0; i < len; i++)
		str_addf(&hex, "%02x", ((const unsigned char *)raw)[i]);
	json_set_str(o, "plugin", plan.plugin);
	json_set_str(o, "row", plan.row);
	json_set_str(o, "kind", kind);
	json_set_str(o, "where", where);
	json_set_str(o, "text", text);
	json_set_str(o, "raw", hex.p);
	json_print(&s, o, 0, false);
	str_addc(&s, '\n');
	if (s.bad || fd_write_all(plan.fd, s.p, s.len) < 0)
		abort(); /* a plan with holes would be taken for the whole */
}

void plan_note(const char *kind, const char *where, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	plan_note_raw(kind, where, text, NULL, 0);
}

/* The file is read by offset: it is written at its end only. malloc'd. */
static char *all_lines(struct err *e)
{
	off_t size = lseek(plan.fd, 0, SEEK_END);
	char *text = size < 0 || size > PLAN_MAX ? NULL : malloc((size_t)size + 1);

	if (!text || pread(plan.fd, text, (size_t)size, 0) != size) {
		(void)err_set(e, -EIO, "read the plan");
		free(text);
		return NULL;
	}
	text[size] = 0;
	return text;
}

int plan_each(int (*fn)(struct json_object *change, void *arg), void *arg, struct err *e)
{
	cleanup_free char *text = all_lines(e);
	char *rest = text;
	int r = text ? 0 : -EIO;

	for (char *line; r == 0 && rest && (line = strsep(&rest, "\n"));) {
		cleanup_doc struct doc d = DOC_INIT;

		if (*line && (r = doc_parse(&d, line, strlen(line), e)) == 0)
			r = fn(d.root, arg);
	}
	return r;
}

void *plan_raw(struct json_object *change, size_t *len)
{
	const char *hex = json_text(json_get(change, "raw"));
	size_t n = hex ? strlen(hex) / 2 : 0;
	unsigned char *raw = n ? malloc(n) : NULL;

	for (size_t i = 0; raw && i < n; i++) {
		const char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		raw[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	*len = n;
	return raw;
}
