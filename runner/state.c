// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "runner/engine/engine.h"
#include "runner/opt.h"

#define GATE_WAIT_MS 10000
#define GATE_NAP_MS 2

/* --- directories --- */

static int path_from_env(const char *variable, const char *fallback, char out[STATE_PATH_MAX],
			 struct err *e)
{
	const char *text = getenv(variable);
	int r;

	if (!text || !*text)
		text = fallback;
	if (*text != '/')
		return err_say(e, -EINVAL, "%s: expected an absolute path, got \"%s\"", variable,
			       text);
	if ((r = str_copyf(out, STATE_PATH_MAX, "%s", text)) < 0)
		return err_set(e, r, "%s", variable);
	return 0;
}

static int open_below(const char *base, const char *name, bool create, int *out, struct err *e)
{
	char path[STATE_PATH_MAX + 32];
	int r;

	(void)snprintf(path, sizeof path, "%s/%s", base, name);
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out >= 0 || (errno == ENOENT && !create))
		return 0;
	if (errno != ENOENT) {
		r = err_set(e, -errno, "open %s", path);
		if (r == -EACCES && geteuid() != 0)
			err_details(e, "containers are root's; try sudo");
		return r;
	}
	if ((r = file_mkdirs(base, 0755, e)) < 0 || (r = file_mkdirs(path, 0700, e)) < 0)
		return r;
	*out = file_open_dir(AT_FDCWD, path, e);
	return *out < 0 ? *out : 0;
}

int state_open(struct state *s, enum state_access access, struct err *e)
{
	bool create = access == STATE_CREATE;
	int r;

	if ((r = path_from_env("NARU_ROOT", "/var/lib/naru", s->root, e)) < 0 ||
	    (r = path_from_env("NARU_RUN", "/run/naru", s->run, e)) < 0 ||
	    (r = open_below(s->root, "containers", create, &s->containers, e)) < 0 ||
	    (r = open_below(s->root, "names", create, &s->names, e)) < 0 ||
	    (r = open_below(s->run, "containers",
			    create || (access == STATE_CHANGE && s->containers >= 0), &s->live,
			    e)) < 0)
		return r;
	return 0;
}

void state_close(struct state *s)
{
	int *fds[] = { &s->containers, &s->names, &s->live };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

const char *ctr_root_path(const struct state *s, const char *id, const char *name,
			  char buf[CTR_PATH_MAX])
{
	(void)snprintf(buf, CTR_PATH_MAX, "%s/containers/%s%s%s", s->root, id, *name ? "/" : "",
		       name);
	return buf;
}

const char *ctr_run_path(const struct state *s, const char *id, const char *name,
			 char buf[CTR_PATH_MAX])
{
	(void)snprintf(buf, CTR_PATH_MAX, "%s/containers/%s%s%s", s->run, id, *name ? "/" : "",
		       name);
	return buf;
}

const char *ctr_bundle_path(const struct state *s, const struct ctr_record *r,
			    char buf[CTR_PATH_MAX])
{
	return r->auto_remove ? ctr_run_path(s, r->id, "", buf) : ctr_root_path(s, r->id, "", buf);
}

int state_gate(const struct state *s, int mode, int *fd, struct err *e)
{
	cleanup_fd int gate =
		openat(s->live, "../lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (gate < 0)
		return err_set(e, -errno, "open %s/lock", s->run);
	for (int waited_ms = 0; flock(gate, mode | LOCK_NB) < 0; waited_ms += GATE_NAP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, -errno, "lock %s/lock", s->run);
		if (waited_ms >= GATE_WAIT_MS)
			return err_say(
				e, -EAGAIN,
				"%s/lock is still held after %d s by another naru; try again later",
				s->run, GATE_WAIT_MS / 1000);
		(void)usleep(GATE_NAP_MS * 1000);
	}
	*fd = take_fd(gate);
	return 0;
}

/* --- reading --- */

static int read_doc(int dir, const char *id, const char *name, struct doc *out, struct err *e)
{
	cleanup_free char *text = NULL;
	char path[ID_LEN + 32];
	size_t len;
	int r;

	if (dir < 0)
		return err_set(e, -ENOENT, "open %s", name);
	(void)snprintf(path, sizeof path, "%s/%s", id, name);
	if ((r = file_read_at(dir, path, CTR_DOC_MAX, &text, &len, e)) < 0)
		return r;
	if ((r = doc_parse(out, text, len, e)) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

int ctr_read_doc(const struct state *s, const char *id, const char *name, struct doc *out,
		 struct err *e)
{
	int r = read_doc(s->containers, id, name, out, NULL);

	return r == -ENOENT ? read_doc(s->live, id, name, out, e) :
	       r < 0	    ? read_doc(s->containers, id, name, out, e) :
			      r;
}

static bool of_this_boot(const struct ctr_live *l)
{
	char boot[40];

	return !strcmp(l->boot, boot_id_text(boot));
}

int ctr_load(struct ctr *c, const struct state *s, const char *id, struct err *e)
{
	int r;

	(void)str_copyf(c->id, sizeof c->id, "%s", id);
	if ((r = ctr_read_doc(s, id, "container.json", &c->docs[0], e)) < 0)
		return r;
	if ((r = record_decode(&c->docs[0], &c->rec, e)) < 0)
		return err_wrap(e, "container.json of %.12s", id);
	c->has_live = read_doc(s->live, id, "state.json", &c->docs[1], NULL) == 0 &&
		      live_decode(&c->docs[1], &c->live, NULL) == 0 && of_this_boot(&c->live);
	c->has_end = read_doc(s->containers, id, "exit.json", &c->docs[2], NULL) == 0 &&
		     exit_decode(&c->docs[2], &c->end, NULL) == 0;
	if (!c->has_end)
		c->end = (struct ctr_exit){ .code = 255,
					    .lost = true,
					    .started = c->has_live ? c->live.started : "",
					    .finished = "",
					    .error = "" };
	c->status =
		c->has_live && !c->has_end && engine_alive((pid_t)c->live.pid, c->live.start_time) ?
			CTR_RUNNING :
			CTR_EXITED;
	return 0;
}

void ctr_clear(struct ctr *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->docs); i++)
		doc_free(&c->docs[i]);
	*c = (struct ctr)CTR_INIT;
}

bool state_is_id(const char *name)
{
	return strlen(name) == ID_LEN && strspn(name, "0123456789abcdef") == ID_LEN;
}

static int id_cmp(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN + 1);
}

static int ids_of(int dir, char (**ids)[ID_LEN + 1], size_t *n, struct err *e)
{
	if (dir < 0)
		return 0;
	cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return err_set(e, -errno, "list the containers");
	(void)take_fd(fd);
	for (struct dirent *ent; (ent = readdir(d));) {
		if (!state_is_id(ent->d_name))
			continue;
		char(*slot)[ID_LEN + 1] = vec_add(ids, n);
		if (!slot)
			return err_set(e, -ENOMEM, "list the containers");
		memcpy(*slot, ent->d_name, ID_LEN + 1);
	}
	return 0;
}

int state_ids(const struct state *s, char (**ids)[ID_LEN + 1], size_t *n, struct err *e)
{
	size_t kept = 0;
	int r;

	*ids = NULL;
	*n = 0;
	if ((r = ids_of(s->containers, ids, n, e)) < 0 || (r = ids_of(s->live, ids, n, e)) < 0) {
		free(take_ptr(*ids));
		*n = 0;
		return r;
	}
	if (*n)
		qsort(*ids, *n, sizeof **ids, id_cmp);
	for (size_t i = 0; i < *n; i++)
		if (!kept || id_cmp((*ids)[kept - 1], (*ids)[i]))
			memmove((*ids)[kept++], (*ids)[i], sizeof **ids);
	*n = kept;
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct ctr *x = a, *y = b;
	int r = strcmp(y->rec.created, x->rec.created);

	return r ? r : strcmp(x->id, y->id);
}

int ctrs_load(const struct state *s, struct ctr **v, size_t *n, struct err *e)
{
	cleanup_free char(*ids)[ID_LEN + 1] = NULL;
	size_t nids;
	int r = state_ids(s, &ids, &nids, e);

	*v = NULL;
	*n = 0;
	if (r < 0)
		return r;
	if (!(*v = calloc(nids + 1, sizeof **v)))
		return err_set(e, -ENOMEM, "list the containers");
	for (size_t i = 0; i < nids; i++) {
		struct ctr *c = &(*v)[*n];

		if (ctr_load(c, s, ids[i], NULL) == 0)
			(*n)++;
		else /* being made, being removed, or left half made: gc's business */
			ctr_clear(c);
	}
	if (*n)
		qsort(*v, *n, sizeof **v, newest_first);
	return 0;
}

void ctrs_free(struct ctr *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ctr_clear(&v[i]);
	free(v);
}

/* --- finding --- */

bool state_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len < 2 || len > 128 || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return true;
}

static int name_target(const struct state *s, const char *name, char id[ID_LEN + 1])
{
	char target[ID_LEN + 2];
	ssize_t n = s->names < 0 ? -1 : readlinkat(s->names, name, target, sizeof target);

	if (n != ID_LEN)
		return -ENOENT;
	target[n] = 0;
	if (!state_is_id(target))
		return -ENOENT;
	memcpy(id, target, ID_LEN + 1);
	return 0;
}

static int no_such(const struct state *s, const char *ref, struct err *e)
{
	struct ctr *v;
	size_t n;
	int r = err_say(e, -ENOENT, "no such container: %s", ref);

	if (ctrs_load(s, &v, &n, NULL) < 0)
		return r;
	cleanup_free const char **names = calloc(n + 1, sizeof *names);
	for (size_t i = 0; names && i < n; i++)
		names[i] = v[i].rec.name;
	const char *near = names ? opt_nearest(ref, names) : NULL;
	if (near)
		err_details(e, "did you mean %s?", near);
	else
		err_details(e, n ? "try: naru ps -a" : "there are no containers on this machine");
	ctrs_free(v, n);
	return r;
}

int state_find(const struct state *s, const char *ref, char id[ID_LEN + 1], struct err *e)
{
	size_t len = strlen(ref), n, hits = 0;
	cleanup_free char(*ids)[ID_LEN + 1] = NULL;
	int r;

	if (state_name_ok(ref) && name_target(s, ref, id) == 0)
		return 0;
	if (!len || len > ID_LEN || strspn(ref, "0123456789abcdef") != len)
		return no_such(s, ref, e);
	if ((r = state_ids(s, &ids, &n, e)) < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (!memcmp(ids[i], ref, len) && hits++ == 0)
			memcpy(id, ids[i], ID_LEN + 1);
	if (hits > 1)
		return err_say(e, -EINVAL,
			       "%s is the beginning of %zu container ids; give more digits", ref,
			       hits);
	return hits ? 0 : no_such(s, ref, e);
}

int ctr_find(struct ctr *c, const struct state *s, const char *ref, struct err *e)
{
	char id[ID_LEN + 1];
	int r = state_find(s, ref, id, e);

	if (r < 0)
		return r;
	if ((r = ctr_load(c, s, id, e)) == -ENOENT)
		return no_such(s, ref, e);
	return r;
}

/* --- names --- */

int state_name_add(const struct state *s, const char *name, const char *id, struct err *e)
{
	char owner[ID_LEN + 1];
	int r;

	if (!state_name_ok(name))
		return err_say(
			e, -EINVAL,
			"--name: expected letters, digits, '_', '.' and '-' (2 to 128 of them, beginning with a "
			"letter or digit), got \"%s\"",
			name);
	if (symlinkat(id, s->names, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(e, -errno, "name the container %s", name);
	if (name_target(s, name, owner) < 0)
		return err_set(e, -EEXIST, "name the container %s", name);
	r = err_say(e, -EEXIST, "the name %s is taken by container %.12s", name, owner);
	err_details(e, "remove that one with naru rm %s, or choose another name", name);
	return r;
}

void state_name_del(const struct state *s, const char *name, const char *id)
{
	char owner[ID_LEN + 1];

	if (name_target(s, name, owner) == 0 && !strcmp(owner, id))
		(void)unlinkat(s->names, name, 0);
}

/*
 * A name is made after the directories and removed before them, so one without directories is
 * nobody's.
 */
static bool is_orphan(const struct state *s, const char *owner)
{
	return faccessat(s->containers, owner, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	       (s->live < 0 || faccessat(s->live, owner, F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

int state_names_sweep(const struct state *s, struct err *e)
{
	int dropped = 0;

	if (s->names < 0)
		return 0;
	cleanup_fd int fd = openat(s->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return err_set(e, -errno, "list the names of containers");
	(void)take_fd(fd);
	for (struct dirent *ent; (ent = readdir(d));) {
		char owner[ID_LEN + 1];

		if (ent->d_name[0] == '.' || name_target(s, ent->d_name, owner) < 0 ||
		    !is_orphan(s, owner))
			continue;
		if (unlinkat(s->names, ent->d_name, 0) < 0 && errno != ENOENT)
			return err_set(e, -errno, "free the name %s", ent->d_name);
		dropped++;
	}
	return dropped;
}
