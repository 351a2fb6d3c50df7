// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/gc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "runner/cli/cli.h"
#include "runner/state.h"

struct gc_opts {
	enum out_format output;
};

static const struct opt options[] = { OPT_OUTPUT(struct gc_opts, output), OPT_END };

static void print_list(struct json_object *list, const char *what)
{
	for (size_t i = 0; i < json_len(list); i++)
		(void)printf("%s %.*s\n", what, ID_SHOWN, json_text(json_at(list, i)));
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct gc_opts *o = opts;
	cleanup_json struct json_object *report = NULL;
	cleanup_state struct state st = STATE_INIT;
	int64_t files = 0;
	int r;

	(void)args;
	if (geteuid() != 0)
		return err_say(
			e, -EPERM,
			"naru gc needs root: it takes away namespaces, mounts and network interfaces");
	if ((r = state_open(&st, STATE_CHANGE, e)) < 0)
		return r;
	r = gc_run(&st, &report, e);
	if (o->output == OUT_JSON) {
		int printed = out_json(report, r < 0 ? NULL : e);

		return r < 0 ? r : printed;
	}
	print_list(json_get(report, "removed"), "removed");
	print_list(json_get(report, "stopped"), "stopped");
	if (json_int(json_get(report, "image_files"), &files) == 0 && files > 0)
		(void)printf("removed %" PRId64 " layers and blobs that no image names\n", files);
	return r;
}

const struct verb verb_gc = {
	.name = "gc",
	.group = GROUP_SYSTEM,
	.about = "Finish what killed runners left behind",
	.synopsis = "[OPTION]...",
	.opts = options,
	.examples = "  naru gc\n",
	.min = 0,
	.max = 0,
	.failure = 1,
	.size = sizeof(struct gc_opts),
	.run = run,
};
