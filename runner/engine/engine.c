// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/txn/txn.h"
#include "runner/engine/command.h"
#include "runner/engine/identity.h"
#include "runner/engine/process.h"
#include "runner/engine/rootfs.h"
#include "runner/engine/seccomp.h"
#include "runner/engine/sync.h"
#include "runner/spec.h"

/* Everything a start needs; the child works on its copy. */
struct birth {
	struct txn *t;
	const struct engine_start *s;
	const struct spec *spec;
	struct engine_proc p;
	struct cgroup cgroup;
	struct caps caps;
	struct sock_filter prog[SECCOMP_PROG_MAX];
	struct sock_fprog filter;
	const char **env; /* the spec's with room for one more */
	int pidns;	  /* to join, or -1 */
	int child_sync;
	struct rootfs root;
	struct notes notes;
	unsigned phase;
};

static const struct {
	enum spec_ns ns;
	int flag;
} clone_flags[] = {
	{ SPEC_NS_PID, CLONE_NEWPID },	   { SPEC_NS_MOUNT, CLONE_NEWNS },
	{ SPEC_NS_UTS, CLONE_NEWUTS },	   { SPEC_NS_IPC, CLONE_NEWIPC },
	{ SPEC_NS_NETWORK, CLONE_NEWNET }, { SPEC_NS_CGROUP, CLONE_NEWCGROUP },
};

static bool joins_given_netns(const struct birth *b)
{
	return b->s->netns_fd >= 0 && b->spec->ns[SPEC_NS_NETWORK].own &&
	       !b->spec->ns[SPEC_NS_NETWORK].path;
}

/* ---------------------------------------------------------------- parent */

static int parent_cgroup(struct birth *b, struct err *e)
{
	int r = cgroup_create(b->t, b->s->id, b->spec->cgroups_path, &b->spec->resources,
			      &b->cgroup, e);

	if (r < 0)
		return r;
	if (r == CGROUP_NO_DEVICES) {
		b->caps.bounding &= ~CAP_BIT(CAP_MKNOD);
		b->caps.effective &= ~CAP_BIT(CAP_MKNOD);
		b->caps.permitted &= ~CAP_BIT(CAP_MKNOD);
		b->caps.inheritable &= ~CAP_BIT(CAP_MKNOD);
		b->caps.ambient &= ~CAP_BIT(CAP_MKNOD);
		note_add(&b->notes, "no device control here, so CAP_MKNOD is not given");
	}
	(void)snprintf(b->p.cgroup, sizeof b->p.cgroup, "%s", b->cgroup.path);
	return 0;
}

static int parent_prepare(struct birth *b, struct err *e)
{
	const struct spec_process *p = &b->spec->process;
	int r = sync_pair(&b->p.sync, &b->child_sync, e);

	if (r < 0)
		return r;
	if (b->spec->seccomp == SPEC_SECCOMP_DEFAULT &&
	    (r = seccomp_default(b->caps.bounding, b->prog, ARRAY_LEN(b->prog), &b->filter, e)) < 0)
		return r;
	b->env = calloc(p->nenv + 2, sizeof *b->env);
	if (!b->env)
		return err_set(e, -ENOMEM, "copy the environment");
	if (p->nenv)
		memcpy(b->env, p->env, p->nenv * sizeof *b->env);
	if (b->spec->ns[SPEC_NS_PID].path) {
		/* others are there already; they must not look into the new process */
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		b->pidns = open(b->spec->ns[SPEC_NS_PID].path, O_RDONLY | O_CLOEXEC);
		if (b->pidns < 0)
			return err_set(e, -errno, "open the pid namespace %s",
				       b->spec->ns[SPEC_NS_PID].path);
	}
	return 0;
}

static void child_main(struct birth *b) __attribute__((noreturn));

static uint64_t new_namespaces(const struct birth *b)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < ARRAY_LEN(clone_flags); i++) {
		const struct spec_namespace *ns = &b->spec->ns[clone_flags[i].ns];

		/*
		 * the control group namespace begins where the process is: so the child makes it,
		 * once it is in its group
		 */
		if (ns->own && !ns->path && clone_flags[i].ns != SPEC_NS_CGROUP)
			flags |= (uint64_t)clone_flags[i].flag;
	}
	return joins_given_netns(b) ? flags & ~(uint64_t)CLONE_NEWNET : flags;
}

static int parent_clone(struct birth *b, struct err *e)
{
	cleanup_fd int own = b->pidns < 0 ? -1 : open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	int r;

	if (b->pidns >= 0 && (own < 0 || setns(b->pidns, CLONE_NEWPID) < 0))
		return err_set(e, -errno, "join the pid namespace");
	pid = process_clone(new_namespaces(b), b->cgroup.dir, &b->p.pidfd);
	if (pid == 0)
		child_main(b);
	if (own >= 0 && setns(own, CLONE_NEWPID) < 0 && pid > 0)
		return err_set(e, -errno, "come back to the own pid namespace");
	if (pid < 0)
		return err_set(e, pid, "create a process with new namespaces (clone3)");
	b->p.pid = pid;
	(void)close(take_fd(b->child_sync));
	r = engine_start_time(pid, &b->p.start_time);
	if (r < 0)
		return err_set(e, r, "identify the new process %d", (int)pid);
	return process_record(b->t, pid, b->p.start_time, e);
}

static int parent_ready(struct birth *b, struct err *e)
{
	struct notes n = { "" };
	int r;

	if (b->s->overlap)
		return 0;
	r = sync_await(b->p.sync, &n, e);
	if (r > 0)
		return err_say(e, -ECHILD, "the container's process ended before it was ready");
	if (r == 0)
		(void)str_copyf(b->p.notes, sizeof b->p.notes, "%s", n.text);
	return r;
}

/* ---------------------------------------------------------------- child */

static int loopback_up(struct err *e)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_set(e, -errno, "bring the loopback interface up");
	return 0;
}

static int join(const char *path, int flag, enum spec_ns ns, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || setns(fd, flag) < 0)
		return err_set(e, -errno, "join the %s namespace %s", spec_ns_name(ns), path);
	return 0;
}

static int child_namespaces(struct birth *b, struct err *e)
{
	const struct spec_namespace *ns = b->spec->ns;
	int r = cgroup_attach(&b->cgroup, 0, false, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(clone_flags); i++)
		if (clone_flags[i].ns != SPEC_NS_PID && ns[clone_flags[i].ns].path &&
		    (r = join(ns[clone_flags[i].ns].path, clone_flags[i].flag, clone_flags[i].ns,
			      e)) < 0)
			return r;
	if (joins_given_netns(b) && setns(b->s->netns_fd, CLONE_NEWNET) < 0)
		return err_set(e, -errno, "join the container's network namespace");
	if (ns[SPEC_NS_CGROUP].own && !ns[SPEC_NS_CGROUP].path && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, -errno, "make a control group namespace");
	if (ns[SPEC_NS_NETWORK].own && !ns[SPEC_NS_NETWORK].path && !joins_given_netns(b) &&
	    (r = loopback_up(e)) < 0)
		return r;
	(void)setsid();
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		note_add(&b->notes, "no session keyring of its own (%s)", strerrorname_np(errno));
	return 0;
}

static int child_root(struct birth *b, struct err *e)
{
	return rootfs_open(&b->root, e);
}
static int child_mounts(struct birth *b, struct err *e)
{
	return rootfs_mounts(&b->root, e);
}
static int child_devices(struct birth *b, struct err *e)
{
	return rootfs_devices(&b->root, e);
}

/*
 * Only what belongs to a namespace of the container's own: anything else would be a setting of the
 * host.
 */
static bool is_own_sysctl(const struct spec *s, const char *name)
{
	static const char *const ipc[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	if (str_starts(name, "net."))
		return s->ns[SPEC_NS_NETWORK].own;
	if (str_starts(name, "fs.mqueue."))
		return s->ns[SPEC_NS_IPC].own;
	for (size_t i = 0; i < ARRAY_LEN(ipc); i++)
		if (!strcmp(ipc[i], name))
			return s->ns[SPEC_NS_IPC].own;
	return false;
}

static int write_sysctl(const struct spec *s, int proc, const struct spec_pair *p, struct err *e)
{
	char path[256];
	int r;

	if (!is_own_sysctl(s, p->key) || strchr(p->key, '/') || strstr(p->key, ".."))
		return err_say(e, -EINVAL,
			       "sysctl %s: is not a setting of the container's own namespaces",
			       p->key);
	if (str_copyf(path, sizeof path, "sys/%s", p->key) < 0)
		return err_set(e, -ENAMETOOLONG, "sysctl %s", p->key);
	for (char *c = path; (c = strchr(c, '.')); c++)
		*c = '/';
	r = file_poke_at(proc, path, p->value);
	return r < 0 ? err_set(e, r, "sysctl %s = %s", p->key, p->value) : 0;
}

static int child_system(struct birth *b, struct err *e)
{
	const struct spec *s = b->spec;
	int r;

	if (s->hostname && *s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_set(e, -errno, "set the host name %s", s->hostname);
	if (s->domainname && *s->domainname &&
	    setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_set(e, -errno, "set the domain name %s", s->domainname);
	if (b->root.proc < 0 && (s->nsysctls || s->process.oom_score_given) &&
	    (b->root.proc = rootfs_detached("proc", e)) < 0)
		return b->root.proc;
	for (size_t i = 0; i < s->nsysctls; i++)
		if ((r = write_sysctl(s, b->root.proc, &s->sysctls[i], e)) < 0)
			return r;
	return identity_limits(s, b->root.proc, &b->notes, e);
}

static int child_hide(struct birth *b, struct err *e)
{
	return rootfs_hide(&b->root, e);
}
static int child_enter(struct birth *b, struct err *e)
{
	return rootfs_enter(&b->root, e);
}

static int child_identity(struct birth *b, struct err *e)
{
	const struct spec_process *p = &b->spec->process;
	const struct identity id = {
		.spec = b->spec,
		.caps = b->caps,
		.filter = b->filter.len ? &b->filter : NULL,
		.uid = p->user.uid,
		.gid = p->user.gid,
		.groups = p->user.groups,
		.ngroups = p->user.ngroups,
		.cwd = p->cwd,
	};
	int r;

	identity_home(b->root.root, id.uid, b->env);
	if (p->caps.unknown)
		note_add(&b->notes, "capability %s is not known", p->caps.unknown);
	if ((r = command_stdio(b->s->stdio)) < 0)
		return err_set(e, r, "give the container its standard descriptors");
	command_signals();
	return identity_apply(&id, &b->notes, e);
}

static int child_ready(struct birth *b, struct err *e)
{
	sync_report(b->child_sync, 0, NULL, &b->notes);
	if (sync_await_go(b->child_sync) < 0)
		_exit(0); /* whoever wanted this container is gone */
	(void)e;
	return 0;
}

static int child_exec(struct birth *b, struct err *e)
{
	const struct command c = { b->spec->process.args, b->env, b->pidns < 0 };

	return command_exec(&c, b->child_sync, e);
}

/* ---------------------------------------------------------------- the phases */

/* clang-format off */
static const struct phase {
	const char *name;
	int (*parent)(struct birth *b, struct err *e);
	int (*child)(struct birth *b, struct err *e);
} phases[] = {
	{ "cgroup",	parent_cgroup,	NULL },
	{ "prepare",	parent_prepare,	NULL },
	{ "clone",	parent_clone,	NULL },
	{ "namespaces", NULL,		child_namespaces },
	{ "root",	NULL,		child_root },
	{ "mounts",	NULL,		child_mounts },
	{ "devices",	NULL,		child_devices },
	{ "system",	NULL,		child_system },
	{ "hide",	NULL,		child_hide },
	{ "pivot",	NULL,		child_enter },
	{ "identity",	NULL,		child_identity },
	{ "ready",	parent_ready,	child_ready },
	{ "exec",	NULL,		child_exec },
};
/* clang-format on */

const char *engine_phase_name(unsigned i)
{
	return i < ARRAY_LEN(phases) ? phases[i].name : NULL;
}

static int stop_here(const struct birth *b, const char *phase, struct err *e)
{
	if (!b->s->stop_before || strcmp(b->s->stop_before, phase))
		return 0;
	return err_say(e, -ECANCELED, "stopped before this phase, as asked");
}

static void child_main(struct birth *b)
{
	struct err err = ERR_INIT;

	(void)close(b->p.sync);
	(void)umask(0);
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		if (!phases[i].child)
			continue;
		int r = stop_here(b, phases[i].name, &err);

		if (r == 0)
			r = phases[i].child(b, &err);
		if (r < 0) {
			if (!err.code) /* else it is about the command, and says so */
				(void)err_wrap(&err, "%s", phases[i].name);
			sync_report(b->child_sync, r, &err, NULL);
			_exit(err.code ? err.code : 125);
		}
	}
	_exit(125); /* not reached: the last phase does not return 0 */
}

static int parent_main(struct birth *b, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		if (!phases[i].parent)
			continue;
		if (stop_here(b, phases[i].name, e) < 0)
			return err_wrap(e, "%s", phases[i].name);
		int r = phases[i].parent(b, e);
		if (r < 0) /* what comes from the child names its phase */
			return phases[i].parent == parent_ready ? r :
								  err_wrap(e, "%s", phases[i].name);
	}
	return 0;
}

int engine_create(struct txn *t, const struct engine_start *s, struct engine_proc *out,
		  struct err *e)
{
	struct birth *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return err_set(e, -ENOMEM, "start a container");
	*b = (struct birth){ .t = t,
			     .s = s,
			     .spec = s->spec,
			     .p = ENGINE_PROC_INIT,
			     .cgroup = CGROUP_INIT,
			     .caps = s->spec->process.caps.sets,
			     .pidns = -1,
			     .child_sync = -1 };
	b->root = (struct rootfs){ .spec = s->spec,
				   .layers = &s->rootfs,
				   .bundle = s->bundle,
				   .cgroup = &b->cgroup,
				   .root = -1,
				   .proc = -1 };
	r = parent_main(b, e);
	if (r < 0)
		engine_proc_stop(&b->p);
	else
		*out = b->p;
	if (b->child_sync >= 0)
		(void)close(b->child_sync);
	if (b->pidns >= 0)
		(void)close(b->pidns);
	cgroup_clear(&b->cgroup);
	free(b->env);
	free(b);
	return r < 0 ? r : 0;
}

/* ---------------------------------------------------------------- afterwards */

int engine_begin(struct engine_proc *p, struct err *e)
{
	struct notes n = { "" };
	struct err gone = ERR_INIT;
	int went = sync_go(p->sync, &gone), r = sync_await(p->sync, &n, e);

	if (r == 0) { /* that was "ready" of a start that overlapped */
		(void)str_copyf(p->notes, sizeof p->notes, "%s", n.text);
		r = sync_await(p->sync, NULL, e);
	}
	if (r == 1 && went < 0) { /* not an exec that succeeded: it died without a word */
		err_keep_first(e, &gone);
		r = went;
	}
	(void)close(take_fd(p->sync));
	if (r == 1)
		return 0;
	engine_proc_stop(p);
	return r < 0 ? r : err_say(e, -EPROTO, "the container's process reported twice");
}

int engine_exit_code(int r, const struct err *e)
{
	if (r >= 0)
		return 0;
	return e && (e->code == COMMAND_NOT_FOUND || e->code == COMMAND_NOT_EXECUTABLE) ? e->code :
											  125;
}

int engine_wait(struct engine_proc *p, int *status, struct err *e)
{
	siginfo_t si = { 0 };
	int r;

	while ((r = waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED)) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, -errno, "wait for process %d", (int)p->pid);
	*status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

void engine_proc_stop(struct engine_proc *p)
{
	int status;

	if (p->pidfd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
		(void)engine_wait(p, &status, NULL);
	}
	engine_proc_clear(p);
}

void engine_proc_clear(struct engine_proc *p)
{
	if (p->pidfd >= 0)
		(void)close(p->pidfd);
	if (p->sync >= 0)
		(void)close(p->sync);
	p->pidfd = p->sync = -1;
}

unsigned engine_cpus_thermal(void)
{
	if (access("/sys/devices/system/cpu/cpu0/thermal_throttle", F_OK) < 0)
		return 0;
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n > 0 ? (unsigned)n : 0;
}

const struct undo_op *const engine_undo_ops[] = { &cgroup_undo_remove, &process_undo_kill, NULL };
