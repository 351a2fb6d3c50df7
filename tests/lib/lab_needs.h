/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LAB_NEEDS_H
#define TESTS_LIB_LAB_NEEDS_H

#include <stdbool.h>

/*
 * What not every kernel has, by the name of its module: "8021q", "ipvlan", "macvlan", "dummy",
 * "vrf", "bridge-vlan" (VLAN filtering of bridges). A test program in whose source one of these two
 * calls stands is also run by `make check-vm`, on a kernel that has it all.
 */

/* Skips the running test by the module's name; on the machine of `make check-vm` fails it. */
void lab_needs(const char *module);

/* The same as a question, for a table of which one row needs something. */
bool lab_has(const char *module);

/*
 * True in the virtual machine, where a program takes twenty times as long to start: loops there go
 * over what only that machine can show.
 */
bool lab_in_vm(void);

#endif
