// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/conntrack.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/vec.h"
#include "netlib/ip/port.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

#define TUPLE_MAX 128 /* an original tuple with IPv6 addresses takes 72 bytes */
#define PASS_MAX 8192 /* entries taken from one dump */
#define PASSES 64
#define DELETE_BATCH 32 /* fits into one nlmsg */

/* Bits of CTA_FILTER_ORIG_FLAGS; the kernel's headers keep the names to themselves. */
enum { FILTER_IP_DST = 1 << 1, FILTER_PROTO_NUM = 1 << 3, FILTER_DST_PORT = 1 << 5 };

/*
 * A connection as far as we look at it; the original tuple is kept as it came, to name the entry
 * when deleting it.
 */
struct flow {
	struct ip_addr dst;
	uint8_t proto;
	uint16_t port; /* network order */
	uint32_t id;   /* network order */
	uint16_t zone; /* network order */
	uint16_t tuple_len;
	char tuple[TUPLE_MAX];
};

struct flush {
	int family;
	const struct port_map *maps;
	size_t nmaps;
	struct flow *flow;
	size_t n;
};

static bool matters(const struct port_map *m, int family)
{
	return (m->proto == IPPROTO_UDP || m->proto == IPPROTO_SCTP) &&
	       (!ip_is_set(&m->host_ip) || m->host_ip.family == family);
}

static bool meets(const struct flush *f, const struct flow *w)
{
	unsigned port = ntohs(w->port);

	for (size_t i = 0; i < f->nmaps; i++) {
		const struct port_map *m = &f->maps[i];

		if (!matters(m, f->family) || m->proto != w->proto || port < m->host_port ||
		    port > m->host_port + m->count - 1u)
			continue;
		if (!ip_is_set(&m->host_ip) || ip_is_any(&m->host_ip) ||
		    ip_eq(&m->host_ip, &w->dst))
			return true;
	}
	return false;
}

static int take_v4(const void *data, size_t len, void *obj)
{
	struct flow *w = obj;

	if (len != 4)
		return -EBADMSG;
	w->dst.family = AF_INET;
	memcpy(w->dst.b, data, len);
	return 0;
}

static int take_v6(const void *data, size_t len, void *obj)
{
	struct flow *w = obj;

	if (len != 16)
		return -EBADMSG;
	w->dst.family = AF_INET6;
	memcpy(w->dst.b, data, len);
	return 0;
}

static int take_tuple(const void *data, size_t len, void *obj)
{
	static const struct attr_spec ip[] = {
		[CTA_IP_V4_DST] = ATTR_FN(take_v4),
		[CTA_IP_V6_DST] = ATTR_FN(take_v6),
	};
	static const struct attr_spec proto[] = {
		[CTA_PROTO_NUM] = ATTR_U8(struct flow, proto),
		[CTA_PROTO_DST_PORT] = ATTR_U16(struct flow, port),
	};
	static const struct attr_spec tuple[] = {
		[CTA_TUPLE_IP] = ATTR_NEST(ip),
		[CTA_TUPLE_PROTO] = ATTR_NEST(proto),
	};
	struct flow *w = obj;

	if (len > sizeof w->tuple)
		return -EBADMSG;
	memcpy(w->tuple, data, len);
	w->tuple_len = (uint16_t)len;
	return attr_decode_raw(data, len, tuple, ARRAY_LEN(tuple), w);
}

static int take_flow(const struct nlmsghdr *h, void *arg)
{
	static const struct attr_spec attrs[] = {
		[CTA_TUPLE_ORIG] = ATTR_FN(take_tuple),
		[CTA_ID] = ATTR_U32(struct flow, id),
		[CTA_ZONE] = ATTR_U16(struct flow, zone),
	};
	struct flush *f = arg;
	struct flow w = { 0 }, *slot;

	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) || f->n == PASS_MAX)
		return 0;
	int r = attr_decode_msg(h, sizeof(struct nfgenmsg), attrs, &w);
	if (r < 0 || w.dst.family != f->family || !meets(f, &w))
		return r;
	if (!(slot = vec_add(&f->flow, &f->n)))
		return -ENOMEM;
	*slot = w;
	return 0;
}

static void restart(void *arg)
{
	((struct flush *)arg)->n = 0;
}

static void begin(struct nlmsg *m, uint16_t msg, int family)
{
	const struct nfgenmsg g = { .nfgen_family = (uint8_t)family, .version = NFNETLINK_V0 };

	nlmsg_begin(m, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | msg), 0, &g, sizeof g);
}

/*
 * Lets the kernel leave out what cannot matter: by port when one is asked for, else by protocol
 * when all have the same. Not by IPv6 address: kernels (6.18 among them) compare those the wrong
 * way round and leave out just the one asked for.
 */
static void put_filter(struct nlmsg *m, const struct flush *f)
{
	const struct port_map *first = NULL;
	bool one = true, same_proto = true;

	for (size_t i = 0; i < f->nmaps; i++) {
		if (!matters(&f->maps[i], f->family))
			continue;
		one &= !first && f->maps[i].count == 1;
		same_proto &= !first || first->proto == f->maps[i].proto;
		first = first ? first : &f->maps[i];
	}
	if (!first || !same_proto)
		return;
	bool ip = one && f->family == AF_INET && ip_is_set(&first->host_ip) &&
		  !ip_is_any(&first->host_ip);
	nlmsg_nest(m, CTA_TUPLE_ORIG) {
		if (ip)
			nlmsg_nest(m, CTA_TUPLE_IP)
				nlmsg_ip(m, CTA_IP_V4_DST, &first->host_ip);
		nlmsg_nest(m, CTA_TUPLE_PROTO) {
			nlmsg_u8(m, CTA_PROTO_NUM, first->proto);
			if (one)
				nlmsg_u16be(m, CTA_PROTO_DST_PORT, first->host_port);
		}
	}
	nlmsg_nest(m, CTA_FILTER)
		nlmsg_u32(m, CTA_FILTER_ORIG_FLAGS,
			  (ip ? FILTER_IP_DST : 0) | FILTER_PROTO_NUM |
				  (one ? FILTER_DST_PORT : 0));
}

static bool no_conntrack(int r)
{
	return r == -EINVAL || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT;
}

/*
 * A kernel that knows no filter ignores it or refuses it; what comes is looked at here in any case.
 */
static int find(struct nl *nl, struct flush *f, struct err *e)
{
	int r = 0;

	for (int filtered = 1; filtered >= 0; filtered--) {
		struct nlmsg m;

		f->n = 0;
		nlmsg_init(&m);
		begin(&m, IPCTNL_MSG_CT_GET, f->family);
		if (filtered)
			put_filter(&m, f);
		r = nl_dump(nl, &m, take_flow, restart, f, e);
		if (!no_conntrack(r))
			break;
	}
	return r;
}

static int delete_flows(struct nl *nl, const struct flush *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0;) {
		struct nlmsg m;

		nlmsg_init(&m);
		for (size_t end = i + DELETE_BATCH; i < end && i < f->n; i++) {
			const struct flow *w = &f->flow[i];

			begin(&m, IPCTNL_MSG_CT_DELETE, f->family);
			nlmsg_data(&m, CTA_TUPLE_ORIG | NLA_F_NESTED, w->tuple, w->tuple_len);
			if (w->zone)
				nlmsg_data(&m, CTA_ZONE, &w->zone, sizeof w->zone);
			if (w->id)
				nlmsg_data(&m, CTA_ID, &w->id, sizeof w->id);
		}
		r = nl_talk(nl, &m, e);
		if (r == -ENOENT) /* it ended by itself */
			r = 0;
	}
	return r;
}

int conntrack_flush(int family, const struct port_map *maps, size_t n, struct err *e)
{
	struct flush f = { .family = family, .maps = maps, .nmaps = n };
	cleanup_nl struct nl nl = NL_INIT;
	struct err why = ERR_INIT;
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		any |= matters(&maps[i], family);
	if (!any)
		return 0;
	if ((r = nl_open(&nl, NETLINK_NETFILTER, -1, "host", &why)) == 0)
		for (int pass = 0; pass < PASSES; pass++) {
			if ((r = find(&nl, &f, &why)) < 0 ||
			    (r = delete_flows(&nl, &f, &why)) < 0 || f.n < PASS_MAX)
				break;
		}
	free(f.flow);
	if (r == 0 || no_conntrack(r))
		return 0;
	if (e)
		*e = why;
	return err_wrap(e, "forget connections to published ports");
}
