// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"

#define FILES_MAX 65536 /* attachments listed by one call */
#define NAME_LIMIT 249	/* file_replace_at needs ".NAME.new" to fit into 255 */

void cache_entry_clear(struct cache_entry *c)
{
	doc_free(&c->doc);
	*c = (struct cache_entry){ 0 };
}

int cache_file_name(const char *network, const char *container, const char *ifname, char out[256],
		    struct err *e)
{
	if (!network || !*network || !container || !*container || !ifname || !*ifname)
		return err_code(
			e, -EINVAL, CNI_E_ENV,
			"the result cache needs a network name (\"%s\"), a container id (\"%s\") and an "
			"interface name (\"%s\")",
			network ?: "", container ?: "", ifname ?: "");
	if (strchr(network, '/') || strchr(container, '/') || strchr(ifname, '/'))
		return err_code(e, -EINVAL, CNI_E_ENV,
				"the result cache takes no '/' in \"%s\", \"%s\" or \"%s\"",
				network, container, ifname);
	if (str_copyf(out, 256, "%s-%s-%s", network, container, ifname) < 0 ||
	    strlen(out) > NAME_LIMIT)
		return err_code(
			e, -ENAMETOOLONG, CNI_E_ENV,
			"network name, container id and interface name have %zu bytes together; "
			"the result cache takes at most %d",
			strlen(network) + strlen(container) + strlen(ifname), NAME_LIMIT - 2);
	return 0;
}

/* The directory, opened; -ENOENT when it is not there and need not be made. */
static int results_dir(const char *cache_dir, bool make, struct err *e)
{
	char path[4096];
	int r, fd;

	if ((r = str_copyf(path, sizeof path, "%s/results", cache_dir ?: NETLIST_CACHE_DIR)) < 0)
		return err_set(e, r, "open the result cache in %s", cache_dir);
	if (make && (r = file_mkdirs(path, 0700, e)) < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "open the result cache %s", path) : fd;
}

static void add_base64(struct str *s, const char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)bytes;

	for (size_t i = 0; i < n; i += 3) {
		unsigned have = n - i < 3 ? (unsigned)(n - i) : 3;
		unsigned v = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) |
			     (have > 2 ? p[i + 2] : 0);
		char out[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
				digits[v & 63] };

		for (unsigned k = have + 1; k < 4; k++)
			out[k] = '=';
		str_add_n(s, out, sizeof out);
	}
}

static void add_text(struct str *s, const char *key, const char *text)
{
	cleanup_json struct json_object *v = json_new_str(text);

	if (!v)
		s->bad = true;
	str_addf(s, "\"%s\":", key);
	json_print(s, v, 0, true);
}

static int found(const char *key, struct json_object *v, void *arg)
{
	(void)key, (void)v, (void)arg;
	return 1;
}

static bool has_members(struct json_object *o)
{
	return json_each(o, found, NULL) != 0;
}

static void add_args(struct str *s, const struct netlist_rt *rt)
{
	cleanup_json struct json_object *list = json_arr();

	for (size_t i = 0; i < rt->nargs; i++) {
		struct json_object *pair = json_arr();

		json_append(pair, json_new_str(rt->args[i].key));
		json_append(pair, json_new_str(rt->args[i].value));
		json_append(list, pair);
	}
	str_add(s, ",\"cniArgs\":");
	json_print(s, list, 0, true);
}

/* Keys in libcni's order, those that are empty left out where it leaves them out. */
static char *document(const struct netlist *n, const struct netlist_rt *rt,
		      struct json_object *result, size_t *len)
{
	cleanup_str struct str s = STR_INIT;

	str_addc(&s, '{');
	add_text(&s, "kind", CACHE_KIND);
	str_addc(&s, ',');
	add_text(&s, "containerId", rt->container);
	str_add(&s, ",\"config\":\"");
	add_base64(&s, n->text, n->len);
	str_add(&s, "\",");
	add_text(&s, "ifName", rt->ifname);
	str_addc(&s, ',');
	add_text(&s, "networkName", n->name);
	if (rt->netns && *rt->netns) {
		str_addc(&s, ',');
		add_text(&s, "netns", rt->netns);
	}
	if (rt->nargs)
		add_args(&s, rt);
	if (has_members(rt->caps)) {
		str_add(&s, ",\"capabilityArgs\":");
		json_print(&s, rt->caps, 0, true);
	}
	if (has_members(result)) {
		str_add(&s, ",\"result\":");
		json_print(&s, result, 0, true);
	}
	str_addc(&s, '}');
	*len = s.len;
	return str_take(&s);
}

int cache_write(const struct netlist *n, const struct netlist_rt *rt, struct json_object *result,
		struct err *e)
{
	char name[256];
	size_t len;
	int r;

	if ((r = cache_file_name(n->name, rt->container, rt->ifname, name, e)) < 0)
		return r;
	cleanup_free char *text = document(n, rt, result, &len);
	if (!text)
		return err_set(e, -ENOMEM, "write the result cache");
	if (len > DOC_BYTES_MAX)
		return err_code(
			e, -EFBIG, CNI_E_CONFIG,
			"network \"%s\" and its result have %zu bytes in the result cache; at most %d "
			"are accepted",
			n->name, len, DOC_BYTES_MAX);
	cleanup_fd int dir = results_dir(rt->cache_dir, true, e);
	if (dir < 0)
		return dir;
	/*
	 * a new entry leaves no temporary name behind, whenever the machine stops; only an old one
	 * has to be renamed over
	 */
	r = file_create_at(dir, name, 0600, text, len, NULL);
	if (r < 0)
		r = file_replace_at(dir, name, 0600, text, len, e);
	return r < 0 ? err_wrap(e, "write the cached result of network \"%s\"", n->name) : 0;
}

static int decode_args(struct doc *d, struct json_object *v, void *member, const char *path,
		       struct err *e)
{
	struct cache_entry *c = member;
	size_t n = json_len(v);

	if (!json_is_array(v))
		return err_conf(e, path, "expected a list of pairs");
	c->args = doc_alloc(d, n + 1, sizeof *c->args);
	if (!c->args)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < n; i++) {
		struct json_object *pair = json_at(v, i);
		const char *key = json_is_array(pair) && json_len(pair) == 2 ?
					  json_text(json_at(pair, 0)) :
					  NULL;
		const char *value = key ? json_text(json_at(pair, 1)) : NULL;

		if (!value)
			return err_conf(e, path, "expected a list of pairs of strings");
		c->args[i] = (struct netlist_arg){ key, value };
	}
	c->nargs = n;
	return 0;
}

static const struct field entry_fields[] = {
	FIELD_STR("containerId", struct cache_entry, container),
	FIELD_STR("ifName", struct cache_entry, ifname),
	FIELD_STR("networkName", struct cache_entry, network),
	FIELD_STR("netns", struct cache_entry, netns),
	FIELD_RAW("capabilityArgs", struct cache_entry, caps),
	FIELD_RAW("result", struct cache_entry, result),
	{ .key = "cniArgs", .type = FIELD_T_FN, .off = 0, .fn = decode_args },
	FIELD_END,
};

static int entry_parse(struct cache_entry *c, const char *text, size_t len, struct err *e)
{
	int r = doc_parse(&c->doc, text, len, e);
	const char *kind;

	if (r < 0)
		return r;
	if (!json_is_object(c->doc.root))
		return err_say(e, -EINVAL, "expected an object");
	c->network = c->container = c->ifname = c->netns = "";
	if (!json_get(c->doc.root, "kind")) { /* the bare result of libcni before 0.8 */
		c->result = c->doc.root;
		return 0;
	}
	kind = json_text(json_get(c->doc.root, "kind"));
	if (!kind || strcmp(kind, CACHE_KIND))
		return err_conf(e, "/kind", "expected \"" CACHE_KIND "\", got \"%.40s\"",
				kind ?: "");
	if ((r = decode(&c->doc, c->doc.root, entry_fields, c, "", e)) < 0)
		return r;
	if (c->caps && !json_is_object(c->caps))
		return err_conf(e, "/capabilityArgs", "expected an object");
	if (c->result && !json_is_object(c->result))
		return err_conf(e, "/result", "expected an object");
	return 0;
}

static int entry_read(int dir, const char *name, struct cache_entry *out, struct err *e)
{
	cleanup_cache struct cache_entry c = { 0 };
	cleanup_free char *text = NULL;
	struct err why = ERR_INIT;
	size_t len = 0;
	int r = file_read_at(dir, name, DOC_BYTES_MAX, &text, &len, &why);

	if (r == -ENOENT)
		return CACHE_NONE;
	if (r == -ENOMEM || r == -EIO || r == -EACCES)
		return err_set(e, r, "read the cached result %s", name);
	if (r == 0 && !len)
		r = err_say(&why, -EINVAL, "the file is empty");
	if (r == 0)
		r = entry_parse(&c, text, len, &why);
	if (r < 0) {
		(void)err_say(e, -EBADMSG, "cached result %s cannot be used: %s", name, why.text);
		return CACHE_BROKEN;
	}
	*out = c;
	c = (struct cache_entry){ 0 };
	return CACHE_FOUND;
}

int cache_read(const char *network, const struct netlist_rt *rt, struct cache_entry *out,
	       struct err *e)
{
	char name[256];
	int r = cache_file_name(network, rt->container, rt->ifname, name, e);

	if (r < 0)
		return r;
	cleanup_fd int dir = results_dir(rt->cache_dir, false, NULL);
	if (dir < 0)
		return dir == -ENOENT ? CACHE_NONE : results_dir(rt->cache_dir, false, e);
	return entry_read(dir, name, out, e);
}

int cache_remove_file(const char *cache_dir, const char *file, struct err *e)
{
	cleanup_fd int dir = results_dir(cache_dir, false, NULL);
	char tmp[264];

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return results_dir(cache_dir, false, e);
	/* what a writer that was killed in file_replace_at left */
	if (str_copyf(tmp, sizeof tmp, ".%s.new", file) == 0)
		(void)unlinkat(dir, tmp, 0);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove the cached result %s", file);
	return 0;
}

int cache_remove(const char *network, const struct netlist_rt *rt, struct err *e)
{
	char name[256];
	int r = cache_file_name(network, rt->container, rt->ifname, name, e);

	return r < 0 ? r : cache_remove_file(rt->cache_dir, name, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* File names of the directory that begin with prefix, sorted. */
static int list_names(int dir, const char *prefix, char ***out, size_t *count, struct err *e)
{
	cleanup_fd int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char **names = NULL;
	size_t n = 0;

	if (!d)
		return err_set(e, -errno, "read the result cache");
	(void)take_fd(fd);
	for (struct dirent *ent; (ent = readdir(d)) && n < FILES_MAX;) {
		if (!str_starts(ent->d_name, prefix))
			continue;
		char **slot = vec_add(&names, &n);
		if (!slot || !(*slot = strdup(ent->d_name))) {
			names_free(names, n);
			return err_set(e, -ENOMEM, "read the result cache");
		}
	}
	if (n)
		qsort(names, n, sizeof *names, by_name);
	*out = names;
	*count = n;
	return 0;
}

int cache_each(const char *cache_dir, const char *network,
	       int (*fn)(const char *file, const struct cache_entry *entry, void *arg), void *arg,
	       struct err *e)
{
	cleanup_fd int dir = results_dir(cache_dir, false, NULL);
	char prefix[256], **names = NULL;
	size_t n = 0;
	int r;

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return results_dir(cache_dir, false, e);
	if ((r = str_copyf(prefix, sizeof prefix, "%s-", network)) < 0 ||
	    (r = list_names(dir, prefix, &names, &n, e)) < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		cleanup_cache struct cache_entry c = { 0 };
		struct err why = ERR_INIT;

		r = entry_read(dir, names[i], &c, &why);
		if (r < 0 && e)
			*e = why;
		if (r == CACHE_FOUND && !strcmp(c.network, network))
			r = fn(names[i], &c, arg);
		else if (r == CACHE_BROKEN)
			r = fn(names[i], NULL, arg);
	}
	names_free(names, n);
	return r < 0 ? r : 0;
}
