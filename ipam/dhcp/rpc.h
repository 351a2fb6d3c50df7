/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_RPC_H
#define NARU_IPAM_DHCP_RPC_H

#include <stddef.h>

#include "netlib/base/decode.h"

struct cni_op;
struct cni_result;
struct err;
struct str;

/*
 * Between plugin and daemon: a line of JSON each way over a unix socket. CNI_SPEC.md "dhcp" has the
 * members. The daemon gives up what it does for a plugin that hangs up.
 */
#define RPC_LINE_MAX (2 * 1024 * 1024)
#define RPC_WAIT_MS 50000 /* whoever executes an IPAM plugin may not wait for more than a minute */

enum rpc_verb { RPC_ALLOCATE, RPC_RELEASE, RPC_CHECK, RPC_COLLECT, RPC_STATUS, RPC_VERBS };

struct rpc_request {
	enum rpc_verb verb;
	const char *container, *ifname, *netns, *args;
	int64_t wait_ms;
	struct json_object *config; /* what the plugin got on stdin */
};

/* Plugin: asks the daemon at path, and waits for its answer, a document. */
int rpc_ask(const char *path, enum rpc_verb verb, const struct cni_op *op, struct doc *answer,
	    struct err *e);

/* Daemon. Borrows from d. */
int rpc_request_parse(struct doc *d, const char *line, size_t len, struct rpc_request *out,
		      struct err *e);
/* One line with its end: a result (may be NULL), or the error when e has one. */
void rpc_answer(struct str *out, const struct cni_result *res, const struct err *e);

#endif
