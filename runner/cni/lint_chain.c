// SPDX-License-Identifier: GPL-2.0-or-later
/* Mistakes that no plugin can see: how those of a network go together, and networks with others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/ip/addr.h"
#include "runner/cni/lint.h"
#include "runner/opt.h"

/* The names that runtimes give meaning to: the conventions of CNI. */
static const char *const conventions[] = {
	"portMappings",	  "ipRanges", "bandwidth", "dns",	 "ips", "mac",
	"infinibandGUID", "deviceID", "aliases",   "cgroupPath", NULL
};

static bool is_kind(const struct lint_plugin *p, const char *kind)
{
	return !strcmp(p->kind, kind);
}

/* ---- order */

static void judge_order(struct lint *l, const struct lint_net *n)
{
	const struct lint_plugin *interface = NULL;
	bool unknown = false; /* somebody who does not tell may have made an interface */

	for (size_t i = 0; i < n->n; i++) {
		const struct lint_plugin *p = &n->v[i];
		cleanup_free char *path = str_fmt("%s/type", p->base);

		if (!path)
			return;
		if (is_kind(p, "chained") && !interface && !unknown && i == 0)
			lint_add(l, p->file, true, "order", path, false,
				 "%s works on what an interface plugin made before it; put one, "
				 "such as bridge, in front",
				 p->type);
		else if (is_kind(p, "chained") && !interface && !unknown)
			lint_add(l, p->file, true, "order", path, false,
				 "%s comes before every plugin that makes an interface; put it "
				 "behind",
				 p->type);
		if (is_kind(p, "ipam"))
			lint_add(l, p->file, true, "order", path, false,
				 "%s gives addresses to an interface plugin: expected in its "
				 "\"ipam\", not in the list",
				 p->type);
		if (is_kind(p, "interface") && interface)
			lint_add(l, p->file, true, "order", path, false,
				 "a second interface plugin: %s has made the container's interface "
				 "already, and both use its one name; make it a network of its own",
				 interface->type);
		if (is_kind(p, "interface") && !interface)
			interface = p;
		unknown |= !p->desc;
	}
}

/* ---- twice */

static void judge_twice(struct lint *l, const struct lint_net *n)
{
	const struct lint_plugin *masq = NULL;

	for (size_t i = 0; i < n->n; i++) {
		const struct lint_plugin *p = &n->v[i];
		cleanup_free char *path = str_fmt("%s/type", p->base);

		for (size_t k = 0; path && p->type && is_kind(p, "chained") && k < i; k++)
			if (n->v[k].type && !strcmp(n->v[k].type, p->type) &&
			    strcmp(p->type, "tuning") != 0)
				lint_add(l, p->file, false, "twice", path, false,
					 "%s stands in this chain before; the second does the same "
					 "again",
					 p->type);
		if (json_true(json_get(p->conf, "ipMasq")))
			masq = p;
		else if (path && masq && p->type && !strcmp(p->type, "masquerade"))
			lint_add(l, p->file, false, "masquerade-twice", path, false,
				 "ipMasq of %s masquerades already; leave out one of the two",
				 masq->type);
	}
}

/* ---- capabilities */

static struct json_object *runtime_keys(struct json_object *desc)
{
	struct json_object *own =
		desc ? lint_key_of(json_get(desc, "keys"), "runtimeConfig") : NULL;

	return json_get(own, "keys");
}

static bool conventional(const char *key)
{
	for (const char *const *c = conventions; *c; c++)
		if (!strcmp(*c, key))
			return true;
	return false;
}

struct capabilities {
	struct lint *l;
	const struct lint_plugin *p;
	bool any; /* one that the plugin reads is asked for */
};

static int judge_capability(const char *key, struct json_object *v, void *arg)
{
	struct capabilities *x = arg;
	const struct lint_plugin *p = x->p;
	cleanup_free char *path = str_fmt("%s/capabilities/%s", p->base, key);
	struct json_object *own = runtime_keys(p->desc), *ipam = runtime_keys(p->ipam);
	bool reads = lint_key_of(own, key) || lint_key_of(ipam, key);

	if (!path)
		return 0;
	x->any |= json_true(v) && reads;
	if (reads || !p->desc)
		return 0;
	const char *near = conventional(key) ? NULL : opt_nearest(key, conventions);
	if (near)
		lint_add(x->l, p->file, false, "capability", path, true,
			 "no runtime gives a capability \"%s\"; did you mean \"%s\"?", key, near);
	else if (!conventional(key) || is_kind(p, "chained"))
		lint_add(x->l, p->file, false, "capability", path, true,
			 "%s does not read the capability \"%s\"", p->type, key);
	return 0;
}

static void judge_capabilities(struct lint *l, const struct lint_plugin *p)
{
	struct capabilities x = { .l = l, .p = p };
	struct json_object *own = runtime_keys(p->desc);
	const char *first = json_len(own) ? json_text(json_get(json_at(own, 0), "key")) : NULL;

	if (json_is_object(json_get(p->conf, "capabilities")))
		(void)json_each(json_get(p->conf, "capabilities"), judge_capability, &x);
	if (first && json_true(json_get(p->desc, "byCapability")) && !x.any &&
	    !json_get(json_get(p->conf, "runtimeConfig"), first))
		lint_add(l, p->file, false, "capability", p->base, false,
			 "%s gets nothing to do: expected \"capabilities\": {\"%s\": true}",
			 p->type, first);
}

void lint_chain(struct lint *l, const struct lint_net *n)
{
	judge_order(l, n);
	judge_twice(l, n);
	for (size_t i = 0; i < n->n; i++)
		if (n->v[i].desc)
			judge_capabilities(l, &n->v[i]);
}

/* ---- networks beside each other */

struct subnet {
	struct ip_prefix net;
	const struct lint_net *of;
	const struct lint_plugin *p;
	char path[256];
	const char *bridge;
};

struct subnets {
	struct subnet *v;
	size_t n;
};

static void take_subnet(struct subnets *s, const struct lint_net *n, const struct lint_plugin *p,
			struct json_object *range, const char *below)
{
	const char *text = json_text(json_get(range, "subnet"));
	struct ip_prefix net;

	if (!text || ip_prefix_parse(text, &net) < 0)
		return;
	struct subnet *x = vec_add(&s->v, &s->n);
	if (!x)
		return;
	x->net = net;
	x->of = n;
	x->p = p;
	(void)str_copyf(x->path, sizeof x->path, "%s/ipam%s/subnet", p->base, below);
	struct json_object *key = p->desc ? lint_key_of(json_get(p->desc, "keys"), "bridge") : NULL;
	if (key)
		x->bridge = json_text(json_get(p->conf, "bridge")) ?:
				    json_text(json_get(key, "default"));
}

static void take_subnets(struct subnets *s, const struct lint_net *n, const struct lint_plugin *p)
{
	struct json_object *ipam = json_get(p->conf, "ipam"),
			   *sets = json_is_object(ipam) ? json_get(ipam, "ranges") : NULL;
	char below[64];

	if (json_is_object(ipam))
		take_subnet(s, n, p, ipam, "");
	for (size_t i = 0; json_is_array(sets) && i < json_len(sets); i++) {
		struct json_object *set = json_at(sets, i);

		for (size_t k = 0; json_is_array(set) && k < json_len(set); k++) {
			(void)snprintf(below, sizeof below, "/ranges/%zu/%zu", i, k);
			if (json_is_object(json_at(set, k)))
				take_subnet(s, n, p, json_at(set, k), below);
		}
	}
}

static void judge_pair(struct lint *l, const struct subnet *a, const struct subnet *b)
{
	char mine[IP_TEXT_MAX], theirs[IP_TEXT_MAX];

	if (a->of == b->of || (a->of->name && b->of->name && !strcmp(a->of->name, b->of->name)))
		return;
	(void)ip_prefix_text(&a->net, mine);
	(void)ip_prefix_text(&b->net, theirs);
	if (ip_prefix_overlaps(&a->net, &b->net))
		lint_add(l, a->of->file, false, "subnet-overlap", a->path, false,
			 "%s overlaps %s of network %s (%s): each gives addresses without asking "
			 "the other",
			 mine, theirs, b->of->name ?: "?", b->of->file->name);
	else if (a->net.addr.family == b->net.addr.family && a->bridge && b->bridge &&
		 !strcmp(a->bridge, b->bridge))
		lint_add(l, a->of->file, false, "bridge-shared", a->path, false,
			 "bridge %s carries %s here and %s in network %s (%s): the gateway's "
			 "address of one is in the way of the other's",
			 a->bridge, mine, theirs, b->of->name ?: "?", b->of->file->name);
}

static void judge_names(struct lint *l)
{
	for (size_t i = 0; i < l->nnets; i++)
		for (size_t k = 0; k < i; k++)
			if (l->nets[i].name && l->nets[k].name &&
			    !strcmp(l->nets[i].name, l->nets[k].name)) {
				lint_add(l, l->nets[i].file, false, "name-twice", "/name", false,
					 "network %s is in %s, too, and only one of them is ever "
					 "used",
					 l->nets[i].name, l->nets[k].file->name);
				break;
			}
}

void lint_networks(struct lint *l)
{
	struct subnets s = { 0 };

	for (size_t i = 0; i < l->nnets; i++)
		for (size_t k = 0; k < l->nets[i].n; k++)
			take_subnets(&s, &l->nets[i], &l->nets[i].v[k]);
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < i; k++)
			judge_pair(l, &s.v[i], &s.v[k]);
	free(s.v);
	judge_names(l);
}
