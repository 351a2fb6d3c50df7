/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_HOST_LOCAL_CONF_H
#define NARU_IPAM_HOST_LOCAL_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/lists.h"
#include "ipam/range.h"
#include "netlib/base/decode.h"

struct cni_op;
struct err;

/*
 * The configuration of host-local: every key of the reference, and "exclude" (addresses or networks
 * never handed out, at the top or in a range). Everything is owned by the document it was decoded
 * from.
 */
struct set_list {
	struct range_set *v;
	size_t n;
};

struct addr_list {
	struct ip_addr *v;
	size_t n;
};

struct host_local_conf {
	bool given; /* there is an "ipam" */
	struct {
		struct ip_range one; /* the old form: a single range, not in a list */
		struct set_list sets;
		struct route_list routes;
		struct ip_spans exclude;
		const char *data_dir, *resolv_conf;
	} ipam;
	struct {
		struct set_list sets; /* capability ipRanges */
		struct addr_list ips; /* capability ips */
	} runtime;
	struct addr_list args_ips; /* args.cni.ips */

	/*
	 * Made by host_local_conf_check. The sets are those of the runtime, the old form, the list:
	 * the reference's order, which numbers the markers.
	 */
	struct set_list sets;
	struct ip_addr *want; /* one for each set: asked for, or unset */
};

extern const struct field host_local_fields[];

/*
 * Rules across keys: ranges filled in and checked, sets joined, the addresses asked for (CNI_ARGS,
 * args.cni, runtimeConfig, all together) spread over them. DEL and GC need none of it and are not
 * held up by a configuration that has become wrong.
 */
int host_local_conf_check(void *conf, struct cni_op *op, struct err *e);

#endif
