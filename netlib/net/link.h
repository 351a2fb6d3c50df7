/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_LINK_H
#define NARU_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "netlib/ip/ifname.h"
#include "netlib/ip/mac.h"

struct err;
struct nl;
struct nlmsg;
struct nlmsghdr;

#define LINK_ALIAS_MAX 256
#define LINK_EXISTS 1 /* a positive outcome: the name is taken */

/* A network interface as the kernel reports it. */
struct link {
	uint32_t index;
	uint32_t flags; /* IFF_* */
	uint32_t mtu;
	uint32_t master; /* ifindex of the bridge, or 0 */
	uint32_t peer;	 /* IFLA_LINK: ifindex of the peer, in its own namespace */
	/* IFLA_LINK_NETNSID; -1 when the peer is in this namespace or there is none */
	int32_t peer_nsid;
	uint32_t promiscuity;
	uint32_t txqlen;
	uint8_t operstate; /* IF_OPER_* */
	/* of its kind: the mode of a macvlan or ipvlan, the id of a vlan, the table of a vrf */
	uint32_t value;
	uint32_t bcqueuelen; /* macvlan */
	char name[IFNAME_MAX];
	char kind[16]; /* "veth", "bridge", ...; "" for physical ones and lo */
	char alias[LINK_ALIAS_MAX];
	struct mac mac;
};

/* 0, -ENODEV (named in the sentence), or -errno. */
int link_get(struct nl *nl, const char *name, struct link *out, struct err *e);
int link_get_index(struct nl *nl, uint32_t index, struct link *out, struct err *e);

/* The kernel's own answer, also in a dry run; name NULL: by index. Without a sentence. */
int link_ask(struct nl *nl, const char *name, uint32_t index, struct link *out);
/* What a message says about a link; -EBADMSG when it is malformed. */
int link_decode(const struct nlmsghdr *h, struct link *out);

/* Calls fn for each link; non-zero stops. */
int link_each(struct nl *nl, int (*fn)(const struct link *l, void *arg), void *arg, struct err *e);

struct bridge_spec {
	const char *name;
	/* pins the bridge's own address, so that it does not follow its ports */
	struct mac mac;
	uint32_t mtu; /* 0 = kernel's default */
	const char *alias;
	bool vlan_filtering;
};
/*
 * Creates the bridge, up, in one message (alias in a second of the same batch). LINK_EXISTS when
 * the name is taken. -EOPNOTSUPP, in words, when its bridges shall filter VLANs and cannot.
 */
int link_add_bridge(struct nl *nl, const struct bridge_spec *b, struct err *e);

struct veth_spec {
	char name[IFNAME_MAX]; /* host end */
	const char *peer;      /* container end, born in peer_netns */
	int peer_netns;	       /* -1: the same as the host end's */
	uint32_t master;       /* bridge to join, or 0 */
	uint32_t mtu;	       /* both ends; 0 = default */
	struct mac peer_mac;
	const char *alias;	/* of the host end: the owner */
	bool hairpin, isolated; /* port flags; only with master */
};
/*
 * Creates both ends in one RTM_NEWLINK sent from the host side; alias, port flags, for a bridge
 * port "no IPv6 link-local on this end", and up follow in the same batch. The container end stays
 * down. LINK_EXISTS when the host name or the container's name is taken.
 */
int link_add_veth(struct nl *nl, const struct veth_spec *v, struct err *e);

/* Where packets that arrive somewhere else can be made to queue; up. */
struct ifb_spec {
	char name[IFNAME_MAX];
	uint32_t mtu, txqlen;
	const char *alias;
};
int link_add_ifb(struct nl *nl, const struct ifb_spec *i, struct err *e);

int link_up(struct nl *nl, uint32_t index, struct err *e);
void link_put_up(struct nlmsg *m, uint32_t index); /* the message alone, for a batch */
int link_down(struct nl *nl, uint32_t index, struct err *e);
int link_set_flags(struct nl *nl, uint32_t index, uint32_t flags, uint32_t mask, struct err *e);
int link_set_mac(struct nl *nl, uint32_t index, const struct mac *mac, struct err *e);
/* Joins a bridge or VRF; 0 leaves it. */
int link_set_master(struct nl *nl, uint32_t index, uint32_t master, struct err *e);
/*
 * Moves an interface to another namespace, where it is called name and has that alias ("": none),
 * and down: one message, so that it is never there half. Who calls has looked whether the name is
 * free: the kernel moves first, and leaves it under its old name when it is not.
 */
int link_move(struct nl *nl, uint32_t index, int netns_fd, const char *name, const char *alias,
	      struct err *e);
int link_rename(struct nl *nl, uint32_t index, const char *name, const char *alias, struct err *e);

/* Single settings as messages, for a batch. */
void link_put_flags(struct nlmsg *m, uint32_t index, uint32_t flags, uint32_t mask);
void link_put_master(struct nlmsg *m, uint32_t index, uint32_t master);
void link_put_mac(struct nlmsg *m, uint32_t index, const struct mac *mac);
void link_put_mtu(struct nlmsg *m, uint32_t index, uint32_t mtu);
void link_put_txqlen(struct nlmsg *m, uint32_t index, uint32_t txqlen);
void link_put_alias(struct nlmsg *m, uint32_t index, const char *alias);
int link_del(struct nl *nl, uint32_t index, struct err *e); /* absence is success */
/*
 * The same by a process of its own, named naru-link-del (base/aside.h): the kernel takes tens of
 * milliseconds for a veth. Nobody hears how it went.
 */
int link_del_aside(struct nl *nl, uint32_t index, struct err *e);

/* IPv4 devconf by netlink (IFLA_INET_CONF), e.g. IPV4_DEVCONF_ARP_NOTIFY. */
void link_put_inet_conf(struct nlmsg *m, uint32_t index, unsigned devconf, uint32_t value);

#endif
