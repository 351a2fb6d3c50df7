/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_LISTS_H
#define NARU_IPAM_LISTS_H

#include <stddef.h>

struct cni_route;
struct doc;
struct err;
struct json_object;

/*
 * Lists that IPAM plugins' configurations have in common, as functions of FIELD_FN rows; arrays are
 * owned by the document.
 */

/* An array of texts, each read by parse into an element of size bytes; at most max of them. */
struct texts {
	size_t max, size;
	int (*parse)(const char *s, void *elem);
	const char *expect;
};

int lists_texts(struct doc *d, struct json_object *v, const struct texts *t, void **out, size_t *n,
		const char *path, struct err *e);

/* Routes with all keys of CNI 1.1. */
struct route_list {
	struct cni_route *v;
	size_t n;
};

int lists_routes(struct doc *d, struct json_object *v, void *member, const char *path,
		 struct err *e);

struct cni_result;
/* Appends them to a result: 0 or -ENOMEM. */
int lists_add_routes(const struct route_list *l, struct cni_result *res, struct err *e);

#endif
