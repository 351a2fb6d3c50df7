// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* CNI 1.1.0 "Error": 7 is "invalid network config". */
#define CODE_INVALID_CONFIG 7

__attribute__((format(printf, 3, 0))) static void fill(char *buf, size_t size, const char *fmt,
						       va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (n >= 0 && (size_t)n >= size)
		memcpy(buf + size - 4, "...", 4);
}

const char *err_reason(int no)
{
	const char *text = strerrordesc_np(no); /* strerror looks for a translation first */

	return text ? text : strerror(no);
}

static void append(char *buf, size_t size, const char *sep, const char *text)
{
	size_t at = strlen(buf);

	if ((size_t)snprintf(buf + at, size - at, "%s%s", sep, text) >= size - at)
		memcpy(buf + size - 4, "...", 4);
}

int err_set(struct err *e, int r, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return r;
	const char *reason = err_reason(-r);
	*e = (struct err){ .no = -r };
	va_start(ap, fmt);
	/* a long name must not push the reason out */
	fill(e->text, sizeof e->text - strlen(reason) - 2, fmt, ap);
	va_end(ap);
	append(e->text, sizeof e->text, ": ", reason);
	return r;
}

int err_say(struct err *e, int r, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return r;
	*e = (struct err){ .no = -r };
	va_start(ap, fmt);
	fill(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return r;
}

int err_code(struct err *e, int r, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return r;
	*e = (struct err){ .no = -r, .code = code };
	va_start(ap, fmt);
	fill(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return r;
}

int err_conf(struct err *e, const char *path, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -EINVAL;
	*e = (struct err){ .no = EINVAL, .code = CODE_INVALID_CONFIG };
	(void)snprintf(e->text, sizeof e->text, "%s: ", path);
	size_t at = strlen(e->text);
	va_start(ap, fmt);
	fill(e->text + at, sizeof e->text - at, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->text];
	va_list ap;

	if (!e || !e->no)
		return -EIO;
	memcpy(old, e->text, sizeof old);
	va_start(ap, fmt);
	fill(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	append(e->text, sizeof e->text, ": ", old);
	return -e->no;
}

void err_details(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	fill(e->details, sizeof e->details, fmt, ap);
	va_end(ap);
}

void err_keep_first(struct err *e, const struct err *from)
{
	if (e && !e->no)
		*e = *from;
}
