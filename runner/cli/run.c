// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "runner/cli/cli.h"
#include "runner/cli/detach.h"
#include "runner/engine/monitor.h"
#include "runner/life.h"

#define EXIT_NARU 125

struct run_line {
	struct run_opts opts; /* first: the table below fills it from there */
	enum out_format output;
};

static const struct opt options[] = {
	OPT_FLAG(0, "rm", struct run_opts, rm, "remove the container when it ends"),
	OPT_FLAG('d', "detach", struct run_opts, detach, "run in the background, print the id"),
	OPT_TEXT(0, "name", struct run_opts, name, "NAME", "name of the container"),
	OPT_LIST('p', "publish", struct run_opts, ports, nports, "[[IP:][HOST]:]CTR[/PROTO]",
		 "make a port reachable; HOST: any free one"),
	OPT_FLAG('P', "publish-all", struct run_opts, publish_all,
		 "the same for all ports the image names"),
	OPT_LIST('e', "env", struct run_opts, env, nenv, "NAME[=VALUE]",
		 "set a variable, or hand ours on"),
	OPT_LIST('v', "volume", struct run_opts, volumes, nvolumes, "SRC:DST[:ro]",
		 "show a path of the host inside; made if missing"),
	OPT_FN('m', "memory", struct run_opts, memory, opt_size, "SIZE", "limit memory (64m, 1g)"),
	OPT_FN(0, "cpus", struct run_opts, nano_cpus, opt_cpus, "NUMBER",
	       "limit processors (0.5, 2)"),
	OPT_FN(0, "cpu-shares", struct run_opts, cpu_shares, opt_count, "WEIGHT",
	       "share when busy (1024 is usual)"),
	OPT_FN(0, "pids-limit", struct run_opts, pids_limit, opt_count, "NUMBER",
	       "limit processes"),
	OPT_TEXT(0, "network", struct run_opts, network, "NAME",
		 "naru, none, host or a conflist's name"),
	OPT_TEXT(0, "hostname", struct run_opts, hostname, "NAME", "host name inside"),
	OPT_TEXT('w', "workdir", struct run_opts, workdir, "DIR", "directory to start in"),
	OPT_TEXT('u', "user", struct run_opts, user, "USER[:GROUP]", "who the command runs as"),
	OPT_TEXT(0, "entrypoint", struct run_opts, entrypoint, "COMMAND", "instead of the image's"),
	OPT_TEXT(0, "rootfs", struct run_opts, rootfs, "DIR",
		 "a directory, unchanged, instead of IMAGE"),
	OPT_OUTPUT(struct run_line, output),
	OPT_REFUSED('i', "interactive", NULL,
		    "standard input is always handed on, and there is no terminal yet"),
	OPT_REFUSED('t', "tty", NULL, "there is no terminal for containers yet"),
	OPT_REFUSED(0, "net", "NAME", "it is called --network here"),
	OPT_REFUSED(0, "restart", "POLICY", "nothing here starts containers again by itself"),
	OPT_REFUSED(0, "mount", "SPEC", "use -v SRC:DST[:ro]"),
	OPT_REFUSED(0, "tmpfs", "SPEC", "use -v with a directory of the host"),
	OPT_REFUSED(0, "privileged", NULL,
		    "containers keep docker's default capabilities and filters"),
	OPT_REFUSED(0, "cap-add", "CAPABILITY", "containers have docker's default capabilities"),
	OPT_REFUSED(0, "cap-drop", "CAPABILITY", "containers have docker's default capabilities"),
	OPT_REFUSED(0, "security-opt", "OPTION", "containers have docker's default profile"),
	OPT_REFUSED(0, "device", "DEVICE", "containers see the standard devices only"),
	OPT_REFUSED(0, "env-file", "FILE", "use -e NAME=VALUE"),
	OPT_REFUSED('l', "label", "LABEL", "labels are not kept"),
	OPT_REFUSED(0, "init", NULL, "the command itself is process 1"),
	OPT_REFUSED(0, "ip", "ADDRESS", "addresses come from the network's IPAM plugin"),
	OPT_REFUSED(0, "dns", "ADDRESS", "name servers come from the network's result or the host"),
	OPT_REFUSED(0, "add-host", "HOST", "entries of /etc/hosts cannot be added yet"),
	OPT_REFUSED(0, "read-only", NULL, "the root of the container is always writable"),
	OPT_REFUSED(0, "ulimit", "LIMIT", "limits of processes cannot be set yet"),
	OPT_REFUSED(0, "pull", "POLICY", "images come from naru import"),
	OPT_END
};

static const char examples[] =
	"  naru run --rm busybox:1 echo hello\n"
	"  naru run -d --name web -p 8080:80 -v /srv:/www:ro busybox:1 httpd -fh /www\n";

/* Where the container's output goes, and what of it is ours. */
struct streams {
	int stdio[3];
	int out[2], err[2]; /* pipes; -1: none */
	int log;
};

static void streams_close(struct streams *s)
{
	int *fds[] = { &s->out[0], &s->out[1], &s->err[0], &s->err[1], &s->log };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (*fds[i] >= 0)
			(void)close(take_fd(*fds[i]));
}

static int open_pipes(struct streams *s, struct err *e)
{
	if (pipe2(s->out, O_CLOEXEC) < 0 || pipe2(s->err, O_CLOEXEC) < 0)
		return err_set(e, -errno, "make pipes for the container's output");
	s->stdio[1] = s->out[1];
	s->stdio[2] = s->err[1];
	return 0;
}

/*
 * The log lives in the container's directory, so it is opened when that is there. Without one it
 * runs all the same.
 */
static int open_log(struct streams *s, const struct life *l, struct err *e)
{
	if (mkdirat(l->dir.root, "log", 0700) < 0 && errno != EEXIST)
		return err_set(e, -errno, "create the log of container %.12s", l->dir.id);
	s->log = openat(l->dir.root, "log/json.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			0600);
	return s->log < 0 ? err_set(e, -errno, "create the log of container %.12s", l->dir.id) : 0;
}

static int watch(struct life *l, struct streams *s, bool tee, struct err *e)
{
	struct monitor m = {
		.proc = &l->proc,
		.out = take_fd(s->out[0]),
		.err = take_fd(s->err[0]),
		.log = s->log,
		.tee_out = tee ? STDOUT_FILENO : -1,
		.tee_err = tee ? STDERR_FILENO : -1,
		.forward_signals = true,
	};
	struct err first = ERR_INIT;
	int code;

	/* the container has its ends; ours would keep the pipes open after its death */
	for (size_t i = 0; i < 2; i++)
		if ((i ? s->err : s->out)[1] >= 0)
			(void)close(take_fd((i ? s->err : s->out)[1]));
	code = monitor_run(&m, &first);
	if (code < 0) {
		engine_proc_stop(&l->proc);
		(void)life_end(l, EXIT_NARU, NULL);
		*e = first;
		return code;
	}
	if (life_end(l, code, e) < 0)
		(void)err_wrap(e, "container %.12s has ended, but not everything of it is gone",
			       l->dir.id);
	return code;
}

/* With --rm the container writes where we would: no pipe, no copy, no log. */
static int foreground(const struct state *st, const struct request *rq, struct err *e)
{
	cleanup_life struct life l = LIFE_INIT;
	struct streams s = {
		.stdio = { 0, 1, 2 }, .out = { -1, -1 }, .err = { -1, -1 }, .log = -1
	};
	bool keep = !rq->rec.auto_remove;
	int code = EXIT_NARU, r = keep ? open_pipes(&s, e) : 0;

	if (r == 0 && (r = life_start(&l, st, rq, s.stdio, &code, e)) == 0) {
		if (keep)
			(void)open_log(&s, &l, e);
		r = watch(&l, &s, keep, e);
	} else if (r < 0) {
		r = code;
	}
	streams_close(&s);
	return r;
}

/* --- in the background --- */

struct background {
	const struct state *state;
	const struct request *request;
};

static void background(void *arg, int tell)
{
	const struct background *b = arg;
	cleanup_life struct life l = LIFE_INIT;
	struct streams s = {
		.stdio = { 0, 1, 2 }, .out = { -1, -1 }, .err = { -1, -1 }, .log = -1
	};
	struct detach_report rep = { .code = EXIT_NARU };

	if (open_pipes(&s, &rep.err) == 0 &&
	    life_start(&l, b->state, b->request, s.stdio, &rep.code, &rep.err) == 0)
		rep.code = 0;
	memcpy(rep.id, l.dir.id, sizeof rep.id);
	if (rep.code == 0)
		(void)open_log(&s, &l, &rep.err);
	detach_tell(tell, &rep);
	if (rep.code == 0)
		(void)watch(&l, &s, false, &rep.err);
	streams_close(&s);
}

static int detached(const struct state *st, const struct request *rq, enum out_format format,
		    struct err *e)
{
	struct background b = { .state = st, .request = rq };
	struct detach_report rep;
	int r = detach_run(background, &b, &rep, e);

	if (r < 0)
		return r;
	if (rep.code) {
		*e = rep.err;
		return rep.code;
	}
	if (format == OUT_JSON) {
		char shown[ID_SHOWN + 1];

		(void)snprintf(shown, sizeof shown, "%s", rep.id);
		cleanup_json struct json_object *o =
			out_container(rep.id, rq->rec.name ? rq->rec.name : shown);
		return out_json(o, e);
	}
	rep.id[ID_LEN] = '\n';
	return out_text(rep.id, ID_LEN + 1, e);
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct run_line *line = opts;
	const struct run_opts *o = &line->opts;
	cleanup_request struct request rq = REQUEST_INIT;
	cleanup_state struct state st = STATE_INIT;
	int r;

	if (!args->n && !o->rootfs) {
		r = err_say(e, -EINVAL, "naru run needs an image");
		err_details(
			e,
			"usage: naru run [OPTION]... IMAGE [COMMAND [ARG]...]; naru images lists what is there");
		return r;
	}
	if (line->output == OUT_JSON && !o->detach) {
		r = err_say(e, -EINVAL, "-o json: only the id that -d prints has a form of ours");
		err_details(e, "in the foreground the output is the command's");
		return r;
	}
	if (geteuid() != 0) {
		r = err_say(
			e, -EPERM,
			"naru run needs root: it makes namespaces, mounts and network interfaces");
		err_details(e, "try: sudo naru run ...");
		return r;
	}
	if ((r = request_build(&rq, o, args, e)) < 0 || (r = state_open(&st, STATE_CREATE, e)) < 0)
		return r;
	return o->detach ? detached(&st, &rq, line->output, e) : foreground(&st, &rq, e);
}

const struct verb verb_run = {
	.name = "run",
	.group = GROUP_CONTAINERS,
	.about = "Run a command in a new container",
	.synopsis = "[OPTION]... IMAGE|--rootfs DIR [COMMAND [ARG]...]",
	.opts = options,
	.examples = examples,
	.command = true,
	.min = 0,
	.max = SIZE_MAX,
	.failure = EXIT_NARU,
	.size = sizeof(struct run_line),
	.run = run,
};
