// SPDX-License-Identifier: GPL-2.0-or-later
/* Files and directories, and what a list says about itself. */
#include "runner/cni/lint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"
#include "netlib/cni/netlist.h"

#define STDIN_NAME "standard input"
#define FILES_MAX 4096 /* of one directory */

static void file_free(struct lint_file *f)
{
	free(f->name);
	free(f->text);
	doc_free(&f->doc);
	free(f);
}

void lint_clear(struct lint *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].text);
	}
	for (size_t i = 0; i < l->nnets; i++) {
		for (size_t k = 0; k < l->nets[i].n; k++) {
			doc_free(&l->nets[i].v[k].about);
			doc_free(&l->nets[i].v[k].ipam_about);
			free(l->nets[i].v[k].base);
		}
		free(l->nets[i].v);
	}
	for (size_t i = 0; i < l->nfiles; i++)
		file_free(l->files[i]);
	free(l->v);
	free(l->nets);
	free(l->files);
	*l = (struct lint){ 0 };
}

size_t lint_errors(const struct lint *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].error;
	return n;
}

void lint_add(struct lint *l, const struct lint_file *f, bool error, const char *rule,
	      const char *path, bool at_key, const char *fmt, ...)
{
	struct lint_finding x = { .file = f->name, .error = error, .rule = rule };
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)json_locate(f->text, f->len, path, at_key, &x.at);
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].file == f->name && !strcmp(l->v[i].path, path) &&
		    !strcmp(l->v[i].text, text))
			return;
	x.path = strdup(path);
	x.text = strdup(text);
	struct lint_finding *slot = x.path && x.text ? vec_add(&l->v, &l->n) : NULL;
	if (slot) {
		*slot = x;
		return;
	}
	free(x.path);
	free(x.text);
}

/* ---- one list */

static struct lint_plugin *add_plugin(struct lint_net *n, const struct lint_file *f,
				      const char *base, struct json_object *conf)
{
	struct lint_plugin *p = vec_add(&n->v, &n->n);

	if (!p)
		return NULL;
	*p = (struct lint_plugin){ .file = f, .conf = conf, .kind = "" };
	p->type = json_text(json_get(conf, "type"));
	p->base = strdup(base);
	if (p->base)
		return p;
	n->n--;
	return NULL;
}

static void add_inlined(struct lint *l, struct lint_net *n, struct json_object *plugins)
{
	char base[40];

	for (size_t i = 0; i < json_len(plugins); i++) {
		struct json_object *conf = json_at(plugins, i);

		(void)snprintf(base, sizeof base, "/plugins/%zu", i);
		if (!json_is_object(conf))
			lint_add(l, n->file, true, "type", base, false,
				 "expected an object, the configuration of a plugin");
		else
			(void)add_plugin(n, n->file, base, conf);
	}
}

/* "text after /path: " of an error about a document; the pointer into path when there is one. */
static const char *split_error(const char *text, char path[256])
{
	const char *slash = strstr(text, "/"), *colon = slash ? strstr(slash, ": ") : NULL;

	*path = 0;
	if (!colon || (slash != text && slash[-1] != ' ') ||
	    strcspn(slash, " ") < (size_t)(colon - slash))
		return text;
	(void)str_copyf(path, 256, "%.*s", (int)(colon - slash), slash);
	return colon + 2;
}

/* What the reader of networks refuses, beyond what was found already. */
static void judge_list(struct lint *l, struct lint_net *n)
{
	cleanup_netlist struct netlist list = NETLIST_INIT;
	struct err e = ERR_INIT;
	char path[256];

	n->version = CNI_V_LATEST;
	if (netlist_parse(n->file->text, n->file->len, &list, &e) == 0) {
		n->version = list.version;
		return;
	}
	/* a directory may bring plugins; one without a type is named where plugins are judged */
	if (strstr(e.text, "no plugin configs found") || strstr(e.text, "missing 'type'"))
		return;
	if (lint_errors(l))
		for (size_t i = 0; i < l->n; i++)
			if (l->v[i].error && l->v[i].file == n->file->name)
				return;
	const char *text = split_error(e.text, path);
	if (e.code == CNI_E_VERSION)
		(void)str_copyf(path, sizeof path, "/cniVersion");
	lint_add(l, n->file, true, "list", path, false, "%s%s%s", text, *e.details ? ": " : "",
		 e.details);
}

static bool is_single(const struct lint_file *f)
{
	return !json_get(f->doc.root, "plugins") && json_get(f->doc.root, "type");
}

static void judge_head(struct lint *l, struct lint_net *n, bool single)
{
	struct json_object *root = n->file->doc.root;
	const char *version = json_text(json_get(root, "cniVersion"));
	struct lint_lists lists = { { lint_list_keys() }, 1 };

	if (!single)
		lint_keys(l, n->file, root, &lists, "", "a network list");
	n->name = json_text(json_get(root, "name"));
	if (!json_get(root, "name"))
		lint_add(l, n->file, true, "name", "", false,
			 "missing \"name\": expected the name of the network");
	else if (n->name && !cni_name_ok(n->name))
		lint_add(l, n->file, true, "name", "/name", false,
			 "expected letters, digits, '_', '.' and '-', first a letter or digit, got "
			 "\"%.100s\"",
			 n->name);
	if (!json_get(root, "cniVersions") && (!version || !*version))
		lint_add(l, n->file, false, "version", "", false,
			 "no \"cniVersion\": it is taken for 0.1.0, which knows neither chains nor "
			 "CHECK");
}

/* Names of files in dir that end in .conf, in order; malloc'd. */
static size_t conf_names(const char *dir, struct dirent ***out)
{
	int n = scandir(dir, out, NULL, alphasort);

	return n < 0 ? 0 : (size_t)n;
}

static struct lint_file *read_file(struct lint *l, const char *path, struct err *e);
static bool ends_in(const char *name, const char *suffix);

/* Plugins dropped beside the list, in files of the directory of its name. */
static void add_dropped(struct lint *l, struct lint_net *n)
{
	const char *slash = strrchr(n->file->name, '/');
	struct dirent **names = NULL;

	if (!n->name || !cni_name_ok(n->name) ||
	    json_true(json_get(n->file->doc.root, "loadOnlyInlinedPlugins")))
		return;
	cleanup_free char *dir =
		slash ? str_fmt("%.*s/%s", (int)(slash - n->file->name), n->file->name, n->name) :
			strdup(n->name);
	size_t count = dir ? conf_names(dir, &names) : 0;
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *path = str_fmt("%s/%s", dir, names[i]->d_name);
		struct lint_file *f =
			path && ends_in(path, ".conf") ? read_file(l, path, NULL) : NULL;

		if (f && json_is_object(f->doc.root))
			(void)add_plugin(n, f, "", f->doc.root);
		free(names[i]);
	}
	free(names);
}

static void judge_network(struct lint *l, const struct lint_file *f, bool dropped)
{
	struct lint_net *n = vec_add(&l->nets, &l->nnets);
	bool single = is_single(f);

	if (!n)
		return;
	n->file = f;
	judge_head(l, n, single);
	judge_list(l, n);
	if (single)
		(void)add_plugin(n, f, "", f->doc.root);
	else
		add_inlined(l, n, json_get(f->doc.root, "plugins"));
	if (dropped && !single)
		add_dropped(l, n);
	if (!n->n)
		lint_add(l, f, true, "empty", "/plugins", true, "no plugin configs found");
	for (size_t i = 0; i < n->n; i++)
		lint_plugin(l, n, &n->v[i]);
	lint_chain(l, n);
}

/* ---- files */

static void say_twice(const char *pointer, struct json_pos at, void *arg)
{
	struct lint *l = arg;

	(void)at; /* the last one counts, and that is where the pointer leads */
	lint_add(l, l->files[l->nfiles - 1], false, "twice", pointer, true,
		 "the key stands twice in this object; the last one counts");
}

/* A text that is no JSON is a finding, and NULL. Takes text over. */
static struct lint_file *take_text(struct lint *l, const char *name, char *text, size_t len)
{
	struct lint_file *f = calloc(1, sizeof *f),
			 **slot = f ? vec_add(&l->files, &l->nfiles) : NULL;
	struct err e = ERR_INIT;
	size_t offset = 0;

	if (!slot) {
		free(f);
		free(text);
		return NULL;
	}
	*slot = f;
	f->name = strdup(name);
	f->text = text;
	f->len = len;
	if (f->name && doc_parse(&f->doc, text, len, &e) == 0) {
		json_each_twice(text, len, say_twice, l);
		return f;
	}
	if (f->name) {
		lint_add(l, f, true, "json", "", false, "%s", e.text);
		if (sscanf(e.text, "invalid JSON at offset %zu", &offset) == 1)
			l->v[l->n - 1].at = json_pos_at(text, len, offset);
	}
	return NULL;
}

static struct lint_file *read_file(struct lint *l, const char *path, struct err *e)
{
	cleanup_fd int fd = strcmp(path, "-") ?
				    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) :
				    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	char *text = NULL;
	size_t len = 0;
	int r = fd < 0 ? -errno : fd_read_all(fd, DOC_BYTES_MAX, -1, &text, &len);

	if (r < 0) {
		(void)err_set(e, r, "read %s", path);
		return NULL;
	}
	return take_text(l, strcmp(path, "-") ? path : STDIN_NAME, text, len);
}

static bool ends_in(const char *name, const char *suffix)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot, suffix);
}

/* What libcni does with a file goes by the end of its name. */
static void judge_name(struct lint *l, const struct lint_file *f)
{
	bool list = ends_in(f->name, ".conflist");

	if (!strcmp(f->name, STDIN_NAME))
		return;
	if (!list && !ends_in(f->name, ".conf") && !ends_in(f->name, ".json"))
		lint_add(l, f, false, "extension", "", false,
			 "runtimes do not read this file: expected a name that ends in .conflist, "
			 "or in .conf or .json for a single plugin");
	else if (list && is_single(f))
		lint_add(l, f, true, "extension", "", false,
			 "a single plugin in a file that ends in .conflist: expected a list with "
			 "\"plugins\"; or rename it to .conf");
	else if (!list && json_get(f->doc.root, "plugins"))
		lint_add(
			l, f, true, "extension", "", false,
			"a list in a file that ends in .conf or .json: runtimes take it for a single "
			"plugin; rename it to .conflist");
}

static void judge_file(struct lint *l, const char *path, struct err *e)
{
	struct lint_file *f = read_file(l, path, e);

	if (!f)
		return;
	if (!json_is_object(f->doc.root)) {
		lint_add(l, f, true, "type", "", false, "expected an object, a network");
		return;
	}
	judge_name(l, f);
	judge_network(l, f, strcmp(path, "-") != 0);
}

static int judge_directory(struct lint *l, const char *dir, struct err *e)
{
	struct dirent **names = NULL;
	size_t n = conf_names(dir, &names);
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *path = str_fmt("%s/%s", dir, names[i]->d_name);
		struct err why = ERR_INIT;
		struct stat st;

		if (path && names[i]->d_name[0] != '.' && stat(path, &st) == 0 &&
		    S_ISREG(st.st_mode) && i < FILES_MAX)
			judge_file(l, path, &why);
		if (why.no && !first) {
			first = -why.no;
			if (e)
				*e = why;
		}
		free(names[i]);
	}
	free(names);
	if (!first && !l->nfiles)
		return err_say(e, -ENOENT, "no net configurations found in %s", dir);
	return first;
}

static int by_place(const void *a, const void *b)
{
	const struct lint_finding *x = a, *y = b;
	int c = strcmp(x->file, y->file);

	if (c)
		return c;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return strcmp(x->text, y->text);
}

int lint_run(struct lint *l, const char *what, struct err *e)
{
	struct stat st;
	struct err why = ERR_INIT;
	int r = 0;

	if (strcmp(what, "-") && stat(what, &st) < 0)
		return err_set(e, -errno, "read %s", what);
	if (strcmp(what, "-") && S_ISDIR(st.st_mode)) {
		r = judge_directory(l, what, e);
		lint_networks(l);
	} else {
		judge_file(l, what, &why);
		r = -why.no;
		if (r < 0 && e)
			*e = why;
	}
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, by_place);
	return r;
}
