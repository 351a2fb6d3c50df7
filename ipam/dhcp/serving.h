/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_SERVING_H
#define NARU_IPAM_DHCP_SERVING_H

#include <stdbool.h>
#include <stdint.h>

#include "ipam/dhcp/server.h"
#include "netlib/base/str.h"

struct cni_result;
struct err;

/* The inside of the server: its loop (server.c) and what plugins ask of it (verbs.c). */
enum kind { K_LISTEN, K_SIGNAL, K_TIMER, K_CONN, K_LEASE };

/* What a descriptor in the epoll set belongs to. */
struct source {
	enum kind kind;
	void *owner;
};

struct held {
	struct source src;
	struct dhcp_client *c;
	struct conn *waiter; /* the plugin that waits for the address, or NULL */
	int64_t since, give_up;
	struct held *next;
};

struct conn {
	struct source src;
	int fd;
	struct str in;
	struct held *waits; /* for this one */
};

struct server {
	const struct server_conf *c;
	server_log_fn *log;
	int epoll, listening, signals, timer;
	struct held *all;
	int64_t sweep;
	bool stop;
};

void server_note(const struct server *s, const struct dhcp_client *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct held *server_find(struct server *s, const char *container, const char *network,
			 const char *ifname);
/* The client is the list's from here on, also when it fails. */
int server_hold(struct server *s, struct dhcp_client *c, struct held **out, struct err *e);
void server_drop(struct server *s, struct held *h);
/* Says it and hangs up. False when nobody listens any more. */
bool server_answer(struct server *s, struct conn *c, const struct cni_result *res,
		   const struct err *e);

/* Does what the line that came asks for. 1: the answer comes later. */
int server_obey(struct server *s, struct conn *c, struct err *e);

#endif
