// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/furniture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/fw/fw.h"
#include "netlib/fw/spoof.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/net/sysctl.h"

#define NOTES_DIR "/run/naru/sysctl"
#define LEAVING_NAP_MS 5
#define LEAVING_NAPS 60
#define LOCK_NAP_MS 2
#define HOLD_PATIENCE_MS 5000  /* a sweep takes at most a third of a second */
#define SWEEP_PATIENCE_MS 2000 /* an attachment takes as long as its addresses do */

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

/* ---- bridges, and the ports of their VLANs' gateways */

#define GATEWAY "naru:gateway "

void furniture_gateway_alias(const char *network, char *buf, size_t size)
{
	(void)str_copyf(buf, size, GATEWAY "%.200s", network);
}

bool furniture_is_gateway(const char *alias)
{
	return str_starts(alias, GATEWAY);
}

/* What has joined which bridge. */
struct port {
	uint32_t index, master;
	enum { PORT_FOREIGN, PORT_ATTACHMENT, PORT_GATEWAY } what;
};

struct survey {
	struct link *bridges; /* ours */
	size_t nbridges;
	struct port *ports;
	size_t nports;
	unsigned veths, leaving;
	bool oom;
};

static int look(const struct link *l, void *arg)
{
	struct survey *s = arg;
	bool ours = str_starts(l->alias, "naru:"), gateway = furniture_is_gateway(l->alias);

	if (l->master || gateway) {
		struct port *p = vec_add(&s->ports, &s->nports);

		if (p)
			*p = (struct port){ l->index, l->master,
					    gateway ? PORT_GATEWAY :
					    ours    ? PORT_ATTACHMENT :
						      PORT_FOREIGN };
		s->oom |= !p;
	}
	if (!ours || gateway)
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

static void survey_clear(struct survey *s)
{
	free(s->bridges);
	free(s->ports);
	*s = (struct survey){ 0 };
}

/*
 * Looks at all links. A veth of ours that is down is on its way out (deferDel): the kernel is given
 * a moment to finish, so that the bridge it was on can be collected in the same call.
 */
static int survey(struct nl *host, struct survey *s, struct err *e)
{
	for (int nap = 0;; nap++) {
		survey_clear(s);
		int r = link_each(host, look, s, e);
		if (r < 0 || !s->leaving || nap == LEAVING_NAPS)
			return r;
		(void)nanosleep(&(struct timespec){ .tv_nsec = LEAVING_NAP_MS * 1000000L }, NULL);
	}
}

static bool is_our_bridge(const struct survey *s, uint32_t bridge)
{
	for (size_t i = 0; i < s->nbridges; i++)
		if (s->bridges[i].index == bridge)
			return true;
	return false;
}

/*
 * Has the bridge a port besides gateways? Of a bridge that is not ours only our attachments count:
 * its uplink needs no gateway of ours.
 */
static bool used(const struct survey *s, uint32_t bridge)
{
	bool ours = is_our_bridge(s, bridge);

	for (size_t i = 0; i < s->nports; i++)
		if (s->ports[i].master == bridge && (s->ports[i].what == PORT_ATTACHMENT ||
						     (ours && s->ports[i].what == PORT_FOREIGN)))
			return true;
	return false;
}

static void collect(struct nl *host, uint32_t index, unsigned *removed, struct err *first)
{
	struct err one = ERR_INIT;

	if (link_del(host, index, &one) < 0)
		err_keep_first(first, &one);
	else
		(*removed)++;
}

/* Gateways first: they are ports. Returns how many are still in use. */
static unsigned collect_links(struct nl *host, const struct survey *s, unsigned *removed,
			      struct err *first)
{
	unsigned left = 0;

	for (size_t i = 0; i < s->nports; i++) {
		if (s->ports[i].what != PORT_GATEWAY)
			continue;
		/* one without a bridge is of no use */
		if (s->ports[i].master && used(s, s->ports[i].master))
			left++;
		else
			collect(host, s->ports[i].index, removed, first);
	}
	for (size_t i = 0; i < s->nbridges; i++) {
		if (used(s, s->bridges[i].index))
			left++;
		else
			collect(host, s->bridges[i].index, removed, first);
	}
	return left;
}

/* ---- sysctls */

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

/* ---- who comes while others clear away */

/*
 * The lock lies on the network namespace itself: nothing to make, nothing to leave behind, and gone
 * with its holder.
 */
static int lock_namespace(int operation, int timeout_ms)
{
	cleanup_fd int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int64_t until = clock_ms() + timeout_ms;

	if (fd < 0)
		return -errno;
	while (flock(fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_ms() >= until)
			return -ETIMEDOUT;
		(void)nanosleep(&(struct timespec){ .tv_nsec = LOCK_NAP_MS * 1000000L }, NULL);
	}
	return take_fd(fd);
}

int furniture_hold(void)
{
	return lock_namespace(LOCK_SH, HOLD_PATIENCE_MS);
}

static int sweep(struct nl *host, unsigned *removed, struct err *e)
{
	struct survey s = { 0 };
	struct err first = ERR_INIT, one = ERR_INIT;
	cleanup_fw struct fw *fw = NULL;
	unsigned left = 0;
	int r = survey(host, &s, &one);

	if (r < 0)
		err_keep_first(&first, &one);
	else
		left = collect_links(host, &s, removed, &first);
	one = (struct err)ERR_INIT;
	r = fw_open(&fw, FW_AUTO, &one);
	if (r == 0 && (r = fw_sweep(fw, &one)) > 0)
		(*removed)++;
	if (r < 0 && r != -EOPNOTSUPP)
		err_keep_first(&first, &one);
	one = (struct err)ERR_INIT;
	if ((r = fw_spoof_sweep(&one)) > 0)
		(*removed)++;
	else if (r < 0)
		err_keep_first(&first, &one);
	one = (struct err)ERR_INIT;
	if (!first.no && !left && !s.veths && !s.oom && restore_sysctls(removed, &one) < 0)
		err_keep_first(&first, &one);
	survey_clear(&s);
	if (first.no && e)
		*e = first;
	return -first.no;
}

int furniture_sweep(struct nl *host, unsigned *removed, struct err *e)
{
	cleanup_fd int lock = lock_namespace(LOCK_EX, SWEEP_PATIENCE_MS);

	/* who attaches now uses the furniture; whoever goes last clears it away */
	return lock == -ETIMEDOUT ? 0 : sweep(host, removed, e);
}
