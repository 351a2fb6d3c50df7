/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LAB_H
#define TESTS_LIB_LAB_H

#include "tests/lib/lab_cmd.h"
#include "tests/lib/lab_cni.h"

/*
 * A laboratory: private mount, network, IPC, UTS and cgroup namespaces in which a test program
 * plays "the host". Nothing done in it reaches the machine: /run is empty, /var/lib is a
 * copy-on-write view, /sys shows the private network, /sys/fs/cgroup only groups made in here (see
 * lab_cgroup.h).
 *
 * Everything here fails the running test by itself (lab_fail), so calls need no checking. Where
 * cmocka is not linked, for instance in a tool, failing ends the program with status 99.
 */

/*
 * Enters the laboratory; the second call does nothing. Orphans of anything the program starts
 * become its children, so that a snapshot sees them. A program that may not (not root) prints a TAP
 * plan that skips everything and exits 0.
 */
void lab_enter(void);

/* The same as a cmocka group set-up. */
int lab_setup(void **state);

/* Fails the running test with one sentence, or ends the program when no test is running. */
void lab_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Skips the running test and says why. */
void lab_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/*
 * For code that forks by itself: call first in the child. Signals get their default action and are
 * unblocked, and a failed assertion ends the child instead of jumping back into the parent's test.
 */
void lab_child(void);

/*
 * A network namespace pinned at /run/netns/NAME, empty but for a loopback that is down, as a
 * runtime makes it.
 */
#define LAB_NETNS(name) "/run/netns/" name
void lab_netns_new(const char *name);

/*
 * Unpins it. When nothing else holds it, waits until its links are gone from the host as well: the
 * kernel takes a namespace apart in the background, and a snapshot right after would still see the
 * host's ends of its veth pairs.
 */
void lab_netns_del(const char *name);

/* Moves the calling process into a namespace by name or path; NULL or "host" is the host's. */
void lab_join(const char *netns);

/*
 * Runs fn(arg) in a forked child inside a namespace (NULL: the host's) and returns what it
 * returned. A failed assertion or a crash in it fails the calling test.
 */
int lab_in(const char *netns, int (*fn)(void *arg), void *arg);

/*
 * Shell in the host's or a named namespace; anything but exit status 0 fails the test and shows the
 * output.
 */
void lab_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void lab_sh_in(const char *netns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Exit status of a shell command that may fail; its output is dropped. */
int lab_try(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int lab_try_in(const char *netns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What a shell command that must succeed writes to stdout, without its last newline; the caller
 * frees it.
 */
char *lab_out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *lab_out_in(const char *netns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Waits until a link is operationally up. The kernel gets there some time after both ends were set
 * up, and drops what is sent before: a first packet lost costs TCP a second.
 */
void lab_carrier(const char *netns, const char *ifname);

/*
 * The world outside: a namespace "outside" on a veth pair (host: uplink0, outside: eth0), default
 * routes to the host, loopback up. The host gets default routes to it. Forwarding on the host is
 * left as it is. Made once per laboratory.
 */
#define LAB_HOST_V4 "198.51.100.1"
#define LAB_OUTSIDE_V4 "198.51.100.2"
#define LAB_HOST_V6 "2001:db8:ff::1"
#define LAB_OUTSIDE_V6 "2001:db8:ff::2"
void lab_outside(void);

#endif
