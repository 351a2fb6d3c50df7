// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/cli/cli.h"
#include "runner/image/ref.h"
#include "runner/image/store.h"
#include "runner/state.h"

#define NONE "<none>"

struct images_opts {
	bool all, quiet, no_trunc;
	enum out_format output;
};

static const struct opt options[] = {
	OPT_FLAG('a', "all", struct images_opts, all, "for docker's sake: no image is hidden"),
	OPT_FLAG('q', "quiet", struct images_opts, quiet, "ids only"),
	OPT_FLAG(0, "no-trunc", struct images_opts, no_trunc, "whole ids"),
	OPT_OUTPUT(struct images_opts, output),
	OPT_REFUSED('f', "filter", "FILTER", "filter -o json instead"),
	OPT_REFUSED(0, "format", "TEMPLATE", "use -o json"),
	OPT_END
};

/* "4.26MB": three digits, as docker says it. */
static void size_text(int64_t bytes, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1000 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1000;
	(void)snprintf(buf, 32, "%.3g%s", n, units[i]);
}

struct listing {
	const struct images_opts *opts;
	struct out_table table;
	struct json_object *json;
};

static void split_name(const char *name, const char **repo, const char **tag, struct image_ref *ref)
{
	*repo = *tag = NONE;
	if (!name || image_ref_parse(name, ref, NULL) < 0)
		return;
	*repo = image_ref_short_name(ref);
	*tag = ref->tag;
}

static void add_row(struct listing *l, const struct image *i)
{
	char id[80], size[32], age[32], created[64];
	const char *repo, *tag;
	struct image_ref ref;
	int64_t t = *i->created ? time_parse_text(i->created) : 0;

	split_name(i->name, &repo, &tag, &ref);
	size_text(i->size, size);
	(void)snprintf(created, sizeof created, "%s ago", out_age((int64_t)time(NULL) - t, age));
	(void)snprintf(id, sizeof id, l->opts->no_trunc ? "sha256:%s" : "%.12s", i->id);
	if (l->opts->quiet) {
		out_table_add(&l->table, id);
		return;
	}
	const char *cells[] = { repo, tag, id, t ? created : "unknown", size };
	for (size_t k = 0; k < ARRAY_LEN(cells); k++)
		out_table_add(&l->table, cells[k]);
	struct json_object *o = json_obj();
	(void)snprintf(id, sizeof id, "sha256:%s", i->id);
	json_set_str(o, "Id", id);
	json_set_str(o, "Repository", repo);
	json_set_str(o, "Tag", tag);
	json_set_str(o, "Created", i->created);
	json_set_int(o, "Size", i->size);
	json_set_str(o, "Os", i->os);
	json_set_str(o, "Architecture", i->arch);
	json_set_int(o, "Layers", (int64_t)i->nlayers);
	json_append(l->json, o);
}

static bool wanted(const struct image_entry *entry, const struct image_ref *filter, bool tagged)
{
	struct image_ref r;

	if (!filter)
		return true;
	return image_ref_parse(entry->name, &r, NULL) == 0 && !strcmp(r.name, filter->name) &&
	       (!tagged || !strcmp(r.tag, filter->tag));
}

static int print(const struct listing *l, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	if (l->opts->output == OUT_JSON)
		return out_json(l->json, e);
	if (!l->opts->quiet)
		return out_table_print(&l->table, e);
	for (size_t i = 0; i < l->table.n; i++)
		str_addf(&s, "%s\n", l->table.cells[i] ?: "");
	return out_text(s.p ?: "", s.len, e);
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	static const char *const heads[] = { "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE" };
	cleanup_json struct json_object *json = json_arr();
	cleanup_images struct image_list list = { 0 };
	struct listing l = { .opts = opts, .table = { .columns = ARRAY_LEN(heads) }, .json = json };
	struct image_ref filter;
	struct err first = ERR_INIT;
	int r;

	if (args->n && (r = image_ref_parse(args->v[0], &filter, e)) < 0)
		return r;
	bool tagged = args->n && strchr(args->v[0], ':') &&
		      strrchr(args->v[0], ':') > (strrchr(args->v[0], '/') ?: args->v[0]);
	if ((r = image_list(NULL, &list, e)) < 0)
		return r;
	for (size_t k = 0; !l.opts->quiet && k < ARRAY_LEN(heads); k++)
		out_table_add(&l.table, heads[k]);
	for (size_t k = 0; k < list.n; k++) {
		cleanup_image struct image i = IMAGE_INIT;
		struct err one = ERR_INIT;

		if (!wanted(&list.v[k], args->n ? &filter : NULL, tagged))
			continue;
		if (image_open(NULL, &list.v[k], &i, &one) == 0)
			add_row(&l, &i);
		else
			err_keep_first(&first, &one); /* the others are shown all the same */
	}
	r = print(&l, e);
	out_table_clear(&l.table);
	if (first.no && r == 0) {
		*e = first;
		return -first.no;
	}
	return r;
}

const struct verb verb_images = {
	.name = "images",
	.group = GROUP_IMAGES,
	.about = "List images",
	.synopsis = "[OPTION]... [NAME[:TAG]]",
	.opts = options,
	.min = 0,
	.max = 1,
	.failure = 1,
	.size = sizeof(struct images_opts),
	.run = run,
	.examples = "  naru images\n  naru images -o json\n",
};
