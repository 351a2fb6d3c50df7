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

struct stop_line {
	struct stop_opts time;
	enum out_format output;
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
				      OPT_OUTPUT(struct stop_line, output),
				      OPT_END };

static const char *missing(size_t have)
{
	(void)have;
	return "a container, by name or id";
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct stop_line *o = opts;
	cleanup_state struct state st = STATE_INIT;
	cleanup_done struct out_done done = { .format = o->output };
	struct err first = ERR_INIT;
	int grace_ms = (int)(o->time.given ? o->time.grace_s : GRACE_S) * 1000,
	    r = state_open(&st, STATE_CHANGE, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < args->n; i++) { /* one that cannot be stopped keeps no other */
		cleanup_ctr struct ctr c = CTR_INIT;
		struct err one = ERR_INIT;

		if (ctr_find(&c, &st, args->v[i], &one) == 0 && halt(&st, &c, grace_ms, &one) == 0)
			out_done_add(&done, args->v[i], c.id, c.rec.name);
		else
			err_keep_first(&first, &one);
	}
	r = out_done_end(&done, e);
	if (first.no)
		*e = first;
	return first.no ? -first.no : r;
}

const struct verb verb_stop = {
	.name = "stop",
	.group = GROUP_CONTAINERS,
	.about = "Stop containers",
	.synopsis = "[OPTION]... CONTAINER...",
	.opts = options,
	.examples = "  naru stop web\n  naru stop -t 1 web db\n",
	.min = 1,
	.max = SIZE_MAX,
	.missing = missing,
	.failure = 1,
	.size = sizeof(struct stop_line),
	.run = run,
};
