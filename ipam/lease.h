/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_LEASE_H
#define NARU_IPAM_LEASE_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/ip/addr.h"
#include "netlib/ip/ifname.h"

struct err;

/*
 * A reservation: a file named after the address that holds its owner, "<container>\r\n<ifname>",
 * byte for byte as the reference writes it. Its oldest releases wrote the container alone; such a
 * file belongs to all interfaces of the container.
 */
#define LEASE_CONTAINER_MAX 1025 /* with terminator; as long as cni_name_ok allows */
#define LEASE_TEXT_MAX (LEASE_CONTAINER_MAX + 2 + IFNAME_MAX)

struct lease_owner {
	const char *container, *ifname;
};

enum lease_state {
	LEASE_ABSENT,
	LEASE_EMPTY, /* nobody's: its writer died, or power failed, before the content was there */
	LEASE_OWNED,
	LEASE_FOREIGN, /* not a regular file, or its content names no owner: left alone */
};

struct lease {
	enum lease_state state;
	char container[LEASE_CONTAINER_MAX];
	char ifname[IFNAME_MAX]; /* "" in files of the oldest form */
};

/* Content of a file of ours. buf holds LEASE_TEXT_MAX. Returns its length. */
size_t lease_text(const struct lease_owner *o, char *buf);
/* Pure; white space around the content is ignored, as the reference does. */
void lease_parse(const char *text, size_t len, struct lease *out);
bool lease_is_of(const struct lease *l, const struct lease_owner *o);

/*
 * Reads the file name in dir; never follows links, never opens anything but a regular file. 0 or
 * -errno.
 */
int lease_read(int dir, const char *name, struct lease *out);
/* The address a file is named after; only the canonical spelling counts. 0 or -EINVAL. */
int lease_name_parse(const char *name, struct ip_addr *out);

#endif
