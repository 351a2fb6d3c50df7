/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_ENGINE_STAGE_H
#define NARU_ENGINE_STAGE_H

#define STAGE_FD 3 /* the program writes a negative errno (32 bits) there when its exec failed */

/*
 * Executes path by way of a program of a hundred instructions in sealed memory. Whatever the
 * container calls /proc/self/exe at that moment ("#!/proc/self/exe", a link to it) is then that
 * program, and not the runner: the runner's file cannot be reached from a container
 * (CVE-2019-5736).
 *
 *   args     of the program, NULL-terminated; path goes in front of them and is taken off again
 * STAGE_FD stays open until the exec and is closed by it
 *
 * For the child. Returns only when the program itself could not be started: a negative errno.
 */
int stage_exec(const char *path, const char *const *args, const char *const *env);

#endif
