/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_ROOTFS_H
#define NARU_ENGINE_ROOTFS_H

#include "runner/engine/cgroup.h"
#include "runner/engine/engine.h"

struct err;
struct spec;

/*
 * The container's file system, put together by the child in its own mount namespace. The functions
 * are phases and run in this order. Nothing outside the namespace changes, except that missing
 * targets of mounts are made in the upper directory.
 */
struct rootfs {
	const struct spec *spec;
	const struct engine_rootfs *layers;
	const char *bundle;
	const struct cgroup *cgroup;
	int root; /* O_PATH, the new root */
	int proc; /* the container's /proc, or -1: the document has none */
};

/* The root mount: overlay of the layers, or the directory root.path itself. */
int rootfs_open(struct rootfs *f, struct err *e);
/* The document's mounts, in order. */
int rootfs_mounts(struct rootfs *f, struct err *e);
/* Devices and links in /dev. */
int rootfs_devices(struct rootfs *f, struct err *e);
/* Masked and read-only paths; the mask of a file is our own /dev/null, checked to be that. */
int rootfs_hide(struct rootfs *f, struct err *e);
/* pivot_root; the old root is gone afterwards and f->root is the new "/". */
int rootfs_enter(struct rootfs *f, struct err *e);

/*
 * A mount of a file system that needs no source, not yet attached: for those who need a /proc of
 * their own.
 */
int rootfs_detached(const char *type, struct err *e);

#endif
