// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/portvlan.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/net/overlay.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define MESSAGE_RUNS 200 /* of ids in one message, which so fits into half a buffer */

/* ---- ids. Pure. */

bool vlan_set_is_empty(const struct vlan_set *s)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < 64; i++)
		any |= s->bits[i];
	return !any;
}

/* The next run of ids at or behind *from: *from to *to. False at the end. */
static bool next_run(const struct vlan_set *s, unsigned *from, unsigned *to)
{
	while (*from <= VLAN_ID_MAX && !vlan_set_has(s, *from))
		++*from;
	for (*to = *from; *to < VLAN_ID_MAX && vlan_set_has(s, *to + 1); ++*to)
		;
	return *from <= VLAN_ID_MAX;
}

struct vlan_port vlan_port_plan(uint16_t own, const struct vlan_set *trunk, bool keep,
				const struct vlan_bridge *b)
{
	struct vlan_port p = { .tagged = *trunk };
	bool any = own || !vlan_set_is_empty(trunk);

	if (!own && any && !keep && !vlan_set_has(trunk, 1))
		own = 1;
	if ((keep || !any) && b->native) {
		vlan_set_add(&p.untagged, b->native);
		p.pvid = b->native;
	}
	if (own) {
		vlan_set_add(&p.untagged, own);
		p.pvid = own;
	}
	for (unsigned i = 0; i < 64; i++)
		p.tagged.bits[i] &= ~p.untagged.bits[i];
	return p;
}

bool vlan_port_eq(const struct vlan_port *a, const struct vlan_port *b)
{
	return a->pvid == b->pvid && !memcmp(&a->tagged, &b->tagged, sizeof a->tagged) &&
	       !memcmp(&a->untagged, &b->untagged, sizeof a->untagged);
}

static void add_ids(struct str *s, const char *what, const struct vlan_set *ids)
{
	unsigned to;

	if (vlan_set_is_empty(ids))
		return;
	str_addf(s, "%s%s", s->len ? ", " : "", what);
	for (unsigned from = 1; next_run(ids, &from, &to); from = to + 1)
		str_addf(s, from == to ? " %u" : " %u-%u", from, to);
}

void vlan_port_text(struct str *s, const struct vlan_port *p)
{
	if (p->pvid)
		str_addf(s, "own %u", p->pvid);
	add_ids(s, "without tag", &p->untagged);
	add_ids(s, "with tag", &p->tagged);
	if (!s->len)
		str_add(s, "none");
}

/* ---- the bridge */

/* A kernel that can tells it of every bridge, also when it is 0. */
static int take_native(const void *data, size_t len, void *obj)
{
	struct vlan_bridge *b = obj;

	if (len < sizeof b->native)
		return -EBADMSG;
	b->known = true;
	memcpy(&b->native, data, sizeof b->native);
	return 0;
}

static int take_filtering(const void *data, size_t len, void *obj)
{
	struct vlan_bridge *b = obj;

	b->filtering = len && *(const uint8_t *)data;
	return 0;
}

static const struct attr_spec bridge_data[] = {
	[IFLA_BR_VLAN_FILTERING] = ATTR_FN(take_filtering),
	[IFLA_BR_VLAN_DEFAULT_PVID] = ATTR_FN(take_native),
};
static const struct attr_spec bridge_info[] = { [IFLA_INFO_DATA] = ATTR_NEST(bridge_data) };
static const struct attr_spec bridge_attrs[] = { [IFLA_LINKINFO] = ATTR_NEST(bridge_info) };

static int take_bridge(const struct nlmsghdr *h, void *arg)
{
	return h->nlmsg_type == RTM_NEWLINK ?
		       attr_decode_msg(h, sizeof(struct ifinfomsg), bridge_attrs, arg) :
		       0;
}

int vlan_bridge_get(struct nl *nl, uint32_t bridge, struct vlan_bridge *out, struct err *e)
{
	const struct ifinfomsg one = { .ifi_index = (int)bridge };
	struct vlan_bridge b = { .known = true, .filtering = true, .native = 1 };
	struct nlmsg m;

	if (plan_on() && bridge >= OVERLAY_INDEX) { /* as it would be born */
		*out = b;
		return 0;
	}
	b = (struct vlan_bridge){ 0 };

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &one, sizeof one);
	nlmsg_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int r = nl_get(nl, &m, take_bridge, &b, e);
	if (r < 0)
		return err_wrap(e, "VLANs of bridge %u", bridge), r;
	*out = b;
	return 0;
}

int vlan_bridge_filter(struct nl *nl, uint32_t bridge, struct err *e)
{
	const struct ifinfomsg one = { .ifi_index = (int)bridge };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_NEWLINK, 0, &one, sizeof one);
	nlmsg_nest(&m, IFLA_LINKINFO) {
		nlmsg_str(&m, IFLA_INFO_KIND, "bridge");
		nlmsg_nest(&m, IFLA_INFO_DATA)
			nlmsg_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
	}
	int r = nl_talk(nl, &m, e);
	return r < 0 ? err_wrap(e, "make bridge %u filter VLANs", bridge), r : 0;
}

/* ---- the port */

static void put_id(struct nlmsg *m, uint16_t flags, unsigned id)
{
	const struct bridge_vlan_info v = { .flags = flags, .vid = (uint16_t)id };

	nlmsg_data(m, IFLA_BRIDGE_VLAN_INFO, &v, sizeof v);
}

static void put_run(struct nlmsg *m, unsigned from, unsigned to)
{
	if (from == to) {
		put_id(m, 0, from);
		return;
	}
	put_id(m, BRIDGE_VLAN_INFO_RANGE_BEGIN, from);
	put_id(m, BRIDGE_VLAN_INFO_RANGE_END, to);
}

/* At most MESSAGE_RUNS runs of the trunk from *from on, which moves behind them. */
static void put_trunk(struct nlmsg *m, const struct vlan_set *ids, unsigned *from)
{
	unsigned to;

	for (unsigned n = 0; n < MESSAGE_RUNS && next_run(ids, from, &to); n++, *from = to + 1)
		put_run(m, *from, to);
}

/* The default goes, the own VLAN comes, and as much of the trunk as one buffer holds. */
static void put_first(struct nlmsg *m, uint32_t port, const struct vlan_port *want,
		      const struct vlan_bridge *b, unsigned *from)
{
	const struct ifinfomsg one = { .ifi_family = AF_BRIDGE, .ifi_index = (int)port };

	if (b->native && !vlan_set_has(&want->untagged, b->native)) {
		nlmsg_begin(m, RTM_DELLINK, 0, &one, sizeof one);
		nlmsg_nest(m, IFLA_AF_SPEC)
			put_id(m, 0, b->native);
	}
	nlmsg_begin(m, RTM_SETLINK, 0, &one, sizeof one);
	nlmsg_nest(m, IFLA_AF_SPEC) {
		if (want->pvid)
			put_id(m, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, want->pvid);
		put_trunk(m, &want->tagged, from);
	}
}

int vlan_port_set(struct nl *nl, uint32_t port, const struct vlan_port *want,
		  const struct vlan_bridge *b, struct err *e)
{
	const struct ifinfomsg one = { .ifi_family = AF_BRIDGE, .ifi_index = (int)port };
	unsigned from = 1, to;
	struct nlmsg m;

	nlmsg_init(&m);
	put_first(&m, port, want, b, &from);
	int r = nl_talk(nl, &m, e);
	while (r == 0 && next_run(&want->tagged, &from, &to)) {
		nlmsg_init(&m);
		nlmsg_begin(&m, RTM_SETLINK, 0, &one, sizeof one);
		nlmsg_nest(&m, IFLA_AF_SPEC)
			put_trunk(&m, &want->tagged, &from);
		r = nl_talk(nl, &m, e);
	}
	return r < 0 ? err_wrap(e, "set the VLANs of bridge port %u", port), r : 0;
}

struct port_view {
	struct vlan_port port;
	uint32_t index;
	uint16_t begun; /* first id of a range whose end is to come */
};

static int take_id(const void *data, size_t len, void *obj)
{
	struct port_view *v = obj;
	struct bridge_vlan_info i;

	if (len < sizeof i)
		return -EBADMSG;
	memcpy(&i, data, sizeof i);
	if (i.vid > VLAN_ID_MAX)
		return -EBADMSG;
	if (i.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
		v->begun = i.vid;
		return 0;
	}
	if (i.flags & BRIDGE_VLAN_INFO_PVID)
		v->port.pvid = i.vid;
	unsigned id = i.flags & BRIDGE_VLAN_INFO_RANGE_END ? v->begun : i.vid;
	for (; id <= i.vid; id++)
		vlan_set_add(i.flags & BRIDGE_VLAN_INFO_UNTAGGED ? &v->port.untagged :
								   &v->port.tagged,
			     id);
	return 0;
}

static const struct attr_spec port_spec[] = { [IFLA_BRIDGE_VLAN_INFO] = ATTR_FN(take_id) };
static const struct attr_spec port_attrs[] = { [IFLA_AF_SPEC] = ATTR_NEST(port_spec) };

static int take_port(const struct nlmsghdr *h, void *arg)
{
	struct port_view *v = arg;
	const struct ifinfomsg *i = NLMSG_DATA(h);

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *i) ||
	    i->ifi_family != AF_BRIDGE || (uint32_t)i->ifi_index != v->index)
		return 0;
	return attr_decode_msg(h, sizeof *i, port_attrs, v);
}

static void restart(void *arg)
{
	struct port_view *v = arg;

	*v = (struct port_view){ .index = v->index };
}

/* There is no asking for one port: all are listed. */
int vlan_port_get(struct nl *nl, uint32_t port, struct vlan_port *out, struct err *e)
{
	const struct ifinfomsg all = { .ifi_family = AF_BRIDGE };
	struct port_view v = { .index = port };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETLINK, 0, &all, sizeof all);
	nlmsg_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED | RTEXT_FILTER_SKIP_STATS);
	int r = nl_dump(nl, &m, take_port, restart, &v, e);
	if (r < 0)
		return err_wrap(e, "VLANs of bridge port %u", port), r;
	*out = v.port;
	return 0;
}
