/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_INSPECT_H
#define NARU_INSPECT_H

struct ctr;
struct json_object;
struct state;

/*
 * A container in the shape of `docker inspect`: one object, to be put into an array. config: its
 * config.json, or NULL. Pure.
 */
struct json_object *inspect_tree(const struct state *s, const struct ctr *c,
				 struct json_object *config);

#endif
