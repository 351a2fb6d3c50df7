/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_NET_DEVICE_H
#define NARU_NET_DEVICE_H

#include <stdbool.h>

#include "netlib/ip/ifname.h"

struct err;

/*
 * Devices of a bus and the network interfaces that belong to them, by sysfs; it shows the
 * interfaces of the namespace that it was mounted in.
 */

/* Is it a PCI device ("0000:00:1f.6")? Names with a slash are none. */
bool device_is_pci(const char *id);

/* Its interface, also that of a virtio device a level below. -ENODEV. */
int device_of_pci(const char *id, char name[IFNAME_MAX], struct err *e);
/* The same on the auxiliary bus ("mlx5_core.sf.2"). */
int device_of_aux(const char *id, char name[IFNAME_MAX], struct err *e);
/* Below /sys/devices/. */
int device_of_path(const char *path, char name[IFNAME_MAX], struct err *e);

/* 1: a driver that hands the PCI device to a program; the kernel has no interface for it then. */
int device_in_userspace(const char *id, struct err *e);

#endif
