// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/jsonlog.h"

#include <stdio.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	size_t len = *p < 0x80 ? 1 :
		     *p < 0xc2 ? 0 :
		     *p < 0xe0 ? 2 :
		     *p < 0xf0 ? 3 :
		     *p < 0xf5 ? 4 :
				 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static size_t put(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return n;
}

static size_t escape(char *out, const unsigned char *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = utf8_len(p, len);
	bool short_form = *p == '"' || *p == '\\' || *p == '\n' || *p == '\r' || *p == '\t';

	if (n == 0)
		return put(out, "\\ufffd");
	if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] | 1) == 0xa9) /* line separators */
		return put(out, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
	if (n > 1) {
		memcpy(out, p, n);
		return n;
	}
	if (short_form) {
		out[0] = '\\';
		out[1] = *p == '\n' ? 'n' : *p == '\r' ? 'r' : *p == '\t' ? 't' : (char)*p;
		return 2;
	}
	if (*p < 0x20 || *p == '<' || *p == '>' || *p == '&') {
		size_t at = put(out, "\\u00");

		out[at] = hex[*p >> 4];
		out[at + 1] = hex[*p & 15];
		return at + 2;
	}
	*out = (char)*p;
	return 1;
}

size_t jsonlog_entry(char *out, const char *line, size_t len, const char *stream,
		     const struct timespec *when)
{
	const unsigned char *p = (const unsigned char *)line;
	size_t n = put(out, "{\"log\":\"");
	struct tm tm;
	char time[64];

	for (size_t i = 0, step; i < len; i += step) {
		step = utf8_len(p + i, len - i);
		if (step == 0)
			step = 1;
		n += escape(out + n, p + i, len - i);
	}
	n += put(out + n, "\",\"stream\":\"");
	n += put(out + n, stream);
	n += put(out + n, "\",\"time\":\"");
	(void)gmtime_r(&when->tv_sec, &tm);
	size_t t = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(time + t, sizeof time - t, ".%09ldZ\"}\n", when->tv_nsec);
	return n + put(out + n, time);
}

void jsonlog_feed(struct jsonlog_stream *s, const char *bytes, size_t n,
		  void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	if (n == 0 && s->len) {
		fn(arg, s->part, s->len);
		s->len = 0;
	}
	while (n) {
		size_t room = sizeof s->part - s->len, take = n < room ? n : room;
		const char *end = memchr(bytes, '\n', take);

		if (end)
			take = (size_t)(end - bytes) + 1;
		memcpy(s->part + s->len, bytes, take);
		s->len += take;
		bytes += take;
		n -= take;
		if (end || s->len == sizeof s->part) {
			fn(arg, s->part, s->len);
			s->len = 0;
		}
	}
}
