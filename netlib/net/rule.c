// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/rule.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

static void put_rule(struct nlmsg *m, uint16_t type, uint16_t flags, const struct rule *r)
{
	const struct fib_rule_hdr h = {
		.family = r->src.addr.family,
		.src_len = r->src.len,
		.table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC,
		.action = FR_ACT_TO_TBL,
	};

	nlmsg_begin(m, type, flags, &h, sizeof h);
	if (r->src.len)
		nlmsg_ip(m, FRA_SRC, &r->src.addr);
	nlmsg_u32(m, FRA_TABLE, r->table);
	if (r->priority)
		nlmsg_u32(m, FRA_PRIORITY, r->priority);
}

int rule_add(struct nl *nl, const struct rule *r, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	put_rule(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, r);
	int rc = nl_talk_but(nl, &m, -EEXIST, 0, e);
	if (rc == -EEXIST)
		return RULE_EXISTS;
	return rc < 0 ? err_wrap(e, "add rule from %s lookup %u in the %s namespace",
				 ip_prefix_text(&r->src, text), r->table, nl->name),
	       rc : 0;
}

int rule_del(struct nl *nl, const struct rule *r, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct nlmsg m;

	nlmsg_init(&m);
	put_rule(&m, RTM_DELRULE, 0, r);
	int rc = nl_talk_but(nl, &m, -ENOENT, 0, e);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? err_wrap(e, "delete rule from %s lookup %u in the %s namespace",
				 ip_prefix_text(&r->src, text), r->table, nl->name),
	       rc : 0;
}

static int take_src(const void *data, size_t len, void *obj)
{
	struct rule *r = obj;

	if (len != ip_bytes(&r->src.addr))
		return -EBADMSG;
	memcpy(r->src.addr.b, data, len);
	return 0;
}

static const struct attr_spec attrs[] = {
	[FRA_SRC] = ATTR_FN(take_src),
	[FRA_TABLE] = ATTR_U32(struct rule, table),
	[FRA_PRIORITY] = ATTR_U32(struct rule, priority),
};

struct each {
	int (*fn)(const struct rule *r, void *arg);
	void *arg;
};

static int each_rule(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *f = NLMSG_DATA(h);
	struct each *x = arg;

	if (h->nlmsg_type != RTM_NEWRULE || h->nlmsg_len < NLMSG_LENGTH(sizeof *f) ||
	    f->action != FR_ACT_TO_TBL || (f->family != AF_INET && f->family != AF_INET6))
		return 0;
	struct rule r = {
		.src = { .addr = { .family = f->family }, .len = f->src_len },
		.table = f->table,
	};
	int rc = attr_decode_msg(h, sizeof *f, attrs, &r);
	return rc < 0 ? rc : x->fn(&r, x->arg);
}

int rule_each(struct nl *nl, uint8_t family, int (*fn)(const struct rule *r, void *arg), void *arg,
	      struct err *e)
{
	const struct fib_rule_hdr h = { .family = family };
	struct each x = { fn, arg };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, RTM_GETRULE, 0, &h, sizeof h);
	int r = nl_dump(nl, &m, each_rule, NULL, &x, e);
	/* a kernel without rules of this family has none */
	return r == -EAFNOSUPPORT || r == -EOPNOTSUPP ? 0 : r;
}
