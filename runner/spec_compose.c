// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/spec_compose.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "runner/engine/seccomp_profile.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SHM_SIZE 67108864
#define CPU_PERIOD_US 100000
#define NANOS_PER_CPU INT64_C(1000000000)
#define CPUS_MAX 8192
#define MEMORY_MIN 524288 /* less than this and not even a small program starts */

static struct json_object *strings(const char *const *v)
{
	struct json_object *a = json_arr();

	for (; v && *v; v++)
		json_append(a, json_new_str(*v));
	return a;
}

/* ---------------------------------------------------------------- process */

static bool has_key(const char *const *env, const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (; env && *env; env++)
		if (!strncmp(*env, entry, len) && (*env)[len] == '=')
			return true;
	return false;
}

/* Of entries with the same key only the last one is kept. */
static struct json_object *environment(const struct spec_request *rq)
{
	struct json_object *a = json_arr();
	char host[256];

	if (!has_key(rq->env, PATH_DEFAULT))
		json_append(a, json_new_str(PATH_DEFAULT));
	if (rq->hostname &&
	    snprintf(host, sizeof host, "HOSTNAME=%s", rq->hostname) < (int)sizeof host &&
	    !has_key(rq->env, host))
		json_append(a, json_new_str(host));
	for (const char *const *v = rq->env; v && *v; v++)
		if (!has_key(v + 1, *v))
			json_append(a, json_new_str(*v));
	return a;
}

static struct json_object *cap_list(uint64_t mask)
{
	struct json_object *a = json_arr();

	for (unsigned i = 0; i < CAPS_KNOWN; i++)
		if (mask & CAP_BIT(i))
			json_append(a, json_new_str(cap_name(i)));
	return a;
}

/*
 * Inheritable and ambient stay empty: a user other than root gets none of them by exec
 * (CVE-2022-24769).
 */
static struct json_object *capabilities(uint64_t mask)
{
	struct json_object *o = json_obj();

	json_set(o, "bounding", cap_list(mask));
	json_set(o, "effective", cap_list(mask));
	json_set(o, "permitted", cap_list(mask));
	return o;
}

static struct json_object *user(const struct spec_request *rq)
{
	struct json_object *o = json_obj();

	json_set_int(o, "uid", rq->uid);
	json_set_int(o, "gid", rq->gid);
	if (rq->ngroups) {
		struct json_object *a = json_arr();

		for (size_t i = 0; i < rq->ngroups; i++)
			json_append(a, json_new_int(rq->groups[i]));
		json_set(o, "additionalGids", a);
	}
	return o;
}

static uint64_t wanted_caps(const struct spec_request *rq)
{
	return rq->caps_given ? rq->caps : CAPS_DOCKER;
}

static struct json_object *process(const struct spec_request *rq)
{
	struct json_object *o = json_obj();

	json_set(o, "user", user(rq));
	json_set(o, "args", strings(rq->args));
	json_set(o, "env", environment(rq));
	json_set_str(o, "cwd", rq->cwd ? rq->cwd : "/");
	json_set(o, "capabilities", capabilities(wanted_caps(rq)));
	json_set_bool(o, "noNewPrivileges", rq->no_new_privs);
	return o;
}

/* ---------------------------------------------------------------- mounts */

#define OPTIONS_MAX 8

static const struct {
	const char *destination, *type, *source, *options[OPTIONS_MAX];
} default_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "ro", "nosuid", "noexec", "nodev" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
};

static void add_mount(struct json_object *mounts, const char *destination, const char *type,
		      const char *source, const char *const *options)
{
	struct json_object *o = json_obj();

	json_set_str(o, "destination", destination);
	json_set_str(o, "type", type);
	json_set_str(o, "source", source);
	json_set(o, "options", strings(options));
	json_append(mounts, o);
}

static struct json_object *mounts(const struct spec_request *rq)
{
	struct json_object *a = json_arr();
	char size[32];

	for (size_t i = 0; i < ARRAY_LEN(default_mounts); i++)
		add_mount(a, default_mounts[i].destination, default_mounts[i].type,
			  default_mounts[i].source, default_mounts[i].options);
	(void)snprintf(size, sizeof size, "size=%" PRId64, rq->shm_size ? rq->shm_size : SHM_SIZE);
	add_mount(a, "/dev/shm", "tmpfs", "shm",
		  (const char *const[]){ "nosuid", "noexec", "nodev", "mode=1777", size, NULL });
	for (size_t i = 0; i < rq->nbinds; i++) {
		const struct spec_bind *b = &rq->binds[i];
		const char *const options[] = { "rbind",
						b->propagation ? b->propagation : "rprivate",
						b->read_only ? "rro" : NULL, NULL };

		add_mount(a, b->target, "bind", b->source, options);
	}
	return a;
}

/* ---------------------------------------------------------------- linux */

static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	NULL,
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static struct json_object *masked_paths(const struct spec_request *rq)
{
	struct json_object *a = strings(masked);
	char path[64];

	for (unsigned i = 0; i < rq->cpus_thermal; i++) {
		(void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/thermal_throttle",
			       i);
		json_append(a, json_new_str(path));
	}
	return a;
}

static struct json_object *namespaces(const struct spec_request *rq)
{
	struct json_object *a = json_arr();

	for (unsigned i = 0; i < SPEC_NS_COUNT; i++) {
		if (i == SPEC_NS_NETWORK && rq->network == SPEC_NETWORK_HOST)
			continue;
		struct json_object *o = json_obj();

		json_set_str(o, "type", spec_ns_name(i));
		if (i == SPEC_NS_NETWORK)
			json_set_str(o, "path", rq->netns);
		json_append(a, o);
	}
	return a;
}

static const struct {
	bool allow;
	int major, minor; /* major 0: everything */
} device_rules[] = {
	{ false, 0, 0 }, { true, 1, 5 }, { true, 1, 3 }, { true, 1, 9 },
	{ true, 1, 8 },	 { true, 5, 0 }, { true, 5, 1 }, { false, 10, 229 },
};

static struct json_object *devices(void)
{
	struct json_object *a = json_arr();

	for (size_t i = 0; i < ARRAY_LEN(device_rules); i++) {
		struct json_object *o = json_obj();

		json_set_bool(o, "allow", device_rules[i].allow);
		if (device_rules[i].major) {
			json_set_str(o, "type", "c");
			json_set_int(o, "major", device_rules[i].major);
			json_set_int(o, "minor", device_rules[i].minor);
		}
		json_set_str(o, "access", "rwm");
		json_append(a, o);
	}
	return a;
}

static struct json_object *resources(const struct spec_request *rq)
{
	struct json_object *o = json_obj(), *part;

	json_set(o, "devices", devices());
	if (rq->memory) { /* docker: swap as much again */
		json_set(o, "memory", part = json_obj());
		json_set_int(part, "limit", rq->memory);
		json_set_int(part, "swap", rq->memory > INT64_MAX / 4 ? -1 : rq->memory * 2);
	}
	if (rq->cpu_nanos || rq->cpu_shares) {
		json_set(o, "cpu", part = json_obj());
		if (rq->cpu_shares)
			json_set_int(part, "shares", rq->cpu_shares);
		if (rq->cpu_nanos) {
			json_set_int(part, "quota",
				     rq->cpu_nanos / (NANOS_PER_CPU / CPU_PERIOD_US));
			json_set_int(part, "period", CPU_PERIOD_US);
		}
	}
	if (rq->pids) {
		json_set(o, "pids", part = json_obj());
		json_set_int(part, "limit", rq->pids);
	}
	return o;
}

static struct json_object *pairs(const struct spec_pair *v, size_t n)
{
	struct json_object *o = json_obj();

	for (size_t i = 0; i < n; i++)
		json_set_str(o, v[i].key, v[i].value);
	return o;
}

static struct json_object *linux_part(const struct spec_request *rq)
{
	struct json_object *o = json_obj();

	json_set(o, "namespaces", namespaces(rq));
	json_set_str(o, "cgroupsPath", rq->cgroups_path);
	json_set(o, "resources", resources(rq));
	if (rq->nsysctls)
		json_set(o, "sysctl", pairs(rq->sysctls, rq->nsysctls));
	if (rq->seccomp_listed && !rq->seccomp_unconfined)
		json_set(o, "seccomp", spec_seccomp_tree(wanted_caps(rq)));
	json_set(o, "maskedPaths", masked_paths(rq));
	json_set(o, "readonlyPaths", strings(readonly));
	return o;
}

/* ---------------------------------------------------------------- seccomp */

static int add_call(const struct seccomp_call *c, void *arg)
{
	struct json_object *o = json_obj(), *list = json_arr(), *a;
	const char *names = c->names, *name;
	char text[64];
	size_t len;

	while (seccomp_names_next(&names, &name, &len)) {
		(void)snprintf(text, sizeof text, "%.*s", (int)len, name);
		json_append(list, json_new_str(text));
	}
	json_set(o, "names", list);
	json_set_str(o, "action", c->refuse ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
	if (c->refuse)
		json_set_int(o, "errnoRet", c->refuse);
	if (c->op != SECCOMP_OP_NONE) {
		json_set(o, "args", list = json_arr());
		json_append(list, a = json_obj());
		json_set_int(a, "index", c->arg);
		json_set_int(a, "value", (int64_t)c->value);
		if (c->op == SECCOMP_OP_MASKED_EQ)
			json_set_int(a, "valueTwo", (int64_t)c->value_two);
		json_set_str(a, "op", seccomp_op_name(c->op));
	}
	json_append(arg, o);
	return 0;
}

struct json_object *spec_seccomp_tree(uint64_t bounding)
{
	struct json_object *o = json_obj(), *calls = json_arr();

	json_set_str(o, "defaultAction", "SCMP_ACT_ERRNO");
	json_set_int(o, "defaultErrnoRet", EPERM);
	json_set(o, "architectures", strings(seccomp_profile_arches(SECCOMP_MACHINE_NATIVE)));
	(void)seccomp_profile_walk(SECCOMP_MACHINE_NATIVE, bounding, add_call, calls);
	json_set(o, "syscalls", calls);
	return o;
}

/* ---------------------------------------------------------------- */

static int check(const struct spec_request *rq, struct err *e)
{
	if (!rq->args || !rq->args[0])
		return err_say(e, -EINVAL,
			       "no command: the image has none, so give one after its name");
	if (rq->memory && rq->memory < MEMORY_MIN)
		return err_say(e, -EINVAL,
			       "memory limit of %" PRId64 " bytes: expected at least %d (512k)",
			       rq->memory, MEMORY_MIN);
	if (rq->cpu_nanos < 0 || rq->cpu_nanos > CPUS_MAX * NANOS_PER_CPU ||
	    (rq->cpu_nanos && rq->cpu_nanos < NANOS_PER_CPU / 100))
		return err_say(e, -EINVAL,
			       "CPU limit: expected 0.01 to %d CPUs, got %" PRId64 ".%09" PRId64,
			       CPUS_MAX, rq->cpu_nanos / NANOS_PER_CPU,
			       rq->cpu_nanos % NANOS_PER_CPU);
	if (rq->cpu_shares && (rq->cpu_shares < 2 || rq->cpu_shares > 262144))
		return err_say(e, -EINVAL, "CPU shares: expected 2 to 262144, got %" PRId64,
			       rq->cpu_shares);
	if (rq->cwd && *rq->cwd != '/')
		return err_say(e, -EINVAL, "working directory \"%s\": expected an absolute path",
			       rq->cwd);
	for (size_t i = 0; i < rq->nbinds; i++)
		if (*rq->binds[i].target != '/' || *rq->binds[i].source != '/')
			return err_say(e, -EINVAL, "volume %s:%s: expected absolute paths",
				       rq->binds[i].source, rq->binds[i].target);
	return 0;
}

int spec_compose(const struct spec_request *rq, struct json_object **out, struct err *e)
{
	struct json_object *o, *notes, *root;
	int r = check(rq, e);

	if (r < 0)
		return r;
	o = json_obj();
	if (!o)
		return err_set(e, -ENOMEM, "compose config.json");
	json_set_str(o, "ociVersion", SPEC_VERSION);
	json_set(o, "process", process(rq));
	json_set(o, "root", root = json_obj());
	json_set_str(root, "path", rq->root ? rq->root : "rootfs");
	if (rq->root_read_only)
		json_set_bool(root, "readonly", true);
	json_set_str(o, "hostname", rq->hostname);
	json_set(o, "mounts", mounts(rq));
	json_set(o, "linux", linux_part(rq));
	notes = pairs(rq->annotations, rq->nannotations);
	if (!rq->seccomp_listed || rq->seccomp_unconfined)
		json_set_str(notes, SPEC_SECCOMP_NOTE,
			     rq->seccomp_unconfined ? "unconfined" : "default");
	json_set(o, "annotations", notes);
	*out = o;
	return 0;
}
