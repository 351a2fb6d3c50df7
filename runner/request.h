/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_REQUEST_H
#define NARU_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/ip/port.h"
#include "runner/image/store.h"
#include "runner/record.h"
#include "runner/user.h"
#include "runner/volume.h"

struct err;
struct operands;

/* What the command line of `run` said, as the option table fills it. Strings borrow from argv. */
struct run_opts {
	bool rm, detach, publish_all;
	const char *name, *rootfs, *network, *hostname, *workdir, *user, *entrypoint;
	const char **ports, **env, **volumes;
	size_t nports, nenv, nvolumes;
	int64_t memory, nano_cpus, cpu_shares, pids_limit;
};

/*
 * A container as it shall be: options and image configuration merged, everything looked up and
 * checked, nothing made yet. rec lacks what only its making tells (id, name when none was given,
 * created). Its strings borrow from opts, image and the members here.
 */
struct request {
	struct ctr_record rec;
	struct image image;
	struct user user;
	struct port_map *ports;
	size_t nports;
	struct volume *volumes;
	size_t nvolumes;
	const char *entrypoint[1]; /* --entrypoint */
	const char **args;	   /* of the process, NULL-terminated; counted with the NULL */
	const char **env;	   /* the same; without PATH and HOSTNAME when nobody set them */
	char **owned;		   /* texts made on the way */
	size_t nargs, nenv, nowned;
	const char *cwd;
};

#define REQUEST_INIT { .rec = { .id = "" } }
#define cleanup_request __attribute__((cleanup(request_clear)))

/*
 * args: IMAGE [COMMAND...], or the command alone with --rootfs. Docker's rules: a command replaces
 * the image's Cmd, --entrypoint its Entrypoint and Cmd; -e wins over the image's Env, -e NAME
 * copies from our own environment and is left out when it is not set there.
 */
int request_build(struct request *rq, const struct run_opts *o, const struct operands *args,
		  struct err *e);
void request_clear(struct request *rq);

#endif
