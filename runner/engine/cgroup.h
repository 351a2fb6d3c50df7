/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_CGROUP_H
#define NARU_ENGINE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct spec_resources;
struct txn;
struct undo_op;

/*
 * Control groups on version 1, version 2 and machines that have both. One directory per container
 * and hierarchy that is needed: membership (who belongs to the container, killing, freezing) in the
 * version 2 tree where there is one, else in pids or freezer; a version 1 controller only when a
 * limit asks for it. All below one parent, "naru" or what NARU_CGROUP_PARENT says.
 *
 * Everything is found again by path, so that gc can remove what a killed process left.
 */
struct cgroup {
	/*
	 * "naru/ID" below the root of each hierarchy; "" = this machine has none we can use
	 */
	char path[256];
	int dir; /* membership directory in the version 2 tree for CLONE_INTO_CGROUP; -1: none */
	unsigned v1; /* version 1 hierarchies to join: bits of the table in cgroup.c */
};

const char *cgroup_parent(void); /* NARU_CGROUP_PARENT or "naru" */

#define CGROUP_INIT { .dir = -1 }
#define cleanup_cgroup __attribute__((cleanup(cgroup_clear)))

#define CGROUP_NO_DEVICES 1 /* a positive outcome: access to devices cannot be controlled here */

/*
 * Makes the directories of container id and writes the limits. Recorded in t before the act. path
 * is the spec's cgroupsPath or NULL. -ENOTSUP saying which controller is missing when a limit
 * cannot be had; without limits a machine without cgroups is fine (then path is "").
 * CGROUP_NO_DEVICES when the container must not be given CAP_MKNOD.
 */
int cgroup_create(struct txn *t, const char *id, const char *path, const struct spec_resources *res,
		  struct cgroup *out, struct err *e);
void cgroup_clear(struct cgroup *c); /* closes */

/*
 * Puts a process (0: the caller) into the version 1 hierarchies (and into the version 2 one when
 * into_v2: no CLONE_INTO_CGROUP was used).
 */
int cgroup_attach(const struct cgroup *c, pid_t pid, bool into_v2, struct err *e);

/* For exec: the directories of an existing group. Absent ones are left out. */
int cgroup_open(const char *path, struct cgroup *out, struct err *e);

/*
 * SIGKILL to every process of the group, by cgroup.kill or one by one; bounded. Absence is success.
 */
int cgroup_kill_all(const char *path, struct err *e);
/*
 * Kills what is left, removes the directories in every hierarchy; waits a bounded time for the last
 * process to go.
 */
int cgroup_remove(const char *path, struct err *e);
/* Removes the parent that all groups share once it is empty, for gc. 1 when it is in use. */
int cgroup_remove_parent(struct err *e);
int cgroup_freeze(const char *path, bool frozen, struct err *e);

struct cgroup_stat {
	uint64_t memory, memory_limit; /* bytes; UINT64_MAX: not known, or no limit */
	uint64_t cpu_us;
	uint64_t pids, pids_limit;
	bool oom; /* the kernel killed for want of memory */
};

int cgroup_stat(const char *path, struct cgroup_stat *out, struct err *e);

/* Pids of the group into a malloc'd array. */
int cgroup_pids(const char *path, pid_t **pids, size_t *n, struct err *e);

extern const struct undo_op cgroup_undo_remove;

/* Where the container's view of its control groups comes from: see rootfs.c. */
struct cgroup_view {
	bool v2_only; /* one version 2 mount; else a tmpfs with "unified" and the names below */
	/* version 1 hierarchies the container has a group in; NULL-terminated */
	const char *names[8];
};

void cgroup_view(const struct cgroup *c, struct cgroup_view *out);

#endif
