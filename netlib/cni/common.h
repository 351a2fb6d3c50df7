/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_COMMON_H
#define NARU_CNI_COMMON_H

#include <stdbool.h>

#include "netlib/cni/common_address.h"
#include "netlib/cni/common_forward.h"
#include "netlib/cni/common_veth.h"
#include "netlib/cni/plugin.h"
#include "netlib/fw/fw.h"

/*
 * Rows and pieces that interface plugins share. The ipam row stands twice in a plugin's table:
 * before the links when the IPAM plugin runs in process and needs no interface (an exhausted pool
 * is found before anything exists), after them otherwise (dhcp).
 */
bool common_has_ipam(const struct cni_op *op);
/*
 * For conf_check: finds the IPAM plugin, which decides between the two ipam rows. For ADD a missing
 * one is an error, before anything is changed; for the other verbs the row reports it, so that the
 * rest still runs.
 */
int common_ipam_find(struct cni_op *op, struct err *e);

/*
 * DEL or GC: they come after an ADD that was refused, too, and must succeed then. Rules about
 * values are for the verbs that would act on them.
 */
bool common_is_removal(const struct cni_op *op);

bool common_ipam_early(const struct cni_op *op);
bool common_ipam_late(const struct cni_op *op);
int common_ipam_add(struct cni_op *op, struct err *e); /* fills op->res ips, routes, dns */
int common_ipam_del(struct cni_op *op, struct err *e);
int common_ipam_check(struct cni_op *op, struct err *e);
int common_ipam_gc(struct cni_op *op, struct err *e);
int common_ipam_status(struct cni_op *op, struct err *e);
/* The row, for either place: when is common_ipam_early or common_ipam_late. */
#define COMMON_IPAM_ROW(when) \
	{ "ipam", \
	  (when), \
	  common_ipam_add, \
	  common_ipam_del, \
	  common_ipam_check, \
	  common_ipam_gc, \
	  common_ipam_status }

/*
 * Applies config dns over IPAM's. replace_always: as macvlan & co; else only when any field was
 * given, as bridge and ptp.
 */
int common_dns(struct cni_op *op, bool replace_always, struct err *e);

/* MAC from CNI_ARGS < args.cni.mac < runtimeConfig.mac (bridge's order). */
int common_mac(const struct cni_op *op, struct mac *out, struct err *e);

/* Masquerade of the result's addresses; the same for bridge, veth and masquerade. */
int common_masq_add(struct cni_op *op, struct err *e);
int common_masq_del(struct cni_op *op, struct err *e);
int common_masq_check(struct cni_op *op, struct err *e);
int common_masq_gc(struct cni_op *op, struct err *e);
int common_masq_status(struct cni_op *op, struct err *e);
/* STATUS of any row of the firewall: 50 when it cannot work, 51 when others' rules are gone. */
int common_fw_status(const struct cni_op *op, struct fw *fw, struct err *e);
/*
 * Keys of the reference that this version lacks, NULL-terminated: one that asks for something
 * (true, a number, a text, a list with elements) is refused by name with code 2, never ignored.
 * unset (false, 0, "", [], null) is what we do anyway.
 */
int common_refuse(const struct cni_op *op, const char *const *keys, struct err *e);

/* A key that names a backend of the firewall; *out stays as it is without it. */
int common_fw_backend(const char *path, const char *text, enum fw_backend *out, struct err *e);
/* ipMasqBackend, for the masquerade rows. */
int common_masq_backend(struct cni_op *op, const char *text, struct err *e);
struct fw_owner common_owner(const struct cni_op *op);
/* valid attachments of GC as firewall owners; malloc'd array of op->cc->nvalid */
struct fw_owner *common_valid_owners(const struct cni_op *op);

/* Is the address on the container interface this operation is about (or on none in particular)? */
bool common_ip_is_mine(const struct cni_op *op, const struct cni_result *res,
		       const struct cni_ip *ip);

#endif
