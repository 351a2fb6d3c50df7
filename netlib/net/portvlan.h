/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_PORTVLAN_H
#define NARU_NET_PORTVLAN_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct nl;
struct str;

/*
 * VLANs on bridges: whether a bridge tells them apart, and which of them a port belongs to. A
 * kernel may be built without (CONFIG_BRIDGE_VLAN_FILTERING).
 */
#define VLAN_ID_MAX 4094

/* A set of VLAN ids. Pure. */
struct vlan_set {
	uint64_t bits[64];
};
static inline bool vlan_set_has(const struct vlan_set *s, unsigned id)
{
	return s->bits[id / 64] >> id % 64 & 1;
}
static inline void vlan_set_add(struct vlan_set *s, unsigned id)
{
	s->bits[id / 64] |= UINT64_C(1) << id % 64;
}
bool vlan_set_is_empty(const struct vlan_set *s);

struct vlan_bridge {
	bool known;	 /* false: the kernel cannot */
	bool filtering;	 /* false: every port hears everything, whatever its VLANs */
	uint16_t native; /* which a port that joins gets as its own; 0 = none */
};
int vlan_bridge_get(struct nl *nl, uint32_t bridge, struct vlan_bridge *out, struct err *e);
int vlan_bridge_filter(struct nl *nl, uint32_t bridge, struct err *e); /* on */

/* Of a port: frames without a tag belong to pvid; a frame leaves without one in untagged ids. */
struct vlan_port {
	uint16_t pvid; /* 0 = frames without a tag are dropped */
	struct vlan_set tagged, untagged;
};

/*
 * What a port should have: its own VLAN (0 = none given), the trunk's, and whether it keeps what
 * the bridge gave it. A trunk without an own VLAN has VLAN 1 as that, unless the trunk names 1
 * itself. Nothing asked for: what the bridge gave. Pure.
 */
struct vlan_port vlan_port_plan(uint16_t own, const struct vlan_set *trunk, bool keep,
				const struct vlan_bridge *b);

/* Takes a port that has just joined to what it should have. */
int vlan_port_set(struct nl *nl, uint32_t port, const struct vlan_port *want,
		  const struct vlan_bridge *b, struct err *e);
int vlan_port_get(struct nl *nl, uint32_t port, struct vlan_port *out, struct err *e);

bool vlan_port_eq(const struct vlan_port *a, const struct vlan_port *b);
/* "own 100, without tag 100, with tag 101 200-210": for errors. */
void vlan_port_text(struct str *s, const struct vlan_port *p);

#endif
