/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_HOSTPORT_H
#define NARU_HOSTPORT_H

#include <stddef.h>

struct err;
struct port_map;

/*
 * Whether programs of the host serve one of the ports: a published port would be taken from them
 * without a word, since packets are redirected before they reach a socket. Ports of containers have
 * no socket; portmap knows those. TCP and UDP; in the network namespace of the caller.
 *
 * 0; -EADDRINUSE: "host port 8080/tcp is taken by process 4711 (nginx) of this host".
 */
int hostport_check(const struct port_map *ports, size_t n, struct err *e);

#endif
