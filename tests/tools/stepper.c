// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command, numbers every state-changing system call of its whole process tree with one
 * counter, and can kill, fail, signal or hold the tree at any of them. A call that changes nothing
 * outside the process needs no number: dying before it is the same as dying after the last change.
 *
 * What the traced programs can notice: a seccomp filter is installed (Seccomp: 2, one filter more),
 * TracerPid is set, and a child that has ended is reapable a moment after its pidfd became
 * readable: wait for it, do not poll.
 */
#include "tests/tools/stepper.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tools/stepper_trace.h"

#define ERRNO_MAX 133
#define SECONDS_MAX 86400

enum {
	EXIT_TIMEOUT = 124,
	EXIT_BROKEN = 125,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNALED = 128,
};

enum {
	OPT_LIST = 256,
	OPT_KILL,
	OPT_KILL_ONE,
	OPT_SIGNAL,
	OPT_ERRNO,
	OPT_ERRNO_FROM,
	OPT_PAUSE,
	OPT_FAULTS,
	OPT_ONLY,
	OPT_REPORT,
	OPT_WHOLE,
	OPT_TIMEOUT,
	OPT_PAUSE_LIMIT,
	OPT_LINGER,
	OPT_HELP,
};

static const struct option options[] = { { "list", optional_argument, NULL, OPT_LIST },
					 { "kill", required_argument, NULL, OPT_KILL },
					 { "kill-one", required_argument, NULL, OPT_KILL_ONE },
					 { "signal", required_argument, NULL, OPT_SIGNAL },
					 { "errno", required_argument, NULL, OPT_ERRNO },
					 { "errno-from", required_argument, NULL, OPT_ERRNO_FROM },
					 { "pause", required_argument, NULL, OPT_PAUSE },
					 { "faults", no_argument, NULL, OPT_FAULTS },
					 { "only", required_argument, NULL, OPT_ONLY },
					 { "report", required_argument, NULL, OPT_REPORT },
					 { "whole-tree", no_argument, NULL, OPT_WHOLE },
					 { "timeout", required_argument, NULL, OPT_TIMEOUT },
					 { "pause-limit", required_argument, NULL,
					   OPT_PAUSE_LIMIT },
					 { "linger", required_argument, NULL, OPT_LINGER },
					 { "help", no_argument, NULL, OPT_HELP },
					 { 0 } };

static const char help[] =
	"Usage: stepper [OPTION]... [--] COMMAND [ARG]...\n"
	"\n"
	"Runs COMMAND and numbers, over its whole process tree and from 1, each system call\n"
	"that changes something outside the process: a crash point. Look first, then break:\n"
	"\n"
	"  stepper --list -- sh -c 'echo a > f; mv f g; rm g'     four points\n"
	"  stepper --kill=3 -- sh -c 'echo a > f; mv f g; rm g'   dies before the rename\n"
	"  for n in $(seq 1 4); do stepper --kill=$n -- COMMAND; check; done\n"
	"\n"
	"What counts as a crash point: creating, truncating, linking, renaming, removing and\n"
	"changing files; writing to files with a name (also /proc, /sys, cgroups); mounts; host\n"
	"names; signals to others; netlink sends with a message that is not a get or a dump; the\n"
	"command's own write to standard output. Files without a name count from their linkat on.\n"
	"\n"
	"  --list[=FILE]         print the points: number, process (in order of appearance), class,\n"
	"                        program, call, detail; separated by tabs; to standard error or FILE\n"
	"  --kill=N              SIGKILL the whole tree just before point N, daemons included\n"
	"  --kill-one=N          SIGKILL only the process at point N\n"
	"  --signal=SIG@N        deliver SIG just before point N; the process goes on if it can\n"
	"  --errno=NAME@N        point N fails with NAME (ENOSPC) and is not executed\n"
	"  --errno-from=NAME@N   so do all points from N on\n"
	"  --pause=N:FILE        at point N create FILE (holding the pid) and hold the tree until\n"
	"                        FILE is removed; every other process stands still at its next\n"
	"                        listed call\n"
	"  --faults              number fault points too: open, read, exec, fork, socket, setns,\n"
	"                        unshare, locks, fsync, netlink gets ... in the same counter\n"
	"  --only=PROG[,PROG]    count only in processes whose program has one of these names\n"
	"  --whole-tree          count until the last process is gone, not until COMMAND exits\n"
	"  --report=FD|FILE      one line of JSON about the run:\n"
	"                        {\"points\":4,\"fired\":true,\"exit\":null,\"signal\":9,\n"
	"                         \"timeout\":false,\"survivors\":0}\n"
	"  --timeout=SEC         kill the tree after SEC seconds (30)\n"
	"  --pause-limit=SEC     the same for each pause (30)\n"
	"  --linger=SEC          processes that outlive COMMAND go on, served by a process named\n"
	"                        stepper-linger, and are killed after SEC seconds (600)\n"
	"\n"
	"Up to 8 disturbances can be given; \"fired\" says that all of them happened.\n"
	"Exit status: that of COMMAND; 128+N when signal N ended it (137: killed); 124 timeout;\n"
	"125 stepper failed; 127 COMMAND not found. Needs root for programs that are root's.\n";

static void __attribute__((noreturn, format(printf, 1, 2))) usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("stepper: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see stepper --help\n", stderr);
	exit(EXIT_USAGE);
}

/*
 * A whole number from 1 to max at the start of text, followed by end. Returns the rest after end.
 */
static const char *parse_number(const char *opt, const char *text, long max, char end, long *out)
{
	char *rest;

	*out = strtol(text, &rest, 10);
	if (rest == text || *rest != end || *out < 1 || *out > max)
		usage_error("--%s: expected a number from 1 to %ld%s, got %s", opt, max,
			    end ? " and then a colon" : "", text);
	return end ? rest + 1 : rest;
}

static int errno_by_name(const char *name)
{
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *n = strerrorname_np(e);

		if (n && !strcmp(n, name))
			return e;
	}
	usage_error("expected the name of an error like ENOSPC, got %s", name);
}

static int signal_by_name(const char *name)
{
	const char *brief = strncmp(name, "SIG", 3) ? name : name + 3;

	for (int s = 1; s < 32; s++) {
		const char *n = sigabbrev_np(s);

		if (n && !strcmp(n, brief))
			return s;
	}
	usage_error("expected the name of a signal like SIGTERM, got %s", name);
}

static void add_act(struct plan *p, enum act_kind kind, const char *opt, char *text)
{
	struct act a = { .kind = kind };
	char *at = text;
	long n;

	if (kind == ACT_SIGNAL || kind == ACT_ERRNO || kind == ACT_ERRNO_FROM) {
		at = strchr(text, '@');
		if (!at)
			usage_error("--%s: expected NAME@N, got %s", opt, text);
		*at++ = 0;
		a.value = kind == ACT_SIGNAL ? signal_by_name(text) : errno_by_name(text);
	}
	const char *rest = parse_number(opt, at, 1000000, kind == ACT_PAUSE ? ':' : 0, &n);

	a.at = (unsigned)n;
	if (kind == ACT_PAUSE && !*rest)
		usage_error("--pause: expected N:FILE, got %s without a file", text);
	a.file = rest;
	if (p->nact == PLAN_ACTS_MAX)
		usage_error("more than %d disturbances", PLAN_ACTS_MAX);
	p->act[p->nact++] = a;
}

static void add_only(struct plan *p, char *names)
{
	for (char *n = strtok(names, ","); n; n = strtok(NULL, ",")) {
		if (p->nonly == PLAN_ONLY_MAX)
			usage_error("--only: more than %d names", PLAN_ONLY_MAX);
		p->only[p->nonly++] = n;
	}
}

static FILE *open_output(const char *opt, const char *where)
{
	char *rest;
	long fd = strtol(where, &rest, 10);
	FILE *f;

	if (*where && !*rest) {
		int copy = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);

		f = copy < 0 ? NULL : fdopen(copy, "w");
		if (fd > STDERR_FILENO)
			(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC); /* not the command's */
	} else {
		f = fopen(where, "we");
	}
	if (!f)
		usage_error("--%s: cannot write to %s: %s", opt, where, strerror(errno));
	return f;
}

static int seconds(const char *opt, const char *text)
{
	long n;

	(void)parse_number(opt, text, SECONDS_MAX, 0, &n);
	return (int)n;
}

static void parse_options(struct plan *p, FILE **report, int argc, char **argv)
{
	const char *list_to = NULL, *report_to = NULL;
	int index = 0, c;

	while ((c = getopt_long(argc, argv, "+", options, &index)) != -1) {
		const char *opt = c == '?' ? "" : options[index].name;

		switch (c) {
		case OPT_LIST:
			list_to = optarg ? optarg : "2";
			break;
		case OPT_KILL:
		case OPT_KILL_ONE:
		case OPT_SIGNAL:
		case OPT_ERRNO:
		case OPT_ERRNO_FROM:
		case OPT_PAUSE:
			add_act(p, ACT_KILL + (enum act_kind)(c - OPT_KILL), opt, optarg);
			break;
		case OPT_FAULTS:
			p->faults = true;
			break;
		case OPT_ONLY:
			add_only(p, optarg);
			break;
		case OPT_REPORT:
			report_to = optarg;
			break;
		case OPT_WHOLE:
			p->whole_tree = true;
			break;
		case OPT_TIMEOUT:
			p->timeout_s = seconds(opt, optarg);
			break;
		case OPT_PAUSE_LIMIT:
			p->pause_s = seconds(opt, optarg);
			break;
		case OPT_LINGER:
			p->linger_s = seconds(opt, optarg);
			break;
		case OPT_HELP:
			fputs(help, stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(EXIT_USAGE);
		}
	}
	p->argv = argv + optind;
	if (!*p->argv)
		usage_error("no command to run");
	if (list_to)
		p->list = open_output("list", list_to);
	if (report_to)
		*report = open_output("report", report_to);
}

static const char *number_or_null(int n, char buf[16])
{
	snprintf(buf, 16, "%d", n);
	return n < 0 ? "null" : buf;
}

static void write_report(FILE *f, const struct plan *p, const struct outcome *o)
{
	char exit_text[16], signal_text[16];
	bool fired = p->nact > 0;

	for (unsigned i = 0; i < p->nact; i++)
		fired &= p->act[i].fired;
	fprintf(f,
		"{\"points\":%u,\"fired\":%s,\"exit\":%s,\"signal\":%s,\"timeout\":%s,"
		"\"survivors\":%u}\n",
		o->points, fired ? "true" : "false", number_or_null(o->exit, exit_text),
		number_or_null(o->signal, signal_text), o->timeout ? "true" : "false",
		o->survivors);
	fclose(f);
}

static int exit_code(const struct plan *p, const struct outcome *o)
{
	if (o->error) {
		fprintf(stderr, "stepper: cannot run %s: %s\n", p->argv[0], strerror(o->error));
		return EXIT_NOT_FOUND;
	}
	if (o->timeout) {
		fprintf(stderr, "stepper: %s was killed: the time was over after %u points\n",
			p->argv[0], o->points);
		return EXIT_TIMEOUT;
	}
	if (o->killed)
		return EXIT_SIGNALED + SIGKILL;
	return o->exit >= 0 ? o->exit : EXIT_SIGNALED + o->signal;
}

/*
 * The tracer is a child: when the command has ended, this process leaves with its status, and the
 * tracer can stay behind for the survivors.
 */
int main(int argc, char **argv)
{
	struct plan plan = { .timeout_s = 30, .pause_s = 30, .linger_s = 600 };
	FILE *report = NULL;
	struct outcome out;
	struct {
		unsigned char code, lingers;
	} end;
	int done[2];

	parse_options(&plan, &report, argc, argv);
	if (pipe2(done, O_CLOEXEC) < 0) {
		perror("stepper: pipe");
		return EXIT_BROKEN;
	}
	pid_t self = getpid(), tracer = fork();

	if (tracer < 0) {
		perror("stepper: fork");
		return EXIT_BROKEN;
	}
	if (tracer > 0) {
		close(done[1]);
		if (read(done[0], &end, sizeof end) != sizeof end)
			return EXIT_BROKEN;
		if (!end.lingers)
			(void)waitpid(tracer, NULL, 0);
		return end.code;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self || trace_run(&plan, &out) < 0)
		_exit(EXIT_BROKEN);
	if (report)
		write_report(report, &plan, &out);
	end.code = (unsigned char)exit_code(&plan, &out);
	end.lingers = out.survivors > 0;
	(void)prctl(PR_SET_PDEATHSIG, 0);
	(void)!write(done[1], &end, sizeof end);
	close(done[1]);
	trace_linger(&plan);
	_exit(EXIT_SUCCESS);
}
