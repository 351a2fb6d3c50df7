/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NL_ATTR_H
#define NARU_NL_ATTR_H

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * What a reply's attributes become, as a table indexed by attribute type; one decoder checks
 * lengths and terminators.
 *
 * 	static const struct attr_spec link_attrs[] = {
 * 		[IFLA_IFNAME]   = ATTR_STR(struct link, name),
 * 		[IFLA_LINKINFO] = ATTR_NEST(link_info),
 * 	};
 */
enum attr_type {
	ATTR_T_NONE,
	ATTR_T_STR,
	ATTR_T_U8,
	ATTR_T_U16,
	ATTR_T_U32,
	ATTR_T_U32BE,
	ATTR_T_BYTES,
	ATTR_T_NEST,
	ATTR_T_FN
};

struct attr_spec {
	enum attr_type type;
	size_t off, size;
	const struct attr_spec *sub;
	size_t nsub;
	int (*fn)(const void *data, size_t len, void *obj); /* obj is the whole struct */
};

/* char member[N]; longer texts are refused */
#define ATTR_STR(T, m) { .type = ATTR_T_STR, .off = offsetof(T, m), .size = sizeof(((T *)0)->m) }
#define ATTR_U8(T, m) { .type = ATTR_T_U8, .off = offsetof(T, m) }
#define ATTR_U16(T, m) { .type = ATTR_T_U16, .off = offsetof(T, m) }
#define ATTR_U32(T, m) { .type = ATTR_T_U32, .off = offsetof(T, m) }
#define ATTR_U32BE(T, m) { .type = ATTR_T_U32BE, .off = offsetof(T, m) }
/* exactly the member's size, else ignored */
#define ATTR_BYTES(T, m) \
	{ .type = ATTR_T_BYTES, .off = offsetof(T, m), .size = sizeof(((T *)0)->m) }
#define ATTR_NEST(table) \
	{ .type = ATTR_T_NEST, .sub = (table), .nsub = sizeof(table) / sizeof((table)[0]) }
#define ATTR_FN(function) { .type = ATTR_T_FN, .fn = (function) }

/*
 * Decodes the attributes after the family header of hdr_len bytes. 0, or -EBADMSG when the message
 * is malformed.
 */
int attr_decode(const struct nlmsghdr *h, size_t hdr_len, const struct attr_spec *specs, size_t n,
		void *obj);
#define attr_decode_msg(h, hdr_len, table, obj) \
	attr_decode((h), (hdr_len), (table), sizeof(table) / sizeof((table)[0]), (obj))

/* The same for attributes in memory (a nested payload). */
int attr_decode_raw(const void *data, size_t len, const struct attr_spec *specs, size_t n,
		    void *obj);

#endif
