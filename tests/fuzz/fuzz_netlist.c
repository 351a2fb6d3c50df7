// SPDX-License-Identifier: GPL-2.0-or-later
/* Network lists, as runtimes and people write them: what is taken is whole, its bytes are kept. */
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/cni/netlist.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_netlist struct netlist n = NETLIST_INIT;
	struct err e = ERR_INIT;

	if (netlist_parse((const char *)data, size, &n, &e) < 0) {
		PROMISE(*e.text);
		return 0;
	}
	PROMISE(n.name && *n.name && n.nplugins >= 1 && n.nplugins <= NETLIST_PLUGINS_MAX);
	PROMISE(n.version < CNI_VERSIONS && n.text && n.len);
	for (size_t i = 0; i < n.nplugins; i++)
		PROMISE(n.plugins[i].type && *n.plugins[i].type && n.plugins[i].conf);
	return 0;
}
