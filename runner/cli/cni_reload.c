// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni reload: the rules of living attachments put back (CNI_SPEC.md "naru cni reload"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/cache.h"
#include "netlib/net/netns.h"
#include "runner/cli/cni.h"
#include "runner/cni/networks.h"

struct report {
	const struct cni_opts *opts;
	const struct netlist *n;
	const char *path;
	struct out_table table;
	struct json_object *list;
	unsigned broken;
};

static void add_row(struct report *r, const char *container, const char *ifname, const char *state,
		    const char *detail)
{
	const char *const cells[] = { r->n->name, container, ifname, state, detail };
	static const char *const keys[] = { "network", "container", "ifname", "state", "detail" };
	struct json_object *o = json_obj();

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		out_table_add(&r->table, cells[i]);
		if (*cells[i])
			json_set_str(o, keys[i], cells[i]);
	}
	json_append(r->list, o);
}

static void take_repaired(const char *type, const char *rows, void *arg)
{
	str_addf(arg, "%s%s: %s", ((struct str *)arg)->len ? "; " : "", type, rows);
}

static bool is_gone(const char *netns)
{
	cleanup_fd int fd = -1;

	return !*netns || netns_open(netns, &fd, NULL) != 0;
}

static int reload_one(const char *file, const struct cache_entry *entry, void *arg)
{
	struct report *r = arg;
	cleanup_str struct str repaired = STR_INIT;
	struct err why = ERR_INIT;

	if (!entry) {
		r->broken++;
		add_row(r, file, "", "unreadable", "the cache file holds no result");
		return 0;
	}
	const char *const netns = entry->netns ? entry->netns : "";
	const struct netlist_rt rt = {
		.container = entry->container,
		.netns = netns,
		.ifname = entry->ifname,
		.args = entry->args,
		.nargs = entry->nargs,
		.caps = entry->caps,
		.path = r->path,
		.cache_dir = r->opts->cache_dir,
	};
	if (is_gone(netns)) {
		add_row(r, entry->container, entry->ifname, "stale",
			"its namespace is gone; DEL or GC removes it");
		return 0;
	}
	int rc = netlist_reload(r->n, &rt, take_repaired, &repaired, &why);
	if (rc == -ENOTSUP) {
		add_row(r, entry->container, entry->ifname, "unknown", why.text);
	} else if (rc < 0) {
		r->broken++;
		add_row(r, entry->container, entry->ifname, "broken", why.text);
	} else {
		add_row(r, entry->container, entry->ifname, repaired.len ? "restored" : "ok",
			repaired.p ? repaired.p : "");
	}
	return 0;
}

static int reload_network(const struct netlist *n, const char *path, void *arg, struct err *e)
{
	struct report *r = arg;

	r->n = n;
	r->path = path;
	return cache_each(r->opts->cache_dir, n->name, reload_one, r, e);
}

int cni_reload(const struct cni_opts *o, const struct operands *args, struct err *e)
{
	static const char *const heading[] = { "NETWORK", "CONTAINER", "INTERFACE", "STATE",
					       "DETAIL" };
	cleanup_json struct json_object *list = json_arr();
	struct report r = { .opts = o, .list = list, .table = { .columns = ARRAY_LEN(heading) } };
	struct err first = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(heading); i++)
		out_table_add(&r.table, heading[i]);
	int rc = networks_each(cni_conf_dir(), cni_plugin_path(), args->n > 1 ? args->v[1] : NULL,
			       reload_network, &r, &first);
	int printed = o->output == OUT_JSON ? out_json(list, e) : out_table_print(&r.table, e);
	out_table_clear(&r.table);
	if (rc < 0)
		*e = first;
	return rc < 0 ? rc : printed < 0 ? printed : r.broken ? 1 : 0;
}
