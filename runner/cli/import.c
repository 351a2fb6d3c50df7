// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/cli/cli.h"

#define PROGRAM "naru-image"

/* Beside our own executable, as it is built, or in libexec, as it is installed. */
static int find_program(char out[PATH_MAX], struct err *e)
{
	static const char *const places[] = { "/" PROGRAM, "/../libexec/naru/" PROGRAM };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		return err_set(e, -errno, "find " PROGRAM ": read /proc/self/exe");
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (str_copyf(out, PATH_MAX, "%s%s", self, places[i]) == 0 &&
		    access(out, X_OK) == 0)
			return 0;
	return err_say(e, -ENOENT,
		       "the program " PROGRAM
		       " is missing: expected it in %s or %s/../libexec/naru; install naru again",
		       self, self);
}

struct command {
	char **v;
	size_t n;
	bool bad;
};

static void add(struct command *c, const char *option, const char *value)
{
	char **slot = c->bad ? NULL : vec_add(&c->v, &c->n);

	if (slot)
		*slot = str_fmt("%s%s", option, value);
	c->bad |= !slot || !*slot;
}

static void command_clear(struct command *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i]);
	free(c->v);
}

/*
 * The archive and digest libraries are the other program's; it has our standard streams, and its
 * exit status becomes ours.
 */
static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct import_opts *o = opts;
	struct command c = { 0 };
	char path[PATH_MAX];
	int r;

	if (geteuid() != 0) {
		r = err_say(e, -EPERM,
			    "naru import needs root: the files of an image keep their owners");
		err_details(e, "try: sudo naru import ...");
		return r;
	}
	if ((r = find_program(path, e)) < 0)
		return r;
	add(&c, PROGRAM, "");
	add(&c, "import", "");
	for (size_t i = 0; i < o->nchanges; i++)
		add(&c, "--change=", o->changes[i]);
	if (o->message)
		add(&c, "--message=", o->message);
	if (o->platform)
		add(&c, "--platform=", o->platform);
	if (o->quiet)
		add(&c, "--quiet", "");
	if (o->output == OUT_JSON)
		add(&c, "--output=json", "");
	add(&c, "--", "");
	add(&c, args->v[0], "");
	add(&c, args->v[1], "");
	char **end = c.bad ? NULL : vec_add(&c.v, &c.n);
	if (!end) {
		command_clear(&c);
		return err_set(e, -ENOMEM, "start " PROGRAM);
	}
	(void)execv(path, c.v);
	r = err_set(e, -errno, "start %s", path);
	command_clear(&c);
	return r;
}

static const char *missing(size_t have)
{
	return have ? "a name for the image, such as busybox:1" :
		      "an archive; - reads standard input";
}

static const struct opt options[] = {
	IMPORT_OPTIONS,
	OPT_END,
};

const struct verb verb_import = {
	.name = "import",
	.group = GROUP_IMAGES,
	.about = "Make an image from a tar archive of a root file system",
	.synopsis = "[OPTION]... FILE|- NAME[:TAG]",
	.opts = options,
	.min = 2,
	.max = 2,
	.failure = 1,
	.missing = missing,
	.size = sizeof(struct import_opts),
	.run = run,
	.examples = "  naru import rootfs.tar.zst busybox:1\n"
		    "  tar -C rootfs -c . | naru import -c 'CMD [\"/bin/sh\"]' - busybox:1\n",
};
