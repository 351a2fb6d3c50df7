// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/host-local-conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipam/alloc.h"
#include "ipam/lists.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"

#define POINTER_MAX 96
#define WANTED_MAX 256 /* addresses asked for in one list */

/* ---- keys */

static int span_field(const char *s, void *elem)
{
	return span_parse(s, elem);
}

static int decode_exclude(struct doc *d, struct json_object *v, void *member, const char *path,
			  struct err *e)
{
	static const struct texts spans = { DOC_ELEMENTS_MAX, sizeof(struct ip_span), span_field,
					    "an address or a network" };
	struct ip_spans *s = member;
	int r = lists_texts(d, v, &spans, (void **)&s->v, &s->n, path, e);

	if (r == 0)
		spans_tidy(s);
	return r;
}

/* "10.1.0.5" or "10.1.0.5/24": the length is of no use here and ignored, as the reference does. */
static int wanted_parse(const char *s, void *elem)
{
	struct ip_prefix p;

	if (ip_parse(s, elem) == 0)
		return 0;
	if (ip_prefix_parse(s, &p) < 0)
		return -EINVAL;
	memcpy(elem, &p.addr, sizeof p.addr);
	return 0;
}

static int decode_ips(struct doc *d, struct json_object *v, void *member, const char *path,
		      struct err *e)
{
	static const struct texts addrs = { WANTED_MAX, sizeof(struct ip_addr), wanted_parse,
					    "an address" };
	struct addr_list *l = member;

	return lists_texts(d, v, &addrs, (void **)&l->v, &l->n, path, e);
}

static const struct field range_fields[] = {
	FIELD_TEXT("subnet", struct ip_range, subnet, ip_prefix_parse_field,
		   "a network like 10.1.0.0/24"),
	FIELD_TEXT("rangeStart", struct ip_range, start, ip_parse_field, "an address"),
	FIELD_TEXT("rangeEnd", struct ip_range, end, ip_parse_field, "an address"),
	FIELD_TEXT("gateway", struct ip_range, gateway, ip_parse_field, "an address"),
	FIELD_FN("exclude", struct ip_range, exclude, decode_exclude),
	FIELD_END,
};

static int decode_sets(struct doc *d, struct json_object *v, void *member, const char *path,
		       struct err *e)
{
	struct set_list *l = member;
	char sub[POINTER_MAX];
	size_t len = json_len(v);

	if (!json_is_array(v) || len > DOC_ELEMENTS_MAX)
		return err_conf(e, path, "expected array of at most %d arrays of ranges",
				DOC_ELEMENTS_MAX);
	struct range_set *sets = doc_alloc(d, len, sizeof *sets);
	if (!sets)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		(void)snprintf(sub, sizeof sub, "%s/%zu", path, i);
		if (!json_at(v, i))
			continue; /* null: an empty set, refused later */
		int r = decode_array(d, json_at(v, i), range_fields, sizeof *sets->v,
				     (void **)&sets[i].v, &sets[i].n, sub, e);
		if (r < 0)
			return r;
	}
	l->v = sets;
	l->n = len;
	return 0;
}

#define CONF struct host_local_conf
static const struct field ipam_fields[] = {
	FIELD_FN("ranges", CONF, ipam.sets, decode_sets),
	FIELD_TEXT("subnet", CONF, ipam.one.subnet, ip_prefix_parse_field,
		   "a network like 10.1.0.0/24"),
	FIELD_TEXT("rangeStart", CONF, ipam.one.start, ip_parse_field, "an address"),
	FIELD_TEXT("rangeEnd", CONF, ipam.one.end, ip_parse_field, "an address"),
	FIELD_TEXT("gateway", CONF, ipam.one.gateway, ip_parse_field, "an address"),
	FIELD_FN("routes", CONF, ipam.routes, lists_routes),
	FIELD_STR("dataDir", CONF, ipam.data_dir),
	FIELD_STR("resolvConf", CONF, ipam.resolv_conf),
	FIELD_FN("exclude", CONF, ipam.exclude, decode_exclude),
	FIELD_END,
};
static const struct field runtime_fields[] = {
	FIELD_FN("ipRanges", CONF, runtime.sets, decode_sets),
	FIELD_FN("ips", CONF, runtime.ips, decode_ips),
	FIELD_END,
};
static const struct field args_cni_fields[] = { FIELD_FN("ips", CONF, args_ips, decode_ips),
						FIELD_END };

/*
 * The inner tables count their offsets from the whole struct too, so an object is decoded in place:
 * its own offset is 0.
 */
#define OBJ_IN_PLACE(k, table) { .key = (k), .type = FIELD_T_OBJ, .off = 0, .sub = (table) }
static const struct field args_fields[] = { OBJ_IN_PLACE("cni", args_cni_fields), FIELD_END };
const struct field host_local_fields[] = { FIELD_GIVEN("ipam", CONF, given),
					   OBJ_IN_PLACE("ipam", ipam_fields),
					   OBJ_IN_PLACE("runtimeConfig", runtime_fields),
					   OBJ_IN_PLACE("args", args_fields), FIELD_END };
#undef CONF

/* ---- rules across keys */

/* The sets in the reference's order: the runtime's first, then the old form, then the list. */
static int join_sets(struct host_local_conf *c, struct doc *d, struct err *e)
{
	bool old = ip_is_set(&c->ipam.one.subnet.addr);
	size_t n = 0;
	struct range_set *sets =
		doc_alloc(d, c->runtime.sets.n + old + c->ipam.sets.n, sizeof *sets);

	if (!sets)
		return err_set(e, -ENOMEM, "join the ranges");
	for (size_t i = 0; i < c->runtime.sets.n; i++)
		sets[n++] = c->runtime.sets.v[i];
	if (old) {
		sets[n].v = &c->ipam.one;
		sets[n++].n = 1;
	}
	for (size_t i = 0; i < c->ipam.sets.n; i++)
		sets[n++] = c->ipam.sets.v[i];
	for (size_t i = 0; i < n; i++)
		sets[i].exclude = &c->ipam.exclude;
	c->sets = (struct set_list){ sets, n };
	return n ? 0 : err_conf(e, "/ipam/ranges", "no IP ranges specified");
}

/* Where set i of the joined list stands in the document. */
static void set_pointer(const struct host_local_conf *c, size_t i, char *buf, size_t size)
{
	size_t old = ip_is_set(&c->ipam.one.subnet.addr);

	if (i < c->runtime.sets.n)
		(void)snprintf(buf, size, "/runtimeConfig/ipRanges/%zu", i);
	else if (i < c->runtime.sets.n + old)
		(void)snprintf(buf, size, "/ipam");
	else
		(void)snprintf(buf, size, "/ipam/ranges/%zu", i - c->runtime.sets.n - old);
}

static int check_sets(struct host_local_conf *c, const struct cni_op *op, struct err *e)
{
	struct err why = ERR_INIT;
	char path[POINTER_MAX];
	size_t v4 = 0, v6 = 0;

	for (size_t i = 0; i < c->sets.n; i++) {
		struct range_set *s = &c->sets.v[i];

		if (range_set_fill(s, &why) < 0) {
			set_pointer(c, i, path, sizeof path);
			return err_conf(e, path, "invalid range set %zu: %s", i, why.text);
		}
		*(s->v[0].start.family == AF_INET ? &v4 : &v6) += 1;
	}
	if ((v4 > 1 || v6 > 1) && op->cc->version < CNI_V_0_3_0)
		return err_conf(e, "/ipam/ranges",
				"CNI version %s does not support more than 1 address per family",
				cni_version_names[op->cc->version]);
	if (range_sets_check(c->sets.v, c->sets.n, &why) < 0)
		return err_conf(e, "/ipam/ranges", "%s", why.text);
	return 0;
}

/* CNI_ARGS IP, args.cni.ips and runtimeConfig.ips together. */
static int gather_wanted(struct host_local_conf *c, struct cni_op *op, struct err *e)
{
	static const char *const known[] = { "IP", NULL };
	const struct addr_list *const lists[] = { &c->args_ips, &c->runtime.ips };
	struct ip_addr all[1 + 2 * WANTED_MAX];
	char text[IP_TEXT_MAX];
	size_t n = 0;
	int r;

	if ((r = cni_args_check(op->env->args, known, e)) < 0 ||
	    (r = cni_arg(op->env->args, "IP", text, sizeof text, e)) < 0)
		return r;
	if (r > 0 && *text && wanted_parse(text, &all[n++]) < 0)
		return err_code(
			e, -EINVAL, CNI_E_ENV,
			"ARGS: error parsing value of pair \"IP=%s\": invalid IP address %s", text,
			text);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < lists[i]->n; k++)
			all[n++] = lists[i]->v[k];
	c->want = doc_alloc(&op->cc->doc, c->sets.n, sizeof *c->want);
	if (!c->want)
		return err_set(e, -ENOMEM, "assign the addresses asked for");
	return alloc_assign(c->sets.v, c->sets.n, all, n, c->want, e);
}

/*
 * Such a network's directory would look like one of our own files to whoever keeps networks inside
 * networks.
 */
static int check_name(const char *name, struct err *e)
{
	if (strcmp(name, "lock") != 0 && !str_starts(name, "last_reserved_ip."))
		return 0;
	return err_conf(e, "/name",
			"\"%s\" is a name of host-local's own files; choose another one", name);
}

int host_local_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct host_local_conf *c = conf;
	enum cni_verb verb = op->env->verb;
	int r;

	if (!c->given)
		return err_conf(e, "/ipam", "IPAM config missing 'ipam' key");
	if (c->ipam.data_dir && *c->ipam.data_dir && *c->ipam.data_dir != '/')
		return err_conf(e, "/ipam/dataDir", "expected an absolute path, got \"%.200s\"",
				c->ipam.data_dir);
	if (verb == CNI_DEL || verb == CNI_GC)
		return 0;
	if ((r = check_name(op->cc->name, e)) < 0 || (r = join_sets(c, &op->cc->doc, e)) < 0 ||
	    (r = check_sets(c, op, e)) < 0)
		return r;
	return verb == CNI_STATUS ? 0 : gather_wanted(c, op, e);
}
