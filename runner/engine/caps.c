// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/caps.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netlib/base/err.h"

#define CAPS_MAX 64 /* a set never has more bits than that */

static const char names[][24] = {
	/* clang-format off */
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
	/* clang-format on */
};

_Static_assert(sizeof names / sizeof *names == CAPS_KNOWN, "a capability has no name");

const char *cap_name(unsigned n)
{
	return n < CAPS_KNOWN ? names[n] : NULL;
}

int caps_parse(const char *text, uint64_t *mask, struct err *e)
{
	const char *bare = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text;

	if (strcasecmp(text, "ALL") == 0) {
		*mask = CAPS_ALL;
		return 0;
	}
	for (unsigned i = 0; i < CAPS_KNOWN; i++)
		if (strcasecmp(bare, names[i] + 4) == 0) {
			*mask = CAP_BIT(i);
			return 0;
		}
	return err_say(e, -EINVAL,
		       "capability \"%s\": expected ALL or a name of capabilities(7), as NET_ADMIN",
		       text);
}

static int parse_list(const char *const *list, size_t n, uint64_t *mask, bool *all, struct err *e)
{
	*mask = 0;
	*all = false;
	for (size_t i = 0; i < n; i++) {
		uint64_t one;
		int r = caps_parse(list[i], &one, e);

		if (r < 0)
			return r;
		if (one == CAPS_ALL)
			*all = true;
		else
			*mask |= one;
	}
	return 0;
}

int caps_tweak(uint64_t base, const char *const *add, size_t nadd, const char *const *drop,
	       size_t ndrop, uint64_t *out, struct err *e)
{
	uint64_t adds, drops;
	bool add_all, drop_all;
	int r;

	if ((r = parse_list(add, nadd, &adds, &add_all, e)) < 0 ||
	    (r = parse_list(drop, ndrop, &drops, &drop_all, e)) < 0)
		return r;
	if (add_all)
		*out = CAPS_ALL & ~drops;
	else if (drop_all)
		*out = adds;
	else
		*out = (base & ~drops) | adds;
	return 0;
}

char *caps_text(uint64_t mask, char *buf, size_t size)
{
	size_t len = 0;

	if (size)
		*buf = '\0';
	for (unsigned i = 0; i < CAPS_MAX && len < size; i++)
		if (mask & CAP_BIT(i)) {
			const char *sep = len ? ", " : "", *name = cap_name(i);

			len += (size_t)(name ? snprintf(buf + len, size - len, "%s%s", sep, name) :
					       snprintf(buf + len, size - len, "%s%u", sep, i));
		}
	if (len >= size && size >= 4)
		memcpy(buf + size - 4, "...", 4);
	return buf;
}

uint64_t caps_bounding(void)
{
	uint64_t mask = 0;

	for (int i = 0; i < CAPS_MAX; i++) {
		int r = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (r < 0) /* the kernel has no capability of this number, nor any above */
			break;
		if (r)
			mask |= CAP_BIT(i);
	}
	return mask;
}

int caps_drop_bounding(const struct caps *want, uint64_t *lacking, struct err *e)
{
	uint64_t have = caps_bounding();

	for (unsigned i = 0; i < CAPS_MAX; i++) {
		const char *name = cap_name(i);

		if (!(have & ~want->bounding & CAP_BIT(i)))
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return err_set(e, -errno, "drop %s (%u) from the capability bounding set",
				       name ? name : "a capability without a name", i);
	}
	*lacking = want->bounding & ~have;
	return *lacking ? CAPS_LACKING : 0;
}

/* The kernel hands sets over as two halves of 32 bits. */
static int capset_masks(uint64_t eff, uint64_t perm, uint64_t inh)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].effective = (uint32_t)(eff >> (32 * i));
		data[i].permitted = (uint32_t)(perm >> (32 * i));
		data[i].inheritable = (uint32_t)(inh >> (32 * i));
	}
	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

static int permitted_now(uint64_t *perm)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &hdr, data) < 0)
		return -errno;
	*perm = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int raise_ambient(uint64_t mask, struct err *e)
{
	for (unsigned i = 0; i < CAPS_KNOWN; i++)
		if ((mask & CAP_BIT(i)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return err_set(e, -errno, "raise ambient capability %s", names[i]);
	return 0;
}

int caps_set(const struct caps *want, uint64_t *lacking, struct err *e)
{
	uint64_t have = 0, perm, inh;
	int r = permitted_now(&have);

	if (r < 0)
		return err_set(e, r, "read this process's capabilities");
	perm = want->permitted & have;
	inh = want->inheritable & have;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_set(e, -errno, "clear the ambient capabilities");
	if ((r = capset_masks(want->effective & perm, perm, inh)) < 0)
		return err_set(e, r, "set this process's capabilities");
	if ((r = raise_ambient(want->ambient & perm & inh, e)) < 0)
		return r;
	*lacking = (want->effective | want->permitted | want->inheritable | want->ambient) & ~have;
	return *lacking ? CAPS_LACKING : 0;
}

int caps_apply(const struct caps *want, uint64_t *lacking, struct err *e)
{
	uint64_t bound, rest;
	int r;

	if ((r = caps_drop_bounding(want, &bound, e)) < 0 || (r = caps_set(want, &rest, e)) < 0)
		return r;
	*lacking = bound | rest;
	return *lacking ? CAPS_LACKING : 0;
}
