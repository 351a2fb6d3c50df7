/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_FW_H
#define NARU_FW_FW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/port.h"

/*
 * The firewall as intent. Callers say what an attachment needs; rules.c turns that into neutral
 * rules, sets and map elements; a backend (nft.c through libnftnl, ipt.c through libiptc) puts them
 * into the kernel in one transaction. Everything belongs to the network
 * namespace of the caller (the host's).
 */
struct err;
struct fw;

/* FW_FIREWALLD knows accepted addresses only, and is never what FW_AUTO finds. */
enum fw_backend { FW_AUTO, FW_NFTABLES, FW_IPTABLES, FW_FIREWALLD };
/* "nftables" or "iptables"; 0 or -EINVAL. */
int fw_backend_parse(const char *name, enum fw_backend *out);

/*
 * Who an element belongs to. The three strings make the owner's key; they are kept (cut to fit)
 * with each element.
 */
struct fw_owner {
	const char *network, *container, *ifname;
};

/*
 * Packets from addr to anywhere outside its prefix (multicast excepted) get the outgoing
 * interface's address.
 */
struct fw_masq {
	struct ip_prefix addr; /* the container's address with its subnet's length */
};

/* Packets to a port of this machine go to the container. */
struct fw_dnat {
	struct port_map map;
	/* container address with its subnet's length, same family as map.host_ip if that is set */
	struct ip_prefix to;
	/* hairpin and localhost connections get our address as source, so that answers come back */
	bool snat;
	bool masq_all; /* with snat: every connection through the port does */
};

/*
 * Forwarded packets to the address are dropped when they come from another bridge that somebody's
 * container is isolated on; alone: from the same bridge as well.
 */
struct fw_isolate {
	struct ip_addr addr;
	const char *bridge; /* the host's interface that leads to the address */
	bool alone;
};

/* What can be said to the iptables backend alone; zeros are the defaults. */
struct fw_ipt {
	uint32_t mark;			  /* one bit; 0 = FW_MARK */
	const char *set_mark_chain;	  /* somebody else's chain that marks for masquerade */
	const char *const *conditions[2]; /* words of iptables for IPv4, IPv6 */
	size_t nconditions[2];
	/*
	 * the mappings in the order asked for, of both families, none merged; they lead where those
	 * of dnat do, which are then not looked at. NULL: those of dnat
	 */
	const struct port_map *asked;
	size_t nasked;
};

struct fw_plan {
	struct fw_owner owner;
	const struct fw_masq *masq;
	size_t nmasq;
	const struct fw_dnat *dnat;
	size_t ndnat;
	/* forwarded packets from these addresses, and answers to them, are accepted */
	const struct ip_addr *accept;
	size_t naccept;
	const struct fw_isolate *isolate;
	size_t nisolate;
	const char *zone;	  /* firewalld: where accepted addresses go; NULL: "trusted" */
	const struct fw_ipt *ipt; /* may be NULL */
	const char *admin_chain;  /* iptables: the operator's own; NULL: "CNI-ADMIN" */
};

/*
 * Parts of an attachment's state, for deletion: bridge deletes its masquerade without touching
 * portmap's ports.
 */
enum {
	FW_MASQ = 1,
	FW_DNAT = 2,
	FW_ACCEPT = 4,
	FW_ISOLATE = 8,
	FW_ALL = FW_MASQ | FW_DNAT | FW_ACCEPT | FW_ISOLATE
};
unsigned fw_plan_parts(const struct fw_plan *p);

/*
 * Opens the firewall of the calling thread's network namespace. FW_AUTO follows the environment
 * variable NARU_FW_BACKEND; else it is iptables where table nat of the legacy iptables has rules,
 * and nftables everywhere else. What the kernel lacks is said by the first verb that needs it, so
 * that deleting works without. Removing, collecting, checking and listing look into the
 * other backend as well: what an attachment has may have been made with it, or by another suite.
 * fw_close never waits for the kernel's grace period (after a deletion the socket is handed to a
 * short-lived process, nobody's child, that closes it).
 */
int fw_open(struct fw **out, enum fw_backend backend, struct err *e);
/* What FW_AUTO is on this host; others stay. -EINVAL for a bad NARU_FW_BACKEND. */
int fw_choose(enum fw_backend *backend, struct err *e);
void fw_close(struct fw *fw);
enum fw_backend fw_backend_of(const struct fw *fw);
static inline void fw_close_p(struct fw **fw)
{
	if (*fw)
		fw_close(*fw);
}
#define cleanup_fw __attribute__((cleanup(fw_close_p)))

/* Could fw_add work? Asks the kernel and changes nothing. -EOPNOTSUPP, -EPERM in words. */
int fw_ready(struct fw *fw, struct err *e);

/*
 * Adds everything in the plan in one transaction; makes the tables first when they are missing
 * (safe against others doing the same). What the same owner already has is success. A host port
 * that another owner has is refused: -EADDRINUSE, "host port 8080/tcp is taken by container X of
 * network Y (interface Z)"; so is one that meets another owner's in part (any host address and a
 * certain one, a port and a range). A stale element of another owner for the same address
 * (masquerade, accept, isolate) is replaced, since an address has one owner.
 */
int fw_add(struct fw *fw, const struct fw_plan *p, struct err *e);

/*
 * Removes what the owner has of these parts, found by owner, not by address; an element is deleted
 * only while it is still the owner's (generation id, lock, bounded retries). A hint plan
 * (may be NULL) names the elements expected, to avoid a listing when they are all there. Absence,
 * and a kernel without the tables or without nf_tables, is success.
 */
int fw_del(struct fw *fw, const struct fw_owner *owner, unsigned parts, const struct fw_plan *hint,
	   struct err *e);

/*
 * Everything in the plan is in the kernel with the right content, and the base rules are. -ENOENT /
 * -EBADMSG with the difference in words.
 */
int fw_check(struct fw *fw, const struct fw_plan *p, struct err *e);

/*
 * Has a flush by somebody else taken rules that all attachments rely on? As far as it can be told
 * at once; what was never there is not missing. 0, or -ENOENT in words.
 */
int fw_intact(struct fw *fw, struct err *e);

/*
 * Removes the parts of every owner of the network that is not in valid[], and furniture of subnets
 * that nobody uses any more.
 */
int fw_gc(struct fw *fw, const char *network, const struct fw_owner *valid, size_t nvalid,
	  unsigned parts, struct err *e);

/*
 * Removes our tables when nothing is in them, foreign rules included. 1 = removed, 0 = in use or
 * not there.
 */
int fw_sweep(struct fw *fw, struct err *e);

/*
 * Lists elements for people and tests: fn gets the owner as "network/container/ifname",
 * "masquerade" / "dnat" / "hairpin" / "accept" / "isolate", and the element in words ("8080/tcp to
 * 10.1.0.2:80"). A value other than 0 from fn ends it and is returned.
 */
int fw_each(struct fw *fw,
	    int (*fn)(const char *owner, const char *what, const char *text, void *arg), void *arg,
	    struct err *e);

#endif
