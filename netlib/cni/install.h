/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_INSTALL_H
#define NARU_CNI_INSTALL_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct json_object;

/* The program that holds all plugins, and the list of what was put beside it. */
#define INSTALL_PROGRAM "naru-cni"
#define INSTALL_MANIFEST ".naru-cni.json"

struct install {
	const char *to;		  /* directory of plugins: it must be there */
	const char *program;	  /* the file to install as INSTALL_PROGRAM */
	const char *const *names; /* of plugins, NULL-terminated: each becomes a link to it */
	const char *prefix;	  /* put before each name, NULL or "" for none */
	const char *conf_dir;	  /* where network configurations go */
	const char *const *conf;  /* files, NULL-terminated; NULL for none */
	bool replace; /* what another maker put there: keep it as NAME.orig, do not refuse */
};

/*
 * Installs as a node expects it (CNI_SPEC.md "Installing"): nothing is begun while a name is
 * another maker's; each file appears whole, under its name, at once; plugins before
 * configurations; a failure puts everything back. Installing again, or two at a time, changes
 * nothing more. *manifest (may be NULL; to be json_put) tells what is there now:
 * {"version", "program", "plugins": [NAME], "kept": [NAME], "conf": [{"file", "dir", "sha512"}]}.
 * -EEXIST names what is in the way, -EINVAL a configuration that no runtime would load.
 */
int cni_install(const struct install *in, struct json_object **manifest, struct err *e);

/*
 * Takes away what the manifest in directory `to` lists, configurations first, and puts back what
 * was kept. What was changed since stays: *left (may be NULL; to be json_put) is an array of paths.
 * conf_dir: where the configurations are now, NULL as they were installed. No manifest is success.
 */
int cni_uninstall(const char *to, const char *conf_dir, struct json_object **left, struct err *e);

#endif
