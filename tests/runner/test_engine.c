// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine on a real kernel: containers of busybox in a laboratory.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/txn/txn.h"
#include "runner/engine/cgroup.h"
#include "runner/engine/engine.h"
#include "runner/engine/monitor.h"
#include "runner/spec_compose.h"
#include "tests/lib/lab.h"

#define PLACE "/run/engine"
#define LOWER PLACE "/lower"
#define BUNDLE PLACE "/bundle"
#define OUT_MAX 65536

static const char *const lowers[] = { PLACE "/patch", LOWER };

/* ---------------------------------------------------------------- a container for a test */

struct box {
	struct spec_request rq;
	struct engine_start start;
	struct spec spec;
	struct txn txn;
	struct engine_proc proc;
	struct err err;
	int out;	    /* read end of its stdout and stderr */
	char text[OUT_MAX]; /* what it printed */
	const char *cpus;   /* for the spec */
	int r, status;
};

static int set_up(void **state)
{
	lab_enter();
	if (access("/bin/busybox", X_OK) < 0)
		lab_skip("no static busybox on this machine");
	lab_sh("mkdir -p " LOWER "/bin " LOWER "/etc " PLACE "/patch/etc && cp /bin/busybox " LOWER
	       "/bin/ && "
	       "chroot " LOWER " /bin/busybox --install -s /bin && "
	       "printf 'root:x:0:0::/root:/bin/sh\\nweb:x:33:33::/srv/www:/bin/sh\\n' > " LOWER
	       "/etc/passwd && "
	       "echo lower > " LOWER "/etc/which && echo patch > " PLACE "/patch/etc/which && "
	       "echo text > " LOWER "/etc/plain && printf 'nonsense' > " LOWER
	       "/bin/broken && chmod 755 " LOWER "/bin/broken && "
	       "printf '#!/no/such\\n' > " LOWER "/bin/lost && chmod 755 " LOWER "/bin/lost");
	*state = NULL;
	return 0;
}

static struct box *box_new(const char *const *args)
{
	struct box *b = calloc(1, sizeof *b);

	lab_sh("rm -rf " BUNDLE " && mkdir -p " BUNDLE "/upper " BUNDLE "/work");
	*b = (struct box){
		.rq = { .args = args, .hostname = "box", .cpus_thermal = engine_cpus_thermal() },
		.start = { .id = "c1",
			   .bundle = BUNDLE,
			   .netns_fd = -1,
			   .rootfs = { lowers, 2, BUNDLE "/upper", BUNDLE "/work", false } },
		.txn = TXN_INIT,
		.proc = ENGINE_PROC_INIT,
		.out = -1,
		.status = -1,
	};
	return b;
}

#define box_sh(script) box_new((const char *const[]){ "/bin/sh", "-c", script, NULL })

static void box_create(struct box *b)
{
	struct json_object *o = NULL;
	int p[2];

	if (spec_compose(&b->rq, &o, &b->err) < 0 || spec_decode(&b->spec, o, &b->err) < 0)
		fail_msg("%s", b->err.text);
	b->spec.resources.cpus = b->cpus;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	b->start.spec = &b->spec;
	b->start.stdio[0] = null;
	b->start.stdio[1] = b->start.stdio[2] = p[1];
	b->r = engine_create(&b->txn, &b->start, &b->proc, &b->err);
	b->out = p[0];
	(void)close(p[1]);
}

static void box_begin(struct box *b)
{
	box_create(b);
	if (b->r == 0)
		b->r = engine_begin(&b->proc, &b->err);
}

static void box_read(struct box *b)
{
	cleanup_free char *text = NULL;

	assert_int_equal(fd_read_all(b->out, sizeof b->text - 1, 20000, &text, NULL), 0);
	(void)snprintf(b->text, sizeof b->text, "%s", text);
}

static void box_free(struct box *b)
{
	struct err e = ERR_INIT;

	engine_proc_stop(&b->proc);
	if (txn_rollback(&b->txn, &e) < 0)
		fail_msg("%s", e.text);
	txn_end(&b->txn);
	spec_clear(&b->spec);
	if (b->out >= 0)
		(void)close(b->out);
	free(b);
}

static void box_free_p(struct box **b)
{
	box_free(*b);
}

#define cleanup_box __attribute__((cleanup(box_free_p)))

/* Runs it to its end; it must have started. */
static void box_run(struct box *b)
{
	box_begin(b);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	box_read(b);
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
}

static void expect_output(const char *script, const char *want)
{
	cleanup_box struct box *b = box_sh(script);

	box_run(b);
	if (strcmp(b->text, want) != 0)
		fail_msg("%s\nexpected:\n%s\ngot:\n%s", script, want, b->text);
}

static void assert_nothing_left(void)
{
	cleanup_free char *groups =
		lab_out("find /sys/fs/cgroup -path '*/naru*/*' -type d | head -3");
	cleanup_free char *mounts = lab_out("grep -c " PLACE " /proc/self/mounts || true");

	assert_string_equal(groups, "");
	assert_string_equal(mounts, "0");
}

/* ---------------------------------------------------------------- what it is in */

static void every_namespace_is_its_own(void **state)
{
	static const char *const kinds[] = { "pid", "mnt", "uts", "ipc", "net", "cgroup" };
	cleanup_box struct box *b =
		box_sh("for k in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$k; done");
	char path[64], ours[64];

	(void)state;
	box_run(b);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		(void)snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		ssize_t n = readlink(path, ours, sizeof ours - 1);
		assert_true(n > 0);
		ours[n] = '\0';
		assert_null(strstr(b->text, ours));
		assert_non_null(strstr(b->text, kinds[i]));
	}
}

static void it_is_process_one_with_its_name_directory_and_home(void **state)
{
	(void)state;
	expect_output("echo $$; hostname; pwd; echo $HOME; cat /proc/1/comm; ps | wc -l",
		      "1\nbox\n/\n/root\nsh\n4\n");
}

static void only_the_loopback_is_there_and_up(void **state)
{
	(void)state;
	expect_output("ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo up",
		      "lo\nup\n");
}

static void it_joins_the_network_namespace_it_is_given(void **state)
{
	cleanup_box struct box *b = box_sh("readlink /proc/self/ns/net");
	cleanup_free char *want = NULL;

	(void)state;
	lab_netns_new("given");
	cleanup_fd int fd = open(LAB_NETNS("given"), O_RDONLY | O_CLOEXEC);
	b->start.netns_fd = fd;
	box_run(b);
	want = lab_out("stat -Lc 'net:[%%i]' " LAB_NETNS("given"));
	assert_memory_equal(b->text, want, strlen(want));
	lab_netns_del("given");
}

/* ---------------------------------------------------------------- what it sees */

static void upper_layers_cover_lower_ones_and_none_is_written(void **state)
{
	cleanup_free char *before =
		lab_out("cd " PLACE " && find lower patch -type f | sort | xargs sha256sum");
	cleanup_free char *after = NULL, *upper = NULL;

	(void)state;
	expect_output("cat /etc/which; echo new > /etc/which; rm /etc/passwd; cat /etc/which",
		      "patch\nnew\n");
	after = lab_out("cd " PLACE " && find lower patch -type f | sort | xargs sha256sum");
	assert_string_equal(before, after);
	upper = lab_out("cat " BUNDLE "/upper/etc/which; stat -c %%F " BUNDLE "/upper/etc/passwd");
	assert_string_equal(upper, "new\ncharacter special file");
}

static void one_directory_alone_is_a_read_only_root_without_an_upper(void **state)
{
	cleanup_box struct box *b = box_sh("cat /etc/which; touch /x");
	static const char *const one[] = { LOWER };

	(void)state;
	lab_sh("mkdir -p " LOWER "/proc " LOWER "/dev " LOWER "/sys");
	b->start.rootfs = (struct engine_rootfs){ one, 1, NULL, NULL, false };
	box_run(b);
	assert_string_equal(b->text, "lower\ntouch: /x: Read-only file system\n");
}

static void four_hundred_layers_with_long_names_are_stacked(void **state)
{
	cleanup_box struct box *b = box_sh("cat /layer-1 /layer-400");
	static char names[400][128];
	static const char *many[401];

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		(void)snprintf(names[i], sizeof names[i],
			       PLACE "/many/a-name-that-is-long-enough-to-fill-a-page-%zu", i);
		many[i] = names[i];
	}
	many[400] = LOWER;
	lab_sh("i=0; while [ $i -lt 400 ]; do d=" PLACE
	       "/many/a-name-that-is-long-enough-to-fill-a-page-$i; mkdir -p $d; i=$((i+1)); "
	       "echo $i > $d/layer-$i; done");
	b->start.rootfs.lowers = many;
	b->start.rootfs.nlowers = 401;
	box_run(b);
	assert_string_equal(b->text, "1\n400\n");
}

static void mounts_are_dockers(void **state)
{
	(void)state;
	expect_output(
		"grep -v overlay /proc/mounts | head -7 | cut -d' ' -f2-4 | sed 's/,relatime.*//;s/,size.*//'",
		"/proc proc rw,nosuid,nodev,noexec\n/dev tmpfs rw,nosuid\n/dev/pts devpts rw,nosuid,noexec\n"
		"/sys sysfs ro,nosuid,nodev,noexec\n/sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec\n"
		"/dev/mqueue mqueue rw,nosuid,nodev,noexec\n/dev/shm tmpfs rw,nosuid,nodev,noexec\n");
}

static void devices_and_links_are_dockers(void **state)
{
	(void)state;
	expect_output(
		"cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty; for l in fd stdin stdout stderr ptmx; "
		"do echo $l $(readlink $l); done; ls | wc -l",
		"null character special file 1:3 666\nzero character special file 1:5 666\n"
		"full character special file 1:7 666\nrandom character special file 1:8 666\n"
		"urandom character special file 1:9 666\ntty character special file 5:0 666\n"
		"fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\n"
		"ptmx pts/ptmx\n15\n");
}

static void paths_are_masked_and_read_only(void **state)
{
	(void)state;
	expect_output(
		"cat /proc/interrupts /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; "
		"for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do "
		"(echo 1 > $p) 2>&1 | grep -c -e 'Read-only' -e 'nonexistent'; done; touch /sys/x 2>&1",
		"0\n0\n1\n1\n1\ntouch: /sys/x: Read-only file system\n");
}

static void only_the_allowed_devices_open(void **state)
{
	(void)state;
	expect_output(
		"mknod /tmp-null c 1 3 && echo x > /tmp-null && echo null; mknod /kmsg c 1 11 && head -c 1 /kmsg; "
		"mknod /loop b 7 0; head -c 1 /loop; echo x > /dev/full",
		"null\nhead: /kmsg: Operation not permitted\nhead: /loop: Operation not permitted\n"
		"sh: write error: No space left on device\n");
}

static void no_descriptor_leaks(void **state)
{
	(void)state;
	expect_output("ls /proc/$$/fd; true", "0\n1\n2\n");
}

static void links_in_the_image_lead_nowhere_outside(void **state)
{
	static const struct spec_bind binds[] = { { PLACE "/volume", "/link/data", false, NULL } };
	cleanup_box struct box *b = box_sh(
		"cat /dev/../link/data/file; ls -d /outside/data; echo $(ls /proc/1/root | wc -l)");

	(void)state;
	lab_sh("mkdir -p " PLACE "/volume && echo volume > " PLACE
	       "/volume/file && ln -sfn ../../../outside " LOWER "/link && "
	       "mkdir -p " LOWER "/outside && rm -rf " LOWER "/dev && ln -sfn /../../etc " LOWER
	       "/dev");
	b->rq.binds = binds;
	b->rq.nbinds = 1;
	box_run(b);
	lab_sh("rm -f " LOWER "/dev " LOWER "/link && mkdir -p " LOWER "/dev");
	assert_memory_equal(b->text, "volume\n/outside/data\n", 21);
	assert_int_equal(lab_try("test -e /outside"), 1);
}

static void volumes_are_mounted_read_only_with_everything_below(void **state)
{
	static const struct spec_bind binds[] = {
		{ PLACE "/volume", "/rw/new/dir", false, NULL },
		{ PLACE "/volume", "/ro", true, NULL },
		{ PLACE "/volume/file", "/etc/one", true, NULL },
	};
	cleanup_box struct box *b = box_sh(
		"echo x > /rw/new/dir/x; cat /ro/x /etc/one; touch /ro/y /ro/sub/z; echo y > /etc/one");

	(void)state;
	lab_sh("mkdir -p " PLACE "/volume/sub && echo one > " PLACE
	       "/volume/file && mount -t tmpfs tmpfs " PLACE "/volume/sub");
	b->rq.binds = binds;
	b->rq.nbinds = 3;
	box_run(b);
	lab_sh("umount " PLACE "/volume/sub");
	assert_string_equal(
		b->text,
		"x\none\ntouch: /ro/y: Read-only file system\ntouch: /ro/sub/z: Read-only file system\n"
		"/bin/sh: can't create /etc/one: Read-only file system\n");
}

/* ---------------------------------------------------------------- what it is */

static void capabilities_filter_and_groups_are_dockers(void **state)
{
	(void)state;
	expect_output(
		"grep -E '^(Cap|Seccomp:|NoNew|Groups)' /proc/self/status | tr '\\t' ' '",
		"Groups:  \nCapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\n"
		"CapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n");
}

static void another_user_has_no_capabilities_but_its_home_and_groups(void **state)
{
	static const gid_t groups[] = { 7, 9 };
	cleanup_box struct box *b = box_sh(
		"id -u; id -G; echo $HOME; pwd; grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | "
		"tr '\\t' ' '; echo ok > /dev/stderr");

	(void)state;
	b->rq.uid = b->rq.gid = 33;
	b->rq.groups = groups;
	b->rq.ngroups = 2;
	b->rq.cwd = "/srv/www";
	b->rq.no_new_privs = true;
	box_run(b);
	assert_string_equal(
		b->text,
		"33\n33 7 9\n/srv/www\n/srv/www\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n"
		"CapBnd: 00000000a80425fb\nok\n");
}

static void the_environment_is_what_was_asked_for(void **state)
{
	static const char *const env[] = { "A=b c", "HOME=/h", NULL };
	cleanup_box struct box *b = box_new((const char *const[]){ "env", NULL });

	(void)state;
	b->rq.env = env;
	box_run(b);
	assert_string_equal(
		b->text,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=box\nA=b c\n"
		"HOME=/h\n");
}

static void a_working_directory_that_leaves_the_root_is_refused(void **state)
{
	cleanup_box struct box *b = box_sh("pwd");

	(void)state;
	b->rq.cwd = "/proc/self/fd/5";
	box_begin(b);
	assert_int_equal(b->r, -ELOOP);
	assert_string_equal(
		b->err.text,
		"identity: find or make the working directory /proc/self/fd/5: Too many levels of symbolic "
		"links");
}

static void settings_of_the_host_are_refused(void **state)
{
	static const struct spec_pair bad[] = { { "vm.swappiness", "1" } },
				      good[] = { { "net.ipv4.ip_forward", "1" } };
	cleanup_box struct box *b = box_sh("cat /proc/sys/net/ipv4/ip_forward");

	(void)state;
	b->rq.sysctls = bad;
	b->rq.nsysctls = 1;
	box_begin(b);
	assert_string_equal(
		b->err.text,
		"system: sysctl vm.swappiness: is not a setting of the container's own namespaces");
	cleanup_box struct box *c = box_sh("cat /proc/sys/net/ipv4/ip_forward");
	c->rq.sysctls = good;
	c->rq.nsysctls = 1;
	box_run(c);
	assert_string_equal(c->text, "1\n");
}

/* ---------------------------------------------------------------- limits */

static void limits_are_written_and_hold(void **state)
{
	cleanup_box struct box *b = box_sh(
		"for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo done; cat /sys/fs/cgroup/*/pids.max");
	struct cgroup_stat s;

	(void)state;
	b->rq.pids = 5;
	b->rq.memory = 32 << 20;
	b->rq.cpu_nanos = 500000000;
	b->rq.cpu_shares = 512;
	box_create(b);
	if (b->r == -ENOTSUP)
		lab_skip("%s", b->err.text);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	assert_int_equal(cgroup_stat(b->proc.cgroup, &s, NULL), 0);
	assert_true(s.pids_limit == 5 && s.memory_limit == 32 << 20);
	lab_sh("grep -qx 512 /sys/fs/cgroup/cpu/naru/c1/cpu.shares || grep -qx 59 /sys/fs/cgroup/naru/c1/cpu.weight");
	assert_int_equal(engine_begin(&b->proc, &b->err), 0);
	box_read(b);
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
	assert_non_null(strstr(b->text, "can't fork"));
}

static void processors_can_be_chosen(void **state)
{
	cleanup_box struct box *b = box_sh(
		"grep Cpus_allowed_list /proc/self/status | cut -f2; cat /sys/fs/cgroup/*/cpuset.cpus");

	(void)state;
	b->cpus = "0";
	box_begin(b);
	if (b->r == -ENOTSUP)
		lab_skip("%s", b->err.text);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	box_read(b);
	assert_string_equal(b->text, "0\n0\n");
}

/* ---------------------------------------------------------------- how it ends */

static void exit_codes_are_dockers(void **state)
{
	static const struct {
		const char *args[4];
		int code;
		const char *error;
	} cases[] = {
		{ { "true" }, 0, NULL },
		{ { "sh", "-c", "exit 7" }, 7, NULL },
		{ { "nosuch" }, 127, "nosuch: executable file not found in the container's PATH" },
		{ { "/no/such" }, 127, "/no/such: no such file inside the container" },
		{ { "lost" },
		  127,
		  "/bin/lost: exists, but its interpreter or loader is missing in the container" },
		{ { "/etc/plain" }, 126, "/etc/plain: cannot be executed: Permission denied" },
		{ { "/etc" }, 126, "/etc: is a directory and cannot be executed" },
		{ { "broken" },
		  126,
		  "/bin/broken: is not a program of this machine's kind, and names no interpreter" },
	};

	(void)state;
	for (size_t n = 0; n < 2 * ARRAY_LEN(cases); n++) {
		const size_t i = n / 2;
		cleanup_box struct box *b = box_new(cases[i].args);

		b->start.overlap = n % 2;
		box_begin(b);
		if (cases[i].error) {
			assert_true(b->r < 0);
			assert_string_equal(b->err.text, cases[i].error);
			assert_int_equal(engine_exit_code(b->r, &b->err), cases[i].code);
			continue;
		}
		assert_int_equal(b->r, 0);
		assert_int_equal(engine_wait(&b->proc, &b->status, NULL), 0);
		assert_int_equal(b->status, cases[i].code);
	}
}

/* The file behind /proc/PID/exe; "" when the process is gone. */
static void exe_of(pid_t pid, char *out, size_t size)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	n = readlink(path, out, size - 1);
	out[n < 0 ? 0 : n] = '\0';
}

/* A script of /proc/self/exe executes the stage program, which executes the script, and so on. */
static void the_runner_cannot_be_reached_through_its_own_exec(void **state)
{
	static const char *const ways[] = { "/bin/self", "/self-script", "/proc/self/exe" };
	char ours[PATH_MAX], theirs[PATH_MAX];

	(void)state;
	exe_of(getpid(), ours, sizeof ours);
	lab_sh("ln -sfn /proc/self/exe " LOWER "/bin/self; printf '#!/proc/self/exe\\n' > " LOWER
	       "/self-script; chmod 755 " LOWER "/self-script");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		cleanup_box struct box *b = box_new((const char *const[]){ ways[i], "x", NULL });

		box_begin(b);
		for (unsigned k = 0; k < 200 && b->r == 0; k++) {
			exe_of(b->proc.pid, theirs, sizeof theirs);
			assert_string_not_equal(theirs, ours);
		}
	}
}

static void a_signal_counts_from_128(void **state)
{
	cleanup_box struct box *b = box_sh("echo up; sleep 60");

	(void)state;
	box_begin(b);
	assert_int_equal(b->r, 0);
	assert_true(engine_alive(b->proc.pid, b->proc.start_time));
	assert_false(engine_alive(b->proc.pid, b->proc.start_time + 1));
	assert_int_equal(engine_signal(b->proc.pid, b->proc.start_time + 1, SIGKILL), -ESRCH);
	assert_int_equal(engine_signal(b->proc.pid, b->proc.start_time, SIGKILL), 0);
	assert_int_equal(engine_wait(&b->proc, &b->status, NULL), 0);
	assert_int_equal(b->status, 128 + SIGKILL);
}

/* ---------------------------------------------------------------- exec */

static void exec_is_the_container_from_inside(void **state)
{
	static const char *const args[] = {
		"/bin/sh", "-c",
		"hostname; echo $A $B; id -u; for k in pid mnt net ipc uts cgroup; do [ $(readlink "
		"/proc/1/ns/$k) = $(readlink /proc/self/ns/$k) ] || echo $k differs; done; grep -E "
		"'Seccomp:|CapEff' /proc/self/status | tr '\\t' ' '; cat /proc/self/cgroup | grep ^0; "
		"ls /proc/$$/fd; exit 5",
		NULL
	};
	static const char *const base[] = { "A=1", "B=2", NULL }, *const more[] = { "B=3", NULL };
	cleanup_box struct box *b = box_sh("sleep 60");
	struct engine_proc p = ENGINE_PROC_INIT;
	struct err e = ERR_INIT;
	int pipefd[2], status;

	(void)state;
	b->rq.env = base;
	box_begin(b);
	assert_int_equal(b->r, 0);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	struct engine_exec x = { .init = b->proc.pid,
				 .start_time = b->proc.start_time,
				 .spec = &b->spec,
				 .cgroup = b->proc.cgroup,
				 .args = args,
				 .env = more,
				 .stdio = { 0, pipefd[1], pipefd[1] } };
	if (engine_exec(&x, &p, &e) < 0 || engine_begin(&p, &e) < 0)
		fail_msg("%s", e.text);
	(void)close(pipefd[1]);
	(void)close(b->out);
	b->out = pipefd[0];
	box_read(b);
	assert_int_equal(engine_wait(&p, &status, &e), 0);
	engine_proc_clear(&p);
	assert_int_equal(status, 5);
	assert_string_equal(b->text,
			    "box\n1 3\n0\nCapEff: 00000000a80425fb\nSeccomp: 2\n0::/\n0\n1\n2\n");
}

static void exec_reports_what_cannot_run_and_who_is_gone(void **state)
{
	cleanup_box struct box *b = box_sh("sleep 60");
	struct engine_proc p = ENGINE_PROC_INIT;
	struct err e = ERR_INIT;
	int r;

	(void)state;
	box_begin(b);
	struct engine_exec x = { .init = b->proc.pid,
				 .start_time = b->proc.start_time,
				 .spec = &b->spec,
				 .cgroup = b->proc.cgroup,
				 .args = (const char *const[]){ "nosuch", NULL },
				 .stdio = { 0, 1, 2 } };
	assert_int_equal(engine_exec(&x, &p, &e), 0);
	r = engine_begin(&p, &e);
	assert_string_equal(e.text, "nosuch: executable file not found in the container's PATH");
	assert_int_equal(engine_exit_code(r, &e), 127);
	x.start_time++;
	e = (struct err)ERR_INIT;
	assert_int_equal(engine_exec(&x, &p, &e), -ESRCH);
	assert_non_null(strstr(e.text, "the container is not running"));
}

/* ---------------------------------------------------------------- nothing is left */

static void a_fault_in_every_phase_leaves_nothing(void **state)
{
	const char *phase;

	(void)state;
	for (unsigned i = 0; (phase = engine_phase_name(i / 2)); i++) {
		struct box *b = box_sh("true");
		char want[64];

		b->start.overlap = i % 2;
		b->start.stop_before = phase;
		box_begin(b);
		(void)snprintf(want, sizeof want, "%s: stopped before this phase, as asked", phase);
		assert_int_equal(b->r, -ECANCELED);
		assert_string_equal(b->err.text, want);
		box_free(b);
		assert_nothing_left();
	}
}

static void a_fault_in_every_verb_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned k = 1, done = 0; !done; k++) {
		struct box *b = box_sh("true");

		b->txn.fail_at = k;
		box_begin(b);
		done = b->r == 0;
		assert_true(done || b->r == -EIO);
		box_free(b);
		assert_nothing_left();
	}
}

static void a_start_that_overlaps_is_complete_before_its_command_runs(void **state)
{
	cleanup_box struct box *b = box_sh("hostname; ls /sys/class/net");

	(void)state;
	b->start.overlap = true;
	box_create(b);
	assert_int_equal(b->r, 0);
	assert_true(engine_alive(b->proc.pid, b->proc.start_time));
	if (engine_begin(&b->proc, &b->err) < 0)
		fail_msg("%s", b->err.text);
	box_read(b);
	assert_string_equal(b->text, "box\nlo\n");
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
}

/* In a process of its own: starts a container with a journal and stays beside it. */
static void start_and_hang(int journal, bool overlap)
{
	struct box *b = box_sh("sleep 60");

	b->start.overlap = overlap;
	b->txn.journal = journal;
	box_begin(b);
	for (;;)
		(void)pause();
}

static void a_parent_killed_at_any_moment_leaves_nothing_after_the_journal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		int journal = open(PLACE "/journal",
				   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		struct err e = ERR_INIT;
		struct txn t = TXN_INIT;
		pid_t pid = fork();

		if (pid == 0) {
			lab_child();
			start_and_hang(journal, i % 2);
		}
		(void)nanosleep(&(struct timespec){ .tv_nsec = (long)(i * i) * 6000 + 3000000 },
				NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		t.ops = engine_undo_ops;
		cleanup_fd int dir = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (txn_replay(&t, dir, "journal", &e) < 0)
			fail_msg("after %u: %s", i, e.text);
		txn_end(&t);
		(void)close(journal);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		assert_nothing_left();
	}
}

/* ---------------------------------------------------------------- the monitor */

static int note_end(void *arg, int code, struct err *e)
{
	(void)e;
	*(int *)arg = code;
	return 0;
}

static void the_monitor_logs_shows_and_tells_the_end(void **state)
{
	cleanup_box struct box *b =
		box_sh("echo one; echo two >&2; printf 'a\"\\\\\\001\\377'; exit 3");
	cleanup_fd int log =
		open(PLACE "/log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	int ended = -1, tee[2];
	struct monitor m;
	struct err e = ERR_INIT;
	cleanup_free char *logged = NULL;

	(void)state;
	assert_int_equal(pipe2(tee, O_CLOEXEC), 0);
	box_begin(b);
	assert_int_equal(b->r, 0);
	m = (struct monitor){ .proc = &b->proc,
			      .out = take_fd(b->out),
			      .err = -1,
			      .log = log,
			      .tee_out = tee[1],
			      .tee_err = -1,
			      .forward_signals = true,
			      .ended = note_end,
			      .arg = &ended };
	assert_int_equal(monitor_run(&m, &e), 3);
	assert_int_equal(ended, 3);
	assert_true(m.dropped == 0);
	(void)close(tee[1]);
	b->out = tee[0];
	box_read(b);
	assert_string_equal(b->text, "one\ntwo\na\"\\\001\377");
	logged = lab_out("sed 's/\"time\":\"20[0-9-]*T[0-9:.]*Z\"/\"time\":T/' " PLACE "/log");
	assert_string_equal(
		logged, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":T}\n"
			"{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":T}\n"
			"{\"log\":\"a\\\"\\\\\\u0001\\ufffd\",\"stream\":\"stdout\",\"time\":T}");
}

static void a_full_log_does_not_hold_the_container_up(void **state)
{
	cleanup_box struct box *b = box_sh(
		"i=0; while [ $i -lt 20000 ]; do echo line $i of the container; i=$((i+1)); done");
	cleanup_fd int log = -1;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	lab_sh("mkdir -p " PLACE "/small && mount -t tmpfs -o size=64k tmpfs " PLACE "/small");
	log = open(PLACE "/small/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	box_begin(b);
	struct monitor m = { .proc = &b->proc,
			     .out = take_fd(b->out),
			     .err = -1,
			     .log = log,
			     .tee_out = -1,
			     .tee_err = -1 };
	assert_int_equal(monitor_run(&m, &e), 0);
	assert_true(m.dropped > 10000);
	assert_int_equal(fstat(log, &st), 0);
	assert_int_equal(lab_try("tail -c 1 " PLACE "/small/log | grep -q . "),
			 1); /* ends with a whole entry */
	(void)close(take_fd(log));
	lab_sh("umount " PLACE "/small");
}

static void a_log_that_never_answers_does_not_hold_the_container_up(void **state)
{
	cleanup_box struct box *b =
		box_sh("head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo done");
	struct err e = ERR_INIT;
	int dead[2];

	(void)state;
	assert_int_equal(pipe2(dead, O_CLOEXEC), 0); /* nobody reads it */
	box_begin(b);
	struct monitor m = { .proc = &b->proc,
			     .out = take_fd(b->out),
			     .err = -1,
			     .log = dead[1],
			     .tee_out = -1,
			     .tee_err = -1 };
	assert_int_equal(monitor_run(&m, &e), 0);
	assert_true(m.dropped > 1000);
	(void)close(dead[0]);
	(void)close(dead[1]);
}

static void signals_reach_the_container(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		lab_child();
		struct box *b =
			box_sh("trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done");
		struct err e = ERR_INIT;

		box_begin(b);
		struct monitor m = { .proc = &b->proc,
				     .out = -1,
				     .err = -1,
				     .log = -1,
				     .tee_out = -1,
				     .tee_err = -1,
				     .forward_signals = true };
		int r = monitor_run(&m, &e);

		box_free(b);
		_exit(r);
	}
	(void)nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_namespace_is_its_own),
		cmocka_unit_test(it_is_process_one_with_its_name_directory_and_home),
		cmocka_unit_test(only_the_loopback_is_there_and_up),
		cmocka_unit_test(it_joins_the_network_namespace_it_is_given),
		cmocka_unit_test(upper_layers_cover_lower_ones_and_none_is_written),
		cmocka_unit_test(one_directory_alone_is_a_read_only_root_without_an_upper),
		cmocka_unit_test(four_hundred_layers_with_long_names_are_stacked),
		cmocka_unit_test(mounts_are_dockers),
		cmocka_unit_test(devices_and_links_are_dockers),
		cmocka_unit_test(paths_are_masked_and_read_only),
		cmocka_unit_test(only_the_allowed_devices_open),
		cmocka_unit_test(no_descriptor_leaks),
		cmocka_unit_test(links_in_the_image_lead_nowhere_outside),
		cmocka_unit_test(volumes_are_mounted_read_only_with_everything_below),
		cmocka_unit_test(capabilities_filter_and_groups_are_dockers),
		cmocka_unit_test(another_user_has_no_capabilities_but_its_home_and_groups),
		cmocka_unit_test(the_environment_is_what_was_asked_for),
		cmocka_unit_test(a_working_directory_that_leaves_the_root_is_refused),
		cmocka_unit_test(settings_of_the_host_are_refused),
		cmocka_unit_test(limits_are_written_and_hold),
		cmocka_unit_test(processors_can_be_chosen),
		cmocka_unit_test(exit_codes_are_dockers),
		cmocka_unit_test(the_runner_cannot_be_reached_through_its_own_exec),
		cmocka_unit_test(a_signal_counts_from_128),
		cmocka_unit_test(exec_is_the_container_from_inside),
		cmocka_unit_test(exec_reports_what_cannot_run_and_who_is_gone),
		cmocka_unit_test(a_start_that_overlaps_is_complete_before_its_command_runs),
		cmocka_unit_test(a_fault_in_every_phase_leaves_nothing),
		cmocka_unit_test(a_fault_in_every_verb_leaves_nothing),
		cmocka_unit_test(a_parent_killed_at_any_moment_leaves_nothing_after_the_journal),
		cmocka_unit_test(the_monitor_logs_shows_and_tells_the_end),
		cmocka_unit_test(a_full_log_does_not_hold_the_container_up),
		cmocka_unit_test(a_log_that_never_answers_does_not_hold_the_container_up),
		cmocka_unit_test(signals_reach_the_container),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
