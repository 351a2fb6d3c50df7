/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_CALL_H
#define TESTS_LIB_CALL_H

#include "tests/lib/lab_cni.h"

/*
 * Plugin calls that say what they expect. What a call leaves out is the usual: container "c1" in
 * the namespace /run/netns/c1, interface eth0, empty CNI_ARGS.
 */
struct call {
	const char *plugin, *verb, *conf;
	const char *cid, *netns, *ifname, *args, *path; /* netns: name or path; "" is handed on */
	char *const *env;				/* more "K=V" */
};

/*
 * The call succeeds: exit status 0, nothing on stderr, and on stdout nothing but, for ADD, a
 * result. Returns stdout (short-lived, see text.h).
 *
 *	const char *result = ok("bridge", "ADD", conf, .cid = "c2", .netns = "c2");
 */
#define ok(p, v, c, ...) \
	call_ok(&(const struct call){ .plugin = (p), .verb = (v), .conf = (c), ##__VA_ARGS__ })
const char *call_ok(const struct call *c);

/*
 * The call fails as the specification has it: exit status 1 and exactly one error object on stdout,
 * with this code and with these words in msg or details. Returns the object (short-lived).
 */
#define fails(code, words, p, v, c, ...) \
	call_fails(&(const struct call){ .plugin = (p), .verb = (v), .conf = (c), ##__VA_ARGS__ }, \
		   code, words)
const char *call_fails(const struct call *c, int code, const char *words);

/* Runs it and expects nothing. */
void call_run(const struct call *c, struct lab_result *out);

/* Fails the test unless r is such a failure; who is for the message. */
const char *call_refused(const char *who, const struct lab_result *r, int code, const char *words);

/*
 * Nothing changed since the snapshot. The lenient form passes over host-local's note of the last
 * address given out, which moves on by design when an attachment came and went.
 */
#define assert_untouched(before, flags, ...) \
	call_compare(before, flags, NULL, (const char *const[]){ NULL, ##__VA_ARGS__, NULL } + 1)
#define assert_left_as_before(before, flags, ...) \
	call_compare(before, flags, "/last_reserved_ip.", \
		     (const char *const[]){ NULL, ##__VA_ARGS__, NULL } + 1)
void call_compare(const char *before, unsigned flags, const char *except, const char *const *netns);

/*
 * The host without what attachments share: bridges, veths, firewall, leases, notes, forwarding. The
 * uplink of lab_outside stays.
 */
void call_reset_host(void);

/* The value at a path of a JSON text, short-lived; fails the test when it is not there. */
const char *at(const char *json, const char *path);

#endif
