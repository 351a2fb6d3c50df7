/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_PLUGINS_BRIDGE_BRIDGE_H
#define NARU_PLUGINS_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/base/decode.h"
#include "netlib/net/link.h"
#include "netlib/net/portvlan.h"

struct cni_op;
struct err;

struct trunk_item;

/* What bridge was told, and what its rows have found or made so far. */
struct bridge_conf {
	const char *bridge, *masq_backend;
	bool is_gateway, is_default_gateway, force_address, ip_masq, hairpin, promisc, dad,
		defer_del, isolated, mac_check, no_container, keep_vlan;
	uint32_t mtu;
	int64_t vlan;
	const struct trunk_item *trunk;
	size_t ntrunk;

	/* after bridge_conf_check: */
	struct vlan_set ids; /* the trunk's */
	bool has_vlans;
	char gateway[IFNAME_MAX]; /* interface with the gateway's addresses */
	struct mac mac;		  /* of the container end, from its three sources */

	/* once it is there: */
	struct link br;
	bool br_new;
	struct vlan_bridge vlans;
	uint32_t port; /* host end */
	char port_name[IFNAME_MAX];
	struct link gw; /* the bridge, or its port for a VLAN */
	bool gw_new;
	uint32_t gw_port; /* 0: the bridge itself is the gateway, or the port was there */
};

/* conf.c: the keys, and the rules across them. */
extern const struct field bridge_fields[];
void bridge_conf_init(void *conf);
int bridge_conf_check(void *conf, struct cni_op *op, struct err *e);

/*
 * gateway.c: layer 3 on the host's side. The gateway's addresses are the bridge's or, when
 * the attachment has a VLAN of its own, those of an interface named BRIDGE.VLAN, which is the other
 * end of one more port of the bridge.
 */
bool bridge_has_gateway(const struct cni_op *op);
/* Fills in gateways and default routes that the bridge stands for. Pure but for memory. */
int bridge_plan(struct cni_op *op, struct err *e);
int bridge_gateway_add(struct cni_op *op, struct err *e);
int bridge_gateway_check(struct cni_op *op, struct err *e);

/*
 * guard.c: macspoofchk. The guard goes up when the port is there and the container's end is still
 * down, and comes down when the port is gone: the container never sends unguarded.
 */
bool bridge_has_guard(const struct cni_op *op);
int bridge_guard_add(struct cni_op *op, struct err *e);
int bridge_guard_del(struct cni_op *op, struct err *e);
int bridge_guard_check(struct cni_op *op, struct err *e);
int bridge_guard_gc(struct cni_op *op, struct err *e);
int bridge_guard_status(struct cni_op *op, struct err *e);

/* ../bridge.c: a new interface of the host's takes no advice from containers. */
int bridge_quiet(struct cni_op *op, const char *name, struct err *e);
int bridge_check_vlans(struct cni_op *op, const struct link *port, const struct vlan_port *want,
		       struct err *e);

#endif
