// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"
#include "netlib/ip/port.h"

#define FORWARD_PARTS (FW_ACCEPT | FW_ISOLATE)

const struct fw_shape fw_shapes[FW_KINDS] = {
	[FW_KIND_DNAT_IP] = { "dnat%c_ip", .host = true, .port = true, .to = true, .to_port = true,
			      .part = FW_DNAT },
	[FW_KIND_DNAT] = { "dnat%c", .port = true, .to = true, .to_port = true, .part = FW_DNAT },
	[FW_KIND_RANGE] = { "range%c", .host = true, .port = true, .interval = true, .to = true,
			    .part = FW_DNAT },
	[FW_KIND_SNAT_IP] = { "snat-ip-", .host = true, .port = true, .by_prefix = true,
			      .part = FW_DNAT },
	[FW_KIND_SNAT] = { "snat-", .port = true, .by_prefix = true, .part = FW_DNAT },
	[FW_KIND_SNAT_RANGE] = { "snat-range-", .host = true, .port = true, .interval = true,
				 .by_prefix = true, .part = FW_DNAT },
	[FW_KIND_MASQ] = { "masq-", .by_prefix = true, .part = FW_MASQ },
	[FW_KIND_ACCEPT] = { "accept%c", .part = FW_ACCEPT },
	[FW_KIND_SAME] = { "same%c-", .by_bridge = true, .part = FW_ISOLATE },
	[FW_KIND_ALONE] = { "alone%c-", .by_bridge = true, .part = FW_ISOLATE },
};

const struct fw_chain_spec fw_chains[FW_CHAINS] = {
	[FW_CHAIN_GUARD] = { "guard", "filter", FW_HOOK_PREROUTING, -300,
			     "filter hook prerouting priority -300" },
	[FW_CHAIN_HAIRPIN] = { "hairpin" },
	[FW_CHAIN_HOSTPORTS] = { "hostports" },
	[FW_CHAIN_PREROUTING] = { "prerouting", "nat", FW_HOOK_PREROUTING, -100,
				  "nat hook prerouting priority -100" },
	[FW_CHAIN_OUTPUT] = { "output", "nat", FW_HOOK_OUTPUT, -100,
			      "nat hook output priority -100" },
	[FW_CHAIN_POSTROUTING] = { "postrouting", "nat", FW_HOOK_POSTROUTING, 100,
				   "nat hook postrouting priority 100" },
	[FW_CHAIN_ADMIN] = { "admin", .part = FORWARD_PARTS },
	[FW_CHAIN_ISOLATION_TO] = { "isolation-to", .part = FORWARD_PARTS },
	[FW_CHAIN_ISOLATION] = { "isolation", .part = FORWARD_PARTS },
	[FW_CHAIN_FORWARD] = { "forward", "filter", FW_HOOK_FORWARD, 0,
			       "filter hook forward priority 0", FORWARD_PARTS },
};

const struct fw_set fw_base_sets[FW_BASE_SETS] = {
	{ FW_KIND_DNAT_IP, AF_INET },  { FW_KIND_DNAT, AF_INET },    { FW_KIND_RANGE, AF_INET },
	{ FW_KIND_DNAT_IP, AF_INET6 }, { FW_KIND_DNAT, AF_INET6 },   { FW_KIND_RANGE, AF_INET6 },
	{ FW_KIND_ACCEPT, AF_INET },   { FW_KIND_ACCEPT, AF_INET6 },
};

#define LOOPBACK4 { .addr = { AF_INET, { 127 } }, .len = 8 }
#define LOOPBACK6 { .addr = { AF_INET6, { [15] = 1 } }, .len = 128 }
#define MULTICAST4 { .addr = { AF_INET, { 224 } }, .len = 4 }
#define MULTICAST6 { .addr = { AF_INET6, { 0xff } }, .len = 8 }
/* clang-format off */
#define DNAT_RULE(f, k) \
	{ FW_CHAIN_HOSTPORTS, \
	  { { FW_OP_FAMILY, .family = (f) }, \
	    { FW_OP_DNAT, .family = (f), .set = { .kind = (k), .family = (f) } } } }
#define ACCEPTED(f) { .kind = FW_KIND_ACCEPT, .family = (f) }
/* clang-format on */

const struct fw_rule fw_base_rules[FW_BASE_RULES] = {
	{ FW_CHAIN_GUARD,
	  { { FW_OP_SADDR, .prefix = LOOPBACK4 }, { FW_OP_NOT_LO }, { FW_OP_DROP } } },
	{ FW_CHAIN_GUARD,
	  { { FW_OP_DADDR, .prefix = LOOPBACK4 }, { FW_OP_NOT_LO }, { FW_OP_DROP } } },
	/* IPv6 has no route_localnet: what is sent to ::1 cannot leave, and is better refused */
	{ FW_CHAIN_HOSTPORTS, { { FW_OP_DADDR, .prefix = LOOPBACK6 }, { FW_OP_RETURN } } },
	{ FW_CHAIN_HOSTPORTS, { { FW_OP_JUMP, .chain = FW_CHAIN_HAIRPIN } } },
	DNAT_RULE(AF_INET, FW_KIND_DNAT_IP),
	DNAT_RULE(AF_INET, FW_KIND_DNAT),
	DNAT_RULE(AF_INET, FW_KIND_RANGE),
	DNAT_RULE(AF_INET6, FW_KIND_DNAT_IP),
	DNAT_RULE(AF_INET6, FW_KIND_DNAT),
	DNAT_RULE(AF_INET6, FW_KIND_RANGE),
	{ FW_CHAIN_PREROUTING, { { FW_OP_LOCAL }, { FW_OP_JUMP, .chain = FW_CHAIN_HOSTPORTS } } },
	{ FW_CHAIN_OUTPUT, { { FW_OP_LOCAL }, { FW_OP_JUMP, .chain = FW_CHAIN_HOSTPORTS } } },
	{ FW_CHAIN_POSTROUTING, { { FW_OP_MARKED }, { FW_OP_MASQ } } },
	{ FW_CHAIN_POSTROUTING, { { FW_OP_DADDR, .prefix = MULTICAST4 }, { FW_OP_RETURN } } },
	{ FW_CHAIN_POSTROUTING, { { FW_OP_DADDR, .prefix = MULTICAST6 }, { FW_OP_RETURN } } },
	{ FW_CHAIN_FORWARD, { { FW_OP_JUMP, .chain = FW_CHAIN_ADMIN } } },
	{ FW_CHAIN_FORWARD, { { FW_OP_JUMP, .chain = FW_CHAIN_ISOLATION } } },
	{ FW_CHAIN_FORWARD,
	  { { FW_OP_ESTABLISHED }, { FW_OP_TO_IN, .set = ACCEPTED(AF_INET) }, { FW_OP_ACCEPT } } },
	{ FW_CHAIN_FORWARD, { { FW_OP_IN, .set = ACCEPTED(AF_INET) }, { FW_OP_ACCEPT } } },
	{ FW_CHAIN_FORWARD,
	  { { FW_OP_ESTABLISHED }, { FW_OP_TO_IN, .set = ACCEPTED(AF_INET6) }, { FW_OP_ACCEPT } } },
	{ FW_CHAIN_FORWARD, { { FW_OP_IN, .set = ACCEPTED(AF_INET6) }, { FW_OP_ACCEPT } } },
};

bool fw_chain_belongs(enum fw_chain c, unsigned parts)
{
	return !fw_chains[c].part || fw_chains[c].part & parts;
}

bool fw_set_belongs(const struct fw_set *s, unsigned parts)
{
	unsigned part = fw_shapes[s->kind].part;

	return !(part & FORWARD_PARTS) || (parts & FORWARD_PARTS);
}

bool fw_kind_comes_and_goes(enum fw_kind k)
{
	return fw_shapes[k].by_prefix || fw_shapes[k].by_bridge;
}

static struct fw_op op(enum fw_op_type type)
{
	return (struct fw_op){ .type = type };
}

static struct fw_op op_addr(enum fw_op_type type, const struct ip_prefix *p)
{
	return (struct fw_op){ .type = type, .prefix = *p };
}

static struct fw_op op_set(enum fw_op_type type, const struct fw_set *s)
{
	return (struct fw_op){ .type = type, .set = *s };
}

static struct fw_op op_in(const struct fw_set *s)
{
	return op_set(FW_OP_IN, s);
}

/*
 * Between two bridges that both have such a set nothing passes: the first chain sends on what
 * leaves its bridge, the second drops it where it would arrive.
 */
static size_t bridge_rules(const struct fw_set *s, struct fw_rule out[FW_SET_RULES_MAX])
{
	struct fw_op jump = { .type = FW_OP_JUMP, .chain = FW_CHAIN_ISOLATION_TO },
		     family = { .type = FW_OP_FAMILY, .family = s->family };

	out[0] = (struct fw_rule){
		FW_CHAIN_ISOLATION, { family, op_set(FW_OP_IIF, s), op_set(FW_OP_NOT_OIF, s), jump }
	};
	out[1] = (struct fw_rule){ FW_CHAIN_ISOLATION_TO,
				   { op_set(FW_OP_OIF, s), op_set(FW_OP_TO_IN, s),
				     op(FW_OP_DROP) } };
	if (s->kind != FW_KIND_ALONE)
		return 2;
	out[2] = (struct fw_rule){ FW_CHAIN_ISOLATION,
				   { op_set(FW_OP_IIF, s), op_set(FW_OP_OIF, s),
				     op_set(FW_OP_TO_IN, s), op(FW_OP_DROP) } };
	return 3;
}

size_t fw_set_rules(const struct fw_set *s, struct fw_rule out[FW_SET_RULES_MAX])
{
	static const struct ip_prefix loopback4 = LOOPBACK4;
	bool everyone = s->near.len == 0;

	if (fw_shapes[s->kind].by_bridge)
		return bridge_rules(s, out);
	if (!fw_shapes[s->kind].by_prefix)
		return 0;
	if (s->kind == FW_KIND_MASQ) {
		if (everyone) /* nothing is outside of 0.0.0.0/0 */
			return 0;
		out[0] = (struct fw_rule){ FW_CHAIN_POSTROUTING,
					   { op_addr(FW_OP_SADDR, &s->near),
					     op_addr(FW_OP_NOT_DADDR, &s->near), op_in(s),
					     op(FW_OP_MASQ) } };
		return 1;
	}
	struct fw_op who = everyone ? (struct fw_op){ .type = FW_OP_FAMILY, .family = s->family } :
				      op_addr(FW_OP_SADDR, &s->near);
	out[0] = (struct fw_rule){ FW_CHAIN_HAIRPIN, { who, op_in(s), op(FW_OP_SET_MARK) } };
	/* IPv6 has no route_localnet: nothing from ::1 gets to a container */
	if (everyone || s->family != AF_INET)
		return 1;
	out[1] = (struct fw_rule){
		FW_CHAIN_HAIRPIN, { op_addr(FW_OP_SADDR, &loopback4), op_in(s), op(FW_OP_SET_MARK) }
	};
	return 2;
}

bool fw_set_eq(const struct fw_set *a, const struct fw_set *b)
{
	return a->kind == b->kind && a->family == b->family &&
	       (!fw_shapes[a->kind].by_prefix || ip_prefix_eq(&a->near, &b->near)) &&
	       (!fw_shapes[a->kind].by_bridge || !strcmp(a->bridge, b->bridge));
}

void fw_elems_clear(struct fw_elems *l)
{
	free(l->elem);
	*l = (struct fw_elems){ 0 };
}

bool fw_elem_eq(const struct fw_elem *a, const struct fw_elem *b)
{
	const struct fw_shape *s = &fw_shapes[a->set.kind];

	return fw_set_eq(&a->set, &b->set) && ip_eq(&a->ip, &b->ip) && a->proto == b->proto &&
	       a->port == b->port && a->last == b->last && (!s->to || ip_eq(&a->to, &b->to)) &&
	       (!s->to_port || a->to_port == b->to_port);
}

bool fw_elem_overlaps(const struct fw_elem *a, const struct fw_elem *b)
{
	if (!fw_shapes[a->set.kind].to || !fw_shapes[b->set.kind].to ||
	    a->set.family != b->set.family)
		return false;
	if (a->proto != b->proto || a->last < b->port || b->last < a->port)
		return false;
	return !ip_is_set(&a->ip) || !ip_is_set(&b->ip) || ip_eq(&a->ip, &b->ip);
}

static struct ip_prefix network_of(const struct ip_prefix *p)
{
	return (struct ip_prefix){ .addr = ip_network(p), .len = p->len };
}

static int add_elem(struct fw_elems *l, const struct fw_elem *x, struct err *e)
{
	struct fw_elem *slot = vec_add(&l->elem, &l->n);

	if (!slot)
		return err_set(e, -ENOMEM, "plan the firewall");
	*slot = *x;
	return 0;
}

/* The mapping itself and, with snat, the same key in the set of the container's subnet. */
static int add_mapping(struct fw_elems *l, const struct fw_dnat *d, struct fw_elem x, struct err *e)
{
	static const enum fw_kind hairpin[] = {
		[FW_KIND_DNAT] = FW_KIND_SNAT,
		[FW_KIND_DNAT_IP] = FW_KIND_SNAT_IP,
		[FW_KIND_RANGE] = FW_KIND_SNAT_RANGE,
	};
	int r = add_elem(l, &x, e);

	if (r < 0 || !d->snat)
		return r;
	x.set.kind = hairpin[x.set.kind];
	x.set.near = d->masq_all ? (struct ip_prefix){ .addr.family = x.set.family } :
				   network_of(&d->to);
	x.to = (struct ip_addr){ 0 };
	x.to_port = 0;
	return add_elem(l, &x, e);
}

static int check_dnat(const struct fw_dnat *d, struct err *e)
{
	const struct port_map *m = &d->map;
	char map[PORT_TEXT_MAX], ip[IP_TEXT_MAX];

	(void)port_map_text(m, map);
	if (!ip_is_set(&d->to.addr))
		return err_say(e, -EINVAL, "port mapping %s has no container address", map);
	if (ip_is_set(&m->host_ip) && m->host_ip.family != d->to.addr.family)
		return err_say(e, -EINVAL,
			       "port mapping %s cannot lead to %s: one is IPv4, the other IPv6",
			       map, ip_text(&d->to.addr, ip));
	if (proto_name(m->proto)[0] == '?')
		return err_say(
			e, -EINVAL,
			"port mapping %s: protocol %u cannot be mapped, expected tcp, udp or sctp",
			map, m->proto);
	if (!m->count || !m->host_port || !m->container_port ||
	    m->host_port + m->count - 1 > UINT16_MAX ||
	    m->container_port + m->count - 1 > UINT16_MAX)
		return err_say(e, -EINVAL, "port mapping %s: ports must be 1..65535", map);
	if (m->host_port != m->container_port && m->count > FW_PORTS_MAX)
		return err_say(
			e, -E2BIG,
			"port mapping %s: a range that changes the port numbers takes one entry a port and is "
			"limited to %d, got %u; equal ranges on both sides have no limit",
			map, FW_PORTS_MAX, m->count);
	return 0;
}

static int plan_dnat(struct fw_elems *l, const struct fw_dnat *d, struct err *e)
{
	const struct port_map *m = &d->map;
	struct fw_elem x = { .proto = m->proto, .to = d->to.addr };
	int r = check_dnat(d, e);

	if (r < 0)
		return r;
	x.set.family = x.to.family;
	if (ip_is_set(&m->host_ip) && !ip_is_any(&m->host_ip))
		x.ip = m->host_ip;
	if (m->count > 1 && m->host_port == m->container_port) {
		x.set.kind = FW_KIND_RANGE;
		x.port = m->host_port;
		x.last = (uint16_t)(m->host_port + m->count - 1);
		return add_mapping(l, d, x, e);
	}
	x.set.kind = ip_is_set(&x.ip) ? FW_KIND_DNAT_IP : FW_KIND_DNAT;
	for (unsigned i = 0; i < m->count && r == 0; i++) {
		x.port = x.last = (uint16_t)(m->host_port + i);
		x.to_port = (uint16_t)(m->container_port + i);
		r = add_mapping(l, d, x, e);
	}
	return r;
}

static int add_once(struct fw_elems *l, const struct fw_elem *x, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (fw_elem_eq(&l->elem[i], x))
			return 0;
	return add_elem(l, x, e);
}

static int plan_masq(struct fw_elems *l, const struct fw_masq *m, struct err *e)
{
	struct fw_elem x = { .set = { FW_KIND_MASQ, m->addr.addr.family, network_of(&m->addr) },
			     .ip = m->addr.addr };

	return add_once(l, &x, e);
}

static int plan_isolate(struct fw_elems *l, const struct fw_isolate *i, struct err *e)
{
	struct fw_elem x = { .set = { i->alone ? FW_KIND_ALONE : FW_KIND_SAME, i->addr.family },
			     .ip = i->addr };

	if (str_copyf(x.set.bridge, sizeof x.set.bridge, "%s", i->bridge) < 0 || !*i->bridge)
		return err_say(e, -EINVAL, "isolate %s: \"%.40s\" is no name of an interface",
			       i->addr.family == AF_INET6 ? "an IPv6 address" : "an IPv4 address",
			       i->bridge);
	return add_once(l, &x, e);
}

static int plan_forward(struct fw_elems *l, const struct fw_plan *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->naccept && r == 0; i++) {
		struct fw_elem x = { .set = { FW_KIND_ACCEPT, p->accept[i].family },
				     .ip = p->accept[i] };

		r = add_once(l, &x, e);
	}
	for (size_t i = 0; i < p->nisolate && r == 0; i++)
		r = plan_isolate(l, &p->isolate[i], e);
	return r;
}

static int refuse_twice(const struct fw_elems *l, struct err *e)
{
	char key[FW_KEY_WORDS_MAX], other[FW_KEY_WORDS_MAX];

	for (size_t i = 0; i < l->n; i++) {
		if (!fw_shapes[l->elem[i].set.kind].to)
			continue;
		for (size_t k = 0; k < i; k++)
			if (fw_elem_overlaps(&l->elem[i], &l->elem[k]))
				return err_say(
					e, -EINVAL,
					"host port %s is mapped twice: it meets %s of the same request",
					fw_elem_key_words(&l->elem[i], key),
					fw_elem_key_words(&l->elem[k], other));
	}
	return 0;
}

int fw_plan_elements(const struct fw_plan *p, struct fw_elems *out, struct err *e)
{
	cleanup_elems struct fw_elems l = FW_ELEMS_INIT;
	size_t ports = 0;
	int r;

	for (size_t i = 0; i < p->ndnat; i++) {
		if ((r = plan_dnat(&l, &p->dnat[i], e)) < 0)
			return r;
		ports += p->dnat[i].map.host_port == p->dnat[i].map.container_port ?
				 1 :
				 p->dnat[i].map.count;
		if (ports > FW_PORTS_MAX)
			return err_say(e, -E2BIG, "more than %d port mappings for one attachment",
				       FW_PORTS_MAX);
	}
	if ((r = refuse_twice(&l, e)) < 0)
		return r;
	for (size_t i = 0; i < p->nmasq; i++)
		if ((r = plan_masq(&l, &p->masq[i], e)) < 0)
			return r;
	if ((r = plan_forward(&l, p, e)) < 0)
		return r;
	*out = l;
	l = (struct fw_elems)FW_ELEMS_INIT;
	return 0;
}
