// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The floor of a container: namespaces, an overlay root with proc, dev, devpts, shm and sys, a
 * cgroup, /bin/true, and all of it gone again. No seccomp, no capabilities, no configuration, no
 * state.
 *
 *   floor_container [-j NETNS] [-c CGROUP] ROOTFS
 *
 * -j joins a network namespace instead of making one; -c makes the container's cgroup below CGROUP.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/rtnetlink.h>
#include <linux/sched.h>

#include "tests/bench/lib/sample.h"

struct box {
	const char *rootfs, *netns, *cgroup_base;
	char dir[64]; /* of the overlay */
	char cgroup[512];
};

static const char *const overlay_dirs[] = { "lower", "upper", "work", "merged" };

static const struct {
	const char *path;
	unsigned minor, major;
} nodes[] = {
	{ "dev/null", 3, 1 },	{ "dev/zero", 5, 1 },	 { "dev/full", 7, 1 },
	{ "dev/random", 8, 1 }, { "dev/urandom", 9, 1 }, { "dev/tty", 0, 5 },
};

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
	const char *type, *path, *options;
	unsigned long flags;
} mounts[] = {
	{ "devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "dev/shm", "mode=1777,size=65536k", SAFE },
	{ "sysfs", "sys", NULL, SAFE | MS_RDONLY },
};

static void mount_or_die(const char *type, const char *path, unsigned long flags, const char *opts)
{
	if (mount(type, path, type, flags, opts))
		die("mount %s on %s", type, path);
}

static void make_root(const struct box *b)
{
	char path[128], options[1024];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("make the mounts private");
	snprintf(path, sizeof path, "%s/merged", b->dir);
	snprintf(options, sizeof options,
		 "lowerdir=%s/lower:%s,upperdir=%s/upper,workdir=%s/work,index=off,xino=off",
		 b->dir, b->rootfs, b->dir, b->dir);
	mount_or_die("overlay", path, 0, options);
	if (chdir(path))
		die("enter %s", path);
	mount_or_die("proc", "proc", SAFE, NULL);
	mount_or_die("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)))
			die("make %s", nodes[i].path);
	(void)mkdir("dev/pts", 0755);
	(void)mkdir("dev/shm", 0755);
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		mount_or_die(mounts[i].type, mounts[i].path, mounts[i].flags, mounts[i].options);
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		die("pivot into %s", path);
}

static void set_lo_up(void)
{
	const struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = {
		{ sizeof m, RTM_NEWLINK, NLM_F_REQUEST, 1, 0 },
		{ .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &m, sizeof m, 0) < 0)
		die("set lo up");
}

static void child(const struct box *b)
{
	char *argv[] = { (char *)"/bin/true", NULL }, *env[] = { (char *)"PATH=/bin", NULL };

	make_root(b);
	sethostname("c", 1);
	if (!b->netns)
		set_lo_up();
	execve(argv[0], argv, env);
	die("run %s", argv[0]);
}

static void make_dirs(struct box *b)
{
	char path[128];

	snprintf(b->dir, sizeof b->dir, "/run/floor-container-%d", (int)getpid());
	if (mkdir(b->dir, 0755))
		die("make %s", b->dir);
	for (size_t i = 0; i < sizeof overlay_dirs / sizeof *overlay_dirs; i++) {
		snprintf(path, sizeof path, "%s/%s", b->dir, overlay_dirs[i]);
		(void)mkdir(path, 0755);
	}
}

static void remove_dirs(const struct box *b)
{
	char path[128];

	snprintf(path, sizeof path, "%s/work/work", b->dir);
	(void)rmdir(path);
	for (size_t i = 0; i < sizeof overlay_dirs / sizeof *overlay_dirs; i++) {
		snprintf(path, sizeof path, "%s/%s", b->dir, overlay_dirs[i]);
		(void)rmdir(path);
	}
	(void)rmdir(b->dir);
}

static int make_cgroup(struct box *b)
{
	snprintf(b->cgroup, sizeof b->cgroup, "%s/floor-%d", b->cgroup_base, (int)getpid());
	if (mkdir(b->cgroup, 0755))
		die("make %s", b->cgroup);
	return open(b->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void join(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("join %s", netns);
	close(fd);
}

static int run(struct box *b)
{
	struct clone_args ca = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC,
		.exit_signal = SIGCHLD,
	};
	int status;

	if (b->netns)
		join(b->netns);
	else
		ca.flags |= CLONE_NEWNET;
	if (b->cgroup_base) {
		ca.flags |= CLONE_INTO_CGROUP | CLONE_NEWCGROUP;
		ca.cgroup = (uint64_t)make_cgroup(b);
	}
	make_dirs(b);
	pid_t pid = (pid_t)syscall(SYS_clone3, &ca, sizeof ca);
	if (pid < 0)
		die("start the container");
	if (pid == 0)
		child(b);
	if (waitpid(pid, &status, 0) < 0)
		die("wait for the container");
	for (int i = 0; b->cgroup_base && rmdir(b->cgroup) && i < 1000; i++)
		usleep(100); /* its last process may still be on the way out */
	remove_dirs(b);
	return status ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct box b = { 0 };

	require_private();
	for (int c; (c = getopt(argc, argv, "j:c:")) != -1;) {
		if (c == 'j')
			b.netns = optarg;
		else if (c == 'c')
			b.cgroup_base = optarg;
		else
			return 2;
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: floor_container [-j NETNS] [-c CGROUP] ROOTFS\n");
		return 2;
	}
	b.rootfs = argv[optind];
	return run(&b);
}
