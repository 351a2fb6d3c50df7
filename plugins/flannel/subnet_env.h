/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_PLUGINS_FLANNEL_SUBNET_ENV_H
#define NARU_PLUGINS_FLANNEL_SUBNET_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/addr.h"

struct err;

/* What flanneld says about this host: lines KEY=VALUE, unknown keys are passed over. */
struct subnet_list {
	struct ip_prefix *v;
	size_t n;
};

struct subnet_env {
	struct subnet_list net, net6;	  /* of the whole cluster */
	struct ip_prefix subnet, subnet6; /* of this host; family 0 = none */
	uint32_t mtu;
	bool has_mtu, ipmasq, has_ipmasq;
};

#define SUBNET_ENV_INIT { .ipmasq = false }
#define cleanup_env __attribute__((cleanup(subnet_env_clear)))
void subnet_env_clear(struct subnet_env *s);

/*
 * Reads a regular file of at most 64 KiB into *out, which the caller clears also after an error. A
 * missing file has CNI code 11 and the reference's words: flanneld may still write it.
 */
int subnet_env_read(const char *path, struct subnet_env *out, struct err *e);

#endif
