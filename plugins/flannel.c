// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flannel: makes another plugin's configuration out of what flanneld says about this host, and has
 * that plugin do the work. What it was called with is kept for DEL, one file for each container.
 * CNI_SPEC.md "flannel".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/cni/exec.h"
#include "netlib/cni/plugin.h"
#include "netlib/txn/verbs.h"
#include "plugins/flannel/subnet_env.h"

extern const struct cni_plugin cni_plugin_flannel;

#define SUBNET_FILE "/run/flannel/subnet.env"
#define DATA_DIR "/var/lib/cni/flannel"
#define DIR_MODE 0700
#define FILE_MODE 0600

struct flannel_conf {
	const char *subnet_file, *data_dir;
	struct json_object *delegate; /* object or NULL */
};

#define CONF struct flannel_conf
static const struct field flannel_fields[] = {
	FIELD_STR("subnetFile", CONF, subnet_file),
	FIELD_STR("dataDir", CONF, data_dir),
	FIELD_RAW("delegate", CONF, delegate),
	FIELD_END,
};
#undef CONF

static void flannel_conf_init(void *conf)
{
	struct flannel_conf *c = conf;

	c->subnet_file = SUBNET_FILE;
	c->data_dir = DATA_DIR;
}

static int check_delegate(const struct cni_op *op, struct json_object *d, struct err *e)
{
	static const char *const ours[] = { "name", "ipam" };

	if (!json_is_object(d))
		return err_conf(e, "/delegate", "expected object");
	if (json_get(d, "type") && !json_text(json_get(d, "type")))
		return err_conf(
			e, "/delegate/type",
			"'delegate' dictionary, if present, must have (string) 'type' field");
	for (size_t i = 0; i < ARRAY_LEN(ours) && !common_is_removal(op); i++)
		if (json_get(d, ours[i]))
			return err_conf(e, "/delegate",
					"'delegate' dictionary must not have '%s' field, it'll be "
					"set by flannel",
					ours[i]);
	return 0;
}

static int check_routes(const struct cni_op *op, struct err *e)
{
	struct json_object *routes = json_get(op->cc->ipam, "routes");
	struct cni_route parsed;
	char path[64];
	int r = 0;

	if (routes && !json_is_array(routes))
		return err_conf(e, "/ipam/routes", "expected array of routes");
	for (size_t i = 0; r == 0 && i < json_len(routes); i++) {
		(void)snprintf(path, sizeof path, "/ipam/routes/%zu", i);
		r = cni_route_decode(json_at(routes, i), &parsed, path, e);
	}
	return r;
}

static int flannel_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct flannel_conf *c = conf;
	int r;

	if (!c->subnet_file || !*c->subnet_file)
		c->subnet_file = SUBNET_FILE;
	if (!c->data_dir || !*c->data_dir)
		c->data_dir = DATA_DIR;
	if (*c->data_dir != '/')
		return err_conf(e, "/dataDir", "expected an absolute path, got \"%.200s\"",
				c->data_dir);
	if (c->delegate && (r = check_delegate(op, c->delegate, e)) < 0)
		return r;
	return common_is_removal(op) ? 0 : check_routes(op, e);
}

/* ---- the delegate's configuration */

static int copy_member(const char *key, struct json_object *v, void *arg)
{
	if (v)
		json_set(arg, key, json_ref(v));
	return 0;
}

static void add_range(struct json_object *ranges, const struct ip_prefix *subnet)
{
	struct json_object *set = json_arr(), *range = json_obj();
	char text[IP_TEXT_MAX];

	json_set_str(range, "subnet", ip_prefix_text(subnet, text));
	json_append(set, range);
	json_append(ranges, set);
}

static void add_routes(struct json_object *routes, const struct subnet_list *l)
{
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < l->n; i++) {
		struct json_object *route = json_obj();

		json_set_str(route, "dst", ip_prefix_text(&l->v[i], text));
		json_append(routes, route);
	}
}

/* ipam as given, with this host's subnets as ranges and routes to the cluster's networks. */
static struct json_object *render_ipam(const struct cni_op *op, const struct subnet_env *s)
{
	struct json_object *ipam = json_obj(), *routes = json_arr();
	struct json_object *given = json_get(op->cc->ipam, "routes");

	(void)json_each(op->cc->ipam, copy_member, ipam);
	if (!json_get(ipam, "type"))
		json_set_str(ipam, "type", "host-local");
	for (size_t i = 0; i < json_len(given); i++)
		json_append(routes, json_ref(json_at(given, i)));
	if (s) {
		struct json_object *ranges = json_arr();

		if (s->subnet.addr.family)
			add_range(ranges, &s->subnet);
		if (s->subnet6.addr.family)
			add_range(ranges, &s->subnet6);
		json_set(ipam, "ranges", ranges);
		add_routes(routes, &s->net);
		add_routes(routes, &s->net6);
	}
	json_set(ipam, "routes", routes);
	return ipam;
}

/*
 * The whole configuration as the reference makes it. Without an environment (DEL, GC on a host
 * where flanneld is gone) what it says is left out; masquerading is assumed, so that it is taken
 * away.
 */
static struct json_object *render(const struct cni_op *op, const struct subnet_env *s)
{
	const struct flannel_conf *c = op->conf;
	struct json_object *o = json_obj();

	(void)json_each(c->delegate, copy_member, o);
	json_set_str(o, "name", op->cc->name);
	if (op->cc->version_text)
		json_set_str(o, "cniVersion", op->cc->version_text);
	if (op->cc->runtime)
		json_set(o, "runtimeConfig", json_ref(op->cc->runtime));
	if (!json_get(o, "type"))
		json_set_str(o, "type", "bridge");
	if (!json_get(o, "ipMasq"))
		json_set_bool(o, "ipMasq", !s || !s->ipmasq);
	if (!json_get(o, "mtu") && s)
		json_set_int(o, "mtu", s->mtu);
	if (!json_get(o, "isGateway") && !strcmp(json_text(json_get(o, "type")), "bridge"))
		json_set_bool(o, "isGateway", true);
	json_set(o, "ipam", render_ipam(op, s));
	return o;
}

static struct json_object *render_somehow(const struct cni_op *op)
{
	const struct flannel_conf *c = op->conf;
	cleanup_env struct subnet_env s = SUBNET_ENV_INIT;
	struct err ignored = ERR_INIT;

	return render(op, subnet_env_read(c->subnet_file, &s, &ignored) == 0 ? &s : NULL);
}

/* Runs the delegate on a configuration and what the operation has beside it. */
static int delegate(struct cni_op *op, enum cni_verb verb, struct json_object *o,
		    struct cni_result *out, struct err *e)
{
	static const char *const beside[] = { "prevResult", "cni.dev/valid-attachments",
					      "cni.dev/attachments" };
	const char *type = json_text(json_get(o, "type"));
	cleanup_free struct cni_target *to = malloc(sizeof *to);
	cleanup_str struct str text = STR_INIT;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(beside) && verb != CNI_ADD; i++)
		if (json_get(op->cc->doc.root, beside[i]))
			json_set(o, beside[i], json_ref(json_get(op->cc->doc.root, beside[i])));
	json_print(&text, o, 0, true);
	if (!to || text.bad)
		return err_set(e, -ENOMEM, "run %s", type);
	if ((r = cni_resolve(type, op->env->path, to, e)) < 0)
		return r;
	return cni_delegate(to, verb, op->env, text.p, text.len, op->cc->version, NULL, out, e);
}

/* ---- the file that DEL needs */

/*
 * One file for each container, as the reference has it: the interface does not count. What another
 * network or a torn write put there is not ours to use.
 */
enum kept { KEPT_NOT, KEPT, KEPT_OTHER, KEPT_TORN };

/* *out is filled when it is KEPT. Takes a file name in the directory of records. */
static int kept_read(const struct cni_op *op, int dir, const char *name, struct doc *out,
		     struct err *e)
{
	cleanup_free char *text = NULL;
	struct err why = ERR_INIT;
	size_t len;
	int r = file_read_at(dir, name, DOC_BYTES_MAX, &text, &len, &why);

	if (r == -ENOENT || r == -ENAMETOOLONG)
		return KEPT_NOT;
	if (r < 0) {
		*e = why;
		return r;
	}
	if (doc_parse(out, text, len, &why) < 0 || !json_text(json_get(out->root, "type")) ||
	    !json_text(json_get(out->root, "name")))
		return KEPT_TORN;
	return strcmp(json_text(json_get(out->root, "name")), op->cc->name) ? KEPT_OTHER : KEPT;
}

/* The directory of records, or -1 when there is none (then *r is KEPT_NOT or an error). */
static int kept_dir(const struct cni_op *op, int *r, struct err *e)
{
	const struct flannel_conf *c = op->conf;
	int fd = open(c->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		*r = errno == ENOENT ? KEPT_NOT :
				       err_set(e, -errno, "open directory %s", c->data_dir);
	return fd;
}

static int kept_get(const struct cni_op *op, struct doc *out, struct err *e)
{
	int r = KEPT_NOT;
	cleanup_fd int dir = kept_dir(op, &r, e);

	return dir < 0 ? r : kept_read(op, dir, op->env->container, out, e);
}

static int kept_path(const struct cni_op *op, char path[4096], struct err *e)
{
	const struct flannel_conf *c = op->conf;
	int r = str_copyf(path, 4096, "%s/%s", c->data_dir, op->env->container);

	return r < 0 ? err_set(e, r, "path in %s", c->data_dir) : 0;
}

static int kept_remove(const struct cni_op *op, struct err *e)
{
	char path[4096];
	int r = kept_path(op, path, e);

	if (r == 0 && (r = file_remove_at(AT_FDCWD, path)) < 0)
		(void)err_set(e, r, "remove %s", path);
	return r;
}

/*
 * Keeps the configuration. One that another interface of this container keeps for the same network
 * serves both, and DEL can do without one of another network.
 */
static int keep(struct cni_op *op, const struct str *text, struct err *e)
{
	const struct flannel_conf *c = op->conf;
	cleanup_doc struct doc had = DOC_INIT;
	char path[4096];
	int r = kept_get(op, &had, e);

	if (r < 0 || r == KEPT || r == KEPT_OTHER)
		return r < 0 ? r : 0;
	if (plan_on()) {
		plan_note("file", "host", "create %s/%s", c->data_dir, op->env->container);
		return 0;
	}
	if ((r == KEPT_TORN && (r = kept_remove(op, e)) < 0) || (r = kept_path(op, path, e)) < 0 ||
	    (r = file_mkdirs(c->data_dir, DIR_MODE, e)) < 0)
		return r;
	return txn_file_create(op->txn, path, FILE_MODE, text->p, text->len, e);
}

/* ---- verbs */

static int undo_delegate(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	int r;

	if (!t->ctx)
		return 0;
	if ((r = doc_parse(&d, u->a, strlen(u->a), e)) < 0)
		return r;
	return delegate(t->ctx, CNI_DEL, d.root, NULL, e);
}

static const struct undo_op delegate_del = { "delegate del", undo_delegate, UNDO_A };

static int delegate_add(struct cni_op *op, struct err *e)
{
	const struct flannel_conf *c = op->conf;
	cleanup_env struct subnet_env s = SUBNET_ENV_INIT;
	int r;

	if ((r = subnet_env_read(c->subnet_file, &s, e)) < 0)
		return r;
	cleanup_json struct json_object *o = render(op, &s);
	cleanup_str struct str text = STR_INIT;
	json_print(&text, o, 0, true);
	if (text.bad)
		return err_set(e, -ENOMEM, "make the delegate's configuration");
	char found[4096]; /* before anything is kept */
	if ((r = cni_find(json_text(json_get(o, "type")), op->env->path, found, e)) < 0 ||
	    (r = keep(op, &text, e)) < 0)
		return r;
	if (!txn_reserve(op->txn, &delegate_del, UNDO_HOST, NULL, text.p, NULL, e))
		return -EIO;
	r = delegate(op, CNI_ADD, o, &op->res, e);
	return r < 0 ? err_wrap(e, "failed to delegate add") : 0;
}

/*
 * A delegate that is not installed can have made nothing that this host could still undo, unless a
 * record says that it did.
 */
static int delegate_del_row(struct cni_op *op, struct err *e)
{
	cleanup_doc struct doc had = DOC_INIT;
	struct err one = ERR_INIT;
	int kept = kept_get(op, &had, e), r;

	if (kept < 0)
		return kept;
	cleanup_json struct json_object *o = kept == KEPT ? json_ref(had.root) : render_somehow(op);
	r = delegate(op, CNI_DEL, o, NULL, &one);
	if (r < 0 && !(kept != KEPT && r == -ENOENT)) {
		*e = one;
		return err_wrap(e, "failed to delegate del");
	}
	return kept == KEPT || kept == KEPT_TORN ? kept_remove(op, e) : 0;
}

static int delegate_check(struct cni_op *op, struct err *e)
{
	cleanup_doc struct doc had = DOC_INIT;
	int kept = kept_get(op, &had, e);

	if (kept < 0)
		return kept;
	cleanup_json struct json_object *o = kept == KEPT ? json_ref(had.root) : render_somehow(op);
	int r = delegate(op, CNI_CHECK, o, NULL, e);
	return r < 0 ? err_wrap(e, "failed to delegate check") : 0;
}

static int delegate_status(struct cni_op *op, struct err *e)
{
	const struct flannel_conf *c = op->conf;
	cleanup_env struct subnet_env s = SUBNET_ENV_INIT;
	int r = subnet_env_read(c->subnet_file, &s, e);

	if (r < 0) {
		e->code = CNI_E_UNAVAILABLE;
		return r;
	}
	cleanup_json struct json_object *o = render(op, &s);
	return delegate(op, CNI_STATUS, o, NULL, e);
}

/* ---- GC */

static bool is_valid(const struct cni_op *op, const char *container)
{
	for (size_t i = 0; i < op->cc->nvalid; i++)
		if (!strcmp(op->cc->valid[i].container, container))
			return true;
	return false;
}

/* A record of no valid container. What another plugin than today's made, that one collects. */
static int collect_one(struct cni_op *op, int dir, const char *name, const char *type,
		       struct err *e)
{
	cleanup_doc struct doc had = DOC_INIT;
	int r = kept_read(op, dir, name, &had, e);

	if (r != KEPT)
		return r < 0 ? r : 0;
	json_set_str(had.root, "cniVersion", op->cc->version_text); /* one that has GC */
	if (strcmp(json_text(json_get(had.root, "type")), type) != 0 &&
	    (r = delegate(op, CNI_GC, had.root, NULL, e)) < 0)
		return r;
	r = file_remove_at(dir, name);
	return r < 0 ? err_set(e, r, "remove %s", name) : 0;
}

static int collect_records(struct cni_op *op, const char *type, struct err *e)
{
	int r = 0, fd = kept_dir(op, &r, e);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct err first = ERR_INIT;

	if (!d)
		return r;
	for (struct dirent *ent; (ent = readdir(d));) {
		struct err one = ERR_INIT;

		if (*ent->d_name == '.' || is_valid(op, ent->d_name))
			continue;
		if (collect_one(op, fd, ent->d_name, type, &one) < 0)
			err_keep_first(&first, &one);
	}
	if (first.no)
		*e = first;
	return -first.no;
}

static int delegate_gc(struct cni_op *op, struct err *e)
{
	cleanup_json struct json_object *o = render_somehow(op);
	int r = delegate(op, CNI_GC, o, NULL, e);

	if (r < 0)
		return err_wrap(e, "failed to delegate gc");
	return collect_records(op, json_text(json_get(o, "type")), e);
}

static const struct cni_step flannel_steps[] = {
	{ .name = "delegate",
	  .add = delegate_add,
	  .del = delegate_del_row,
	  .check = delegate_check,
	  .gc = delegate_gc,
	  .status = delegate_status },
	{ 0 },
};

const struct cni_plugin cni_plugin_flannel = {
	.name = "flannel",
	.about = "has another plugin attach the container to this host's flannel subnet",
	.flags = CNI_NO_NETNS,
	.min = CNI_V_0_1_0,
	.fields = flannel_fields,
	.conf_size = sizeof(struct flannel_conf),
	.conf_init = flannel_conf_init,
	.conf_check = flannel_conf_check,
	.steps = flannel_steps,
};
