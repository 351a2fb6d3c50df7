/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_ASK_H
#define NARU_CNI_ASK_H

#include "netlib/base/decode.h"

struct err;

/*
 * Asks a plugin to describe itself and to judge conf (CNI_SPEC.md "Private requests"). The answer
 * goes into *out; a plugin that does not know the question has answered VERSION. path is CNI_PATH.
 */
int plugin_ask(const char *type, const char *path, const char *conf, size_t len, struct doc *out,
	       struct err *e);

/* The member "naru" of an answer; NULL when the plugin did not know the question. */
struct json_object *plugin_description(const struct doc *answer);

#endif
