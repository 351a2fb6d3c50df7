// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/ip/port.h"
#include "runner/cli/cli.h"
#include "runner/state.h"

#define COMMAND_SHOWN 22

struct ps_opts {
	bool all, quiet, no_trunc;
	enum out_format output;
};

static const struct opt options[] = {
	OPT_FLAG('a', "all", struct ps_opts, all, "stopped containers, too"),
	OPT_FLAG('q', "quiet", struct ps_opts, quiet, "ids only"),
	OPT_FLAG(0, "no-trunc", struct ps_opts, no_trunc, "whole ids and commands"),
	OPT_OUTPUT(struct ps_opts, output),
	OPT_REFUSED('f', "filter", "FILTER", "filter -o json instead"),
	OPT_REFUSED(0, "format", "TEMPLATE", "use -o json"),
	OPT_REFUSED('s', "size", NULL, "sizes are not counted"),
	OPT_REFUSED('l', "latest", NULL, "the list begins with the newest"),
	OPT_REFUSED('n', "last", "NUMBER", "the list begins with the newest"),
	OPT_END
};

static int64_t since(const char *then)
{
	int64_t t = time_parse_text(then);

	return t ? (int64_t)time(NULL) - t : 0;
}

static void status_text(const struct ctr *c, char *buf, size_t size)
{
	char age[32];

	if (c->status == CTR_RUNNING)
		(void)snprintf(buf, size, "Up %s", out_age(since(c->live.started), age));
	else if (c->end.lost)
		(void)snprintf(buf, size, "Exited, unseen");
	else
		(void)snprintf(buf, size, "Exited (%lld) %s ago", (long long)c->end.code,
			       out_age(since(c->end.finished), age));
}

static void command_text(const struct ctr_record *r, bool whole, struct str *s)
{
	for (size_t i = 0; i < r->nentrypoint; i++)
		str_addf(s, "%s%s", s->len ? " " : "", r->entrypoint[i]);
	for (size_t i = 0; i < r->ncmd; i++)
		str_addf(s, "%s%s", s->len ? " " : "", r->cmd[i]);
	if (!whole && s->len > COMMAND_SHOWN && !s->bad) {
		size_t at = COMMAND_SHOWN - 3;

		while (at && ((unsigned char)s->p[at] & 0xc0) == 0x80) /* not inside a character */
			at--;
		memcpy(s->p + at, "...", 4);
		s->len = at + 3;
	}
	for (size_t i = 0; i < s->len; i++) /* a command may hold line feeds and escapes */
		if ((unsigned char)s->p[i] < ' ' || s->p[i] == 0x7f)
			s->p[i] = ' ';
}

static void ports_text(const struct ctr *c, struct str *s)
{
	for (size_t i = 0; c->status == CTR_RUNNING && i < c->rec.nports; i++) {
		char ip[IP_TEXT_MAX];
		struct port_map m;

		if (port_map_parse(c->rec.ports[i], &m, NULL) < 0)
			continue;
		const char *host = ip_is_set(&m.host_ip) ? ip_text(&m.host_ip, ip) : "*";
		bool v6 = strchr(host, ':');

		str_addf(s, "%s%s%s%s:%u", s->len ? ", " : "", v6 ? "[" : "", host, v6 ? "]" : "",
			 m.host_port);
		if (m.count > 1)
			str_addf(s, "-%u", m.host_port + m.count - 1);
		str_addf(s, "->%u", m.container_port);
		if (m.count > 1)
			str_addf(s, "-%u", m.container_port + m.count - 1);
		str_addf(s, "/%s", proto_name(m.proto));
	}
}

static int print_table(const struct ps_opts *o, const struct ctr *v, size_t n, struct err *e)
{
	static const char *const head[] = { "CONTAINER ID", "IMAGE", "COMMAND", "CREATED",
					    "STATUS",	    "PORTS", "NAME" };
	cleanup_table struct out_table t = { .columns = ARRAY_LEN(head) };

	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		out_table_add(&t, head[i]);
	for (size_t i = 0; i < n; i++) {
		cleanup_str struct str command = STR_INIT, ports = STR_INIT;
		char id[ID_LEN + 1], age[32], created[40], status[64];

		if (!o->all && v[i].status != CTR_RUNNING)
			continue;
		command_text(&v[i].rec, o->no_trunc, &command);
		ports_text(&v[i], &ports);
		status_text(&v[i], status, sizeof status);
		(void)snprintf(id, sizeof id, "%.*s", o->no_trunc ? ID_LEN : ID_SHOWN, v[i].id);
		(void)snprintf(created, sizeof created, "%s ago",
			       out_age(since(v[i].rec.created), age));
		const char *const row[] = { id,
					    *v[i].rec.image ? v[i].rec.image :
					    v[i].rec.rootfs ? v[i].rec.rootfs :
							      "",
					    command.p ? command.p : "",
					    created,
					    status,
					    ports.p ? ports.p : "",
					    v[i].rec.name };
		for (size_t k = 0; k < ARRAY_LEN(row); k++)
			out_table_add(&t, row[k]);
	}
	return out_table_print(&t, e);
}

static int print_ids(const struct ps_opts *o, const struct ctr *v, size_t n, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	for (size_t i = 0; i < n; i++)
		if (o->all || v[i].status == CTR_RUNNING)
			str_addf(&s, "%.*s\n", o->no_trunc ? ID_LEN : ID_SHOWN, v[i].id);
	return s.bad ? err_set(e, -ENOMEM, "list the containers") :
		       out_text(s.p ? s.p : "", s.len, e);
}

static struct json_object *as_json(const struct ctr *c)
{
	struct json_object *o = json_obj();
	cleanup_str struct str command = STR_INIT;
	char status[64];

	command_text(&c->rec, true, &command);
	status_text(c, status, sizeof status);
	json_set_str(o, "id", c->id);
	json_set_str(o, "name", c->rec.name);
	json_set_str(o, "image", c->rec.image);
	json_set_str(o, "command", command.p ? command.p : "");
	json_set_str(o, "created", c->rec.created);
	json_set_str(o, "state", c->status == CTR_RUNNING ? "running" : "exited");
	json_set_str(o, "status", status);
	json_set_int(o, "pid", c->status == CTR_RUNNING ? c->live.pid : 0);
	json_set_str(o, "network", c->rec.network);
	json_set(o, "ports",
		 c->rec.nports ? record_strings(c->rec.ports, c->rec.nports) : json_arr());
	if (c->status != CTR_RUNNING)
		json_set_int(o, "exit_code", c->end.code);
	return o;
}

static int print_json(const struct ps_opts *o, const struct ctr *v, size_t n, struct err *e)
{
	cleanup_json struct json_object *list = json_arr();

	for (size_t i = 0; i < n; i++)
		if (o->all || v[i].status == CTR_RUNNING)
			json_append(list, as_json(&v[i]));
	return out_json(list, e);
}

static int run(void *opts, const struct operands *args, struct err *e)
{
	const struct ps_opts *o = opts;
	cleanup_state struct state st = STATE_INIT;
	struct ctr *v = NULL;
	size_t n = 0;
	int r;

	(void)args;
	if ((r = state_open(&st, STATE_READ, e)) < 0 || (r = ctrs_load(&st, &v, &n, e)) < 0)
		return r;
	r = o->output == OUT_JSON ? print_json(o, v, n, e) :
	    o->quiet		  ? print_ids(o, v, n, e) :
				    print_table(o, v, n, e);
	ctrs_free(v, n);
	return r;
}

const struct verb verb_ps = {
	.name = "ps",
	.group = GROUP_CONTAINERS,
	.about = "List containers",
	.synopsis = "[OPTION]...",
	.opts = options,
	.examples = "  naru ps\n  naru ps -a -o json\n",
	.min = 0,
	.max = 0,
	.failure = 1,
	.size = sizeof(struct ps_opts),
	.run = run,
};
