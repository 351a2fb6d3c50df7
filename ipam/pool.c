// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "ipam/alloc.h"
#include "ipam/scan.h"
#include "ipam/store.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

struct count {
	const struct range_set *sets;
	size_t n, *reserved;
};

/* Names of reservations are addresses; others are the lock and the markers. */
static int count_name(int dir, const char *name, void *arg)
{
	struct count *c = arg;
	struct ip_addr a;

	(void)dir;
	for (size_t i = 0; ip_parse(name, &a) == 0 && i < c->n; i++)
		c->reserved[i] += range_set_find(&c->sets[i], &a) != NULL;
	return 0;
}

static size_t size_of(const struct range_set *set)
{
	struct alloc_iter it;
	struct ip_addr a;
	size_t n = 0;

	for (alloc_begin(&it, set, NULL); n <= POOL_MAX && alloc_next(&it, &a, NULL);)
		n++;
	return n;
}

int pool_report(const struct store *s, const struct range_set *sets, size_t n,
		struct json_object **out, struct err *e)
{
	cleanup_free size_t *reserved = calloc(n + 1, sizeof *reserved);
	struct count c = { sets, n, reserved };
	int r = 0;

	if (!reserved)
		return err_set(e, -ENOMEM, "count reservations");
	if (s->ix.net >= 0 && (r = scan_dir(s->ix.net, count_name, &c, e)) < 0)
		return r;
	*out = json_arr();
	for (size_t i = 0; i < n; i++) {
		cleanup_str struct str text = STR_INIT;
		struct json_object *o = json_obj();
		size_t size = size_of(&sets[i]);

		range_set_text(&sets[i], &text);
		json_set_str(o, "range", text.p);
		if (size <= POOL_MAX)
			json_set_int(o, "size", (int64_t)size);
		json_set_int(o, "reserved", (int64_t)reserved[i]);
		json_append(*out, o);
	}
	return 0;
}
