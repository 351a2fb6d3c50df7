// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "netlib/base/err.h"
#include "runner/cli/cli.h"
#include "runner/halt.h"
#include "runner/life.h"
#include "runner/state.h"

struct rm_opts {
	bool force;
	enum out_format output;
};

static const struct opt options[] = {
	OPT_FLAG('f', "force", struct rm_opts, force,
		 "kill it when it runs; being gone already is no error"),
	OPT_OUTPUT(struct rm_opts, output),
	OPT_REFUSED('v', "volumes", NULL, "containers have no volumes of their own"), OPT_END
};

static const char *missing(size_t have)
{
	(void)have;
	return "a container, by name or id";
}

static int remove_one(const struct state *st, const struct ctr *c, const char *ref, bool force,
		      struct err *e)
{
	cleanup_ctr struct ctr now = CTR_INIT;
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	struct err busy = ERR_INIT;
	int r;

	if (c->status == CTR_RUNNING) {
		if (!force) {
			r = err_say(e, -EBUSY, "container %s is running", ref);
			err_details(e, "stop it first with naru stop %s, or use naru rm -f %s", ref,
				    ref);
			return r;
		}
		if ((r = halt_process(c, 0, e)) < 0)
			return r;
	}
	if ((r = halt_lock(st, c->id, &d, &busy)) == -ENOENT)
		return 0; /* it removed itself */
	if (r < 0) {
		err_keep_first(e, &busy);
		return r;
	}
	/* as it is now that nobody else works on it */
	return life_reclaim(st, &d, ctr_load(&now, st, c->id, NULL) == 0 ? &now : NULL, true, e);
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct rm_opts *o = opts;
	cleanup_state struct state st = STATE_INIT;
	cleanup_done struct out_done done = { .format = o->output };
	struct err first = ERR_INIT;
	int r = state_open(&st, STATE_CHANGE, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < args->n; i++) { /* one that cannot be removed keeps no other */
		cleanup_ctr struct ctr c = CTR_INIT;
		struct err one = ERR_INIT;

		if ((r = ctr_find(&c, &st, args->v[i], &one)) == 0)
			r = remove_one(&st, &c, args->v[i], o->force, &one);
		if (r == 0 || (r == -ENOENT && o->force))
			out_done_add(&done, args->v[i], *c.id ? c.id : args->v[i], c.rec.name);
		else
			err_keep_first(&first, &one);
	}
	r = out_done_end(&done, e);
	if (first.no)
		*e = first;
	return first.no ? -first.no : r;
}

const struct verb verb_rm = {
	.name = "rm",
	.group = GROUP_CONTAINERS,
	.about = "Remove containers",
	.synopsis = "[OPTION]... CONTAINER...",
	.opts = options,
	.examples = "  naru rm web\n  naru rm -f web db\n",
	.min = 1,
	.max = SIZE_MAX,
	.missing = missing,
	.failure = 1,
	.size = sizeof(struct rm_opts),
	.run = run,
};
