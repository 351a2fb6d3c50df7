/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_TRACE_H
#define TESTS_TOOLS_STEPPER_TRACE_H

struct outcome;
struct plan;

/*
 * Runs plan->argv under ptrace until it has exited (or, with whole_tree, until its last process
 * has), and does plan->act at their points. Returns 0 with out filled; out->error says why the
 * command could not be started. Returns -1 with a sentence on standard error when tracing is not
 * possible. Survivors remain this process's tracees: it must call trace_linger before it ends, or
 * they die with it.
 */
int trace_run(struct plan *plan, struct outcome *out);

/*
 * Serves the survivors until they are gone, at most for plan->linger_s, then kills them. They
 * cannot be let go: their seccomp filter outlives the tracer and would fail every listed call with
 * ENOSYS. Holds no descriptor, directory or terminal of the caller meanwhile.
 */
void trace_linger(const struct plan *plan);

#endif
