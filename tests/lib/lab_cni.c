// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab_cni.h"

#include "tests/lib/json.h"
#include "tests/lib/lab.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_ENV_MAX 32

const char *lab_bin(void)
{
	static char bin[4096];
	static const char *const places[] = { "/../bin", "/../../bin" };
	char self[2048] = "", place[4096];
	const char *set = getenv("NARU_BIN");

	if (bin[0])
		return bin;
	if (set && *set) {
		if (!realpath(set, bin))
			snprintf(bin, sizeof bin, "%s", set);
		return bin;
	}
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		lab_fail("cannot find out where this program lies");

	const char *dir = dirname(self);

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(place, sizeof place, "%s%s", dir, places[i]);
		if (realpath(place, bin))
			return bin;
	}
	snprintf(bin, sizeof bin, "%s/../../bin", dir);
	return bin;
}

void lab_call(const struct lab_call *c, struct lab_result *out)
{
	const char *const vars[][2] = {
		{ "CNI_COMMAND", c->verb },  { "CNI_CONTAINERID", c->cid },
		{ "CNI_NETNS", c->netns },   { "CNI_ARGS", c->args },
		{ "CNI_IFNAME", c->ifname }, { "CNI_PATH", c->path ? c->path : lab_bin() },
	};
	char path[4096 + 256], *env[CALL_ENV_MAX], *argv[] = { path, NULL };
	size_t n = 0, own;

	snprintf(path, sizeof path, "%s%s%s", strchr(c->plugin, '/') ? "" : lab_bin(),
		 strchr(c->plugin, '/') ? "" : "/", c->plugin);
	for (size_t i = 0; i < sizeof vars / sizeof *vars; i++)
		if (vars[i][1] && asprintf(&env[n++], "%s=%s", vars[i][0], vars[i][1]) < 0)
			abort();
	own = n;
	for (char *const *e = c->env; e && *e && n < CALL_ENV_MAX - 1; e++)
		env[n++] = *e;
	env[n] = NULL;

	const struct lab_cmd cmd = {
		.path = path,
		.argv = argv,
		.env = env,
		.in = c->conf ? c->conf : "",
		.in_len = c->conf ? strlen(c->conf) : 0,
		.timeout_ms = c->timeout_ms,
	};

	lab_run(&cmd, out);
	while (own)
		free(env[--own]);
}

void lab_plugin(const char *plugin, const char *verb, const char *cid, const char *netns,
		const char *ifname, const char *conf, struct lab_result *out)
{
	const struct lab_call c = {
		.plugin = plugin,
		.verb = verb,
		.cid = cid,
		.netns = netns,
		.ifname = ifname,
		.args = "",
		.conf = conf,
	};

	lab_call(&c, out);
}

/* ---- chains ---- */

static const char *version_of(const struct lab_chain *c)
{
	return c->version ? c->version : "1.1.0";
}

/* prevResult reaches DEL and CHECK from 0.4.0 on. */
static bool remembers(const struct lab_chain *c)
{
	return strncmp(version_of(c), "0.1", 3) && strncmp(version_of(c), "0.2", 3) &&
	       strncmp(version_of(c), "0.3", 3);
}

/*
 * The part of runtime_config this plugin's capabilities ask for, as JSON text, or NULL when there
 * is none.
 */
static char *runtime_part(const struct lab_chain *c, const char *conf)
{
	char *part = NULL, path[300], *key;

	for (int i = 0; c->runtime_config && (key = json_key(c->runtime_config, "", i)); i++) {
		snprintf(path, sizeof path, "/capabilities/%s", key);
		if (json_is(conf, path, "true")) {
			snprintf(path, sizeof path, "/%s", key);

			char *value = json_find(c->runtime_config, path);
			char *more = json_with(part ? part : "{}", key, value);

			free(part);
			free(value);
			part = more;
		}
		free(key);
	}
	return part;
}

static void add_member(char **conf, const char *key, const char *value)
{
	char *more = json_with(*conf, key, value);

	free(*conf);
	*conf = more;
}

static char *chain_conf(const struct lab_chain *c, int n, bool prev)
{
	char *conf = strdup(c->plugins[n]), quoted[256];

	if (!conf)
		abort();
	snprintf(quoted, sizeof quoted, "\"%s\"", c->name ? c->name : "labnet");
	add_member(&conf, "name", quoted);
	snprintf(quoted, sizeof quoted, "\"%s\"", version_of(c));
	add_member(&conf, "cniVersion", quoted);
	if (prev && c->result)
		add_member(&conf, "prevResult", c->result);

	char *part = runtime_part(c, conf);

	if (part)
		add_member(&conf, "runtimeConfig", part);
	free(part);
	return conf;
}

char *lab_chain_conf(const struct lab_chain *c, int n)
{
	return chain_conf(c, n, true);
}

static void chain_one(struct lab_chain *c, int n, const char *verb, bool prev)
{
	char *conf = chain_conf(c, n, prev), *type = json_find(conf, "/type");
	const struct lab_call call = {
		.plugin = type ? type : "",
		.verb = verb,
		.cid = c->cid,
		.netns = c->netns,
		.ifname = c->ifname ? c->ifname : "eth0",
		.args = c->args ? c->args : "",
		.path = c->path,
		.conf = conf,
		.env = c->env,
	};

	lab_result_clear(&c->last);
	lab_call(&call, &c->last);
	c->wall_us += c->last.wall_us;
	if (c->last.rss_kib > c->rss_kib)
		c->rss_kib = c->last.rss_kib;
	if (c->last.status != 0)
		c->failed = n;
	free(type);
	free(conf);
}

static int chain_length(struct lab_chain *c)
{
	int n = 0;

	while (c->plugins[n])
		n++;
	c->failed = -1;
	c->wall_us = c->rss_kib = 0;
	return n;
}

int lab_chain_add(struct lab_chain *c)
{
	int n = chain_length(c);

	free(c->result);
	c->result = NULL;
	for (int i = 0; i < n; i++) {
		chain_one(c, i, "ADD", true);
		if (c->last.status != 0)
			return c->last.status;
		free(c->result);
		c->result = json_find(c->last.out, "");
	}
	return 0;
}

int lab_chain_check(struct lab_chain *c)
{
	int n = chain_length(c);

	for (int i = 0; i < n; i++) {
		chain_one(c, i, "CHECK", remembers(c));
		if (c->last.status != 0)
			return c->last.status;
	}
	return 0;
}

int lab_chain_del(struct lab_chain *c)
{
	for (int i = chain_length(c) - 1; i >= 0; i--) {
		chain_one(c, i, "DEL", remembers(c));
		if (c->last.status != 0)
			return c->last.status;
	}
	return 0;
}

void lab_chain_clear(struct lab_chain *c)
{
	lab_result_clear(&c->last);
	free(c->result);
	c->result = NULL;
}
