// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

int span_parse(const char *s, struct ip_span *out)
{
	struct ip_prefix p;

	if (!strchr(s, '/')) {
		int r = ip_parse(s, &out->lo);

		if (r == 0)
			out->hi = out->lo;
		return r;
	}
	if (ip_prefix_parse(s, &p) < 0)
		return -EINVAL;
	*out = (struct ip_span){ ip_network(&p), ip_last(&p) };
	return 0;
}

static int by_lo(const void *a, const void *b)
{
	return ip_cmp(&((const struct ip_span *)a)->lo, &((const struct ip_span *)b)->lo);
}

/* b follows a immediately or lies in it; a.lo <= b.lo. */
static bool joins(const struct ip_span *a, const struct ip_span *b)
{
	if (a->hi.family != b->lo.family)
		return false;
	if (ip_cmp(&b->lo, &a->hi) <= 0)
		return true;
	struct ip_addr before = ip_prev(&b->lo);
	return ip_eq(&before, &a->hi);
}

void spans_tidy(struct ip_spans *s)
{
	size_t kept = 0;

	if (s->n < 2)
		return;
	qsort(s->v, s->n, sizeof *s->v, by_lo);
	for (size_t i = 1; i < s->n; i++) {
		struct ip_span *last = &s->v[kept];

		if (!joins(last, &s->v[i]))
			s->v[++kept] = s->v[i];
		else if (ip_cmp(&s->v[i].hi, &last->hi) > 0)
			last->hi = s->v[i].hi;
	}
	s->n = kept + 1;
}

static int against_span(const void *key, const void *elem)
{
	const struct ip_span *s = elem;

	if (ip_cmp(key, &s->lo) < 0)
		return -1;
	return ip_cmp(key, &s->hi) > 0;
}

const struct ip_span *spans_find(const struct ip_spans *s, const struct ip_addr *a)
{
	return s->n ? bsearch(a, s->v, s->n, sizeof *s->v, against_span) : NULL;
}

bool range_contains(const struct ip_range *r, const struct ip_addr *a)
{
	return ip_prefix_contains(&r->subnet, a) && ip_cmp(a, &r->start) >= 0 &&
	       ip_cmp(a, &r->end) <= 0;
}

static int check_subnet(const struct ip_prefix *subnet, struct err *e)
{
	char text[IP_TEXT_MAX];
	struct ip_addr net = ip_network(subnet);

	if (!ip_is_set(&subnet->addr))
		return err_say(e, -EINVAL, "\"subnet\" is missing");
	if (subnet->len > ip_bits(&subnet->addr) - 2)
		return err_say(e, -EINVAL, "Network %s too small to allocate from",
			       ip_prefix_text(subnet, text));
	if (!ip_eq(&net, &subnet->addr))
		return err_say(
			e, -EINVAL,
			"Network has host bits set. For a subnet mask of length %u the network address is %s",
			subnet->len, ip_text(&net, text));
	return 0;
}

static int check_end(const struct ip_prefix *subnet, const struct ip_addr *a, const char *name,
		     struct err *e)
{
	char text[IP_TEXT_MAX], net[IP_TEXT_MAX];

	if (!ip_prefix_contains(subnet, a))
		return err_say(e, -EINVAL, "%s %s not in network %s", name, ip_text(a, text),
			       ip_prefix_text(subnet, net));
	return 0;
}

int range_fill(struct ip_range *r, struct err *e)
{
	char text[IP_TEXT_MAX], other[IP_TEXT_MAX];
	struct ip_range f = *r;
	int rc;

	if ((rc = check_subnet(&f.subnet, e)) < 0)
		return rc;
	struct ip_addr first = ip_next(&f.subnet.addr), last = ip_last(&f.subnet);
	if (f.subnet.addr.family == AF_INET)
		last = ip_prev(&last);
	if (!ip_is_set(&f.gateway))
		f.gateway = first;
	if (!ip_is_set(&f.start))
		f.start = first;
	if (!ip_is_set(&f.end))
		f.end = last;
	if (f.gateway.family != f.subnet.addr.family)
		return err_say(e, -EINVAL, "gateway %s is not of the family of network %s",
			       ip_text(&f.gateway, text), ip_prefix_text(&f.subnet, other));
	if ((rc = check_end(&f.subnet, &f.start, "RangeStart", e)) < 0 ||
	    (rc = check_end(&f.subnet, &f.end, "RangeEnd", e)) < 0)
		return rc;
	if (ip_cmp(&f.start, &f.end) > 0)
		return err_say(e, -EINVAL, "RangeStart %s is after RangeEnd %s",
			       ip_text(&f.start, text), ip_text(&f.end, other));
	*r = f;
	return 0;
}

/* A range with the number to report it by. */
struct tagged {
	struct ip_span span; /* first, so that by_lo serves */
	size_t tag;
};

/* 1 and the two tags, the smaller first, when any two spans overlap; sorts v. */
static int find_overlap(struct tagged *v, size_t n, size_t *a, size_t *b)
{
	qsort(v, n, sizeof *v, by_lo);
	for (size_t i = 1, reach = 0; i < n;
	     i++) { /* reach: the one that extends furthest so far */
		if (ip_cmp(&v[i].span.lo, &v[reach].span.hi) <= 0) {
			*a = v[i].tag < v[reach].tag ? v[i].tag : v[reach].tag;
			*b = v[i].tag < v[reach].tag ? v[reach].tag : v[i].tag;
			return 1;
		}
		reach = i; /* no overlap so far: the later one also ends later */
	}
	return 0;
}

static void add_range_text(const struct ip_range *r, struct str *out)
{
	char start[IP_TEXT_MAX], end[IP_TEXT_MAX];

	str_addf(out, "%s-%s", ip_text(&r->start, start), ip_text(&r->end, end));
}

static int overlap_in_set(const struct range_set *s, struct err *e)
{
	cleanup_free struct tagged *v = calloc(s->n, sizeof *v);
	cleanup_str struct str one = STR_INIT, two = STR_INIT;
	size_t a, b;

	if (!v)
		return err_set(e, -ENOMEM, "compare ranges");
	for (size_t i = 0; i < s->n; i++)
		v[i] = (struct tagged){ { s->v[i].start, s->v[i].end }, i };
	if (!find_overlap(v, s->n, &a, &b))
		return 0;
	add_range_text(&s->v[a], &one);
	add_range_text(&s->v[b], &two);
	return err_say(e, -EINVAL, "subnets %s and %s overlap", one.p, two.p);
}

int range_set_fill(struct range_set *s, struct err *e)
{
	if (!s->n)
		return err_say(e, -EINVAL, "empty range set");
	for (size_t i = 0; i < s->n; i++) {
		int r = range_fill(&s->v[i], e);

		if (r < 0)
			return r;
		if (s->v[i].start.family != s->v[0].start.family)
			return err_say(e, -EINVAL, "mixed address families");
	}
	return overlap_in_set(s, e);
}

const struct ip_range *range_set_find(const struct range_set *s, const struct ip_addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (range_contains(&s->v[i], a))
			return &s->v[i];
	return NULL;
}

bool range_set_excludes(const struct range_set *s, const struct ip_range *r,
			const struct ip_addr *a)
{
	return ip_eq(a, &r->gateway) || spans_find(&r->exclude, a) ||
	       (s->exclude && spans_find(s->exclude, a));
}

void range_set_text(const struct range_set *s, struct str *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			str_addc(out, ',');
		add_range_text(&s->v[i], out);
	}
}

int range_sets_check(const struct range_set *sets, size_t n, struct err *e)
{
	size_t total = 0, k = 0, a, b;

	for (size_t i = 0; i < n; i++)
		total += sets[i].n;
	cleanup_free struct tagged *v = calloc(total + 1, sizeof *v);
	if (!v)
		return err_set(e, -ENOMEM, "compare range sets");
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sets[i].n; j++)
			v[k++] = (struct tagged){ { sets[i].v[j].start, sets[i].v[j].end }, i };
	if (find_overlap(v, total, &a, &b))
		return err_say(e, -EINVAL, "range set %zu overlaps with %zu", a, b);
	return 0;
}
