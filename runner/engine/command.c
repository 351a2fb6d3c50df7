// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/command.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/stage.h"
#include "runner/engine/sync.h"

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

int command_refused(int no, const char *name, bool exists, struct err *e)
{
	int r;

	if (no == ENOENT && exists)
		r = err_say(e, -no,
			    "%s: exists, but its interpreter or loader is missing in the container",
			    name);
	else if (no == ENOENT && strchr(name, '/'))
		r = err_say(e, -no, "%s: no such file inside the container", name);
	else if (no == ENOENT)
		r = err_say(e, -no, "%s: executable file not found in the container's PATH",
			    *name ? name : "\"\"");
	else if (no == ENOEXEC)
		r = err_say(e, -no,
			    "%s: is not a program of this machine's kind, and names no interpreter",
			    name);
	else if (no == EISDIR)
		r = err_say(e, -no, "%s: is a directory and cannot be executed", name);
	else
		r = err_set(e, -no, "%s: cannot be executed", name);
	if (e)
		e->code = no == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE;
	return r;
}

/* 0 when it can be tried. */
static int look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/*
 * Along PATH as execvpe does: absent ones are passed over, and of those that are there but cannot
 * be run the first is what is complained about.
 */
static int search(const char *name, const char *dir, char path[PATH_MAX])
{
	char next[PATH_MAX];
	int first = -ENOENT;

	(void)snprintf(path, PATH_MAX, "%s", name);
	for (bool more = true; more; dir++) {
		size_t len = strcspn(dir, ":");
		int n = snprintf(next, sizeof next, "%.*s%s%s", (int)len, dir, len ? "/" : "./",
				 name);
		int r = n < (int)sizeof next ? look_at(next) : -ENOENT;

		dir += len;
		more = *dir == ':';
		if (r == 0 || (r != -ENOENT && first == -ENOENT))
			memcpy(path, next, sizeof next);
		if (r == 0)
			return 0;
		if (first == -ENOENT)
			first = r;
	}
	return first;
}

/*
 * A machine program on the root mount: its file cannot be the runner's, and it cannot name the
 * runner's as its interpreter (a script can, by "#!/proc/self/exe").
 */
static bool is_plain_program(const char *path)
{
	const int no_wait = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	cleanup_fd int fd = open(path, no_wait);
	struct statx file, root;
	char magic[SELFMAG];

	return fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &file) == 0 &&
	       statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) == 0 &&
	       (file.stx_mask & root.stx_mask & STATX_MNT_ID) &&
	       file.stx_mnt_id == root.stx_mnt_id && read(fd, magic, SELFMAG) == SELFMAG &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

/* Returns when the program could not be started at all. */
static int exec_by_stage(const char *path, const char *const *args, const char *const *env,
			 int sync, struct err *e)
{
	int r;

	sync_executing(sync, path);
	if (sync == STAGE_FD ? fcntl(sync, F_SETFD, 0) < 0 : dup2(sync, STAGE_FD) < 0)
		return err_set(e, -errno, "keep the way back for an error");
	r = stage_exec(path, args, env);
	return err_set(e, r,
		       "%s: cannot be executed by way of sealed memory (is the sysctl "
		       "vm.memfd_noexec 2?)",
		       path);
}

int command_exec(const struct command *c, int sync, struct err *e)
{
	char path[PATH_MAX];
	int r;

	if (syscall(SYS_close_range, STAGE_FD, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(e, -errno, "close what is not the container's");
	if (snprintf(path, sizeof path, "%s", c->args[0]) >= (int)sizeof path)
		return command_refused(ENAMETOOLONG, c->args[0], false, e);
	r = strchr(path, '/') ? look_at(path) :
	    *path	      ? search(c->args[0], path_of(c->env), path) :
				-ENOENT;
	if (r < 0)
		return command_refused(-r, path, false, e);
	if (!c->alone || !is_plain_program(path))
		return exec_by_stage(path, c->args, c->env, sync, e);
	(void)execve(path, (char *const *)c->args, (char *const *)c->env);
	return command_refused(errno, path, true, e);
}
