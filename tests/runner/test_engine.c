// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine on a real kernel, containers of busybox in a laboratory: what a container is in, sees
 * and is.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "runner/engine/cgroup.h"
#include "runner/engine/engine.h"
#include "runner/spec_compose.h"
#include "tests/lib/ebox.h"
#include "tests/lib/lab.h"

/* ---------------------------------------------------------------- what it is in */

static void every_namespace_is_its_own(void **state)
{
	static const char *const kinds[] = { "pid", "mnt", "uts", "ipc", "net", "cgroup" };
	cleanup_ebox struct ebox *b =
		ebox_sh("for k in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$k; done");
	char path[64], ours[64];

	(void)state;
	ebox_run(b);
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
	ebox_expect("echo $$; hostname; pwd; echo $HOME; cat /proc/1/comm; ps | wc -l",
		    "1\nbox\n/\n/root\nsh\n4\n");
}

static void only_the_loopback_is_there_and_up(void **state)
{
	(void)state;
	ebox_expect("ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo up",
		    "lo\nup\n");
}

static void it_joins_the_network_namespace_it_is_given(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("readlink /proc/self/ns/net");
	cleanup_free char *want = NULL;

	(void)state;
	lab_netns_new("given");
	cleanup_fd int fd = open(LAB_NETNS("given"), O_RDONLY | O_CLOEXEC);
	b->start.netns_fd = fd;
	ebox_run(b);
	want = lab_out("stat -Lc 'net:[%%i]' " LAB_NETNS("given"));
	assert_memory_equal(b->text, want, strlen(want));
	lab_netns_del("given");
}

/* ---------------------------------------------------------------- what it sees */

static void upper_layers_cover_lower_ones_and_none_is_written(void **state)
{
	cleanup_free char *before =
		lab_out("cd " EBOX_PLACE " && find lower patch -type f | sort | xargs sha256sum");
	cleanup_free char *after = NULL, *upper = NULL;

	(void)state;
	ebox_expect("cat /etc/which; echo new > /etc/which; rm /etc/passwd; cat /etc/which",
		    "patch\nnew\n");
	after = lab_out("cd " EBOX_PLACE " && find lower patch -type f | sort | xargs sha256sum");
	assert_string_equal(before, after);
	upper = lab_out("cat " EBOX_BUNDLE "/upper/etc/which; stat -c %%F " EBOX_BUNDLE
			"/upper/etc/passwd");
	assert_string_equal(upper, "new\ncharacter special file");
}

static void one_directory_alone_is_a_read_only_root_without_an_upper(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("cat /etc/which; touch /x");
	static const char *const one[] = { EBOX_LOWER };

	(void)state;
	lab_sh("mkdir -p " EBOX_LOWER "/proc " EBOX_LOWER "/dev " EBOX_LOWER "/sys");
	b->start.rootfs = (struct engine_rootfs){ one, 1, NULL, NULL, false };
	ebox_run(b);
	assert_string_equal(b->text, "lower\ntouch: /x: Read-only file system\n");
}

static void four_hundred_layers_with_long_names_are_stacked(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("cat /layer-1 /layer-400");
	static char names[400][128];
	static const char *many[401];

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		(void)snprintf(names[i], sizeof names[i],
			       EBOX_PLACE "/many/a-name-that-is-long-enough-to-fill-a-page-%zu", i);
		many[i] = names[i];
	}
	many[400] = EBOX_LOWER;
	lab_sh("i=0; while [ $i -lt 400 ]; do d=" EBOX_PLACE
	       "/many/a-name-that-is-long-enough-to-fill-a-page-$i; mkdir -p $d; i=$((i+1)); "
	       "echo $i > $d/layer-$i; done");
	b->start.rootfs.lowers = many;
	b->start.rootfs.nlowers = 401;
	ebox_run(b);
	assert_string_equal(b->text, "1\n400\n");
}

static void mounts_are_dockers(void **state)
{
	(void)state;
	ebox_expect(
		"grep -v overlay /proc/mounts | head -7 | cut -d' ' -f2-4 | sed 's/,relatime.*//;s/,size.*//'",
		"/proc proc rw,nosuid,nodev,noexec\n/dev tmpfs rw,nosuid\n/dev/pts devpts rw,nosuid,noexec\n"
		"/sys sysfs ro,nosuid,nodev,noexec\n/sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec\n"
		"/dev/mqueue mqueue rw,nosuid,nodev,noexec\n/dev/shm tmpfs rw,nosuid,nodev,noexec\n");
}

static void devices_and_links_are_dockers(void **state)
{
	(void)state;
	ebox_expect(
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
	ebox_expect(
		"cat /proc/interrupts /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; "
		"for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do "
		"(echo 1 > $p) 2>&1 | grep -c -e 'Read-only' -e 'nonexistent'; done; touch /sys/x 2>&1",
		"0\n0\n1\n1\n1\ntouch: /sys/x: Read-only file system\n");
}

static void only_the_allowed_devices_open(void **state)
{
	(void)state;
	ebox_expect(
		"mknod /tmp-null c 1 3 && echo x > /tmp-null && echo null; mknod /kmsg c 1 11 && head -c 1 /kmsg; "
		"mknod /loop b 7 0; head -c 1 /loop; echo x > /dev/full",
		"null\nhead: /kmsg: Operation not permitted\nhead: /loop: Operation not permitted\n"
		"sh: write error: No space left on device\n");
}

static void no_descriptor_leaks(void **state)
{
	(void)state;
	ebox_expect("ls /proc/$$/fd; true", "0\n1\n2\n");
}

static void links_in_the_image_lead_nowhere_outside(void **state)
{
	static const struct spec_bind binds[] = { { EBOX_PLACE "/volume", "/link/data", false,
						    NULL } };
	cleanup_ebox struct ebox *b = ebox_sh(
		"cat /dev/../link/data/file; ls -d /outside/data; echo $(ls /proc/1/root | wc -l)");

	(void)state;
	lab_sh("mkdir -p " EBOX_PLACE "/volume && echo volume > " EBOX_PLACE
	       "/volume/file && ln -sfn ../../../outside " EBOX_LOWER "/link && "
	       "mkdir -p " EBOX_LOWER "/outside && rm -rf " EBOX_LOWER
	       "/dev && ln -sfn /../../etc " EBOX_LOWER "/dev");
	b->rq.binds = binds;
	b->rq.nbinds = 1;
	ebox_run(b);
	lab_sh("rm -f " EBOX_LOWER "/dev " EBOX_LOWER "/link && mkdir -p " EBOX_LOWER "/dev");
	assert_memory_equal(b->text, "volume\n/outside/data\n", 21);
	assert_int_equal(lab_try("test -e /outside"), 1);
}

static void volumes_are_mounted_read_only_with_everything_below(void **state)
{
	static const struct spec_bind binds[] = {
		{ EBOX_PLACE "/volume", "/rw/new/dir", false, NULL },
		{ EBOX_PLACE "/volume", "/ro", true, NULL },
		{ EBOX_PLACE "/volume/file", "/etc/one", true, NULL },
	};
	cleanup_ebox struct ebox *b = ebox_sh(
		"echo x > /rw/new/dir/x; cat /ro/x /etc/one; touch /ro/y /ro/sub/z; echo y > /etc/one");

	(void)state;
	lab_sh("mkdir -p " EBOX_PLACE "/volume/sub && echo one > " EBOX_PLACE
	       "/volume/file && mount -t tmpfs tmpfs " EBOX_PLACE "/volume/sub");
	b->rq.binds = binds;
	b->rq.nbinds = 3;
	ebox_run(b);
	lab_sh("umount " EBOX_PLACE "/volume/sub");
	assert_string_equal(
		b->text,
		"x\none\ntouch: /ro/y: Read-only file system\ntouch: /ro/sub/z: Read-only file system\n"
		"/bin/sh: can't create /etc/one: Read-only file system\n");
}

/* ---------------------------------------------------------------- what it is */

static void capabilities_filter_and_groups_are_dockers(void **state)
{
	(void)state;
	ebox_expect(
		"grep -E '^(Cap|Seccomp:|NoNew|Groups)' /proc/self/status | tr '\\t' ' '",
		"Groups:  \nCapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\n"
		"CapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n");
}

static void another_user_has_no_capabilities_but_its_home_and_groups(void **state)
{
	static const gid_t groups[] = { 7, 9 };
	cleanup_ebox struct ebox *b = ebox_sh(
		"id -u; id -G; echo $HOME; pwd; grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | "
		"tr '\\t' ' '; echo ok > /dev/stderr");

	(void)state;
	b->rq.uid = b->rq.gid = 33;
	b->rq.groups = groups;
	b->rq.ngroups = 2;
	b->rq.cwd = "/srv/www";
	b->rq.no_new_privs = true;
	ebox_run(b);
	assert_string_equal(
		b->text,
		"33\n33 7 9\n/srv/www\n/srv/www\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n"
		"CapBnd: 00000000a80425fb\nok\n");
}

static void the_environment_is_what_was_asked_for(void **state)
{
	static const char *const env[] = { "A=b c", "HOME=/h", NULL };
	cleanup_ebox struct ebox *b = ebox_new((const char *const[]){ "env", NULL });

	(void)state;
	b->rq.env = env;
	ebox_run(b);
	assert_string_equal(
		b->text,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=box\nA=b c\n"
		"HOME=/h\n");
}

static void a_working_directory_that_leaves_the_root_is_refused(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh("pwd");

	(void)state;
	b->rq.cwd = "/proc/self/fd/5";
	ebox_begin(b);
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
	cleanup_ebox struct ebox *b = ebox_sh("cat /proc/sys/net/ipv4/ip_forward");

	(void)state;
	b->rq.sysctls = bad;
	b->rq.nsysctls = 1;
	ebox_begin(b);
	assert_string_equal(
		b->err.text,
		"system: sysctl vm.swappiness: is not a setting of the container's own namespaces");
	cleanup_ebox struct ebox *c = ebox_sh("cat /proc/sys/net/ipv4/ip_forward");
	c->rq.sysctls = good;
	c->rq.nsysctls = 1;
	ebox_run(c);
	assert_string_equal(c->text, "1\n");
}

/* ---------------------------------------------------------------- limits */

static void limits_are_written_and_hold(void **state)
{
	cleanup_ebox struct ebox *b = ebox_sh(
		"for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo done; cat /sys/fs/cgroup/*/pids.max");
	struct cgroup_stat s;

	(void)state;
	b->rq.pids = 5;
	b->rq.memory = 32 << 20;
	b->rq.cpu_nanos = 500000000;
	b->rq.cpu_shares = 512;
	ebox_create(b);
	if (b->r == -ENOTSUP)
		lab_skip("%s", b->err.text);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	assert_int_equal(cgroup_stat(b->proc.cgroup, &s, NULL), 0);
	assert_true(s.pids_limit == 5 && s.memory_limit == 32 << 20);
	lab_sh("grep -qx 512 /sys/fs/cgroup/cpu/naru/c1/cpu.shares || grep -qx 59 /sys/fs/cgroup/naru/c1/cpu.weight");
	assert_int_equal(engine_begin(&b->proc, &b->err), 0);
	ebox_read(b);
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
	assert_non_null(strstr(b->text, "can't fork"));
}

static void processors_can_be_chosen(void **state)
{
	cleanup_ebox struct ebox *b =
		ebox_sh("grep Cpus_allowed_list /proc/self/status | cut -f2; cd /sys/fs/cgroup; "
			"cat cpuset.cpus */cpuset.cpus 2>/dev/null");

	(void)state;
	b->cpus = "0";
	ebox_begin(b);
	if (b->r == -ENOTSUP)
		lab_skip("%s", b->err.text);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	ebox_read(b);
	assert_string_equal(b->text, "0\n0\n");
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
	};

	return cmocka_run_group_tests(tests, ebox_set_up, NULL);
}
