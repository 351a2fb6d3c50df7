/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_ALLOWLIST_H
#define NARU_CNI_ALLOWLIST_H

struct err;

/*
 * A file of regular expressions, one a line, not anchored, as the reference's tuning reads it: what
 * matches none is not allowed (-EPERM). No file allows everything. key NULL: looks only whether the
 * file can be used.
 *
 * The reference's expressions are RE2's, ours POSIX extended ones with \d, \D, (?: ) and \A, \z
 * translated; what else RE2 has and POSIX has not is refused by name (-EINVAL), never taken for
 * something else.
 */
int allowlist_check(const char *path, const char *key, struct err *e);

#endif
