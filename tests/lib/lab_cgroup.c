// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/lab_cgroup.h"

#include "tests/lib/lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define HIERARCHY_MAX 32
#define PATH_SIZE 1024

/* One mounted hierarchy of the machine. */
struct hierarchy {
	char point[256]; /* where it is mounted */
	char options
		[128]; /* what selects it: "cpu,cpuacct", "none,name=systemd"; version 2 has none */
	bool v2;
	char group[PATH_SIZE]; /* ours, as a path outside */
};

static struct hierarchy all[HIERARCHY_MAX];
static size_t count;

static bool put(const char *dir, const char *file, const char *text)
{
	char path[PATH_SIZE + 64];
	int fd;
	bool ok;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void get(const char *dir, const char *file, char *text, size_t size)
{
	char path[PATH_SIZE + 64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

/* ---- finding out ---- */

static void find_hierarchies(void)
{
	char line[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f && fgets(line, sizeof line, f) && count < HIERARCHY_MAX) {
		struct hierarchy *h = &all[count];
		char type[32], super[256], *tail = strstr(line, " - ");

		if (!tail || sscanf(line, "%*d %*d %*s %*s %255s", h->point) != 1 ||
		    strncmp(h->point, ROOT, strlen(ROOT)) ||
		    sscanf(tail, " - %31s %*s %255s", type, super) != 2)
			continue;
		if (strcmp(type, "cgroup") && strcmp(type, "cgroup2"))
			continue;
		h->v2 = !strcmp(type, "cgroup2");
		tail = strncmp(super, "rw,", 3) && strncmp(super, "ro,", 3) ? super : super + 3;
		snprintf(h->options, sizeof h->options, "%s%s",
			 strncmp(tail, "name=", 5) ? "" : "none,", h->v2 ? "" : tail);
		count++;
	}
	if (f)
		fclose(f);
}

/*
 * True when the controllers of a line of /proc/self/cgroup are those of h ("xattr" and the like are
 * not controllers).
 */
static bool is_line_of(const struct hierarchy *h, const char *controllers)
{
	size_t len = strlen(controllers);
	const char *options = strncmp(h->options, "none,", 5) ? h->options : h->options + 5;
	const char *at = strstr(options, controllers);

	if (h->v2 || !len)
		return false;
	return at && (at == options || at[-1] == ',') && (at[len] == '\0' || at[len] == ',');
}

/*
 * Our group is made below the one we are in, so that its limits stay in force. Version 2 allows no
 * limits below a group that holds processes, as ours does; there it is made below the root.
 */
static void choose_group(struct hierarchy *h)
{
	char line[PATH_SIZE], here[PATH_SIZE] = "";
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof line, f)) {
		char *name = strchr(line, ':'), *path = name ? strchr(name + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (is_line_of(h, name + 1) && strcmp(path, "/"))
			snprintf(here, sizeof here, "%s", path);
	}
	if (f)
		fclose(f);
	snprintf(line, sizeof line, "%s%.700s", h->point, here);
	if (access(line, W_OK) < 0)
		here[0] = '\0';
	snprintf(h->group, sizeof h->group, "%s%.700s/naru-test-%d", h->point, here, (int)getpid());
}

/* ---- the caretaker ---- */

static bool remove_group(const char *path)
{
	char sub[PATH_SIZE * 2], pids[65536], *rest = pids, *pid;
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return errno == ENOENT;
	(void)put(path, "freezer.state", "THAWED");
	get(path, "cgroup.procs", pids, sizeof pids);
	while ((pid = strsep(&rest, "\n")))
		if (*pid)
			(void)kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
		(void)remove_group(sub);
	}
	closedir(d);
	return rmdir(path) == 0;
}

static bool remove_groups(void)
{
	bool gone = true;

	for (size_t i = 0; i < count; i++)
		gone &= !all[i].group[0] || remove_group(all[i].group);
	return gone;
}

static void caretaker(int pidfd) __attribute__((noreturn));
static void caretaker(int pidfd)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int null = open("/dev/null", O_RDWR);

	lab_child();
	(void)setsid();
	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	if (null > 2)
		close(null);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < 250 && !remove_groups(); i++)
		nanosleep(&pause, NULL);
	_exit(0);
}

/* Forked twice, so that it belongs to nobody here and is no descendant a snapshot would list. */
static bool start_caretaker(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), status = 1;
	pid_t pid;

	if (pidfd < 0)
		return false;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		pid_t second = fork();

		if (second == 0)
			caretaker(pidfd);
		_exit(second < 0);
	}
	close(pidfd);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* ---- joining and showing ---- */

/* A new cpuset has no processors and takes no process until it has. */
static void inherit_cpuset(const char *group)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char parent[PATH_SIZE + 8], text[4096];

	snprintf(parent, sizeof parent, "%s/..", group);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		get(parent, files[i], text, sizeof text);
		if (*text)
			(void)put(group, files[i], text);
	}
}

bool lab_cgroup_join(void)
{
	bool ok = true;

	find_hierarchies();
	for (size_t i = 0; ok && i < count; i++) {
		choose_group(&all[i]);
		ok = mkdir(all[i].group, 0755) == 0;
		if (!ok)
			all[i].group[0] = '\0';
		else if (!all[i].v2)
			inherit_cpuset(all[i].group);
	}
	ok = ok && count && start_caretaker();
	for (size_t i = 0; ok && i < count; i++)
		ok = put(all[i].group, "cgroup.procs", "0");
	if (ok)
		return true;
	/* back to where we came from: the parents of those groups we did join */
	for (size_t i = 0; i < count && all[i].group[0]; i++) {
		char parent[PATH_SIZE + 8];

		snprintf(parent, sizeof parent, "%s/..", all[i].group);
		(void)put(parent, "cgroup.procs", "0");
		(void)rmdir(all[i].group);
	}
	count = 0;
	return false;
}

/* The other names of a joint hierarchy: cpu and cpuacct for cpu,cpuacct. */
static void link_names(const char *point)
{
	const char *base = strrchr(point, '/') + 1;
	char names[256], *rest = names, *name, path[PATH_SIZE];

	snprintf(names, sizeof names, "%s", base);
	while (strchr(base, ',') && (name = strsep(&rest, ","))) {
		snprintf(path, sizeof path, ROOT "/%s", name);
		if (symlink(base, path) < 0)
			lab_fail("cannot link %s to %s: %s", path, base, strerror(errno));
	}
}

void lab_cgroup_mount(void)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	bool joint = strcmp(all[0].point, ROOT); /* several hierarchies, on a tmpfs */

	if (joint && mount("tmpfs", ROOT, "tmpfs", flags, "mode=755") < 0)
		lab_fail("cannot mount a tmpfs on " ROOT ": %s", strerror(errno));
	for (size_t i = 0; i < count; i++) {
		struct hierarchy *h = &all[i];
		char lab[PATH_SIZE];

		if (joint && mkdir(h->point, 0755) < 0)
			lab_fail("cannot make %s: %s", h->point, strerror(errno));
		if (mount("cgroup", h->point, h->v2 ? "cgroup2" : "cgroup", flags,
			  h->v2 ? NULL : h->options) < 0)
			lab_fail("cannot mount control groups \"%s\" on %s: %s", h->options,
				 h->point, strerror(errno));
		if (joint)
			link_names(h->point);
		if (!h->v2)
			continue;
		/* a root without processes may hand out controllers, as the machine's own may */
		snprintf(lab, sizeof lab, "%s/lab", h->point);
		if (mkdir(lab, 0755) < 0 || !put(lab, "cgroup.procs", "0"))
			lab_fail("cannot move to %s: %s", lab, strerror(errno));
	}
}
