// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One plugin as its own program. The Makefile defines PLUGIN (its symbol) and CARRIED (X(symbol) of
 * those it can run in process).
 */
#include <stddef.h>

#include "build-id.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/ids.h"
#include "netlib/cni/plugin.h"

#define X(symbol) extern const struct cni_plugin symbol;
X(PLUGIN)
CARRIED
#undef X

#define X(symbol) &symbol,
const struct cni_plugin *const cni_builtin[] = { &PLUGIN, CARRIED NULL };
#undef X

NARU_NOTE;

int main(int argc, char **argv)
{
	return cni_enter(&PLUGIN, argc, argv);
}
