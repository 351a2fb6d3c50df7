// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/cni/networks.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/network.h"

struct walk {
	networks_fn *fn;
	void *arg;
	char **seen; /* names */
	size_t nseen;
	struct err first;
};

static void visit(struct walk *w, const struct netlist *n, const char *path)
{
	struct err one = ERR_INIT;
	char **slot;

	for (size_t i = 0; i < w->nseen; i++)
		if (w->seen[i] && !strcmp(w->seen[i], n->name))
			return;
	if ((slot = vec_add(&w->seen, &w->nseen)))
		*slot = strdup(n->name);
	if (w->fn(n, path, w->arg, &one) < 0)
		err_keep_first(&w->first, &one);
}

static bool ends_in(const char *name, const char *const *suffixes)
{
	const char *dot = strrchr(name, '.');

	for (; dot && *suffixes; suffixes++)
		if (!strcmp(dot, *suffixes))
			return true;
	return false;
}

static void visit_directory(struct walk *w, const char *dir, const char *plugins)
{
	/* lists first, then single plugins */
	static const char *const suffixes[][3] = { { ".conflist" }, { ".conf", ".json" } };
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort);

	for (size_t k = 0; k < ARRAY_LEN(suffixes); k++)
		for (int i = 0; i < n; i++) {
			cleanup_netlist struct netlist list = NETLIST_INIT;
			cleanup_free char *path = str_fmt("%s/%s", dir, names[i]->d_name);
			struct err one = ERR_INIT;

			if (!path || !ends_in(names[i]->d_name, suffixes[k]))
				continue;
			if (netlist_load_file(path, &list, &one) < 0)
				err_keep_first(&w->first, &one);
			else
				visit(w, &list, plugins);
		}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* What naru run uses, with the plugins that it uses unless others are asked for. */
static int visit_own(struct walk *w, const char *path, const char *name)
{
	cleanup_network struct network n = NETWORK_INIT;
	int r = network_open(&n, name ?: NETWORK_DEFAULT, &w->first);

	if (r < 0)
		return r;
	if (getenv("CNI_PATH"))
		(void)str_copyf(n.path, sizeof n.path, "%s", path);
	if (!name)
		visit_directory(w, network_conf_dir(), n.path);
	visit(w, &n.list, n.path);
	return 0;
}

int networks_each(const char *dir, const char *path, const char *name, networks_fn *fn, void *arg,
		  struct err *e)
{
	struct walk w = { .fn = fn, .arg = arg };
	cleanup_netlist struct netlist list = NETLIST_INIT;
	struct err not_here = ERR_INIT;

	if (!name)
		visit_directory(&w, dir, path);
	else if (netlist_load(dir, name, &list, &not_here) == 0)
		visit(&w, &list, path);
	if ((!name || not_here.no) && visit_own(&w, path, name) < 0 && name)
		w.first = not_here;
	for (size_t i = 0; i < w.nseen; i++)
		free(w.seen[i]);
	free(w.seen);
	if (w.first.no && e)
		*e = w.first;
	return -w.first.no;
}
