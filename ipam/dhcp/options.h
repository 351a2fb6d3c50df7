/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_OPTIONS_H
#define NARU_IPAM_DHCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipam/dhcp/packet4.h"
#include "netlib/base/decode.h"

struct err;

/* The configuration of dhcp, as plugin and daemon read it. Borrows from the document. */
struct dhcp_provide {
	const char *option, *value, *from_arg;
};
struct dhcp_request {
	const char *option;
	bool skip_default;
};

struct dhcp_conf {
	bool given; /* there is an "ipam" */
	const char *socket, *data_dir;
	bool ipv4, ipv6;   /* what is asked for; all of it is needed */
	uint32_t priority; /* of every route; 0 = the kernel's */
	struct dhcp_provide *provide;
	size_t nprovide;
	struct dhcp_request *request;
	size_t nrequest;
};

#define DHCP_SOCKET "/run/cni/dhcp.sock"
#define DHCP_DATA_DIR "/var/lib/cni/dhcp"

extern const struct field dhcp_fields[];
void dhcp_conf_init(void *conf);

/* The same as what goes into packets. Owned. */
struct dhcp_choice {
	bool ipv4, ipv6;
	uint8_t request[255];
	size_t nrequest;
	struct dhcp4_option *provide;
	size_t nprovide;
};

#define cleanup_choice __attribute__((cleanup(dhcp_choice_clear)))
void dhcp_choice_clear(struct dhcp_choice *c);

/*
 * Options by name or number, their values, those from CNI_ARGS (fromArg; lenient as the
 * reference's), and a client identifier made of id unless one is provided. Pure. -EINVAL names the
 * key.
 */
int dhcp_choose(const struct dhcp_conf *conf, const char *args, const char *id,
		struct dhcp_choice *out, struct err *e);

#endif
