// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/net/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

#define PCI "/sys/bus/pci/devices"
#define AUXILIARY "/sys/bus/auxiliary/devices"
#define DEVICES "/sys/devices/"
#define PATH_SIZE 512

/* An id is one component of a path. */
static bool is_id(const char *id)
{
	return *id && !strchr(id, '/') && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

bool device_is_pci(const char *id)
{
	char path[PATH_SIZE];

	return is_id(id) && str_copyf(path, sizeof path, PCI "/%s", id) == 0 &&
	       access(path, F_OK) == 0;
}

/* The first of the interfaces, in order of name. */
static int first_in(const char *dir, char name[IFNAME_MAX])
{
	char best[IFNAME_MAX] = "";
	cleanup_dir DIR *d = opendir(dir);

	if (!d)
		return -errno;
	for (struct dirent *ent; (ent = readdir(d));)
		if (!ifname_problem(ent->d_name) && (!*best || strcmp(ent->d_name, best) < 0))
			(void)str_copyf(best, sizeof best, "%s", ent->d_name);
	if (!*best)
		return -ENODEV;
	memcpy(name, best, sizeof best);
	return 0;
}

/* dir/net, or dir/virtio0/net. */
static int interface_below(const char *dir, char name[IFNAME_MAX])
{
	char path[PATH_SIZE + 80];
	int r;

	(void)str_copyf(path, sizeof path, "%s/net", dir);
	if ((r = first_in(path, name)) != -ENOENT)
		return r;
	cleanup_dir DIR *d = opendir(dir);
	if (!d)
		return -errno;
	for (struct dirent *ent; (ent = readdir(d));) {
		if (!str_starts(ent->d_name, "virtio") ||
		    str_copyf(path, sizeof path, "%s/%.60s/net", dir, ent->d_name) < 0)
			continue;
		if (first_in(path, name) == 0)
			return 0;
	}
	return -ENODEV;
}

int device_of_pci(const char *id, char name[IFNAME_MAX], struct err *e)
{
	char dir[PATH_SIZE];

	if (!is_id(id) || str_copyf(dir, sizeof dir, PCI "/%s", id) < 0 ||
	    interface_below(dir, name) < 0)
		return err_say(
			e, -ENODEV,
			"no net directory under pci device %.80s: it is not there, in another "
			"namespace, or no network device",
			id);
	return 0;
}

int device_of_aux(const char *id, char name[IFNAME_MAX], struct err *e)
{
	char dir[PATH_SIZE];

	if (!is_id(id) || str_copyf(dir, sizeof dir, AUXILIARY "/%s", id) < 0 ||
	    interface_below(dir, name) < 0)
		return err_say(
			e, -ENODEV,
			"no network interface of device %.80s on the pci or the auxiliary bus", id);
	return 0;
}

/* ".." as a component */
static bool climbs(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (!p[3] || p[3] == '/')
			return true;
	return false;
}

int device_of_path(const char *path, char name[IFNAME_MAX], struct err *e)
{
	char dir[PATH_SIZE];

	if (!str_starts(path, DEVICES) || climbs(path))
		return err_say(e, -EINVAL,
			       "kernel device path \"%.200s\" must be absolute and begin with "
			       "/sys/devices/",
			       path);
	if (str_copyf(dir, sizeof dir, "%s/net", path) < 0 || first_in(dir, name) < 0)
		return err_say(e, -ENODEV, "failed to find network devices at \"%.200s/net\"",
			       path);
	return 0;
}

int device_in_userspace(const char *id, struct err *e)
{
	static const char *const drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio" };
	char path[PATH_SIZE], target[PATH_SIZE];
	ssize_t n = -1;

	if (is_id(id) && str_copyf(path, sizeof path, PCI "/%s/driver", id) == 0)
		n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return err_say(
			e, -ENODEV,
			"error with host device: no driver of pci device %.80s; is it there?", id);
	target[n] = 0;
	const char *slash = strrchr(target, '/');
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (!strcmp(slash ? slash + 1 : target, drivers[i]))
			return 1;
	return 0;
}
