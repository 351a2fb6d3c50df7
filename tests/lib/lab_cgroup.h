/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LAB_CGROUP_H
#define TESTS_LIB_LAB_CGROUP_H

#include <stdbool.h>

/*
 * Control groups of a laboratory: a group naru-test-PID of its own in every hierarchy of the
 * machine, which a cgroup namespace then shows as the root, so that programs running side by side
 * do not see each other's groups. When the test program is gone, by whatever end, a caretaker
 * outside ends what is left in the groups and removes them.
 *
 * lab_enter calls these three in this order; tests have no need to.
 */

/*
 * Before unshare: makes and joins the groups. False when the machine's groups cannot be written;
 * then nothing is left.
 */
bool lab_cgroup_join(void);

/* After unshare, /sys being fresh: mounts each hierarchy where the machine had it. */
void lab_cgroup_mount(void);

#endif
