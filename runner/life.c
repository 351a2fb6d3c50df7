// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/net/netns.h"
#include "netlib/txn/verbs.h"
#include "runner/engine/cgroup.h"
#include "runner/etc.h"
#include "runner/hostport.h"
#include "runner/journal.h"
#include "runner/network.h"
#include "runner/spec.h"
#include "runner/spec_compose.h"

#define EXIT_NARU 125

static bool own_network(const struct ctr_record *rec)
{
	return strcmp(rec->network, "none") != 0 && strcmp(rec->network, "host") != 0;
}

/* --- who and where --- */

static int claim(struct life *l, const struct request *rq, struct err *e)
{
	int r;

	l->rec = rq->rec;
	l->rec.created = time_now_text(l->created);
	if ((r = ctr_dir_create(&l->dir, l->state, rq->rec.auto_remove, e)) < 0)
		return r;
	l->rec.id = l->dir.id;
	(void)str_copyf(l->shown, sizeof l->shown, "%.*s", ID_SHOWN, l->dir.id);
	if (!l->rec.hostname && !strcmp(l->rec.network, "host") &&
	    gethostname(l->hostname, sizeof l->hostname - 1) == 0)
		l->rec.hostname = l->hostname;
	else if (!l->rec.hostname)
		l->rec.hostname = l->shown;
	if (rq->rec.name) {
		if ((r = state_name_add(l->state, rq->rec.name, l->dir.id, e)) < 0)
			return r;
		l->named = true;
	} else {
		l->rec.name = l->shown;
	}
	return 0;
}

/* --- the network --- */

/* What the container's process needs of it: the namespace, and the files that are bound into it. */
static int network_place(struct life *l, const struct request *rq, struct network *n, int *netns_fd,
			 struct err *e)
{
	char path[CTR_PATH_MAX];
	int r;

	(void)ctr_run_path(l->state, l->dir.id, "netns", path);
	if ((r = network_open(n, l->rec.network, e)) < 0 ||
	    (r = hostport_check(rq->ports, rq->nports, e)) < 0 ||
	    (r = txn_netns_create(&l->txn, path, e)) < 0 ||
	    (r = etc_write(l->dir.run, l->rec.hostname, NULL, e)) < 0)
		return r;
	r = netns_open(path, netns_fd, e);
	return r > 0 ? err_say(e, -ENOENT, "the network namespace %s is gone", path) : r;
}

/* The plugins work while the container's process puts its root together. */
static int network_up(struct life *l, const struct request *rq, struct network *n, struct err *e)
{
	char dir[CTR_PATH_MAX];
	int r;

	(void)ctr_run_path(l->state, l->dir.id, "", dir);
	if ((r = network_attach(n, &l->txn, dir, rq->ports, rq->nports, &l->result, e)) < 0)
		return r;
	return etc_write_result(l->dir.run, l->rec.hostname, &l->result, e);
}

/* --- the bundle --- */

static int add_binds(struct life *l, const struct request *rq, struct spec_bind **out, size_t *n,
		     char etc[ETC_FILES][2][CTR_PATH_MAX], struct err *e)
{
	struct spec_bind *b = calloc(rq->nvolumes + ETC_FILES, sizeof *b);

	if (!b)
		return err_set(e, -ENOMEM, "mounts");
	*out = b;
	for (size_t i = 0; own_network(&l->rec) && i < ETC_FILES; i++) {
		(void)ctr_run_path(l->state, l->dir.id, etc_files[i], etc[i][0]);
		(void)str_copyf(etc[i][1], CTR_PATH_MAX, "/etc/%s", etc_files[i]);
		b[(*n)++] = (struct spec_bind){ .source = etc[i][0], .target = etc[i][1] };
	}
	for (size_t i = 0; i < rq->nvolumes; i++)
		b[(*n)++] = (struct spec_bind){ .source = rq->volumes[i].source,
						.target = rq->volumes[i].target,
						.read_only = rq->volumes[i].read_only,
						.propagation = rq->volumes[i].propagation };
	return 0;
}

/* As docker: in a network of its own, whoever may run anything may serve port 80 and ping. */
static const struct spec_pair own_sysctls[] = {
	{ "net.ipv4.ip_unprivileged_port_start", "0" },
	{ "net.ipv4.ping_group_range", "0 2147483647" },
};

static int compose(struct life *l, const struct request *rq, struct json_object **out,
		   struct err *e)
{
	char etc[ETC_FILES][2][CTR_PATH_MAX];
	cleanup_free struct spec_bind *binds = NULL;
	size_t nbinds = 0;
	int r = add_binds(l, rq, &binds, &nbinds, etc, e);

	if (r < 0)
		return r;
	struct spec_request sr = {
		.args = rq->args,
		.env = rq->env,
		.cwd = rq->cwd,
		.uid = rq->user.uid,
		.gid = rq->user.gid,
		.groups = rq->user.groups,
		.ngroups = rq->user.ngroups,
		.root = "merged",
		.hostname = l->rec.hostname,
		.network = strcmp(l->rec.network, "host") ? SPEC_NETWORK_NEW : SPEC_NETWORK_HOST,
		.memory = l->rec.memory,
		.cpu_nanos = l->rec.nano_cpus,
		.cpu_shares = l->rec.cpu_shares,
		.pids = l->rec.pids_limit,
		.binds = binds,
		.nbinds = nbinds,
		.cpus_thermal = engine_cpus_thermal(),
	};
	if (sr.network == SPEC_NETWORK_NEW) {
		sr.sysctls = own_sysctls;
		sr.nsysctls = ARRAY_LEN(own_sysctls);
	}
	return spec_compose(&sr, out, e);
}

/* Composes config.json, keeps it, and reads it back as the engine's input. */
static int bundle(struct life *l, const struct request *rq, struct spec *spec, struct err *e)
{
	cleanup_json struct json_object *tree = NULL;
	cleanup_str struct str s = STR_INIT;
	int r;

	if ((r = compose(l, rq, &tree, e)) < 0)
		return r;
	json_print(&s, tree, l->dir.sync ? 2 : 0, false);
	str_addc(&s, '\n');
	if (s.bad)
		return err_set(e, -ENOMEM, "config.json");
	if ((r = ctr_write_doc(&l->dir, "config.json", s.p, s.len, e)) < 0)
		return r;
	return spec_decode(spec, take_ptr(tree), e);
}

/* --- the process --- */

static int create(struct life *l, const struct spec *spec, int netns_fd, const int stdio[3],
		  struct err *e)
{
	char bundle_dir[CTR_PATH_MAX], upper[CTR_PATH_MAX], work[CTR_PATH_MAX];
	struct engine_start start = {
		.id = l->dir.id,
		.bundle = ctr_bundle_path(l->state, &l->rec, bundle_dir),
		.spec = spec,
		.rootfs = { .lowers = l->rec.lowers,
			    .nlowers = l->rec.nlowers,
			    .upper = ctr_root_path(l->state, l->dir.id, "upper", upper),
			    .work = ctr_root_path(l->state, l->dir.id, "work", work),
			    .scratch = l->rec.auto_remove },
		.netns_fd = netns_fd,
		.stdio = { stdio[0], stdio[1], stdio[2] },
		.overlap = true,
	};

	return engine_create(&l->txn, &start, &l->proc, e);
}

/*
 * From here on the container is one that others see: its process is there and has its network, and
 * waits for us, or is about to.
 */
static int publish(struct life *l, struct err *e)
{
	cleanup_json struct json_object *result = NULL;
	char boot[40];
	int r;

	if (l->result.nifaces && !(result = cni_result_encode(&l->result, CNI_V_1_1_0, false, e)))
		return -ENOMEM;
	struct ctr_live live = {
		.pid = l->proc.pid,
		.start_time = l->proc.start_time,
		.boot = boot_id_text(boot),
		.started = time_now_text(l->started),
		.cgroup = l->proc.cgroup,
		.ifname = result ? NETWORK_IFNAME : "",
		.result = result,
	};
	if ((r = ctr_write_live(&l->dir, &live, e)) < 0)
		return r;
	return ctr_write_record(&l->dir, &l->rec, e);
}

static int make(struct life *l, const struct request *rq, const int stdio[3], struct err *e)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	cleanup_network struct network n = NETWORK_INIT;
	cleanup_fd int netns_fd = -1, gate = -1;
	int r;

	/* until everything stands, gc must not look for things that belong to nobody */
	if ((r = state_gate(l->state, LOCK_SH, &gate, e)) < 0 || (r = claim(l, rq, e)) < 0)
		return r;
	journal_begin(&l->txn, &l->dir);
	bool own = own_network(&l->rec);
	if ((own && (r = network_place(l, rq, &n, &netns_fd, e)) < 0) ||
	    (r = bundle(l, rq, &spec, e)) < 0 || (r = create(l, &spec, netns_fd, stdio, e)) < 0 ||
	    (own && (r = network_up(l, rq, &n, e)) < 0))
		return r;
	return publish(l, e);
}

static int remove_all(struct life *l, struct err *e)
{
	if (l->named)
		state_name_del(l->state, l->rec.name, l->dir.id);
	return l->dir.run < 0 ? 0 : ctr_dir_remove(&l->dir, l->state, e);
}

int life_start(struct life *l, const struct state *s, const struct request *rq, const int stdio[3],
	       int *code, struct err *e)
{
	struct err undone = ERR_INIT;
	int r;

	l->state = s;
	*code = EXIT_NARU;
	if ((r = make(l, rq, stdio, e)) == 0 && (r = engine_begin(&l->proc, e)) == 0) {
		l->running = true;
		if (*l->proc.notes)
			trace_event("note", "engine", 0, "%s", l->proc.notes);
		return 0;
	}
	*code = engine_exit_code(r, e);
	engine_proc_stop(&l->proc);
	if (e && (e->no == ENOSPC || e->no == EDQUOT || e->no == EROFS) && !*e->details)
		err_details(
			e,
			"containers are kept in %s and %s; NARU_ROOT and NARU_RUN name other places",
			s->root, s->run);
	if (txn_rollback(&l->txn, &undone) < 0 || remove_all(l, &undone) < 0)
		err_details(e, "and undoing it: %s; naru gc tries again", undone.text);
	return r;
}

/* --- the end --- */

static int write_end(const struct ctr_dir *d, const char *started, const char *cgroup, int code,
		     bool lost, struct err *e)
{
	struct cgroup_stat stat = { .oom = false };
	char now[TIME_TEXT_MAX];

	if (*cgroup)
		(void)cgroup_stat(cgroup, &stat, NULL);
	struct ctr_exit x = { .code = code,
			      .oom = stat.oom,
			      .lost = lost,
			      .started = started,
			      .finished = time_now_text(now),
			      .error = "" };
	return ctr_write_exit(d, &x, e);
}

int life_end(struct life *l, int code, struct err *e)
{
	struct err first = ERR_INIT, one = ERR_INIT;
	int r;

	if (!l->rec.auto_remove &&
	    write_end(&l->dir, l->started, l->proc.cgroup, code, false, &one) < 0)
		err_keep_first(&first, &one);
	if (txn_rollback(&l->txn, &one) < 0) { /* the journal stays for gc */
		err_keep_first(&first, &one);
	} else {
		l->running = false;
		r = l->rec.auto_remove ? remove_all(l, &one) :
					 ctr_dir_remove_run(&l->dir, l->state, &one);
		if (r < 0)
			err_keep_first(&first, &one);
	}
	if (first.no && e)
		*e = first;
	return -first.no;
}

void life_clear(struct life *l)
{
	if (l->running)
		txn_commit(&l->txn);
	txn_end(&l->txn);
	engine_proc_clear(&l->proc);
	cni_result_clear(&l->result);
	ctr_dir_close(&l->dir);
}

int life_reclaim(const struct state *s, struct ctr_dir *d, const struct ctr *c, bool remove,
		 struct err *e)
{
	struct err first = ERR_INIT, one = ERR_INIT;

	/* a full disk must not keep ports and memory; the directory then waits for the next time */
	if (c && !remove && !c->has_end &&
	    write_end(d, c->end.started, c->has_live ? c->live.cgroup : "", c->end.code & 0xff,
		      true, &one) < 0)
		err_keep_first(&first, &one);
	if (journal_replay(d, &one) < 0)
		err_keep_first(&first, &one);
	if (first.no) {
		if (e)
			*e = first;
		return -first.no;
	}
	if (!remove)
		return ctr_dir_remove_run(d, s, e);
	if (c)
		state_name_del(s, c->rec.name, c->id);
	return ctr_dir_remove(d, s, e);
}
