// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/opt.h"

struct sample {
	bool quiet, detach;
	const char *name;
	const char **ports;
	size_t nports;
	int64_t memory;
};

static const struct opt options[] = {
	OPT_FLAG('q', "quiet", struct sample, quiet, "say less"),
	OPT_FLAG('d', "detach", struct sample, detach, "go away"),
	OPT_TEXT('n', "name", struct sample, name, "NAME", "a name"),
	OPT_LIST('p', "publish", struct sample, ports, nports, "PORT", "a port"),
	OPT_FN('m', "memory", struct sample, memory, opt_size, "SIZE", "a size"),
	OPT_REFUSED('t', "tty", NULL, "there is no terminal"),
	OPT_END,
};

static const char *missing(size_t have)
{
	return have ? "a command" : "an image";
}

static const struct verb permuting = {
	.name = "list",
	.about = "List things",
	.synopsis = "[OPTION]... [THING]",
	.opts = options,
	.max = 1,
	.missing = missing,
	.size = sizeof(struct sample),
	.failure = 1,
};
static const struct verb stopping = {
	.name = "start",
	.about = "Start things",
	.synopsis = "[OPTION]... IMAGE [COMMAND]...",
	.opts = options,
	.command = true,
	.min = 1,
	.max = SIZE_MAX,
	.missing = missing,
	.size = sizeof(struct sample),
	.failure = 125,
};

#define WORDS_MAX 12

struct parsed {
	struct sample opts;
	struct operands args;
	struct err err;
	char *argv[WORDS_MAX + 1];
	char text[256];
};

/* The line is cut at blanks, as a shell would. */
static int parse(struct parsed *p, const struct verb *v, const char *line)
{
	int argc = 0;
	char *rest;

	*p = (struct parsed){ .err = ERR_INIT };
	(void)snprintf(p->text, sizeof p->text, "%s", line);
	rest = p->text;
	for (char *word; argc < WORDS_MAX && (word = strsep(&rest, " "));)
		p->argv[argc++] = word;
	return opt_parse(v, argc, p->argv, &p->opts, &p->args, &p->err);
}

static void options_and_values_are_read_in_every_spelling(void **state)
{
	static const char *const lines[] = {
		"list -q -n web -p 80 -p 443 -m 64m",
		"list --quiet --name web --publish 80 --publish 443 --memory 64m",
		"list --quiet=true --name=web --publish=80 --publish=443 --memory=64m",
		"list -qnweb -p80 -p443 -m64m",
		"list -q=x",
		"list -qn=web -p=80 -p=443 -m=64m",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct parsed p;

		if (!strcmp(lines[i], "list -q=x")) { /* a letter without a value takes none */
			assert_int_equal(parse(&p, &permuting, lines[i]), -EINVAL);
			assert_string_equal(p.err.text, "naru list has no option -=");
			continue;
		}
		assert_int_equal(parse(&p, &permuting, lines[i]), 0);
		assert_true(p.opts.quiet);
		assert_string_equal(p.opts.name, "web");
		assert_int_equal(p.opts.nports, 2);
		assert_string_equal(p.opts.ports[0], "80");
		assert_string_equal(p.opts.ports[1], "443");
		assert_int_equal(p.opts.memory, 64 << 20);
		opt_clear(&permuting, &p.opts);
	}
}

static void a_flag_can_be_taken_back(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, &permuting, "list -q --quiet=false"), 0);
	assert_false(p.opts.quiet);
}

static void operands_may_stand_between_options_unless_they_begin_a_command(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, &permuting, "list one -q"), 0);
	assert_int_equal(p.args.n, 1);
	assert_string_equal(p.args.v[0], "one");
	assert_null(p.args.v[1]);
	assert_true(p.opts.quiet);

	assert_int_equal(parse(&p, &stopping, "start -d image ls -q --name x"), 0);
	assert_true(p.opts.detach);
	assert_false(p.opts.quiet);
	assert_null(p.opts.name);
	assert_int_equal(p.args.n, 5);
	assert_string_equal(p.args.v[2], "-q");
}

static void two_dashes_end_the_options(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, &stopping, "start -- -image"), 0);
	assert_string_equal(p.args.v[0], "-image");
	assert_int_equal(parse(&p, &permuting, "list -q -- -q"), 0);
	assert_int_equal(p.args.n, 1);
}

static void one_dash_is_an_operand(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, &permuting, "list -"), 0);
	assert_string_equal(p.args.v[0], "-");
}

static void help_is_an_option_of_every_verb(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, &permuting, "list --help"), OPT_HELP);
	assert_int_equal(parse(&p, &stopping, "start -h"), OPT_HELP);
}

static void wrong_lines_are_answered_with_what_was_wrong_and_what_to_do(void **state)
{
	static const struct {
		const struct verb *verb;
		const char *line, *text, *details;
	} cases[] = {
		{ &permuting, "list --quit", "naru list has no option --quit",
		  "did you mean --quiet?" },
		{ &permuting, "list --pub=80", "naru list has no option --pub",
		  "did you mean --publish?" },
		{ &permuting, "list --bogus", "naru list has no option --bogus",
		  "try: naru list --help" },
		{ &permuting, "list -x", "naru list has no option -x", "try: naru list --help" },
		{ &permuting, "list -qx", "naru list has no option -x", "try: naru list --help" },
		{ &permuting, "list --name", "naru list: --name needs a value: --name NAME",
		  "try: naru list --help" },
		{ &permuting, "list -n", "naru list: -n needs a value: -n NAME",
		  "try: naru list --help" },
		{ &permuting, "list --quiet=maybe",
		  "--quiet takes no value: expected --quiet, --quiet=true or --quiet=false, "
		  "got \"maybe\"",
		  "" },
		{ &permuting, "list -t", "naru list does not support -t: there is no terminal",
		  "try: naru list --help" },
		{ &permuting, "list --tty",
		  "naru list does not support --tty: there is no terminal",
		  "try: naru list --help" },
		{ &permuting, "list -m lots",
		  "-m: expected a size such as 64m or 1.5g, got \"lots\"", "" },
		{ &permuting, "list a b", "naru list takes 1 word, got 2: \"b\" is too many",
		  "usage: naru list [OPTION]... [THING]" },
		{ &stopping, "start", "naru start needs an image",
		  "usage: naru start [OPTION]... IMAGE [COMMAND]..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p;

		assert_int_equal(parse(&p, cases[i].verb, cases[i].line), -EINVAL);
		assert_string_equal(p.err.text, cases[i].text);
		assert_string_equal(p.err.details, cases[i].details);
		opt_clear(cases[i].verb, &p.opts);
	}
}

static void sizes_are_bytes_with_a_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* 0: refused */
	} cases[] = {
		{ "1048576", 1 << 20 },
		{ "64m", 64 << 20 },
		{ "64M", 64 << 20 },
		{ "64mb", 64 << 20 },
		{ "64MiB", 64 << 20 },
		{ "2k", 2048 },
		{ "1g", 1 << 30 },
		{ "1t", INT64_C(1) << 40 },
		{ "7b", 7 },
		{ "", 0 },
		{ "0", 0 },
		{ "m", 0 },
		{ "-1", 0 },
		{ "1.5g", INT64_C(3) << 29 },
		{ "0.25m", 1 << 18 },
		{ "1.000000001k", 1024 },
		{ "2.5GiB", INT64_C(5) << 29 },
		{ ".5g", 0 },
		{ "1.g", 0 },
		{ "1.5", 0 },
		{ "1.5b", 0 },
		{ "0.0001k", 0 },
		{ "1.0000000001g", 0 },
		{ "1.5.5g", 0 },
		{ "8388607.9t", INT64_C(9223371926903613030) },
		{ "1x", 0 },
		{ "1mm", 0 },
		{ "1bb", 0 },
		{ " 1", 0 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", 0 },
		{ "8388608t", 0 },
		{ "99999999999999999999999", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t bytes = 0;

		assert_int_equal(opt_size(cases[i].text, &bytes, NULL),
				 cases[i].bytes ? 0 : -EINVAL);
		assert_true(bytes == cases[i].bytes);
	}
}

static void processors_are_counted_exactly(void **state)
{
	static const struct {
		const char *text;
		int64_t nano; /* 0: refused */
	} cases[] = {
		{ "1", 1000000000 },
		{ "0.5", 500000000 },
		{ ".5", 500000000 },
		{ "2.", 2000000000 },
		{ "1.000000001", 1000000001 },
		{ "0.01", 10000000 },
		{ "", 0 },
		{ ".", 0 },
		{ "0", 0 },
		{ "0.001", 0 },
		{ "-1", 0 },
		{ "1e3", 0 },
		{ "1.0000000001", 0 },
		{ "1,5", 0 },
		{ "9999999", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t nano = 0;

		assert_int_equal(opt_cpus(cases[i].text, &nano, NULL), cases[i].nano ? 0 : -EINVAL);
		assert_true(nano == cases[i].nano);
	}
}

static void edits_are_counted_up_to_three(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned edits;
	} cases[] = {
		{ "", "", 0 },
		{ "run", "run", 0 },
		{ "run", "rum", 1 },
		{ "run", "ru", 1 },
		{ "rnu", "run", 1 },
		{ "inspcet", "inspect", 1 },
		{ "lgos", "logs", 1 },
		{ "abc", "xyz", 3 },
		{ "exec", "images", 3 },
		{ "a", "abc", 2 },
		{ "an option of more than thirty-two letters",
		  "an option of more than thirty-two letters", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(opt_distance(cases[i].a, cases[i].b), cases[i].edits);
}

static void the_word_that_was_meant_is_found_and_nothing_else(void **state)
{
	static const char *const words[] = { "run",	"ps",	  "logs",   "exec",
					     "inspect", "images", "import", NULL };
	static const struct {
		const char *typed, *meant;
	} cases[] = {
		{ "rnu", "run" },      { "insp", "inspect" }, { "lgos", "logs" },
		{ "image", "images" }, { "exce", "exec" },    { "im", NULL },
		{ "bogus", NULL },     { "x", NULL },	      { "pull", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *near = opt_nearest(cases[i].typed, words);

		if (cases[i].meant)
			assert_string_equal(near, cases[i].meant);
		else
			assert_null(near);
	}
}

static void help_shows_every_option_and_no_refused_one(void **state)
{
	cleanup_str struct str s = STR_INIT;

	(void)state;
	opt_help(&permuting, &s);
	assert_string_equal(s.p,
			    "usage: naru list [OPTION]... [THING]\n\nList things.\n\nOptions:\n"
			    "  -q, --quiet               say less\n"
			    "  -d, --detach              go away\n"
			    "  -n, --name NAME           a name\n"
			    "  -p, --publish PORT        a port\n"
			    "  -m, --memory SIZE         a size\n"
			    "  -h, --help                show this text\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_values_are_read_in_every_spelling),
		cmocka_unit_test(a_flag_can_be_taken_back),
		cmocka_unit_test(operands_may_stand_between_options_unless_they_begin_a_command),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(one_dash_is_an_operand),
		cmocka_unit_test(help_is_an_option_of_every_verb),
		cmocka_unit_test(wrong_lines_are_answered_with_what_was_wrong_and_what_to_do),
		cmocka_unit_test(sizes_are_bytes_with_a_unit),
		cmocka_unit_test(processors_are_counted_exactly),
		cmocka_unit_test(edits_are_counted_up_to_three),
		cmocka_unit_test(the_word_that_was_meant_is_found_and_nothing_else),
		cmocka_unit_test(help_shows_every_option_and_no_refused_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
