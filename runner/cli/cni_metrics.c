// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni metrics: pools, attachments and firewall elements now, and the counters of plugins. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/cache.h"
#include "netlib/cni/metrics.h"
#include "netlib/fw/fw.h"
#include "netlib/net/netns.h"
#include "runner/cli/cni.h"
#include "runner/cni/ask.h"
#include "runner/cni/networks.h"

/* What there is to measure, in the order of printing. */
enum metric { ATTACHMENTS, STALE, ELEMENTS, POOL_SIZE, POOL_RESERVED, METRICS };
static const struct {
	const char *name, *help;
} metrics[METRICS] = {
	[ATTACHMENTS] = { "naru_cni_attachments", "Attachments in the result cache." },
	[STALE] = { "naru_cni_stale_attachments", "Those whose namespace is gone." },
	[ELEMENTS] = { "naru_firewall_elements", "Elements of attachments in the firewall." },
	[POOL_SIZE] = { "naru_ipam_addresses", "Addresses that a pool can give." },
	[POOL_RESERVED] = { "naru_ipam_reserved_addresses", "Addresses that are reserved." },
};

struct sample {
	enum metric metric;
	char labels[256]; /* network="web",what="dnat" */
	int64_t value;
};

struct samples {
	struct sample *v;
	size_t n;
	const char *cache_dir;
	const struct netlist *net;
};

__attribute__((format(printf, 4, 5))) static void add(struct samples *s, enum metric metric,
						      int64_t value, const char *fmt, ...)
{
	char labels[sizeof s->v->labels];
	struct sample *x;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(labels, sizeof labels, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].metric == metric && !strcmp(s->v[i].labels, labels)) {
			s->v[i].value += value;
			return;
		}
	if (!(x = vec_add(&s->v, &s->n)))
		return;
	x->metric = metric;
	x->value = value;
	(void)str_copyf(x->labels, sizeof x->labels, "%s", labels);
}

/* ---- attachments and pools, network by network */

static int count_attachment(const char *file, const struct cache_entry *entry, void *arg)
{
	struct samples *s = arg;
	cleanup_fd int fd = -1;

	(void)file;
	if (!entry)
		return 0;
	bool gone = !entry->netns || !*entry->netns || netns_open(entry->netns, &fd, NULL) != 0;
	add(s, ATTACHMENTS, 1, "network=\"%s\"", s->net->name);
	add(s, STALE, gone, "network=\"%s\"", s->net->name);
	return 0;
}

static int copy_member(const char *key, struct json_object *v, void *arg)
{
	if (v)
		json_set(arg, key, json_ref(v));
	return 0;
}

/* An IPAM plugin that keeps pools tells them when it is shown its configuration. */
static void ask_pools(struct samples *s, const struct netlist_plugin *p, const char *path)
{
	struct json_object *ipam = json_get(p->conf, "ipam");
	const char *type = json_is_object(ipam) ? json_text(json_get(ipam, "type")) : NULL;
	cleanup_json struct json_object *o = json_obj();
	cleanup_doc struct doc answer = DOC_INIT;
	cleanup_str struct str text = STR_INIT;

	if (!type || !*type)
		return;
	(void)json_each(p->conf, copy_member, o);
	json_set_str(o, "name", s->net->name);
	json_set_str(o, "cniVersion", cni_version_names[s->net->version]);
	json_print(&text, o, 0, true);
	if (text.bad || plugin_ask(type, path, text.p, text.len, &answer, NULL) < 0)
		return;
	struct json_object *desc = plugin_description(&answer),
			   *pools = desc ? json_get(desc, "pools") : NULL;
	for (size_t i = 0; json_is_array(pools) && i < json_len(pools); i++) {
		struct json_object *pool = json_at(pools, i);
		const char *range = json_text(json_get(pool, "range"));
		int64_t n;

		if (json_int(json_get(pool, "size"), &n) == 0)
			add(s, POOL_SIZE, n, "network=\"%s\",range=\"%.150s\"", s->net->name,
			    range ?: "");
		if (json_int(json_get(pool, "reserved"), &n) == 0)
			add(s, POOL_RESERVED, n, "network=\"%s\",range=\"%.150s\"", s->net->name,
			    range ?: "");
	}
}

static int measure_network(const struct netlist *n, const char *path, void *arg, struct err *e)
{
	struct samples *s = arg;

	s->net = n;
	add(s, ATTACHMENTS, 0, "network=\"%s\"", n->name);
	add(s, STALE, 0, "network=\"%s\"", n->name);
	for (size_t i = 0; i < n->nplugins; i++)
		ask_pools(s, &n->plugins[i], path);
	return cache_each(s->cache_dir, n->name, count_attachment, s, e);
}

/* ---- the firewall */

static int count_element(const char *owner, const char *what, const char *text, void *arg)
{
	(void)text;
	add(arg, ELEMENTS, 1, "network=\"%.*s\",what=\"%s\"", (int)strcspn(owner, "/"), owner,
	    what);
	return 0;
}

/* A kernel without one has no elements. */
static void measure_firewall(struct samples *s)
{
	cleanup_fw struct fw *fw = NULL;

	if (fw_open(&fw, FW_AUTO, NULL) == 0)
		(void)fw_each(fw, count_element, s, NULL);
}

/* ---- out */

static void print_text(const struct samples *s, struct str *out)
{
	for (int m = 0; m < METRICS; m++) {
		str_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", metrics[m].name, metrics[m].help,
			 metrics[m].name);
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].metric == (enum metric)m)
				str_addf(out, "%s{%s} %" PRId64 "\n", metrics[m].name,
					 s->v[i].labels, s->v[i].value);
	}
}

/* What plugins have counted, when NARU_METRICS says where. */
static void append_counters(struct str *out)
{
	const char *file = getenv(METRICS_VAR);
	cleanup_free char *text = NULL;

	if (file && *file && file_read_at(AT_FDCWD, file, METRICS_MAX, &text, NULL, NULL) == 0)
		str_add(out, text);
}

static int print_json(const struct samples *s, struct err *e)
{
	cleanup_json struct json_object *list = json_arr();

	for (size_t i = 0; i < s->n; i++) {
		const struct sample *x = &s->v[i];
		struct json_object *o = json_obj();

		json_set_str(o, "metric", metrics[x->metric].name);
		json_set_str(o, "labels", x->labels);
		json_set_int(o, "value", x->value);
		json_append(list, o);
	}
	return out_json(list, e);
}

/* Whole or not at all, for an exporter that may look at any moment. */
static int write_file(const char *file, const struct str *text, struct err *e)
{
	const char *slash = strrchr(file, '/');
	cleanup_free char *dir = slash ? str_fmt("%.*s/", (int)(slash - file), file) : strdup(".");
	cleanup_fd int fd = dir ? file_open_dir(AT_FDCWD, dir, e) : -ENOMEM;

	return fd < 0 ? fd :
			file_replace_at(fd, slash ? slash + 1 : file, 0644, text->p, text->len, e);
}

static int print(const struct samples *s, const struct cni_opts *o, const char *file, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (o->output == OUT_JSON)
		return print_json(s, e);
	print_text(s, &text);
	append_counters(&text);
	if (text.bad)
		return err_set(e, -ENOMEM, "print metrics");
	return file ? write_file(file, &text, e) : out_text(text.p, text.len, e);
}

int cni_metrics(const struct cni_opts *o, const struct operands *args, struct err *e)
{
	struct samples s = { .cache_dir = o->cache_dir };
	struct err first = ERR_INIT;
	int r = networks_each(cni_conf_dir(), cni_plugin_path(), NULL, measure_network, &s, &first);

	measure_firewall(&s);
	int printed = print(&s, o, args->n > 1 ? args->v[1] : NULL, e);
	free(s.v);
	if (printed < 0)
		return printed;
	if (r < 0)
		*e = first;
	return r;
}
