// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"

#define FILE_MAX (1024 * 1024)
#define FIELDS_MAX 7
#define NO_ID UINT32_MAX /* (uid_t)-1 means "leave it" to setresuid */

/*
 * The file as the uppermost directory that has it shows it; NULL when none has, or when it is not a
 * plain file.
 */
static char *read_inside(const char *const *roots, size_t nroots, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char *text = NULL;

	for (size_t i = 0; i < nroots; i++) {
		cleanup_fd int dir = open(roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		cleanup_fd int fd =
			dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
		struct stat st;

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		    fd_read_all(fd, FILE_MAX, -1, &text, NULL) < 0)
			return NULL;
		return text;
	}
	return NULL;
}

/* Cuts the next line of *text at its colons; the number of fields, 0 at the end. */
static size_t next_entry(char **text, char *fields[FIELDS_MAX])
{
	while (**text) {
		char *line = *text, *end = strchrnul(line, '\n');
		size_t n = 0;

		*text = *end ? end + 1 : end;
		*end = 0;
		while (n < FIELDS_MAX && line)
			fields[n++] = strsep(&line, ":");
		if (n >= 3)
			return n;
	}
	return 0;
}

static int number(const char *text, uint32_t *out)
{
	uint64_t n;
	int r = str_u64(text, NO_ID - 1, &n);

	if (r == 0)
		*out = (uint32_t)n;
	return r;
}

/* 1: found and filled in. key is a name or a number. */
static int find_user(char *passwd, const char *key, struct user *u, char name[64])
{
	uint32_t uid = 0, wanted = NO_ID;
	char *f[FIELDS_MAX];
	bool numeric = number(key, &wanted) == 0;
	size_t n;

	while (passwd && (n = next_entry(&passwd, f))) {
		uint32_t gid = 0;

		if (n < 4 || number(f[2], &uid) < 0 || number(f[3], &gid) < 0)
			continue;
		if (strcmp(f[0], key) != 0 && !(numeric && uid == wanted))
			continue;
		u->uid = uid;
		u->gid = gid;
		(void)str_copyf(name, 64, "%s", f[0]);
		return 1;
	}
	return 0;
}

static int find_group(char *group, const char *key, gid_t *out)
{
	char *f[FIELDS_MAX];
	uint32_t gid = 0;

	while (group && next_entry(&group, f))
		if (number(f[2], &gid) == 0 && !strcmp(f[0], key)) {
			*out = gid;
			return 1;
		}
	return 0;
}

static void add_groups(char *group, const char *name, struct user *u)
{
	char *f[FIELDS_MAX];
	uint32_t gid = 0;
	size_t n;

	while (group && (n = next_entry(&group, f)) && u->ngroups < USER_GROUPS_MAX) {
		if (n < 4 || number(f[2], &gid) < 0)
			continue;
		for (char *rest = f[3], *member; (member = strsep(&rest, ","));)
			if (!strcmp(member, name) && gid != u->gid) {
				u->groups[u->ngroups++] = gid;
				break;
			}
	}
}

int user_resolve(const char *text, const char *const *roots, size_t nroots, struct user *out,
		 struct err *e)
{
	struct user u = { 0 };
	char who[128], name[64] = "";
	const char *colon = strchr(text, ':'), *given_group = colon ? colon + 1 : "";
	uint32_t id = 0;

	if (str_copyf(who, sizeof who, "%.*s", colon ? (int)(colon - text) : (int)strlen(text),
		      text) < 0)
		return err_say(e, -EINVAL,
			       "user \"%.40s...\": the name is longer than 127 characters", text);
	cleanup_free char *passwd = read_inside(roots, nroots, "etc/passwd");
	if (!find_user(passwd, *who ? who : "0", &u, name)) {
		if (*who && number(who, &id) < 0)
			return err_say(
				e, -ENOENT,
				"no user \"%s\" in the container's /etc/passwd; use a number below 4294967295",
				who);
		u.uid = id;
	}
	cleanup_free char *group =
		*given_group || *name ? read_inside(roots, nroots, "etc/group") : NULL;
	u.groups[u.ngroups++] = u.gid;
	if (*given_group) {
		if (number(given_group, &id) == 0)
			u.gid = id;
		else if (!find_group(group, given_group, &u.gid))
			return err_say(
				e, -ENOENT,
				"no group \"%s\" in the container's /etc/group; use a number below 4294967295",
				given_group);
		u.groups[0] = u.gid;
	} else if (*name) {
		add_groups(group, name, &u);
	}
	*out = u;
	return 0;
}
