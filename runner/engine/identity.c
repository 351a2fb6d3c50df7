// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "runner/engine/inroot.h"
#include "runner/engine/seccomp.h"
#include "runner/spec.h"

#define PASSWD_MAX (256 * 1024)

void note_add(struct notes *n, const char *fmt, ...)
{
	size_t len = strlen(n->text);
	va_list ap;

	va_start(ap, fmt);
	if (len)
		len += (size_t)snprintf(n->text + len, sizeof n->text - len, "; ");
	if (len < sizeof n->text)
		(void)vsnprintf(n->text + len, sizeof n->text - len, fmt, ap);
	va_end(ap);
}

/* ---------------------------------------------------------------- limits */

int identity_limits(const struct spec *s, int proc, struct notes *n, struct err *e)
{
	const struct spec_process *p = &s->process;
	char text[16];
	int r;

	for (size_t i = 0; i < p->nrlimits; i++) {
		struct rlimit want = { p->rlimits[i].soft, p->rlimits[i].hard }, have;
		__rlimit_resource_t which = (__rlimit_resource_t)p->rlimits[i].resource;

		if (setrlimit(which, &want) == 0)
			continue;
		if (errno != EPERM || getrlimit(which, &have) < 0)
			return err_set(e, -errno, "set resource limit %d", p->rlimits[i].resource);
		want.rlim_max = have.rlim_max; /* without CAP_SYS_RESOURCE limits only go down */
		want.rlim_cur = want.rlim_cur < have.rlim_max ? want.rlim_cur : have.rlim_max;
		if (setrlimit(which, &want) < 0)
			return err_set(e, -errno, "set resource limit %d", p->rlimits[i].resource);
		note_add(n, "resource limit %d could not be raised above %llu",
			 p->rlimits[i].resource, (unsigned long long)have.rlim_max);
	}
	if (!p->oom_score_given || proc < 0)
		return 0;
	(void)snprintf(text, sizeof text, "%d", p->oom_score_adj);
	r = file_poke_at(proc, "self/oom_score_adj", text);
	if (r == -EACCES || r == -EPERM)
		note_add(n, "oom_score_adj %s could not be set: it is below the caller's", text);
	else if (r < 0)
		return err_set(e, r, "set oom_score_adj to %s", text);
	return 0;
}

/* ---------------------------------------------------------------- identity */

/* By a lookup that follows no magic link: /proc/self/fd/N cannot be a way out (CVE-2024-21626). */
static int enter_cwd(const char *cwd, struct err *e)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int dir = root < 0 ? -errno : inroot_make(root, cwd, true);
	char where[PATH_MAX];

	if (dir < 0)
		return err_set(e, dir, "find or make the working directory %s", cwd);
	if (fchdir(dir) < 0)
		return err_set(e, -errno, "enter the working directory %s", cwd);
	if (syscall(SYS_getcwd, where, sizeof where) < 0 || *where != '/')
		return err_say(e, -EPERM,
			       "working directory %s: lies outside of the container's root", cwd);
	return 0;
}

/* So that /dev/stdout can be opened by the container's user. */
static void give_stdio(const struct identity *id)
{
	struct stat st;

	for (int i = 0; i < 3; i++)
		if (fstat(i, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != id->uid)
			if (fchown(i, id->uid, (gid_t)-1) < 0)
				return; /* a convenience, nothing more */
}

static int become_user(const struct identity *id, bool keep, struct err *e)
{
	if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "keep capabilities across the change of user");
	if (syscall(SYS_setgroups, id->ngroups, id->groups) < 0)
		return err_set(e, -errno, "set %zu additional groups", id->ngroups);
	if (syscall(SYS_setresgid, id->gid, id->gid, id->gid) < 0)
		return err_set(e, -errno, "set group id %u", id->gid);
	if (syscall(SYS_setresuid, id->uid, id->uid, id->uid) < 0)
		return err_set(e, -errno, "set user id %u", id->uid);
	return 0;
}

static void note_lacking(struct notes *n, uint64_t lacking)
{
	char text[160];

	if (lacking)
		note_add(n, "the host cannot give %s", caps_text(lacking, text, sizeof text));
}

/*
 * The filter comes first unless no_new_privs makes it possible later, as it needs CAP_SYS_ADMIN; it
 * allows what follows. A user other than root loses all capabilities with the change of user; only
 * when some are to survive it they are kept and set.
 */
int identity_apply(const struct identity *id, struct notes *n, struct err *e)
{
	bool keep = id->uid && (id->caps.ambient | id->caps.inheritable);
	uint64_t bound = 0, rest = 0;
	int r;

	if (id->uid)
		give_stdio(id);
	if (strcmp(id->cwd, "/") != 0 && (r = enter_cwd(id->cwd, e)) < 0)
		return r;
	if (id->spec->process.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "set no_new_privs");
	if (id->filter && (r = seccomp_install(id->filter)) < 0)
		return err_set(e, r, "install the seccomp filter");
	if ((r = caps_drop_bounding(&id->caps, &bound, e)) < 0 ||
	    (r = become_user(id, keep, e)) < 0)
		return r;
	if ((!id->uid || keep) && (r = caps_set(&id->caps, &rest, e)) < 0)
		return r;
	note_lacking(n, bound | rest);
	(void)umask((mode_t)id->spec->process.user.umask);
	return 0;
}

/* ---------------------------------------------------------------- home */

/* name:password:uid:gid:gecos:home:shell */
static const char *home_in(char *line, uid_t uid)
{
	char *field[6], *end;

	for (int i = 0; i < 6; i++) {
		field[i] = line;
		line = strchr(line, ':');
		if (!line)
			return NULL;
		*line++ = '\0';
	}
	unsigned long n = strtoul(field[2], &end, 10);
	return end > field[2] && !*end && n == uid && *field[5] == '/' ? field[5] : NULL;
}

void identity_home(int root, uid_t uid, const char **env)
{
	static char text[PASSWD_MAX], out[512];
	cleanup_fd int fd = -1;
	const char *home = NULL;
	struct stat st;
	ssize_t n;

	for (; *env; env++)
		if (!strncmp(*env, "HOME=", 5))
			return;
	fd = inroot_open(root, "/etc/passwd", O_RDONLY | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (n = read(fd, text, sizeof text - 1)) > 0) {
		text[n] = '\0';
		for (char *line = text, *next; line && !home; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			home = home_in(line, uid);
		}
	}
	if (!home || snprintf(out, sizeof out, "HOME=%s", home) >= (int)sizeof out)
		(void)snprintf(out, sizeof out, "HOME=%s", uid ? "/" : "/root");
	*env = out;
}
