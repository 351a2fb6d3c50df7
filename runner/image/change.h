/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_CHANGE_H
#define NARU_IMAGE_CHANGE_H

struct err;
struct json_object;

/*
 * Applies one Dockerfile instruction to the "config" object of an image, as `docker import -c`
 * takes it: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, in any letter
 * case. Pure.
 *
 *   CMD, ENTRYPOINT     ["a","b"], or a text that becomes ["/bin/sh","-c",TEXT]
 *   ENV, LABEL          K=V K="V W" ..., or K V
 *   EXPOSE              PORT[-PORT][/PROTO] ...
 *
 * 0 or -EINVAL; the error quotes the instruction. Nothing is changed then.
 */
int image_change(struct json_object *config, const char *text, struct err *e);

#endif
