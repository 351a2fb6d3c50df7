// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/aside.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/net/link_kinds.h"
#include "netlib/net/overlay.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define IPV6_MTU_MIN 1280

static int take_mac(const void *data, size_t len, void *obj)
{
	struct link *l = obj;

	if (len == sizeof l->mac.b) {
		memcpy(l->mac.b, data, len);
		l->mac.set = true;
	}
	return 0;
}

static int take_alias(const void *data, size_t len, void *obj)
{
	struct link *l = obj;
	size_t n = strnlen(data, len);

	n = n < sizeof l->alias ? n : sizeof l->alias - 1;
	memcpy(l->alias, data, n);
	l->alias[n] = 0;
	return 0;
}

/* the kernel writes the kind before it */
static int take_info_data(const void *data, size_t len, void *obj)
{
	return link_kind_decode(data, len, obj);
}

static const struct attr_spec link_info[] = {
	[IFLA_INFO_KIND] = ATTR_STR(struct link, kind),
	[IFLA_INFO_DATA] = ATTR_FN(take_info_data),
};
static const struct attr_spec link_attrs[] = {
	[IFLA_IFNAME] = ATTR_STR(struct link, name),
	[IFLA_MTU] = ATTR_U32(struct link, mtu),
	[IFLA_LINK] = ATTR_U32(struct link, peer),
	[IFLA_MASTER] = ATTR_U32(struct link, master),
	[IFLA_ADDRESS] = ATTR_FN(take_mac),
	[IFLA_OPERSTATE] = ATTR_U8(struct link, operstate),
	[IFLA_PROMISCUITY] = ATTR_U32(struct link, promiscuity),
	[IFLA_TXQLEN] = ATTR_U32(struct link, txqlen),
	[IFLA_LINK_NETNSID] = ATTR_U32(struct link, peer_nsid),
	[IFLA_IFALIAS] = ATTR_FN(take_alias),
	[IFLA_LINKINFO] = ATTR_NEST(link_info),
};

int link_decode(const struct nlmsghdr *h, struct link *out)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof *i))
		return -EBADMSG;
	*out = (struct link){ .index = (uint32_t)i->ifi_index,
			      .flags = i->ifi_flags,
			      .peer_nsid = -1 };
	return attr_decode_msg(h, sizeof *i, link_attrs, out);
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	return h->nlmsg_type == RTM_NEWLINK ? link_decode(h, arg) : 0;
}

static void put_question(struct nlmsg *m, const char *name, uint32_t index)
{
	const struct ifinfomsg i = { .ifi_index = (int)index };

	nlmsg_init(m);
	nlmsg_begin(m, RTM_GETLINK, 0, &i, sizeof i);
	if (name)
		nlmsg_str(m, IFLA_IFNAME, name);
	nlmsg_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

static int ask(struct nl *nl, const char *name, uint32_t index, struct link *out, struct err *e)
{
	struct link l = { 0 };
	struct nlmsg m;

	put_question(&m, name, index);
	int r = nl_get(nl, &m, take_link, &l, e);
	if (r == 0)
		*out = l;
	return r;
}

int link_ask(struct nl *nl, const char *name, uint32_t index, struct link *out)
{
	return ask(nl, name, index, out, NULL);
}

static int get(struct nl *nl, const char *name, uint32_t index, const char *what, struct link *out,
	       struct err *e)
{
	enum overlay over = plan_on() ? overlay_link(nl, name, index, out) : OVERLAY_SILENT;
	int r = over == OVERLAY_FOUND ? 0 :
		over == OVERLAY_GONE  ? -ENODEV :
					ask(nl, name, index, out, e);

	if (r == -ENODEV)
		return err_say(e, r, "no interface %s in the %s namespace", what, nl->name);
	return r < 0 ? err_wrap(e, "interface %s", what), r : 0;
}

int link_get(struct nl *nl, const char *name, struct link *out, struct err *e)
{
	return get(nl, name, 0, name, out, e);
}

int link_get_index(struct nl *nl, uint32_t index, struct link *out, struct err *e)
{
	char what[24];

	(void)snprintf(what, sizeof what, "with index %u", index);
	return get(nl, NULL, index, what, out, e);
}

struct each {
	int (*fn)(const struct link *l, void *arg);
	void *arg;
};

static int each_link(const struct nlmsghdr *h, void *arg)
{
	struct each *x = arg;
	struct link l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	int r = link_decode(h, &l);
	return r < 0 ? r : x->fn(&l, x->arg);
}

int link_each(struct nl *nl, int (*fn)(const struct link *l, void *arg), void *arg, struct err *e)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	struct each x = { fn, arg };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &any, sizeof any);
	nlmsg_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl_dump(nl, &m, each_link, NULL, &x, e);
}

/* "This end has no IPv6 link-local address of its own": host ends and bridge ports need none. */
static void no_link_local(struct nlmsg *m)
{
	nlmsg_nest(m, IFLA_AF_SPEC)
		nlmsg_nest(m, AF_INET6)
			nlmsg_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
}

static void begin_set(struct nlmsg *m, uint32_t index, const char *name, uint32_t flags,
		      uint32_t mask)
{
	const struct ifinfomsg i = { .ifi_index = (int)index,
				     .ifi_flags = flags,
				     .ifi_change = mask };

	nlmsg_begin(m, RTM_NEWLINK, 0, &i, sizeof i);
	if (!index)
		nlmsg_str(m, IFLA_IFNAME, name);
}

/*
 * A batch whose first message creates: when a later one failed, the link must not stay behind half
 * made.
 */
static int create(struct nl *nl, struct nlmsg *m, const char *name, struct err *e)
{
	struct err one = ERR_INIT;
	unsigned failed = 0;
	struct link l;
	int r = nl_talk_at(nl, m, &failed, &one);

	if (r == -EEXIST && failed == 0)
		return LINK_EXISTS;
	if (r < 0 && e)
		*e = one;
	if (r < 0 && failed > 0 && link_get(nl, name, &l, NULL) == 0)
		(void)link_del(nl, l.index, NULL);
	return r;
}

int link_add_bridge(struct nl *nl, const struct bridge_spec *b, struct err *e)
{
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof up);
	nlmsg_str(&m, IFLA_IFNAME, b->name);
	nlmsg_mac(&m, IFLA_ADDRESS, &b->mac);
	if (b->mtu)
		nlmsg_u32(&m, IFLA_MTU, b->mtu);
	nlmsg_nest(&m, IFLA_LINKINFO) {
		nlmsg_str(&m, IFLA_INFO_KIND, "bridge");
		if (b->vlan_filtering)
			nlmsg_nest(&m, IFLA_INFO_DATA)
				nlmsg_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
	}
	if (b->alias) {
		begin_set(&m, 0, b->name, 0, 0);
		nlmsg_str(&m, IFLA_IFALIAS, b->alias);
	}
	int r = create(nl, &m, b->name, e);
	if (r == -EOPNOTSUPP && b->vlan_filtering)
		return err_say(e, r,
			       "create bridge %s: this kernel's bridges know no VLANs "
			       "(CONFIG_BRIDGE_VLAN_FILTERING)",
			       b->name);
	return r < 0 ? err_wrap(e, "create bridge %s", b->name), r : r;
}

static void put_veth(struct nlmsg *m, const struct veth_spec *v)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };

	nlmsg_begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &any, sizeof any);
	nlmsg_str(m, IFLA_IFNAME, v->name);
	if (v->mtu)
		nlmsg_u32(m, IFLA_MTU, v->mtu);
	if (v->master)
		nlmsg_u32(m, IFLA_MASTER, v->master);
	nlmsg_nest(m, IFLA_LINKINFO) {
		nlmsg_str(m, IFLA_INFO_KIND, "veth");
		nlmsg_nest(m, IFLA_INFO_DATA)
			nlmsg_nest_hdr(m, VETH_INFO_PEER, &any) {
				nlmsg_str(m, IFLA_IFNAME, v->peer);
				nlmsg_mac(m, IFLA_ADDRESS, &v->peer_mac);
				if (v->mtu)
					nlmsg_u32(m, IFLA_MTU, v->mtu);
				if (v->peer_netns >= 0)
					nlmsg_u32(m, IFLA_NET_NS_FD, (uint32_t)v->peer_netns);
			}
	}
}

/*
 * A kernel booted without IPv6 refuses to hear of it, and so does an interface whose MTU is too
 * small for it (EAFNOSUPPORT): neither would ever have a link-local address.
 */
static bool has_ipv6(uint32_t mtu)
{
	return (!mtu || mtu >= IPV6_MTU_MIN) && access("/proc/sys/net/ipv6", F_OK) == 0;
}

/* 1 when a link of that name exists, 0 when not. */
static int name_taken(struct nl *nl, const char *name, struct err *e)
{
	struct link l;
	int r = link_get(nl, name, &l, NULL);

	if (r == -ENODEV)
		return 0;
	return r < 0 ? err_set(e, r, "look for interface %s in the %s namespace", name, nl->name) :
		       1;
}

static void put_port_flags(struct nlmsg *m, const struct veth_spec *v)
{
	nlmsg_nest(m, IFLA_LINKINFO) {
		nlmsg_str(m, IFLA_INFO_SLAVE_KIND, "bridge");
		nlmsg_nest(m, IFLA_INFO_SLAVE_DATA) {
			if (v->hairpin)
				nlmsg_u8(m, IFLA_BRPORT_MODE, 1);
			if (v->isolated)
				nlmsg_u8(m, IFLA_BRPORT_ISOLATED, 1);
		}
	}
}

int link_add_veth(struct nl *nl, const struct veth_spec *v, struct err *e)
{
	struct nlmsg m;
	int r = name_taken(nl, v->name, e);

	/*
	 * the kernel does not stop at a refusal: alias, flags and up would hit whoever has the name
	 */
	if (r)
		return r < 0 ? r : LINK_EXISTS;
	nlmsg_init(&m);
	put_veth(&m, v);
	begin_set(&m, 0, v->name, 0, 0);
	if (v->alias)
		nlmsg_str(&m, IFLA_IFALIAS, v->alias);
	if (v->master && has_ipv6(v->mtu))
		no_link_local(&m);
	if (v->hairpin || v->isolated)
		put_port_flags(&m, v);
	begin_set(&m, 0, v->name, IFF_UP, IFF_UP);
	r = create(nl, &m, v->name, e);
	return r < 0 ? err_wrap(e, "create %s with peer %s", v->name, v->peer), r : r;
}

int link_add_ifb(struct nl *nl, const struct ifb_spec *i, struct err *e)
{
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nlmsg m;
	int r = name_taken(nl, i->name, e);

	if (r)
		return r < 0 ? r : LINK_EXISTS;
	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof up);
	nlmsg_str(&m, IFLA_IFNAME, i->name);
	nlmsg_u32(&m, IFLA_MTU, i->mtu);
	nlmsg_u32(&m, IFLA_TXQLEN, i->txqlen);
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, "ifb");
	begin_set(&m, 0, i->name, 0, 0);
	nlmsg_str(&m, IFLA_IFALIAS, i->alias);
	if ((r = create(nl, &m, i->name, e)) < 0)
		err_wrap(e, "create %s, where egress traffic waits", i->name);
	return r;
}

static int set(struct nl *nl, struct nlmsg *m, const char *what, uint32_t index, struct err *e)
{
	int r = nl_talk(nl, m, e);

	return r < 0 ? err_wrap(e, "%s of interface %u in the %s namespace", what, index, nl->name),
	       r : 0;
}

static void put_name(struct nlmsg *m, uint32_t index, const char *name, const char *alias)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_str(m, IFLA_IFNAME, name);
	/* without a terminator, which an empty one would have */
	nlmsg_data(m, IFLA_IFALIAS, alias, strlen(alias));
}

int link_move(struct nl *nl, uint32_t index, int netns_fd, const char *name, const char *alias,
	      struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	put_name(&m, index, name, alias);
	nlmsg_u32(&m, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	return set(nl, &m, "move to another namespace", index, e);
}

int link_rename(struct nl *nl, uint32_t index, const char *name, const char *alias, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	put_name(&m, index, name, alias);
	return set(nl, &m, "change the name", index, e);
}

void link_put_flags(struct nlmsg *m, uint32_t index, uint32_t flags, uint32_t mask)
{
	begin_set(m, index, NULL, flags, mask);
}

void link_put_master(struct nlmsg *m, uint32_t index, uint32_t master)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_u32(m, IFLA_MASTER, master);
}

void link_put_mac(struct nlmsg *m, uint32_t index, const struct mac *mac)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_mac(m, IFLA_ADDRESS, mac);
}

void link_put_mtu(struct nlmsg *m, uint32_t index, uint32_t mtu)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_u32(m, IFLA_MTU, mtu);
}

void link_put_txqlen(struct nlmsg *m, uint32_t index, uint32_t txqlen)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_u32(m, IFLA_TXQLEN, txqlen);
}

void link_put_alias(struct nlmsg *m, uint32_t index, const char *alias)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_str(m, IFLA_IFALIAS, alias);
}

int link_set_flags(struct nl *nl, uint32_t index, uint32_t flags, uint32_t mask, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	begin_set(&m, index, NULL, flags, mask);
	return set(nl, &m, "set flags", index, e);
}

void link_put_up(struct nlmsg *m, uint32_t index)
{
	begin_set(m, index, NULL, IFF_UP, IFF_UP);
}

int link_up(struct nl *nl, uint32_t index, struct err *e)
{
	return link_set_flags(nl, index, IFF_UP, IFF_UP, e);
}

int link_down(struct nl *nl, uint32_t index, struct err *e)
{
	return link_set_flags(nl, index, 0, IFF_UP, e);
}

int link_set_mac(struct nl *nl, uint32_t index, const struct mac *mac, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	link_put_mac(&m, index, mac);
	return set(nl, &m, "set the MAC", index, e);
}

int link_set_master(struct nl *nl, uint32_t index, uint32_t master, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	begin_set(&m, index, NULL, 0, 0);
	nlmsg_u32(&m, IFLA_MASTER, master);
	return set(nl, &m, "set the master", index, e);
}

void link_put_inet_conf(struct nlmsg *m, uint32_t index, unsigned devconf, uint32_t value)
{
	begin_set(m, index, NULL, 0, 0);
	nlmsg_nest(m, IFLA_AF_SPEC)
		nlmsg_nest(m, AF_INET)
			nlmsg_nest(m, IFLA_INET_CONF)
				nlmsg_u32(m, (uint16_t)devconf, value);
}

static void begin_del(struct nlmsg *m, uint32_t index)
{
	const struct ifinfomsg i = { .ifi_index = (int)index };

	nlmsg_init(m);
	nlmsg_begin(m, RTM_DELLINK, 0, &i, sizeof i);
}

int link_del(struct nl *nl, uint32_t index, struct err *e)
{
	struct nlmsg m;

	begin_del(&m, index);
	int r = nl_talk_but(nl, &m, -ENODEV, 0, e);
	if (r == -ENODEV)
		return 0;
	return r < 0 ? err_wrap(e, "delete interface %u in the %s namespace", index, nl->name),
	       r : 0;
}

static void send_message(int fd, const void *arg)
{
	const struct nlmsghdr *h = arg;

	(void)send(fd, h, h->nlmsg_len, 0);
}

int link_del_aside(struct nl *nl, uint32_t index, struct err *e)
{
	struct nlmsg m;

	if (plan_on())
		return link_del(nl, index, e);
	begin_del(&m, index);
	return aside_run("naru-link-del", nl->fd, send_message, m.buf, m.len) == 0 ?
		       0 :
		       link_del(nl, index, e);
}
