// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/rpc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"
#include "netlib/cni/plugin.h"
#include "netlib/cni/result.h"

#define GRACE_MS 3000 /* for the daemon to say that it waited in vain */
#define DIAL_S 5      /* for it to hear us: its one loop waits for nobody */

static const char *const verb_names[RPC_VERBS] = { "allocate", "release", "check", "collect",
						   "status" };

/* ---- plugin */

static int dial(const char *path, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = DIAL_S };

	if (plan_on()) /* it would do what it is asked for */
		return err_say(e, -EPERM, "a dry run does not ask the DHCP daemon");
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		return err_set(e, -errno, "error dialing DHCP daemon: make a socket");
	if (str_copyf(un.sun_path, sizeof un.sun_path, "%s", path) < 0)
		return err_conf(e, "/ipam/daemonSocketPath",
				"expected at most %zu bytes, got \"%.200s\"",
				sizeof un.sun_path - 1, path);
	if (connect(fd, (const struct sockaddr *)(const void *)&un, sizeof un) < 0) {
		int r = errno == EAGAIN ?
				err_say(e, -ETIMEDOUT,
					"error dialing DHCP daemon: connect %s: no "
					"answer within %d s",
					path, DIAL_S) :
				err_set(e, -errno, "error dialing DHCP daemon: connect %s", path);

		if (e)
			e->code = CNI_E_RETRY;
		err_details(e, "is `dhcp daemon` running, and does it listen there?");
		return r;
	}
	return take_fd(fd);
}

static int read_line(int fd, int timeout_ms, struct str *out, const char *path, struct err *e)
{
	int64_t until = clock_ms() + timeout_ms;
	char buf[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return err_code(e, -ETIMEDOUT, CNI_E_RETRY,
					"DHCP daemon at %s: no answer within %d ms", path,
					timeout_ms);
		/* a signal may have ended the wait, with nothing to be read */
		ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return err_code(e, -EPIPE, CNI_E_RETRY,
					"DHCP daemon at %s ended before it answered", path);
		str_add_n(out, buf, (size_t)n);
		if (out->bad || out->len > RPC_LINE_MAX)
			return err_set(e, -EFBIG, "DHCP daemon at %s: read the answer", path);
		if (buf[n - 1] == '\n')
			return 0;
	}
}

/* An error of the daemon's becomes ours, code and all. */
static int take_error(struct json_object *o, struct err *e)
{
	int64_t code = CNI_E_OTHER;
	const char *msg = json_text(json_get(o, "msg")),
		   *details = json_text(json_get(o, "details"));

	(void)json_int(json_get(o, "code"), &code);
	(void)err_code(e, -EREMOTEIO, (int)code, "%s", msg ? msg : "");
	if (details)
		err_details(e, "%s", details);
	return -EREMOTEIO;
}

int rpc_ask(const char *path, enum rpc_verb verb, const struct cni_op *op, struct doc *answer,
	    struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str line = STR_INIT, back = STR_INIT;
	cleanup_fd int fd = dial(path, e);
	int r = fd;

	if (fd < 0)
		return r;
	json_set_str(o, "verb", verb_names[verb]);
	json_set_str(o, "containerID", op->env->container);
	json_set_str(o, "ifname", op->env->ifname);
	json_set_str(o, "netns", op->env->netns);
	json_set_str(o, "args", op->env->args);
	json_set_int(o, "waitMs", RPC_WAIT_MS);
	json_set(o, "config", json_ref(op->cc->doc.root));
	json_print(&line, o, 0, false);
	str_addc(&line, '\n');
	if (line.bad)
		return err_set(e, -ENOMEM, "ask the DHCP daemon");
	/* all of it, unless the time is over */
	ssize_t n = send(fd, line.p, line.len, MSG_NOSIGNAL);
	if (n != (ssize_t)line.len)
		return err_set(e, n < 0 && errno != EAGAIN ? -errno : -ETIMEDOUT,
			       "DHCP daemon at %s: send the request", path);
	if ((r = read_line(fd, RPC_WAIT_MS + GRACE_MS, &back, path, e)) < 0)
		return r;
	if ((r = doc_parse(answer, back.p, back.len, e)) < 0)
		return err_wrap(e, "answer of the DHCP daemon at %s", path);
	if (json_is_object(json_get(answer->root, "error")))
		return take_error(json_get(answer->root, "error"), e);
	return 0;
}

/* ---- daemon */

struct view {
	const char *verb;
	struct rpc_request r;
};

static const struct field view_fields[] = {
	FIELD_STR("verb", struct view, verb),
	FIELD_STR("containerID", struct view, r.container),
	FIELD_STR("ifname", struct view, r.ifname),
	FIELD_STR("netns", struct view, r.netns),
	FIELD_STR("args", struct view, r.args),
	FIELD_INT("waitMs", struct view, r.wait_ms, 1, 3600 * 1000),
	FIELD_RAW("config", struct view, r.config),
	FIELD_END,
};

int rpc_request_parse(struct doc *d, const char *line, size_t len, struct rpc_request *out,
		      struct err *e)
{
	struct view v = { .verb = "", .r.verb = RPC_VERBS, .r.wait_ms = RPC_WAIT_MS };
	int r;

	if ((r = doc_parse(d, line, len, e)) < 0 ||
	    (r = decode(d, d->root, view_fields, &v, "", e)) < 0)
		return r;
	for (size_t i = 0; i < RPC_VERBS; i++)
		if (!strcmp(verb_names[i], v.verb))
			v.r.verb = (enum rpc_verb)i;
	if (v.r.verb == RPC_VERBS)
		return err_conf(e, "/verb",
				"expected allocate, release, check, collect or status, "
				"got \"%.40s\"",
				v.verb);
	if (!json_is_object(v.r.config))
		return err_conf(e, "/config", "expected object");
	if (v.r.verb < RPC_COLLECT && (!v.r.container || !v.r.ifname))
		return err_conf(e, "/containerID", "expected it, and \"ifname\"");
	*out = v.r;
	return 0;
}

void rpc_answer(struct str *out, const struct cni_result *res, const struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	struct json_object *error;

	if (e && e->no) {
		error = json_obj();
		json_set_int(error, "code", cni_error_code(e));
		json_set_str(error, "msg", e->text);
		if (*e->details)
			json_set_str(error, "details", e->details);
		json_set(o, "error", error);
	} else if (res) {
		json_set(o, "result", cni_result_encode(res, CNI_V_LATEST, true, NULL));
	}
	json_print(out, o, 0, false);
	str_addc(out, '\n');
}
