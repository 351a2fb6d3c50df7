// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/volume.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"

static const struct {
	const char *word;
	bool read_only;
	const char *propagation; /* NULL: says nothing about it */
} options[] = {
	{ "ro", true, NULL },
	{ "rw", false, NULL },
	{ "private", false, "private" },
	{ "rprivate", false, "rprivate" },
	{ "shared", false, "shared" },
	{ "rshared", false, "rshared" },
	{ "slave", false, "slave" },
	{ "rslave", false, "rslave" },
};

static int option(struct volume *v, const char *text, const char *word, size_t len, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strlen(options[i].word) != len || memcmp(options[i].word, word, len) != 0)
			continue;
		v->read_only |= options[i].read_only;
		if (options[i].propagation)
			v->propagation = options[i].propagation;
		return 0;
	}
	return err_say(
		e, -EINVAL,
		"-v %s: expected ro, rw or one of [r]private, [r]shared, [r]slave after the second colon, "
		"got \"%.*s\"",
		text, (int)len, word);
}

static int parse_options(struct volume *v, const char *text, struct err *e)
{
	for (const char *p = v->mode; *p;) {
		size_t len = strcspn(p, ",");
		int r = option(v, text, p, len, e);

		if (r < 0)
			return r;
		p += len + (p[len] == ',');
	}
	return 0;
}

static int parse_target(const struct volume *v, const char *text, struct err *e)
{
	if (v->target[0] != '/')
		return err_say(
			e, -EINVAL,
			"-v %s: expected an absolute path in the container after the colon, got \"%s\"",
			text, v->target);
	if (!v->target[strspn(v->target, "/")])
		return err_say(e, -EINVAL,
			       "-v %s: the root of the container cannot be replaced; use --rootfs",
			       text);
	for (const char *p = v->target; (p = strstr(p, "/..")); p += 3)
		if (!p[3] || p[3] == '/')
			return err_say(e, -EINVAL,
				       "-v %s: the path in the container may not contain \"..\"",
				       text);
	return 0;
}

int volume_split(const char *text, struct volume *out, struct err *e)
{
	const char *colon = strchr(text, ':'), *second;
	struct volume v = { .mode = "", .propagation = "rprivate" };
	int r;

	if (!colon)
		return err_say(e, -EINVAL,
			       "-v %s: anonymous volumes are not supported: expected SOURCE:TARGET",
			       text);
	second = strchr(colon + 1, ':');
	if (second)
		v.mode = second + 1;
	v.source = strndup(text, (size_t)(colon - text));
	v.target = second ? strndup(colon + 1, (size_t)(second - colon - 1)) : strdup(colon + 1);
	if (!v.source || !v.target)
		r = err_set(e, -ENOMEM, "-v %s", text);
	else if ((r = parse_target(&v, text, e)) == 0)
		r = parse_options(&v, text, e);
	if (r < 0) {
		volume_clear(&v);
		return r;
	}
	*out = v;
	return 0;
}

/* What is not there becomes a directory, as docker has it. */
static int make_source(const char *path, const char *text, struct err *e)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	int r = file_mkdirs(path, 0755, e);
	return r < 0 ? err_wrap(e, "-v %s", text), r : 0;
}

int volume_parse(const char *text, struct volume *out, struct err *e)
{
	struct volume v;
	int r = volume_split(text, &v, e);

	if (r < 0)
		return r;
	if (!*v.source) {
		r = err_say(e, -EINVAL, "-v %s: expected a path of the host before the colon",
			    text);
	} else if (!strchr(v.source, '/') && strcmp(v.source, ".") != 0 &&
		   strcmp(v.source, "..") != 0) {
		r = err_say(e, -EINVAL,
			    "-v %s: named volumes are not supported: expected a path such as ./%s",
			    text, v.source);
	} else {
		char *real = NULL;

		if ((r = make_source(v.source, text, e)) == 0 && !(real = realpath(v.source, NULL)))
			r = err_set(e, -errno, "-v %s: %s", text, v.source);
		if (real)
			free(v.source);
		if (real)
			v.source = real;
	}
	if (r < 0) {
		volume_clear(&v);
		return r;
	}
	*out = v;
	return 0;
}

void volume_clear(struct volume *v)
{
	free(v->source);
	free(v->target);
	*v = (struct volume){ .mode = "" };
}
