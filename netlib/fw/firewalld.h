/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_FIREWALLD_H
#define NARU_FW_FIREWALLD_H

#include <stdbool.h>

/*
 * The firewalld backend: an accepted address is a source of a zone in firewalld's running
 * configuration. It knows FW_ACCEPT only. firewalld keeps no owners: they are in notes (note.h)
 * with the zone.
 */
#define FIREWALLD_NOTES "/run/naru/firewalld"
#define FIREWALLD_ZONE_MAX 32 /* with terminator; what a note holds */

/*
 * Does somebody own firewalld's name on the system bus? No bus, or one that does not talk to us:
 * no.
 */
bool firewalld_running(void);

/* Letters, digits, '_', '-' and '/', as firewalld has it. */
bool firewalld_zone_valid(const char *zone);

#endif
