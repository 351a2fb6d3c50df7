// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/cni/describe.h"
#include "netlib/cni/error.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/furniture.h"
#include "netlib/cni/metrics.h"
#include "netlib/cni/step.h"
#include "netlib/net/netns.h"

#define STDIN_TIMEOUT_MS 10000

int cni_check_fail(struct err *e, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_code(e, -EBADMSG, CNI_E_CHECK, "%s", text);
}

/* ---- one operation */

/* CNI 1.1.0 "Version considerations": CHECK came with 0.4.0, GC and STATUS with 1.1.0. */
static int verb_gate(enum cni_verb verb, enum cni_version v, struct err *e)
{
	static const enum cni_version since[CNI_VERBS] = {
		[CNI_CHECK] = CNI_V_0_4_0,
		[CNI_GC] = CNI_V_1_1_0,
		[CNI_STATUS] = CNI_V_1_1_0,
	};

	if (v >= since[verb])
		return 0;
	return err_code(e, -EPROTONOSUPPORT, CNI_E_VERSION, "config version does not allow %s",
			cni_verb_names[verb]);
}

/* What GC cannot tell from a stale one it would remove: half a name is no name. */
static int valid_check(const struct cni_conf *cc, struct err *e)
{
	for (size_t i = 0; i < cc->nvalid; i++) {
		const struct cni_attachment *a = &cc->valid[i];
		char path[64];

		if (a->container && *a->container && a->ifname && *a->ifname)
			continue;
		(void)str_copyf(path, sizeof path, "/cni.dev~1valid-attachments/%zu", i);
		return err_conf(e, path,
				"expected \"containerID\" and \"ifname\" of an attachment");
	}
	return 0;
}

static int decode_own(struct cni_op *op, struct err *e)
{
	const struct cni_plugin *p = op->plugin;
	int r = 0;

	if (p->conf_size && !(op->conf = calloc(1, p->conf_size)))
		return err_set(e, -ENOMEM, "decode the configuration");
	if (p->conf_init)
		p->conf_init(op->conf);
	if (p->fields)
		r = decode(&op->cc->doc, op->cc->doc.root, p->fields, op->conf, "", e);
	if (r == 0 && p->conf_check)
		r = p->conf_check(op->conf, op, e);
	return r;
}

/*
 * The version inside prevResult must be of the configuration's family; a missing one is the
 * configuration's.
 */
static int decode_prev_into(struct cni_op *op, struct cni_result *out, struct err *e)
{
	struct json_object *given = json_get(op->cc->prev, "cniVersion");
	const char *said = json_text(given);
	enum cni_version v = op->cc->version;

	if (given && !said)
		return err_conf(e, "/prevResult/cniVersion", "expected string");
	if (said && *said &&
	    (cni_version_parse(said, CNI_V_0_1_0, &v, e) < 0 ||
	     !cni_version_same_family(v, op->cc->version)))
		return err_conf(
			e, "/prevResult/cniVersion",
			"could not parse prevResult: expected a version like %s, got \"%.20s\"",
			cni_version_names[op->cc->version], said);
	return cni_result_decode(op->cc->prev, v, out, "/prevResult", e);
}

static int decode_prev(struct cni_op *op, struct err *e)
{
	int r = decode_prev_into(op, &op->prev, e);

	op->has_prev = r == 0;
	return r;
}

/* A chained plugin starts from what came before it. */
static int copy_prev(struct cni_op *op, struct err *e)
{
	return decode_prev_into(op, &op->res, e);
}

static int take_prev(struct cni_op *op, struct err *e)
{
	enum cni_verb verb = op->env->verb;
	bool needed = (verb == CNI_ADD && op->plugin->flags & CNI_CHAINED) ||
		      (verb == CNI_CHECK && !(op->plugin->flags & (CNI_IPAM | CNI_CHECK_ALONE)));
	int r = 0;

	if (op->cc->prev)
		r = decode_prev(op, e);
	if (r < 0 && verb != CNI_ADD && verb != CNI_CHECK)
		return 0; /* DEL and GC work without it, so they work with a broken one too */
	if (r == 0 && op->has_prev && verb == CNI_ADD &&
	    op->plugin->flags & (CNI_CHAINED | CNI_PASS_PREV))
		r = copy_prev(op, e);
	if (r < 0 || op->has_prev || !needed)
		return r;
	return err_code(e, -EINVAL, CNI_E_CONFIG,
			verb == CNI_ADD ?
				"must be called as chained plugin: prevResult is missing" :
				"Required prevResult missing");
}

/*
 * Both sockets, one per namespace; no switching afterwards. The namespaces are compared before
 * anything is changed.
 */
static int open_namespaces(struct cni_op *op, struct nl *host, struct nl *cont, struct err *e)
{
	cleanup_fd int self = -1;
	bool strict = op->env->verb == CNI_ADD || op->env->verb == CNI_CHECK;
	int r;

	if ((r = nl_open(host, NETLINK_ROUTE, -1, "host", e)) < 0)
		return r;
	op->host = host;
	if (op->plugin->flags & CNI_NO_NETNS || !op->env->netns)
		return 0;
	if ((r = netns_open(op->env->netns, &op->netns, e)) < 0)
		return r;
	if (r == NETNS_GONE)
		return strict ? err_code(e, -ENOENT, CNI_E_CONTAINER,
					 "failed to open netns \"%.200s\": no such namespace",
					 op->env->netns) :
				0;
	if ((r = netns_self(&self, e)) < 0)
		return r;
	if (!op->env->netns_override && netns_same(self, op->netns))
		return err_code(
			e, -EINVAL, CNI_E_ENV,
			"CNI_NETNS %.200s is the plugin's own network namespace; expected the "
			"container's (CNI_NETNS_OVERRIDE=1 allows it)",
			op->env->netns);
	if ((r = nl_open(cont, NETLINK_ROUTE, op->netns, "container", e)) < 0)
		return r;
	op->cont = cont;
	return 0;
}

typedef int deliver_fn(const struct cni_result *r, enum cni_version v, bool ipam, struct err *e);

static int run_add(struct cni_op *op, deliver_fn *deliver, struct err *e)
{
	if (op->txn) /* the caller's: nothing to deliver, and the caller commits */
		return steps_run(op, CNI_ADD, e);
	/* until the end, roll-back included; only links stand on furniture */
	cleanup_fd int held = op->plugin->flags & CNI_IPAM ? -1 : furniture_hold();
	cleanup_txn struct txn t = TXN_INIT;
	int r;

	(void)held;
	txn_init(&t, op->host, op->cont, op->netns);
	t.ctx = op;
	op->txn = &t;
	if ((r = steps_run(op, CNI_ADD, e)) < 0)
		return r;
	/* the result goes out before the commit: who never got the answer must find nothing */
	if ((r = txn_point(&t, "deliver the result", e)) < 0)
		return r;
	if (deliver &&
	    (r = deliver(&op->res, op->cc->version, op->plugin->flags & CNI_IPAM, e)) < 0)
		return r;
	txn_commit(&t);
	return 0;
}

/* The answer to a private request: which rows were put back. */
static int print_repaired(const struct str *rows, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "{\"repaired\":\"%s\"}\n", rows->p ? rows->p : "");
	int r = s.bad ? -ENOMEM : fd_write_all(STDOUT_FILENO, s.p, s.len);
	return r < 0 ? err_set(e, r, "write to stdout") : 0;
}

static int run_reload(struct cni_op *op, bool answer, struct err *e)
{
	cleanup_txn struct txn t = TXN_INIT;
	cleanup_str struct str repaired = STR_INIT;
	int r = op->has_prev ? copy_prev(op, e) : 0;

	if (r < 0)
		return r;
	txn_init(&t, op->host, op->cont, op->netns);
	t.ctx = op;
	op->txn = &t;
	r = steps_reload(op, &repaired, e);
	txn_commit(&t); /* what was put back stays, also when a later row cannot be */
	if (r < 0)
		return r;
	return answer ? print_repaired(&repaired, e) : 0;
}

static int run_verb(struct cni_op *op, deliver_fn *deliver, struct err *e)
{
	cleanup_nl struct nl host = NL_INIT, cont = NL_INIT;
	int r = 0;

	if (!(op->plugin->flags & CNI_IPAM) && op->env->verb != CNI_STATUS)
		r = open_namespaces(op, &host, &cont, e);
	else if (op->env->verb == CNI_STATUS && !(op->plugin->flags & CNI_IPAM))
		r = nl_open(&host, NETLINK_ROUTE, -1, "host", e), op->host = &host;
	if (r < 0)
		return r;
	if (op->env->verb == CNI_CHECK && getenv(RELOAD_VAR))
		return run_reload(op, deliver != NULL, e);
	return op->env->verb == CNI_ADD ? run_add(op, deliver, e) : steps_run(op, op->env->verb, e);
}

static void op_clear(struct cni_op *op)
{
	if (op->netns >= 0)
		(void)close(op->netns);
	if (op->plugin->conf_clear && op->conf)
		op->plugin->conf_clear(op->conf);
	free(op->conf);
	free(op->ipam);
	cni_result_clear(&op->prev);
	cni_result_clear(&op->res);
}

/* The configuration understood; nothing is opened yet. */
static int prepare(struct cni_op *op, struct err *e)
{
	struct cni_conf *cc = op->cc;
	enum cni_verb verb = op->env->verb;
	int r;

	if ((r = cni_version_parse(cc->version_text, op->plugin->min, &cc->version, e)) < 0 ||
	    (r = verb_gate(verb, cc->version, e)) < 0 ||
	    (verb == CNI_GC && (r = valid_check(cc, e)) < 0))
		return r;
	return decode_own(op, e);
}

static int run_conf(const struct cni_plugin *p, const struct cni_env *env, struct cni_conf *cc,
		    struct txn *txn, struct cni_result *out, deliver_fn *deliver, struct err *e)
{
	struct cni_op op = { .plugin = p, .env = env, .cc = cc, .netns = -1, .txn = txn };
	int r;

	if ((r = prepare(&op, e)) == 0 && (r = take_prev(&op, e)) == 0)
		r = run_verb(&op, deliver, e);
	if (r == 0 && out) {
		*out = op.res;
		op.res = (struct cni_result){ 0 };
	}
	op_clear(&op);
	return r;
}

static int parse_copy(struct cni_conf *cc, const char *text, size_t len, struct err *e)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return err_set(e, -ENOMEM, "read the configuration");
	memcpy(copy, text, len);
	copy[len] = 0;
	return cni_conf_parse(cc, copy, len, e);
}

int cni_examine(const struct cni_plugin *p, const struct cni_env *env, const char *text, size_t len,
		struct json_object *told, struct err *e)
{
	cleanup_conf struct cni_conf cc = { 0 };
	struct cni_op op = { .plugin = p, .env = env, .cc = &cc, .netns = -1 };
	int r = parse_copy(&cc, text, len, e);

	if (r == 0)
		r = prepare(&op, e);
	if (r == 0 && p->tell)
		p->tell(&op, told);
	op_clear(&op);
	return r;
}

int cni_run(const struct cni_plugin *p, const struct cni_env *env, const char *text, size_t len,
	    struct txn *txn, struct cni_result *out, struct err *e)
{
	cleanup_conf struct cni_conf cc = { 0 };
	int r = parse_copy(&cc, text, len, e);

	return r < 0 ? r : run_conf(p, env, &cc, txn, out, NULL, e);
}

/* ---- the process around it */

/* Looked at before a stand-in is opened: a result that goes nowhere was not delivered. */
static bool no_stdout;

static int print_result(const struct cni_result *res, enum cni_version v, bool ipam, struct err *e)
{
	cleanup_str struct str s = STR_INIT;
	int r = cni_result_print(res, v, ipam, &s, e);

	if (r < 0)
		return r;
	r = no_stdout ? -EBADF : fd_write_all(STDOUT_FILENO, s.p, s.len);
	return r < 0 ? err_set(e, r, "write the result to stdout") : 0;
}

static void versions_text(const struct cni_plugin *p, struct str *s, const char *sep,
			  const char *quote)
{
	for (int v = (int)p->min; v < CNI_VERSIONS; v++)
		str_addf(s, "%s%s%s%s", v > (int)p->min ? sep : "", quote, cni_version_names[v],
			 quote);
}

static int print_about(const struct cni_plugin *p)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "CNI %s plugin v%s (Naru): %s\nCNI protocol versions supported: ", p->name,
		 NARU_VERSION, p->about);
	versions_text(p, &s, ", ", "");
	str_addc(&s, '\n');
	return s.p && fd_write_all(STDERR_FILENO, s.p, s.len) == 0 ? 0 : 1;
}

static int print_version(const struct cni_plugin *p, struct err *e)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "{\"cniVersion\":\"%s\",\"supportedVersions\":[",
		 cni_version_names[CNI_V_LATEST]);
	versions_text(p, &s, ",", "\"");
	str_add(&s, "]}\n");
	int r = s.bad ? -ENOMEM : fd_write_all(STDOUT_FILENO, s.p, s.len);
	return r < 0 ? err_set(e, r, "write the versions to stdout") : 0;
}

static int read_stdin(char **text, size_t *len, struct err *e)
{
	int r = fd_read_all(STDIN_FILENO, DOC_BYTES_MAX, STDIN_TIMEOUT_MS, text, len);

	if (r == -EFBIG)
		return err_code(e, r, CNI_E_DECODE,
				"the configuration on stdin is larger than %d bytes",
				DOC_BYTES_MAX);
	if (r == -ETIMEDOUT)
		return err_code(e, r, CNI_E_IO,
				"read the configuration from stdin: no end of file within %d s",
				STDIN_TIMEOUT_MS / 1000);
	if (r < 0) {
		(void)err_set(e, r, "read the configuration from stdin");
		e->code = CNI_E_IO;
	}
	return r;
}

static int print_description(const struct cni_plugin *p, struct err *e)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = read_stdin(&text, &len, e);

	if (r < 0 || (r = describe_print(p, len ? text : NULL, len, &s, e)) < 0)
		return r;
	r = fd_write_all(STDOUT_FILENO, s.p, s.len);
	return r < 0 ? err_set(e, r, "write the description to stdout") : 0;
}

static int run_main(const struct cni_plugin *p, struct cni_conf *cc, struct err *e)
{
	struct cni_env env;
	struct err unknown = ERR_INIT;
	cleanup_free char *text = NULL;
	size_t len;
	int r = cni_env_read(&env, &unknown);

	if (r < 0 && r != -ENOSYS) {
		*e = unknown;
		return r;
	}
	if (r == 0 && env.verb == CNI_VERSION)
		return getenv(DESCRIBE_VAR) ? print_description(p, e) : print_version(p, e);
	if ((r = read_stdin(&text, &len, e)) < 0 ||
	    (r = cni_conf_parse(cc, take_ptr(text), len, e)) < 0)
		return r;
	if (unknown.no) {
		*e = unknown;
		return -unknown.no;
	}
	trace_about(&(struct trace_about){ cni_verb_names[env.verb], cc->name, env.container,
					   env.ifname });
	return run_conf(p, &env, cc, NULL, NULL, print_result, e);
}

/* For traces and metrics, when there are any. */
static void account(const struct cni_plugin *p, const char *command, int64_t start_us, int r,
		    const struct err *e)
{
	if (trace_on())
		trace_event("done", command, clock_us() - start_us, "%s", r < 0 ? e->text : "ok");
	for (int v = 0; v < CNI_VERBS; v++)
		if (v != CNI_VERSION && !strcmp(command, cni_verb_names[v]))
			metrics_count(p->name, command, r < 0 ? cni_error_code(e) : 0,
				      clock_us() - start_us);
}

int cni_main(const struct cni_plugin *p)
{
	cleanup_conf struct cni_conf cc = { 0 };
	const char *command = getenv("CNI_COMMAND");
	struct err e = ERR_INIT;

	no_stdout = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	if (fd_sanitize() < 0)
		return 1;
	(void)umask(022);
	steps_catch_signals();
	if (!command || !*command)
		return print_about(p);
	trace_open(getenv("CNI_TRACE"), p->name);
	int64_t start = clock_us();
	int r = plan_open(getenv(PLAN_VAR), p->name, &e);
	if (r == 0 && (r = plan_seal(&e)) == 0)
		r = run_main(p, &cc, &e);
	account(p, command, start, r, &e);
	if (r == 0)
		return 0;
	cleanup_str struct str s = STR_INIT;
	cni_error_print(&e, *cc.version_said ? cc.version_said : NULL, &s);
	if (!s.p || fd_write_all(STDOUT_FILENO, s.p, s.len) < 0)
		(void)fprintf(stderr, "%s: %s\n", p->name, e.text);
	return 1;
}

int cni_enter(const struct cni_plugin *p, int argc, char **argv)
{
	if (p->daemon && argc > 1 && !strcmp(argv[1], "daemon"))
		return p->daemon(argc - 1, argv + 1);
	return cni_main(p);
}
