// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/net/netns.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define DEVICE "/dev/net/tun"
#define CONTEXT "/proc/thread-self/attr/current"
#define SELINUX "/sys/fs/selinux/enforce"

struct request {
	const struct tap_spec *spec;
	const char *failed; /* what was tried last */
};

static int step(struct request *r, const char *what, int result)
{
	if (result < 0)
		r->failed = what;
	return result < 0 ? -errno : 0;
}

/* In the namespace. Until it is made to stay the interface goes with the descriptor. */
static int create(void *arg)
{
	struct request *r = arg;
	const struct tap_spec *t = r->spec;
	struct ifreq ifr = { 0 };
	int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL;
	int rc;

	cleanup_fd int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if ((rc = step(r, "open " DEVICE, fd)) < 0)
		return rc;
	memcpy(ifr.ifr_name, t->name, strlen(t->name) + 1);
	ifr.ifr_flags = (short)(flags | (t->multi_queue ? IFF_MULTI_QUEUE : 0));
	if ((rc = step(r, "create it", ioctl(fd, TUNSETIFF, &ifr))) < 0)
		return rc;
	if (t->has_owner &&
	    (rc = step(r, "set its owner", ioctl(fd, TUNSETOWNER, (unsigned long)t->owner))) < 0)
		return rc;
	if (t->has_group &&
	    (rc = step(r, "set its group", ioctl(fd, TUNSETGROUP, (unsigned long)t->group))) < 0)
		return rc;
	return step(r, "make it stay", ioctl(fd, TUNSETPERSIST, 1UL));
}

/*
 * The kernel takes a tap's context from the process that creates it (not from sockcreate: a tap is
 * no socket of anybody). So a child takes the context on, and ends.
 */
static int create_labelled(void *arg)
{
	struct request *r = arg;
	const char *context = r->spec->selinux;
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return step(r, "start a process", -1);
	if (pid == 0) {
		cleanup_fd int fd = open(CONTEXT, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, context, strlen(context)) < 0)
			_exit(errno & 0x7f);
		int rc = create(arg);
		_exit(rc < 0 ? 0x80 | (-rc & 0x7f) : 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	r->failed = WIFEXITED(status) && WEXITSTATUS(status) & 0x80 ?
			    "create it in that SELinux context" :
			    "take on the SELinux context";
	if (!WIFEXITED(status))
		return -EIO;
	return -(WEXITSTATUS(status) & 0x7f);
}

/* In a dry run: what a message would say that made it, so that later steps see it. */
static int plan(struct nl *nl, const char *name, struct err *e)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &any, sizeof any);
	nlmsg_str(&m, IFLA_IFNAME, name);
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, "tun");
	return nl_talk(nl, &m, e);
}

int tap_add(struct nl *nl, int netns_fd, const struct tap_spec *t, struct err *e)
{
	struct request r = { .spec = t, .failed = "enter the namespace" };
	bool labelled = t->selinux && *t->selinux;

	if (labelled && access(SELINUX, F_OK) < 0)
		return err_say(e, -EOPNOTSUPP,
			       "tap %s: this kernel runs without SELinux, so it cannot have the "
			       "context \"%.100s\"",
			       t->name, t->selinux);
	if (plan_on())
		return plan(nl, t->name, e);
	int rc = netns_run(netns_fd, labelled ? create_labelled : create, &r, e);
	/* a tap of that name, or an interface of another kind */
	if (rc == -EBUSY || rc == -EEXIST)
		return TAP_EXISTS;
	return rc < 0 ? err_set(e, rc, "tap %s: %s", t->name, r.failed) : 0;
}

struct reply {
	struct tap tap;
	char kind[16];
};

static const struct attr_spec data_attrs[] = {
	[IFLA_TUN_OWNER] = ATTR_U32(struct reply, tap.owner),
	[IFLA_TUN_GROUP] = ATTR_U32(struct reply, tap.group),
	[IFLA_TUN_TYPE] = ATTR_U8(struct reply, tap.type),
	[IFLA_TUN_PERSIST] = ATTR_U8(struct reply, tap.persist),
	[IFLA_TUN_MULTI_QUEUE] = ATTR_U8(struct reply, tap.multi_queue),
};

static int take_data(const void *data, size_t len, void *obj)
{
	struct reply *r = obj;

	return strcmp(r->kind, "tun") ?
		       0 :
		       attr_decode_raw(data, len, data_attrs, ARRAY_LEN(data_attrs), r);
}

static const struct attr_spec info_attrs[] = {
	[IFLA_INFO_KIND] = ATTR_STR(struct reply, kind),
	[IFLA_INFO_DATA] = ATTR_FN(take_data),
};
static const struct attr_spec link_attrs[] = { [IFLA_LINKINFO] = ATTR_NEST(info_attrs) };

static int take(const struct nlmsghdr *h, void *arg)
{
	return h->nlmsg_type == RTM_NEWLINK ?
		       attr_decode_msg(h, sizeof(struct ifinfomsg), link_attrs, arg) :
		       0;
}

int tap_get(struct nl *nl, uint32_t index, struct tap *out, struct err *e)
{
	const struct ifinfomsg one = { .ifi_index = (int)index };
	struct reply r = { .tap = { .owner = UINT32_MAX, .group = UINT32_MAX } };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &one, sizeof one);
	nlmsg_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int rc = nl_get(nl, &m, take, &r, e);
	if (rc == 0)
		*out = r.tap;
	return rc < 0 ? err_wrap(e, "read the tap with index %u", index), rc : 0;
}
