// SPDX-License-Identifier: GPL-2.0-or-later
/* All plugins in one program, chosen by the name it is called by or by its first argument. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "build-id.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/ids.h"
#include "netlib/cni/install.h"
#include "netlib/cni/main_install.h"
#include "netlib/cni/plugin.h"

#define X(symbol) extern const struct cni_plugin symbol;
PLUGIN_LIST
#undef X

#define X(symbol) &symbol,
const struct cni_plugin *const cni_builtin[] = { PLUGIN_LIST NULL };
#undef X

#define Y(alias, plugin) { alias, plugin },
static const struct {
	const char *alias, *plugin;
} aliases[] = { ALIAS_LIST{ NULL, NULL } };
#undef Y

NARU_NOTE;

static const struct cni_plugin *find(const char *name)
{
	/* as `install --name-prefix naru-` calls them */
	if (str_starts(name, "naru-") && strcmp(name, INSTALL_PROGRAM))
		name += strlen("naru-");
	for (size_t i = 0; aliases[i].alias; i++)
		if (!strcmp(aliases[i].alias, name))
			name = aliases[i].plugin;
	for (size_t i = 0; cni_builtin[i]; i++)
		if (!strcmp(cni_builtin[i]->name, name))
			return cni_builtin[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const char *base = argc ? strrchr(argv[0], '/') : NULL;
	const struct cni_plugin *p = argc ? find(base ? base + 1 : argv[0]) : NULL;

	if (!p && argc > 1 && is_install_verb(argv[1])) {
		const char *names[ARRAY_LEN(cni_builtin) + ARRAY_LEN(aliases)];
		size_t n = 0;

		for (size_t i = 0; cni_builtin[i]; i++)
			names[n++] = cni_builtin[i]->name;
		for (size_t i = 0; aliases[i].alias; i++)
			names[n++] = aliases[i].alias;
		names[n] = NULL;
		return main_install(argc - 1, argv + 1, names);
	}
	bool by_argument = !p && argc > 1;
	if (by_argument)
		p = find(argv[1]);
	if (p)
		return cni_enter(p, argc - by_argument, argv + by_argument);
	(void)fprintf(
		stderr,
		"naru-cni %s: all CNI plugins of Naru in one program.\n"
		"Call it by a plugin's name (a symbolic link) or give the name as first argument;\n"
		"naru-cni install --to DIR makes those links on a node, naru-cni uninstall takes them away.\n",
		NARU_VERSION);
	for (size_t i = 0; cni_builtin[i]; i++)
		(void)fprintf(stderr, "  %-12s %s\n", cni_builtin[i]->name, cni_builtin[i]->about);
	return argc > 1 ? 1 : 0;
}
