/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_IPTNAME_H
#define NARU_FW_IPTNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/fw/iptrule.h"

/*
 * Names of the legacy rules of CNI's reference plugins, which are ours as well: a node is upgraded
 * and downgraded with containers of both. CNI_SPEC.md "iptables".
 */
#define IPT_DNAT_CHAIN "CNI-HOSTPORT-DNAT"
#define IPT_SETMARK_CHAIN "CNI-HOSTPORT-SETMARK"
#define IPT_MASQ_CHAIN "CNI-HOSTPORT-MASQ"
#define IPT_OLD_SNAT_CHAIN "CNI-HOSTPORT-SNAT" /* of releases before 0.8 */

/* What belongs to one container on one network (its interface is not part of it). */
struct ipt_names {
	char masq[IPT_NAME_MAX];	    /* "CNI-" and the beginning of a hash */
	char dnat[IPT_NAME_MAX];	    /* "CNI-DN-..." */
	char snat[IPT_NAME_MAX];	    /* "CNI-SN-...", of releases before 0.8 */
	char masq_comment[IPT_COMMENT_MAX]; /* name: "net1" id: "cont1" */
	char dnat_comment[IPT_COMMENT_MAX]; /* dnat name: "net1" id: "cont1" */
};
void ipt_names(struct ipt_names *n, const char *network, const char *container);

/* Is it one of the two comments of some container of the network? (Long ones are cut.) */
bool ipt_comment_in_network(const char *comment, const char *network);

/* "net1/cont1" from either comment, or false. */
bool ipt_comment_owner(const char *comment, char *owner, size_t size);
/* "container cont1 of network net1"; others are quoted. Returns buf. */
#define IPT_OWNER_WORDS_MAX 320
const char *ipt_comment_words(const char *comment, char buf[IPT_OWNER_WORDS_MAX]);

#endif
