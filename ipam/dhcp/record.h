/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_RECORD_H
#define NARU_IPAM_DHCP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "ipam/dhcp/machine4.h"
#include "ipam/dhcp/machine6.h"
#include "ipam/dhcp/options.h"

struct doc;
struct err;

/*
 * What the daemon must know of a lease after a restart: a file for each attachment, replaced whole.
 * Written before an address is asked for, so that a daemon that was killed can give it back.
 */
struct dhcp_record {
	const char *container, *network, *ifname, *netns;
	struct dhcp_choice choice;
	/* its times are milliseconds since 1970; address of family 0: none */
	struct dhcp4_lease lease4;
	struct dhcp6_lease lease6;
	bool bound; /* false: only asked for, nobody was told */
};

/* The directory, made when it is not there: a descriptor. */
int record_dir(const char *path, struct err *e);
int record_write(int dir, const struct dhcp_record *r, struct err *e);
int record_remove(int dir, const struct dhcp_record *r, struct err *e);
/*
 * Calls fn for each record; one that cannot be read is removed, and so is what a killed writer
 * left. The record's texts and options are gone after fn.
 */
int record_each(int dir, int (*fn)(const struct dhcp_record *r, void *arg), void *arg,
		struct err *e);
/*
 * Is there one for this attachment, or, without r, for any? For the plugin, when no daemon answers.
 * 1, 0 or -errno.
 */
int record_exists(const char *path, const struct dhcp_record *r);

#endif
