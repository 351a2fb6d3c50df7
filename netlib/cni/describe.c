// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"

static const char *kind_of(const struct cni_plugin *p)
{
	if (p->flags & CNI_IPAM)
		return "ipam";
	if (p->flags & CNI_CHAINED)
		return "chained";
	return p->flags & CNI_PASS_PREV ? "passing" : "interface";
}

/* What a JSON value must be, for each kind of row; GIVEN stands beside another row. */
static const char *const type_names[] = {
	[FIELD_T_STR] = "string", [FIELD_T_BOOL] = "boolean",  [FIELD_T_INT] = "integer",
	[FIELD_T_OBJ] = "object", [FIELD_T_ARRAY] = "objects", [FIELD_T_STRS] = "strings",
	[FIELD_T_RAW] = "any",	  [FIELD_T_GIVEN] = NULL,      [FIELD_T_TEXT] = "string",
	[FIELD_T_FN] = "any",
};

static int64_t int_at(const void *p, size_t size)
{
	int64_t v = 0;

	memcpy(&v, p, size <= sizeof v ? size : sizeof v); /* defaults are small and positive */
	return v;
}

/* The member's default, when it is not zero. */
static void set_default(struct json_object *o, const struct field *f, const char *conf)
{
	const char *member = conf + f->off;

	if (f->type == FIELD_T_BOOL && *(const bool *)member)
		json_set_bool(o, "default", true);
	if (f->type == FIELD_T_STR)
		json_set_str(o, "default", *(const char *const *)(const void *)member);
	if (f->type == FIELD_T_INT && int_at(member, f->size))
		json_set_int(o, "default", int_at(member, f->size));
}

/* conf: a struct of defaults, or NULL where rows have none (elements of arrays). */
static struct json_object *keys_of(const struct field *f, const char *conf)
{
	struct json_object *keys = json_arr();

	for (; f && f->key; f++) {
		struct json_object *o = type_names[f->type] ? json_obj() : NULL;

		if (!o)
			continue;
		json_set_str(o, "key", f->key);
		json_set_str(o, "type", type_names[f->type]);
		if (f->type == FIELD_T_INT) {
			json_set_int(o, "min", f->min);
			json_set_int(o, "max", f->max);
		}
		json_set_str(o, "expect", f->expect);
		if (conf)
			set_default(o, f, conf);
		if (f->type == FIELD_T_OBJ)
			json_set(o, "keys", keys_of(f->sub, conf ? conf + f->off : NULL));
		if (f->type == FIELD_T_ARRAY)
			json_set(o, "keys", keys_of(f->sub, NULL));
		json_append(keys, o);
	}
	return keys;
}

static struct json_object *all_keys(const struct cni_plugin *p, const char *conf)
{
	struct json_object *keys = keys_of(p->fields, conf);

	for (const char *const *k = p->refused; k && *k; k++) {
		struct json_object *o = json_obj();

		json_set_str(o, "key", *k);
		json_set_str(o, "type", "any");
		json_set_bool(o, "refused", true);
		json_append(keys, o);
	}
	return keys;
}

static struct json_object *rows_of(const struct cni_plugin *p)
{
	struct json_object *rows = json_arr();

	for (const struct cni_step *s = p->steps; s && s->name; s++)
		json_append(rows, json_new_str(s->name));
	return rows;
}

/* What ADD would say before its first change; what there is to tell of a good one. */
static void judge(struct json_object *o, const struct cni_plugin *p, const char *conf, size_t len)
{
	const char *path = getenv("CNI_PATH");
	const struct cni_env env = { .verb = CNI_ADD,
				     .container = "describe",
				     .netns = "/proc/self/ns/net",
				     .ifname = "eth0",
				     .args = "",
				     .path = path ? path : "" };
	struct err e = ERR_INIT;

	if (cni_examine(p, &env, conf, len, o, &e) == 0)
		return;
	struct json_object *problem = json_obj();
	json_set_int(problem, "code", cni_error_code(&e));
	json_set_str(problem, "msg", e.text);
	if (*e.details)
		json_set_str(problem, "details", e.details);
	json_set(o, "problem", problem);
}

int describe_print(const struct cni_plugin *p, const char *conf, size_t len, struct str *out,
		   struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_free char *defaults = calloc(1, p->conf_size + 1);
	struct json_object *versions = json_arr(), *naru = json_obj();

	if (!defaults || !o || !versions || !naru)
		return err_set(e, -ENOMEM, "describe plugin %s", p->name);
	if (p->conf_init)
		p->conf_init(defaults);
	for (int v = (int)p->min; v < CNI_VERSIONS; v++)
		json_append(versions, json_new_str(cni_version_names[v]));
	json_set_str(o, "cniVersion", cni_version_names[CNI_V_LATEST]);
	json_set(o, "supportedVersions", versions);
	json_set(o, "naru", naru);
	json_set_str(naru, "plugin", p->name);
	json_set_str(naru, "about", p->about);
	json_set_str(naru, "kind", kind_of(p));
	if (p->flags & CNI_BY_CAPABILITY)
		json_set_bool(naru, "byCapability", true);
	json_set(naru, "keys", all_keys(p, p->conf_size ? defaults : NULL));
	json_set(naru, "rows", rows_of(p));
	if (conf)
		judge(naru, p, conf, len);
	if (p->conf_clear)
		p->conf_clear(defaults);
	json_print(out, o, 0, false);
	str_addc(out, '\n');
	return out->bad ? err_set(e, -ENOMEM, "describe plugin %s", p->name) : 0;
}
