/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_SPEC_H
#define NARU_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "netlib/base/decode.h"
#include "runner/engine/caps.h"

struct err;

/*
 * A decoded config.json (OCI runtime specification 1.0 to 1.3, Linux). Strings borrow from
 * spec.doc. Keys that the specification does not know are accepted; what it knows and this engine
 * does not do is refused by its name in the document.
 */

#define SPEC_VERSION "1.2.0"
#define SPEC_SECCOMP_NOTE "org.naru.seccomp" /* "default" or "unconfined", without linux.seccomp */
#define SPEC_NO_LIMIT INT64_MIN /* a limit that was not asked for; -1 asks for "unlimited" */

struct spec_mount {
	const char *destination, *source, *type;
	const char **options;
	size_t noptions;
};

enum spec_ns {
	SPEC_NS_PID,
	SPEC_NS_MOUNT,
	SPEC_NS_UTS,
	SPEC_NS_IPC,
	SPEC_NS_NETWORK,
	SPEC_NS_CGROUP,
	SPEC_NS_COUNT
};

struct spec_namespace {
	bool own;	  /* the document lists it */
	const char *path; /* join that one instead of making one; NULL: a new one */
};

struct spec_rlimit {
	int resource; /* RLIMIT_... */
	uint64_t soft, hard;
};

struct spec_caps {
	struct caps sets;
	bool given;	     /* the document has "capabilities"; without it the process gets none */
	const char *unknown; /* the first name we do not know, or NULL; it is ignored */
};

struct spec_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	uint32_t umask;
};

struct spec_process {
	const char **args, **env; /* NULL-terminated */
	size_t nargs, nenv;
	const char *cwd;
	struct spec_user user;
	struct spec_caps caps;
	struct spec_rlimit *rlimits;
	size_t nrlimits;
	bool no_new_privs, terminal;
	bool oom_score_given;
	int32_t oom_score_adj;
};

struct spec_device_rule {
	bool allow;
	const char *type;     /* "a", "b", "c"; NULL: all */
	int64_t major, minor; /* -1: any */
	const char *access;   /* of "rwm"; NULL: all */
};

struct spec_resources {
	int64_t memory, swap, reservation;	   /* bytes */
	int64_t cpu_shares, cpu_quota, cpu_period; /* quota and period in microseconds */
	const char *cpus, *mems;
	int64_t pids;
	struct spec_device_rule *devices;
	size_t ndevices;
};

struct spec_device {
	const char *path, *type; /* "c", "u", "b" or "p" */
	int64_t major, minor;
	uint32_t mode;
	uint32_t uid, gid;
};

struct spec_pair {
	const char *key, *value;
};

struct spec_root {
	const char *path;
	bool read_only;
};

enum spec_seccomp { SPEC_SECCOMP_NONE, SPEC_SECCOMP_DEFAULT };

struct spec {
	struct doc doc;
	const char *version;
	struct spec_process process;
	struct spec_root root;
	const char *hostname, *domainname;
	struct spec_mount *mounts;
	size_t nmounts;
	struct spec_namespace ns[SPEC_NS_COUNT];
	const char **masked, **readonly;
	size_t nmasked, nreadonly;
	const char *cgroups_path;
	struct spec_resources resources;
	struct spec_device *devices;
	size_t ndevices;
	struct spec_pair *sysctls, *annotations;
	size_t nsysctls, nannotations;
	const char *propagation; /* "rprivate" or "rslave" and their like; NULL: private */
	enum spec_seccomp seccomp;
	struct json_object *seccomp_listed; /* linux.seccomp or NULL */
};

#define SPEC_INIT { 0 }
#define cleanup_spec __attribute__((cleanup(spec_clear)))

/*
 * Decodes a tree, of which one reference is taken over, success or not. Errors name the key: path,
 * expected, got.
 */
int spec_decode(struct spec *s, struct json_object *tree, struct err *e);
/* Reads bundle/config.json. */
int spec_load(struct spec *s, const char *bundle, struct err *e);
void spec_clear(struct spec *s);

const char *spec_annotation(const struct spec *s, const char *key); /* NULL when absent */
const char *spec_ns_name(enum spec_ns ns);			    /* as the document spells it */

#endif
