// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/net/netns.h"

/* ".." as a component; "eth..0" is an interface's name */
static bool climbs(const char *name)
{
	for (const char *p = name; (p = strchr(p, '/'));)
		if (*++p == '.' && p[1] == '.' && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

static int path_of(const char *name, char *path, size_t size, struct err *e)
{
	if (!str_starts(name, "net/") || climbs(name) ||
	    str_copyf(path, size, "/proc/sys/%s", name) < 0)
		return err_say(e, -EINVAL,
			       "sysctl %.100s: expected a name below net/ without \"..\"", name);
	return 0;
}

int sysctl_read(const char *name, char value[SYSCTL_VALUE_MAX], struct err *e)
{
	char path[256];
	int r = path_of(name, path, sizeof path, e);

	if (r < 0)
		return r;
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && plan_on()) {
		*value = 0; /* of an interface that is only planned */
		return 0;
	}
	if (fd < 0)
		return err_set(e, -errno, "read sysctl %s", name);
	char text[SYSCTL_VALUE_MAX];
	ssize_t n = read(fd, text, sizeof text);
	if (n < 0)
		return err_set(e, -errno, "read sysctl %s", name);
	if ((size_t)n == sizeof text)
		return err_set(e, -EFBIG, "read sysctl %s", name);
	text[n] = 0;
	*strchrnul(text, '\n') = 0;
	memcpy(value, text, strlen(text) + 1);
	return 0;
}

int sysctl_write(const char *name, const char *value, struct err *e)
{
	char path[256];
	int r = path_of(name, path, sizeof path, e);

	if (r < 0)
		return r;
	if (plan_on()) {
		plan_note("sysctl", "host", "%s = %s", name, value);
		return 0;
	}
	r = file_poke_at(AT_FDCWD, path, value);
	if (trace_on())
		trace_event("sysctl", name, -1, "%s: %s", value, r < 0 ? strerror(-r) : "ok");
	return r < 0 ? err_set(e, r, "write \"%s\" to sysctl %s", value, name) : 0;
}

struct access {
	const char *name;
	char *value;
	bool write;
	struct err *e;
};

static int inside(void *arg)
{
	struct access *a = arg;

	return a->write ? sysctl_write(a->name, a->value, a->e) :
			  sysctl_read(a->name, a->value, a->e);
}

int sysctl_read_in(int netns_fd, const char *name, char value[SYSCTL_VALUE_MAX], struct err *e)
{
	struct access a = { name, value, false, e };

	return netns_fd < 0 ? inside(&a) : netns_run(netns_fd, inside, &a, e);
}

int sysctl_write_in(int netns_fd, const char *name, const char *value, struct err *e)
{
	struct access a = { name, (char *)value, true, e };

	if (plan_on() && netns_fd >= 0) {
		plan_note("sysctl", "container", "%s = %s", name, value);
		return 0;
	}
	return netns_fd < 0 ? inside(&a) : netns_run(netns_fd, inside, &a, e);
}
