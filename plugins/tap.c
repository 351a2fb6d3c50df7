// SPDX-License-Identifier: GPL-2.0-or-later
/* tap: an interface in the container whose other end is a program. CNI_SPEC.md "tap". */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_address.h"
#include "netlib/cni/common_veth.h"
#include "netlib/cni/error.h"
#include "netlib/net/link.h"
#include "netlib/net/tap.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/verbs.h"

#define DEVICE "/dev/net/tun"
#define KIND "tun"

struct runtime {
	const char *mac;
};

struct tap_conf {
	struct tap_spec spec; /* name is filled in */
	const char *mac_text, *bridge;
	struct mac mac;
	uint32_t mtu;
	struct runtime runtime;
};

static const struct field runtime_fields[] = {
	FIELD_STR("mac", struct runtime, mac),
	FIELD_END,
};
static const struct field tap_fields[] = {
	FIELD_BOOL("multiQueue", struct tap_conf, spec.multi_queue),
	FIELD_U32("mtu", struct tap_conf, mtu, 0, 65535),
	FIELD_STR("mac", struct tap_conf, mac_text),
	FIELD_U32("owner", struct tap_conf, spec.owner, 0, UINT32_MAX - 1),
	FIELD_GIVEN("owner", struct tap_conf, spec.has_owner),
	FIELD_U32("group", struct tap_conf, spec.group, 0, UINT32_MAX - 1),
	FIELD_GIVEN("group", struct tap_conf, spec.has_group),
	FIELD_STR("selinuxContext", struct tap_conf, spec.selinux),
	FIELD_STR("bridge", struct tap_conf, bridge),
	FIELD_OBJ("runtimeConfig", struct tap_conf, runtime, runtime_fields),
	FIELD_END,
};

static int read_mac(const char *text, const char *where, struct mac *out, struct err *e)
{
	if (!text || !*text || mac_parse(text, out) == 0)
		return 0;
	return err_conf(e, where, "expected a MAC address like 02:11:22:33:44:55, got \"%.40s\"",
			text);
}

/* mac < CNI_ARGS < runtimeConfig, the reference's order. */
static int tap_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct tap_conf *c = conf;
	char from_args[64] = "";
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if ((r = cni_arg(op->env->args ?: "", "MAC", from_args, sizeof from_args, e)) < 0 ||
	    (r = read_mac(c->mac_text, "/mac", &c->mac, e)) < 0 ||
	    (r = read_mac(from_args, "CNI_ARGS/MAC", &c->mac, e)) < 0 ||
	    (r = read_mac(c->runtime.mac, "/runtimeConfig/mac", &c->mac, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}

static bool has_bridge(const struct cni_op *op)
{
	const struct tap_conf *c = op->conf;

	return c->bridge && *c->bridge;
}

static bool is_bare(const struct cni_op *op)
{
	return !common_has_ipam(op);
}

/* ---- the rows */

static int find_bridge(struct cni_op *op, struct link *out, struct err *e)
{
	const struct tap_conf *c = op->conf;
	int r = link_get(op->cont, c->bridge, out, e);

	if (r < 0)
		return err_wrap(e, "failed to lookup bridge \"%.15s\"", c->bridge), r;
	if (strcmp(out->kind, "bridge"))
		return err_conf(e, "/bridge",
				"expected a bridge in the container, \"%.15s\" is a %s", c->bridge,
				*out->kind ? out->kind : "physical interface");
	return 0;
}

/* MTU, MAC address and bridge, before the interface goes up for the first time. */
static int configure(struct cni_op *op, uint32_t index, const struct link *bridge, struct err *e)
{
	const struct tap_conf *c = op->conf;
	struct nlmsg m;
	int r = txn_point(op->txn, "MTU, MAC address and bridge", e);

	if (r < 0)
		return r;
	nlmsg_init(&m);
	if (c->mtu)
		link_put_mtu(&m, index, c->mtu);
	if (c->mac.set)
		link_put_mac(&m, index, &c->mac);
	if (bridge)
		link_put_master(&m, index, bridge->index);
	r = m.count ? nl_talk(op->cont, &m, e) : 0;
	return r < 0 ? err_wrap(e, "configure tap %s", op->env->ifname), r : 0;
}

static int tap_row_add(struct cni_op *op, struct err *e)
{
	struct tap_conf *c = op->conf;
	struct link l, bridge;
	int r;

	c->spec.name = op->env->ifname;
	if ((has_bridge(op) && (r = find_bridge(op, &bridge, e)) < 0) ||
	    (r = txn_tap_add(op->txn, &c->spec, e)) < 0)
		return r;
	if (r == TAP_EXISTS)
		return err_code(e, -EEXIST, CNI_E_IN_USE,
				"an interface \"%s\" already exists in %.150s", op->env->ifname,
				op->env->netns);
	if ((r = link_get(op->cont, op->env->ifname, &l, e)) < 0 ||
	    (r = configure(op, l.index, has_bridge(op) ? &bridge : NULL, e)) < 0)
		return r;
	op->cont_index = l.index;
	if (!cni_result_add_iface(&op->res, op->env->ifname, op->env->netns,
				  c->mac.set ? &c->mac : &l.mac))
		return err_set(e, -ENOMEM, "report the interface");
	return 0;
}

/* By name and kind: there is nothing of it anywhere else. */
static int tap_row_del(struct cni_op *op, struct err *e)
{
	struct link l;

	if (!op->cont || link_get(op->cont, op->env->ifname, &l, NULL) < 0 ||
	    strcmp(l.kind, KIND) != 0 || common_is_anothers(op, &l))
		return 0;
	return link_del(op->cont, l.index, e);
}

static int number_check(const char *ifname, const char *what, bool given, uint32_t want,
			uint32_t found, struct err *e)
{
	if (!given || want == found)
		return 0;
	return cni_check_fail(e, "interface %s: expected %s %u, found %u", ifname, what, want,
			      found);
}

static int tap_row_check(struct cni_op *op, struct err *e)
{
	const struct tap_conf *c = op->conf;
	struct link l, bridge;
	struct tap t;
	int r = common_address_check(op, KIND, c->mtu, e);

	if (r < 0 || (r = link_get(op->cont, op->env->ifname, &l, e)) < 0 ||
	    (r = tap_get(op->cont, l.index, &t, e)) < 0 ||
	    (r = number_check(l.name, "owner", c->spec.has_owner, c->spec.owner, t.owner, e)) < 0 ||
	    (r = number_check(l.name, "group", c->spec.has_group, c->spec.group, t.group, e)) < 0 ||
	    (r = number_check(l.name, "multiQueue", true, c->spec.multi_queue, t.multi_queue, e)) <
		    0)
		return r;
	if (!has_bridge(op))
		return 0;
	if ((r = find_bridge(op, &bridge, e)) < 0)
		return r == -ENODEV ? cni_check_fail(e, "bridge %s: expected it in the container",
						     c->bridge) :
				      r;
	return l.master == bridge.index ?
		       0 :
		       cni_check_fail(e, "interface %s: expected it on bridge %s, found it not so",
				      l.name, bridge.name);
}

static int tap_row_status(struct cni_op *op, struct err *e)
{
	(void)op;
	if (access(DEVICE, R_OK | W_OK) == 0)
		return 0;
	return err_code(e, -errno, CNI_E_UNAVAILABLE,
			"%s cannot be opened: load the module tun, or make the device node",
			DEVICE);
}

static int dns_add(struct cni_op *op, struct err *e)
{
	return common_dns(op, true, e);
}

static int address_add(struct cni_op *op, struct err *e)
{
	for (size_t i = 0; i < op->res.nips; i++)
		op->res.ips[i].interface = 0;
	return common_address_add(op, op->cont_index, false, e);
}

static int up_add(struct cni_op *op, struct err *e)
{
	int r = txn_point(op->txn, "set the tap up", e);

	return r < 0 ? r : link_up(op->cont, op->cont_index, e);
}

static const struct cni_step tap_steps[] = {
	COMMON_IPAM_ROW(common_ipam_early),
	{ "tap", NULL, tap_row_add, tap_row_del, tap_row_check, NULL, tap_row_status },
	COMMON_IPAM_ROW(common_ipam_late),
	{ "dns", NULL, dns_add, NULL, NULL, NULL, NULL },
	{ "address", common_has_ipam, address_add, NULL, NULL, NULL, NULL },
	{ "up", is_bare, up_add, NULL, NULL, NULL, NULL },
	{ "settle", common_has_v6, common_addresses_await, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_tap = {
	.name = "tap",
	.about = "makes a tap interface in a container, for a program to open",
	.fields = tap_fields,
	.conf_size = sizeof(struct tap_conf),
	.conf_check = tap_conf_check,
	.steps = tap_steps,
};
