// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For a program that is no plugin but carries some. The Makefile defines CARRIED (X(symbol) of
 * each).
 */
#include <stddef.h>

#include "build-id.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/ids.h"
#include "netlib/cni/plugin.h"

#define X(symbol) extern const struct cni_plugin symbol;
CARRIED
#undef X

#define X(symbol) &symbol,
const struct cni_plugin *const cni_builtin[] = { CARRIED NULL };
#undef X

NARU_NOTE;
