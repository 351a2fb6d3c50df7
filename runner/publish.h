/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_PUBLISH_H
#define NARU_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/ip/port.h"

struct err;

/*
 * Whether a -p says nothing about the host's port, as "80", "80/udp", "8000-8002" and
 * "127.0.0.1::80" do. Pure.
 */
bool publish_lacks_host(const char *text);

/*
 * Writes such a text with the port first.. of the host in it: "32768:80". Pure; 0, or
 * -ENAMETOOLONG.
 */
int publish_with_host(const char *text, unsigned first, unsigned count, char *buf, size_t size);

/*
 * Completes it with ports that no program of the host serves, no container has published and that
 * are not in taken: out of 32768..60999, by chance. The result into buf, and decoded into *out.
 */
int publish_choose(const char *text, const struct port_map *taken, size_t ntaken, char *buf,
		   size_t size, struct port_map *out, struct err *e);

#endif
