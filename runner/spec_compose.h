/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_SPEC_COMPOSE_H
#define NARU_SPEC_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/spec.h"

struct err;
struct json_object;

struct spec_bind {
	const char *source, *target; /* absolute; the source exists */
	bool read_only;		     /* with everything mounted below it */
	const char *propagation;     /* NULL: "rprivate" */
};

enum spec_network {
	SPEC_NETWORK_NEW,  /* a namespace of its own; the engine is given it or makes one */
	SPEC_NETWORK_HOST, /* none of its own */
};

/*
 * What `run` was asked for, after image configuration and options were merged. Everything not set
 * is docker's default.
 */
struct spec_request {
	const char *const *args; /* NULL-terminated; at least one */
	/*
	 * NULL-terminated, "K=V", later ones win; PATH and HOSTNAME are added when missing
	 */
	const char *const *env;
	const char *cwd; /* NULL: "/" */
	uid_t uid;	 /* resolved */
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	const char *root; /* NULL: "rootfs", below the bundle */
	bool root_read_only;
	const char *hostname; /* NULL: none of its own */
	enum spec_network network;
	const char *netns;	  /* path of the network namespace to join, or NULL */
	const char *cgroups_path; /* NULL: the engine's parent and the container's id */
	int64_t memory;		  /* bytes; 0: no limit */
	int64_t cpu_nanos;	  /* --cpus in 1e-9 CPUs; 0: no limit */
	int64_t cpu_shares;	  /* 0: none */
	int64_t pids;		  /* 0: no limit */
	int64_t shm_size;	  /* bytes; 0: 64 MiB */
	const struct spec_bind *binds;
	size_t nbinds;
	bool caps_given; /* caps instead of docker's fourteen */
	uint64_t caps;
	bool no_new_privs;
	bool seccomp_unconfined;
	/*
	 * write the profile out under linux.seccomp (30 kB) instead of naming it in an annotation
	 */
	bool seccomp_listed;
	/* processors with a thermal_throttle directory to mask: engine_cpus_thermal() */
	unsigned cpus_thermal;
	const struct spec_pair *sysctls, *annotations;
	size_t nsysctls, nannotations;
};

/*
 * The config.json of a container as docker would have it (capabilities, masked and read-only paths,
 * mounts, devices, namespaces). Pure. By default the seccomp profile is named by the annotation
 * SPEC_SECCOMP_NOTE, which keeps the document at 4 kB; a bundle meant for other engines has it
 * listed. Returns 0 and a tree owned by the caller; -EINVAL when an option is out of its range.
 */
int spec_compose(const struct spec_request *rq, struct json_object **out, struct err *e);

/* linux.seccomp for docker's default profile and a bounding set; NULL when memory is out. */
struct json_object *spec_seccomp_tree(uint64_t bounding);

#endif
