// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/step.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/cni/plugin.h"

static volatile sig_atomic_t ended_by;

static void on_signal(int sig)
{
	ended_by = sig;
}

void steps_catch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
}

typedef int row_fn(struct cni_op *op, struct err *e);

static row_fn *function_of(const struct cni_step *s, enum cni_verb verb)
{
	switch (verb) {
	case CNI_ADD:
		return s->add;
	case CNI_DEL:
		return s->del;
	case CNI_CHECK:
		return s->check;
	case CNI_GC:
		return s->gc;
	case CNI_STATUS:
		return s->status;
	default:
		return NULL;
	}
}

static int run_row(struct cni_op *op, const struct cni_step *s, enum cni_verb verb, struct err *e)
{
	row_fn *fn = function_of(s, verb);
	int64_t start;

	if (!fn || (s->when && !s->when(op)))
		return 0;
	if (verb == CNI_ADD && ended_by)
		return err_say(e, -EINTR,
			       "ended by signal %d before step %s; nothing is left behind",
			       (int)ended_by, s->name);
	start = trace_on() ? clock_us() : 0;
	plan_row(s->name);
	int r = fn(op, e);
	if (r < 0 && e && !e->no) /* a failure without a sentence is a failure all the same */
		(void)err_set(e, r, "step %s", s->name);
	if (trace_on())
		trace_event("row", s->name, clock_us() - start, "%s %s", cni_verb_names[verb],
			    r < 0 ? "failed" : "ok");
	return r < 0 ? r : 0;
}

/* DEL and GC go on after errors: the first is reported, later ones are named in its details. */
static void collect(struct err *first, const struct err *one)
{
	if (!first->no) {
		*first = *one;
		return;
	}
	size_t at = strlen(first->details);
	(void)snprintf(first->details + at, sizeof first->details - at, "%salso: %.200s",
		       at ? "; " : "", one->text);
}

static int run_all(struct cni_op *op, const struct cni_step *steps, size_t n, enum cni_verb verb,
		   struct err *e)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;
		const struct cni_step *s = verb == CNI_DEL ? &steps[n - 1 - i] : &steps[i];

		if (run_row(op, s, verb, &one) < 0)
			collect(&first, &one);
	}
	if (!first.no)
		return 0;
	if (e)
		*e = first;
	return -first.no;
}

int steps_reload(struct cni_op *op, struct str *repaired, struct err *e)
{
	for (const struct cni_step *s = op->plugin->steps; s->name; s++) {
		struct err missed = ERR_INIT;
		int r = run_row(op, s, CNI_CHECK, &missed);

		if (r < 0 && !s->reload) {
			if (e)
				*e = missed;
			return r;
		}
		if (r == 0)
			continue;
		if ((r = s->reload(op, e)) < 0 || (r = run_row(op, s, CNI_CHECK, e)) < 0)
			return r;
		str_addf(repaired, "%s%s", repaired->len ? " " : "", s->name);
	}
	return 0;
}

int steps_run(struct cni_op *op, enum cni_verb verb, struct err *e)
{
	const struct cni_step *steps = op->plugin->steps;
	size_t n = 0;

	while (steps[n].name)
		n++;
	if (verb == CNI_DEL || verb == CNI_GC)
		return run_all(op, steps, n, verb, e);
	for (size_t i = 0; i < n; i++) {
		int r = run_row(op, &steps[i], verb, e);

		if (r < 0)
			return r;
	}
	return 0;
}
