// SPDX-License-Identifier: GPL-2.0-or-later
/* A further command in a running container. */
#include "runner/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/engine/cgroup.h"
#include "runner/engine/command.h"
#include "runner/engine/identity.h"
#include "runner/engine/process.h"
#include "runner/engine/seccomp.h"
#include "runner/engine/sync.h"
#include "runner/spec.h"

struct entry {
	const struct engine_exec *x;
	const struct spec *spec;
	struct engine_proc p;
	struct cgroup cgroup;
	int init; /* the container's first process */
	int child_sync;
	const char **env;
	struct sock_filter prog[SECCOMP_PROG_MAX];
	struct sock_fprog filter;
	struct notes notes;
};

/* ---------------------------------------------------------------- child */

static int enter_namespaces(const struct entry *n, struct err *e)
{
	static const struct {
		enum spec_ns ns;
		int flag;
	} flags[] = {
		{ SPEC_NS_MOUNT, CLONE_NEWNS },	     { SPEC_NS_UTS, CLONE_NEWUTS },
		{ SPEC_NS_IPC, CLONE_NEWIPC },	     { SPEC_NS_NETWORK, CLONE_NEWNET },
		{ SPEC_NS_CGROUP, CLONE_NEWCGROUP },
	};
	int all = 0, r = cgroup_attach(&n->cgroup, 0, false, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (n->spec->ns[flags[i].ns].own)
			all |= flags[i].flag;
	if (setns(n->init, all) < 0)
		return err_set(e, -errno, "join the container's namespaces");
	(void)setsid();
	return 0;
}

static int become(struct entry *n, struct err *e)
{
	const struct engine_exec *x = n->x;
	const struct spec_process *p = &n->spec->process;
	const struct identity id = {
		.spec = n->spec,
		.caps = p->caps.sets,
		.filter = n->filter.len ? &n->filter : NULL,
		.uid = x->user_given ? x->uid : p->user.uid,
		.gid = x->user_given ? x->gid : p->user.gid,
		.groups = x->user_given ? x->groups : p->user.groups,
		.ngroups = x->user_given ? x->ngroups : p->user.ngroups,
		.cwd = x->cwd ? x->cwd : p->cwd,
	};
	cleanup_fd int root = -1;
	int r = enter_namespaces(n, e);

	if (r < 0 || (r = identity_limits(n->spec, -1, &n->notes, e)) < 0)
		return r;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	identity_home(root, id.uid, n->env);
	if ((r = command_stdio(x->stdio)) < 0)
		return err_set(e, r, "give the command its standard descriptors");
	command_signals();
	return identity_apply(&id, &n->notes, e);
}

static void child_main(struct entry *n) __attribute__((noreturn));

static void child_main(struct entry *n)
{
	const struct command c = { n->x->args, n->env, false };
	struct err err = ERR_INIT;
	int r;

	(void)close(n->p.sync);
	(void)umask(0);
	r = become(n, &err);
	if (r == 0) {
		sync_report(n->child_sync, 0, NULL, &n->notes);
		if (sync_await_go(n->child_sync) < 0)
			_exit(0);
		r = command_exec(&c, n->child_sync, &err);
	}
	sync_report(n->child_sync, r, &err, NULL);
	_exit(err.code ? err.code : 125);
}

/* ---------------------------------------------------------------- parent */

static bool same_key(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return !strncmp(a, b, len) && b[len] == '=';
}

/*
 * The container's, with the command's own in place or behind; two slots are kept for identity_home.
 */
static int merge_env(struct entry *n, struct err *e)
{
	const struct spec_process *p = &n->spec->process;
	size_t extra = 0, len = 0;

	while (n->x->env && n->x->env[extra])
		extra++;
	n->env = calloc(p->nenv + extra + 2, sizeof *n->env);
	if (!n->env)
		return err_set(e, -ENOMEM, "copy the environment");
	for (size_t i = 0; i < p->nenv + extra; i++) {
		const char *entry = i < p->nenv ? p->env[i] : n->x->env[i - p->nenv];
		size_t k = 0;

		while (k < len && !same_key(entry, n->env[k]))
			k++;
		n->env[k] = entry;
		if (k == len)
			len++;
	}
	return 0;
}

static int open_init(const struct engine_exec *x, struct err *e)
{
	cleanup_fd int fd = (int)syscall(SYS_pidfd_open, x->init, 0);

	if (fd < 0 || !engine_alive(x->init, x->start_time))
		return err_say(e, -ESRCH,
			       "the container is not running (its first process %d is gone)",
			       (int)x->init);
	return take_fd(fd);
}

static int prepare(struct entry *n, struct err *e)
{
	int r = n->init = open_init(n->x, e);

	if (r < 0 || (r = cgroup_open(n->x->cgroup, &n->cgroup, e)) < 0 ||
	    (r = merge_env(n, e)) < 0 || (r = sync_pair(&n->p.sync, &n->child_sync, e)) < 0)
		return r;
	if (n->spec->seccomp == SPEC_SECCOMP_DEFAULT)
		r = seccomp_default(n->spec->process.caps.sets.bounding, n->prog,
				    ARRAY_LEN(n->prog), &n->filter, e);
	return r;
}

/*
 * The new process is born in the container's pid namespace; until its exec nobody there may look
 * into it (CVE-2019-5736).
 */
static int spawn(struct entry *n, struct err *e)
{
	bool own_pids = n->spec->ns[SPEC_NS_PID].own;
	cleanup_fd int own = own_pids ? open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC) : -1;
	pid_t pid;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, -errno, "hide this process from the container");
	if (own_pids && (own < 0 || setns(n->init, CLONE_NEWPID) < 0))
		return err_set(e, -errno, "join the container's pid namespace");
	pid = process_clone(0, n->cgroup.dir, &n->p.pidfd);
	if (pid == 0)
		child_main(n);
	if (own >= 0 && setns(own, CLONE_NEWPID) < 0 && pid > 0)
		return err_set(e, -errno, "come back to the own pid namespace");
	if (pid < 0)
		return err_set(e, pid, "create a process in the container (clone3)");
	n->p.pid = pid;
	(void)close(take_fd(n->child_sync));
	return engine_start_time(pid, &n->p.start_time) < 0 ?
		       err_set(e, -ESRCH, "identify the new process") :
		       0;
}

static int await(struct entry *n, struct err *e)
{
	struct notes notes = { "" };
	int r = sync_await(n->p.sync, &notes, e);

	if (r > 0)
		return err_say(e, -ECHILD, "the new process ended before it was ready");
	if (r == 0)
		(void)str_copyf(n->p.notes, sizeof n->p.notes, "%s", notes.text);
	return r;
}

int engine_exec(const struct engine_exec *x, struct engine_proc *out, struct err *e)
{
	struct entry *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return err_set(e, -ENOMEM, "execute in a container");
	*n = (struct entry){ .x = x,
			     .spec = x->spec,
			     .p = ENGINE_PROC_INIT,
			     .cgroup = CGROUP_INIT,
			     .init = -1,
			     .child_sync = -1 };
	if ((r = prepare(n, e)) < 0 || (r = spawn(n, e)) < 0 || (r = await(n, e)) < 0)
		engine_proc_stop(&n->p);
	else
		*out = n->p;
	if (r == 0)
		(void)str_copyf(out->cgroup, sizeof out->cgroup, "%s", x->cgroup);
	if (n->child_sync >= 0)
		(void)close(n->child_sync);
	if (n->init >= 0)
		(void)close(n->init);
	cgroup_clear(&n->cgroup);
	free(n->env);
	free(n);
	return r;
}
