/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_TRAFFIC_H
#define TESTS_LIB_TRAFFIC_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Bytes that really pass: servers and clients in any network namespace, each in its own process
 * with bounded time.
 *
 * A server greets with "hello from NAME, you are ADDR:PORT\n" ([ADDR]:PORT for IPv6), the address
 * being the one it saw the client come from, so that a test can tell masquerade and hairpin from
 * plain routing; then it echoes what it gets. With UDP the greeting and the echo are the answer to
 * each datagram.
 */
enum traffic_proto { TRAFFIC_TCP, TRAFFIC_UDP, TRAFFIC_SCTP };

#define TRAFFIC_ECHO_MAX (1 << 20) /* bytes a query may echo; with UDP 1200 */

struct traffic_server {
	pid_t pid;
};

/*
 * Starts a server that listens when the call returns. netns is a name or path (NULL: the host),
 * addr numeric ("0.0.0.0", "::" for all). It ends with traffic_stop, with the test program, or
 * after five minutes. Fails the test when it cannot listen; SCTP in a kernel without it skips the
 * test.
 */
void traffic_serve(struct traffic_server *s, const char *netns, enum traffic_proto proto,
		   const char *addr, uint16_t port, const char *name);
void traffic_stop(struct traffic_server *s);

struct traffic_query {
	const char *netns;
	enum traffic_proto proto;
	const char *addr; /* of the server, as the client knows it */
	uint16_t port;
	const char *src_addr; /* NULL: the kernel's choice */
	uint16_t src_port;    /* 0: the kernel's choice */
	int timeout_ms;	      /* for everything together; 0: 1000 */
	size_t echo;	      /* bytes to send and compare after the greeting */
};

struct traffic_answer {
	char server[64];	     /* NAME of the server that answered */
	char peer[INET6_ADDRSTRLEN]; /* who the server saw */
	uint16_t peer_port;
	char local[INET6_ADDRSTRLEN]; /* who the client was */
	uint16_t local_port;
	size_t echoed; /* bytes that came back as they were sent */
	long us;       /* until the greeting was there */
};

/*
 * Asks once. Returns 0 and fills a; or -errno as the client met it: -ECONNREFUSED, -EHOSTUNREACH,
 * -ENETUNREACH, -ETIMEDOUT (nothing came in time), -EPROTO (something else answered),
 * -EADDRNOTAVAIL, -EBADMSG (a wrong echo).
 */
int traffic_ask(const struct traffic_query *q, struct traffic_answer *a);

/* The short forms: 0 or -errno; peer may be NULL. */
int tcp_fetch(const char *netns, const char *addr, uint16_t port, int timeout_ms,
	      char peer[INET6_ADDRSTRLEN]);
int udp_fetch(const char *netns, const char *addr, uint16_t port, int timeout_ms,
	      char peer[INET6_ADDRSTRLEN]);

/* True when the kernel can make sockets of this protocol. */
bool traffic_supports(enum traffic_proto proto);

#endif
