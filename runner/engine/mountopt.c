// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/mountopt.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"

enum kind { ATTR, RATTR, PROPAGATION, RPROPAGATION, BIND, RBIND, IGNORED, REFUSED };

static const struct {
	const char *word;
	enum kind kind;
	uint64_t set, clear;
} words[] = {
	{ "ro", ATTR, MOUNT_ATTR_RDONLY, 0 },
	{ "rw", ATTR, 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", ATTR, MOUNT_ATTR_NOSUID, 0 },
	{ "suid", ATTR, 0, MOUNT_ATTR_NOSUID },
	{ "nodev", ATTR, MOUNT_ATTR_NODEV, 0 },
	{ "dev", ATTR, 0, MOUNT_ATTR_NODEV },
	{ "noexec", ATTR, MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", ATTR, 0, MOUNT_ATTR_NOEXEC },
	{ "noatime", ATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "atime", ATTR, 0, MOUNT_ATTR__ATIME },
	{ "relatime", ATTR, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "norelatime", ATTR, 0, MOUNT_ATTR__ATIME },
	{ "strictatime", ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "nostrictatime", ATTR, 0, MOUNT_ATTR__ATIME },
	{ "nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", ATTR, 0, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "defaults", IGNORED, 0, 0 },
	{ "rro", RATTR, MOUNT_ATTR_RDONLY, 0 },
	{ "rrw", RATTR, 0, MOUNT_ATTR_RDONLY },
	{ "rnosuid", RATTR, MOUNT_ATTR_NOSUID, 0 },
	{ "rsuid", RATTR, 0, MOUNT_ATTR_NOSUID },
	{ "rnodev", RATTR, MOUNT_ATTR_NODEV, 0 },
	{ "rdev", RATTR, 0, MOUNT_ATTR_NODEV },
	{ "rnoexec", RATTR, MOUNT_ATTR_NOEXEC, 0 },
	{ "rexec", RATTR, 0, MOUNT_ATTR_NOEXEC },
	{ "rnoatime", RATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "ratime", RATTR, 0, MOUNT_ATTR__ATIME },
	{ "rrelatime", RATTR, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "rnorelatime", RATTR, 0, MOUNT_ATTR__ATIME },
	{ "rstrictatime", RATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "rnostrictatime", RATTR, 0, MOUNT_ATTR__ATIME },
	{ "rnodiratime", RATTR, MOUNT_ATTR_NODIRATIME, 0 },
	{ "rdiratime", RATTR, 0, MOUNT_ATTR_NODIRATIME },
	{ "rnosymfollow", RATTR, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "rsymfollow", RATTR, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", PROPAGATION, MS_PRIVATE, 0 },
	{ "slave", PROPAGATION, MS_SLAVE, 0 },
	{ "shared", PROPAGATION, MS_SHARED, 0 },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE, 0 },
	{ "rprivate", RPROPAGATION, MS_PRIVATE, 0 },
	{ "rslave", RPROPAGATION, MS_SLAVE, 0 },
	{ "rshared", RPROPAGATION, MS_SHARED, 0 },
	{ "runbindable", RPROPAGATION, MS_UNBINDABLE, 0 },
	{ "bind", BIND, 0, 0 },
	{ "rbind", RBIND, 0, 0 },
	{ "idmap", REFUSED, 0, 0 },
	{ "ridmap", REFUSED, 0, 0 },
	{ "tmpcopyup", REFUSED, 0, 0 },
};

static void apply(struct mountopt *o, size_t i)
{
	switch (words[i].kind) {
	case ATTR:
		o->set = (o->set & ~words[i].clear) | words[i].set;
		o->clear = (o->clear | words[i].clear) & ~(words[i].set & ~MOUNT_ATTR__ATIME);
		break;
	case RATTR:
		o->rset = (o->rset & ~words[i].clear) | words[i].set;
		o->rclear = (o->rclear | words[i].clear) & ~(words[i].set & ~MOUNT_ATTR__ATIME);
		break;
	case PROPAGATION:
	case RPROPAGATION:
		o->propagation = words[i].set;
		o->propagation_recursive = words[i].kind == RPROPAGATION;
		break;
	case BIND:
	case RBIND:
		o->bind = true;
		o->recursive |= words[i].kind == RBIND;
		break;
	case IGNORED:
	case REFUSED:
		break;
	}
}

int mountopt_parse(const char *const *options, size_t n, struct mountopt *out, struct err *e)
{
	struct mountopt o = { 0 };

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(words) && strcmp(words[k].word, options[i]))
			k++;
		if (k < ARRAY_LEN(words) && words[k].kind == REFUSED)
			return err_say(
				e, -ENOTSUP,
				"mount option \"%s\" is not supported by this engine; leave it out",
				options[i]);
		if (k < ARRAY_LEN(words)) {
			apply(&o, k);
			continue;
		}
		if (o.ndata == MOUNTOPT_DATA_MAX)
			return err_say(e, -E2BIG,
				       "mount options: expected at most %d for the file system",
				       MOUNTOPT_DATA_MAX);
		o.data[o.ndata++] = options[i];
	}
	*out = o;
	return 0;
}
