// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/furniture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/net/sysctl.h"

#define NOTES_DIR "/run/naru/sysctl"
#define LEAVING_NAP_MS 5
#define LEAVING_NAPS 60

/*
 * Notes are per network namespace (its inode): "NOTES_DIR/INODE/net.ipv4.ip_forward" holds the old
 * value.
 */
static int notes_dir(bool create, struct err *e)
{
	struct netns_id id;
	char path[64];
	cleanup_fd int self = -1;
	int r;

	if ((r = netns_self(&self, e)) < 0 || (r = netns_identify(self, &id, e)) < 0)
		return r;
	(void)snprintf(path, sizeof path, NOTES_DIR "/%llu", (unsigned long long)id.ino);
	r = file_open_dir(AT_FDCWD, path, e);
	if (r != -ENOENT || !create || (r = file_mkdirs(path, 0700, e)) < 0)
		return r;
	return file_open_dir(AT_FDCWD, path, e);
}

static void replace(char *s, char from, char to)
{
	for (; (s = strchr(s, from)); s++)
		*s = to;
}

/* A note is named as sysctl(8) names it; the dots of an interface's name become '%'. */
static void note_name(const char *sysctl, char *note, size_t size)
{
	(void)str_copyf(note, size, "%s", sysctl);
	replace(note, '.', '%');
	replace(note, '/', '.');
}

static void note_sysctl(const char *note, char *sysctl, size_t size)
{
	(void)str_copyf(sysctl, size, "%s", note);
	replace(sysctl, '.', '/');
	replace(sysctl, '%', '.');
}

int furniture_sysctl(const char *name, const char *value, struct err *e)
{
	char old[SYSCTL_VALUE_MAX], note[128];
	int r = sysctl_read(name, old, e);

	if (r < 0 || !strcmp(old, value))
		return r;
	if (plan_on())
		return sysctl_write(name, value, e);
	note_name(name, note, sizeof note);
	cleanup_fd int dir = notes_dir(true, e);
	if (dir < 0)
		return dir;
	/* whole or not at all: a note without its value would forget the old one */
	r = file_create_at(dir, note, 0600, old, strlen(old), e);
	if (r < 0 && r != -EEXIST)
		return err_wrap(e, "note the old value of sysctl %s", name), r;
	return sysctl_write(name, value, e);
}

struct survey {
	struct link *bridges;
	size_t nbridges;
	uint32_t *masters;
	size_t nmasters;
	unsigned veths, leaving;
	bool oom;
};

static int look(const struct link *l, void *arg)
{
	struct survey *s = arg;

	if (l->master) {
		uint32_t *m = vec_add(&s->masters, &s->nmasters);

		if (m)
			*m = l->master;
		s->oom |= !m;
	}
	if (!str_starts(l->alias, "naru:"))
		return 0;
	if (!strcmp(l->kind, "bridge")) {
		struct link *b = vec_add(&s->bridges, &s->nbridges);

		if (b)
			*b = *l;
		s->oom |= !b;
	} else {
		s->veths++;
		s->leaving += !(l->flags & IFF_UP);
	}
	return 0;
}

/*
 * Looks at all links. A veth of ours that is down is on its way out (deferDel): the kernel is given
 * a moment to finish, so that the bridge it was on can be collected in the same call.
 */
static int survey(struct nl *host, struct survey *s, struct err *e)
{
	for (int nap = 0;; nap++) {
		free(s->bridges);
		free(s->masters);
		*s = (struct survey){ 0 };
		int r = link_each(host, look, s, e);
		if (r < 0 || !s->leaving || nap == LEAVING_NAPS)
			return r;
		(void)nanosleep(&(struct timespec){ .tv_nsec = LEAVING_NAP_MS * 1000000L }, NULL);
	}
}

static bool used(const struct survey *s, uint32_t bridge)
{
	for (size_t i = 0; i < s->nmasters; i++)
		if (s->masters[i] == bridge)
			return true;
	return false;
}

static int restore_sysctls(unsigned *removed, struct err *e)
{
	cleanup_fd int dir = notes_dir(false, NULL);
	struct err first = ERR_INIT;

	if (dir < 0) { /* a kill may have come between making the two directories */
		(void)rmdir(NOTES_DIR);
		return 0;
	}
	cleanup_fd int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = again < 0 ? NULL : fdopendir(take_fd(again));
	for (struct dirent *ent; d && (ent = readdir(d));) {
		cleanup_free char *old = NULL;
		char name[128];
		struct err one = ERR_INIT;

		if (ent->d_name[0] == '.' ||
		    file_read_at(dir, ent->d_name, SYSCTL_VALUE_MAX, &old, NULL, NULL) < 0)
			continue;
		note_sysctl(ent->d_name, name, sizeof name);
		if (sysctl_write(name, old, &one) < 0 && one.no != ENOENT) {
			err_keep_first(&first, &one);
			continue;
		}
		(void)unlinkat(dir, ent->d_name, 0);
		(*removed)++;
	}
	char self[64], path[256];
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(self, path, sizeof path - 1);
	if (n > 0) {
		path[n] = 0;
		(void)rmdir(path);
	}
	(void)rmdir(NOTES_DIR);
	if (first.no && e)
		*e = first;
	return -first.no;
}

int furniture_sweep(struct nl *host, unsigned *removed, struct err *e)
{
	struct survey s = { 0 };
	struct err first = ERR_INIT, one = ERR_INIT;
	cleanup_fw struct fw *fw = NULL;
	unsigned left = 0;
	int r = survey(host, &s, &one);

	if (r < 0)
		err_keep_first(&first, &one);
	for (size_t i = 0; r == 0 && i < s.nbridges; i++) {
		one = (struct err)ERR_INIT;
		if (used(&s, s.bridges[i].index))
			left++;
		else if (link_del(host, s.bridges[i].index, &one) < 0)
			err_keep_first(&first, &one);
		else
			(*removed)++;
	}
	one = (struct err)ERR_INIT;
	r = fw_open(&fw, FW_AUTO, &one);
	if (r == 0 && (r = fw_sweep(fw, &one)) > 0)
		(*removed)++;
	if (r < 0 && r != -EOPNOTSUPP)
		err_keep_first(&first, &one);
	one = (struct err)ERR_INIT;
	if (!first.no && !left && !s.veths && !s.oom && restore_sysctls(removed, &one) < 0)
		err_keep_first(&first, &one);
	free(s.bridges);
	free(s.masters);
	if (first.no && e)
		*e = first;
	return -first.no;
}
