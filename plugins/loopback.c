// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loopback: sets lo up in the container. CNI_IFNAME is ignored, as in the reference. CNI_SPEC.md
 * "loopback".
 */
#include <errno.h>
#include <linux/if.h>
#include <stddef.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/txn/verbs.h"

/*
 * What the kernel gives lo when it comes up for the first time, and leaves there when it goes down.
 */
static const struct ip_prefix home = { .addr = { .family = AF_INET, .b = { 127, 0, 0, 1 } },
				       .len = 8 };

static int undo_home(const struct undo *u, struct txn *t, struct err *e)
{
	int r = t->cont ? addr_del(t->cont, u->index, &home, e) : 0;

	return r < 0 ? r : 0;
}

static const struct undo_op op_home = { "loopback address", undo_home };

struct look {
	struct err *e;
	bool home;
};

static int look_at(const struct addr *a, void *arg)
{
	struct look *l = arg;
	char text[IP_TEXT_MAX];

	l->home |= ip_prefix_eq(&a->prefix, &home);
	return ip_is_loopback(&a->prefix.addr) ?
		       0 :
		       err_say(l->e, -EINVAL,
			       "loopback interface found with non-loopback address %s",
			       ip_prefix_text(&a->prefix, text));
}

struct report {
	struct cni_op *op;
	struct err *e;
};

static int report_addr(const struct addr *a, void *arg)
{
	struct report *r = arg;

	return cni_result_add_ip(&r->op->res, &a->prefix, NULL, 0) ?
		       0 :
		       err_set(r->e, -ENOMEM, "report an address");
}

static int lo_add(struct cni_op *op, struct err *e)
{
	struct report rep = { op, e };
	struct look found = { .e = e };
	struct undo *u;
	struct link lo;
	int r;

	if ((r = link_get(op->cont, "lo", &lo, e)) < 0 ||
	    (r = addr_each(op->cont, 0, lo.index, look_at, &found, e)) < 0)
		return r;
	if (!found.home) {
		if (!(u = txn_reserve(op->txn, &op_home, UNDO_CONT, "lo", NULL, NULL, e)))
			return -EIO;
		u->index = lo.index;
	}
	if ((r = txn_link_up(op->txn, UNDO_CONT, &lo, e)) < 0)
		return r;
	if (op->has_prev)
		return 0;
	if (!cni_result_add_iface(&op->res, "lo", op->env->netns, &lo.mac))
		return err_set(e, -ENOMEM, "report lo");
	return addr_each(op->cont, 0, lo.index, report_addr, &rep, e);
}

static int lo_del(struct cni_op *op, struct err *e)
{
	struct link lo;

	if (!op->cont || link_get(op->cont, "lo", &lo, NULL) < 0)
		return 0;
	return link_down(op->cont, lo.index, e);
}

static int lo_check(struct cni_op *op, struct err *e)
{
	struct link lo;
	int r = link_get(op->cont, "lo", &lo, e);

	if (r < 0)
		return r;
	return lo.flags & IFF_UP ?
		       0 :
		       cni_check_fail(e, "loopback interface is down: expected lo up in %.150s",
				      op->env->netns);
}

static const struct cni_step steps[] = {
	{ .name = "lo", .add = lo_add, .del = lo_del, .check = lo_check }, { 0 }
};

const struct cni_plugin cni_plugin_loopback = {
	.name = "loopback",
	.about = "sets the loopback interface of a container up",
	.flags = CNI_PASS_PREV | CNI_CHECK_ALONE,
	.steps = steps,
};
