// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/txn/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/fw/spoof.h"
#include "netlib/ip/mac.h"
#include "netlib/net/netns.h"
#include "netlib/net/sysctl.h"
#include "netlib/net/tc.h"
#include "netlib/nl/nl.h"

static struct nl *socket_of(struct txn *t, enum undo_ns ns)
{
	return ns == UNDO_HOST ? t->host : t->cont;
}

/* ---- links */

/*
 * The link a record is about: 1; 0 when it is gone. Only what was made counts: the name may belong
 * to somebody else by now.
 */
static int made(const struct undo *u, struct nl *nl, struct link *l, struct err *e)
{
	struct err one = ERR_INIT;
	int r = nl ? link_get(nl, u->name, l, &one) : -ENODEV;

	if (r == -ENODEV)
		return 0;
	if (r < 0) {
		*e = one;
		return r;
	}
	return !(u->a && *u->a && *l->alias && strcmp(u->a, l->alias));
}

static int undo_link(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct link l;
	int r = made(u, nl, &l, e);

	return r > 0 ? link_del(nl, l.index, e) : r;
}

struct ports {
	uint32_t bridge;
	bool any;
};

static int is_port(const struct link *l, void *arg)
{
	struct ports *p = arg;

	p->any |= l->master == p->bridge;
	return p->any;
}

/* Our own port went before. Others that joined meanwhile rely on the bridge: it is theirs now. */
static int undo_bridge(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct link l;
	int r = made(u, nl, &l, e);

	if (r <= 0)
		return r;
	struct ports p = { .bridge = l.index };
	if ((r = link_each(nl, is_port, &p, e)) < 0)
		return r;
	return p.any ? 0 : link_del(nl, l.index, e);
}

static const struct undo_op op_link_del = { "link del", undo_link };
static const struct undo_op op_bridge_del = { "bridge del", undo_bridge };

int txn_bridge_add(struct txn *t, const struct bridge_spec *b, struct err *e)
{
	struct undo *u = txn_reserve(t, &op_bridge_del, UNDO_HOST, b->name, b->alias, NULL, e);

	if (!u)
		return -EIO;
	int r = link_add_bridge(t->host, b, e);
	if (r)
		txn_drop(t);
	return r;
}

int txn_veth_add(struct txn *t, const struct veth_spec *v, struct err *e)
{
	struct undo *u = txn_reserve(t, &op_link_del, UNDO_HOST, v->name, v->alias, NULL, e);

	if (!u)
		return -EIO;
	int r = link_add_veth(t->host, v, e);
	if (r)
		txn_drop(t);
	return r;
}

int txn_tap_add(struct txn *t, const struct tap_spec *tap, struct err *e)
{
	struct undo *u = txn_reserve(t, &op_link_del, UNDO_CONT, tap->name, NULL, NULL, e);

	if (!u)
		return -EIO;
	int r = tap_add(t->cont, t->netns_fd, tap, e);
	if (r)
		txn_drop(t);
	return r;
}

int txn_ifb_add(struct txn *t, const struct ifb_spec *i, struct err *e)
{
	struct undo *u = txn_reserve(t, &op_link_del, UNDO_HOST, i->name, i->alias, NULL, e);

	if (!u)
		return -EIO;
	int r = link_add_ifb(t->host, i, e);
	if (r)
		txn_drop(t);
	return r;
}

int txn_child_add(struct txn *t, enum undo_ns from, const struct link_child *c, struct err *e)
{
	/* nobody else makes an interface of that name there while it does not exist: no alias */
	struct undo *u = txn_reserve(t, &op_link_del, UNDO_CONT, c->name, NULL, NULL, e);

	if (!u)
		return -EIO;
	int r = link_add_child(socket_of(t, from), t->cont, c, e);
	if (r)
		txn_drop(t);
	return r;
}

static int undo_qdisc(const struct undo *u, struct txn *t, struct err *e)
{
	uint64_t parent;

	if (!t->host || str_u64(u->a, UINT32_MAX, &parent) < 0)
		return 0;
	return qdisc_del(t->host, u->index, (uint32_t)parent, e);
}

static const struct undo_op op_qdisc = { "qdisc del", undo_qdisc, UNDO_A };

int txn_qdisc_add(struct txn *t, const struct link *l, uint32_t parent, struct nlmsg *m,
		  const char *what, struct err *e)
{
	char text[16];
	unsigned failed = 0;

	(void)snprintf(text, sizeof text, "%u", parent);
	struct undo *u = txn_reserve_at(t, &op_qdisc, UNDO_HOST, l->index, l->name, text, NULL, e);
	if (!u)
		return -EIO;
	int r = nl_talk_at(t->host, m, &failed, e);
	if (r == 0)
		return 0;
	if (failed > 0)
		(void)qdisc_del(t->host, l->index, parent, NULL);
	txn_drop(t);
	return err_wrap(e, "%s on %s", what, l->name), r;
}

static int undo_link_down(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	int r = nl ? link_down(nl, u->index, e) : 0;

	return r == -ENODEV ? 0 : r;
}

static const struct undo_op op_link_down = { "link down", undo_link_down };

/* Others that joined meanwhile rely on it. */
static int undo_bridge_up(const struct undo *u, struct txn *t, struct err *e)
{
	struct ports p = { .bridge = u->index };
	struct nl *nl = socket_of(t, u->ns);
	int r = nl ? link_each(nl, is_port, &p, e) : 0;

	return r < 0 || p.any ? r : undo_link_down(u, t, e);
}

static const struct undo_op op_bridge_down = { "bridge down", undo_bridge_up };

static int set_up(struct txn *t, const struct undo_op *op, enum undo_ns ns, const struct link *l,
		  struct err *e)
{
	if (l->flags & IFF_UP)
		return 0;
	if (!txn_reserve_at(t, op, ns, l->index, l->name, NULL, NULL, e))
		return -EIO;
	int r = link_up(socket_of(t, ns), l->index, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

int txn_link_up(struct txn *t, enum undo_ns ns, const struct link *l, struct err *e)
{
	return set_up(t, &op_link_down, ns, l, e);
}

int txn_bridge_up(struct txn *t, const struct link *l, struct err *e)
{
	return set_up(t, &op_bridge_down, UNDO_HOST, l, e);
}

/* ---- addresses and routes */

static int undo_addr_del(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct ip_prefix p;

	if (!nl || ip_prefix_parse(u->a, &p) < 0)
		return 0;
	return addr_del(nl, u->index, &p, e);
}

static int undo_addr_add(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct ip_prefix p;
	int r;

	if (!nl || ip_prefix_parse(u->a, &p) < 0)
		return 0;
	r = addr_add(nl, u->index, &p, (uint32_t)strtoul(u->b, NULL, 10), e);
	return r < 0 && r != -ENODEV ? r : 0;
}

static const struct undo_op op_addr_del = { "addr del", undo_addr_del, UNDO_A };
static const struct undo_op op_addr_add = { "addr add", undo_addr_add, UNDO_A | UNDO_B };

int txn_addr_add(struct txn *t, enum undo_ns ns, uint32_t index, const struct ip_prefix *p,
		 uint32_t flags, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct undo *u =
		txn_reserve_at(t, &op_addr_del, ns, index, NULL, ip_prefix_text(p, text), NULL, e);

	if (!u)
		return -EIO;
	int r = addr_add(socket_of(t, ns), index, p, flags, e);
	if (r)
		txn_drop(t);
	return r;
}

/* What was asked for when it was added; the others are the kernel's findings. */
#define ADDR_WISHES \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | \
	 IFA_F_MCAUTOJOIN)

int txn_addr_del(struct txn *t, enum undo_ns ns, const struct addr *a, struct err *e)
{
	char text[IP_TEXT_MAX], flags[16];

	(void)snprintf(flags, sizeof flags, "%u", a->flags & ADDR_WISHES);
	if (!txn_reserve_at(t, &op_addr_add, ns, a->index, NULL, ip_prefix_text(&a->prefix, text),
			    flags, e))
		return -EIO;
	int r = addr_del(socket_of(t, ns), a->index, &a->prefix, e);
	if (r)
		txn_drop(t);
	return r;
}

/*
 * What tells a route apart for deletion: "table metric destination gateway protocol", "-" without a
 * gateway. Older records have no protocol, and no dash.
 */
static int undo_route(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct route r = { .oif = u->index };
	char dst[IP_TEXT_MAX], gw[IP_TEXT_MAX] = "-";

	if (!nl ||
	    sscanf(u->a, "%u %u %63s %63s %hhu", &r.table, &r.priority, dst, gw, &r.protocol) < 3 ||
	    ip_prefix_parse(dst, &r.dst) < 0)
		return 0;
	if (strcmp(gw, "-") != 0)
		(void)ip_parse(gw, &r.gw);
	return route_del(nl, &r, e);
}

static const struct undo_op op_route_del = { "route del", undo_route, UNDO_A };

int txn_route_add(struct txn *t, enum undo_ns ns, const struct route *r, struct err *e)
{
	char text[2 * IP_TEXT_MAX + 40], dst[IP_TEXT_MAX], gw[IP_TEXT_MAX] = "-";

	if (ip_is_set(&r->gw))
		(void)ip_text(&r->gw, gw);
	(void)snprintf(text, sizeof text, "%u %u %s %s %u", r->table, r->priority,
		       ip_prefix_text(&r->dst, dst), gw, r->protocol);
	struct undo *u = txn_reserve_at(t, &op_route_del, ns, r->oif, NULL, text, NULL, e);
	if (!u)
		return -EIO;
	int rc = route_add(socket_of(t, ns), r, e);
	if (rc)
		txn_drop(t);
	return rc;
}

/* A whole route as text, and back: "-" for an address that is not set. */
static void route_pack(const struct route *r, char *buf, size_t size)
{
	char dst[IP_TEXT_MAX], gw[IP_TEXT_MAX] = "-", src[IP_TEXT_MAX] = "-";

	if (ip_is_set(&r->gw))
		(void)ip_text(&r->gw, gw);
	if (ip_is_set(&r->src))
		(void)ip_text(&r->src, src);
	(void)snprintf(buf, size, "%u %u %u %u %hhu %hhu %hhu %d %s %s %s", r->table, r->priority,
		       r->mtu, r->advmss, r->scope, r->protocol, r->type, r->onlink,
		       ip_prefix_text(&r->dst, dst), gw, src);
}

static int route_unpack(const char *text, struct route *r)
{
	char dst[IP_TEXT_MAX], gw[IP_TEXT_MAX], src[IP_TEXT_MAX];
	int onlink;

	if (sscanf(text, "%u %u %u %u %hhu %hhu %hhu %d %63s %63s %63s", &r->table, &r->priority,
		   &r->mtu, &r->advmss, &r->scope, &r->protocol, &r->type, &onlink, dst, gw,
		   src) != 11)
		return -EINVAL;
	r->has_scope = true;
	r->onlink = onlink;
	if (*gw != '-' && ip_parse(gw, &r->gw) < 0)
		return -EINVAL;
	if (*src != '-' && ip_parse(src, &r->src) < 0)
		return -EINVAL;
	return ip_prefix_parse(dst, &r->dst);
}

static int undo_route_del(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct route r = { .oif = u->index };

	if (!nl || route_unpack(u->a, &r) < 0)
		return 0;
	int rc = route_add(nl, &r, e);
	return rc < 0 && rc != -ENODEV ? rc : 0;
}

static const struct undo_op op_route_add = { "route add", undo_route_del, UNDO_A };

int txn_route_del(struct txn *t, enum undo_ns ns, const struct route *r, struct err *e)
{
	char text[3 * IP_TEXT_MAX + 80];

	route_pack(r, text, sizeof text);
	struct undo *u = txn_reserve_at(t, &op_route_add, ns, r->oif, NULL, text, NULL, e);
	if (!u)
		return -EIO;
	int rc = route_del(socket_of(t, ns), r, e);
	if (rc)
		txn_drop(t);
	return rc;
}

static int undo_rule(const struct undo *u, struct txn *t, struct err *e)
{
	struct nl *nl = socket_of(t, u->ns);
	struct rule r = { .table = u->index };

	return nl && ip_prefix_parse(u->a, &r.src) == 0 ? rule_del(nl, &r, e) : 0;
}

static const struct undo_op op_rule_del = { "rule del", undo_rule, UNDO_A };

int txn_rule_add(struct txn *t, enum undo_ns ns, const struct rule *r, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct undo *u = txn_reserve_at(t, &op_rule_del, ns, r->table, NULL,
					ip_prefix_text(&r->src, text), NULL, e);

	if (!u)
		return -EIO;
	int rc = rule_add(socket_of(t, ns), r, e);
	if (rc)
		txn_drop(t);
	return rc;
}

/* ---- sysctls */

static int undo_sysctl(const struct undo *u, struct txn *t, struct err *e)
{
	int fd = u->ns == UNDO_HOST ? -1 : t->netns_fd;
	int r;

	if (u->ns == UNDO_CONT && fd < 0)
		return 0;
	r = sysctl_write_in(fd, u->a, u->b, e);
	return r == -ENOENT ? 0 : r; /* the interface is gone */
}

static const struct undo_op op_sysctl = { "sysctl", undo_sysctl, UNDO_A | UNDO_B };

int txn_sysctl(struct txn *t, enum undo_ns ns, const char *name, const char *value, struct err *e)
{
	int fd = ns == UNDO_HOST ? -1 : t->netns_fd;
	char old[SYSCTL_VALUE_MAX];
	int r = sysctl_read_in(fd, name, old, e);

	if (r < 0 || !strcmp(old, value))
		return r;
	struct undo *u = txn_reserve(t, &op_sysctl, ns, NULL, name, old, e);
	if (!u)
		return -EIO;
	r = sysctl_write_in(fd, name, value, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

/* ---- firewall */

/* Takes "network container ifname" apart: none can hold a blank. False when it is no such text. */
static bool split_owner(char *text, struct fw_owner *o)
{
	char *rest = text;

	o->network = strsep(&rest, " ");
	o->container = strsep(&rest, " ");
	o->ifname = rest;
	return o->container && o->ifname;
}

/* a = owner, b = "parts backend". */
static int undo_fw(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	cleanup_free char *copy = strdup(u->a);
	char *backend;
	unsigned parts = (unsigned)strtoul(u->b, &backend, 10);
	struct fw_owner o;
	int r;

	(void)t;
	if (!copy)
		return err_set(e, -ENOMEM, "undo a firewall change");
	if (!split_owner(copy, &o))
		return 0;
	/* a journal without a backend comes from a time when there was one */
	if ((r = fw_open(&fw, (enum fw_backend)strtoul(backend, NULL, 10), e)) < 0)
		return r;
	return fw_del(fw, &o, parts, NULL, e);
}

static const struct undo_op op_fw = { "firewall del", undo_fw, UNDO_A | UNDO_B };

int txn_fw_add(struct txn *t, struct fw *fw, const struct fw_plan *p, struct err *e)
{
	cleanup_free char *owner =
		str_fmt("%s %s %s", p->owner.network, p->owner.container, p->owner.ifname);
	char parts[16];

	(void)snprintf(parts, sizeof parts, "%u %d", fw_plan_parts(p), (int)fw_backend_of(fw));
	if (!owner)
		return err_set(e, -ENOMEM, "record a firewall change");
	if (!txn_reserve(t, &op_fw, UNDO_HOST, NULL, owner, parts, e))
		return -EIO;
	int r = fw_add(fw, p, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

/* a = owner, b = address; the port is the record's name. */
static int undo_spoof(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_free char *copy = strdup(u->a);
	struct fw_owner o;
	struct mac mac;

	(void)t;
	if (!copy)
		return err_set(e, -ENOMEM, "undo a firewall change");
	if (!split_owner(copy, &o) || mac_parse(u->b, &mac) < 0)
		return 0;
	return fw_spoof_del(&o, &u->name, 1, &mac, e);
}

static const struct undo_op op_spoof = { "port guard del", undo_spoof, UNDO_A | UNDO_B };

int txn_spoof_add(struct txn *t, const struct fw_spoof *s, struct err *e)
{
	cleanup_free char *owner =
		str_fmt("%s %s %s", s->owner.network, s->owner.container, s->owner.ifname);
	char mac[MAC_TEXT_MAX];

	if (!owner)
		return err_set(e, -ENOMEM, "record a firewall change");
	if (!txn_reserve(t, &op_spoof, UNDO_HOST, s->port, owner, mac_text(&s->mac, mac), e))
		return -EIO;
	int r = fw_spoof_add(s, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

/* ---- files and namespaces */

static int undo_unlink(const struct undo *u, struct txn *t, struct err *e)
{
	(void)t;
	if (unlink(u->a) < 0 && errno != ENOENT)
		return err_set(e, -errno, "remove %s", u->a);
	return 0;
}

static int undo_netns(const struct undo *u, struct txn *t, struct err *e)
{
	(void)t;
	return netns_unpin(u->a, e);
}

static const struct undo_op op_unlink = { "file unlink", undo_unlink, UNDO_A };
static const struct undo_op op_netns = { "netns unpin", undo_netns, UNDO_A };

/*
 * What is there already must not come into the journal: until the record is taken back, a crash
 * would have it removed.
 */
static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int txn_file_create(struct txn *t, const char *path, mode_t mode, const void *buf, size_t len,
		    struct err *e)
{
	cleanup_free char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash || slash == dir)
		return err_say(e, -EINVAL, "create %s: expected an absolute path below a directory",
			       path);
	*slash = 0;
	if (!is_there(path) && file_noted("create", path))
		return 0;
	cleanup_fd int fd = file_open_dir(AT_FDCWD, dir, e);
	if (fd < 0)
		return fd;
	if (is_there(path))
		return err_set(e, -EEXIST, "create %s", slash + 1);
	if (!txn_reserve(t, &op_unlink, UNDO_HOST, NULL, path, NULL, e))
		return -EIO;
	int r = file_create_at(fd, slash + 1, mode, buf, len, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

int txn_netns_create(struct txn *t, const char *path, struct err *e)
{
	if (is_there(path))
		return err_set(e, -EEXIST, "create network namespace %s", path);
	if (!txn_reserve(t, &op_netns, UNDO_HOST, NULL, path, NULL, e))
		return -EIO;
	int r = netns_create(path, e);
	if (r < 0)
		txn_drop(t);
	return r;
}

const struct undo_op *const txn_undo_ops[] = {
	&op_link_del, &op_bridge_del, &op_link_down, &op_bridge_down,
	&op_addr_del, &op_addr_add,   &op_route_del, &op_sysctl,
	&op_fw,	      &op_spoof,      &op_unlink,    &op_netns,
	&op_qdisc,    &op_route_add,  &op_rule_del,  NULL,
};
