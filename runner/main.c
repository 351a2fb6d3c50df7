// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "runner/cli/cli.h"

/*
 * Exit codes. Verbs that hand on the code of a command (run, exec) say 125 when naru itself fails,
 * as docker does; the others say 1, and 2 when the command line was wrong.
 */
#define EXIT_USAGE 2

const struct verb *const verbs[] = { &verb_run,	    &verb_ps,	&verb_logs, &verb_exec,
				     &verb_inspect, &verb_stop, &verb_rm,   &verb_import,
				     &verb_images,  &verb_cni,	&verb_gc,   &verb_completion,
				     &verb_version, NULL };

const char *const verb_group_names[GROUPS] = {
	[GROUP_CONTAINERS] = "Containers",
	[GROUP_IMAGES] = "Images",
	[GROUP_NETWORKS] = "Networks",
	[GROUP_SYSTEM] = "System",
};

static void print_error(const struct err *e)
{
	bool colour = out_colour(STDERR_FILENO);

	(void)fprintf(stderr, "%snaru: %s%s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "",
		      e->text);
	if (*e->details)
		(void)fprintf(stderr, "      %s\n", e->details);
}

static void print_overview(FILE *to)
{
	(void)fputs(
		"usage: naru COMMAND [OPTION]... [ARGUMENT]...\n\nRuns containers and connects them to networks.\n",
		to);
	for (unsigned g = 0; g < GROUPS; g++) {
		(void)fprintf(to, "\n%s:\n", verb_group_names[g]);
		for (const struct verb *const *v = verbs; *v; v++)
			if ((*v)->group == g)
				(void)fprintf(to, "  %-12s%s\n", (*v)->name, (*v)->about);
	}
	(void)fputs("\nTry: naru run --rm -p 8080:80 IMAGE; naru COMMAND --help; man naru\n", to);
}

/* What docker's users type, and what does it here. */
static const struct {
	const char *word, *instead;
} habits[] = {
	{ "build", "images come from naru import" },
	{ "container", "the commands have no groups: naru ps, naru rm, ..." },
	{ "create", "naru run creates and starts in one" },
	{ "cp", "use naru exec CONTAINER tar, or a -v" },
	{ "image", "the commands have no groups: naru images, naru import" },
	{ "kill", "use naru stop -t 0" },
	{ "load", "images come from naru import" },
	{ "network", "networks are *.conflist files in /etc/naru/net.d; see naru cni" },
	{ "prune", "use naru gc for what was left behind, naru rm for containers" },
	{ "pull", "there are no registries yet; images come from naru import" },
	{ "push", "there are no registries yet" },
	{ "restart", "use naru rm -f and naru run" },
	{ "rmi", "images cannot be removed yet" },
	{ "start", "a stopped container cannot be started again yet; use naru run" },
	{ "top", "use naru exec CONTAINER ps" },
};

static const char *habit(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(habits); i++)
		if (!strcmp(habits[i].word, word))
			return habits[i].instead;
	return NULL;
}

static int no_verb(const char *word)
{
	const char *words[32], *near;
	struct err e = ERR_INIT;
	size_t n = 0;

	for (const struct verb *const *v = verbs; *v && n + 1 < ARRAY_LEN(words); v++)
		words[n++] = (*v)->name;
	words[n] = NULL;
	(void)err_say(&e, -EINVAL, "there is no command \"%s\"", word);
	if (habit(word))
		err_details(&e, "%s", habit(word));
	else if ((near = opt_nearest(word, words)))
		err_details(&e, "did you mean naru %s?", near);
	else
		err_details(&e, "try: naru --help");
	print_error(&e);
	return EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return *v;
	return NULL;
}

static int print_help(const struct verb *v)
{
	cleanup_str struct str s = STR_INIT;

	opt_help(v, &s);
	return s.bad || out_text(s.p, s.len, NULL) < 0 ? 1 : 0;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	cleanup_free void *opts = calloc(1, v->size + 1);
	struct operands args = { 0 };
	struct err e = ERR_INIT;
	int r = opts ? opt_parse(v, argc, argv, opts, &args, &e) :
		       err_set(&e, -ENOMEM, "naru %s", v->name);

	if (r == OPT_HELP) {
		opt_clear(v, opts);
		return print_help(v);
	}
	if (r < 0) {
		print_error(&e);
		if (opts)
			opt_clear(v, opts);
		return v->failure == 1 ? EXIT_USAGE : v->failure;
	}
	r = v->run(opts, &args, &e);
	opt_clear(v, opts);
	if (e.no)
		print_error(&e);
	return r < 0 ? v->failure : r;
}

static int help(int argc, char **argv)
{
	const struct verb *v = argc > 1 ? find_verb(argv[1]) : NULL;

	if (argc > 1 && !v)
		return no_verb(argv[1]);
	if (v)
		return print_help(v);
	print_overview(stdout);
	return 0;
}

/*
 * So that no file we open becomes somebody's standard output. Others stay: an image may come from
 * /dev/fd/63.
 */
static void stdio_exists(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		(void)fd_set_cloexec(fd, false);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	char version[] = "version";
	const struct verb *v;

	stdio_exists();
	trace_open(getenv("NARU_TRACE") ?: getenv("CNI_TRACE"), "naru");
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	argc--;
	argv++;
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h") || !strcmp(argv[0], "help"))
		return help(argc, argv);
	if (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-v"))
		argv[0] = version;
	if (!(v = find_verb(argv[0])))
		return no_verb(argv[0]);
	return run_verb(v, argc, argv);
}
