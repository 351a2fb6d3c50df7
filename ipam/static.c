// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * static: addresses, routes and DNS as the configuration or the runtime says them. Nothing is
 * remembered, so there is nothing to give back. CNI_SPEC.md "static".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipam/lists.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"

extern const struct cni_plugin cni_plugin_static;

#define ARG_MAX_BYTES 4096

struct static_address {
	const char *text;	/* as it stands in the document; NULL: from CNI_ARGS */
	struct ip_addr gateway; /* unset = none */
	struct ip_prefix address;
};

struct static_conf {
	bool given; /* there is an "ipam" */
	struct {
		struct static_address *v;
		size_t n;
	} configured;
	struct route_list routes;
	struct cni_dns dns; /* owned */
	const char **args_ips, **runtime_ips;
	size_t nargs_ips, nruntime_ips;

	/* Made by conf_check: what will be reported. Owned. */
	struct static_address *v;
	size_t n;
};

/* ---- keys */

static int decode_dns(struct doc *d, struct json_object *v, void *member, const char *path,
		      struct err *e)
{
	(void)d;
	cni_dns_clear(member);
	return cni_dns_decode(v, member, path, e);
}

#define CONF struct static_conf
static const struct field address_fields[] = {
	FIELD_STR("address", struct static_address, text),
	FIELD_TEXT("gateway", struct static_address, gateway, ip_parse_field, "an address"),
	FIELD_END,
};
static const struct field ipam_fields[] = {
	FIELD_ARRAY("addresses", CONF, configured.v, configured.n, address_fields),
	FIELD_FN("routes", CONF, routes, lists_routes),
	FIELD_FN("dns", CONF, dns, decode_dns),
	FIELD_END,
};
static const struct field runtime_fields[] = {
	FIELD_STRS("ips", CONF, runtime_ips, nruntime_ips),
	FIELD_END,
};
static const struct field args_cni_fields[] = {
	FIELD_STRS("ips", CONF, args_ips, nargs_ips),
	FIELD_END,
};

/* The inner tables count their offsets from the whole struct too. */
#define OBJ_IN_PLACE(k, table) { .key = (k), .type = FIELD_T_OBJ, .off = 0, .sub = (table) }
static const struct field args_fields[] = { OBJ_IN_PLACE("cni", args_cni_fields), FIELD_END };
static const struct field static_fields[] = { FIELD_GIVEN("ipam", CONF, given),
					      OBJ_IN_PLACE("ipam", ipam_fields),
					      OBJ_IN_PLACE("runtimeConfig", runtime_fields),
					      OBJ_IN_PLACE("args", args_fields), FIELD_END };
#undef CONF

static void static_conf_clear(void *conf)
{
	struct static_conf *c = conf;

	cni_dns_clear(&c->dns);
	free(c->v);
}

/* ---- which addresses: the configuration's and CNI_ARGS', else args.cni's, else the runtime's */

static int add_address(struct static_conf *c, const struct static_address *a, struct err *e)
{
	struct static_address *to = vec_add(&c->v, &c->n);

	if (!to)
		return err_set(e, -ENOMEM, "list the addresses");
	*to = *a;
	return 0;
}

static int take_configured(struct static_conf *c, struct err *e)
{
	char path[64];

	for (size_t i = 0; i < c->configured.n; i++) {
		struct static_address *a = &c->configured.v[i];
		int r;

		(void)snprintf(path, sizeof path, "/ipam/addresses/%zu/address", i);
		if (ip_prefix_parse(a->text ?: "", &a->address) < 0)
			return err_conf(e, path,
					"the 'address' field is expected to be in CIDR notation, "
					"got: '%.100s'",
					a->text ?: "");
		if ((r = add_address(c, a, e)) < 0)
			return r;
	}
	return 0;
}

/* The next item of "a, b,c" without the blanks around it; NULL at the end. The text is changed. */
static char *next_item(char **rest)
{
	char *item = strsep(rest, ",");

	if (!item)
		return NULL;
	item += strspn(item, " \t");
	for (char *end = item + strlen(item); end > item && strchr(" \t", end[-1]); end--)
		end[-1] = 0;
	return item;
}

static int take_arg_ips(struct static_conf *c, const char *args, struct err *e)
{
	char text[ARG_MAX_BYTES], *rest = text, *item;
	int r = cni_arg(args, "IP", text, sizeof text, e);

	if (r <= 0 || !*text)
		return r;
	for (r = 0; r == 0 && (item = next_item(&rest));) {
		struct static_address a = { 0 };

		if (ip_prefix_parse(item, &a.address) < 0)
			return err_code(e, -EINVAL, CNI_E_ENV,
					"CNI_ARGS: the 'ip' field is expected to be in CIDR "
					"notation, got: '%.100s'",
					item);
		r = add_address(c, &a, e);
	}
	return r;
}

/* A gateway goes to the addresses of CNI_ARGS whose subnet it is in, as with the reference. */
static int take_arg_gateways(struct static_conf *c, const char *args, struct err *e)
{
	char text[ARG_MAX_BYTES], *rest = text, *item;
	int r = cni_arg(args, "GATEWAY", text, sizeof text, e);

	if (r <= 0 || !*text)
		return r;
	while ((item = next_item(&rest))) {
		struct ip_addr gw;

		if (ip_parse(item, &gw) < 0)
			return err_code(e, -EINVAL, CNI_E_ENV,
					"CNI_ARGS: invalid gateway address: %.100s", item);
		for (size_t i = 0; i < c->n; i++)
			if (!c->v[i].text && ip_prefix_contains(&c->v[i].address, &gw))
				c->v[i].gateway = gw;
	}
	return 0;
}

/* A list that says anything replaces what there was. */
static int replace(struct static_conf *c, const char **ips, size_t n, const char *where,
		   struct err *e)
{
	char path[64];
	int r = 0;

	if (n)
		c->n = 0, free(c->v), c->v = NULL;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct static_address a = { .text = ips[i] };

		(void)snprintf(path, sizeof path, "%s/%zu", where, i);
		if (ip_prefix_parse(ips[i], &a.address) < 0)
			return err_conf(e, path,
					"an entry in the 'ips' field is NOT in CIDR notation, "
					"got: '%.100s'",
					ips[i]);
		r = add_address(c, &a, e);
	}
	return r;
}

static int check_count(const struct static_conf *c, const struct cni_op *op, struct err *e)
{
	size_t v4 = 0, v6 = 0;

	for (size_t i = 0; i < c->n; i++)
		*(c->v[i].address.addr.family == AF_INET ? &v4 : &v6) += 1;
	if ((v4 <= 1 && v6 <= 1) || op->cc->version >= CNI_V_0_3_0)
		return 0;
	return err_conf(e, "/ipam/addresses",
			"CNI version %s does not support more than 1 address per family",
			cni_version_names[op->cc->version]);
}

static int static_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	static const char *const known[] = { "IP", "GATEWAY", NULL };
	struct static_conf *c = conf;
	const char *args = op->env->args ?: "";
	int r;

	if (!c->given)
		return err_conf(e, "/ipam", "IPAM config missing 'ipam' key");
	if (op->env->verb == CNI_DEL || op->env->verb == CNI_GC)
		return 0;
	if ((r = take_configured(c, e)) < 0 || (r = cni_args_check(args, known, e)) < 0 ||
	    (r = take_arg_ips(c, args, e)) < 0 || (r = take_arg_gateways(c, args, e)) < 0 ||
	    (r = replace(c, c->args_ips, c->nargs_ips, "/args/cni/ips", e)) < 0 ||
	    (r = replace(c, c->runtime_ips, c->nruntime_ips, "/runtimeConfig/ips", e)) < 0)
		return r;
	return check_count(c, op, e);
}

/* ---- verbs */

static int addresses_add(struct cni_op *op, struct err *e)
{
	const struct static_conf *c = op->conf;

	for (size_t i = 0; i < c->n; i++)
		if (!cni_result_add_ip(&op->res, &c->v[i].address, &c->v[i].gateway, -1))
			return err_set(e, -ENOMEM, "build the result");
	if (cni_dns_copy(&c->dns, &op->res.dns) < 0)
		return err_set(e, -ENOMEM, "copy dns");
	return lists_add_routes(&c->routes, &op->res, e);
}

static int check_one(const struct cni_op *op, const struct static_address *want, struct err *e)
{
	char addr[IP_TEXT_MAX], gw[IP_TEXT_MAX], got[IP_TEXT_MAX] = "none";

	ip_prefix_text(&want->address, addr);
	for (size_t i = 0; i < op->prev.nips; i++) {
		const struct cni_ip *ip = &op->prev.ips[i];

		if (!ip_prefix_eq(&ip->address, &want->address))
			continue;
		if (!ip_is_set(&want->gateway) || ip_eq(&want->gateway, &ip->gateway))
			return 0;
		if (ip_is_set(&ip->gateway))
			ip_text(&ip->gateway, got);
		return cni_check_fail(e,
				      "static: Failed to match addr %s on interface %s: expected "
				      "gateway %s, found %s",
				      addr, op->env->ifname, ip_text(&want->gateway, gw), got);
	}
	return cni_check_fail(e,
			      "static: Failed to match addr %s on interface %s: expected it in "
			      "prevResult, found %zu other addresses",
			      addr, op->env->ifname, op->prev.nips);
}

static int addresses_check(struct cni_op *op, struct err *e)
{
	const struct static_conf *c = op->conf;
	int r = 0;

	if (!op->has_prev)
		return err_code(e, -EINVAL, CNI_E_CONFIG, "Required prevResult missing");
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = check_one(op, &c->v[i], e);
	return r;
}

static const struct cni_step static_steps[] = {
	{ .name = "addresses", .add = addresses_add, .check = addresses_check },
	{ 0 },
};

const struct cni_plugin cni_plugin_static = {
	.name = "static",
	.about = "gives the addresses that the configuration or the runtime names",
	.flags = CNI_IPAM,
	.min = CNI_V_0_1_0,
	.fields = static_fields,
	.conf_size = sizeof(struct static_conf),
	.conf_check = static_conf_check,
	.conf_clear = static_conf_clear,
	.steps = static_steps,
};
