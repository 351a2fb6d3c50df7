// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config.json: composed as docker would have it, decoded again, refused by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "netlib/base/encode.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "runner/engine/limits.h"
#include "runner/engine/mountopt.h"
#include "runner/spec.h"
#include "runner/spec_compose.h"
#include "tests/unit/unit.h"

#define GOLDEN "tests/golden/config.json"

static const char *const args[] = { "/bin/httpd", "-f", NULL };
static const char *const env[] = { "A=1", "B=2", "A=3", NULL };
static const gid_t groups[] = { 10, 20 };
static const struct spec_bind binds[] = {
	{ "/srv/www", "/www", true, NULL },
	{ "/srv/data", "/data", false, "rslave" },
};
static const struct spec_pair notes[] = { { "org.naru.image", "web:1" } };
static const struct spec_pair sysctls[] = { { "net.ipv4.ip_unprivileged_port_start", "0" } };

static struct spec_request full_request(void)
{
	return (struct spec_request){
		.args = args,
		.env = env,
		.cwd = "/www",
		.uid = 33,
		.gid = 33,
		.groups = groups,
		.ngroups = 2,
		.hostname = "web",
		.netns = "/run/netns/web",
		.memory = 64 << 20,
		.cpu_nanos = 500000000,
		.cpu_shares = 512,
		.pids = 100,
		.binds = binds,
		.nbinds = 2,
		.cpus_thermal = 1,
		.sysctls = sysctls,
		.nsysctls = 1,
		.annotations = notes,
		.nannotations = 1,
	};
}

static struct json_object *composed(const struct spec_request *rq)
{
	struct json_object *o = NULL;
	struct err e = ERR_INIT;

	if (spec_compose(rq, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

static char *text_of(struct json_object *o)
{
	struct str s = STR_INIT;

	json_print(&s, o, 2, false);
	str_addc(&s, '\n');
	return str_take(&s);
}

/* GOLDEN=write makes the file anew; look at the difference before committing it. */
static void a_full_request_gives_the_golden_document(void **state)
{
	struct spec_request rq = full_request();
	cleanup_json struct json_object *o = composed(&rq);
	cleanup_free char *got = text_of(o), *want = NULL;
	const char *mode = getenv("GOLDEN");
	struct err e = ERR_INIT;

	(void)state;
	if (mode && !strcmp(mode, "write")) {
		FILE *f = fopen(GOLDEN, "we");

		assert_non_null(f);
		assert_true(fputs(got, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	if (file_read_at(AT_FDCWD, GOLDEN, 1 << 20, &want, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(got, want);
}

static void what_was_composed_is_decoded_again(void **state)
{
	struct spec_request rq = full_request();
	cleanup_spec struct spec s = SPEC_INIT;
	struct err e = ERR_INIT;

	(void)state;
	if (spec_decode(&s, composed(&rq), &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(s.process.args[0], "/bin/httpd");
	assert_string_equal(s.process.args[1], "-f");
	assert_null(s.process.args[2]);
	assert_int_equal(s.process.user.uid, 33);
	assert_int_equal(s.process.user.ngroups, 2);
	assert_int_equal(s.process.user.groups[1], 20);
	assert_int_equal(s.process.user.umask, 022);
	assert_string_equal(s.process.cwd, "/www");
	assert_true(s.process.caps.sets.bounding == CAPS_DOCKER);
	assert_true(s.process.caps.sets.effective == CAPS_DOCKER);
	assert_true(s.process.caps.sets.inheritable == 0 && s.process.caps.sets.ambient == 0);
	assert_string_equal(s.ns[SPEC_NS_NETWORK].path, "/run/netns/web");
	for (unsigned i = 0; i < SPEC_NS_COUNT; i++)
		assert_true(s.ns[i].own);
	assert_true(s.resources.memory == 64 << 20 && s.resources.swap == 128 << 20);
	assert_int_equal(s.resources.cpu_quota, 50000);
	assert_int_equal(s.resources.cpu_period, 100000);
	assert_int_equal(s.resources.cpu_shares, 512);
	assert_int_equal(s.resources.pids, 100);
	assert_int_equal(s.nmounts, 9);
	assert_string_equal(s.mounts[7].source, "/srv/www");
	assert_string_equal(s.mounts[7].options[2], "rro");
	assert_int_equal(s.mounts[8].noptions, 2);
	assert_int_equal(s.seccomp, SPEC_SECCOMP_DEFAULT);
	assert_string_equal(spec_annotation(&s, "org.naru.image"), "web:1");
	assert_string_equal(s.sysctls[0].key, "net.ipv4.ip_unprivileged_port_start");
}

static void the_last_entry_of_a_variable_wins_and_path_and_host_name_are_added(void **state)
{
	static const char *const want[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME=web",
		"B=2",
		"A=3",
	};
	struct spec_request rq = full_request();
	cleanup_spec struct spec s = SPEC_INIT;

	(void)state;
	assert_int_equal(spec_decode(&s, composed(&rq), NULL), 0);
	assert_int_equal(s.process.nenv, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		row_text(i, "variable", s.process.env[i], want[i]);
}

static void requests_out_of_range_are_refused(void **state)
{
	static const char *const none[] = { NULL };
	static const struct spec_bind relative[] = { { "data", "/data", false, NULL } };
	static const struct {
		struct spec_request rq;
		const char *error;
	} cases[] = {
		{ { .args = none }, "no command: the image has none, so give one after its name" },
		{ { .args = args, .memory = 1000 },
		  "memory limit of 1000 bytes: expected at least 524288 (512k)" },
		{ { .args = args, .cpu_nanos = 1 },
		  "CPU limit: expected 0.01 to 8192 CPUs, got 0.000000001" },
		{ { .args = args, .cpu_shares = 1 }, "CPU shares: expected 2 to 262144, got 1" },
		{ { .args = args, .cwd = "x" },
		  "working directory \"x\": expected an absolute path" },
		{ { .args = args, .binds = relative, .nbinds = 1 },
		  "volume data:/data: expected absolute paths" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_object *o = NULL;
		struct err e = ERR_INIT;

		row_int(i, "result", spec_compose(&cases[i].rq, &o, &e), -EINVAL);
		row_text(i, "error", e.text, cases[i].error);
		assert_null(o);
	}
}

static void a_listed_default_profile_is_recognised(void **state)
{
	struct spec_request rq = { .args = args, .seccomp_listed = true };
	cleanup_spec struct spec s = SPEC_INIT;
	struct err e = ERR_INIT;

	(void)state;
	if (spec_decode(&s, composed(&rq), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s.seccomp, SPEC_SECCOMP_DEFAULT);
	assert_null(spec_annotation(&s, SPEC_SECCOMP_NOTE));
}

/* ---------------------------------------------------------------- documents from elsewhere */

#define DOC(process, rest) \
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"" process \
	"},\"root\":{\"path\":\"r\"}" rest "}"
#define LINUX(more) ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]" more "}"

static int decode_text(const char *text, struct spec *s, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	int r = doc_parse(&d, text, strlen(text), e);

	return r < 0 ? r : spec_decode(s, take_ptr(d.root), e);
}

static void documents_are_refused_by_the_name_of_what_is_wrong(void **state)
{
	static const struct {
		const char *doc, *error;
	} cases[] = {
		{ "[]", "/: expected object, got array" },
		{ "{}", "/ociVersion: expected 1.x, got \"\"" },
		{ "{\"ociVersion\":\"2.0\"}", "/ociVersion: expected 1.x, got \"2.0\"" },
		{ "{\"ociVersion\":\"1.0.2\"}",
		  "/process/args: expected at least one argument, got none" },
		{ DOC(",\"cwd\":\"x\"", LINUX("")),
		  "/process/cwd: expected an absolute path, got \"x\"" },
		{ DOC("", ""),
		  "/linux/namespaces: expected a mount namespace among them; this engine needs one" },
		{ DOC(",\"terminal\":true", LINUX("")),
		  "/process/terminal: terminals are not supported by this engine; leave it out" },
		{ DOC(",\"apparmorProfile\":\"x\"", LINUX("")),
		  "/process/apparmorProfile: is not supported by this engine; leave it out" },
		{ DOC(",\"rlimits\":[{\"type\":\"RLIMIT_X\"}]", LINUX("")),
		  "/process/rlimits/0/type: expected RLIMIT_NOFILE or another limit of getrlimit(2), got string \"RLIMIT_X\"" },
		{ DOC(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\"},{\"type\":\"RLIMIT_CPU\"}]",
		      LINUX("")),
		  "/process/rlimits: the type of element 1 is there twice" },
		{ DOC(",\"oomScoreAdj\":1001", LINUX("")),
		  "/process/oomScoreAdj: expected integer -1000..1000, got 1001" },
		{ DOC(",\"user\":{\"uid\":-1}", LINUX("")),
		  "/process/user/uid: expected integer 0..4294967295, got -1" },
		{ DOC(",\"user\":{\"additionalGids\":[\"a\"]}", LINUX("")),
		  "/process/user/additionalGids: expected array of group ids, got string \"a\"" },
		{ DOC("", ",\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}" LINUX("")),
		  "/hooks: is not supported by this engine; leave it out" },
		{ DOC("", LINUX(",\"uidMappings\":[{\"size\":1}]")),
		  "/linux/uidMappings: is not supported by this engine; leave it out" },
		{ DOC("", LINUX(",\"resources\":{\"blockIO\":{\"weight\":1}}")),
		  "/linux/resources/blockIO: is not supported by this engine; leave it out" },
		{ DOC("", LINUX(",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"}")),
		  "/linux/seccomp: is not docker's default profile, the only one this engine has; leave it out and set the "
		  "annotation org.naru.seccomp to default or unconfined" },
		{ DOC("", ",\"linux\":{\"namespaces\":[{\"type\":\"time\"}]}"),
		  "/linux/namespaces/0: expected type pid, mount, uts, ipc, network or cgroup, got \"time\"" },
		{ DOC("", ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}"),
		  "/linux/namespaces/1: a second pid namespace; each type may be listed once" },
		{ DOC("", ",\"hostname\":\"h\"" LINUX("")),
		  "/hostname: needs a uts namespace of its own in /linux/namespaces" },
		{ DOC("", ",\"mounts\":[{\"destination\":\"x\"}]" LINUX("")),
		  "/mounts/0/destination: expected an absolute path, got \"x\"" },
		{ DOC("", LINUX(",\"sysctl\":{\"a\":1}")),
		  "/linux/sysctl: expected strings, got something else for \"a\"" },
		{ DOC("", LINUX(",\"rootfsPropagation\":\"shared\"")),
		  "/linux/rootfsPropagation: expected private, rprivate, slave or rslave, got \"shared\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_spec struct spec s = SPEC_INIT;
		struct err e = ERR_INIT;

		row_int(i, "result", decode_text(cases[i].doc, &s, &e), -EINVAL);
		row_text(i, "error", e.text, cases[i].error);
	}
}

static void unknown_keys_and_empty_values_are_accepted(void **state)
{
	cleanup_spec struct spec s = SPEC_INIT;
	struct err e = ERR_INIT;
	const char *doc = DOC(
		",\"apparmorProfile\":\"\",\"x\":{\"y\":[1]},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,"
		"\"hard\":18446744073709551615}],\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"]}",
		",\"hooks\":{}" LINUX(",\"uidMappings\":[],\"new\":1"));

	(void)state;
	if (decode_text(doc, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s.process.rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(s.process.rlimits[0].hard == RLIM_INFINITY);
	assert_true(s.process.caps.sets.bounding == CAP_BIT(CAP_KILL));
	assert_string_equal(s.process.caps.unknown, "CAP_NEW");
	assert_int_equal(s.seccomp, SPEC_SECCOMP_NONE);
	assert_true(s.resources.memory == SPEC_NO_LIMIT);
}

/* ---------------------------------------------------------------- limits and mount options */

static void shares_become_weights_as_other_runtimes_convert_them(void **state)
{
	static const struct {
		uint64_t shares;
		unsigned weight;
	} cases[] = {
		{ 0, 1 },      { 2, 1 },      { 10, 4 },	 { 100, 17 },	    { 256, 35 },
		{ 1024, 100 }, { 2048, 174 }, { 262144, 10000 }, { 999999, 10000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		row_int(i, "weight", limits_cpu_weight(cases[i].shares), cases[i].weight);
}

static void limits_are_planned_for_both_versions(void **state)
{
	enum { ALL = (1 << CGROUP_CONTROLLERS) - 1 };
	const struct spec_resources res = {
		.memory = 1 << 20,
		.swap = 2 << 20,
		.reservation = SPEC_NO_LIMIT,
		.cpu_shares = 1024,
		.cpu_quota = 50000,
		.cpu_period = 100000,
		.pids = 10,
		.cpus = "0",
	};
	static const struct {
		unsigned v1, v2;
		const char *plan;
	} cases[] = {
		{ ALL, 0,
		  "memory.limit_in_bytes=1048576 memory.memsw.limit_in_bytes=2097152 cpu.shares=1024 "
		  "cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000 pids.max=10 cpuset.cpus=0 " },
		{ 0, ALL,
		  "memory.max=1048576 memory.swap.max=1048576 cpu.weight=100 cpu.max=50000 100000 pids.max=10 "
		  "cpuset.cpus=0 " },
		{ 1 << CGROUP_MEMORY, ALL & ~(1 << CGROUP_MEMORY),
		  "memory.limit_in_bytes=1048576 memory.memsw.limit_in_bytes=2097152 cpu.weight=100 cpu.max=50000 100000 "
		  "pids.max=10 cpuset.cpus=0 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cgroup_write w[CGROUP_WRITES_MAX];
		cleanup_str struct str s = STR_INIT;
		int n = limits_plan(&res, cases[i].v1, cases[i].v2, w, NULL);

		for (int k = 0; k < n; k++)
			str_addf(&s, "%s=%s ", w[k].file, w[k].text ? w[k].text : w[k].value);
		row_text(i, "plan", s.p, cases[i].plan);
	}
}

static void a_limit_without_its_controller_is_refused(void **state)
{
	const struct spec_resources res = { .memory = SPEC_NO_LIMIT,
					    .swap = SPEC_NO_LIMIT,
					    .reservation = SPEC_NO_LIMIT,
					    .cpu_quota = SPEC_NO_LIMIT,
					    .pids = 10 };
	struct cgroup_write w[CGROUP_WRITES_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(limits_plan(&res, 1 << CGROUP_MEMORY, 1 << CGROUP_CPU, w, &e), -ENOTSUP);
	assert_string_equal(
		e.text,
		"limit of processes: no limits available, this machine has no \"pids\" controller (neither a "
		"version 1 hierarchy in /sys/fs/cgroup nor in cgroup.controllers of version 2); leave the "
		"limit out");
}

static void mount_options_are_taken_apart(void **state)
{
	static const char *const words[] = { "rbind",  "ro",  "nosuid",	  "noexec", "exec",
					     "rslave", "rro", "mode=755", "sync" };
	struct mountopt o;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mountopt_parse(words, ARRAY_LEN(words), &o, NULL), 0);
	assert_true(o.bind && o.recursive && o.propagation_recursive);
	assert_true(o.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) &&
		    o.clear == MOUNT_ATTR_NOEXEC);
	assert_true(o.rset == MOUNT_ATTR_RDONLY && o.propagation == MS_SLAVE);
	assert_int_equal(o.ndata, 2);
	assert_int_equal(mountopt_parse((const char *const[]){ "idmap" }, 1, &o, &e), -ENOTSUP);
	assert_string_equal(e.text,
			    "mount option \"idmap\" is not supported by this engine; leave it out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_request_gives_the_golden_document),
		cmocka_unit_test(what_was_composed_is_decoded_again),
		cmocka_unit_test(
			the_last_entry_of_a_variable_wins_and_path_and_host_name_are_added),
		cmocka_unit_test(requests_out_of_range_are_refused),
		cmocka_unit_test(a_listed_default_profile_is_recognised),
		cmocka_unit_test(documents_are_refused_by_the_name_of_what_is_wrong),
		cmocka_unit_test(unknown_keys_and_empty_values_are_accepted),
		cmocka_unit_test(shares_become_weights_as_other_runtimes_convert_them),
		cmocka_unit_test(limits_are_planned_for_both_versions),
		cmocka_unit_test(a_limit_without_its_controller_is_refused),
		cmocka_unit_test(mount_options_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
