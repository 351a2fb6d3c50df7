/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_HALT_H
#define NARU_HALT_H

#include "runner/ctr_dir.h"
#include "runner/state.h"

struct err;

/*
 * Ends a running container: its stop signal, after timeout_ms SIGKILL (at once when 0), and waits
 * until whoever watches over it has cleaned up. When nobody does, that is done here. Not running is
 * success. The container stays, unless it removes itself (--rm).
 */
int halt(const struct state *s, const struct ctr *c, int timeout_ms, struct err *e);

/* The process alone; what it had is left to whoever watches over it, or to the caller. */
int halt_process(const struct ctr *c, int timeout_ms, struct err *e);

/*
 * Locks a stopped container, waiting for its runner to finish with it. 0 with d locked; -ENOENT
 * when it is gone by then (it was a --rm one).
 */
int halt_lock(const struct state *s, const char *id, struct ctr_dir *d, struct err *e);

/* "SIGTERM", "TERM", "15", in any case: the number, or -EINVAL with a sentence. */
int halt_signal_parse(const char *text, struct err *e);

#endif
