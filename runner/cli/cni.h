/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CLI_CNI_H
#define NARU_CLI_CNI_H

#include "netlib/base/decode.h"
#include "netlib/cni/netlist.h"
#include "runner/cli/cli.h"

/* The actions of naru cni. cni.c is cnitool's side; what an operator asks has a file each. */
struct cni_opts {
	const char *ifname, *cache_dir;
	enum out_format output;
};

#define CNI_PLUGIN_DIR "/opt/cni/bin"
/* of an environment variable, unless it is empty */
const char *cni_env_or(const char *name, const char *fallback);
const char *cni_conf_dir(void);	   /* NETCONFPATH */
const char *cni_plugin_path(void); /* CNI_PATH */

/* args->v[0] is the action. The exit status, or negative. */
int cni_lint(const struct cni_opts *o, const struct operands *args, struct err *e);

#endif
