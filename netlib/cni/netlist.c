// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/netlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"

#define FILES_MAX 4096 /* configuration files looked at in one directory */

void netlist_clear(struct netlist *n)
{
	for (size_t i = 0; i < n->nextra; i++) {
		doc_free(n->extra[i]);
		free(n->extra[i]);
	}
	free(n->extra);
	free(n->plugins);
	free(n->text);
	free(n->file);
	doc_free(&n->doc);
	*n = (struct netlist)NETLIST_INIT;
}

/* libcni's three switches: booleans that may also be written as strings. */
static int decode_switch(struct doc *d, struct json_object *v, void *member, const char *path,
			 struct err *e)
{
	const char *text = json_text(v);
	char got[128];

	(void)d;
	if (text && (str_same(text, "true") || str_same(text, "false"))) {
		*(bool *)member = str_same(text, "true");
		return 0;
	}
	json_describe(v, got, sizeof got);
	if (strcmp(got, "true") && strcmp(got, "false"))
		return err_conf(e, path, "expected true or false, got %s", got);
	*(bool *)member = json_true(v);
	return 0;
}

struct head { /* the list itself, before anything is chosen */
	const char *name, *version;
	const char **versions;
	size_t nversions;
	bool disable_check, disable_gc, only_inlined;
	bool has_versions;
	struct json_object *plugins;
};

#define FIELD_SWITCH(k, m) FIELD_FN(k, struct head, m, decode_switch)
static const struct field head_fields[] = {
	FIELD_STR("name", struct head, name),
	FIELD_STR("cniVersion", struct head, version),
	FIELD_STRS("cniVersions", struct head, versions, nversions),
	FIELD_GIVEN("cniVersions", struct head, has_versions),
	FIELD_SWITCH("disableCheck", disable_check),
	FIELD_SWITCH("disableGC", disable_gc),
	FIELD_SWITCH("loadOnlyInlinedPlugins", only_inlined),
	FIELD_RAW("plugins", struct head, plugins),
	FIELD_END,
};

/*
 * The newest of cniVersions and cniVersion that is known here; cniVersion alone is taken as it is
 * (CNI_SPEC.md "Network lists").
 */
static int choose_version(const struct head *h, enum cni_version *out, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i <= h->nversions; i++) {
		const char *text = i < h->nversions ? h->versions[i] : h->version;
		struct err why = ERR_INIT;
		enum cni_version v;

		if (!h->has_versions)
			break;
		if (i == h->nversions && (!text || !*text))
			continue;
		if (cni_version_parse(text, CNI_V_0_1_0, &v, &why) < 0) {
			if (why.code == CNI_E_VERSION) /* newer than this implementation */
				continue;
			return i < h->nversions ? err_conf(e, "/cniVersions", "%s", why.text) :
						  err_conf(e, "/cniVersion", "%s", why.text);
		}
		if (!any || v > *out)
			*out = v;
		any = true;
	}
	return any ? 0 : cni_version_parse(h->version, CNI_V_0_1_0, out, e);
}

struct plugin_head {
	const char *type, *name;
};

static const struct field plugin_fields[] = {
	FIELD_STR("type", struct plugin_head, type),
	FIELD_STR("name", struct plugin_head, name),
	FIELD_END,
};

static int add_plugin(struct netlist *n, struct doc *d, struct json_object *conf, const char *path,
		      struct err *e)
{
	struct plugin_head h = { 0 };
	int r = decode(d, conf, plugin_fields, &h, path, e);

	if (r < 0)
		return r;
	if (!h.type || !*h.type)
		return err_conf(e, path, "missing 'type'");
	if (n->nplugins == NETLIST_PLUGINS_MAX)
		return err_conf(e, path, "more than %d plugins", NETLIST_PLUGINS_MAX);
	struct netlist_plugin *p = vec_add(&n->plugins, &n->nplugins);
	if (!p)
		return err_set(e, -ENOMEM, "read the plugins of network \"%s\"", n->name);
	*p = (struct netlist_plugin){
		.type = h.type,
		.name = h.name && *h.name ? h.name : NULL,
		.conf = conf,
	};
	return 0;
}

static int add_inlined(struct netlist *n, const struct head *h, struct err *e)
{
	char path[32];

	if (!h->plugins)
		return h->only_inlined ? err_conf(e, "/loadOnlyInlinedPlugins",
						  "is true, and there is no 'plugins' key") :
					 0;
	if (!json_is_array(h->plugins))
		return err_conf(e, "/plugins", "expected array of objects");
	if (!json_len(h->plugins))
		return err_conf(e, "/plugins", "the list is empty");
	for (size_t i = 0; i < json_len(h->plugins); i++) {
		(void)snprintf(path, sizeof path, "/plugins/%zu", i);
		int r = add_plugin(n, &n->doc, json_at(h->plugins, i), path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads a list; plugins may still be missing when they come from a directory. */
static int parse_list(const char *text, size_t len, struct netlist *out, struct err *e)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct head h = { 0 };
	int r;

	if ((r = doc_parse(&n.doc, text, len, e)) < 0)
		return err_wrap(e, "error parsing configuration list");
	if (!json_is_object(n.doc.root))
		return err_conf(e, "", "error parsing configuration list: expected an object");
	if ((r = decode(&n.doc, n.doc.root, head_fields, &h, "", e)) < 0 ||
	    (r = choose_version(&h, &n.version, e)) < 0)
		return err_wrap(e, "error parsing configuration list");
	if (!h.name || !*h.name)
		return err_conf(e, "/name", "error parsing configuration list: no name");
	if (!cni_name_ok(h.name))
		return err_conf(
			e, "/name",
			"expected letters, digits, '_', '.' and '-', first a letter or digit, got \"%.100s\"",
			h.name);
	n.name = h.name;
	n.disable_check = h.disable_check;
	n.disable_gc = h.disable_gc;
	n.only_inlined = h.only_inlined;
	if ((r = add_inlined(&n, &h, e)) < 0)
		return r;
	n.text = malloc(len + 1);
	if (!n.text)
		return err_set(e, -ENOMEM, "read network \"%s\"", n.name);
	memcpy(n.text, text, len);
	n.text[len] = 0;
	n.len = len;
	*out = n;
	n = (struct netlist)NETLIST_INIT;
	return 0;
}

/*
 * A single plugin's configuration becomes a list of one, as libcni writes it: that text is also
 * what the cache keeps.
 */
static int parse_single(const char *text, size_t len, struct netlist *out, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_json struct json_object *list = json_obj(), *plugins = json_arr();
	cleanup_str struct str s = STR_INIT;
	struct head h = { 0 };
	int r;

	if ((r = doc_parse(&d, text, len, e)) < 0)
		return err_wrap(e, "error parsing configuration");
	if (!json_is_object(d.root))
		return err_conf(e, "", "error parsing configuration: expected an object");
	if ((r = decode(&d, d.root, head_fields, &h, "", e)) < 0)
		return err_wrap(e, "error parsing configuration");
	if (!json_text(json_get(d.root, "type")))
		return err_conf(e, "/type", "error parsing configuration: missing 'type'");
	json_append(plugins, json_ref(d.root));
	json_set_str(list, "cniVersion", h.version ?: "");
	json_set_str(list, "name", h.name ?: "");
	json_set(list, "plugins", take_ptr(plugins));
	json_print(&s, list, 0, true);
	if (s.bad || !s.p)
		return err_set(e, -ENOMEM, "error parsing configuration");
	return parse_list(s.p, s.len, out, e);
}

int netlist_parse(const char *text, size_t len, struct netlist *out, struct err *e)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_doc struct doc d = DOC_INIT;
	bool single = doc_parse(&d, text, len, NULL) == 0 && !json_get(d.root, "plugins") &&
		      json_get(d.root, "type");
	int r = single ? parse_single(text, len, &n, e) : parse_list(text, len, &n, e);

	if (r < 0)
		return r;
	if (!n.nplugins)
		return err_conf(e, "/plugins", "no plugin configs found");
	*out = n;
	n = (struct netlist)NETLIST_INIT;
	return 0;
}

/*
 * Configuration files may be symbolic links (mounted config maps are); what they lead to must be a
 * regular file.
 */
static int read_conf(const char *path, char **out, size_t *len, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_say(e, -EINVAL, "read %s: expected a regular file", path);
	r = fd_read_all(fd, DOC_BYTES_MAX, -1, out, len);
	return r < 0 ? err_set(e, r, "read %s", path) : 0;
}

struct files {
	char **v;
	size_t n;
};

static void files_clear(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i]);
	free(f->v);
}

#define cleanup_files __attribute__((cleanup(files_clear)))

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * Paths of the files in dir that end in one of the suffixes, sorted; an absent directory holds
 * none.
 */
static int list_files(const char *dir, const char *const *suffixes, struct files *out,
		      struct err *e)
{
	cleanup_dir DIR *d = opendir(dir);

	if (!d)
		return errno == ENOENT ? 0 : err_set(e, -errno, "open directory %s", dir);
	for (struct dirent *ent; (ent = readdir(d)) && out->n < FILES_MAX;) {
		const char *dot = strrchr(ent->d_name, '.');
		bool wanted = false;
		struct stat st;

		for (size_t i = 0; dot && suffixes[i]; i++)
			wanted |= !strcmp(dot, suffixes[i]);
		if (!wanted || (fstatat(dirfd(d), ent->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode)))
			continue;
		char **slot = vec_add(&out->v, &out->n);
		if (!slot || !(*slot = str_fmt("%s/%s", dir, ent->d_name)))
			return err_set(e, -ENOMEM, "read directory %s", dir);
	}
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}

static int add_file(struct netlist *n, const char *path, struct err *e)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = read_conf(path, &text, &len, e);
	struct doc **slot, *d;

	if (r < 0)
		return r;
	slot = vec_add(&n->extra, &n->nextra);
	if (!slot)
		return err_set(e, -ENOMEM, "read %s", path);
	d = *slot = calloc(1, sizeof *d);
	if (!d) {
		n->nextra--;
		return err_set(e, -ENOMEM, "read %s", path);
	}
	if ((r = doc_parse(d, text, len, e)) < 0 || (r = add_plugin(n, d, d->root, "", e)) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

/* DIR/NAME: plugins dropped beside the list by others. */
static int add_directory(struct netlist *n, const char *file, struct err *e)
{
	static const char *const suffixes[] = { ".conf", NULL };
	const char *slash = strrchr(file, '/');
	cleanup_free char *dir = slash ? str_fmt("%.*s/%s", (int)(slash - file), file, n->name) :
					 str_fmt("./%s", n->name);
	cleanup_files struct files files = { 0 };
	int r;

	if (!dir)
		return err_set(e, -ENOMEM, "read network \"%s\"", n->name);
	if ((r = list_files(dir, suffixes, &files, e)) < 0)
		return r == -ENOTDIR ? 0 : r;
	for (size_t i = 0; i < files.n; i++)
		if ((r = add_file(n, files.v[i], e)) < 0)
			return r;
	return 0;
}

static int load(const char *file, bool single, struct netlist *out, struct err *e)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = read_conf(file, &text, &len, e);

	if (r < 0)
		return r;
	if ((r = single ? parse_single(text, len, &n, e) : parse_list(text, len, &n, e)) < 0)
		return err_wrap(e, "%s", file);
	if (!single && !n.only_inlined && (r = add_directory(&n, file, e)) < 0)
		return r;
	if (!n.nplugins)
		return err_code(e, -EINVAL, CNI_E_CONFIG, "%s: no plugin configs found", file);
	n.file = strdup(file);
	if (!n.file)
		return err_set(e, -ENOMEM, "read %s", file);
	*out = n;
	n = (struct netlist)NETLIST_INIT;
	return 0;
}

int netlist_load_file(const char *file, struct netlist *out, struct err *e)
{
	const char *dot = strrchr(file, '.');

	return load(file, dot && (!strcmp(dot, ".conf") || !strcmp(dot, ".json")), out, e);
}

int netlist_load(const char *dir, const char *name, struct netlist *out, struct err *e)
{
	static const char *const suffixes[2][3] = { { ".conflist" }, { ".conf", ".json" } };
	cleanup_str struct str seen = STR_INIT;
	size_t nfiles = 0;
	int r;

	dir = dir ?: NETLIST_CONF_DIR;
	for (int single = 0; single < 2; single++) {
		cleanup_files struct files files = { 0 };

		if ((r = list_files(dir, suffixes[single], &files, e)) < 0)
			return r;
		nfiles += files.n;
		for (size_t i = 0; i < files.n; i++) {
			cleanup_netlist struct netlist n = NETLIST_INIT;

			if ((r = load(files.v[i], single, &n, e)) < 0)
				return r;
			if (!strcmp(n.name, name)) {
				*out = n;
				n = (struct netlist)NETLIST_INIT;
				return 0;
			}
			str_addf(&seen, "%s%s", seen.len ? ", " : "", n.name);
		}
	}
	if (!nfiles)
		return err_code(e, -ENOENT, CNI_E_CONFIG, "no net configurations found in %s", dir);
	return err_code(e, -ENOENT, CNI_E_CONFIG,
			"no net configuration with name \"%s\" in %s; networks there: %.300s", name,
			dir, seen.p ?: "none");
}
