// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/sha512.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/cache.h"
#include "netlib/cni/netlist.h"
#include "runner/cli/cni.h"

/*
 * What cnitool does, with its environment (CNI_SPEC.md "naru cni"): NETCONFPATH, CNI_PATH,
 * CNI_IFNAME, CNI_ARGS, CAP_ARGS, and its container id, so that an attachment made by one is found
 * by the other.
 */

static void call_clear(struct cni_call *c)
{
	netlist_clear(&c->list);
	doc_free(&c->caps);
	free(c->args_text);
	free(c->netns);
	free(c->args);
}

const char *cni_env_or(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v && *v ? v : fallback;
}

const char *cni_conf_dir(void)
{
	return cni_env_or("NETCONFPATH", NETLIST_CONF_DIR);
}

const char *cni_plugin_path(void)
{
	return cni_env_or("CNI_PATH", CNI_PLUGIN_DIR);
}

/*
 * Lexical, as Go's filepath.Abs: the hash is over this text, and the path need not exist (DEL).
 * malloc'd.
 */
static char *absolute(const char *path)
{
	cleanup_free char *cwd = *path == '/' ? strdup("") : getcwd(NULL, 0);
	cleanup_free char *whole = cwd ? str_fmt("%s/%s", cwd, path) : NULL;
	cleanup_str struct str out = STR_INIT;
	char *rest = whole;

	if (!whole)
		return NULL;
	for (char *part; (part = strsep(&rest, "/"));) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			char *slash = out.p ? strrchr(out.p, '/') : NULL;

			if (slash) {
				*slash = 0;
				out.len = (size_t)(slash - out.p);
			}
			continue;
		}
		str_addf(&out, "/%s", part);
	}
	if (!out.len)
		str_addc(&out, '/');
	return str_take(&out);
}

static int read_args(struct cni_call *c, struct err *e)
{
	const char *text = cni_env_or("CNI_ARGS", NULL);
	char *rest;

	if (!text)
		return 0;
	rest = c->args_text = strdup(text);
	for (char *pair; rest && (pair = strsep(&rest, ";"));) {
		char *eq = strchr(pair, '=');
		struct netlist_arg *a;

		if (!eq || eq == pair || !eq[1] || strchr(eq + 1, '='))
			return err_say(
				e, -EINVAL,
				"invalid CNI_ARGS pair \"%.100s\": expected KEY=VALUE;KEY=VALUE",
				pair);
		*eq = 0;
		a = vec_add(&c->args, &c->nargs);
		if (!a)
			return err_set(e, -ENOMEM, "read CNI_ARGS");
		*a = (struct netlist_arg){ pair, eq + 1 };
	}
	return c->args_text ? 0 : err_set(e, -ENOMEM, "read CNI_ARGS");
}

static int read_caps(struct cni_call *c, struct err *e)
{
	const char *text = cni_env_or("CAP_ARGS", NULL);

	if (!text)
		return 0;
	if (doc_parse(&c->caps, text, strlen(text), e) < 0)
		return err_wrap(e, "CAP_ARGS");
	if (!json_is_object(c->caps.root))
		return err_say(e, -EINVAL,
			       "CAP_ARGS: expected a JSON object such as {\"portMappings\":[...]}");
	return 0;
}

static int name_container(struct cni_call *c, const char *netns, struct err *e)
{
	unsigned char sum[SHA512_SIZE];
	size_t at = strlen(strcpy(c->container, "cnitool-"));

	c->netns = absolute(netns);
	if (!c->netns)
		return err_set(e, -ENOMEM, "read the path of the network namespace");
	sha512(c->netns, strlen(c->netns), sum);
	for (int i = 0; i < CNI_ID_BYTES; i++, at += 2)
		(void)snprintf(c->container + at, 3, "%02x", sum[i]);
	return 0;
}

static int call_init(struct cni_call *c, const struct cni_opts *o, const char *network,
		     const char *netns, struct err *e)
{
	int r;

	if ((r = netlist_load(cni_conf_dir(), network, &c->list, e)) < 0 ||
	    (r = read_args(c, e)) < 0 || (r = read_caps(c, e)) < 0)
		return r;
	if (netns && (r = name_container(c, netns, e)) < 0)
		return r;
	c->opts = o;
	c->rt = (struct netlist_rt){
		.container = c->container,
		.netns = c->netns,
		.ifname = o->ifname ?: cni_env_or("CNI_IFNAME", "eth0"),
		.args = c->args,
		.nargs = c->nargs,
		.caps = c->caps.root,
		.path = cni_plugin_path(),
		.cache_dir = o->cache_dir,
	};
	return 0;
}

int cni_result_text(struct cni_call *c, const struct cni_result *res, struct str *s, struct err *e)
{
	cleanup_cache struct cache_entry cached = { 0 };
	int r = cni_result_print(res, c->list.version, false, s, e);

	if (r < 0 && cache_read(c->list.name, &c->rt, &cached, NULL) == CACHE_FOUND) {
		/* the oldest versions cannot say "no address" in our words: what the plugin said */
		json_print(s, cached.result ?: json_obj(), 4, false);
		r = 0;
	}
	return r;
}

static int do_add(struct cni_call *c, struct err *e)
{
	cleanup_result struct cni_result res = { 0 };
	cleanup_str struct str s = STR_INIT;
	int r = netlist_add(&c->list, &c->rt, &res, e);

	if (r < 0 || (r = cni_result_text(c, &res, &s, e)) < 0)
		return r;
	str_addc(&s, '\n');
	return out_text(s.p, s.len, e);
}

static int do_del(struct cni_call *c, struct err *e)
{
	return netlist_del(&c->list, &c->rt, e);
}

static int do_check(struct cni_call *c, struct err *e)
{
	return netlist_check(&c->list, &c->rt, e);
}

/* As cnitool: nothing is valid, so every attachment of the network is collected. */
static int do_gc(struct cni_call *c, struct err *e)
{
	return netlist_gc(&c->list, &c->rt, NULL, 0, e);
}

static int do_status(struct cni_call *c, struct err *e)
{
	return netlist_status(&c->list, &c->rt, e);
}

struct versions {
	struct out_table table;
	struct json_object *list;
};

static void add_version(const char *type, const char *versions, void *arg)
{
	struct versions *v = arg;
	cleanup_free char *copy = strdup(versions);
	char *rest = copy;

	out_table_add(&v->table, type);
	out_table_add(&v->table, versions);
	struct json_object *o = json_obj(), *supported = json_arr();
	for (char *one; rest && (one = strsep(&rest, " "));)
		json_append(supported, json_new_str(one));
	json_set_str(o, "type", type);
	json_set(o, "supportedVersions", supported);
	json_append(v->list, o);
}

static int do_version(struct cni_call *c, struct err *e)
{
	cleanup_json struct json_object *list = json_arr();
	struct versions v = { .table = { .columns = 2 }, .list = list };
	struct err first = ERR_INIT;
	int r, printed;

	out_table_add(&v.table, "PLUGIN");
	out_table_add(&v.table, "VERSIONS");
	r = netlist_versions(&c->list, &c->rt, add_version, &v, &first);
	printed = c->opts->output == OUT_JSON ? out_json(list, e) : out_table_print(&v.table, e);
	out_table_clear(&v.table);
	if (r < 0)
		*e = first;
	return r < 0 ? r : printed;
}

/* An action runs the chain of a network, or is one of its own. */
static const struct action {
	const char *name;
	/* needs one; the others accept and ignore it, as cnitool demands it */
	bool netns;
	bool root; /* its plugins enter namespaces */
	int (*run)(struct cni_call *c, struct err *e);
	int (*own)(const struct cni_opts *o, const struct operands *args, struct err *e);
} actions[] = {
	{ "add", true, true, do_add },
	{ "del", true, true, do_del },
	{ "check", true, true, do_check },
	{ "gc", false, true, do_gc },
	{ "status", false, false, do_status },
	{ "version", false, false, do_version },
	{ "plan", true, true, cni_plan },
	{ "reload", .root = true, .own = cni_reload },
	{ "metrics", .root = true, .own = cni_metrics },
	{ "lint", .own = cni_lint },
};

static const char *const action_names[] = {
	"add", "del", "check", "gc", "status", "version", "plan", "reload", "metrics", "lint", NULL,
};
_Static_assert(ARRAY_LEN(action_names) == ARRAY_LEN(actions) + 1, "each action has its name");
#define ACTIONS "add, del, check, gc, status, version, plan, reload, metrics or lint"

static int check_call(const struct action *a, const struct operands *args, struct err *e)
{
	if (a->run && args->n < 2)
		return err_say(e, -EINVAL, "naru cni %s: expected the name of a network", a->name);
	if (a->netns && args->n < 3)
		return err_say(
			e, -EINVAL,
			"naru cni %s: expected NETWORK NETNS, got only \"%s\"; NETNS is a path such as "
			"/run/netns/NAME",
			a->name, args->v[1]);
	if (a->root && geteuid() != 0) {
		int r = err_say(e, -EPERM,
				"naru cni %s needs root: its plugins change network namespaces",
				a->name);

		err_details(e, "try: sudo naru cni ...");
		return r;
	}
	return 0;
}

static int run_action(const struct action *a, void *opts, const struct operands *args,
		      struct err *e)
{
	struct cni_call c = { 0 };
	int r = check_call(a, args, e);

	if (r < 0 || a->own)
		return r < 0 ? r : a->own(opts, args, e);
	if ((r = call_init(&c, opts, args->v[1], args->n > 2 ? args->v[2] : NULL, e)) == 0)
		r = a->run(&c, e);
	call_clear(&c);
	return r;
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (!strcmp(actions[i].name, args->v[0]))
			return run_action(&actions[i], opts, args, e);
	const char *near = opt_nearest(args->v[0], action_names);
	if (near)
		return err_say(e, -EINVAL, "naru cni: no action \"%s\"; did you mean \"%s\"?",
			       args->v[0], near);
	return err_say(e, -EINVAL, "naru cni: no action \"%s\"; expected " ACTIONS, args->v[0]);
}

static const char *missing(size_t have)
{
	(void)have;
	return "an action: " ACTIONS;
}

static const struct opt cni_options[] = {
	OPT_TEXT('i', "ifname", struct cni_opts, ifname, "NAME",
		 "interface in the container (CNI_IFNAME, else eth0)"),
	OPT_TEXT(0, "cache-dir", struct cni_opts, cache_dir, "DIR",
		 "where results are cached (/var/lib/cni)"),
	OPT_FLAG(0, "del", struct cni_opts, del, "plan: what DEL would do, instead of ADD"),
	OPT_OUTPUT(struct cni_opts, output),
	OPT_END,
};

const struct verb verb_cni = {
	.name = "cni",
	.group = GROUP_NETWORKS,
	.about = "Run a network's CNI plugins, as cnitool does",
	.synopsis = "[OPTION]... ACTION [NETWORK|FILE] [NETNS]",
	.opts = cni_options,
	.words = action_names,
	.min = 1,
	.max = 3,
	.failure = 1,
	.missing = missing,
	.size = sizeof(struct cni_opts),
	.run = run,
	.examples =
		"  ip netns add web; CNI_PATH=/opt/cni/bin naru cni add mynet /run/netns/web\n"
		"  CAP_ARGS='{\"mac\":\"02:00:00:00:00:01\"}' naru cni add mynet /run/netns/web\n"
		"  naru cni del mynet /run/netns/web\n"
		"  naru cni plan mynet /run/netns/web\n"
		"  nft flush ruleset; naru cni reload\n"
		"  naru cni lint /etc/cni/net.d\n",
};
