/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_BOX_H
#define TESTS_LIB_BOX_H

#include "tests/lib/lab_cni.h"
#include "tests/lib/traffic.h"

#include <stdbool.h>

/*
 * A container with published ports: attached to bridge br0 (10.1.0.0/24 and fd00:1::/64, default
 * gateway, hairpin mode unless told) by a chain of bridge and portmap, with servers in it. The
 * namespace of its name must be there.
 */
struct box {
	struct lab_chain chain;
	const char *plugins[3];
	struct traffic_server server[4];
};

/*
 * ports are elements of portMappings, keys what is added to portmap's configuration (",'snat':
 * false"); both may have apostrophes for quotation marks. Texts are short-lived (text.h).
 */
void box_prepare(struct box *b, const char *cid, const char *ports, const char *keys);
void box_without_hairpin_mode(struct box *b);
void box_attach(struct box *b);
void box_publish(struct box *b, const char *cid, const char *ports, const char *keys);

/* Servers on port 80 (tcp) and 53 (udp), both families; they are called after the container. */
void box_serve(struct box *b);

/* Stops the servers, runs DEL on the chain and forgets it. */
void box_unpublish(struct box *b);

/* Two mappings for box_publish. */
#define BOX_WEB "{'hostPort':8080,'containerPort':80,'protocol':'tcp'}"
#define BOX_DNS "{'hostPort':5353,'containerPort':53,'protocol':'udp'}"

#endif
