/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ETC_H
#define NARU_ETC_H

#include <stddef.h>

struct cni_dns;
struct cni_result;
struct err;

/* The files a container finds in its /etc: their names, in the order of etc_write. */
#define ETC_FILES 3
extern const char *const etc_files[ETC_FILES]; /* "hostname", "hosts", "resolv.conf" */

/*
 * Writes them into dir: hosts from the addresses in res (NULL: loopback alone), resolv.conf from
 * its dns, else from the host's. They are bound into the container, so they are written in place.
 */
int etc_write(int dir, const char *hostname, const struct cni_result *res, struct err *e);

/* Once the result is known: what differs from etc_write without one, in the files that it made. */
int etc_write_result(int dir, const char *hostname, const struct cni_result *res, struct err *e);

/* The texts. Pure; malloc'd, NULL when memory is out. */
char *etc_hosts(const char *hostname, const struct cni_result *res);
/*
 * host_conf: the host's resolv.conf; name servers on its loopback are of no use in another network
 * and left out.
 */
char *etc_resolv(const struct cni_dns *dns, const char *host_conf);

#endif
