// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "runner/cli/cli.h"
#include "runner/ctr_dir.h"
#include "runner/state.h"

#define BLOCK 65536
#define LINE_MAX_BYTES (8 * 1024 * 1024)
#define LOOK_AGAIN_MS 500 /* whether the container still runs: its end does not touch the log */

struct logs_opts {
	bool follow, timestamps;
	enum out_format output;
};

static const struct opt options[] = {
	OPT_FLAG('f', "follow", struct logs_opts, follow, "go on until the container ends"),
	OPT_FLAG('t', "timestamps", struct logs_opts, timestamps, "begin each line with its time"),
	OPT_FN('o', "output", struct logs_opts, output, out_format_parse, "FORMAT",
	       "text, or json: the log as it is kept"),
	OPT_REFUSED('n', "tail", "NUMBER", "pipe the output through tail -n NUMBER"),
	OPT_REFUSED(0, "since", "TIME", "use -t and filter"),
	OPT_REFUSED(0, "until", "TIME", "use -t and filter"),
	OPT_END
};

struct reader {
	const struct logs_opts *opts;
	int fd;
	struct str rest; /* an unfinished line */
};

static int print_line(const struct logs_opts *o, const char *line, size_t len, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	const char *text, *when, *stream;
	int to = STDOUT_FILENO, r = 0;

	if (o->output == OUT_JSON) {
		r = fd_write_all(to, line, len);
		return r < 0 ? err_set(e, r, "write to standard output") : 0;
	}
	if (doc_parse(&d, line, len, NULL) < 0)
		return 0; /* torn by a crash */
	text = json_text(json_get(d.root, "log"));
	when = json_text(json_get(d.root, "time"));
	stream = json_text(json_get(d.root, "stream"));
	if (stream && !strcmp(stream, "stderr"))
		to = STDERR_FILENO;
	if (o->timestamps && when &&
	    ((r = fd_write_all(to, when, strlen(when))) < 0 || (r = fd_write_all(to, " ", 1)) < 0))
		return err_set(e, r, "write the log");
	if (text && (r = fd_write_all(to, text, strlen(text))) < 0)
		return err_set(e, r, "write the log");
	return 0;
}

/* Prints the whole lines that are there; 1 when there were any bytes. */
static int drain(struct reader *rd, struct err *e)
{
	char block[BLOCK];
	int any = 0, r;
	ssize_t n;

	while ((n = read(rd->fd, block, sizeof block)) > 0) {
		any = 1;
		for (char *p = block, *end = block + n; p < end;) {
			char *nl = memchr(p, '\n', (size_t)(end - p));
			size_t len = (size_t)((nl ? nl + 1 : end) - p);

			str_add_n(&rd->rest, p, len);
			p += len;
			if (rd->rest.bad)
				return err_set(e, -ENOMEM, "read the log");
			if (!nl && rd->rest.len < LINE_MAX_BYTES)
				break;
			if ((r = print_line(rd->opts, rd->rest.p, rd->rest.len, e)) < 0)
				return r;
			rd->rest.len = 0;
		}
	}
	return n < 0 ? err_set(e, -errno, "read the log") : any;
}

/*
 * Whether more may come: the container lives, or it does not and its runner, who holds the lock,
 * is still writing what it printed last.
 */
static bool goes_on(const struct state *s, const char *id)
{
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;

	if (ctr_load(&c, s, id, NULL) < 0 || c.has_end || !c.has_live)
		return false;
	return c.status == CTR_RUNNING || ctr_dir_lock(&d, s, id, 0, NULL) == CTR_BUSY;
}

static int follow(struct reader *rd, const struct state *s, const char *id, const char *path,
		  struct err *e)
{
	cleanup_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[4096];
	int r;

	if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0)
		return err_set(e, -errno, "watch %s", path);
	for (;;) {
		bool more = goes_on(s, id); /* before reading: all of it is there then */
		struct pollfd p = { .fd = watch, .events = POLLIN };

		if ((r = drain(rd, e)) < 0)
			return r;
		if (!more && !r)
			return 0;
		if (more && poll(&p, 1, LOOK_AGAIN_MS) > 0)
			while (read(watch, events, sizeof events) > 0)
				;
	}
}

static const char *missing(size_t have)
{
	(void)have;
	return "a container, by name or id";
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct logs_opts *o = opts;
	cleanup_state struct state st = STATE_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	char path[CTR_PATH_MAX];
	int r;

	if ((r = state_open(&st, STATE_READ, e)) < 0 || (r = ctr_find(&c, &st, args->v[0], e)) < 0)
		return r;
	(void)ctr_root_path(&st, c.id, "log/json.log", path);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && c.rec.auto_remove && !c.rec.detached)
		return err_say(
			e, -ENOENT,
			"container %s keeps no log: with --rm in the foreground it writes to its caller",
			args->v[0]);
	if (fd < 0)
		return err_set(e, -errno, "open the log of container %s", args->v[0]);
	struct reader rd = { .opts = o, .fd = fd };
	r = o->follow ? follow(&rd, &st, c.id, path, e) : drain(&rd, e);
	str_free(&rd.rest);
	return r < 0 ? r : 0;
}

const struct verb verb_logs = {
	.name = "logs",
	.group = GROUP_CONTAINERS,
	.about = "Show what a container printed",
	.synopsis = "[OPTION]... CONTAINER",
	.opts = options,
	.examples = "  naru logs web\n  naru logs -f web\n",
	.min = 1,
	.max = 1,
	.missing = missing,
	.failure = 1,
	.size = sizeof(struct logs_opts),
	.run = run,
};
