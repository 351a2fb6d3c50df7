/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CLI_CNI_H
#define NARU_CLI_CNI_H

#include "netlib/base/decode.h"
#include "netlib/cni/netlist.h"
#include "runner/cli/cli.h"

struct cni_result;
struct str;

/* The actions of naru cni. cni.c is cnitool's side; what an operator asks has a file each. */
struct cni_opts {
	const char *ifname, *cache_dir;
	enum out_format output;
	bool del; /* plan */
};

#define CNI_ID_BYTES 10 /* of the hash of the namespace's path */
struct cni_call {	/* the command line and the environment, made sense of */
	struct netlist list;
	struct netlist_rt rt;
	struct doc caps;
	char *args_text, *netns;
	struct netlist_arg *args;
	size_t nargs;
	char container[sizeof "cnitool-" + 2 * CNI_ID_BYTES];
	const struct cni_opts *opts;
};

#define CNI_PLUGIN_DIR "/opt/cni/bin"
/* of an environment variable, unless it is empty */
const char *cni_env_or(const char *name, const char *fallback);
const char *cni_conf_dir(void);	   /* NETCONFPATH */
const char *cni_plugin_path(void); /* CNI_PATH */

/* Text of a result as add prints it, without a newline. */
int cni_result_text(struct cni_call *c, const struct cni_result *res, struct str *s, struct err *e);

int cni_reload(const struct cni_opts *o, const struct operands *args, struct err *e);
int cni_metrics(const struct cni_opts *o, const struct operands *args, struct err *e);
int cni_plan(struct cni_call *c, struct err *e);
/* args->v[0] is the action. The exit status, or negative. */
int cni_lint(const struct cni_opts *o, const struct operands *args, struct err *e);

#endif
