// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/lists.h"

#include <errno.h>
#include <stdio.h>

#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/cni/result.h"

#define POINTER_MAX 96

int lists_texts(struct doc *d, struct json_object *v, const struct texts *t, void **out, size_t *n,
		const char *path, struct err *e)
{
	size_t len = json_len(v);
	char got[128];

	json_describe(v, got, sizeof got);
	if (!json_is_array(v))
		return err_conf(e, path, "expected array of %s, got %s", t->expect, got);
	if (len > t->max)
		return err_conf(e, path, "expected at most %zu elements, got %zu", t->max, len);
	char *elems = doc_alloc(d, len, t->size);
	if (!elems)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		const char *text = json_text(json_at(v, i));

		if (text && t->parse(text, elems + i * t->size) == 0)
			continue;
		json_describe(json_at(v, i), got, sizeof got);
		return err_conf(e, path, "element %zu: expected %s, got %s", i, t->expect, got);
	}
	*out = elems;
	*n = len;
	return 0;
}

int lists_routes(struct doc *d, struct json_object *v, void *member, const char *path,
		 struct err *e)
{
	struct route_list *l = member;
	char sub[POINTER_MAX];
	size_t len = json_len(v);

	if (!json_is_array(v) || len > DOC_ELEMENTS_MAX)
		return err_conf(e, path, "expected array of at most %d routes", DOC_ELEMENTS_MAX);
	struct cni_route *routes = doc_alloc(d, len, sizeof *routes);
	if (!routes)
		return err_set(e, -ENOMEM, "decode %s", path);
	for (size_t i = 0; i < len; i++) {
		(void)snprintf(sub, sizeof sub, "%s/%zu", path, i);
		int r = cni_route_decode(json_at(v, i), &routes[i], sub, e);
		if (r < 0)
			return r;
	}
	l->v = routes;
	l->n = len;
	return 0;
}

int lists_add_routes(const struct route_list *l, struct cni_result *res, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cni_route *to = cni_result_add_route(res, &l->v[i].dst, &l->v[i].gw);

		if (!to)
			return err_set(e, -ENOMEM, "build the result");
		*to = l->v[i];
	}
	return 0;
}
