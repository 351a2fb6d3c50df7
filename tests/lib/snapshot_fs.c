// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/snapshot_part.h"

#include "tests/lib/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define CGROUP_DEPTH_MAX 6
#define HASH_ALL (4u << 20) /* larger files are known by size and their first part */

/* ---- mounts ---- */

void snap_mounts(struct snap *s)
{
	char *text = snap_file("/proc/self/mountinfo"), *rest = text, *line;

	if (!text)
		snap_line(s, "mounts unreadable: %s", strerror(errno));
	while ((line = strsep(&rest, "\n"))) {
		char root[1024], point[1024], opts[256], type[64], source[1024], super[1024];
		const char *tail = strstr(line, " - ");

		if (!tail ||
		    sscanf(line, "%*d %*d %*s %1023s %1023s %255s", root, point, opts) != 3 ||
		    sscanf(tail, " - %63s %1023s %1023s", type, source, super) != 3)
			continue;
		if (!strcmp(type, "nsfs"))
			root[strcspn(root, ":")] = '\0'; /* net:[4026532001] */
		snap_line(s, "mount %s %s from=%s root=%s opts=%s super=%s", point, type, source,
			  root, opts, super);
	}
	free(text);
}

/* ---- files ---- */

static uint64_t mix(uint64_t h, const unsigned char *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; n; p++, n--)
		h = (h ^ *p) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* Hash of what a regular file holds, or 0 with errno. */
static uint64_t file_hash(int dir, const char *name)
{
	static unsigned char buf[65536];
	uint64_t h = 0xcbf29ce484222325u;
	size_t done = 0;
	ssize_t n = 0;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return 0;
	while (done < HASH_ALL && (n = read(fd, buf, sizeof buf)) > 0) {
		h = mix(h, buf, (size_t)n);
		done += (size_t)n;
	}
	close(fd);
	return n < 0 ? 0 : h;
}

static bool is_pinned_netns(int dir, const char *name)
{
	struct statfs fs;
	int fd = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	bool yes = fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC;

	if (fd >= 0)
		close(fd);
	return yes;
}

static void file_line(struct snap *s, int dir, const char *name, const char *path,
		      const struct stat *st)
{
	char link[1024] = "";
	unsigned mode = st->st_mode & 07777;

	if (is_pinned_netns(dir, name)) {
		snap_line(s, "netns %s pinned", path);
	} else if (S_ISREG(st->st_mode)) {
		snap_line(s, "file %s mode=%04o owner=%u:%u links=%lu size=%lld hash=%016llx", path,
			  mode, st->st_uid, st->st_gid, (unsigned long)st->st_nlink,
			  (long long)st->st_size, (unsigned long long)file_hash(dir, name));
	} else if (S_ISLNK(st->st_mode)) {
		if (readlinkat(dir, name, link, sizeof link - 1) < 0)
			snprintf(link, sizeof link, "?");
		snap_line(s, "symlink %s -> %s", path, link);
	} else {
		const char *type = S_ISDIR(st->st_mode)	 ? "dir" :
				   S_ISFIFO(st->st_mode) ? "fifo" :
				   S_ISSOCK(st->st_mode) ? "socket" :
				   S_ISCHR(st->st_mode)	 ? "chardev" :
							   "blockdev";

		snap_line(s, "%s %s mode=%04o owner=%u:%u", type, path, mode, st->st_uid,
			  st->st_gid);
	}
}

/* Everything below a directory that lies on the same file system. */
static void walk(struct snap *s, const char *path, dev_t dev, int depth)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char sub[4096];

	if (!d) {
		if (errno != ENOENT)
			snap_line(s, "files %s unreadable: %s", path, strerror(errno));
		return;
	}
	while ((e = readdir(d))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		file_line(s, dirfd(d), e->d_name, sub, &st);
		if (S_ISDIR(st.st_mode) && st.st_dev == dev && depth < DEPTH_MAX)
			walk(s, sub, dev, depth + 1);
	}
	closedir(d);
}

void snap_files(struct snap *s)
{
	static const char *const roots[] = { "/run", "/var/lib/cni", "/var/lib/naru" };
	struct stat st;

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
		if (stat(roots[i], &st) == 0)
			walk(s, roots[i], st.st_dev, 0);
}

/* ---- control groups ---- */

static bool comm_of(const char *pid, char comm[64])
{
	char path[300];

	snprintf(path, sizeof path, "/proc/%s/comm", pid);

	char *text = snap_file(path);

	snprintf(comm, 64, "%s", text ? text : "");
	comm[strcspn(comm, "\n")] = '\0';
	free(text);
	return comm[0];
}

static void group_line(struct snap *s, const char *path)
{
	char procs[4200], comm[64], *pid;

	snap_line(s, "cgroup %s", path);
	snprintf(procs, sizeof procs, "%s/cgroup.procs", path);

	char *text = snap_file(procs), *rest = text;

	while ((pid = strsep(&rest, "\n")))
		if (*pid && comm_of(pid, comm))
			snap_line(s, "cgroup %s process %s", path, comm);
	free(text);
}

static void walk_groups(struct snap *s, const char *path, bool ours, int depth)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char sub[4096];

	while (d && (e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		bool named = ours || !strncmp(e->d_name, "naru", 4);

		snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
		if (named)
			group_line(s, sub);
		if (depth < CGROUP_DEPTH_MAX)
			walk_groups(s, sub, named, depth + 1);
	}
	if (d)
		closedir(d);
}

void snap_cgroups(struct snap *s)
{
	walk_groups(s, "/sys/fs/cgroup", false, 0);
}

/* ---- processes ---- */

struct proc {
	pid_t pid, parent;
	char state;
	char comm[64];
	bool ours;
};

static size_t all_procs(struct proc **out)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	size_t n = 0, cap = 0;
	char path[300];

	while (d && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);

		char *text = snap_file(path), *end = text ? strrchr(text, ')') : NULL,
		     *open = text ? strchr(text, '(') : NULL;

		if (n == cap) {
			cap = cap ? cap * 2 : 256;
			*out = realloc(*out, cap * sizeof **out);
			if (!*out)
				abort();
		}
		if (end && open &&
		    sscanf(end, ") %c %d", &(*out)[n].state, &(*out)[n].parent) == 2) {
			(*out)[n].pid = (pid_t)strtol(e->d_name, NULL, 10);
			(*out)[n].ours = false;
			snprintf((*out)[n].comm, sizeof(*out)[n].comm, "%.*s",
				 (int)(end - open - 1), open + 1);
			n++;
		}
		free(text);
	}
	if (d)
		closedir(d);
	return n;
}

/*
 * Living descendants. A dead child of parent itself waits for parent and is nobody's leftover,
 * other zombies are. The servers of traffic.h are fixtures, not findings.
 */
void snap_procs(struct snap *s, pid_t parent)
{
	struct proc *p = NULL;
	size_t n = all_procs(&p);

	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n && !p[i].ours; j++)
				if (p[i].parent == parent || (p[j].ours && p[i].parent == p[j].pid))
					more = p[i].ours = true;
	}
	for (size_t i = 0; i < n; i++)
		if (p[i].ours && p[i].pid != getpid() &&
		    (p[i].state != 'Z' || p[i].parent != parent) && strcmp(p[i].comm, "traffic"))
			snap_line(s, "process %s%s", p[i].comm,
				  p[i].state == 'Z' ? " (zombie)" : "");
	free(p);
}
