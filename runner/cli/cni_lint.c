// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/cli/cni.h"
#include "runner/cni/lint.h"

enum { LINT_CLEAN, LINT_FOUND_ERRORS, LINT_FOUND_WARNINGS = 3 }; /* 2 is a wrong command line */

static const char *level(const struct lint_finding *f)
{
	return f->error ? "error" : "warning";
}

static int print_json(const struct lint *l, struct err *e)
{
	cleanup_json struct json_object *list = json_arr();

	for (size_t i = 0; i < l->n; i++) {
		const struct lint_finding *f = &l->v[i];
		struct json_object *o = json_obj();

		json_set_str(o, "file", f->file);
		json_set_int(o, "line", f->at.line);
		json_set_int(o, "column", f->at.column);
		json_set_str(o, "level", level(f));
		json_set_str(o, "rule", f->rule);
		json_set_str(o, "path", f->path);
		json_set_str(o, "text", f->text);
		json_append(list, o);
	}
	return out_json(list, e);
}

/* One line each, in the form that editors know from compilers. */
static int print_text(const struct lint *l, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		const struct lint_finding *f = &l->v[i];

		str_addf(&s, "%s:%u:%u: %s: %s%s%s [%s]\n", f->file, f->at.line, f->at.column,
			 level(f), f->path, *f->path ? ": " : "", f->text, f->rule);
	}
	if (s.bad)
		return err_set(e, -ENOMEM, "print the findings");
	return s.len ? out_text(s.p, s.len, e) : 0;
}

int cni_lint(const struct cni_opts *o, const struct operands *args, struct err *e)
{
	cleanup_lint struct lint l = { .plugin_path = cni_plugin_path() };
	struct err why = ERR_INIT;
	int r = lint_run(&l, args->n > 1 ? args->v[1] : cni_conf_dir(), &why);
	int printed = o->output == OUT_JSON ? print_json(&l, e) : print_text(&l, e);

	if (printed < 0)
		return printed;
	if (r < 0) {
		*e = why;
		return r;
	}
	if (!l.n)
		return LINT_CLEAN;
	return lint_errors(&l) ? LINT_FOUND_ERRORS : LINT_FOUND_WARNINGS;
}
