/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IP_PORT_H
#define NARU_IP_PORT_H

#include <stdint.h>

#include "netlib/ip/addr.h"

/* One published port or range of ports of one protocol. */
struct port_map {
	uint8_t proto;		 /* IPPROTO_TCP, _UDP or _SCTP */
	uint16_t host_port;	 /* first of count, 1..65535 */
	uint16_t container_port; /* first of count */
	uint16_t count;		 /* 1 for a single port */
	struct ip_addr host_ip;	 /* unset or 0.0.0.0 / :: = any of the family */
};

const char *proto_name(uint8_t proto);	      /* "tcp", "udp", "sctp", or "?" */
int proto_parse(const char *s, uint8_t *out); /* any letter case; 0 or -EINVAL */

/* "8080:80/tcp", "127.0.0.1:8080-8090:80-90/udp": for errors and listings. buf holds 96 bytes. */
#define PORT_TEXT_MAX 96
const char *port_map_text(const struct port_map *m, char *buf);

/*
 * docker's -p: [ip:]host[-host]:container[-container][/proto], [v6]:host:container, or host alone
 * is refused by name. 0 or -EINVAL with a sentence.
 */
struct err;
int port_map_parse(const char *s, struct port_map *out, struct err *e);

#endif
