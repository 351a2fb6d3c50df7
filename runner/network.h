/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NETWORK_H
#define NARU_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/cni/netlist.h"
#include "netlib/cni/result.h"
#include "netlib/ip/port.h"

struct err;
struct txn;
struct undo_op;

#define NETWORK_DEFAULT "naru"
#define NETWORK_IFNAME "eth0"
#define NETWORK_CONF_DIR "/etc/naru/net.d" /* unless NARU_CONF says otherwise */
#define NETWORK_COPY "network.conflist"	   /* in the container's RUN directory: what DEL goes by */

/* A network as the container joins it, through the plugin executables. */
struct network {
	struct netlist list;
	char path[4096]; /* CNI_PATH: where plugins are */
	bool builtin;
};

#define NETWORK_INIT { .builtin = false }
#define cleanup_network __attribute__((cleanup(network_clear)))

const char *network_conf_dir(void); /* NARU_CONF or the default */

/*
 * The network called name: from the directory NARU_CONF, or the built-in "naru" (a bridge naru0
 * with IPv4 and IPv6, masquerade and published ports) when there is no such file. -ENOENT names the
 * networks that are there.
 */
int network_open(struct network *n, const char *name, struct err *e);
void network_clear(struct network *n);

/* Does the chain take published ports? */
bool network_takes_ports(const struct network *n);

/*
 * Attaches the namespace pinned at RUNDIR/netns, loopback up; run_dir's last part is the
 * container's id. Recorded in t before anything happens: "network del", which runs the chain's DEL.
 * Errors of plugins are one sentence without the chain's wrapping.
 */
int network_attach(struct network *n, struct txn *t, const char *run_dir,
		   const struct port_map *ports, size_t nports, struct cni_result *out,
		   struct err *e);

/* The built-in network's configuration. Pure; malloc'd. ipv6: the host has it. */
char *network_builtin_text(bool ipv6);

/*
 * Takes away what attachments to the default network left that belong to no container in ids
 * (NULL-terminated): DEL for cached ones, then GC of each plugin. Networks from files may have
 * other users; their attachments are in the containers' journals.
 */
int network_gc(const char *const *ids, struct err *e);

extern const struct undo_op *const network_undo_ops[]; /* "network del"; NULL-terminated */

#endif
