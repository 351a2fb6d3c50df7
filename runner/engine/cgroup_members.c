// SPDX-License-Identifier: GPL-2.0-or-later
/* An existing control group: its processes, killing and freezing them, what they use, its end. */
#include "runner/engine/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/txn/txn.h"
#include "runner/engine/hier.h"

#define GONE_MS 3000 /* how long processes may take to be gone after SIGKILL */
#define FREEZE_MS 1000
#define DEPTH_MAX 16
#define PROCS_MAX (1024 * 1024)

/* Short at first, as most are gone at once; never longer than 10 ms. */
static void pause_a_little(unsigned round)
{
	long us = round < 4 ? 50 : round < 40 ? 500 : 10000;

	(void)nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

static int read_file(int dir, const char *name, char **out)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_read_all(fd, PROCS_MAX, -1, out, NULL);
}

/* ---------------------------------------------------------------- members */

static int open_members(const char *path)
{
	char buf[HIER_ROOT_MAX];
	struct hier h = hier_detect(false);
	const char *root = hier_members(&h, buf);

	return !root || !*path ? -ENOENT : hier_dir(root, path);
}

static int collect(int dir, pid_t **pids, size_t *n, unsigned depth)
{
	cleanup_free char *text = NULL;
	int r = read_file(dir, "cgroup.procs", &text);

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	for (char *p = text, *end; *p; p = *end ? end + 1 : end) {
		pid_t pid = (pid_t)strtol(p, &end, 10), *slot;

		if (end == p)
			break;
		if (pid > 0 && !(slot = vec_add(pids, n)))
			return -ENOMEM;
		if (pid > 0)
			*slot = pid;
	}
	int copy = depth < DEPTH_MAX ? openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	for (struct dirent *ent; d && r >= 0 && (ent = readdir(d));) {
		if (ent->d_type != DT_DIR || *ent->d_name == '.')
			continue;
		cleanup_fd int sub = openat(dir, ent->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = sub < 0 ? 0 : collect(sub, pids, n, depth + 1);
	}
	return r < 0 ? r : 0;
}

int cgroup_pids(const char *path, pid_t **pids, size_t *n, struct err *e)
{
	cleanup_fd int dir = open_members(path);
	cleanup_free pid_t *v = NULL;
	size_t len = 0;
	int r = dir < 0 ? dir : collect(dir, &v, &len, 0);

	if (r < 0)
		return err_set(e, r, "list the processes of control group %s", path);
	*pids = take_ptr(v);
	*n = len;
	return 0;
}

/* Freezing holds the group still while it is killed one by one: a fork storm cannot outrun that. */
static int kill_one_by_one(int dir, const char *path)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int r;

	(void)cgroup_freeze(path, true, NULL);
	r = collect(dir, &pids, &n, 0);
	for (size_t i = 0; i < n; i++)
		(void)kill(pids[i], SIGKILL);
	(void)cgroup_freeze(path, false, NULL);
	return r;
}

int cgroup_kill_all(const char *path, struct err *e)
{
	cleanup_fd int dir = open_members(path);

	if (dir < 0)
		return dir == -ENOENT ? 0 : err_set(e, dir, "open control group %s", path);
	int r = file_poke_at(dir, "cgroup.kill", "1");
	if (r < 0) /* version 1, or a kernel before 5.14 */
		r = kill_one_by_one(dir, path);
	return r < 0 && r != -ENOENT && r != -ENODEV ?
		       err_set(e, r, "kill the processes of control group %s", path) :
		       0;
}

/*
 * Version 1 freezes by a state that has to be asked for until it is reached, version 2 tells by an
 * event line.
 */
int cgroup_freeze(const char *path, bool frozen, struct err *e)
{
	cleanup_fd int dir = open_members(path);
	bool v2 = dir >= 0 && faccessat(dir, "cgroup.freeze", F_OK, 0) == 0;
	const char *file = v2 ? "cgroup.freeze" : "freezer.state",
		   *reached =
			   v2 ? (frozen ? "frozen 1" : "frozen 0") : (frozen ? "FROZEN" : "THAWED");
	int64_t until = clock_ms() + FREEZE_MS;
	int r = dir;

	for (unsigned round = 0; r >= 0; round++) {
		cleanup_free char *text = NULL;

		r = v2 && round ? 0 : file_poke_at(dir, file, v2 ? (frozen ? "1" : "0") : reached);
		if (r < 0 || (r = read_file(dir, v2 ? "cgroup.events" : file, &text)) < 0)
			break;
		if (strstr(text, reached))
			return 0;
		if (clock_ms() > until)
			r = -ETIMEDOUT;
		else
			pause_a_little(round);
	}
	return err_set(e, r, "%s control group %s", frozen ? "freeze" : "thaw", path);
}

/* ---------------------------------------------------------------- the end */

/* Removes path and what is below it: 0, -EBUSY while something lives there. */
static int remove_below(int parent, const char *name, unsigned depth)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	int r = -errno;
	if (r != -EBUSY || depth >= DEPTH_MAX)
		return r;
	cleanup_fd int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int copy = dir < 0 ? -1 : dup(dir);
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	for (struct dirent *ent; d && (ent = readdir(d));)
		if (ent->d_type == DT_DIR && *ent->d_name != '.')
			(void)remove_below(dir, ent->d_name, depth + 1);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int remove_everywhere(const struct hier *h, const char *path, const char **where)
{
	char full[400];
	const char *root;
	int first = 0;

	for_each_hier(i, h, root) {
		int r = str_copyf(full, sizeof full, "%s/%s", root, path);

		if (r == 0)
			r = remove_below(AT_FDCWD, full, 0);
		if (r < 0 && first == 0) {
			first = r;
			*where = i == CGROUP_CONTROLLERS ? "version 2" : cgroup_controller_name(i);
		}
	}
	return first;
}

int cgroup_remove(const char *path, struct err *e)
{
	const char *where = "";
	struct hier h = hier_all();
	int64_t until = 0;
	int r;

	if (!*path)
		return 0;
	for (unsigned round = 0; (r = remove_everywhere(&h, path, &where)) == -EBUSY; round++) {
		if (round % 16 == 1 && (r = cgroup_kill_all(path, e)) < 0)
			return r;
		if (!until)
			until = clock_ms() + GONE_MS;
		else if (clock_ms() > until)
			break;
		pause_a_little(round);
	}
	return r < 0 ? err_set(e, r, "remove control group %s (%s)", path, where) : 0;
}

int cgroup_remove_parent(struct err *e)
{
	static const char *const kinds[] = { "", "-devices" };
	struct hier h = hier_all();
	char full[400];
	const char *root;
	int in_use = 0;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for_each_hier(i, &h, root) {
			if (str_copyf(full, sizeof full, "%s/%s%s", root, cgroup_parent(),
				      kinds[k]) < 0)
				return err_set(e, -ENAMETOOLONG, "remove control group %s",
					       cgroup_parent());
			if (rmdir(full) < 0 && errno != ENOENT) {
				if (errno != EBUSY)
					return err_set(e, -errno, "remove control group %s", full);
				in_use = 1;
			}
		}
	return in_use;
}

static int undo_remove(const struct undo *u, struct txn *t, struct err *e)
{
	(void)t;
	return u->a ? cgroup_remove(u->a, e) : 0;
}

const struct undo_op cgroup_undo_remove = { "cgroup remove", undo_remove };

/* ---------------------------------------------------------------- what it uses */

/* The number in dir/file, or after a word in it. "max" and absence are UINT64_MAX. */
static uint64_t number_in(int dir, const char *file, const char *word)
{
	cleanup_free char *text = NULL;
	char *p;

	if (dir < 0 || read_file(dir, file, &text) < 0)
		return UINT64_MAX;
	p = text;
	if (word) {
		char *line = strstr(text, word);

		if (!line)
			return UINT64_MAX;
		p = line + strlen(word);
	}
	p += strspn(p, " ");
	return *p >= '0' && *p <= '9' ? strtoull(p, NULL, 10) : UINT64_MAX;
}

static void stat_v2(int dir, struct cgroup_stat *s)
{
	uint64_t inactive = number_in(dir, "memory.stat", "inactive_file"), kills;

	s->memory = number_in(dir, "memory.current", NULL);
	if (s->memory != UINT64_MAX && inactive < s->memory)
		s->memory -= inactive;
	s->memory_limit = number_in(dir, "memory.max", NULL);
	s->cpu_us = number_in(dir, "cpu.stat", "usage_usec");
	s->pids = number_in(dir, "pids.current", NULL);
	s->pids_limit = number_in(dir, "pids.max", NULL);
	kills = number_in(dir, "memory.events", "oom_kill");
	s->oom = kills && kills != UINT64_MAX;
}

#define NO_LIMIT_V1 (UINT64_C(1) << 62) /* what version 1 shows for "none" is just below 2^63 */

static void stat_v1(const struct hier *h, const char *path, struct cgroup_stat *s)
{
	char buf[HIER_ROOT_MAX];
	const char *root = hier_root(h, CGROUP_MEMORY, buf);
	cleanup_fd int mem = root ? hier_dir(root, path) : -1;
	root = hier_root(h, CGROUP_PIDS, buf);
	cleanup_fd int pids = root ? hier_dir(root, path) : -1;

	if (mem >= 0 && s->memory == UINT64_MAX) {
		uint64_t inactive = number_in(mem, "memory.stat", "total_inactive_file");
		uint64_t kills = number_in(mem, "memory.oom_control", "oom_kill ");

		s->memory = number_in(mem, "memory.usage_in_bytes", NULL);
		if (inactive < s->memory)
			s->memory -= inactive;
		s->memory_limit = number_in(mem, "memory.limit_in_bytes", NULL);
		if (s->memory_limit > NO_LIMIT_V1)
			s->memory_limit = UINT64_MAX;
		s->oom = kills && kills != UINT64_MAX;
	}
	if (pids >= 0 && s->pids == UINT64_MAX) {
		s->pids = number_in(pids, "pids.current", NULL);
		s->pids_limit = number_in(pids, "pids.max", NULL);
	}
}

int cgroup_stat(const char *path, struct cgroup_stat *out, struct err *e)
{
	struct cgroup_stat s = {
		UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, false
	};
	struct hier h = hier_all();
	cleanup_fd int dir = open_members(path);

	if (dir < 0)
		return err_set(e, dir, "open control group %s", path);
	if (h.v2)
		stat_v2(dir, &s);
	stat_v1(&h, path, &s);
	*out = s;
	return 0;
}
