// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/link_kinds.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define TRIES 4 /* when somebody else takes the index that we asked for */
#define BCQUEUELEN IFLA_MACVLAN_BC_QUEUE_LEN

/* ---- what each kind adds to the message, and back */

struct mode {
	const char *name;
	uint32_t mode;
};

static const struct mode macvlan_modes[] = {
	{ "bridge", MACVLAN_MODE_BRIDGE },
	{ "private", MACVLAN_MODE_PRIVATE },
	{ "vepa", MACVLAN_MODE_VEPA },
	{ "passthru", MACVLAN_MODE_PASSTHRU },
};
static const struct mode ipvlan_modes[] = {
	{ "l2", IPVLAN_MODE_L2 },
	{ "l3", IPVLAN_MODE_L3 },
	{ "l3s", IPVLAN_MODE_L3S },
};

static void put_macvlan(struct nlmsg *m, const struct link_child *c)
{
	nlmsg_u32(m, IFLA_MACVLAN_MODE, c->value);
	if (c->bcqueuelen)
		nlmsg_u32(m, BCQUEUELEN, c->bcqueuelen);
}

static void put_ipvlan(struct nlmsg *m, const struct link_child *c)
{
	nlmsg_u16(m, IFLA_IPVLAN_MODE, (uint16_t)c->value);
}

static void put_vlan(struct nlmsg *m, const struct link_child *c)
{
	nlmsg_u16(m, IFLA_VLAN_ID, (uint16_t)c->value);
}

static void put_vrf(struct nlmsg *m, const struct link_child *c)
{
	nlmsg_u32(m, IFLA_VRF_TABLE, c->value);
}

static int take_u16(const void *data, size_t len, void *obj)
{
	uint16_t v;

	if (len < sizeof v)
		return -EBADMSG;
	memcpy(&v, data, sizeof v);
	((struct link *)obj)->value = v;
	return 0;
}

static const struct attr_spec macvlan_attrs[] = {
	[IFLA_MACVLAN_MODE] = ATTR_U32(struct link, value),
	[BCQUEUELEN] = ATTR_U32(struct link, bcqueuelen),
};
static const struct attr_spec ipvlan_attrs[] = { [IFLA_IPVLAN_MODE] = ATTR_FN(take_u16) };
static const struct attr_spec vlan_attrs[] = { [IFLA_VLAN_ID] = ATTR_FN(take_u16) };
static const struct attr_spec vrf_attrs[] = { [IFLA_VRF_TABLE] = ATTR_U32(struct link, value) };

#define SPEC(table) table, ARRAY_LEN(table)

static const struct kind {
	const char *name, *module;
	void (*put)(struct nlmsg *m, const struct link_child *c);
	const struct attr_spec *specs;
	size_t nspecs;
	const struct mode *modes;
	size_t nmodes;
} kinds[] = {
	{ "macvlan", "macvlan", put_macvlan, SPEC(macvlan_attrs), SPEC(macvlan_modes) },
	{ "ipvlan", "ipvlan", put_ipvlan, SPEC(ipvlan_attrs), SPEC(ipvlan_modes) },
	{ "vlan", "8021q", put_vlan, SPEC(vlan_attrs), NULL, 0 },
	{ "vrf", "vrf", put_vrf, SPEC(vrf_attrs), NULL, 0 },
	{ "dummy", "dummy", NULL, NULL, 0, NULL, 0 },
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

int link_kind_decode(const void *data, size_t len, struct link *l)
{
	const struct kind *k = kind_of(l->kind);

	return k && k->specs ? attr_decode_raw(data, len, k->specs, k->nspecs, l) : 0;
}

int link_mode_parse(const char *kind, const char *text, uint32_t *out)
{
	const struct kind *k = kind_of(kind);

	for (size_t i = 0; k && i < k->nmodes; i++)
		if (!strcmp(k->modes[i].name, text)) {
			*out = k->modes[i].mode;
			return 0;
		}
	return -EINVAL;
}

const char *link_mode_text(const char *kind, uint32_t mode)
{
	const struct kind *k = kind_of(kind);

	for (size_t i = 0; k && i < k->nmodes; i++)
		if (k->modes[i].mode == mode)
			return k->modes[i].name;
	return NULL;
}

/* ---- making one */

static void begin_new(struct nlmsg *m, const char *name, uint32_t index)
{
	const struct ifinfomsg i = { .ifi_index = (int)index };

	nlmsg_init(m);
	nlmsg_begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	nlmsg_str(m, IFLA_IFNAME, name);
}

static void put_child(struct nlmsg *m, const struct link_child *c, const struct kind *k,
		      uint32_t index)
{
	begin_new(m, c->name, index);
	nlmsg_mac(m, IFLA_ADDRESS, &c->mac);
	if (c->mtu)
		nlmsg_u32(m, IFLA_MTU, c->mtu);
	if (c->lower)
		nlmsg_u32(m, IFLA_LINK, c->lower);
	if (c->netns >= 0)
		nlmsg_u32(m, IFLA_NET_NS_FD, (uint32_t)c->netns);
	nlmsg_nest(m, IFLA_LINKINFO) {
		nlmsg_str(m, IFLA_INFO_KIND, k->name);
		if (k->put)
			nlmsg_nest(m, IFLA_INFO_DATA)
				k->put(m, c);
	}
}

static int unsupported(const struct kind *k, struct err *e)
{
	return err_say(e, -EOPNOTSUPP,
		       "this kernel has no links of kind %s; load its module %s (modprobe %s), or "
		       "boot a kernel that has it",
		       k->name, k->module, k->module);
}

static int highest(const struct link *l, void *arg)
{
	uint32_t *max = arg;

	*max = l->index > *max ? l->index : *max;
	return 0;
}

/* An index that neither namespace uses. */
static int free_index(struct nl *nl, struct nl *target, uint32_t *out, struct err *e)
{
	uint32_t max = 0;
	int r;

	if ((r = link_each(nl, highest, &max, e)) < 0 ||
	    (r = link_each(target, highest, &max, e)) < 0)
		return r;
	*out = max + 1;
	return 0;
}

/*
 * Kernels before 6.15 look for the name in the sender's namespace too, where it may well be taken
 * ("eth0"), unless the message has an index: then they look for that. So the second attempt brings
 * an index that is free on both sides.
 */
int link_add_child(struct nl *nl, struct nl *target, const struct link_child *c, struct err *e)
{
	const struct kind *k = kind_of(c->kind);
	struct nlmsg m;
	struct link l;
	uint32_t index = 0;
	int r = -EEXIST;

	if (!k)
		return err_say(e, -EINVAL, "create %s: no links of kind %s are made here", c->name,
			       c->kind);
	for (unsigned i = 0; i < TRIES && (r == -EEXIST || r == -EBUSY); i++) {
		if (i && link_get(target, c->name, &l, NULL) == 0)
			return LINK_EXISTS;
		if (i && (c->netns < 0 || (r = free_index(nl, target, &index, e)) < 0))
			break;
		put_child(&m, c, k, index);
		r = nl_talk_but(nl, &m, -EEXIST, -EBUSY, e);
	}
	if (r == -EEXIST || r == -EBUSY) /* once more, to hear why */
		r = nl_talk(nl, &m, e);
	if (r == -EOPNOTSUPP)
		return unsupported(k, e);
	return r < 0 ? err_wrap(e, "create %s %s", c->kind, c->name), r : 0;
}

int link_kind_ready(struct nl *nl, const char *kind, struct err *e)
{
	static const struct mac group = { .b = { 1 }, .set = true };
	const struct kind *k = kind_of(kind);
	struct nlmsg m;

	if (!k)
		return err_say(e, -EINVAL, "no links of kind %s are made here", kind);
	/* a request that no kind grants: nothing to stand on, and the address of a group */
	begin_new(&m, "naru-probe", 0);
	nlmsg_mac(&m, IFLA_ADDRESS, &group);
	nlmsg_nest(&m, IFLA_LINKINFO)
		nlmsg_str(&m, IFLA_INFO_KIND, k->name);
	return nl_talk(nl, &m, NULL) == -EOPNOTSUPP ? unsupported(k, e) : 0;
}
