/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NL_NAMES_ATTR_H
#define NARU_NL_NAMES_ATTR_H

#include <stddef.h>
#include <stdint.h>

/*
 * What names.c prints: numbers and attributes with the names that the kernel's headers give them.
 */
struct name {
	uint32_t value;
	const char *name;
};
struct names {
	const struct name *v;
	size_t n;
};
extern const struct names nl_types, nl_families, nl_scopes, nl_tables, nl_protocols, nl_route_types;
/* sets of bits; a NEW and a GET give the same bits two meanings */
extern const struct names nl_request_flags, nl_new_flags, nl_get_flags, nl_link_flags,
	nl_addr_flags, nl_vlan_flags;

enum form {
	AS_BYTES,
	AS_TEXT,
	AS_NUMBER,
	AS_IP,
	AS_MAC,
	AS_ADDR_FLAGS,
	AS_VLAN,
	AS_NEST,
	AS_LINK,
	AS_KIND_DATA,
	AS_HOPS
};

struct attr_table;
struct attr_name {
	const char *name;
	enum form form;
	const struct attr_table *sub;
};
struct attr_table {
	const struct attr_name *v;
	size_t n;
};
extern const struct attr_table nl_link_attrs, nl_link_info, nl_addr_attrs, nl_route_attrs;
extern const struct attr_table nl_port_attrs; /* of a link message in the bridge's family */
/* IFLA_INFO_DATA of a kind of link; NULL when it is not known */
const struct attr_table *nl_kind_data(const char *kind);

#endif
