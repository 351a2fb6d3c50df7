/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_RULES_H
#define NARU_FW_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/ifname.h"

/*
 * Intents become neutral sets, elements and rules. Pure: nothing here asks the kernel. How they
 * look in nftables is described in doc/KERNEL.md; fw_plan_text() prints them in nft's own language,
 * which is what the golden tests compare.
 *
 * A container's mapping or masquerade is one element (two with hairpin); sets and rules are
 * furniture, which does not grow with the number of containers: one fixed part, and one set with
 * its rule for each subnet in use.
 */
struct err;
struct fw_plan;
struct str;

/* packets to be masqueraded; bit 13 is the default of CNI's portmap plugin */
#define FW_MARK 0x2000u
#define FW_PORTS_MAX 4096 /* elements of one shifted range */

enum fw_kind {
	FW_KIND_DNAT_IP, /* host address . proto . port -> container address . port */
	FW_KIND_DNAT,	 /* proto . port -> container address . port */
	FW_KIND_RANGE,	 /* host addresses . proto . ports -> container address, port kept */
	/* the same three keys: who is near the container gets our address */
	FW_KIND_SNAT_IP,
	FW_KIND_SNAT,
	FW_KIND_SNAT_RANGE,
	FW_KIND_MASQ, /* container address, as the three that follow */
	FW_KIND_ACCEPT,
	FW_KIND_SAME,  /* reached from its own bridge and from no other of ours */
	FW_KIND_ALONE, /* not from its own either */
	FW_KINDS
};

/* What a kind's keys and values are made of, in this order. */
struct fw_shape {
	const char *name;
	bool host, port; /* key: host address; proto and port */
	bool interval;
	bool to, to_port; /* value */
	/* one set for each subnet, named after it; else one for each family */
	bool by_prefix;
	bool by_bridge; /* one set for each bridge and family */
	unsigned part;	/* FW_MASQ, FW_DNAT ... */
};
extern const struct fw_shape fw_shapes[FW_KINDS];
/* A kind whose sets come and go, each with its rules; the others' are there from the beginning. */
bool fw_kind_comes_and_goes(enum fw_kind k);

struct fw_set {
	enum fw_kind kind;
	uint8_t family;
	/* by_prefix: the subnet, host bits cleared; length 0 = every source (masq_all) */
	struct ip_prefix near;
	char bridge[IFNAME_MAX]; /* by_bridge */
};

#define FW_NAME_MAX 64
/* "dnat4", "masq-10.1.0.0-16", "snat-all4", "same4-br0" */
void fw_set_name(const struct fw_set *s, char name[FW_NAME_MAX]);
/* 0, or -EINVAL: not a name of ours */
int fw_set_parse(const char *name, struct fw_set *out);
bool fw_set_eq(const struct fw_set *a, const struct fw_set *b);

struct fw_elem {
	struct fw_set set;
	/* kinds without port: the container; else the host address, unset = any (ranges only) */
	struct ip_addr ip;
	uint8_t proto;
	uint16_t port, last; /* last == port unless a range */
	struct ip_addr to;
	uint16_t to_port;
};

struct fw_elems {
	struct fw_elem *elem;
	size_t n;
};
#define FW_ELEMS_INIT { 0 }
#define cleanup_elems __attribute__((cleanup(fw_elems_clear)))
void fw_elems_clear(struct fw_elems *l);

/*
 * The elements of a plan. -EINVAL for families that do not fit together and for two mappings of one
 * host port, -E2BIG for a shifted range of more than FW_PORTS_MAX ports.
 */
int fw_plan_elements(const struct fw_plan *p, struct fw_elems *out, struct err *e);

bool fw_elem_eq(const struct fw_elem *a, const struct fw_elem *b); /* keys and values */
/* Both are DNAT and some packet would match both. */
bool fw_elem_overlaps(const struct fw_elem *a, const struct fw_elem *b);

/* "8080/tcp", "192.0.2.1:8080/tcp", "6000-6010/udp"; "10.1.0.2" without port. Returns buf. */
#define FW_KEY_WORDS_MAX 96
const char *fw_elem_key_words(const struct fw_elem *x, char buf[FW_KEY_WORDS_MAX]);
/*
 * The whole element: "8080/tcp to 10.1.0.2:80", "10.1.0.2 leaving 10.1.0.0/16", "10.1.0.2 from
 * bridges other than br0".
 */
#define FW_ELEM_WORDS_MAX 192
const char *fw_elem_words(const struct fw_elem *x, char buf[FW_ELEM_WORDS_MAX]);
const char *fw_elem_what(const struct fw_elem *x); /* "dnat", "hairpin" ... */

/* Chains, in the order in which they are made. */
enum fw_chain {
	FW_CHAIN_GUARD,
	FW_CHAIN_HAIRPIN,
	FW_CHAIN_HOSTPORTS,
	FW_CHAIN_PREROUTING,
	FW_CHAIN_OUTPUT,
	FW_CHAIN_POSTROUTING,
	FW_CHAIN_ADMIN, /* the operator's own rules */
	FW_CHAIN_ISOLATION_TO,
	FW_CHAIN_ISOLATION,
	FW_CHAIN_FORWARD,
	FW_CHAINS
};
/* the kernel's NF_INET_ numbers */
enum fw_hook {
	FW_HOOK_PREROUTING = 0,
	FW_HOOK_FORWARD = 2,
	FW_HOOK_OUTPUT = 3,
	FW_HOOK_POSTROUTING = 4
};
struct fw_chain_spec {
	const char *name;
	const char *type; /* NULL: not a base chain */
	enum fw_hook hook;
	int priority;
	const char *hook_text;
	/* made, and compared, only for who has one of these parts; 0: for everybody */
	unsigned part;
};
extern const struct fw_chain_spec fw_chains[FW_CHAINS];
/*
 * What somebody with these parts needs: masquerade and ports share their furniture, so it is there
 * for everybody; the chains of forwarding are made only for who asks for them.
 */
bool fw_chain_belongs(enum fw_chain c, unsigned parts);
bool fw_set_belongs(const struct fw_set *s, unsigned parts);

enum fw_op_type {
	FW_OP_END,
	FW_OP_FAMILY,
	FW_OP_SADDR,
	FW_OP_DADDR,
	FW_OP_NOT_DADDR,
	FW_OP_LOCAL,
	FW_OP_NOT_LO,
	FW_OP_MARKED,
	FW_OP_IN,
	FW_OP_TO_IN,
	FW_OP_IIF,
	FW_OP_OIF,
	FW_OP_NOT_OIF,
	FW_OP_ESTABLISHED,
	FW_OP_SET_MARK,
	FW_OP_MASQ,
	FW_OP_DNAT,
	FW_OP_ACCEPT,
	FW_OP_DROP,
	FW_OP_RETURN,
	FW_OP_JUMP
};

/* A match or an action. */
struct fw_op {
	enum fw_op_type type;
	uint8_t family;
	struct ip_prefix prefix; /* SADDR, DADDR, NOT_DADDR */
	/* IN, TO_IN, DNAT: the packet's key is looked up; IIF, OIF, NOT_OIF: its bridge */
	struct fw_set set;
	enum fw_chain chain; /* JUMP */
};

#define FW_OPS_MAX 5
struct fw_rule {
	enum fw_chain chain;
	struct fw_op op[FW_OPS_MAX]; /* up to FW_OP_END */
};

#define FW_BASE_SETS 8
extern const struct fw_set fw_base_sets[FW_BASE_SETS];
#define FW_BASE_RULES 21
extern const struct fw_rule fw_base_rules[FW_BASE_RULES];

/* The rules that belong to a set by prefix or by bridge; returns how many (none for the others). */
#define FW_SET_RULES_MAX 3
size_t fw_set_rules(const struct fw_set *s, struct fw_rule out[FW_SET_RULES_MAX]);

/* nft's language, one command a line. */
void fw_rule_text(struct str *s, const struct fw_rule *r);
void fw_elem_text(struct str *s, const struct fw_elem *x, const char *owner);
/* table, chains, maps, rules: what these parts need */
void fw_base_text(struct str *s, unsigned parts);
/* sets that come and go with their rules, elements */
void fw_plan_text(struct str *s, const struct fw_elems *l, const char *owner);

#endif
