// SPDX-License-Identifier: GPL-2.0-or-later
/* naru cni plan: what ADD or DEL would do, without doing it (CNI_SPEC.md "naru cni plan"). */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/net/overlay.h"
#include "netlib/net/words.h"
#include "netlib/nl/nl.h"
#include "runner/cli/cni.h"

/* The plan on its way to the screen. */
struct report {
	struct nl host, cont; /* for the names behind indexes */
	const char *where;
	struct link l; /* the one asked for last */
	struct json_object *operations;
	struct out_table table;
};

static void report_clear(struct report *r)
{
	nl_close(&r->host);
	nl_close(&r->cont);
	json_put(r->operations);
	out_table_clear(&r->table);
}

/* In a file without a name, which the plugins open through ours in /proc. */
static int begin(struct err *e)
{
	int fd = memfd_create("naru-plan", MFD_CLOEXEC);
	char path[64];

	if (fd < 0)
		return err_set(e, -errno, "create the plan");
	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
	int r = setenv(PLAN_VAR, path, 1) < 0 ? err_set(e, -errno, "create the plan") :
						plan_open(path, "naru", e);
	if (r < 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

/* A planned interface, or one that was there before. Links move: either side may know it. */
static const char *name_of(uint32_t index, void *arg)
{
	struct report *r = arg;
	bool host = !strcmp(r->where, "host");
	struct nl *near = host ? &r->host : &r->cont, *far = host ? &r->cont : &r->host;
	struct nl *const sides[] = { near, far };

	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		if (sides[i]->fd >= 0 &&
		    (overlay_link(sides[i], NULL, index, &r->l) == OVERLAY_FOUND ||
		     link_ask(sides[i], NULL, index, &r->l) == 0))
			return r->l.name;
	return NULL;
}

/* Was this very line printed? Then the plugin only makes sure of what another has planned. */
static bool repeated(struct report *r, struct json_object *change)
{
	const char *kind = json_text(json_get(change, "kind")),
		   *text = json_text(json_get(change, "text"));

	if (!kind || strcmp(kind, "nft") || !text || strstr(text, "element"))
		return false;
	for (size_t i = 1; i < json_len(r->operations); i++) {
		const char *had = json_text(json_get(json_at(r->operations, i - 1), "operation"));

		if (had && !strcmp(had, text))
			return true;
	}
	return false;
}

static int add_line(struct json_object *change, void *arg)
{
	static const char *const columns[] = { "plugin", "row", "where", "kind" };
	struct report *r = arg;
	cleanup_str struct str words = STR_INIT;
	struct json_object *o = json_obj();
	size_t len = 0;

	r->where = json_text(json_get(change, "where")) ?: "";
	if (repeated(r, change)) {
		json_put(o);
		return 0;
	}
	cleanup_free struct nlmsghdr *h = plan_raw(change, &len);
	if (h && len >= sizeof *h && h->nlmsg_len <= len)
		words_print(&words, h, name_of, r);
	else
		str_add(&words, json_text(json_get(change, "text")) ?: "");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		const char *text = json_text(json_get(change, columns[i])) ?: "";

		json_set_str(o, columns[i], text);
		out_table_add(&r->table, text);
	}
	json_set_str(o, "operation", words.p ?: "");
	if (h)
		json_set_str(o, "message", json_text(json_get(change, "text")));
	out_table_add(&r->table, words.p ?: "");
	json_append(r->operations, o);
	return 0;
}

static int gather(struct report *r, const struct cni_call *c, struct err *e)
{
	static const char *const heading[] = { "PLUGIN", "ROW", "WHERE", "KIND", "OPERATION" };
	cleanup_fd int netns = -1;
	int rc;

	r->table.columns = ARRAY_LEN(heading);
	for (size_t i = 0; i < ARRAY_LEN(heading); i++)
		out_table_add(&r->table, heading[i]);
	if ((rc = nl_open(&r->host, NETLINK_ROUTE, -1, "host", e)) < 0)
		return rc;
	/* a namespace that is gone has no names to tell */
	if (netns_open(c->rt.netns, &netns, NULL) == 0 && netns >= 0 &&
	    (rc = nl_open(&r->cont, NETLINK_ROUTE, netns, "container", e)) < 0)
		return rc;
	return plan_each(add_line, r, e);
}

static int print(struct report *r, struct cni_call *c, const struct cni_result *res, struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;
	int rc;

	if (c->opts->output == OUT_JSON) {
		json_set_str(o, "operation", c->opts->del ? "DEL" : "ADD");
		json_set(o, "changes", json_ref(r->operations));
		if (!c->opts->del)
			json_set(o, "result", cni_result_encode(res, c->list.version, false, NULL));
		return out_json(o, e);
	}
	if ((rc = out_table_print(&r->table, e)) < 0 || c->opts->del ||
	    (rc = cni_result_text(c, res, &s, e)) < 0)
		return rc;
	str_addc(&s, '\n');
	return out_text(s.p, s.len, e);
}

int cni_plan(struct cni_call *c, struct err *e)
{
	cleanup_result struct cni_result res = { 0 };
	struct report r = { .host = NL_INIT, .cont = NL_INIT, .operations = json_arr() };
	struct err why = ERR_INIT;
	cleanup_fd int fd = begin(e);

	if (fd < 0) {
		report_clear(&r);
		return fd;
	}
	int rc = c->opts->del ? netlist_del(&c->list, &c->rt, &why) :
				netlist_add(&c->list, &c->rt, &res, &why);
	/* what led to a refusal is worth seeing, too */
	int printed = gather(&r, c, e);
	if (printed == 0 && (rc == 0 || json_len(r.operations)))
		printed = rc < 0 && c->opts->output == OUT_TEXT ? out_table_print(&r.table, e) :
								  print(&r, c, &res, e);
	report_clear(&r);
	if (rc < 0)
		*e = why;
	return rc < 0 ? rc : printed;
}
