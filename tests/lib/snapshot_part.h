/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_SNAPSHOT_PART_H
#define TESTS_LIB_SNAPSHOT_PART_H

#include <stddef.h>
#include <sys/types.h>

/* Inside of the snapshot: its lines, and the parts that add to them. Not for tests. */

struct snap {
	unsigned flags;
	const char *scope; /* first word of each line */
	char **line;
	size_t n, cap;
};

void snap_line(struct snap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void snap_cut(struct snap *s, size_t n); /* drops the lines after the first n */

/* What a program writes to stdout, or NULL and errno; the caller frees it. argv[0] is the path. */
char *snap_program(char *const argv[]);

/* The whole of a file of any kind, also of /proc where sizes are 0, up to 1 MiB; NULL and errno. */
char *snap_file(const char *path);

/* Of the current network namespace */
void snap_net(struct snap *s);	  /* snapshot_net.c; also the per-link sysctls */
void snap_sysctl(struct snap *s); /* snapshot_fw.c */
void snap_firewall(struct snap *s);
void snap_conntrack(struct snap *s);

/* Of the machine */
void snap_mounts(struct snap *s); /* snapshot_fs.c */
void snap_files(struct snap *s);
void snap_cgroups(struct snap *s);
void snap_procs(struct snap *s, pid_t parent);

#endif
