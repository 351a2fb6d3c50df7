/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_RECORD_H
#define NARU_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc;
struct err;
struct json_object;

#define ID_LEN 64
#define ID_SHOWN 12

/*
 * The documents of a container as structs, and back. Pure but for the clock. Decoded strings borrow
 * from the document.
 */

/* container.json: what was asked for; never changed. Borrows from doc. */
struct ctr_record {
	const char *id, *name;	      /* name: id's first 12 digits when none was given */
	const char *created;	      /* RFC 3339 */
	const char *image, *image_id; /* image "": --rootfs */
	const char *rootfs;	      /* --rootfs, else NULL */
	const char *network;	      /* name, "none" or "host" */
	const char *hostname, *user, *working_dir, *stop_signal;
	const char **lowers, **entrypoint, **cmd, **ports, **binds, **exposed;
	size_t nlowers, nentrypoint, ncmd, nports, nbinds, nexposed;
	bool auto_remove, detached;
	int64_t memory, nano_cpus, cpu_shares, pids_limit; /* 0: not limited */
};

/* state.json: the running process and what belongs to it. */
struct ctr_live {
	int64_t pid;
	uint64_t start_time; /* with pid: the identity of the process (engine_alive) */
	const char *boot;    /* boot_id: of another boot, nothing of this is true */
	const char *started; /* RFC 3339 */
	const char *cgroup;
	const char *ifname;
	struct json_object *result; /* CNI result (1.1.0), or NULL */
};

/* exit.json */
struct ctr_exit {
	int64_t code; /* 0..255 */
	bool oom;
	bool lost; /* nobody was there to see it end: code is 255 */
	const char *started, *finished, *error;
};

int record_decode(struct doc *d, struct ctr_record *out, struct err *e);
int live_decode(struct doc *d, struct ctr_live *out, struct err *e);
int exit_decode(struct doc *d, struct ctr_exit *out, struct err *e);
struct json_object *record_encode(const struct ctr_record *r);
struct json_object *live_encode(const struct ctr_live *l);
struct json_object *exit_encode(const struct ctr_exit *x);
/* An array of strings; NULL when v is NULL (docker's null). */
struct json_object *record_strings(const char *const *v, size_t n);

#define TIME_TEXT_MAX 40
const char *time_now_text(char buf[TIME_TEXT_MAX]); /* RFC 3339 with nanoseconds, UTC */
int64_t time_parse_text(const char *text);	    /* seconds since the epoch; 0 when malformed */
const char *boot_id_text(char buf[40]);

#endif
