// SPDX-License-Identifier: GPL-2.0-or-later
/* The keys of bridge. CNI_SPEC.md "bridge". */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "plugins/bridge/bridge.h"

/* {"id": 5} or {"minID": 100, "maxID": 200}, or both in one */
struct trunk_item {
	int64_t id, min, max;
	bool has_id, has_min, has_max;
};

static const struct field trunk_fields[] = {
	FIELD_INT("id", struct trunk_item, id, INT64_MIN, INT64_MAX),
	FIELD_GIVEN("id", struct trunk_item, has_id),
	FIELD_INT("minID", struct trunk_item, min, INT64_MIN, INT64_MAX),
	FIELD_GIVEN("minID", struct trunk_item, has_min),
	FIELD_INT("maxID", struct trunk_item, max, INT64_MIN, INT64_MAX),
	FIELD_GIVEN("maxID", struct trunk_item, has_max),
	FIELD_END,
};

const struct field bridge_fields[] = {
	FIELD_STR("bridge", struct bridge_conf, bridge),
	FIELD_BOOL("isGateway", struct bridge_conf, is_gateway),
	FIELD_BOOL("isDefaultGateway", struct bridge_conf, is_default_gateway),
	FIELD_BOOL("forceAddress", struct bridge_conf, force_address),
	FIELD_BOOL("ipMasq", struct bridge_conf, ip_masq),
	FIELD_STR("ipMasqBackend", struct bridge_conf, masq_backend),
	FIELD_U32("mtu", struct bridge_conf, mtu, 0, 65535),
	FIELD_BOOL("hairpinMode", struct bridge_conf, hairpin),
	FIELD_BOOL("promiscMode", struct bridge_conf, promisc),
	FIELD_BOOL("enabledad", struct bridge_conf, dad),
	FIELD_INT("vlan", struct bridge_conf, vlan, INT64_MIN, INT64_MAX),
	FIELD_ARRAY("vlanTrunk", struct bridge_conf, trunk, ntrunk, trunk_fields),
	FIELD_BOOL("preserveDefaultVlan", struct bridge_conf, keep_vlan),
	FIELD_BOOL("macspoofchk", struct bridge_conf, mac_check),
	FIELD_BOOL("portIsolation", struct bridge_conf, isolated),
	FIELD_BOOL("disableContainerInterface", struct bridge_conf, no_container),
	FIELD_BOOL("deferDel", struct bridge_conf, defer_del),
	FIELD_END,
};

void bridge_conf_init(void *conf)
{
	((struct bridge_conf *)conf)->bridge = "cni0";
}

/* The reference's texts, which say less, are the beginning of ours. */
static int check_item(const struct trunk_item *t, size_t i, struct err *e)
{
	const struct {
		const char *key;
		bool given;
		int64_t value;
	} ids[] = {
		{ "minID", t->has_min, t->min },
		{ "maxID", t->has_max, t->max },
		{ "id", t->has_id, t->id },
	};
	char path[64];

	(void)str_copyf(path, sizeof path, "/vlanTrunk/%zu", i);
	if (!t->has_id && !t->has_min && !t->has_max)
		return err_conf(e, path, "expected id, or minID and maxID");
	if (t->has_min != t->has_max)
		return err_conf(
			e, path,
			"minID and maxID should be configured simultaneously, %s is missing",
			t->has_min ? "maxID" : "minID");
	for (size_t k = 0; k < ARRAY_LEN(ids); k++) {
		if (!ids[k].given || (ids[k].value >= 1 && ids[k].value <= VLAN_ID_MAX))
			continue;
		(void)str_copyf(path, sizeof path, "/vlanTrunk/%zu/%s", i, ids[k].key);
		return err_conf(e, path,
				"incorrect trunk %s parameter: expected integer 1..%d, got "
				"%" PRId64,
				ids[k].key, VLAN_ID_MAX, ids[k].value);
	}
	if (t->has_min && t->max < t->min)
		return err_conf(e, path,
				"minID is greater than maxID in trunk parameter: %" PRId64
				" and %" PRId64,
				t->min, t->max);
	return 0;
}

static int check_vlans(struct bridge_conf *c, struct err *e)
{
	if (c->vlan < 0 || c->vlan > VLAN_ID_MAX)
		return err_conf(e, "/vlan",
				"invalid VLAN ID %" PRId64 " (must be between 0 and %d)", c->vlan,
				VLAN_ID_MAX);
	for (size_t i = 0; i < c->ntrunk; i++) {
		const struct trunk_item *t = &c->trunk[i];
		int r = check_item(t, i, e);

		if (r < 0)
			return r;
		if (t->has_id)
			vlan_set_add(&c->ids, (unsigned)t->id);
		for (int64_t id = t->min; t->has_min && id <= t->max; id++)
			vlan_set_add(&c->ids, (unsigned)id);
	}
	c->has_vlans = c->vlan || c->ntrunk;
	return 0;
}

static int name_gateway(struct bridge_conf *c, struct err *e)
{
	if (!c->vlan) {
		(void)str_copyf(c->gateway, sizeof c->gateway, "%s", c->bridge);
		return 0;
	}
	if (str_copyf(c->gateway, sizeof c->gateway, "%s.%" PRId64, c->bridge, c->vlan) == 0)
		return 0;
	return err_conf(e, "/bridge",
			"the gateway of VLAN %" PRId64 " is the interface %s.%" PRId64
			", whose name is longer than 15 characters; shorten the bridge's",
			c->vlan, c->bridge, c->vlan);
}

static int check_together(const struct bridge_conf *c, const struct cni_op *op, struct err *e)
{
	if (c->hairpin && c->promisc)
		return err_conf(e, "/hairpinMode",
				"cannot set hairpin mode and promiscuous mode at the same time; "
				"leave out hairpinMode or promiscMode");
	if (c->no_container && common_has_ipam(op))
		return err_conf(e, "/disableContainerInterface",
				"cannot use IPAM when DisableContainerInterface flag is set; leave "
				"out ipam or disableContainerInterface");
	return 0;
}

int bridge_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct bridge_conf *c = conf;
	const char *problem;
	int r;

	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (!*c->bridge)
		c->bridge = "cni0";
	if ((problem = ifname_problem(c->bridge)))
		return err_conf(e, "/bridge", "interface name \"%.40s\" %s", c->bridge, problem);
	c->is_gateway |= c->is_default_gateway;
	if ((r = check_vlans(c, e)) < 0 || (r = check_together(c, op, e)) < 0 ||
	    (bridge_has_gateway(op) && (r = name_gateway(c, e)) < 0) ||
	    (r = common_masq_backend(op, c->masq_backend, e)) < 0 ||
	    (r = common_mac(op, &c->mac, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}
