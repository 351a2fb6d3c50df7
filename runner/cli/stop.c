// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdio.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/cli/cli.h"
#include "runner/halt.h"
#include "runner/state.h"

#define GRACE_S 10

struct stop_opts {
	int64_t grace_s;
	bool given;
};

static int parse_time(const char *text, void *member, struct err *e)
{
	struct stop_opts *o = member;
	uint64_t n;
	int r = str_u64(text, 3600, &n);

	if (r < 0)
		return err_say(e, r, "expected 0 to 3600 seconds, got \"%s\"", text);
	*o = (struct stop_opts){ .grace_s = (int64_t)n, .given = true };
	return 0;
}

static const struct opt options[] = { { .type = OPT_T_FN,
					.letter = 't',
					.name = "time",
					.arg = "SECONDS",
					.help = "time to end by itself before SIGKILL (10)",
					.fn = parse_time },
				      OPT_REFUSED('s', "signal", "SIGNAL",
						  "the image's stop signal is sent, or SIGTERM"),
				      OPT_END };

static const char *missing(size_t have)
{
	(void)have;
	return "a container, by name or id";
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct stop_opts *o = opts;
	cleanup_state struct state st = STATE_INIT;
	int grace_ms = (int)(o->given ? o->grace_s : GRACE_S) * 1000,
	    r = state_open(&st, STATE_CHANGE, e);

	for (size_t i = 0; r == 0 && i < args->n; i++) {
		cleanup_ctr struct ctr c = CTR_INIT;

		if ((r = ctr_find(&c, &st, args->v[i], e)) == 0 &&
		    (r = halt(&st, &c, grace_ms, e)) == 0)
			(void)printf("%s\n", args->v[i]);
	}
	return r;
}

const struct verb verb_stop = {
	.name = "stop",
	.group = GROUP_CONTAINERS,
	.about = "Stop containers",
	.synopsis = "[-t SECONDS] CONTAINER...",
	.opts = options,
	.examples = "  naru stop web\n  naru stop -t 1 web db\n",
	.min = 1,
	.max = SIZE_MAX,
	.missing = missing,
	.failure = 1,
	.size = sizeof(struct stop_opts),
	.run = run,
};
