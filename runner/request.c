// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/network.h"
#include "runner/opt.h"
#include "runner/publish.h"
#include "runner/state.h"

#define MEMORY_MIN (INT64_C(6) << 20) /* docker's: less does not even start a shell */
#define CPU_SHARES_MIN 2	      /* the kernel's */
#define CPU_SHARES_MAX 262144
#define PIDS_MAX 4194304 /* PID_MAX_LIMIT of the kernel */
#define NANO 1000000000

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "read the options");
}

/* Keeps a text for the life of the request; NULL when memory is out. */
static const char *own(struct request *rq, char *text)
{
	char **slot = text ? vec_add(&rq->owned, &rq->nowned) : NULL;

	if (!slot) {
		free(text);
		return NULL;
	}
	return *slot = text;
}

static int push(const char ***v, size_t *n, const char *text, struct err *e)
{
	const char **slot = vec_add(v, n);

	if (!slot)
		return no_memory(e);
	*slot = text;
	return 0;
}

/* --- the root --- */

static int from_rootfs(struct request *rq, const char *dir, struct err *e)
{
	char *real = realpath(dir, NULL);
	struct stat st;

	if (!real)
		return err_set(e, -errno, "--rootfs %s", dir);
	if (!(rq->rec.rootfs = own(rq, real)))
		return no_memory(e);
	if (stat(real, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_say(e, -ENOTDIR, "--rootfs %s: expected a directory", dir);
	rq->rec.image = rq->rec.image_id = "";
	return push(&rq->rec.lowers, &rq->rec.nlowers, real, e);
}

static int from_image(struct request *rq, const char *name, struct err *e)
{
	int r = image_lookup(NULL, name, &rq->image, e);

	if (r < 0)
		return r;
	const char *id = own(rq, str_fmt("sha256:%s", rq->image.id));
	if (!id)
		return no_memory(e);
	rq->rec.image = name;
	rq->rec.image_id = id;
	for (size_t i = rq->image.nlayers; i-- > 0;) /* the overlay wants the uppermost first */
		if ((r = push(&rq->rec.lowers, &rq->rec.nlowers, rq->image.layers[i], e)) < 0)
			return r;
	rq->rec.exposed = rq->image.ports;
	rq->rec.nexposed = rq->image.nports;
	return rq->rec.nlowers ? 0 : err_say(e, -EINVAL, "image %s has no layers", name);
}

/* --- the command and its environment --- */

static int set_command(struct request *rq, const struct run_opts *o, char **words, size_t n,
		       struct err *e)
{
	struct ctr_record *rec = &rq->rec;
	int r = 0;

	rec->entrypoint = rq->image.entrypoint;
	rec->nentrypoint = rq->image.nentrypoint;
	rec->cmd = rq->image.cmd;
	rec->ncmd = rq->image.ncmd;
	if (o->entrypoint) {
		rq->entrypoint[0] = o->entrypoint;
		rec->entrypoint = rq->entrypoint;
		rec->nentrypoint = *o->entrypoint ? 1 : 0;
		rec->ncmd = 0;
	}
	if (n) {
		rec->cmd = (const char **)words;
		rec->ncmd = n;
	}
	for (size_t i = 0; r == 0 && i < rec->nentrypoint; i++)
		r = push(&rq->args, &rq->nargs, rec->entrypoint[i], e);
	for (size_t i = 0; r == 0 && i < rec->ncmd; i++)
		r = push(&rq->args, &rq->nargs, rec->cmd[i], e);
	if (r == 0 && !rq->nargs) {
		r = err_say(e, -EINVAL, "%s%s names no command to run",
			    *rec->image ? "image " : "--rootfs ",
			    *rec->image ? rec->image : o->rootfs);
		err_details(e, "put one behind it, such as /bin/sh");
	}
	return r < 0 ? r : push(&rq->args, &rq->nargs, NULL, e);
}

static int add_variable(struct request *rq, const char *text, struct err *e)
{
	const char *value;

	if (!*text || *text == '=')
		return err_say(e, -EINVAL, "-e: expected NAME=VALUE or NAME, got \"%s\"", text);
	if (!strchr(text, '=')) {
		if (!(value = getenv(text)))
			return 0;
		if (!(text = own(rq, str_fmt("%s=%s", text, value))))
			return no_memory(e);
	}
	return push(&rq->env, &rq->nenv, text, e);
}

/* HOME comes when it starts, from the root as it is then and for the user it is then. */
static int set_env(struct request *rq, const struct run_opts *o, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rq->image.nenv; i++)
		r = push(&rq->env, &rq->nenv, rq->image.env[i], e);
	for (size_t i = 0; r == 0 && i < o->nenv; i++)
		r = add_variable(rq, o->env[i], e);
	return r < 0 ? r : push(&rq->env, &rq->nenv, NULL, e);
}

/* --- ports, volumes, limits --- */

static int add_port(struct request *rq, const char *text, struct err *e)
{
	struct port_map *m = vec_add(&rq->ports, &rq->nports);
	char whole[PORT_TEXT_MAX];
	int r;

	if (!m)
		return no_memory(e);
	*m = (struct port_map){ 0 };
	if (publish_lacks_host(text)) {
		r = publish_choose(text, rq->ports, rq->nports - 1, whole, sizeof whole, m, e);
		if (r < 0)
			return r;
		if (!(text = own(rq, strdup(whole))))
			return no_memory(e);
	} else if ((r = port_map_parse(text, m, e)) < 0) {
		return r;
	}
	return push(&rq->rec.ports, &rq->rec.nports, text, e);
}

static int set_ports(struct request *rq, const struct run_opts *o, struct err *e)
{
	bool none = !strcmp(rq->rec.network, "none") || !strcmp(rq->rec.network, "host");
	int r = 0;

	if (none && (o->nports || o->publish_all))
		return err_say(e, -EINVAL,
			       "-%s%s: --network %s publishes no ports; leave one of the two away",
			       o->nports ? "p " : "P", o->nports ? o->ports[0] : "",
			       rq->rec.network);
	for (size_t i = 0; r == 0 && i < o->nports; i++)
		r = add_port(rq, o->ports[i], e);
	return r;
}

/* -P, once the image is known. */
static int set_exposed(struct request *rq, const struct run_opts *o, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && o->publish_all && i < rq->rec.nexposed; i++)
		r = add_port(rq, rq->rec.exposed[i], e);
	return r;
}

static int set_volumes(struct request *rq, const struct run_opts *o, struct err *e)
{
	if (!o->nvolumes)
		return 0;
	if (!(rq->volumes = calloc(o->nvolumes, sizeof *rq->volumes)))
		return no_memory(e);
	for (size_t i = 0; i < o->nvolumes; i++) {
		const struct volume *v = &rq->volumes[i];
		int r = volume_parse(o->volumes[i], &rq->volumes[i], e);

		if (r < 0)
			return r;
		rq->nvolumes++;
		const char *bind = own(rq, str_fmt("%s:%s%s%s", v->source, v->target,
						   *v->mode ? ":" : "", v->mode));
		if (!bind)
			return no_memory(e);
		if ((r = push(&rq->rec.binds, &rq->rec.nbinds, bind, e)) < 0)
			return r;
	}
	return 0;
}

static int set_limits(struct ctr_record *rec, const struct run_opts *o, struct err *e)
{
	if (o->memory && o->memory < MEMORY_MIN)
		return err_say(e, -EINVAL, "-m: expected at least 6m, got %lld bytes",
			       (long long)o->memory);
	if (o->cpu_shares && (o->cpu_shares < CPU_SHARES_MIN || o->cpu_shares > CPU_SHARES_MAX))
		return err_say(e, -EINVAL, "--cpu-shares: expected %d to %d, got %lld",
			       CPU_SHARES_MIN, CPU_SHARES_MAX, (long long)o->cpu_shares);
	int64_t online = o->nano_cpus ? sysconf(_SC_NPROCESSORS_ONLN) : 0;
	if (o->nano_cpus > online * NANO)
		return err_say(e, -EINVAL,
			       "--cpus: expected at most %lld, which this machine has, got %g",
			       (long long)online, (double)o->nano_cpus / NANO);
	if (o->pids_limit > PIDS_MAX)
		return err_say(e, -EINVAL,
			       "--pids-limit: expected at most %d, or -1 for no limit, got %lld",
			       PIDS_MAX, (long long)o->pids_limit);
	rec->memory = o->memory;
	rec->nano_cpus = o->nano_cpus;
	rec->cpu_shares = o->cpu_shares;
	rec->pids_limit = o->pids_limit > 0 ? o->pids_limit : 0;
	return 0;
}

static int set_hostname(struct request *rq, const struct run_opts *o, struct err *e)
{
	size_t len = o->hostname ? strlen(o->hostname) : 0;

	if (o->hostname &&
	    (!len || len > 63 ||
	     strspn(o->hostname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789.-_") != len))
		return err_say(
			e, -EINVAL,
			"--hostname: expected 1 to 63 letters, digits, '.', '-' or '_', got \"%s\"",
			o->hostname);
	/* NULL: the container's id, or the host's name in the host's network */
	rq->rec.hostname = o->hostname;
	return 0;
}

static int set_user(struct request *rq, const struct run_opts *o, struct err *e)
{
	rq->rec.user = o->user ? o->user : rq->image.user ? rq->image.user : "";
	return user_resolve(rq->rec.user, rq->rec.lowers, rq->rec.nlowers, &rq->user, e);
}

static int set_cwd(struct request *rq, const struct run_opts *o, struct err *e)
{
	rq->cwd = o->workdir				  ? o->workdir :
		  rq->image.workdir && *rq->image.workdir ? rq->image.workdir :
							    "/";
	rq->rec.working_dir = o->workdir || rq->image.workdir ? rq->cwd : "";
	rq->rec.stop_signal = rq->image.stop_signal ? rq->image.stop_signal : "";
	return rq->cwd[0] == '/' ?
		       0 :
		       err_say(e, -EINVAL, "-w: expected an absolute path, got \"%s\"", rq->cwd);
}

/* --- JSON holds nothing but UTF-8, and all of this goes into documents --- */

static bool is_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		unsigned more = *p < 0x80		? 0 :
				*p >= 0xc2 && *p < 0xe0 ? 1 :
				(*p & 0xf0) == 0xe0	? 2 :
				*p >= 0xf0 && *p < 0xf5 ? 3 :
							  4;
		uint32_t c = more ? *p & (0x3f >> more) : *p;

		if (more == 4)
			return false;
		for (p++; more--; p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}

static int check_texts(const struct request *rq, struct err *e)
{
	const struct ctr_record *rec = &rq->rec;
	const struct {
		const char *what;
		const char **v;
		size_t n;
	} lists[] = {
		{ "the command", rq->args, rq->nargs ? rq->nargs - 1 : 0 },
		{ "-e", rq->env, rq->nenv - 1 },
		{ "-v", rec->binds, rec->nbinds },
		{ "--entrypoint", rec->entrypoint, rec->nentrypoint },
		{ "--rootfs", rec->lowers, rec->nlowers },
		{ "-w", (const char *[]){ rq->cwd }, 1 },
		{ "-u", (const char *[]){ rec->user }, 1 },
		{ "--network", (const char *[]){ rec->network }, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < lists[i].n; k++)
			if (!is_utf8(lists[i].v[k]))
				return err_say(e, -EILSEQ,
					       "%s: expected UTF-8, got bytes that are not",
					       lists[i].what);
	return 0;
}

int request_build(struct request *rq, const struct run_opts *o, const struct operands *args,
		  struct err *e)
{
	size_t skip = o->rootfs ? 0 : 1; /* the image's name */
	int r;

	if (o->name && !state_name_ok(o->name))
		return err_say(
			e, -EINVAL,
			"--name: expected 2 or more letters, digits, '_', '.' or '-', beginning with a letter or "
			"digit, got \"%s\"",
			o->name);
	rq->rec = (struct ctr_record){ .name = o->name,
				       .network = o->network ? o->network : NETWORK_DEFAULT,
				       .auto_remove = o->rm,
				       .detached = o->detach };
	if ((r = set_limits(&rq->rec, o, e)) < 0 || (r = set_hostname(rq, o, e)) < 0 ||
	    (r = set_ports(rq, o, e)) < 0 || (r = set_volumes(rq, o, e)) < 0)
		return r;
	if ((r = o->rootfs ? from_rootfs(rq, o->rootfs, e) : from_image(rq, args->v[0], e)) < 0 ||
	    (r = set_exposed(rq, o, e)) < 0 ||
	    (r = set_command(rq, o, args->v + skip, args->n - skip, e)) < 0 ||
	    (r = set_user(rq, o, e)) < 0 || (r = set_env(rq, o, e)) < 0 ||
	    (r = set_cwd(rq, o, e)) < 0)
		return r;
	return check_texts(rq, e);
}

void request_clear(struct request *rq)
{
	for (size_t i = 0; i < rq->nowned; i++)
		free(rq->owned[i]);
	for (size_t i = 0; i < rq->nvolumes; i++)
		volume_clear(&rq->volumes[i]);
	free(rq->owned);
	free(rq->volumes);
	free(rq->ports);
	free(rq->rec.lowers);
	free(rq->rec.binds);
	free(rq->rec.ports);
	free(rq->args);
	free(rq->env);
	image_clear(&rq->image);
	*rq = (struct request)REQUEST_INIT;
}
