// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/cli/cli.h"
#include "runner/spec.h"

#ifndef NARU_VERSION
#define NARU_VERSION "0.1.0"
#endif
#define CNI_SPOKEN "0.1.0 to 1.1.0"

struct version_opts {
	enum out_format output;
};

static const struct opt options[] = { OPT_OUTPUT(struct version_opts, output), OPT_END };

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct version_opts *o = opts;
	cleanup_json struct json_object *v = json_obj();
	static const char text[] =
		"naru version " NARU_VERSION "\nspec: " SPEC_VERSION "\ncni: " CNI_SPOKEN "\n";

	(void)args;
	if (o->output == OUT_TEXT)
		return out_text(text, strlen(text), e);
	json_set_str(v, "version", NARU_VERSION);
	json_set_str(v, "spec", SPEC_VERSION);
	json_set_str(v, "cni", CNI_SPOKEN);
	return out_json(v, e);
}

const struct verb verb_version = {
	.name = "version",
	.group = GROUP_SYSTEM,
	.about = "Print the version",
	.synopsis = "[OPTION]...",
	.opts = options,
	.min = 0,
	.max = 0,
	.failure = 1,
	.size = sizeof(struct version_opts),
	.run = run,
};
