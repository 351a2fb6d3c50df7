/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_ENGINE_H
#define NARU_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct spec;
struct txn;
struct undo_op;

/*
 * The container engine: from a decoded config.json (runner/spec.h) and a description of the root
 * file system to a process that waits, complete, in front of its exec; and from there on. Parent
 * and child follow one table of phases.
 *
 * Nothing is mounted in the caller's mount namespace: the root is put together inside the
 * container's own, so it needs no unmounting. What stays of a container that was killed at any
 * point is named by undo records (engine_undo_ops).
 */

/*
 * The root: an overlay over any number of read-only directories. Borrowed strings, absolute paths.
 */
struct engine_rootfs {
	const char *const *lowers; /* uppermost first; at least one. Never written. */
	size_t nlowers;
	/*
	 * directories of one file system, made by the caller; work must be empty. Both
	 * NULL: read-only
	 */
	const char *upper, *work;
	/* the upper is thrown away afterwards (--rm): the overlay need not sync it ("volatile") */
	bool scratch;
};

struct engine_start {
	const char *id;	    /* [A-Za-z0-9][A-Za-z0-9_.-]*; names the cgroup */
	const char *bundle; /* absolute; relative paths of the spec (root.path) start here */
	const struct spec *spec;
	/*
	 * mounted on root.path (created when missing); nlowers 0: root.path itself is the
	 * root
	 */
	struct engine_rootfs rootfs;
	/* joined when the spec asks for a network namespace without a path; -1: a new one, lo up */
	int netns_fd;
	int stdio[3]; /* become 0, 1, 2 of the container; may be the caller's own. Not closed */
	bool overlap; /* do not wait for the child: its errors come from engine_begin instead */
	/* not NULL: fail with -ECANCELED in front of the phase of this name (tests) */
	const char *stop_before;
};

/* A process in a container, waiting for engine_begin or running. */
struct engine_proc {
	pid_t pid;
	int pidfd;
	int sync; /* to the waiting child; -1 once it runs */
	/* of /proc/PID/stat: with pid, the identity of the process for everybody else */
	uint64_t start_time;
	/* "naru/ID" below each hierarchy; "" when this machine has no cgroups we can use */
	char cgroup[256];
	/*
	 * what the host could not give (capabilities, oom_score_adj, ...), one sentence; or
	 * ""
	 */
	char notes[512];
};

#define ENGINE_PROC_INIT { .pidfd = -1, .sync = -1 }
#define cleanup_engine_proc __attribute__((cleanup(engine_proc_clear)))

/*
 * Makes the cgroup, then the process with its namespaces, mounts, limits and identity, up to the
 * exec. Recorded in t: cgroup and process. If the caller dies, the child sees it and exits. Returns
 * 0, or a negative errno with the phase in the sentence; nothing is left then once t is rolled
 * back. The child must be waited for (engine_wait or waitid on pidfd) by the calling process.
 */
int engine_create(struct txn *t, const struct engine_start *s, struct engine_proc *out,
		  struct err *e);

/*
 * Lets the process exec. 0 when the command runs; else -errno of the exec, and the process is gone
 * (waited for).
 */
int engine_begin(struct engine_proc *p, struct err *e);

/*
 * What a shell and docker say when engine_begin or engine_create failed with r: 127 not found, 126
 * not executable, else 125.
 */
int engine_exit_code(int r, const struct err *e);

/*
 * Waits for the end: *status as docker counts it, 0..255, 128 + signal. Only for the parent. 0 or
 * -errno.
 */
int engine_wait(struct engine_proc *p, int *status, struct err *e);

/*
 * Kills (when it still waits or runs), waits, closes. For the parent, and safe on ENGINE_PROC_INIT.
 */
void engine_proc_stop(struct engine_proc *p);
void engine_proc_clear(struct engine_proc *p); /* closes descriptors only */

/* A command in a running container. */
struct engine_exec {
	pid_t init; /* the container's first process ... */
	/* ... which must have been started then: -ESRCH when it is another one, or gone */
	uint64_t start_time;
	/* of the container: capabilities, seccomp, no_new_privs, env, cwd, user, rlimits */
	const struct spec *spec;
	const char *cgroup;	 /* engine_proc.cgroup */
	const char *const *args; /* NULL-terminated */
	/* NULL-terminated, after the container's own; later ones win. May be NULL */
	const char *const *env;
	const char *cwd; /* NULL: the container's */
	bool user_given; /* the following four instead of the container's */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	int stdio[3];
};

/*
 * Starts it waiting, as engine_create does; engine_begin lets it exec, engine_wait gives its
 * status. Our executable cannot be reached through it from inside (not dumpable; CVE-2019-5736).
 */
int engine_exec(const struct engine_exec *x, struct engine_proc *out, struct err *e);

/* Identity of a process: 0 and *start_time, or -ESRCH. */
int engine_start_time(pid_t pid, uint64_t *start_time);
/* Whether that very process still runs (a zombie does not). */
bool engine_alive(pid_t pid, uint64_t start_time);
/* Sends a signal to that very process; absence is -ESRCH. */
int engine_signal(pid_t pid, uint64_t start_time, int signal);

/* "cgroup remove", "process kill": for txn.ops, NULL-terminated. */
extern const struct undo_op *const engine_undo_ops[];

/* Processors whose thermal_throttle directory docker masks: spec_request.cpus_thermal. */
unsigned engine_cpus_thermal(void);

/* The phases in order, for --explain: NULL after the last. */
const char *engine_phase_name(unsigned i);

#endif
