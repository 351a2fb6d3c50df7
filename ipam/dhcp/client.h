/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_CLIENT_H
#define NARU_IPAM_DHCP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ipam/dhcp/machine4.h"
#include "ipam/dhcp/machine6.h"
#include "ipam/dhcp/options.h"
#include "ipam/dhcp/record.h"
#include "ipam/dhcp/wire.h"

struct cni_result;
struct err;

/* What all clients of a daemon share. */
struct client_host {
	struct pace_conf pace;
	bool broadcast;
	int dir; /* of records */
};

/* One attachment's lease: the socket, the machine that drives it, and its record on disk. */
struct dhcp_client {
	const struct client_host *host;
	char *container, *network, *ifname, *netns; /* owned */
	struct dhcp_choice choice;		    /* owned */
	struct wire wire;
	struct dhcp4_machine m4; /* idle when choice.ipv4 is not set */
	struct dhcp6_machine m6; /* the same with ipv6 */
	bool got4, got6;
	bool bound;    /* the runtime has, or will get, the result */
	unsigned sent; /* packets so far */
};

enum client_news {
	CLIENT_SAME,
	CLIENT_BOUND, /* for the first time */
	CLIENT_OVER,  /* the lease ended, or its record could not be written */
};

/* The attachment that r names, with its options; nothing is opened or written yet. */
int client_new(const struct client_host *h, const struct dhcp_record *r, struct dhcp_client **out,
	       struct err *e);
void client_free(struct dhcp_client *c);
bool client_is(const struct dhcp_client *c, const char *container, const char *network,
	       const char *ifname);

/* Opens the wire and begins to look for an address. */
int client_start(struct dhcp_client *c, int64_t now, struct err *e);
/*
 * Goes on where an earlier daemon was with this record. CLIENT_OVER: there is nothing to go on
 * with, what was only asked for was given back, and the record is gone, unless there was no
 * descriptor or memory to look at it.
 */
enum client_news client_resume(struct dhcp_client *c, const struct dhcp_record *r, int64_t now,
			       struct err *e);

enum client_news client_tick(struct dhcp_client *c, int64_t now, struct err *e);
enum client_news client_receive(struct dhcp_client *c, int64_t now, struct err *e);
int64_t client_next(const struct dhcp_client *c);

/* Gives the lease back and removes its record. */
int client_release(struct dhcp_client *c, struct err *e);
/* The result of ADD. */
int client_result(const struct dhcp_client *c, struct cni_result *out, struct err *e);

#endif
