// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/plan.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/sample.h"

#define FIRST_PORT 10000
#define PORTS_PER_CONTAINER 10
#define CONTAINERS_MAX 5000 /* then host ports are used again */

static char *copy(const char *s)
{
	char *d = strdup(s);

	if (!d)
		die("copy a line of the plan");
	return d;
}

static void set_plugin(struct variant *v, const char *value)
{
	const char *space = strchr(value, ' ');

	if (!space || v->nplugin == PLUGINS_MAX) {
		errno = EINVAL;
		die("plan: plugin %.60s: expected BIN JSON, at most %d of them", value,
		    PLUGINS_MAX);
	}
	struct plan_plugin *p = &v->plugin[v->nplugin++];
	p->bin = strndup(value, (size_t)(space - value));
	p->conf = copy(space + 1);
}

static const struct line {
	const char *word;
	enum { LINE_TEXT, LINE_COUNT, LINE_FLAG } kind;
	size_t offset;
} lines[] = {
	{ "path", LINE_TEXT, offsetof(struct variant, path) },
	{ "peak", LINE_TEXT, offsetof(struct variant, peak) },
	{ "host", LINE_TEXT, offsetof(struct variant, host_cmd) },
	{ "command", LINE_TEXT, offsetof(struct variant, command) },
	{ "prefill", LINE_COUNT, offsetof(struct variant, prefill) },
	{ "parallel", LINE_COUNT, offsetof(struct variant, parallel) },
	{ "pure-cgroup", LINE_FLAG, offsetof(struct variant, pure_cgroup) },
};

static void set_line(struct variant *v, const char *word, const char *value)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char *field = (char *)v + lines[i].offset;
		if (strcmp(word, lines[i].word))
			continue;
		if (lines[i].kind == LINE_TEXT)
			*(char **)(void *)field = copy(value);
		else if (lines[i].kind == LINE_COUNT)
			*(int *)(void *)field = atoi(value);
		else
			*(bool *)(void *)field = true;
		return;
	}
	errno = EINVAL;
	die("plan: unknown word %s", word);
}

static void read_line(struct plan *p, char *line)
{
	char *value = line + strcspn(line, " ");

	if (*value)
		*value++ = 0;
	if (!strcmp(line, "variant")) {
		if (p->nvariant == VARIANTS_MAX) {
			errno = E2BIG;
			die("plan: more than %d variants", VARIANTS_MAX);
		}
		p->variant[p->nvariant++].name = copy(value);
		return;
	}
	if (!p->nvariant) {
		errno = EINVAL;
		die("plan: %s comes before the first variant", line);
	}
	struct variant *v = &p->variant[p->nvariant - 1];
	if (!strcmp(line, "plugin"))
		set_plugin(v, value);
	else
		set_line(v, line, value);
}

void plan_read(struct plan *p, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!f)
		die("open the plan %s", path);
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (*line && *line != '#')
			read_line(p, line);
	}
	free(line);
	fclose(f);
}

/* Prints what the mark at s stands for; returns the mark's length, 0 when s is no mark. */
static size_t mark(const char *s, int n, char *out, size_t size)
{
	if (!strncmp(s, "@N@", 3)) {
		snprintf(out, size, "%d", n);
		return 3;
	}
	if (s[0] == '@' && s[1] == 'P' && s[2] >= '0' && s[2] <= '9' && s[3] == '@') {
		int block = n % CONTAINERS_MAX * PORTS_PER_CONTAINER;
		snprintf(out, size, "%d", FIRST_PORT + block + s[2] - '0');
		return 4;
	}
	return 0;
}

char *plan_fill(const char *text, int n)
{
	size_t size, len;
	char *out = NULL, value[16];
	FILE *f = open_memstream(&out, &size);

	if (!f)
		die("fill in a line of the plan");
	for (; *text; text += len) {
		len = mark(text, n, value, sizeof value);
		if (len) {
			fputs(value, f);
		} else {
			fputc(*text, f);
			len = 1;
		}
	}
	fclose(f);
	return out;
}
