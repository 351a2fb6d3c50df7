/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_SERVER_H
#define NARU_IPAM_DHCP_SERVER_H

#include <stdint.h>

#include "ipam/dhcp/client.h"

struct err;

/* One loop for plugins that ask and for all leases: CNI_SPEC.md "dhcp". */
struct server_conf {
	struct client_host host;
	const char *host_prefix; /* before every path of a namespace */
	int64_t give_up_ms;	 /* the longest an ADD may take */
};

/*
 * Takes up the leases of an earlier daemon, then serves on the listening socket until SIGTERM,
 * SIGINT or SIGHUP. Leases stay as they are, on disk and at their servers. log gets a line for what
 * an administrator wants to know.
 */
typedef void server_log_fn(const char *line);
int server_run(const struct server_conf *c, int listening, server_log_fn *log, struct err *e);

#endif
