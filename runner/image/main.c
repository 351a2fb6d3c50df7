// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * naru-image: what of image handling needs archive and digest libraries, in a program of its own,
 * so that naru itself loads in a fraction of a millisecond. Executed by naru; not meant to be
 * called by hand, though nothing speaks against it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/decode.h"
#include "netlib/base/clock.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "runner/cli/cli.h"
#include "runner/image/import.h"
#include "runner/opt.h"

#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 200

struct meter {
	int64_t start, next;
	bool shown;
};

/*
 * One line that is written over, on a terminal, once the work takes long enough to ask how far it
 * is.
 */
static void show_progress(uint64_t done, uint64_t total, void *arg)
{
	struct meter *m = arg;
	int64_t now = clock_ms();

	if (now < m->next)
		return;
	m->next = now + PROGRESS_EVERY_MS;
	m->shown = true;
	if (total)
		(void)fprintf(stderr, "\r%.1f of %.1f MB (%d%%) ", (double)done / 1e6,
			      (double)total / 1e6, (int)(done * 100 / total));
	else
		(void)fprintf(stderr, "\r%.1f MB ", (double)done / 1e6);
}

static void clear_progress(const struct meter *m)
{
	if (m->shown)
		(void)fprintf(stderr, "\r%40s\r", "");
}

static int print_json(const char *name, const struct import_result *res, struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	char id[sizeof res->id + 8];

	(void)snprintf(id, sizeof id, "sha256:%s", res->id);
	json_set_str(o, "Id", id);
	json_set_str(o, "Name", name);
	json_set_int(o, "Entries", (int64_t)res->stats.entries);
	json_set_int(o, "Size", (int64_t)res->stats.bytes);
	json_set_int(o, "DevicesLeftOut", (int64_t)res->stats.devices_left_out);
	return out_json(o, e);
}

static int run_import(void *opts, const struct operands *args, struct err *e)
{
	const struct import_opts *o = opts;
	struct meter meter = { .start = clock_ms() };
	struct import_result res = { 0 };
	struct import_spec spec = {
		.file = args->v[0],
		.name = args->v[1],
		.changes = o->changes,
		.nchanges = o->nchanges,
		.message = o->message,
		.platform = o->platform,
		.progress_arg = &meter,
	};
	int r;

	meter.next = meter.start + PROGRESS_AFTER_MS;
	if (!o->quiet && isatty(STDERR_FILENO))
		spec.progress = show_progress;
	r = image_import(&spec, &res, e);
	clear_progress(&meter);
	if (r < 0)
		return r;
	if (o->output == OUT_JSON)
		return print_json(args->v[1], &res, e);
	if (!o->quiet) {
		(void)fprintf(stderr, "%s: %" PRIu64 " entries, %.1f MB", args->v[1],
			      res.stats.entries, (double)res.stats.bytes / 1e6);
		if (res.stats.devices_left_out)
			(void)fprintf(stderr, "; %" PRIu64 " device nodes below dev/ left out",
				      res.stats.devices_left_out);
		(void)fputc('\n', stderr);
	}
	if (printf("sha256:%s\n", res.id) < 0 || fflush(stdout) == EOF)
		return err_set(e, -errno, "write to standard output");
	return 0;
}

static const struct opt import_options[] = {
	IMPORT_OPTIONS,
	OPT_END,
};

static const struct verb verbs_here[] = {
	{ .name = "import",
	  .opts = import_options,
	  .min = 2,
	  .max = 2,
	  .size = sizeof(struct import_opts),
	  .run = run_import },
};

static int fail(const struct err *e, int code)
{
	(void)fprintf(stderr, "naru: %s\n", e->text);
	if (*e->details)
		(void)fprintf(stderr, "      %s\n", e->details);
	return code;
}

int main(int argc, char **argv)
{
	const struct verb *v = &verbs_here[0];
	struct operands args = { 0 };
	struct err e = ERR_INIT;

	if (argc < 2 || strcmp(argv[1], v->name)) {
		(void)err_say(&e, -EINVAL, "naru-image is started by naru; see naru import --help");
		return fail(&e, 2);
	}
	void *opts = calloc(1, v->size);
	int r = opts ? opt_parse(v, argc - 1, argv + 1, opts, &args, &e) :
		       err_set(&e, -ENOMEM, "naru-image");
	int code = 0;
	if (r == OPT_HELP || r < 0)
		code = 2;
	else if ((r = v->run(opts, &args, &e)) < 0)
		code = 1;
	if (e.no)
		(void)fail(&e, code);
	if (opts)
		opt_clear(v, opts);
	free(opts);
	return code;
}
