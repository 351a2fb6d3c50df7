// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/trace.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

/* The same attributes name an address when it is added and when it is deleted. */
static void put_addr(struct nlmsg *m, uint16_t type, uint16_t flags, uint32_t index,
		     const struct ip_prefix *p)
{
	const struct ifaddrmsg i = {
		.ifa_family = p->addr.family,
		.ifa_prefixlen = p->len,
		.ifa_index = index,
		.ifa_scope = ip_is_loopback(&p->addr) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
	};

	nlmsg_begin(m, type, flags, &i, sizeof i);
	nlmsg_ip(m, IFA_LOCAL, &p->addr);
	nlmsg_ip(m, IFA_ADDRESS, &p->addr);
}

void addr_put(struct nlmsg *m, uint32_t index, const struct ip_prefix *p, uint32_t flags)
{
	put_addr(m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, p);
	if (p->addr.family == AF_INET && p->len < 31 && !ip_is_loopback(&p->addr)) {
		struct ip_addr brd = ip_last(p);

		nlmsg_ip(m, IFA_BROADCAST, &brd);
	}
	if (flags)
		nlmsg_u32(m, IFA_FLAGS, flags);
}

struct search {
	const struct ip_prefix *want;
	bool found;
};

static int same(const struct addr *a, void *arg)
{
	struct search *s = arg;

	s->found |= ip_prefix_eq(&a->prefix, s->want);
	return s->found;
}

/* In a dry run the kernel's "exists" has to be found out. */
static bool is_there(struct nl *nl, uint32_t index, const struct ip_prefix *p)
{
	struct search s = { .want = p };

	(void)addr_each(nl, p->addr.family, index, same, &s, NULL);
	return s.found;
}

int addr_add(struct nl *nl, uint32_t index, const struct ip_prefix *p, uint32_t flags,
	     struct err *e)
{
	char text[IP_TEXT_MAX];
	struct nlmsg m;

	if (plan_on() && is_there(nl, index, p))
		return ADDR_EXISTS;
	nlmsg_init(&m);
	addr_put(&m, index, p, flags);
	int r = nl_talk_but(nl, &m, -EEXIST, 0, e);
	if (r == -EEXIST)
		return ADDR_EXISTS;
	return r < 0 ?
	       err_wrap(e, "add address %s in the %s namespace", ip_prefix_text(p, text), nl->name),
	       r : 0;
}

int addr_del(struct nl *nl, uint32_t index, const struct ip_prefix *p, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	put_addr(&m, RTM_DELADDR, 0, index, p);
	int r = nl_talk_but(nl, &m, -EADDRNOTAVAIL, -ENODEV, e);
	if (r == -EADDRNOTAVAIL || r == -ENODEV)
		return 0;
	return r < 0 ? err_wrap(e, "delete address %s in the %s namespace", ip_prefix_text(p, text),
				nl->name),
	       r : 0;
}

struct each {
	int (*fn)(const struct addr *a, void *arg);
	void *arg;
	uint32_t index;
};

struct view {
	struct addr a;
	uint8_t local[16], address[16];
	bool has_local, has_address;
};

static int take_local(const void *data, size_t len, void *obj)
{
	struct view *v = obj;

	memcpy(v->local, data, len < 16 ? len : 16);
	v->has_local = true;
	return 0;
}

static int take_address(const void *data, size_t len, void *obj)
{
	struct view *v = obj;

	memcpy(v->address, data, len < 16 ? len : 16);
	v->has_address = true;
	return 0;
}

static const struct attr_spec attrs[] = {
	[IFA_ADDRESS] = ATTR_FN(take_address),
	[IFA_LOCAL] = ATTR_FN(take_local),
	[IFA_FLAGS] = ATTR_U32(struct view, a.flags),
};

static int each_addr(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);
	struct each *x = arg;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *i))
		return 0;
	if (x->index && i->ifa_index != x->index)
		return 0;
	struct view v = {
		.a = { .index = i->ifa_index, .flags = i->ifa_flags, .scope = i->ifa_scope }
	};
	int r = attr_decode_msg(h, sizeof *i, attrs, &v);
	if (r < 0)
		return r;
	v.a.prefix.len = i->ifa_prefixlen;
	v.a.prefix.addr.family = i->ifa_family;
	/* IPv4: the own address is IFA_LOCAL; IPv6 has only IFA_ADDRESS */
	if (!v.has_local && !v.has_address)
		return -EBADMSG;
	memcpy(v.a.prefix.addr.b, v.has_local ? v.local : v.address, sizeof v.a.prefix.addr.b);
	return x->fn(&v.a, x->arg);
}

int addr_each(struct nl *nl, uint8_t family, uint32_t index,
	      int (*fn)(const struct addr *a, void *arg), void *arg, struct err *e)
{
	const struct ifaddrmsg i = { .ifa_family = family, .ifa_index = index };
	struct each x = { fn, arg, index };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETADDR, 0, &i, sizeof i);
	return nl_dump(nl, &m, each_addr, NULL, &x, e);
}

struct detection {
	bool failed, pending;
	struct ip_prefix which;
};

static int look(const struct addr *a, void *arg)
{
	struct detection *d = arg;
	bool failed = a->flags & IFA_F_DADFAILED;

	if (d->failed || !(failed || a->flags & IFA_F_TENTATIVE))
		return 0;
	d->failed = failed;
	d->pending = true;
	d->which = a->prefix;
	return 0;
}

static int any_event(const struct nlmsghdr *h, void *arg)
{
	(void)h, (void)arg;
	return 1;
}

/* 0 when all passed, 1 when one has not, negative when somebody else has it. */
static int passed(struct nl *nl, uint32_t index, char text[IP_TEXT_MAX], struct err *e)
{
	struct detection d = { 0 };
	int r = addr_each(nl, AF_INET6, index, look, &d, e);

	if (r < 0 || !d.pending)
		return r;
	ip_prefix_text(&d.which, text);
	if (!d.failed)
		return 1;
	return err_say(
		e, -EADDRINUSE,
		"address %s in the %s namespace: somebody else on the link has it (duplicate "
		"address detected)",
		text, nl->name);
}

int addr_await(struct nl *nl, int netns_fd, uint32_t index, int timeout_ms, struct err *e)
{
	int64_t until_us = clock_us() + timeout_ms * INT64_C(1000);
	cleanup_nl struct nl ev = NL_INIT;
	char text[IP_TEXT_MAX];
	int r = plan_on() ? 0 : passed(nl, index, text, e);

	if (r <= 0)
		return r;
	if ((r = nl_open(&ev, NETLINK_ROUTE, netns_fd, nl->name, e)) < 0 ||
	    (r = nl_subscribe(&ev, RTNLGRP_IPV6_IFADDR, e)) < 0)
		return r;
	/*
	 * between the first look and the subscription it may have passed: look again, then listen
	 */
	while ((r = passed(nl, index, text, e)) > 0) {
		int64_t left_us = until_us - clock_us();

		if (left_us <= 0)
			return err_say(
				e, -ETIMEDOUT,
				"address %s in the %s namespace: detection of duplicates is not "
				"over after %d ms",
				text, nl->name, timeout_ms);
		r = nl_wait(&ev, (int)(left_us / 1000) + 1, any_event, NULL, e);
		if (r < 0 && r != -ETIMEDOUT && r != -ENOBUFS)
			return r;
	}
	return r;
}
