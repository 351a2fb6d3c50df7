// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/cli/cli.h"
#include "runner/cli/detach.h"
#include "runner/engine/engine.h"
#include "runner/engine/monitor.h"
#include "runner/spec.h"
#include "runner/state.h"
#include "runner/user.h"

#define EXIT_NARU 125

struct exec_opts {
	const char **env;
	size_t nenv;
	const char *workdir, *user;
	bool detach;
};

static const struct opt options[] = {
	OPT_LIST('e', "env", struct exec_opts, env, nenv, "NAME=VALUE", "set a variable"),
	OPT_TEXT('w', "workdir", struct exec_opts, workdir, "DIR", "directory to start in"),
	OPT_TEXT('u', "user", struct exec_opts, user, "USER[:GROUP]", "who the command runs as"),
	OPT_FLAG('d', "detach", struct exec_opts, detach, "do not wait for its end"),
	OPT_REFUSED('i', "interactive", NULL,
		    "standard input is always handed on, and there is no terminal yet"),
	OPT_REFUSED('t', "tty", NULL, "there is no terminal for containers yet"),
	OPT_REFUSED(0, "privileged", NULL,
		    "commands keep the container's capabilities and filters"),
	OPT_REFUSED(0, "env-file", "FILE", "use -e NAME=VALUE"),
	OPT_END
};

static int check_env(const struct exec_opts *o, struct err *e)
{
	for (size_t i = 0; i < o->nenv; i++)
		if (!strchr(o->env[i], '=') || *o->env[i] == '=')
			return err_say(e, -EINVAL, "-e: expected NAME=VALUE, got \"%s\"",
				       o->env[i]);
	return 0;
}

/* The container's root as it is now, with what was written since the start. */
static int find_user(const struct ctr *c, const char *text, struct user *u, struct engine_exec *x,
		     struct err *e)
{
	char root[64];
	const char *roots[] = { root };
	int r;

	(void)snprintf(root, sizeof root, "/proc/%lld/root", (long long)c->live.pid);
	if ((r = user_resolve(text, roots, 1, u, e)) < 0)
		return r;
	x->user_given = true;
	x->uid = u->uid;
	x->gid = u->gid;
	x->groups = u->groups;
	x->ngroups = u->ngroups;
	return 0;
}

static int wait_for(struct engine_proc *p, struct err *e)
{
	struct monitor m = { .proc = p,
			     .out = -1,
			     .err = -1,
			     .log = -1,
			     .tee_out = -1,
			     .tee_err = -1,
			     .forward_signals = true };

	return monitor_run(&m, e);
}

static int start(const struct engine_exec *x, struct engine_proc *p, int *code, struct err *e)
{
	int r;

	if ((r = engine_exec(x, p, e)) == 0 && (r = engine_begin(p, e)) == 0)
		return 0;
	*code = engine_exit_code(r, e);
	engine_proc_stop(p);
	return r;
}

static int foreground(const struct engine_exec *x, struct err *e)
{
	cleanup_engine_proc struct engine_proc p = ENGINE_PROC_INIT;
	int code = EXIT_NARU;

	return start(x, &p, &code, e) < 0 ? code : wait_for(&p, e);
}

/* Somebody has to stay: a process that nobody waits for holds up the end of its container. */
static void background(void *arg, int tell)
{
	cleanup_engine_proc struct engine_proc p = ENGINE_PROC_INIT;
	struct detach_report rep = { .code = EXIT_NARU };
	int status;

	if (start(arg, &p, &rep.code, &rep.err) == 0)
		rep.code = 0;
	detach_tell(tell, &rep);
	if (rep.code == 0)
		(void)engine_wait(&p, &status, NULL);
}

static int detached(struct engine_exec *x, struct err *e)
{
	struct detach_report rep;
	int r = detach_run(background, x, &rep, e);

	if (r == 0 && rep.code)
		*e = rep.err;
	return r < 0 ? r : rep.code;
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	struct exec_opts *o = opts;
	cleanup_state struct state st = STATE_INIT;
	cleanup_spec struct spec spec = SPEC_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	char bundle[CTR_PATH_MAX];
	struct user user;
	int r;

	if ((r = check_env(o, e)) < 0 || (r = state_open(&st, STATE_READ, e)) < 0 ||
	    (r = ctr_find(&c, &st, args->v[0], e)) < 0)
		return r;
	if (c.status != CTR_RUNNING)
		return err_say(e, -ESRCH, "container %s is not running", args->v[0]);
	if ((r = spec_load(&spec, ctr_bundle_path(&st, &c.rec, bundle), e)) < 0)
		return r;
	if (o->nenv && !vec_add(&o->env, &o->nenv)) /* the terminator */
		return err_set(e, -ENOMEM, "-e");
	struct engine_exec x = {
		.init = (pid_t)c.live.pid,
		.start_time = c.live.start_time,
		.spec = &spec,
		.cgroup = c.live.cgroup,
		.args = (const char *const *)args->v + 1,
		.env = o->env,
		.cwd = o->workdir,
		.stdio = { 0, 1, 2 },
	};
	if (o->user && (r = find_user(&c, o->user, &user, &x, e)) < 0)
		return r;
	return o->detach ? detached(&x, e) : foreground(&x, e);
}

static const char *missing(size_t have)
{
	return have ? "a command to run in the container" :
		      "a container, by name or id, and a command";
}

const struct verb verb_exec = {
	.name = "exec",
	.group = GROUP_CONTAINERS,
	.about = "Run a command in a running container",
	.synopsis = "[OPTION]... CONTAINER COMMAND [ARG]...",
	.opts = options,
	.examples = "  naru exec web ps\n  naru exec -u nobody -w /tmp web sh -c 'id; pwd'\n",
	.command = true,
	.min = 2,
	.max = SIZE_MAX,
	.missing = missing,
	.failure = EXIT_NARU,
	.size = sizeof(struct exec_opts),
	.run = run,
};
