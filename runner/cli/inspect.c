// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/inspect.h"

#include <stdint.h>

#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "runner/cli/cli.h"
#include "runner/state.h"

struct inspect_opts {
	enum out_format output;
};

static const struct opt options[] = {
	OPT_OUTPUT(struct inspect_opts,
		   output), /* accepted for the sake of scripts: both are JSON */
	OPT_REFUSED('f', "format", "TEMPLATE",
		    "there are no templates; cut what you need out of the JSON"),
	OPT_REFUSED('s', "size", NULL, "sizes are not counted"),
	OPT_REFUSED(0, "type", "TYPE",
		    "containers are inspected; for images see naru images -o json"),
	OPT_END
};

static const char *missing(size_t have)
{
	(void)have;
	return "a container, by name or id";
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	cleanup_json struct json_object *list = json_arr();
	cleanup_state struct state st = STATE_INIT;
	int r = state_open(&st, STATE_READ, e);

	(void)opts;
	for (size_t i = 0; r == 0 && i < args->n; i++) {
		cleanup_doc struct doc config = DOC_INIT;
		cleanup_ctr struct ctr c = CTR_INIT;

		if ((r = ctr_find(&c, &st, args->v[i], e)) < 0)
			return r;
		(void)ctr_read_doc(&st, c.id, "config.json", &config, NULL);
		json_append(list, inspect_tree(&st, &c, config.root));
	}
	return r < 0 ? r : out_json(list, e);
}

const struct verb verb_inspect = {
	.name = "inspect",
	.group = GROUP_CONTAINERS,
	.about = "Show everything about containers, as docker does",
	.synopsis = "CONTAINER...",
	.opts = options,
	.examples = "  naru inspect web\n",
	.min = 1,
	.max = SIZE_MAX,
	.missing = missing,
	.failure = 1,
	.size = sizeof(struct inspect_opts),
	.run = run,
};
