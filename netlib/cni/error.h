/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_ERROR_H
#define NARU_CNI_ERROR_H

struct err;
struct str;

/* CNI 1.1.0 section "Error": well-known codes, and ours from 100. */
enum cni_code {
	CNI_E_VERSION = 1,
	CNI_E_FIELD = 2,
	CNI_E_CONTAINER = 3,
	CNI_E_ENV = 4,
	CNI_E_IO = 5,
	CNI_E_DECODE = 6,
	CNI_E_CONFIG = 7,
	CNI_E_NETNS = 8,
	CNI_E_RETRY = 11,
	CNI_E_UNAVAILABLE = 50,
	CNI_E_LIMITED = 51,
	CNI_E_IN_USE = 100,    /* host port, address, interface name or id is taken */
	CNI_E_EXHAUSTED = 101, /* no address left */
	CNI_E_CHECK = 102,     /* CHECK found a difference */
	CNI_E_PERMISSION = 103,
	CNI_E_UNSUPPORTED = 104, /* the kernel lacks something */
	CNI_E_OTHER = 999,
};

/* The code to report: e->code, else from errno by table. */
int cni_error_code(const struct err *e);
/* {"cniVersion","code","msg","details"}, indented by four, no newline. version may be NULL. */
void cni_error_print(const struct err *e, const char *version, struct str *out);

#endif
