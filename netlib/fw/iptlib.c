// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/iptlib.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* after libc's netinet/in.h, with which it shares names */
#include <linux/netfilter_ipv4/ip_tables.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

#define FN(name) { #name, offsetof(struct ipt_lib, name) }

static const struct {
	const char *name;
	size_t at;
} functions[] = {
	FN(init),	   FN(free),	     FN(is_chain),     FN(builtin),
	FN(first_chain),   FN(next_chain),   FN(first_rule),   FN(next_rule),
	FN(get_target),	   FN(insert_entry), FN(append_entry), FN(delete_num_entry),
	FN(flush_entries), FN(create_chain), FN(delete_chain), FN(get_references),
	FN(commit),
};

/* One of them for the life of the process. */
static struct family {
	const char *file, *package, *prefix;
	struct ipt_lib lib;
	bool loaded;
} families[] = {
	{ "libip4tc.so.2", "libip4tc2", "iptc_" },
	{ "libip6tc.so.2", "libip6tc2", "ip6tc_" },
};

static int load(struct family *f, struct err *e)
{
	void *so = dlopen(f->file, RTLD_NOW | RTLD_LOCAL);

	if (!so)
		return err_say(e, -EOPNOTSUPP,
			       "the iptables backend needs %s, which cannot be loaded; install it "
			       "(Debian's package %s) or use the nftables backend",
			       f->file, f->package);
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		char name[64];
		void *fn;

		(void)snprintf(name, sizeof name, "%s%s", f->prefix, functions[i].name);
		fn = dlsym(so, name);
		if (!fn) {
			(void)dlclose(so);
			return err_say(e, -EOPNOTSUPP,
				       "the iptables backend needs function %s, which this %s does "
				       "not have; use version 1.8 of the package %s",
				       name, f->file, f->package);
		}
		memcpy((char *)&f->lib + functions[i].at, &fn, sizeof fn);
	}
	f->loaded = true;
	return 0;
}

int ipt_lib_load(const struct ipt_lib **out, uint8_t family, struct err *e)
{
	struct family *f = &families[family == AF_INET6];
	int r = f->loaded ? 0 : load(f, e);

	if (r == 0)
		*out = &f->lib;
	return r;
}

/* Structures and options are the same in both families. */
static int level_of(uint8_t family)
{
	return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static bool get_info(int fd, uint8_t family, const char *table, struct ipt_getinfo *info)
{
	socklen_t len = sizeof *info;

	*info = (struct ipt_getinfo){ .name = "" };
	(void)str_copyf(info->name, sizeof info->name, "%s", table);
	return fd >= 0 && getsockopt(fd, level_of(family), IPT_SO_GET_INFO, info, &len) == 0;
}

bool ipt_lib_has_rules(uint8_t family, const char *table)
{
	cleanup_fd int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct ipt_getinfo info;

	/* an empty table: one policy for each hook, and the end */
	return get_info(fd, family, table, &info) &&
	       info.num_entries > (unsigned)__builtin_popcount(info.valid_hooks) + 1;
}

bool ipt_lib_mentions(uint8_t family, const char *table, const char *text)
{
	cleanup_fd int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	cleanup_free struct ipt_get_entries *all = NULL;
	struct ipt_getinfo info;

	if (!get_info(fd, family, table, &info))
		return true;
	socklen_t len = (socklen_t)(sizeof *all + info.size);
	if (!(all = calloc(1, len)))
		return true;
	(void)str_copyf(all->name, sizeof all->name, "%s", table);
	all->size = info.size;
	return getsockopt(fd, level_of(family), IPT_SO_GET_ENTRIES, all, &len) < 0 ||
	       memmem(all->entrytable, info.size, text, strlen(text));
}
