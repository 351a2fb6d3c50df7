/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_RESOLV_H
#define NARU_IPAM_RESOLV_H

#include <stddef.h>

struct cni_dns;
struct err;

/*
 * resolv.conf as host-local hands it on: nameserver, domain, search and options; everything else is
 * skipped.
 */
#define RESOLV_BYTES_MAX (64 * 1024)

/*
 * Pure. Adds to *out, which is cleared by the caller also after a failure: -ENOMEM. text is
 * changed.
 */
int resolv_parse(char *text, struct cni_dns *out);

/*
 * Reads and parses a regular file (links are followed: /etc/resolv.conf mostly is one). CNI code 7
 * when it is no such file.
 */
int resolv_read(const char *path, struct cni_dns *out, struct err *e);

#endif
