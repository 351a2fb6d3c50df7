// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets and the kernel's answers to them. */
#include "tests/lib/lab.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

static int ns_fd = -1;

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return netns_open(LAB_NETNS("c1"), &ns_fd, NULL);
}

static int teardown(void **state)
{
	(void)state;
	(void)close(ns_fd);
	lab_netns_del("c1");
	return 0;
}

static void a_socket_stays_with_the_namespace_it_was_opened_in(void **state)
{
	cleanup_nl struct nl host = NL_INIT, cont = NL_INIT;
	struct link l;

	(void)state;
	assert_int_equal(nl_open(&host, NETLINK_ROUTE, -1, "host", NULL), 0);
	assert_int_equal(nl_open(&cont, NETLINK_ROUTE, ns_fd, "container", NULL), 0);
	lab_sh_in("c1", "ip link add only-here type bridge");
	assert_int_equal(link_get(&cont, "only-here", &l, NULL), 0);
	assert_int_equal(link_get(&host, "only-here", &l, NULL), -ENODEV);
	lab_netns_new("c2");
	lab_join("c2");
	assert_int_equal(link_get(&cont, "only-here", &l, NULL), 0);
	assert_int_equal(link_get(&host, "only-here", &l, NULL), -ENODEV);
	lab_join(NULL);
	lab_netns_del("c2");
}

static void what_is_no_namespace_gives_no_socket(void **state)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC),
		       mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	struct nl nl = NL_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, null, "container", &e), -EINVAL);
	assert_string_equal(e.text,
			    "open a netlink socket in the container namespace: Invalid argument");
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, mnt, "container", &e), -EINVAL);
	assert_int_equal(nl.fd, -1);
}

static void the_kernel_explains_a_refusal_where_it_can(void **state)
{
	const struct ifinfomsg any = { 0 };
	cleanup_nl struct nl nl = NL_INIT;
	struct err e = ERR_INIT;
	unsigned failed = 99;
	struct nlmsg m;

	(void)state;
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, ns_fd, "container", NULL), 0);
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &any, sizeof any);
	nlmsg_str(&m, IFLA_IFNAME, "fine");
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, "bridge");
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &any, sizeof any);
	nlmsg_str(&m, IFLA_IFNAME, "odd");
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, "no-such-kind");
	assert_int_equal(nl_talk_at(&nl, &m, &failed, &e), -EOPNOTSUPP);
	assert_int_equal(failed, 1);
	assert_string_equal(e.text, "Operation not supported");
	assert_string_equal(e.details, "kernel: Unknown device type");
	lab_sh_in("c1", "ip link show fine"); /* the message before stands */
}

static int count(const struct link *l, void *arg)
{
	*(int *)arg += !strncmp(l->name, "many", 4);
	return 0;
}

static int stop_at_first(const struct link *l, void *arg)
{
	(void)l;
	(*(int *)arg)++;
	return 1;
}

static void a_list_of_many_pages_is_whole(void **state)
{
	cleanup_nl struct nl nl = NL_INIT;
	int n = 0;

	(void)state;
	lab_sh_in("c1", "for i in $(seq 150); do echo link add many$i type bridge; done | ip -b -");
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, ns_fd, "container", NULL), 0);
	assert_int_equal(link_each(&nl, count, &n, NULL), 0);
	assert_int_equal(n, 150);
	n = 0;
	assert_int_equal(link_each(&nl, stop_at_first, &n, NULL), 0);
	assert_int_equal(n, 1);
	n = 0; /* what was not read then is not in the way now */
	assert_int_equal(link_each(&nl, count, &n, NULL), 0);
	assert_int_equal(n, 150);
}

struct seen {
	const char *name;
	int events;
};

static int see(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct seen *s = arg;

	s->events++;
	return h->nlmsg_type == RTM_NEWLINK && i->ifi_flags & IFF_UP ? 1 : 0;
}

static void events_are_waited_for_and_not_for_ever(void **state)
{
	cleanup_nl struct nl nl = NL_INIT;
	struct seen s = { .events = 0 };

	(void)state;
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, ns_fd, "container", NULL), 0);
	assert_int_equal(nl_subscribe(&nl, RTNLGRP_LINK, NULL), 0);
	assert_int_equal(nl_wait(&nl, 50, see, &s, NULL), -ETIMEDOUT);
	assert_int_equal(s.events, 0);
	lab_sh_in("c1", "ip link set lo up");
	assert_int_equal(nl_wait(&nl, 5000, see, &s, NULL), 0);
	assert_true(s.events > 0);
}

#define IN_LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_socket_stays_with_the_namespace_it_was_opened_in),
		IN_LAB(what_is_no_namespace_gives_no_socket),
		IN_LAB(the_kernel_explains_a_refusal_where_it_can),
		IN_LAB(a_list_of_many_pages_is_whole),
		IN_LAB(events_are_waited_for_and_not_for_ever),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
