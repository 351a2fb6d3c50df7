/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_CONF_H
#define NARU_CNI_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "netlib/base/decode.h"
#include "netlib/cni/result.h"
#include "netlib/cni/version.h"

struct err;

struct cni_attachment { /* one entry of cni.dev/valid-attachments */
	const char *container, *ifname;
};

/*
 * What every plugin configuration has in common (CNI 1.1.0 "Plugin configuration objects"). Borrows
 * from doc.
 */
struct cni_conf {
	struct doc doc; /* the whole document: stdin */
	char *text;	/* the bytes of stdin as they came, for delegates; owned */
	size_t len;
	const char *name, *type, *version_text;
	/* version_text as far as it was read, also when parsing failed: for the error document */
	char version_said[16];
	enum cni_version version;
	struct json_object *ipam; /* object or NULL */
	const char *ipam_type;	  /* NULL or "" = no IPAM: pure layer 2 */
	/* object as given, NULL when absent; decoded into dns_conf */
	struct json_object *dns;
	struct cni_dns dns_conf;      /* owned */
	struct json_object *args_cni; /* args.cni or NULL */
	struct json_object *runtime;  /* runtimeConfig or NULL */
	struct json_object *prev;     /* prevResult or NULL */
	struct cni_attachment *valid; /* GC */
	size_t nvalid;
};

#define cleanup_conf __attribute__((cleanup(cni_conf_clear)))
void cni_conf_clear(struct cni_conf *c);

/*
 * Parses the common keys of a document (takes text over). Checks in the reference's order: JSON
 * (code 6), name (code 7). The version text is kept; cni_version_parse is the next check. Errors of
 * a key carry its path.
 */
int cni_conf_parse(struct cni_conf *c, char *text, size_t len, struct err *e);

#endif
