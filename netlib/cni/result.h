/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_RESULT_H
#define NARU_CNI_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlib/cni/version.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/ifname.h"
#include "netlib/ip/mac.h"

struct doc;
struct err;
struct json_object;
struct str;

/*
 * CNI 1.1.0 section "Success", in the newest shape; older versions are converted on the way in and
 * out.
 */
struct cni_iface {
	char *name, *sandbox; /* owned; sandbox NULL for host interfaces */
	struct mac mac;
	uint32_t mtu; /* 0 = not told */
	char *socket_path, *pci_id;
};

struct cni_ip {
	struct ip_prefix address;
	struct ip_addr gateway; /* unset = none */
	int interface;		/* index into ifaces; -1 = none */
};

struct cni_route {
	struct ip_prefix dst;
	struct ip_addr gw;
	uint32_t mtu, advmss, priority;
	uint32_t table;
	uint8_t scope;
	bool has_table, has_scope;
};

struct cni_dns {
	char **nameservers, **search, **options; /* owned */
	size_t nnameservers, nsearch, noptions;
	char *domain;
};

struct cni_result {
	struct cni_iface *ifaces;
	size_t nifaces;
	struct cni_ip *ips;
	size_t nips;
	struct cni_route *routes;
	size_t nroutes;
	struct cni_dns dns;
};

#define cleanup_result __attribute__((cleanup(cni_result_clear)))
void cni_result_clear(struct cni_result *r);

/*
 * Decodes a result of the given version's family. path is its JSON pointer, for errors
 * ("/prevResult").
 */
int cni_result_decode(struct json_object *o, enum cni_version v, struct cni_result *out,
		      const char *path, struct err *e);

/*
 * The document in the reference's exact form for the version: four-space indent, no final newline,
 * keys sorted for 1.x, fixed order before; "dns": {} always present before 1.0. Versions 0.1.0 and
 * 0.2.0 keep the first address of each family and fail when there is none: "cannot convert: no
 * valid IP addresses". ipam: leave interfaces and indexes out.
 */
int cni_result_print(const struct cni_result *r, enum cni_version v, bool ipam, struct str *out,
		     struct err *e);
/* The same as a tree (for prevResult and the result cache). */
struct json_object *cni_result_encode(const struct cni_result *r, enum cni_version v, bool ipam,
				      struct err *e);

/* Builders; copies are made. NULL when memory is out. */
struct cni_iface *cni_result_add_iface(struct cni_result *r, const char *name, const char *sandbox,
				       const struct mac *mac);
struct cni_ip *cni_result_add_ip(struct cni_result *r, const struct ip_prefix *address,
				 const struct ip_addr *gw, int iface);
struct cni_route *cni_result_add_route(struct cni_result *r, const struct ip_prefix *dst,
				       const struct ip_addr *gw);

/* dns objects: {nameservers, domain, search, options}. */
int cni_dns_decode(struct json_object *o, struct cni_dns *out, const char *path, struct err *e);
int cni_dns_copy(const struct cni_dns *from, struct cni_dns *to);
bool cni_dns_empty(const struct cni_dns *d);
void cni_dns_clear(struct cni_dns *d);
/* routes as they stand in an IPAM configuration or a result */
int cni_route_decode(struct json_object *o, struct cni_route *out, const char *path, struct err *e);

#endif
