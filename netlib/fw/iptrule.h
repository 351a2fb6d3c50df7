/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTRULE_H
#define NARU_FW_IPTRULE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

/*
 * One rule of a legacy table (iptables, ip6tables) as a value: read from iptables' own words,
 * printed as iptables-save prints it, and turned into the kernel's bytes, which are those that
 * iptables makes, so that `iptables -C` finds the rule. Pure: nothing here asks the kernel.
 *
 * Matches keep their order: it is part of what iptables compares.
 */
struct err;
struct str;

#define IPT_NAME_MAX 29	    /* of a chain or target, with terminator: the kernel's limit */
#define IPT_IFNAME_MAX 16   /* of an interface, with terminator; a final '+' means any end */
#define IPT_COMMENT_MAX 256 /* with terminator */
#define IPT_PORTS_MAX 15    /* of one multiport; a range counts twice */
#define IPT_MATCHES_MAX 8   /* of one rule */
#define IPT_ENTRY_MAX 4096  /* bytes of one rule */

enum ipt_match_kind {
	IPT_COMMENT, /* -m comment --comment TEXT */
	IPT_TCP,     /* -m tcp --dport, --sport; the three belong to -p of that name */
	IPT_UDP,
	IPT_SCTP,
	IPT_MULTIPORT, /* -m multiport --dports, --sports, --ports */
	IPT_MARK,      /* -m mark --mark VALUE[/MASK] */
	IPT_CONNTRACK, /* -m conntrack --ctstate LIST */
	IPT_ADDRTYPE,  /* -m addrtype --dst-type, --src-type */
	IPT_MATCHES,
	IPT_UNKNOWN = IPT_MATCHES, /* a match that others use: only its name is known */
};

struct ipt_span {
	uint16_t first, last;
};
#define IPT_ANY_PORT { 0, 65535 }

enum ipt_which { IPT_SOURCE, IPT_DEST, IPT_EITHER };

struct ipt_match {
	enum ipt_match_kind kind;
	bool neg[2]; /* by enum ipt_which for ports and types, else the first */
	union {
		char comment[IPT_COMMENT_MAX];
		struct ipt_span port[2]; /* TCP, UDP, SCTP: by enum ipt_which */
		struct {
			enum ipt_which which;
			unsigned n;
			struct ipt_span port[IPT_PORTS_MAX];
		} multi;
		struct {
			uint32_t value, mask;
		} mark;
		uint16_t states;	 /* IPT_STATE_ bits */
		uint16_t type[2];	 /* address types as bits, by enum ipt_which */
		char name[IPT_NAME_MAX]; /* UNKNOWN */
	};
};

/* negations of the rule's own options */
enum { IPT_NOT_SRC = 1, IPT_NOT_DST = 2, IPT_NOT_IN = 4, IPT_NOT_OUT = 8, IPT_NOT_PROTO = 16 };

enum ipt_target_kind {
	IPT_NO_TARGET, /* the rule only counts */
	IPT_VERDICT,   /* ACCEPT, DROP, RETURN, QUEUE */
	IPT_JUMP,      /* to a chain */
	IPT_GOTO,      /* to a chain, and not back */
	IPT_MASQUERADE,
	IPT_DNAT,
	IPT_SET_MARK,
	IPT_OTHER_TARGET, /* one that others use: only its name is known */
};

struct ipt_target {
	enum ipt_target_kind kind;
	char name[IPT_NAME_MAX]; /* as after -j */
	struct ip_addr to;	 /* DNAT; unset: the ports alone change */
	struct ipt_span to_port; /* DNAT; 0: the port stays */
	uint32_t mark, mask;	 /* SET_MARK: as --set-xmark mark/mask */
};

struct ipt_rule {
	uint8_t family;
	uint8_t proto; /* 0 = any */
	uint8_t neg;   /* IPT_NOT_ bits */
	/* something in it is not known to us: it can be counted and deleted, not written */
	bool foreign;
	struct ip_prefix src, dst; /* unset = any */
	char in[IPT_IFNAME_MAX], out[IPT_IFNAME_MAX];
	size_t nmatch;
	struct ipt_match match[IPT_MATCHES_MAX];
	struct ipt_target target;
};

/*
 * Reads iptables' words: -s -d -i -o -p, ! before them, the matches above, -j or -g with the
 * targets above. -EINVAL naming the word that is not known, and what is.
 */
int ipt_rule_words(struct ipt_rule *r, uint8_t family, const char *const *words, size_t n,
		   struct err *e);
/* As a continuation: words are added to a rule that has some already. */
int ipt_rule_more(struct ipt_rule *r, const char *const *words, size_t n, struct err *e);

/* The same from one line, as in a file of iptables-save: "-p tcp -m comment --comment \"a b\"". */
int ipt_rule_line(struct ipt_rule *r, uint8_t family, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int ipt_rule_vline(struct ipt_rule *r, uint8_t family, struct err *e, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* A jump or verdict for a rule that was read without; target as after -j, without options. */
void ipt_rule_jump(struct ipt_rule *r, const char *target);

/* As iptables-save: "-A CHAIN -s 10.1.0.0/16 -j ACCEPT", no newline. chain NULL: from its options. */
void ipt_rule_text(struct str *s, const char *chain, const struct ipt_rule *r);

/* The first match of a kind, or NULL. */
const struct ipt_match *ipt_rule_match(const struct ipt_rule *r, enum ipt_match_kind kind);
/* The rule's comment, or "". */
const char *ipt_rule_comment(const struct ipt_rule *r);

bool ipt_rule_eq(const struct ipt_rule *a, const struct ipt_rule *b);

/* The kernel's bytes; returns how many. The rule must not be foreign. */
size_t ipt_rule_encode(const struct ipt_rule *r, uint8_t buf[IPT_ENTRY_MAX]);
/*
 * The other way; target is what iptc_get_target says, for an entry whose target is a verdict or a
 * jump the library keeps apart.
 */
void ipt_rule_decode(struct ipt_rule *r, uint8_t family, const void *entry, const char *target,
		     bool is_chain);

#endif
