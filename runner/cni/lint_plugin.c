// SPDX-License-Identifier: GPL-2.0-or-later
/* One plugin of a network: is it there, what does it say of itself, and of its configuration? */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"
#include "runner/cni/ask.h"
#include "runner/cni/lint.h"
#include "runner/opt.h"

static int copy_member(const char *key, struct json_object *v, void *arg)
{
	if (v)
		json_set(arg, key, json_ref(v));
	return 0;
}

/* The configuration as a runtime would hand it over. */
static char *as_given(const struct lint_net *n, const struct lint_plugin *p, size_t *len)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;

	(void)json_each(p->conf, copy_member, o);
	json_set_str(o, "name", n->name && cni_name_ok(n->name) ? n->name : "lint");
	json_set_str(o, "cniVersion", cni_version_names[n->version]);
	json_print(&s, o, 0, true);
	*len = s.len;
	return str_take(&s);
}

/* The plugin of CNI_PATH whose name is nearest; malloc'd. */
static char *nearest_plugin(const char *type, const char *path)
{
	cleanup_free char *copy = strdup(path);
	char *rest = copy;
	const char **names = NULL, **slot, *near = NULL;
	size_t n = 0;

	for (char *dir; rest && (dir = strsep(&rest, ":"));) {
		cleanup_dir DIR *d = opendir(dir);

		for (struct dirent *ent; d && (ent = readdir(d));)
			if ((slot = vec_add(&names, &n)))
				*slot = strdup(ent->d_name);
	}
	if ((slot = vec_add(&names, &n)) && n > 1) {
		*slot = NULL;
		near = opt_nearest(type, names);
	}
	char *found = near ? strdup(near) : NULL;
	for (size_t i = 0; i < n; i++)
		free((void *)names[i]);
	free(names);
	return found;
}

static void not_found(struct lint *l, const struct lint_plugin *p, const char *type,
		      const char *path, const struct err *why)
{
	cleanup_free char *near = nearest_plugin(type, l->plugin_path);

	if (near)
		lint_add(l, p->file, true, "plugin-missing", path, false,
			 "%s; did you mean \"%s\"?", why->text, near);
	else
		lint_add(l, p->file, true, "plugin-missing", path, false, "%s", why->text);
}

static void judge_version(struct lint *l, const struct lint_net *n, const struct lint_plugin *p,
			  const struct doc *about, const char *type, const char *path)
{
	struct json_object *list = json_get(about->root, "supportedVersions");

	for (size_t i = 0; i < json_len(list); i++) {
		const char *v = json_text(json_at(list, i));

		if (v && !strcmp(v, cni_version_names[n->version]))
			return;
	}
	lint_add(l, p->file, true, "version", path, false,
		 "plugin %s does not support config version \"%s\"", type,
		 cni_version_names[n->version]);
}

/*
 * What the plugin itself says: the sentences begin with the pointer of the key. A key that is there
 * is pointed at; what is missing leads to the object that lacks it.
 */
static void judge_problem(struct lint *l, const struct lint_plugin *p, struct json_object *desc)
{
	struct json_object *problem = json_get(desc, "problem");
	const char *msg = json_text(json_get(problem, "msg"));
	cleanup_free char *path = NULL;
	int64_t code;

	if (!msg || (json_int(json_get(problem, "code"), &code) == 0 && code == CNI_E_VERSION))
		return; /* judge_version has said it */
	const char *colon = *msg == '/' ? strstr(msg, ": ") : NULL;
	path = colon ? str_fmt("%s%.*s", p->base, (int)(colon - msg), msg) : strdup(p->base);
	if (!path)
		return;
	for (size_t i = 0; i < l->n; i++) /* found before, perhaps in other words */
		if (l->v[i].error && l->v[i].file == p->file->name &&
		    (!strcmp(l->v[i].path, path) || strstr(l->v[i].text, msg)))
			return;
	lint_add(l, p->file, true, "value", path, false, "%s", colon ? colon + 2 : msg);
}

/* Asks the plugin called type, which path names; the description, or NULL. */
static struct json_object *ask(struct lint *l, const struct lint_net *n,
			       const struct lint_plugin *p, const char *type, const char *path,
			       struct doc *about)
{
	cleanup_free char *text = NULL;
	struct err why = ERR_INIT;
	size_t len = 0;

	text = as_given(n, p, &len);
	if (!text)
		return NULL;
	int r = plugin_ask(type, l->plugin_path, text, len, about, &why);
	if (r == -ENOENT || r == -EINVAL) {
		not_found(l, p, type, path, &why);
		return NULL;
	}
	if (r < 0) {
		lint_add(l, p->file, false, "plugin-silent", path, false,
			 "plugin %s does not tell its versions: %s", type, why.text);
		return NULL;
	}
	judge_version(l, n, p, about, type, path);
	return plugin_description(about);
}

static const char open_ipam_text[] = "[{\"key\":\"ipam\",\"type\":\"any\"}]";

static void judge_keys(struct lint *l, struct lint_plugin *p, const char *ipam_type)
{
	cleanup_doc struct doc open_ipam = DOC_INIT;
	struct lint_lists lists = { { lint_common_keys() }, 1 };
	cleanup_free char *whose =
		ipam_type ? str_fmt("%s or %s", p->type, ipam_type) : strdup(p->type);

	if (p->desc)
		lists.v[lists.n++] = json_get(p->desc, "keys");
	if (p->ipam)
		lists.v[lists.n++] = json_get(p->ipam, "keys");
	else if (ipam_type &&
		 doc_parse(&open_ipam, open_ipam_text, strlen(open_ipam_text), NULL) == 0)
		lists.v[lists.n++] = open_ipam.root;
	if (*p->base == 0) /* a file of its own is a list of one, too */
		lists.v[lists.n++] = lint_list_keys();
	if (p->desc && whose)
		lint_keys(l, p->file, p->conf, &lists, p->base, whose);
}

void lint_plugin(struct lint *l, const struct lint_net *n, struct lint_plugin *p)
{
	cleanup_free char *type_path = str_fmt("%s/type", p->base);
	cleanup_free char *ipam_path = str_fmt("%s/ipam/type", p->base);
	struct json_object *ipam = json_get(p->conf, "ipam");
	const char *ipam_type = json_is_object(ipam) ? json_text(json_get(ipam, "type")) : NULL;

	if (!type_path || !ipam_path)
		return;
	if (!p->type || !*p->type) {
		lint_add(l, p->file, true, "type", p->base, false,
			 "missing \"type\": expected the name of a plugin");
		return;
	}
	ipam_type = ipam_type && *ipam_type ? ipam_type : NULL;
	p->desc = ask(l, n, p, p->type, type_path, &p->about);
	if (p->desc)
		p->kind = json_text(json_get(p->desc, "kind")) ?: "";
	if (ipam_type)
		p->ipam = ask(l, n, p, ipam_type, ipam_path, &p->ipam_about);
	judge_keys(l, p, ipam_type);
	if (p->desc)
		judge_problem(l, p, p->desc);
	if (p->ipam)
		judge_problem(l, p, p->ipam);
}
