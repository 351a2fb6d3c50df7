/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_UNPACK_H
#define NARU_IMAGE_UNPACK_H

#include <stdint.h>

struct archive;
struct err;

/* What an archive may ask for at most. */
struct unpack_limits {
	uint64_t entries;
	uint64_t bytes; /* of one file's stated size, and of all files together */
	unsigned depth;
};

#define UNPACK_LIMITS { .entries = 1000000, .bytes = UINT64_C(1) << 40, .depth = 256 }

struct unpack_stats {
	uint64_t entries, bytes;   /* bytes: in regular files */
	uint64_t devices_left_out; /* below dev/, where a container gets nodes of its own */
};

/*
 * Unpacks a layer into the empty directory dir as an overlay lower directory: owners, modes, times,
 * user.* attributes and file capabilities kept; .wh.NAME becomes a 0:0 character device,
 * .wh..wh..opq an opaque directory (image-spec, layer.md).
 *
 * Refused by entry number and name: absolute paths, "..", paths that lead through a symbolic link,
 * hard links to anything but an earlier file of the layer, devices outside dev/, sockets, whiteouts
 * of "." and "..", owner ids beyond 32 bits, more than the limits. Attributes of the overlay file
 * system (trusted.*, user.overlay.*) are never taken from an archive.
 */
int unpack_layer(int dir, struct archive *a, const struct unpack_limits *limits,
		 struct unpack_stats *out, struct err *e);

#endif
