/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_GC_H
#define NARU_GC_H

#include <stddef.h>

struct err;
struct json_object;
struct state;

/*
 * Finishes what killed runners left: containers never completely created and --rm containers that
 * have ended are removed; others that ended unseen give back what they have in the kernel and stay,
 * stopped. Containers with a runner or a live process are left alone. Then names without a
 * container, attachments without a container, shared things without a user, and what imports that
 * were killed left in the store. Goes on after errors and returns the first. *report (owned by the
 * caller): {"removed": [ids], "stopped": [ids], "names": n, "image_files": n}.
 */
int gc_run(const struct state *s, struct json_object **report, struct err *e);

#endif
