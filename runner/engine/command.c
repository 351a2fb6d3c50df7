// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/err.h"

/* A descriptor that is needed later must not be overwritten before. */
int command_stdio(const int stdio[3])
{
	int from[3];

	for (int i = 0; i < 3; i++) {
		from[i] = stdio[i];
		if (from[i] < 3 && from[i] != i &&
		    (from[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++)
		if (from[i] == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(from[i], i) < 0)
			return -errno;
	return 0;
}

void command_signals(void)
{
	struct sigaction a = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < SIGRTMIN; i++)
		(void)sigaction(i, &a, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *path_of(const char *const *env)
{
	for (; env && *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int say(int no, const char *name, const char *path, struct err *e)
{
	int r;

	if (no == ENOENT && path && access(path, F_OK) == 0)
		r = err_say(
			e, -no,
			"%s: exists, but its interpreter or dynamic loader does not exist inside the container",
			path);
	else if (no == ENOENT || no == ENOTDIR)
		r = path ? err_say(e, -ENOENT, "%s: no such file inside the container", path)
			 : err_say(e, -ENOENT,
				   "%s: executable file not found in the container's PATH", name);
	else if (no == ENOEXEC)
		r = err_say(e, -no,
			    "%s: is not a program of this machine's kind, and names no interpreter",
			    path ? path : name);
	else
		r = err_set(e, -no, "%s: cannot be executed", path ? path : name);
	if (e)
		e->code = r == -ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE;
	return r;
}

/*
 * Along PATH as execvpe does: absent ones are passed over, one that is there and cannot be run is
 * remembered.
 */
static int search(const char *const *args, const char *const *env, struct err *e)
{
	const char *dir = path_of(env);
	char path[PATH_MAX], found[PATH_MAX] = "";
	int no = ENOENT;

	for (bool more = true; more; dir++) {
		size_t len = strcspn(dir, ":");
		int n = snprintf(path, sizeof path, "%.*s%s%s", (int)len, dir, len ? "/" : "./",
				 args[0]);

		dir += len;
		more = *dir == ':';
		if (n >= (int)sizeof path)
			continue;
		(void)execve(path, (char *const *)args, (char *const *)env);
		int why = errno;
		if (why != ENOENT && why != ENOTDIR && why != EACCES)
			return say(why, args[0], path, e);
		if (!*found && (why == EACCES || (why == ENOENT && access(path, F_OK) == 0))) {
			no = why;
			memcpy(found, path, sizeof found);
		}
	}
	return say(no, args[0], *found ? found : NULL, e);
}

int command_exec(const char *const *args, const char *const *env, struct err *e)
{
	if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(e, -errno, "close what is not the container's");
	if (!*args[0])
		return say(ENOENT, "\"\"", NULL, e);
	if (!strchr(args[0], '/'))
		return search(args, env, e);
	(void)execve(args[0], (char *const *)args, (char *const *)env);
	return say(errno, args[0], args[0], e);
}
