// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include "tests/bench/lib/rawnl.h"
#include "tests/bench/lib/sample.h"

void netns_enter(int fd)
{
	if (setns(fd, CLONE_NEWNET))
		die("enter a network namespace");
}

int netns_make(const char *path)
{
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (unshare(CLONE_NEWNET))
		die("make a network namespace");
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (path) {
		int pin = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
		if (pin < 0 || mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL))
			die("pin a network namespace on %s", path);
		close(pin);
	}
	netns_enter(self);
	close(self);
	return fd;
}

void netns_drop(const char *path)
{
	(void)umount2(path, MNT_DETACH);
	(void)unlink(path);
}

void netns_lo_up(void)
{
	static struct rawnl b;
	const struct ifinfomsg lo = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	int fd = rawnl_open(NETLINK_ROUTE);

	rawnl_reset(&b);
	rawnl_msg(&b, RTM_NEWLINK, NLM_F_ACK, &lo, sizeof lo);
	int r = rawnl_talk(fd, &b, b.seq);
	if (r < 0) {
		errno = -r;
		die("set lo up");
	}
	close(fd);
}
