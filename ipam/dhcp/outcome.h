/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_OUTCOME_H
#define NARU_IPAM_DHCP_OUTCOME_H

struct cni_result;
struct dhcp4_lease;
struct dhcp4_options;
struct dhcp6_packet;
struct err;

/*
 * What a server gave as the result of an ADD: address with the mask (required), gateway, routes
 * (option 121 alone if it is there, else 33 and a default route by 3), DNS (6, 15, 119). Appends to
 * res. Pure. -EBADMSG says which option is missing or wrong.
 */
int outcome4(const struct dhcp4_lease *l, const struct dhcp4_options *o, struct cni_result *res,
	     struct err *e);
/* The address with its full length, and DNS; routers of IPv6 announce themselves. */
int outcome6(const struct dhcp6_packet *reply, struct cni_result *res, struct err *e);

#endif
