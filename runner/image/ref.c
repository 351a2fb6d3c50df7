// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/ref.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"

#define HUB "docker.io/"
#define HUB_LIBRARY "docker.io/library/"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int bad(const char *text, struct err *e, const char *why)
{
	return err_say(e, -EINVAL, "image name \"%.120s\": %s", text, why);
}

/* HOST[:PORT]: a first component that says it is one. */
static bool looks_like_host(const char *s, size_t n)
{
	bool upper = false;

	for (size_t i = 0; i < n; i++)
		upper |= is_upper(s[i]);
	return memchr(s, '.', n) || memchr(s, ':', n) || upper ||
	       (n == 9 && !memcmp(s, "localhost", 9));
}

static const char *host_problem(const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n);
	size_t host = colon ? (size_t)(colon - s) : n;

	if (!host || s[0] == '-' || s[host - 1] == '-' || s[0] == '.')
		return "the host part is no host name";
	for (size_t i = 0; i < host; i++)
		if (!is_lower(s[i]) && !is_upper(s[i]) && !is_digit(s[i]) && s[i] != '.' &&
		    s[i] != '-')
			return "the host part is no host name";
	for (size_t i = host + 1; i < n; i++)
		if (!is_digit(s[i]))
			return "the port of the host is no number";
	return colon && host + 1 == n ? "the port of the host is missing" : NULL;
}

/*
 * Components of lower case letters and digits, separated by one '.', one or two '_' or any number
 * of '-'.
 */
static const char *component_problem(const char *s, size_t n)
{
	if (!n)
		return "a part between slashes is empty";
	for (size_t i = 0; i < n; i++) {
		if (is_upper(s[i]))
			return "the repository must be in lower case";
		if (is_lower(s[i]) || is_digit(s[i]))
			continue;
		if (!strchr("._-", s[i]))
			return "expected lower case letters, digits, '.', '_', '-' and '/'";
		size_t run = strspn(s + i, "._-");
		if (!i || i + run >= n)
			return "'.', '_' and '-' may only stand between letters and digits";
		if (run > 1 && strspn(s + i, "-") != run &&
		    !(run == 2 && s[i] == '_' && s[i + 1] == '_'))
			return "'.', '_' and '-' do not stand side by side";
		i += run - 1;
	}
	return NULL;
}

static int parse_name(const char *text, const char *s, size_t n, struct image_ref *out,
		      struct err *e)
{
	const char *slash = memchr(s, '/', n);
	bool host = slash && looks_like_host(s, (size_t)(slash - s));
	size_t hostlen = host ? (size_t)(slash - s) : 0;
	const char *path = host ? slash + 1 : s, *end = s + n;
	const char *problem = host ? host_problem(s, hostlen) : NULL;

	for (const char *p = path; !problem;) {
		const char *next = memchr(p, '/', (size_t)(end - p));

		problem = component_problem(p, (size_t)((next ?: end) - p));
		if (!next)
			break;
		p = next + 1;
	}
	if (problem)
		return bad(text, e, problem);
	bool hub = !host || (hostlen == 9 && !memcmp(s, "docker.io", 9)) ||
		   (hostlen == 15 && !memcmp(s, "index.docker.io", 15));
	const char *prefix = !hub				     ? "" :
			     memchr(path, '/', (size_t)(end - path)) ? HUB :
								       HUB_LIBRARY;
	if (!hub)
		path = s;
	if (str_copyf(out->name, sizeof out->name, "%s%.*s", prefix, (int)(end - path), path) < 0)
		return bad(text, e, "the repository is longer than 255 characters");
	if (!host && n == 64 && strspn(s, "0123456789abcdef") >= 64)
		return bad(text, e, "64 hexadecimal digits are an image id, no name");
	return 0;
}

static int parse_tag(const char *text, const char *s, size_t n, struct image_ref *out,
		     struct err *e)
{
	if (!n)
		return bad(text, e, "the tag after ':' is empty");
	if (n >= sizeof out->tag)
		return bad(text, e, "the tag is longer than 128 characters");
	for (size_t i = 0; i < n; i++)
		if (!is_lower(s[i]) && !is_upper(s[i]) && !is_digit(s[i]) && s[i] != '_' &&
		    (i == 0 || (s[i] != '.' && s[i] != '-')))
			return bad(
				text, e,
				"a tag has letters, digits, '_', '.' and '-', and begins with none of the last two");
	memcpy(out->tag, s, n);
	out->tag[n] = 0;
	return 0;
}

static int parse_digest(const char *text, const char *s, struct image_ref *out, struct err *e)
{
	if (!str_starts(s, "sha256:") || strlen(s) != 71 || strspn(s + 7, "0123456789abcdef") != 64)
		return bad(text, e, "expected @sha256: and 64 hexadecimal digits as the digest");
	memcpy(out->digest, s, 72);
	return 0;
}

int image_ref_parse(const char *text, struct image_ref *out, struct err *e)
{
	const char *at = strchr(text, '@'), *end = at ?: text + strlen(text);
	const char *slash = memrchr(text, '/', (size_t)(end - text));
	const char *from = slash ? slash + 1 : text;
	const char *colon = memchr(from, ':', (size_t)(end - from));
	struct image_ref r = { 0 };
	int x;

	if (!*text)
		return err_say(e, -EINVAL, "the image name is empty; expected NAME[:TAG]");
	if (at && (x = parse_digest(text, at + 1, &r, e)) < 0)
		return x;
	if ((x = parse_name(text, text, (size_t)((colon ?: end) - text), &r, e)) < 0)
		return x;
	if (colon && (x = parse_tag(text, colon + 1, (size_t)(end - colon - 1), &r, e)) < 0)
		return x;
	if (!colon && !at)
		strcpy(r.tag, "latest");
	*out = r;
	return 0;
}

static void join(const struct image_ref *r, const char *name, char buf[REF_TEXT_MAX])
{
	(void)snprintf(buf, REF_TEXT_MAX, "%s%s%s%s%s", name, r->tag[0] ? ":" : "", r->tag,
		       r->digest[0] ? "@" : "", r->digest);
}

void image_ref_full(const struct image_ref *r, char buf[REF_TEXT_MAX])
{
	join(r, r->name, buf);
}

const char *image_ref_short_name(const struct image_ref *r)
{
	if (str_starts(r->name, HUB_LIBRARY) && !strchr(r->name + strlen(HUB_LIBRARY), '/'))
		return r->name + strlen(HUB_LIBRARY);
	if (str_starts(r->name, HUB))
		return r->name + strlen(HUB);
	return r->name;
}

void image_ref_short(const struct image_ref *r, char buf[REF_TEXT_MAX])
{
	join(r, image_ref_short_name(r), buf);
}
