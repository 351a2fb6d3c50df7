/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_SCAN_H
#define NARU_IPAM_SCAN_H

struct err;

/*
 * Calls fn for each name in the directory but "." and ".."; stops at the first non-zero and returns
 * it. fn sets *e itself.
 */
int scan_dir(int dir, int (*fn)(int dir, const char *name, void *arg), void *arg, struct err *e);

#endif
