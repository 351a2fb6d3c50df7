// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptmatch.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <netinet/in.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"

const struct ipt_bit ipt_states[] = {
	{ "INVALID", XT_CONNTRACK_STATE_INVALID },
	{ "NEW", XT_CONNTRACK_STATE_BIT(IP_CT_NEW) },
	{ "RELATED", XT_CONNTRACK_STATE_BIT(IP_CT_RELATED) },
	{ "ESTABLISHED", XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) },
	{ "UNTRACKED", XT_CONNTRACK_STATE_UNTRACKED },
	{ "SNAT", XT_CONNTRACK_STATE_SNAT },
	{ "DNAT", XT_CONNTRACK_STATE_DNAT },
	{ NULL, 0 },
};
const struct ipt_bit ipt_addrtypes[] = {
	{ "UNSPEC", XT_ADDRTYPE_UNSPEC },
	{ "UNICAST", XT_ADDRTYPE_UNICAST },
	{ "LOCAL", XT_ADDRTYPE_LOCAL },
	{ "BROADCAST", XT_ADDRTYPE_BROADCAST },
	{ "ANYCAST", XT_ADDRTYPE_ANYCAST },
	{ "MULTICAST", XT_ADDRTYPE_MULTICAST },
	{ "BLACKHOLE", XT_ADDRTYPE_BLACKHOLE },
	{ "UNREACHABLE", XT_ADDRTYPE_UNREACHABLE },
	{ "PROHIBIT", XT_ADDRTYPE_PROHIBIT },
	{ "THROW", XT_ADDRTYPE_THROW },
	{ "NAT", XT_ADDRTYPE_NAT },
	{ "XRESOLVE", XT_ADDRTYPE_XRESOLVE },
	{ NULL, 0 },
};

const struct ipt_protocol ipt_protocols[] = {
	{ "all", 0 },
	{ "icmp", IPPROTO_ICMP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "dccp", IPPROTO_DCCP },
	{ "esp", IPPROTO_ESP },
	{ "ah", IPPROTO_AH },
	{ "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },
	{ "udplite", IPPROTO_UDPLITE },
	{ NULL, 0 },
};

void ipt_quote(struct str *s, const char *text)
{
	static const char plain[] =
		"_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (*text && text[strspn(text, plain)] == 0) {
		str_add(s, text);
		return;
	}
	str_addc(s, '"');
	for (; *text; text++) {
		if (strchr("\"\\'", *text))
			str_addc(s, '\\');
		str_addc(s, *text);
	}
	str_addc(s, '"');
}

static void add_bits(struct str *s, uint16_t bits, const struct ipt_bit *names)
{
	const char *comma = "";

	for (; names->name; names++)
		if (bits & names->bit) {
			str_addf(s, "%s%s", comma, names->name);
			comma = ",";
		}
}

/* ---- comment */

static void comment_encode(const struct ipt_match *m, void *data)
{
	struct xt_comment_info *c = data;

	memcpy(c->comment, m->comment, strlen(m->comment));
}

static bool comment_decode(struct ipt_match *m, const void *data)
{
	const struct xt_comment_info *c = data;

	(void)str_copyf(m->comment, sizeof m->comment, "%.*s", (int)sizeof c->comment - 1,
			c->comment);
	return true;
}

static void comment_text(struct str *s, const struct ipt_match *m)
{
	str_add(s, " --comment ");
	ipt_quote(s, m->comment);
}

/* ---- ports of tcp, udp, sctp: three layouts of the same */

static bool is_any(struct ipt_span p)
{
	return p.first == 0 && p.last == 65535;
}

static void tcp_encode(const struct ipt_match *m, void *data)
{
	struct xt_tcp *t = data;

	memcpy(t->spts, &m->port[IPT_SOURCE], sizeof t->spts);
	memcpy(t->dpts, &m->port[IPT_DEST], sizeof t->dpts);
	t->invflags = (uint8_t)((m->neg[IPT_SOURCE] ? XT_TCP_INV_SRCPT : 0) |
				(m->neg[IPT_DEST] ? XT_TCP_INV_DSTPT : 0));
}

static bool tcp_decode(struct ipt_match *m, const void *data)
{
	const struct xt_tcp *t = data;

	memcpy(&m->port[IPT_SOURCE], t->spts, sizeof t->spts);
	memcpy(&m->port[IPT_DEST], t->dpts, sizeof t->dpts);
	m->neg[IPT_SOURCE] = t->invflags & XT_TCP_INV_SRCPT;
	m->neg[IPT_DEST] = t->invflags & XT_TCP_INV_DSTPT;
	return !t->option && !t->flg_mask && !t->flg_cmp &&
	       !(t->invflags & (XT_TCP_INV_FLAGS | XT_TCP_INV_OPTION));
}

static void udp_encode(const struct ipt_match *m, void *data)
{
	struct xt_udp *u = data;

	memcpy(u->spts, &m->port[IPT_SOURCE], sizeof u->spts);
	memcpy(u->dpts, &m->port[IPT_DEST], sizeof u->dpts);
	u->invflags = (uint8_t)((m->neg[IPT_SOURCE] ? XT_UDP_INV_SRCPT : 0) |
				(m->neg[IPT_DEST] ? XT_UDP_INV_DSTPT : 0));
}

static bool udp_decode(struct ipt_match *m, const void *data)
{
	const struct xt_udp *u = data;

	memcpy(&m->port[IPT_SOURCE], u->spts, sizeof u->spts);
	memcpy(&m->port[IPT_DEST], u->dpts, sizeof u->dpts);
	m->neg[IPT_SOURCE] = u->invflags & XT_UDP_INV_SRCPT;
	m->neg[IPT_DEST] = u->invflags & XT_UDP_INV_DSTPT;
	return true;
}

/* Ports that are not asked for are 0 here, and no chunk of a kind is asked for by its being 255. */
static const struct {
	enum ipt_which which;
	uint32_t flag;
} sctp_ports[] = { { IPT_SOURCE, XT_SCTP_SRC_PORTS }, { IPT_DEST, XT_SCTP_DEST_PORTS } };

static void *sctp_span(const struct xt_sctp_info *t, enum ipt_which w)
{
	return (void *)(uintptr_t)(w == IPT_SOURCE ? t->spts : t->dpts);
}

static void sctp_encode(const struct ipt_match *m, void *data)
{
	struct xt_sctp_info *t = data;

	for (size_t i = 0; i < XT_NUM_SCTP_FLAGS; i++)
		t->flag_info[i].chunktype = UINT8_MAX;
	for (size_t i = 0; i < ARRAY_LEN(sctp_ports); i++) {
		enum ipt_which w = sctp_ports[i].which;

		if (is_any(m->port[w]) && !m->neg[w])
			continue;
		memcpy(sctp_span(t, w), &m->port[w], sizeof m->port[w]);
		t->flags |= sctp_ports[i].flag;
		if (m->neg[w])
			t->invflags |= sctp_ports[i].flag;
	}
}

static bool sctp_decode(struct ipt_match *m, const void *data)
{
	const struct xt_sctp_info *t = data;

	for (size_t i = 0; i < ARRAY_LEN(sctp_ports); i++) {
		enum ipt_which w = sctp_ports[i].which;

		m->port[w] = (struct ipt_span)IPT_ANY_PORT;
		if (t->flags & sctp_ports[i].flag)
			memcpy(&m->port[w], sctp_span(t, w), sizeof m->port[w]);
		m->neg[w] = t->invflags & sctp_ports[i].flag;
	}
	return !(t->flags & XT_SCTP_CHUNK_TYPES);
}

static void add_span(struct str *s, struct ipt_span p)
{
	str_addf(s, p.first == p.last ? "%u" : "%u:%u", p.first, p.last);
}

static void ports_text(struct str *s, const struct ipt_match *m)
{
	static const char *const option[] = { "--sport", "--dport" };

	for (enum ipt_which w = IPT_SOURCE; w <= IPT_DEST; w++) {
		if (is_any(m->port[w]) && !m->neg[w])
			continue;
		str_addf(s, "%s %s ", m->neg[w] ? " !" : "", option[w]);
		add_span(s, m->port[w]);
	}
}

/* ---- multiport */

static void multiport_encode(const struct ipt_match *m, void *data)
{
	static const uint8_t flags[] = { XT_MULTIPORT_SOURCE, XT_MULTIPORT_DESTINATION,
					 XT_MULTIPORT_EITHER };
	struct xt_multiport_v1 *v = data;

	v->flags = flags[m->multi.which];
	v->invert = m->neg[0];
	for (unsigned i = 0; i < m->multi.n; i++) {
		struct ipt_span p = m->multi.port[i];

		if (p.first != p.last)
			v->pflags[v->count] = 1;
		v->ports[v->count++] = p.first;
		if (p.first != p.last)
			v->ports[v->count++] = p.last;
	}
}

static bool multiport_decode(struct ipt_match *m, const void *data)
{
	const struct xt_multiport_v1 *v = data;

	if (v->flags > XT_MULTIPORT_EITHER || v->count > XT_MULTI_PORTS)
		return false;
	m->multi.which = v->flags == XT_MULTIPORT_SOURCE      ? IPT_SOURCE :
			 v->flags == XT_MULTIPORT_DESTINATION ? IPT_DEST :
								IPT_EITHER;
	m->neg[0] = v->invert;
	for (unsigned i = 0; i < v->count; i++) {
		struct ipt_span *p = &m->multi.port[m->multi.n++];

		p->first = p->last = v->ports[i];
		if (v->pflags[i] && i + 1 < v->count)
			p->last = v->ports[++i];
	}
	return true;
}

static void multiport_text(struct str *s, const struct ipt_match *m)
{
	static const char *const option[] = { "--sports", "--dports", "--ports" };

	str_addf(s, "%s %s ", m->neg[0] ? " !" : "", option[m->multi.which]);
	for (unsigned i = 0; i < m->multi.n; i++) {
		if (i)
			str_addc(s, ',');
		add_span(s, m->multi.port[i]);
	}
}

/* ---- mark */

static void mark_encode(const struct ipt_match *m, void *data)
{
	struct xt_mark_mtinfo1 *v = data;

	*v = (struct xt_mark_mtinfo1){ m->mark.value, m->mark.mask, m->neg[0] };
}

static bool mark_decode(struct ipt_match *m, const void *data)
{
	const struct xt_mark_mtinfo1 *v = data;

	m->mark.value = v->mark;
	m->mark.mask = v->mask;
	m->neg[0] = v->invert;
	return true;
}

static void mark_text(struct str *s, const struct ipt_match *m)
{
	str_addf(s, "%s --mark 0x%x", m->neg[0] ? " !" : "", m->mark.value);
	if (m->mark.mask != UINT32_MAX)
		str_addf(s, "/0x%x", m->mark.mask);
}

/* ---- conntrack */

static void conntrack_encode(const struct ipt_match *m, void *data)
{
	struct xt_conntrack_mtinfo3 *v = data;

	v->match_flags = XT_CONNTRACK_STATE;
	v->invert_flags = m->neg[0] ? XT_CONNTRACK_STATE : 0;
	v->state_mask = m->states;
}

static bool conntrack_decode(struct ipt_match *m, const void *data)
{
	const struct xt_conntrack_mtinfo3 *v = data;

	m->states = v->state_mask;
	m->neg[0] = v->invert_flags & XT_CONNTRACK_STATE;
	return v->match_flags == XT_CONNTRACK_STATE;
}

static void conntrack_text(struct str *s, const struct ipt_match *m)
{
	str_addf(s, "%s --ctstate ", m->neg[0] ? " !" : "");
	add_bits(s, m->states, ipt_states);
}

/* ---- addrtype */

static void addrtype_encode(const struct ipt_match *m, void *data)
{
	struct xt_addrtype_info_v1 *v = data;

	v->source = m->type[IPT_SOURCE];
	v->dest = m->type[IPT_DEST];
	v->flags = (m->neg[IPT_SOURCE] ? XT_ADDRTYPE_INVERT_SOURCE : 0) |
		   (m->neg[IPT_DEST] ? XT_ADDRTYPE_INVERT_DEST : 0);
}

static bool addrtype_decode(struct ipt_match *m, const void *data)
{
	const struct xt_addrtype_info_v1 *v = data;

	m->type[IPT_SOURCE] = v->source;
	m->type[IPT_DEST] = v->dest;
	m->neg[IPT_SOURCE] = v->flags & XT_ADDRTYPE_INVERT_SOURCE;
	m->neg[IPT_DEST] = v->flags & XT_ADDRTYPE_INVERT_DEST;
	return !(v->flags & ~(uint32_t)(XT_ADDRTYPE_INVERT_SOURCE | XT_ADDRTYPE_INVERT_DEST));
}

static void addrtype_text(struct str *s, const struct ipt_match *m)
{
	static const char *const option[] = { "--src-type", "--dst-type" };

	for (enum ipt_which w = IPT_SOURCE; w <= IPT_DEST; w++)
		if (m->type[w]) {
			str_addf(s, "%s %s ", m->neg[w] ? " !" : "", option[w]);
			add_bits(s, m->type[w], ipt_addrtypes);
		}
}

const struct ipt_match_spec ipt_match_specs[IPT_MATCHES] = {
	[IPT_COMMENT] = { "comment", 0, sizeof(struct xt_comment_info), comment_encode,
			  comment_decode, comment_text },
	[IPT_TCP] = { "tcp", 0, sizeof(struct xt_tcp), tcp_encode, tcp_decode, ports_text },
	[IPT_UDP] = { "udp", 0, sizeof(struct xt_udp), udp_encode, udp_decode, ports_text },
	[IPT_SCTP] = { "sctp", 0, sizeof(struct xt_sctp_info), sctp_encode, sctp_decode,
		       ports_text },
	[IPT_MULTIPORT] = { "multiport", 1, sizeof(struct xt_multiport_v1), multiport_encode,
			    multiport_decode, multiport_text },
	[IPT_MARK] = { "mark", 1, sizeof(struct xt_mark_mtinfo1), mark_encode, mark_decode,
		       mark_text },
	[IPT_CONNTRACK] = { "conntrack", 3, sizeof(struct xt_conntrack_mtinfo3), conntrack_encode,
			    conntrack_decode, conntrack_text },
	[IPT_ADDRTYPE] = { "addrtype", 1, sizeof(struct xt_addrtype_info_v1), addrtype_encode,
			   addrtype_decode, addrtype_text },
};
