// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 512

const char *text_keep(char *text)
{
	static char *kept[KEPT_MAX];
	static unsigned at;

	if (!text)
		abort();
	free(kept[at]);
	kept[at] = text;
	at = (at + 1) % KEPT_MAX;
	return text;
}

static char *print(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static char *print(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	return text;
}

const char *textf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = print(fmt, ap);
	va_end(ap);
	return text_keep(text);
}

const char *jsonf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = print(fmt, ap);
	va_end(ap);
	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	return text_keep(text);
}

static bool is_mac(const char *s)
{
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return strncmp(s, "00:00:00:00:00:00", 17) != 0;
}

static bool is_veth(const char *s)
{
	return !strncmp(s, "veth", 4) && strspn(s + 4, "0123456789abcdef") == 8 &&
	       !isalnum((unsigned char)s[12]);
}

const char *text_folded(const char *text)
{
	char *out = malloc(strlen(text) + 1), *o = out;

	if (!out)
		abort();
	while (*text)
		if (is_mac(text)) {
			o = stpcpy(o, "MAC");
			text += 17;
		} else if (is_veth(text)) {
			o = stpcpy(o, "vethN");
			text += 12;
		} else {
			*o++ = *text++;
		}
	*o = '\0';
	return text_keep(out);
}

const char *text_replaced(const char *text, const char *what, const char *by)
{
	size_t cut = strlen(what), put = strlen(by), n = 0;

	for (const char *p = text; cut && (p = strstr(p, what)); p += cut)
		n++;

	char *out = malloc(strlen(text) + n * put + 1), *o = out;

	if (!out)
		abort();
	for (const char *p; cut && (p = strstr(text, what)); text = p + cut) {
		memcpy(o, text, (size_t)(p - text));
		o = stpcpy(o + (p - text), by);
	}
	strcpy(o, text);
	return text_keep(out);
}
