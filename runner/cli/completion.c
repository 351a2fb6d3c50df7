// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/cli/cli.h"

/*
 * Scripts for shells, from the same tables as --help. Names of containers are asked of naru ps when
 * they are needed.
 */

static const struct opt *next_shown(const struct opt *o)
{
	while (o && o->type == OPT_T_REFUSED)
		o++;
	return o && o->type != OPT_T_END ? o : NULL;
}

#define FOR_OPTS(o, verb) \
	for (const struct opt *o = next_shown((verb)->opts); o; o = next_shown(o + 1))

#define FOR_WORDS(w, verb) for (const char *const *w = (verb)->words; w && *w; w++)

static bool takes_container(const struct verb *v)
{
	return strstr(v->synopsis, "CONTAINER") != NULL;
}

static void bash(struct str *s)
{
	str_add(s,
		"# bash completion of naru\n_naru()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words=\n"
		"\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords='help");
	for (const struct verb *const *v = verbs; *v; v++)
		str_addf(s, " %s", (*v)->name);
	str_add(s, "'\n\telse\n\t\tcase $verb in\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		str_addf(s, "\t\t%s) words='--help", (*v)->name);
		FOR_OPTS(o, *v)
		if (o->name)
			str_addf(s, " --%s", o->name);
		FOR_WORDS(w, *v)
		str_addf(s, " %s", *w);
		str_addf(s, "'%s ;;\n",
			 takes_container(*v) ?
				 "; [[ $cur = -* ]] || words=$(naru ps -aq 2> /dev/null)" :
				 "");
	}
	str_add(s,
		"\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
		"complete -o default -F _naru naru\n");
}

/* 'it'\''s' */
static void quoted(struct str *s, const char *text)
{
	str_addc(s, '\'');
	for (; *text; text++)
		if (*text == '\'')
			str_add(s, "'\\''");
		else
			str_addc(s, *text);
	str_addc(s, '\'');
}

static void zsh(struct str *s)
{
	str_add(s, "#compdef naru\n_naru() {\n\tlocal -a verbs\n\tverbs=(\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		cleanup_free char *row = str_fmt("%s:%s", (*v)->name, (*v)->about);

		str_add(s, "\t\t");
		quoted(s, row ? row : "");
		str_addc(s, '\n');
	}
	str_add(s,
		"\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command verbs\n\t\treturn\n\tfi\n\tcase $words[2] in\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		str_addf(s, "\t%s) compadd -- --help", (*v)->name);
		FOR_OPTS(o, *v)
		if (o->name)
			str_addf(s, " --%s", o->name);
		FOR_WORDS(w, *v)
		str_addf(s, " %s", *w);
		str_addf(s, "%s; _files ;;\n",
			 takes_container(*v) ? "; compadd -- $(naru ps -aq 2> /dev/null)" : "");
	}
	str_add(s, "\tesac\n}\n_naru \"$@\"\n");
}

static void fish(struct str *s)
{
	str_add(s, "# fish completion of naru\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		str_addf(s, "complete -c naru -n __fish_use_subcommand -a %s -d ", (*v)->name);
		quoted(s, (*v)->about);
		str_addc(s, '\n');
		FOR_OPTS(o, *v)
		{
			str_addf(s, "complete -c naru -n '__fish_seen_subcommand_from %s'",
				 (*v)->name);
			if (o->letter)
				str_addf(s, " -s %c", o->letter);
			if (o->name)
				str_addf(s, " -l %s", o->name);
			str_add(s, o->arg ? " -r -d " : " -d ");
			quoted(s, o->help);
			str_addc(s, '\n');
		}
		FOR_WORDS(w, *v)
		str_addf(s, "complete -c naru -n '__fish_seen_subcommand_from %s' -a %s\n",
			 (*v)->name, *w);
		if (takes_container(*v))
			str_addf(
				s,
				"complete -c naru -n '__fish_seen_subcommand_from %s' -a '(naru ps -aq)'\n",
				(*v)->name);
	}
}

static const struct {
	const char *name;
	void (*print)(struct str *s);
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

static const char *missing(size_t have)
{
	(void)have;
	return "the name of a shell: bash, zsh or fish";
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	(void)opts;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(shells[i].name, args->v[0]) != 0)
			continue;
		shells[i].print(&s);
		return s.bad ? err_set(e, -ENOMEM, "print a script") : out_text(s.p, s.len, e);
	}
	return err_say(e, -EINVAL, "no completion for \"%s\": expected bash, zsh or fish",
		       args->v[0]);
}

const struct verb verb_completion = {
	.name = "completion",
	.group = GROUP_SYSTEM,
	.about = "Print a completion script for a shell",
	.synopsis = "bash|zsh|fish",
	.examples = "  naru completion bash > /etc/bash_completion.d/naru\n",
	.min = 1,
	.max = 1,
	.missing = missing,
	.failure = 1,
	.run = run,
};
