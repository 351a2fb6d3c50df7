// SPDX-License-Identifier: GPL-2.0-or-later
/* For programs that carry no plugin inside: every delegate is executed. */
#include <stddef.h>

#include "build-id.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/ids.h"

const struct cni_plugin *const cni_builtin[] = { NULL };
NARU_NOTE;
