// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/overlay.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/ip/addr.h"
#include "netlib/net/link.h"
#include "netlib/nl/nl.h"

#define MTU_DEFAULT 1500

struct seen {
	struct link l;
	char where[16]; /* "host", "container": names of sockets */
	char home[16];	/* where the kernel has it, under this index; "" when it was made here */
	bool gone;
};

/* The state after all noted messages, built anew for each question: plans are short. */
struct view {
	struct nl *nl; /* the asker's: for links that were there before */
	struct seen *v;
	size_t n;
	uint32_t made;
	/* the way to an address */
	const struct ip_addr *to;
	uint32_t towards;
	int best;
};

static const char *elsewhere(const char *where)
{
	return strcmp(where, "host") ? "host" : "container";
}

static struct seen *find(struct view *x, const char *where, const char *name, uint32_t index)
{
	for (size_t i = x->n; i-- > 0;)
		if (!x->v[i].gone && !strcmp(x->v[i].where, where) &&
		    (name && *name ? !strcmp(x->v[i].l.name, name) : x->v[i].l.index == index))
			return &x->v[i];
	return NULL;
}

static struct seen *add(struct view *x, const char *where, const struct link *l)
{
	struct seen *s = vec_add(&x->v, &x->n);

	if (!s)
		return NULL;
	s->l = *l;
	(void)str_copyf(s->where, sizeof s->where, "%s", where);
	return s;
}

static const struct nlattr *attr_of(const void *data, size_t len, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload(data, len)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static const struct nlattr *below(const struct nlattr *nest, uint16_t type)
{
	return nest ? attr_of(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), type) :
		      NULL;
}

static const struct nlattr *of_message(const struct nlmsghdr *h, uint16_t type)
{
	size_t skip = MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct ifinfomsg));

	return h->nlmsg_len < skip ? NULL :
				     attr_of((const char *)h + skip, h->nlmsg_len - skip, type);
}

static struct link born(struct view *x, const struct link *said)
{
	struct link l = *said;

	l.index = OVERLAY_INDEX + ++x->made;
	l.mtu = l.mtu ? l.mtu : MTU_DEFAULT;
	return l;
}

/* The other end of a veth is told inside: a header like the outer one, and attributes. */
static void add_peer(struct view *x, const char *where, const struct nlmsghdr *h,
		     struct link *first)
{
	const struct nlattr *peer =
		below(below(of_message(h, IFLA_LINKINFO), IFLA_INFO_DATA), VETH_INFO_PEER);
	size_t skip = MNL_ALIGN(sizeof(struct ifinfomsg));
	struct link l = { .peer_nsid = -1, .mtu = first->mtu, .peer = first->index };

	if (!peer || mnl_attr_get_payload_len(peer) < skip)
		return;
	const char *data = (const char *)mnl_attr_get_payload(peer) + skip;
	size_t len = mnl_attr_get_payload_len(peer) - skip;
	const struct nlattr *name = attr_of(data, len, IFLA_IFNAME),
			    *mac = attr_of(data, len, IFLA_ADDRESS);
	if (name)
		(void)str_copyf(l.name, sizeof l.name, "%s", mnl_attr_get_str(name));
	if (mac && mnl_attr_get_payload_len(mac) == sizeof l.mac.b) {
		memcpy(l.mac.b, mnl_attr_get_payload(mac), sizeof l.mac.b);
		l.mac.set = true;
	}
	(void)strcpy(l.kind, "veth");
	l = born(x, &l);
	first->peer = l.index;
	(void)add(x, attr_of(data, len, IFLA_NET_NS_FD) ? elsewhere(where) : where, &l);
}

static bool moves(const struct nlmsghdr *h)
{
	return of_message(h, IFLA_NET_NS_FD) || of_message(h, IFLA_NET_NS_PID);
}

static void create(struct view *x, const char *where, const struct nlmsghdr *h,
		   const struct link *said)
{
	struct link l = born(x, said);

	add_peer(x, where, h, &l);
	(void)add(x, moves(h) ? elsewhere(where) : where, &l);
}

static void change(struct seen *s, const struct nlmsghdr *h, const struct link *said)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);

	s->l.flags = (s->l.flags & ~i->ifi_change) | (i->ifi_flags & i->ifi_change);
	if (*said->name)
		(void)str_copyf(s->l.name, sizeof s->l.name, "%s", said->name);
	if (said->mtu)
		s->l.mtu = said->mtu;
	if (of_message(h, IFLA_MASTER))
		s->l.master = said->master;
	if (said->mac.set)
		s->l.mac = said->mac;
	if (*said->alias)
		(void)str_copyf(s->l.alias, sizeof s->l.alias, "%s", said->alias);
	if (moves(h))
		(void)str_copyf(s->where, sizeof s->where, "%s", elsewhere(s->where));
}

/* A link that was there is copied when it is first changed; only the own side can be asked. */
static struct seen *touched(struct view *x, const char *where, const struct link *said)
{
	const char *name = said->index ? NULL : said->name;
	struct seen *s = find(x, where, name, said->index);
	struct link l;

	if (s || strcmp(x->nl->name, where) != 0)
		return s;
	if (link_ask(x->nl, name, said->index, &l) < 0)
		return NULL;
	if ((s = add(x, where, &l)))
		(void)str_copyf(s->home, sizeof s->home, "%s", where);
	return s;
}

static bool is_of_bridge(const struct nlmsghdr *h)
{
	return ((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_family == AF_BRIDGE;
}

static void apply_link(struct view *x, const char *where, const struct nlmsghdr *h)
{
	struct link said;
	struct seen *s;

	/* a bridge's family speaks of a port's VLANs, not of the link */
	if (link_decode(h, &said) < 0 || is_of_bridge(h))
		return;
	if (h->nlmsg_type == RTM_NEWLINK && h->nlmsg_flags & NLM_F_CREATE) {
		create(x, where, h, &said);
		return;
	}
	if (!(s = touched(x, where, &said)))
		return;
	if (h->nlmsg_type == RTM_DELLINK)
		s->gone = true;
	else
		change(s, h, &said);
}

/* Does a prefix lead to where we want, better than what was found? */
static void consider(struct view *x, const void *bytes, size_t size, unsigned len, uint32_t index)
{
	struct ip_prefix p = { .len = (uint8_t)len };

	if (!x->to || (int)len <= x->best || (size != 4 && size != 16) ||
	    x->to->family != (size == 4 ? AF_INET : AF_INET6))
		return;
	p.addr.family = x->to->family;
	memcpy(p.addr.b, bytes, size);
	if (!ip_prefix_contains(&p, x->to))
		return;
	x->best = (int)len;
	x->towards = index;
}

static void apply_addr(struct view *x, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);
	size_t skip = NLMSG_LENGTH(sizeof *i);
	const struct nlattr *a = h->nlmsg_len < skip ? NULL :
						       attr_of((const char *)h + skip,
							       h->nlmsg_len - skip, IFA_ADDRESS);

	if (a)
		consider(x, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), i->ifa_prefixlen,
			 i->ifa_index);
}

static void apply_route(struct view *x, const struct nlmsghdr *h)
{
	const struct rtmsg *rt = NLMSG_DATA(h);
	size_t skip = NLMSG_LENGTH(sizeof *rt);
	const char *data = (const char *)h + skip;
	const struct nlattr *dst, *oif;

	if (h->nlmsg_len < skip)
		return;
	dst = attr_of(data, h->nlmsg_len - skip, RTA_DST);
	oif = attr_of(data, h->nlmsg_len - skip, RTA_OIF);
	if (dst && oif)
		consider(x, mnl_attr_get_payload(dst), mnl_attr_get_payload_len(dst),
			 rt->rtm_dst_len, mnl_attr_get_u32(oif));
}

static int apply(struct json_object *change, void *arg)
{
	const char *kind = json_text(json_get(change, "kind")),
		   *where = json_text(json_get(change, "where"));
	struct view *x = arg;
	size_t len = 0;

	if (!kind || !where || strcmp(kind, "netlink") != 0)
		return 0;
	cleanup_free struct nlmsghdr *h = plan_raw(change, &len);
	if (!h || len < sizeof *h || h->nlmsg_len > len)
		return 0;
	if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_SETLINK ||
	    h->nlmsg_type == RTM_DELLINK)
		apply_link(x, where, h);
	else if (h->nlmsg_type == RTM_NEWADDR && !strcmp(where, x->nl->name))
		apply_addr(x, h);
	else if (h->nlmsg_type == RTM_NEWROUTE && !strcmp(where, x->nl->name))
		apply_route(x, h);
	return 0;
}

/* The kernel's answer holds no more: the link it means is gone, elsewhere, or has another name. */
static bool outdated(const struct view *x, const char *name, uint32_t index)
{
	struct link l;

	if (link_ask(x->nl, name, index, &l) < 0)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].l.index == l.index && !strcmp(x->v[i].home, x->nl->name))
			return true;
	return false;
}

enum overlay overlay_link(struct nl *nl, const char *name, uint32_t index, struct link *out)
{
	struct view x = { .nl = nl, .best = -1 };
	enum overlay r = OVERLAY_SILENT;

	(void)plan_each(apply, &x, NULL);
	struct seen *s = find(&x, nl->name, name, index);
	if (s) {
		*out = s->l;
		r = OVERLAY_FOUND;
	} else if (outdated(&x, name, index)) {
		r = OVERLAY_GONE;
	}
	free(x.v);
	return r;
}

uint32_t overlay_towards(struct nl *nl, const struct ip_addr *to)
{
	struct view x = { .nl = nl, .to = to, .best = -1 };

	(void)plan_each(apply, &x, NULL);
	free(x.v);
	return x.towards;
}
