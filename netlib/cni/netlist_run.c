// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/netlist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/cache.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/plugin.h"
#include "netlib/ip/ifname.h"

static const char *const verb_words[CNI_VERBS] = { "add", "delete", "check",
						   "GC",  "status", "version" };

char *netlist_args_text(const struct netlist_rt *rt)
{
	cleanup_str struct str s = STR_INIT;

	for (size_t i = 0; i < rt->nargs; i++)
		str_addf(&s, "%s%s=%s", i ? ";" : "", rt->args[i].key, rt->args[i].value);
	return str_take(&s);
}

/* A chain at work: what is the same for all plugins of one call. */
struct chain {
	const struct netlist *n;
	const struct netlist_rt *rt;
	char *args;
	/* result to hand on, in the list's version; owned */
	struct json_object *prev;
	struct json_object *valid; /* GC; owned */
	enum cni_verb verb;
};

static void chain_clear(struct chain *c)
{
	free(c->args);
	json_put(c->prev);
	json_put(c->valid);
}

#define cleanup_chain __attribute__((cleanup(chain_clear)))

static int chain_init(struct chain *c, const struct netlist *n, const struct netlist_rt *rt,
		      enum cni_verb verb, struct err *e)
{
	const char *problem;

	*c = (struct chain){ .n = n, .rt = rt, .verb = verb };
	if (verb != CNI_GC && verb != CNI_STATUS && verb != CNI_VERSION) {
		if (!rt->container || !cni_name_ok(rt->container))
			return err_code(
				e, -EINVAL, CNI_E_ENV,
				"container id \"%.100s\": expected letters, digits, '_', '.' and '-', first a "
				"letter or digit",
				rt->container ?: "");
		if ((problem = ifname_problem(rt->ifname ?: "")))
			return err_code(e, -EINVAL, CNI_E_ENV, "interface name \"%.40s\" %s",
					rt->ifname ?: "", problem);
	}
	c->args = netlist_args_text(rt);
	return c->args ? 0 : err_set(e, -ENOMEM, "prepare network \"%s\"", n->name);
}

struct pick {
	struct json_object *caps, *out;
};

static int pick_capability(const char *key, struct json_object *supported, void *arg)
{
	struct pick *p = arg;
	struct json_object *v = json_true(supported) ? json_get(p->caps, key) : NULL;

	if (v) {
		if (!p->out)
			p->out = json_obj();
		json_set(p->out, key, json_ref(v));
	}
	return 0;
}

static int copy_member(const char *key, struct json_object *v, void *arg)
{
	if (v)
		json_set(arg, key, json_ref(v));
	return 0;
}

/*
 * What one plugin reads: its own configuration and what the runtime puts in (CNI_SPEC.md "Chains").
 * Keys sorted, as libcni sends them.
 */
static char *stdin_text(const struct chain *c, const struct netlist_plugin *p, size_t *len)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;
	struct pick pick = { .caps = c->rt->caps };

	(void)json_each(p->conf, copy_member, o);
	json_set_str(o, "name", c->n->name);
	json_set_str(o, "cniVersion", cni_version_names[c->n->version]);
	if (c->verb == CNI_GC) {
		json_set(o, "cni.dev/valid-attachments", json_ref(c->valid));
		/* the specification's own misprint, sent by libcni too */
		json_set(o, "cni.dev/attachments", json_ref(c->valid));
	}
	if (c->verb == CNI_ADD || c->verb == CNI_DEL || c->verb == CNI_CHECK) {
		if (c->prev)
			json_set(o, "prevResult", json_ref(c->prev));
		(void)json_each(json_get(p->conf, "capabilities"), pick_capability, &pick);
		json_set(o, "runtimeConfig", pick.out);
	}
	if (!o)
		return NULL;
	json_print(&s, o, 0, true);
	*len = s.len;
	return str_take(&s);
}

/* Runs one verb on one plugin; its stdout into *out. Errors carry no prefix yet. */
static int run_plugin(const struct chain *c, const struct netlist_plugin *p, char **out,
		      struct err *e)
{
	const struct netlist_rt *rt = c->rt;
	const bool attach = c->verb == CNI_ADD || c->verb == CNI_DEL || c->verb == CNI_CHECK;
	struct cni_env env = {
		.verb = c->verb,
		.container = attach ? rt->container : NULL,
		.netns = attach && rt->netns && *rt->netns ? rt->netns : NULL,
		.ifname = attach ? rt->ifname : NULL,
		.args = c->args,
		.path = rt->path ?: "",
	};
	char path[4096];
	size_t len = 0;
	int r = cni_find(p->type, rt->path, path, e);

	if (r < 0)
		return r;
	cleanup_free char *text = stdin_text(c, p, &len);
	if (!text)
		return err_set(e, -ENOMEM, "prepare its configuration");
	return cni_exec(path, c->verb, &env, text, len, out, e);
}

static int wrap_plugin(const struct netlist_plugin *p, enum cni_verb verb, struct err *e)
{
	if (p->name)
		return err_wrap(e, "plugin type=\"%s\" name=\"%s\" failed (%s)", p->type, p->name,
				verb_words[verb]);
	return err_wrap(e, "plugin type=\"%s\" failed (%s)", p->type, verb_words[verb]);
}

/*
 * A result as this list's version has it: as it stands when the family is the same, else converted.
 */
static int in_version(struct json_object *raw, enum cni_version want, struct json_object **out,
		      struct cni_result *res, struct err *e)
{
	const char *text = json_text(json_get(raw, "cniVersion"));
	enum cni_version have = want;
	cleanup_result struct cni_result got = { 0 };
	int r;

	if (text && *text && (r = cni_version_parse(text, CNI_V_0_1_0, &have, e)) < 0)
		return err_wrap(e, "its result");
	if ((r = cni_result_decode(raw, have, &got, "", e)) < 0)
		return err_wrap(e, "its result");
	cleanup_json struct json_object *o = NULL;
	if (cni_version_same_family(have, want)) {
		o = json_obj();
		(void)json_each(raw, copy_member, o);
		json_set_str(o, "cniVersion", cni_version_names[want]);
	} else {
		o = cni_result_encode(&got, want, false, e);
		if (!o)
			return err_wrap(e, "its result");
	}
	*out = take_ptr(o);
	if (res) {
		*res = got;
		got = (struct cni_result){ 0 };
	}
	return 0;
}

/* A literal null is an empty result (CNI_SPEC.md "Network lists"). */
static bool is_null(const char *text)
{
	text += strspn(text, " \t\r\n");
	return !strncmp(text, "null", 4) && !text[4 + strspn(text + 4, " \t\r\n")];
}

/* Takes an ADD's answer as the chain's new result. */
static int take_result(struct chain *c, const char *text, struct cni_result *res, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_json struct json_object *empty = json_obj(), *now = NULL;
	cleanup_result struct cni_result got = { 0 };
	int r;

	if (!is_null(text) && (r = doc_parse(&d, text, strlen(text), e)) < 0)
		return err_wrap(e, "its result");
	if (d.root && !json_is_object(d.root))
		return err_say(e, -EBADMSG, "its result: expected a JSON object, got %.60s", text);
	if ((r = in_version(d.root ?: empty, c->n->version, &now, &got, e)) < 0)
		return r;
	json_put(c->prev);
	c->prev = take_ptr(now);
	cni_result_clear(res);
	*res = got;
	got = (struct cni_result){ 0 };
	return 0;
}

static bool refused_the_add(const struct netlist_plugin *p, const struct err *failed_add,
			    const struct err *del)
{
	struct err as_add = *del;

	if (!failed_add)
		return false;
	(void)wrap_plugin(p, CNI_ADD, &as_add);
	return !strcmp(as_add.text, failed_add->text);
}

/*
 * DEL on plugins[0..count), newest first; every one runs, the first error is kept. failed_add: as
 * in struct netlist_rt.
 */
static int run_del(struct chain *c, size_t count, const struct err *failed_add, struct err *e)
{
	enum cni_verb verb = c->verb;
	int first = 0;

	c->verb = CNI_DEL;
	if (c->n->version < CNI_V_0_4_0) { /* prevResult came to DEL with 0.4.0 */
		json_put(c->prev);
		c->prev = NULL;
	}
	for (size_t i = count; i-- > 0;) {
		cleanup_free char *out = NULL;
		struct err one = ERR_INIT;
		int r = run_plugin(c, &c->n->plugins[i], &out, &one);

		if (r < 0 && !refused_the_add(&c->n->plugins[i], failed_add, &one)) {
			(void)wrap_plugin(&c->n->plugins[i], CNI_DEL, &one);
			err_keep_first(e, &one);
			first = first ?: r;
		}
	}
	c->verb = verb;
	return first;
}

static void undo(struct chain *c, size_t count, struct err *e)
{
	struct err why = ERR_INIT;

	if (run_del(c, count, e, &why) == 0 || !e)
		return;
	char *old = e->details[0] ? strdup(e->details) : NULL;
	err_details(e, "%s%sundoing it failed too: %s", old ?: "", old ? "; " : "", why.text);
	free(old);
}

/* Was the attachment there before this call? Then a failed ADD must not take it away. */
static bool already_attached(const struct netlist *n, const struct netlist_rt *rt)
{
	cleanup_cache struct cache_entry c = { 0 };

	return cache_read(n->name, rt, &c, NULL) == CACHE_FOUND;
}

/* A plugin that is not installed is found out before the first one has changed anything. */
static int find_all(const struct chain *c, struct err *e)
{
	char path[4096];

	for (size_t i = 0; i < c->n->nplugins; i++) {
		int r = cni_find(c->n->plugins[i].type, c->rt->path, path, e);

		if (r < 0) {
			(void)wrap_plugin(&c->n->plugins[i], c->verb, e);
			return r;
		}
	}
	return 0;
}

int netlist_add(const struct netlist *n, const struct netlist_rt *rt, struct cni_result *out,
		struct err *e)
{
	cleanup_chain struct chain c = { 0 };
	cleanup_result struct cni_result res = { 0 };
	char name[256];
	int r;

	if ((r = chain_init(&c, n, rt, CNI_ADD, e)) < 0 ||
	    (r = cache_file_name(n->name, rt->container, rt->ifname, name, e)) < 0 ||
	    (r = find_all(&c, e)) < 0)
		return r;
	bool before = already_attached(n, rt);
	size_t ran = 0;
	while (ran < n->nplugins && r == 0) {
		const struct netlist_plugin *p = &n->plugins[ran++];
		cleanup_free char *text = NULL;

		if ((r = run_plugin(&c, p, &text, e)) < 0 ||
		    (r = take_result(&c, text, &res, e)) < 0)
			(void)wrap_plugin(p, CNI_ADD, e);
	}
	if (r == 0 && !plan_on())
		r = cache_write(n, rt, c.prev, e);
	if (r < 0) {
		if (!before && !plan_on())
			undo(&c, ran, e);
		return r;
	}
	*out = res;
	res = (struct cni_result){ 0 };
	return 0;
}

/* The cached result as prevResult of DEL and CHECK. */
static int load_prev(struct chain *c, struct err *e)
{
	cleanup_cache struct cache_entry entry = { 0 };
	int r = cache_read(c->n->name, c->rt, &entry, e);

	if (r != CACHE_FOUND)
		return r < 0 ? r : r == CACHE_NONE ? -ENOENT : -EBADMSG;
	if (!entry.result)
		return 0;
	return in_version(entry.result, c->n->version, &c->prev, NULL, e);
}

int netlist_del(const struct netlist *n, const struct netlist_rt *rt, struct err *e)
{
	cleanup_chain struct chain c = { 0 };
	int r = chain_init(&c, n, rt, CNI_DEL, e);

	if (r < 0)
		return r;
	if (n->version >= CNI_V_0_4_0)
		(void)load_prev(&c, NULL); /* DEL works without */
	r = run_del(&c, n->nplugins, rt->failed_add, e);
	return r < 0 || plan_on() ? r : cache_remove(n->name, rt, e);
}

typedef void repaired_fn(const char *type, const char *rows, void *arg);

static void say_repaired(const struct netlist_plugin *p, const char *answer, repaired_fn *fn,
			 void *arg)
{
	cleanup_doc struct doc d = DOC_INIT;
	const char *rows = fn && doc_parse(&d, answer, strlen(answer), NULL) == 0 ?
				   json_text(json_get(d.root, "repaired")) :
				   NULL;

	if (rows && *rows)
		fn(p->type, rows, arg);
}

static int check(const struct netlist *n, const struct netlist_rt *rt, repaired_fn *fn, void *arg,
		 struct err *e)
{
	cleanup_chain struct chain c = { 0 };
	int r = chain_init(&c, n, rt, CNI_CHECK, e);

	if (r < 0)
		return r;
	if (n->version < CNI_V_0_4_0)
		return err_code(e, -ENOTSUP, CNI_E_VERSION,
				"configuration version \"%s\" does not support CHECK command",
				cni_version_names[n->version]);
	if (n->disable_check && !fn)
		return 0;
	r = load_prev(&c, e);
	if (r == -ENOENT)
		return err_code(
			e, r, CNI_E_CONTAINER,
			"network \"%s\" has no cached result for container %s and interface %s: it was never "
			"added, or is deleted",
			n->name, rt->container, rt->ifname);
	if (r < 0)
		return err_wrap(e, "network \"%s\"", n->name);
	for (size_t i = 0; i < n->nplugins; i++) {
		cleanup_free char *out = NULL;

		if ((r = run_plugin(&c, &n->plugins[i], &out, e)) < 0) {
			(void)wrap_plugin(&n->plugins[i], CNI_CHECK, e);
			return r;
		}
		say_repaired(&n->plugins[i], out ? out : "", fn, arg);
	}
	return 0;
}

int netlist_check(const struct netlist *n, const struct netlist_rt *rt, struct err *e)
{
	return check(n, rt, NULL, NULL, e);
}

int netlist_reload(const struct netlist *n, const struct netlist_rt *rt, repaired_fn *fn, void *arg,
		   struct err *e)
{
	if (setenv(RELOAD_VAR, "1", 1) < 0)
		return err_set(e, -errno, "reload network \"%s\"", n->name);
	int r = check(n, rt, fn, arg, e);
	(void)unsetenv(RELOAD_VAR);
	return r;
}

/* ---------------------------------------------------------------- GC */

struct stale {
	const struct netlist *n;
	const struct netlist_rt *rt;
	const struct cni_attachment *valid;
	size_t nvalid;
	struct err *e;
	int first;
};

static int drop_stale(const char *file, const struct cache_entry *entry, void *arg)
{
	struct stale *s = arg;
	struct err one = ERR_INIT;
	char name[256];
	int r;

	for (size_t i = 0; i < s->nvalid; i++)
		if (cache_file_name(s->n->name, s->valid[i].container, s->valid[i].ifname, name,
				    NULL) == 0 &&
		    !strcmp(name, file))
			return 0;
	if (!entry) { /* unreadable: nothing can be told about it, and nobody will ever use it */
		r = cache_remove_file(s->rt->cache_dir, file, &one);
	} else {
		struct netlist_rt rt = {
			.container = entry->container,
			.netns = entry->netns,
			.ifname = entry->ifname,
			.args = entry->args,
			.nargs = entry->nargs,
			.caps = entry->caps,
			.path = s->rt->path,
			.cache_dir = s->rt->cache_dir,
		};

		r = netlist_del(s->n, &rt, &one);
		if (r < 0)
			(void)err_wrap(&one, "failed to delete stale attachment %s %s",
				       rt.container, rt.ifname);
	}
	if (r < 0) {
		err_keep_first(s->e, &one);
		s->first = s->first ?: r;
	}
	return 0;
}

int netlist_gc(const struct netlist *n, const struct netlist_rt *rt,
	       const struct cni_attachment *valid, size_t nvalid, struct err *e)
{
	struct err first = ERR_INIT;
	struct stale s = { .n = n, .rt = rt, .valid = valid, .nvalid = nvalid, .e = &first };
	cleanup_chain struct chain c = { 0 };
	int r;

	if (n->disable_gc)
		return 0;
	if ((r = chain_init(&c, n, rt, CNI_GC, e)) < 0)
		return r;
	r = cache_each(rt->cache_dir, n->name, drop_stale, &s, &first);
	r = s.first ?: r;
	c.valid = json_arr();
	for (size_t i = 0; i < nvalid; i++) {
		struct json_object *a = json_obj();

		json_set_str(a, "containerID", valid[i].container);
		json_set_str(a, "ifname", valid[i].ifname);
		json_append(c.valid, a);
	}
	for (size_t i = 0; n->version >= CNI_V_1_1_0 && i < n->nplugins; i++) {
		cleanup_free char *out = NULL;
		struct err one = ERR_INIT;
		int one_r = run_plugin(&c, &n->plugins[i], &out, &one);

		if (one_r < 0) {
			(void)wrap_plugin(&n->plugins[i], CNI_GC, &one);
			err_keep_first(&first, &one);
			if (r == 0)
				r = one_r;
		}
	}
	if (r < 0 && e)
		*e = first;
	return r < 0 ? r : 0;
}

int netlist_status(const struct netlist *n, const struct netlist_rt *rt, struct err *e)
{
	cleanup_chain struct chain c = { 0 };
	int r = chain_init(&c, n, rt, CNI_STATUS, e);

	for (size_t i = 0; r == 0 && n->version >= CNI_V_1_1_0 && i < n->nplugins; i++) {
		cleanup_free char *out = NULL;

		r = run_plugin(&c, &n->plugins[i], &out, e);
		if (r < 0)
			(void)wrap_plugin(&n->plugins[i], CNI_STATUS, e);
	}
	return r;
}

/* ---------------------------------------------------------------- versions */

static int read_versions(const char *text, const struct netlist *n, struct str *out, bool *speaks,
			 struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	int r = doc_parse(&d, text, strlen(text), e);
	struct json_object *list = r < 0 ? NULL : json_get(d.root, "supportedVersions");

	if (r < 0)
		return r;
	if (!json_is_array(list))
		return err_say(e, -EBADMSG,
			       "expected \"supportedVersions\" in the answer to VERSION");
	*speaks = false;
	for (size_t i = 0; i < json_len(list); i++) {
		const char *v = json_text(json_at(list, i));

		if (!v)
			return err_say(e, -EBADMSG, "expected strings in \"supportedVersions\"");
		str_addf(out, "%s%s", i ? " " : "", v);
		*speaks |= !strcmp(v, cni_version_names[n->version]);
	}
	return 0;
}

int netlist_versions(const struct netlist *n, const struct netlist_rt *rt,
		     void (*each)(const char *type, const char *versions, void *arg), void *arg,
		     struct err *e)
{
	cleanup_chain struct chain c = { 0 };
	int r = chain_init(&c, n, rt, CNI_VERSION, e);

	for (size_t i = 0; r == 0 && i < n->nplugins; i++) {
		const struct netlist_plugin *p = &n->plugins[i];
		cleanup_str struct str versions = STR_INIT;
		cleanup_free char *out = NULL;
		bool speaks = false;

		if ((r = run_plugin(&c, p, &out, e)) < 0 ||
		    (r = read_versions(out, n, &versions, &speaks, e)) < 0) {
			(void)wrap_plugin(p, CNI_VERSION, e);
			return r;
		}
		each(p->type, versions.p ?: "", arg);
		if (!speaks)
			return err_code(e, -EPROTONOSUPPORT, CNI_E_VERSION,
					"plugin %s does not support config version \"%s\"", p->type,
					cni_version_names[n->version]);
	}
	return r;
}
