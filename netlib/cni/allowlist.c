// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/allowlist.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

#define FILE_MAX (256 * 1024)

static const struct {
	char letter;
	const char *outside, *inside; /* of brackets; NULL: cannot be said */
} escapes[] = {
	{ 'd', "[0-9]", "0-9" }, { 'D', "[^0-9]", NULL }, { 'w', "\\w", "a-zA-Z0-9_" },
	{ 'W', "\\W", NULL },	 { 's', "\\s", " \t" },	  { 'S', "\\S", NULL },
	{ 'b', "\\b", NULL },	 { 'B', "\\B", NULL },	  { 'A', "^", NULL },
	{ 'z', "$", NULL },
};

/* "\d" and the like: false when POSIX cannot say it. */
static bool escape(struct str *out, char c, bool bracket)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
		if (escapes[i].letter == c) {
			const char *as = bracket ? escapes[i].inside : escapes[i].outside;

			str_add(out, as ?: "");
			return as != NULL;
		}
	if (isalnum((unsigned char)c) || !c)
		return false;
	if (!bracket)
		str_addc(out, '\\');
	str_addc(out, c);
	/* these two would be read otherwise in a bracket, where POSIX knows no escape */
	return !bracket || (c != ']' && c != '^');
}

static bool translate(const char *re, struct str *out)
{
	bool bracket = false;

	for (const char *p = re; *p; p++) {
		if (*p == '\\') {
			if (!escape(out, p[1], bracket))
				return false;
			p++;
			continue;
		}
		if (bracket) {
			bracket = *p != ']';
		} else if (*p == '[') {
			bracket = true;
			if (p[1] == '^')
				str_addc(out, *p++);
			if (p[1] == ']')
				str_addc(out, *p++);
		} else if (p[0] == '(' && p[1] == '?') {
			if (p[2] != ':')
				return false;
			str_addc(out, '(');
			p += 2;
			continue;
		} else if (strchr("*+?}", *p) && p[1] && strchr("?+", p[1])) {
			return false; /* not greedy, possessive */
		}
		str_addc(out, *p);
	}
	return true;
}

/* 1: the line matches key (or compiles, without one). */
static int match(const char *path, unsigned number, const char *line, const char *key,
		 struct err *e)
{
	cleanup_str struct str re = STR_INIT;
	regex_t compiled;

	if (!translate(line, &re) || re.bad ||
	    regcomp(&compiled, re.p ?: "", REG_EXTENDED | REG_NOSUB) != 0)
		return err_code(e, -EINVAL, CNI_E_CONFIG,
				"%s line %u: \"%.100s\" is no regular expression that is "
				"understood here; expected POSIX extended syntax",
				path, number, line);
	int r = key && regexec(&compiled, key, 0, NULL, 0) == 0;
	regfree(&compiled);
	return r;
}

static char *trim(char *line)
{
	size_t n;

	while (isspace((unsigned char)*line))
		line++;
	n = strlen(line);
	while (n && isspace((unsigned char)line[n - 1]))
		line[--n] = 0;
	return line;
}

int allowlist_check(const char *path, const char *key, struct err *e)
{
	/* a link is followed: a mounted ConfigMap consists of them */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup_free char *text = NULL;
	cleanup_str struct str all = STR_INIT;
	unsigned number = 0;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
							     err_set(e, -errno, "open %s", path);
	if ((r = fd_read_all(fd, FILE_MAX, -1, &text, NULL)) < 0)
		return err_set(e, r, "read %s", path);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		number++;
		line = trim(line);
		if (!*line)
			continue;
		if ((r = match(path, number, line, key, e)) != 0)
			return r < 0 ? r : 0;
		str_addf(&all, "%s%s", all.len ? " " : "", line);
	}
	if (!key)
		return 0;
	return err_code(e, -EPERM, CNI_E_CONFIG,
			"Sysctl %.100s is not allowed. Only the following sysctls are allowed: "
			"[%.300s] (%s)",
			key, all.p ?: "", path);
}
