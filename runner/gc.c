// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/furniture.h"
#include "netlib/nl/nl.h"
#include "runner/ctr_dir.h"
#include "runner/engine/cgroup.h"
#include "runner/engine/hier.h"
#include "runner/image/store.h"
#include "runner/life.h"
#include "runner/network.h"
#include "runner/state.h"

enum verdict { LEAVE, STOP, REMOVE };

static enum verdict judge(const struct ctr *c, bool known)
{
	if (!known)
		return REMOVE; /* never completely created, or half removed */
	if (c->status == CTR_RUNNING)
		return LEAVE; /* its runner was killed, it was not */
	return c->rec.auto_remove ? REMOVE : STOP;
}

/* What became of it: LEAVE, STOP or REMOVE, or negative. */
static int one_container(const struct state *s, const char *id, struct err *e)
{
	cleanup_ctr_dir struct ctr_dir d = CTR_DIR_INIT;
	cleanup_ctr struct ctr c = CTR_INIT;
	bool had_run = s->live >= 0 && faccessat(s->live, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0,
	     known;
	int r = ctr_dir_lock(&d, s, id, 0, NULL);

	if (r == CTR_BUSY || r == -ENOENT)
		return LEAVE; /* somebody works on it, or it is gone */
	if (r < 0)
		return ctr_dir_lock(&d, s, id, 0, e);
	known = ctr_load(&c, s, id, NULL) == 0;
	enum verdict v = judge(&c, known);
	if (v == STOP && c.has_end &&
	    !had_run) /* long stopped: nothing but the directory that the lock needed */
		return (r = ctr_dir_remove_run(&d, s, e)) < 0 ? r : LEAVE;
	if (v != LEAVE && (r = life_reclaim(s, &d, known ? &c : NULL, v == REMOVE, e)) < 0)
		return r;
	return (int)v;
}

static int all_containers(const struct state *s, struct json_object *lists[3], struct err *e)
{
	cleanup_free char(*ids)[ID_LEN + 1] = NULL;
	struct err first = ERR_INIT;
	size_t n;
	int r = state_ids(s, &ids, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;

		if ((r = one_container(s, ids[i], &one)) < 0)
			err_keep_first(&first, &one);
		else if (lists[r])
			json_append(lists[r], json_new_str(ids[i]));
	}
	if (first.no && e)
		*e = first;
	return -first.no;
}

static int shared_things(struct err *e)
{
	cleanup_nl struct nl host = NL_INIT;
	unsigned removed;
	int r = nl_open(&host, NETLINK_ROUTE, -1, "host", e);

	return r < 0 ? r : furniture_sweep(&host, &removed, e);
}

/*
 * Groups of containers that are nowhere, and then the parent, when it is empty. What is in use
 * refuses to go.
 */
static void groups(const struct state *s, const char *root, const char *parent)
{
	char path[STATE_PATH_MAX];

	if (str_copyf(path, sizeof path, "%s/%s", root, parent) < 0)
		return;
	cleanup_dir DIR *d = opendir(path);
	for (struct dirent *ent; d && (ent = readdir(d));)
		if (ent->d_type == DT_DIR && state_is_id(ent->d_name) &&
		    faccessat(s->live, ent->d_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    str_copyf(path, sizeof path, "%s/%s", parent, ent->d_name) == 0)
			(void)cgroup_remove(path, NULL);
	if (str_copyf(path, sizeof path, "%s/%s", root, parent) == 0)
		(void)rmdir(path);
}

static void all_groups(const struct state *s)
{
	cleanup_free char *devices = str_fmt("%s-devices", cgroup_parent());
	struct hier h = hier_detect(true);
	const char *root;

	for_each_hier(i, &h, root) {
		groups(s, root, cgroup_parent());
		if (devices)
			groups(s, root, devices);
	}
}

/*
 * No container is made meanwhile, so whoever is not in the list now has no right to an attachment.
 */
static int unowned(const struct state *s, struct err *e)
{
	cleanup_free char(*ids)[ID_LEN + 1] = NULL;
	struct err first = ERR_INIT, one = ERR_INIT;
	cleanup_fd int gate = -1;
	size_t n;
	int r;

	if (s->live < 0) /* no container ever: a node whose networks another runtime uses */
		return shared_things(e);
	if ((r = state_gate(s, LOCK_EX, &gate, e)) < 0 || (r = state_ids(s, &ids, &n, e)) < 0)
		return r;
	cleanup_free const char **valid = calloc(n + 1, sizeof *valid);
	if (!valid)
		return err_set(e, -ENOMEM, "collect attachments");
	for (size_t i = 0, k = 0; i < n; i++)
		if (faccessat(s->live, ids[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			valid[k++] = ids[i];
	if (network_gc(valid, &one) < 0)
		err_keep_first(&first, &one);
	all_groups(s);
	one = (struct err)ERR_INIT;
	if (shared_things(&one) < 0)
		err_keep_first(&first, &one);
	if (first.no && e)
		*e = first;
	return -first.no;
}

int gc_run(const struct state *s, struct json_object **report, struct err *e)
{
	struct json_object *removed = json_arr(), *stopped = json_arr();
	struct json_object *lists[] = { [LEAVE] = NULL, [STOP] = stopped, [REMOVE] = removed };
	struct err first = ERR_INIT, one = ERR_INIT;
	size_t images = 0;
	int names;

	if (all_containers(s, lists, &one) < 0)
		err_keep_first(&first, &one);
	if ((names = state_names_sweep(s, &one)) < 0)
		err_keep_first(&first, &one);
	if (unowned(s, &one) < 0)
		err_keep_first(&first, &one);
	if (image_gc(NULL, &images, &one) < 0)
		err_keep_first(&first, &one);
	*report = json_obj();
	json_set(*report, "removed", removed);
	json_set(*report, "stopped", stopped);
	json_set_int(*report, "names", names > 0 ? names : 0);
	json_set_int(*report, "image_files", (int64_t)images);
	if (first.no && e)
		*e = first;
	return -first.no;
}
