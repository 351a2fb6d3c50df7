// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/tools/stepper_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/tools/stepper.h"
#include "tests/tools/stepper_calls.h"
#include "tests/tools/stepper_tree.h"

#define TICK_US 100000	       /* how late a deadline is noticed at most */
#define REAP_MS 5000	       /* for a killed tree */
#define KERNEL_ERESTARTSYS 512 /* seen by tracers only */
#define KERNEL_ERESTARTNOINTR 513
#define PAUSE_POLL_NS 1000000

enum phase {
	BEFORE_EXEC, /* our own child, not yet the command */
	RUNNING,
	LINGERING, /* nothing is counted any more */
	DYING,	   /* everything is killed */
};

static struct {
	struct plan *plan;
	struct outcome *out;
	struct tree tree;
	enum phase phase;
	pid_t root;
	long long deadline_ms;
	struct stat stdout_file, stderr_file;
} run;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void on_tick(int sig)
{
	(void)sig;
}

/* A tick that comes again and again: one that falls between a check and the wait does no harm. */
static void start_ticks(void)
{
	const struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };
	const struct sigaction act = { .sa_handler = on_tick };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static int install_filter(bool faults)
{
	struct sock_filter code[CALL_FILTER_MAX];
	struct sock_fprog prog = { call_filter(code, faults), code };
	unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW; /* measure no mitigation of ours */

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) /* not root */
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/*
 * The child waits until it is traced; what it cannot start it says through the pipe that exec
 * closes.
 */
static void __attribute__((noreturn)) become_command(const struct plan *p, int go, int say)
{
	char c;

	if (read(go, &c, 1) == 1 && install_filter(p->faults) == 0)
		execvp(p->argv[0], p->argv);
	int e = errno;

	(void)!write(say, &e, sizeof e);
	_exit(127);
}

static void resume(pid_t tid, int sig)
{
	(void)ptrace(PTRACE_CONT, tid, 0, sig);
}

/* Lets the call of a point happen and asks how it ended: the kernel may restart it by itself. */
static void resume_into_call(struct tracee *t, const struct regs_call *c)
{
	t->replay = *c;
	(void)ptrace(PTRACE_SYSCALL, t->tid, 0, 0);
}

/*
 * After the call of a point. A write to /proc/sys/net that found the link lock taken, or a call
 * that a signal interrupted, is made again without the program knowing; that is not another point.
 */
static void on_return(struct tracee *t)
{
	long error = regs_error(t->tid);

	t->replaying = error == KERNEL_ERESTARTSYS || error == KERNEL_ERESTARTNOINTR;
	resume(t->tid, 0);
}

static void list_point(const struct tracee *t, const struct stop *s, enum call_class class)
{
	if (run.plan->list)
		fprintf(run.plan->list, "%u\t%u\t%s\t%s\t%s\t%s\n", run.out->points, t->ordinal,
			class == CALL_CRASH ? "crash" : "fault", t->program, call_name(s->call),
			s->detail.buf);
}

/*
 * Those whose parents die now become our children, so that no zombie is left to whoever is process
 * 1.
 */
static void kill_all(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	run.phase = DYING;
	run.deadline_ms = now_ms() + REAP_MS;
	tree_kill(&run.tree);
}

/*
 * The rest of the tree runs into its own next point and stays there: nobody takes its reports
 * meanwhile.
 */
static void hold(const struct act *a, pid_t tgid)
{
	const struct timespec nap = { 0, PAUSE_POLL_NS };
	long long since = now_ms(), until = since + run.plan->pause_s * 1000LL;
	int fd = open(a->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		fprintf(stderr, "stepper: pause: create %s: %s; the file must not exist yet\n",
			a->file, strerror(errno));
		run.out->timeout = true;
		return;
	}
	dprintf(fd, "%d\n", (int)tgid);
	close(fd);
	while (access(a->file, F_OK) == 0) {
		if (now_ms() > until) {
			fprintf(stderr,
				"stepper: pause: %s was not removed within %d s; "
				"the tree is killed\n",
				a->file, run.plan->pause_s);
			(void)unlink(a->file);
			run.out->timeout = true;
			return;
		}
		nanosleep(&nap, NULL);
	}
	run.deadline_ms += now_ms() - since;
}

static struct act *act_at(unsigned point)
{
	for (unsigned i = 0; i < run.plan->nact; i++) {
		struct act *a = &run.plan->act[i];

		if (a->at == point || (a->kind == ACT_ERRNO_FROM && point > a->at))
			return a;
	}
	return NULL;
}

/* At a point; the thread stands before the call. */
static void disturb(struct tracee *t, struct act *a, const struct regs_call *c)
{
	a->fired = true;
	switch (a->kind) {
	case ACT_KILL:
		regs_skip(t->tid, EINTR);
		run.out->killed = true;
		kill_all();
		return;
	case ACT_KILL_ONE:
		regs_skip(t->tid, EINTR);
		(void)kill(t->tgid, SIGKILL);
		return;
	case ACT_SIGNAL:
		regs_replay(t->tid);
		t->replaying = true;
		t->replay = *c;
		(void)kill(t->tgid, a->value);
		break;
	case ACT_ERRNO:
	case ACT_ERRNO_FROM:
		regs_skip(t->tid, a->value);
		break;
	case ACT_PAUSE:
		hold(a, t->tgid);
		if (run.out->timeout) {
			kill_all();
			return;
		}
		resume_into_call(t, c);
		return;
	}
	resume(t->tid, 0);
}

static bool is_replay(struct tracee *t, const struct regs_call *c)
{
	if (!t->replaying || t->replay.nr != c->nr || t->replay.ip != c->ip ||
	    t->replay.sp != c->sp)
		return false;
	t->replaying = false;
	return true;
}

static void on_call(struct tracee *t)
{
	struct regs_call c;

	if (run.phase != RUNNING || !t->counted || !regs_call(t->tid, &c)) {
		resume(t->tid, 0);
		return;
	}
	if (is_replay(t, &c)) {
		resume_into_call(t, &c);
		return;
	}
	struct stop s = {
		.tid = t->tid,
		.tgid = t->tgid,
		.faults = run.plan->faults,
		.is_root = t->tgid == run.root,
		.delivers = t->tgid == run.root || run.plan->nonly,
		.out = &run.stdout_file,
		.err = &run.stderr_file,
		.call = call_find(c.nr),
	};
	memcpy(s.arg, c.arg, sizeof s.arg);
	enum call_class class = s.call ? call_classify(&s) : CALL_NONE;

	if (class == CALL_NONE) {
		resume(t->tid, 0);
		return;
	}
	run.out->points++;
	list_point(t, &s, class);
	struct act *a = act_at(run.out->points);

	if (a)
		disturb(t, a, &c);
	else
		resume_into_call(t, &c);
}

static void on_event(struct tracee *t, int event, int sig)
{
	unsigned long msg = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		on_call(t);
		return;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK: {
		pid_t tid = t->tid;

		if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &msg) == 0 && msg)
			(void)tree_add(&run.tree, (pid_t)msg); /* may move the table */
		resume(tid, 0);
		return;
	}
	case PTRACE_EVENT_EXEC: {
		pid_t tid = t->tid;

		if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &msg) < 0)
			msg = 0;
		if (run.phase == BEFORE_EXEC)
			run.phase = RUNNING;
		tree_exec(&run.tree, tid, (pid_t)msg, run.plan);
		resume(tid, 0);
		return;
	}
	case PTRACE_EVENT_STOP:
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			(void)ptrace(PTRACE_LISTEN, t->tid, 0, 0); /* as stopped by a shell */
		else
			resume(t->tid, 0);
		return;
	default:
		resume(t->tid, 0);
	}
}

static void on_gone(pid_t tid, int status)
{
	tree_remove(&run.tree, tid);
	if (tid != run.root)
		return;
	run.out->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	run.out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

/* Serves one report. Returns false when there is nobody left to wait for. */
static bool step(void)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL);

	if (tid < 0)
		return errno == EINTR;
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		on_gone(tid, status);
		return true;
	}
	if (!WIFSTOPPED(status))
		return true;
	struct tracee *t = tree_add(&run.tree, tid);

	if (run.phase == DYING) {
		(void)kill(t->tgid, SIGKILL);
		resume(tid, 0);
	} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		on_return(t);
	} else if (status >> 16) {
		on_event(t, status >> 16, WSTOPSIG(status));
	} else {
		resume(tid, WSTOPSIG(status));
	}
	return true;
}

static bool root_is_gone(void)
{
	return run.out->exit >= 0 || run.out->signal >= 0;
}

static void serve(void)
{
	while (step()) {
		if (run.phase != DYING && root_is_gone() && !run.plan->whole_tree)
			return;
		if (now_ms() < run.deadline_ms)
			continue;
		if (run.phase == DYING)
			return;
		run.out->timeout = true;
		kill_all();
	}
}

static int start(struct plan *plan, int go[2], int say[2])
{
	const long opts = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
			  PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			  PTRACE_O_TRACEEXEC;

	run.root = fork();
	if (run.root == 0)
		become_command(plan, go[0], say[1]);
	close(say[1]);
	if (run.root < 0 || ptrace(PTRACE_SEIZE, run.root, 0, opts) < 0) {
		perror("stepper: trace the command");
		return -1;
	}
	(void)tree_add(&run.tree, run.root);
	return write(go[1], "", 1) == 1 ? 0 : -1;
}

int trace_run(struct plan *plan, struct outcome *out)
{
	int go[2], say[2];

	*out = (struct outcome){ .exit = -1, .signal = -1 };
	run.plan = plan;
	run.out = out;
	run.deadline_ms = now_ms() + plan->timeout_s * 1000LL;
	(void)fstat(STDOUT_FILENO, &run.stdout_file);
	(void)fstat(STDERR_FILENO, &run.stderr_file);
	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(say, O_CLOEXEC) < 0) {
		perror("stepper: pipe");
		return -1;
	}
	if (start(plan, go, say) < 0)
		return -1;
	start_ticks();
	serve();
	(void)fcntl(say[0], F_SETFL, O_NONBLOCK);
	if (run.phase == BEFORE_EXEC && read(say[0], &out->error, sizeof out->error) < 0)
		out->error = 0;
	if (run.phase != DYING)
		run.phase = LINGERING;
	out->survivors = (unsigned)run.tree.count;
	if (plan->list)
		fflush(plan->list);
	return 0;
}

void trace_linger(const struct plan *plan)
{
	if (!run.tree.count)
		return;
	(void)setsid();
	(void)!chdir("/");
	(void)prctl(PR_SET_NAME, "stepper-linger");
	(void)syscall(SYS_close_range, 0u, ~0u, 0u);
	run.deadline_ms = now_ms() + plan->linger_s * 1000LL;
	while (step()) {
		if (now_ms() < run.deadline_ms)
			continue;
		if (run.phase == DYING)
			return;
		kill_all();
	}
}
