// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/spec_check.h"

#define ID_MAX UINT32_MAX
#define LIMIT_MAX (INT64_MAX - 1)

static int wrong(struct json_object *v, const char *path, struct err *e, const char *expected)
{
	char got[128];

	json_describe(v, got, sizeof got);
	return err_conf(e, path, "expected %s, got %s", expected, got);
}

/* ---------------------------------------------------------------- what we know and do not do */

static bool is_empty(struct json_object *v)
{
	const char *text = json_text(v);
	int64_t n;

	if (text)
		return !*text;
	if (json_is_array(v))
		return json_len(v) == 0;
	if (json_is_object(v)) {
		cleanup_str struct str s = STR_INIT;

		json_print(&s, v, 0, false);
		return s.len <= 2;
	}
	return json_int(v, &n) == 0 ? n == 0 : !json_true(v);
}

static int refuse(struct doc *d, struct json_object *v, void *member, const char *path,
		  struct err *e)
{
	(void)d;
	(void)member;
	if (is_empty(v))
		return 0;
	return err_conf(e, path, "is not supported by this engine; leave it out");
}

#define FIELD_REFUSED(k) { .key = (k), .type = FIELD_T_FN, .fn = refuse }

/* ---------------------------------------------------------------- process */

static int decode_caps(struct doc *d, struct json_object *v, void *member, const char *path,
		       struct err *e)
{
	uint64_t *mask = member, one;

	(void)d;
	if (!json_is_array(v))
		return wrong(v, path, e, "array of strings");
	*mask = 0;
	for (size_t i = 0; i < json_len(v); i++) {
		const char *name = json_text(json_at(v, i));

		if (!name)
			return wrong(json_at(v, i), path, e, "array of strings");
		if (caps_parse(name, &one, NULL) == 0 && one != CAPS_ALL)
			*mask |=
				/* others: "MUST be ignored with a warning"; see find_unknown_cap */
				one;
	}
	return 0;
}

/* The first name of "capabilities" that is none, for the engine's notes. */
static int find_unknown_cap(struct doc *d, struct json_object *v, void *member, const char *path,
			    struct err *e)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "inheritable",
					    "ambient" };
	struct spec_caps *c = member;
	uint64_t one;

	(void)d;
	(void)path;
	(void)e;
	c->given = true;
	for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
		struct json_object *set = json_get(v, sets[k]);

		for (size_t i = 0; i < json_len(set) && !c->unknown; i++) {
			const char *name = json_text(json_at(set, i));

			if (name && (caps_parse(name, &one, NULL) < 0 || one == CAPS_ALL))
				c->unknown = name;
		}
	}
	return 0;
}

/* clang-format off */
static const struct field caps_fields[] = {
	FIELD_FN("bounding",	struct spec_caps, sets.bounding, decode_caps),
	FIELD_FN("effective",	struct spec_caps, sets.effective, decode_caps),
	FIELD_FN("permitted",	struct spec_caps, sets.permitted, decode_caps),
	FIELD_FN("inheritable",	struct spec_caps, sets.inheritable, decode_caps),
	FIELD_FN("ambient",	struct spec_caps, sets.ambient, decode_caps),
	FIELD_END
};
/* clang-format on */

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static int parse_rlimit(const char *s, void *member)
{
	for (size_t i = 0; i < ARRAY_LEN(rlimits); i++)
		if (!strcmp(rlimits[i].name, s)) {
			*(int *)member = rlimits[i].resource;
			return 0;
		}
	return -EINVAL;
}

/* Unsigned 64 bits: RLIM_INFINITY is more than a JSON library's integer. */
static int decode_u64(struct doc *d, struct json_object *v, void *member, const char *path,
		      struct err *e)
{
	char text[64];
	int64_t n;

	(void)d;
	if (json_int(v, &n) == 0 && n >= 0) {
		*(uint64_t *)member = (uint64_t)n;
		return 0;
	}
	json_describe(v, text, sizeof text);
	if (str_starts(text, "integer ") &&
	    str_u64(text + strlen("integer "), UINT64_MAX, member) == 0)
		return 0;
	return wrong(v, path, e, "integer 0..18446744073709551615");
}

/* clang-format off */
static const struct field rlimit_fields[] = {
	FIELD_TEXT("type",	struct spec_rlimit, resource, parse_rlimit,
		   "RLIMIT_NOFILE or another limit of getrlimit(2)"),
	FIELD_FN("soft",	struct spec_rlimit, soft, decode_u64),
	FIELD_FN("hard",	struct spec_rlimit, hard, decode_u64),
	FIELD_END
};
/* clang-format on */

static int decode_groups(struct doc *d, struct json_object *v, void *member, const char *path,
			 struct err *e)
{
	struct spec_user *u = member;
	size_t len = json_len(v);

	if (!json_is_array(v) || len > DOC_ELEMENTS_MAX)
		return wrong(v, path, e, "array of group ids");
	u->groups = doc_alloc(d, len, sizeof *u->groups);
	if (!u->groups)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		int64_t n;

		if (json_int(json_at(v, i), &n) < 0 || n < 0 || n > ID_MAX)
			return wrong(json_at(v, i), path, e, "array of group ids");
		u->groups[i] = (gid_t)n;
	}
	u->ngroups = len;
	return 0;
}

/* clang-format off */
static const struct field user_fields[] = {
	FIELD_INT("uid",	struct spec_user, uid, 0, ID_MAX),
	FIELD_INT("gid",	struct spec_user, gid, 0, ID_MAX),
	FIELD_INT("umask",	struct spec_user, umask, 0, 0777),
	{ .key = "additionalGids", .type = FIELD_T_FN, .fn = decode_groups },
	FIELD_END
};

static const struct field process_fields[] = {
	FIELD_STRS("args",		struct spec_process, args, nargs),
	FIELD_STRS("env",		struct spec_process, env, nenv),
	FIELD_STR("cwd",		struct spec_process, cwd),
	FIELD_OBJ("user",		struct spec_process, user, user_fields),
	FIELD_FN("capabilities",	struct spec_process, caps, find_unknown_cap),
	FIELD_OBJ("capabilities",	struct spec_process, caps, caps_fields),
	FIELD_ARRAY("rlimits",		struct spec_process, rlimits, nrlimits, rlimit_fields),
	FIELD_BOOL("noNewPrivileges",	struct spec_process, no_new_privs),
	FIELD_BOOL("terminal",		struct spec_process, terminal),
	FIELD_GIVEN("oomScoreAdj",	struct spec_process, oom_score_given),
	FIELD_INT("oomScoreAdj",	struct spec_process, oom_score_adj, -1000, 1000),
	FIELD_REFUSED("apparmorProfile"),
	FIELD_REFUSED("selinuxLabel"),
	FIELD_REFUSED("scheduler"),
	FIELD_REFUSED("ioPriority"),
	FIELD_REFUSED("execCPUAffinity"),
	FIELD_END
};
/* clang-format on */

/* ---------------------------------------------------------------- linux */

static const char *const ns_names[SPEC_NS_COUNT] = {
	[SPEC_NS_PID] = "pid", [SPEC_NS_MOUNT] = "mount",     [SPEC_NS_UTS] = "uts",
	[SPEC_NS_IPC] = "ipc", [SPEC_NS_NETWORK] = "network", [SPEC_NS_CGROUP] = "cgroup",
};

const char *spec_ns_name(enum spec_ns ns)
{
	return ns_names[ns];
}

static int decode_namespace(struct json_object *o, struct spec_namespace *all, const char *path,
			    struct err *e)
{
	const char *type = json_text(json_get(o, "type")), *join = json_text(json_get(o, "path"));
	size_t k = 0;

	if (!type)
		return err_conf(e, path, "expected a namespace with a \"type\"");
	while (k < SPEC_NS_COUNT && strcmp(ns_names[k], type))
		k++;
	if (k == SPEC_NS_COUNT)
		return err_conf(e, path,
				"expected type pid, mount, uts, ipc, network or cgroup, got \"%s\"",
				type);
	if (all[k].own)
		return err_conf(e, path, "a second %s namespace; each type may be listed once",
				type);
	if (join && *join && *join != '/')
		return err_conf(e, path, "expected an absolute path, got \"%s\"", join);
	if (join && *join && k == SPEC_NS_MOUNT)
		return err_conf(e, path,
				"joining a mount namespace is not supported by this engine");
	all[k] = (struct spec_namespace){ .own = true, .path = join && *join ? join : NULL };
	return 0;
}

static int decode_namespaces(struct doc *d, struct json_object *v, void *member, const char *path,
			     struct err *e)
{
	char item[64];

	(void)d;
	if (!json_is_array(v))
		return wrong(v, path, e, "array of objects");
	for (size_t i = 0; i < json_len(v); i++) {
		(void)snprintf(item, sizeof item, "%s/%zu", path, i);
		int r = decode_namespace(json_at(v, i), member, item, e);
		if (r < 0)
			return r;
	}
	return 0;
}

struct pairs {
	struct spec_pair *v;
	size_t n;
	const char *path;
	struct err *e;
};

static int add_pair(const char *key, struct json_object *v, void *arg)
{
	struct pairs *p = arg;

	if (!json_text(v))
		return err_conf(p->e, p->path, "expected strings, got something else for \"%s\"",
				key);
	if (p->v)
		p->v[p->n] = (struct spec_pair){ key, json_text(v) };
	p->n++;
	return 0;
}

/* An object of strings; *out and the size_t after it. */
static int decode_pairs(struct doc *d, struct json_object *v, struct spec_pair **out, size_t *n,
			const char *path, struct err *e)
{
	struct pairs p = { .path = path, .e = e };
	int r;

	if (!json_is_object(v))
		return wrong(v, path, e, "object of strings");
	if ((r = json_each(v, add_pair, &p)) < 0)
		return r;
	p.v = doc_alloc(d, p.n, sizeof *p.v);
	if (!p.v)
		return err_set(e, -ENOMEM, "decode %s", path);
	p.n = 0;
	if ((r = json_each(v, add_pair, &p)) < 0)
		return r;
	*out = p.v;
	*n = p.n;
	return 0;
}

static int decode_sysctls(struct doc *d, struct json_object *v, void *member, const char *path,
			  struct err *e)
{
	struct spec *s = member;

	return decode_pairs(d, v, &s->sysctls, &s->nsysctls, path, e);
}

static int decode_annotations(struct doc *d, struct json_object *v, void *member, const char *path,
			      struct err *e)
{
	struct spec *s = member;

	return decode_pairs(d, v, &s->annotations, &s->nannotations, path, e);
}

/* clang-format off */
static const struct field memory_fields[] = {
	FIELD_INT("limit",	struct spec_resources, memory, -1, LIMIT_MAX),
	FIELD_INT("swap",	struct spec_resources, swap, -1, LIMIT_MAX),
	FIELD_INT("reservation", struct spec_resources, reservation, -1, LIMIT_MAX),
	FIELD_REFUSED("kernel"),
	FIELD_REFUSED("kernelTCP"),
	FIELD_REFUSED("swappiness"),
	FIELD_REFUSED("disableOOMKiller"),
	FIELD_END
};

static const struct field cpu_fields[] = {
	FIELD_INT("shares",	struct spec_resources, cpu_shares, 0, 262144),
	FIELD_INT("quota",	struct spec_resources, cpu_quota, -1, LIMIT_MAX),
	FIELD_INT("period",	struct spec_resources, cpu_period, 0, LIMIT_MAX),
	FIELD_STR("cpus",	struct spec_resources, cpus),
	FIELD_STR("mems",	struct spec_resources, mems),
	FIELD_REFUSED("burst"),
	FIELD_REFUSED("realtimeRuntime"),
	FIELD_REFUSED("realtimePeriod"),
	FIELD_REFUSED("idle"),
	FIELD_END
};

static const struct field pids_fields[] = {
	FIELD_INT("limit",	struct spec_resources, pids, -1, LIMIT_MAX),
	FIELD_END
};

static const struct field device_rule_fields[] = {
	FIELD_BOOL("allow",	struct spec_device_rule, allow),
	FIELD_STR("type",	struct spec_device_rule, type),
	FIELD_INT("major",	struct spec_device_rule, major, -1, UINT32_MAX),
	FIELD_INT("minor",	struct spec_device_rule, minor, -1, UINT32_MAX),
	FIELD_STR("access",	struct spec_device_rule, access),
	FIELD_END
};
/* clang-format on */

/* Defaults have to be there before decoding, so the rows are told "any" first. */
static int decode_device_rules(struct doc *d, struct json_object *v, void *member, const char *path,
			       struct err *e)
{
	struct spec_resources *res = member;
	char item[96];

	if (!json_is_array(v) || json_len(v) > DOC_ELEMENTS_MAX)
		return wrong(v, path, e, "array of objects");
	res->devices = doc_alloc(d, json_len(v), sizeof *res->devices);
	if (!res->devices)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < json_len(v); i++) {
		struct spec_device_rule *rule = &res->devices[i];

		rule->major = rule->minor = -1;
		(void)snprintf(item, sizeof item, "%s/%zu", path, i);
		int r = decode(d, json_at(v, i), device_rule_fields, rule, item, e);
		if (r < 0)
			return r;
		res->ndevices++;
	}
	return 0;
}

#define FIELD_FLAT(k, table) \
	{ .key = (k), .type = FIELD_T_OBJ, .sub = (table) } /* its keys live in the same struct */

/* clang-format off */
static const struct field resources_fields[] = {
	FIELD_FLAT("memory", memory_fields),
	FIELD_FLAT("cpu", cpu_fields),
	FIELD_FLAT("pids", pids_fields),
	{ .key = "devices", .type = FIELD_T_FN, .fn = decode_device_rules },
	FIELD_REFUSED("blockIO"),
	FIELD_REFUSED("hugepageLimits"),
	FIELD_REFUSED("network"),
	FIELD_REFUSED("rdma"),
	FIELD_REFUSED("unified"),
	FIELD_END
};

static const struct field device_fields[] = {
	FIELD_STR("path",	struct spec_device, path),
	FIELD_STR("type",	struct spec_device, type),
	FIELD_INT("major",	struct spec_device, major, 0, UINT32_MAX),
	FIELD_INT("minor",	struct spec_device, minor, 0, UINT32_MAX),
	FIELD_INT("fileMode",	struct spec_device, mode, 0, 07777),
	FIELD_INT("uid",	struct spec_device, uid, 0, ID_MAX),
	FIELD_INT("gid",	struct spec_device, gid, 0, ID_MAX),
	FIELD_END
};

static const struct field linux_fields[] = {
	FIELD_FN("namespaces",		struct spec, ns, decode_namespaces),
	FIELD_STRS("maskedPaths",	struct spec, masked, nmasked),
	FIELD_STRS("readonlyPaths",	struct spec, readonly, nreadonly),
	FIELD_STR("cgroupsPath",	struct spec, cgroups_path),
	FIELD_OBJ("resources",		struct spec, resources, resources_fields),
	FIELD_ARRAY("devices",		struct spec, devices, ndevices, device_fields),
	{ .key = "sysctl", .type = FIELD_T_FN, .fn = decode_sysctls },
	FIELD_STR("rootfsPropagation",	struct spec, propagation),
	FIELD_RAW("seccomp",		struct spec, seccomp_listed),
	FIELD_REFUSED("uidMappings"),
	FIELD_REFUSED("gidMappings"),
	FIELD_REFUSED("timeOffsets"),
	FIELD_REFUSED("netDevices"),
	FIELD_REFUSED("intelRdt"),
	FIELD_REFUSED("memoryPolicy"),
	FIELD_REFUSED("personality"),
	FIELD_REFUSED("mountLabel"),
	FIELD_END
};

static const struct field mount_fields[] = {
	FIELD_STR("destination",	struct spec_mount, destination),
	FIELD_STR("source",		struct spec_mount, source),
	FIELD_STR("type",		struct spec_mount, type),
	FIELD_STRS("options",		struct spec_mount, options, noptions),
	FIELD_REFUSED("uidMappings"),
	FIELD_REFUSED("gidMappings"),
	FIELD_END
};

static const struct field root_fields[] = {
	FIELD_STR("path",	struct spec_root, path),
	FIELD_BOOL("readonly",	struct spec_root, read_only),
	FIELD_END
};

static const struct field spec_fields[] = {
	FIELD_STR("ociVersion",	struct spec, version),
	FIELD_OBJ("process",	struct spec, process, process_fields),
	FIELD_OBJ("root",	struct spec, root, root_fields),
	FIELD_STR("hostname",	struct spec, hostname),
	FIELD_STR("domainname",	struct spec, domainname),
	FIELD_ARRAY("mounts",	struct spec, mounts, nmounts, mount_fields),
	FIELD_FLAT("linux",	linux_fields),
	{ .key = "annotations", .type = FIELD_T_FN, .fn = decode_annotations },
	FIELD_REFUSED("hooks"),
	FIELD_END
};
/* clang-format on */

/* ---------------------------------------------------------------- */

const char *spec_annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->nannotations; i++)
		if (!strcmp(s->annotations[i].key, key))
			return s->annotations[i].value;
	return NULL;
}

static void set_defaults(struct spec *s)
{
	struct spec_resources *r = &s->resources;

	r->memory = r->swap = r->reservation = SPEC_NO_LIMIT;
	r->cpu_shares = r->cpu_quota = r->cpu_period = SPEC_NO_LIMIT;
	r->pids = SPEC_NO_LIMIT;
	s->process.user.umask = 022;
}

int spec_decode(struct spec *s, struct json_object *tree, struct err *e)
{
	struct spec new = SPEC_INIT;
	int r;

	new.doc.root = tree;
	set_defaults(&new);
	if ((r = decode(&new.doc, tree, spec_fields, &new, "", e)) < 0 ||
	    (r = spec_check(&new, e)) < 0 || (r = spec_check_seccomp(&new, e)) < 0) {
		spec_clear(&new);
		return r;
	}
	for (size_t i = 0; i < new.ndevices; i++)
		if (!new.devices[i].mode)
			new.devices[i].mode = 0666;
	spec_clear(s);
	*s = new;
	return 0;
}

int spec_load(struct spec *s, const char *bundle, struct err *e)
{
	cleanup_fd int dir = file_open_dir(AT_FDCWD, bundle, e);
	cleanup_free char *text = NULL;
	cleanup_doc struct doc d = DOC_INIT;
	size_t len;
	int r;

	if (dir < 0)
		return dir;
	if ((r = file_read_at(dir, "config.json", DOC_BYTES_MAX, &text, &len, e)) < 0 ||
	    (r = doc_parse(&d, text, len, e)) < 0 || (r = spec_decode(s, take_ptr(d.root), e)) < 0)
		return err_wrap(e, "%s/config.json", bundle);
	return 0;
}

void spec_clear(struct spec *s)
{
	doc_free(&s->doc);
	*s = (struct spec)SPEC_INIT;
}
