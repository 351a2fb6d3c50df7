/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_USER_H
#define NARU_USER_H

#include <stddef.h>
#include <sys/types.h>

struct err;

#define USER_GROUPS_MAX 256

/* Who a command runs as, by the container's own /etc/passwd and /etc/group. */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups
		[USER_GROUPS_MAX]; /* gid and, when the group was not given, what /etc/group adds */
	size_t ngroups;
};

/*
 * text is "", NAME, UID, NAME:GROUP, ... as docker's -u. roots are the directories that make up the
 * container's root, uppermost first; nothing outside of them is ever opened, whatever links they
 * hold, and files of more than a megabyte are not read. -ENOENT: "no user x in the container's
 * /etc/passwd". Numbers need no entry and must fit 32 bits.
 */
int user_resolve(const char *text, const char *const *roots, size_t nroots, struct user *out,
		 struct err *e);

#endif
